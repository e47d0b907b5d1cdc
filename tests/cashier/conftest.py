from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cashier import keys
from tests.cashier.parts import Cashier, Merchant, Served


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK goes through urllib, which would send even local calls to a proxy."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(scope="session")
def merchant_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("merchant")
    keys.ensure_pair(directory, "app")
    return directory


@pytest.fixture(scope="session")
def running_cashier(tmp_path_factory: pytest.TempPathFactory, merchant_keys: Path) -> Iterator[Cashier]:
    directory = tmp_path_factory.mktemp("cashier")
    clock_file = directory / "offset"
    clock_file.write_text("0")
    cashier = Cashier(directory, merchant_keys, clock_file, notify_timeout=15.0)
    yield cashier
    cashier.stop()


@pytest.fixture
def cashier(running_cashier: Cashier) -> Cashier:
    """One cashier for the whole session; each test finds it empty and on time."""
    running_cashier.clock_file.write_text("0")
    running_cashier.control("reset", {})
    return running_cashier


@pytest.fixture(scope="session")
def running_merchant() -> Iterator[Merchant]:
    merchant = Merchant()
    served = Served(lambda port: merchant.wsgi)
    merchant.url = f"http://127.0.0.1:{served.port}"
    yield merchant
    served.stop()


@pytest.fixture
def merchant(running_merchant: Merchant) -> Merchant:
    running_merchant.got.clear()
    running_merchant.headers.clear()
    running_merchant.says("success")
    return running_merchant
