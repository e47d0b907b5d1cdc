"""Starting a cashier: its settings, its keys, and that it stays a stranger to the shop."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cashier import keys
from cashier.config import Config, ConfigError


def run(tmp_path: Path, port: int, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cashier", "--port", str(port), "--dir", str(tmp_path)]
    return subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, timeout=20, check=False)


def test_settings_have_defaults_and_come_from_the_environment(merchant_keys: Path) -> None:
    merchant = {"MERCHANT_PUBLIC_KEY_FILE": str(merchant_keys / "app_public.pem")}
    config = Config.from_env(merchant, page_origin="http://localhost:7")
    assert (config.page_origin, config.speed, config.clock_offset_file) == ("http://localhost:7", 1.0, None)
    set_by_hand = {"CASHIER_URL": "https://pages.example", "CASHIER_SPEED": "60", "CASHIER_DIR": "/d", "APP_ID": "7"}
    config = Config.from_env(merchant | set_by_hand, page_origin="http://localhost:7")
    assert (config.page_origin, config.speed, config.directory, config.app_id) == (
        "https://pages.example",
        60.0,
        Path("/d"),
        "7",
    )


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"MERCHANT_PUBLIC_KEY_FILE": ""}, "MERCHANT_PUBLIC_KEY_FILE"),
        ({"MERCHANT_PUBLIC_KEY_FILE": "/no/such/file"}, "cannot be read"),
        ({"CASHIER_SPEED": "0"}, "CASHIER_SPEED"),
        ({"CASHIER_SPEED": "nan"}, "CASHIER_SPEED"),
        ({"CASHIER_URL": "http://localhost:1/path"}, "CASHIER_URL"),
        ({"CASHIER_URL": "localhost"}, "CASHIER_URL"),
    ],
)
def test_a_bad_setting_is_named(merchant_keys: Path, changes: dict[str, str], word: str) -> None:
    merchant = {"MERCHANT_PUBLIC_KEY_FILE": str(merchant_keys / "app_public.pem")}
    with pytest.raises(ConfigError, match=word):
        Config.from_env(merchant | changes)


def test_a_merchants_private_key_is_refused(merchant_keys: Path) -> None:
    with pytest.raises(ConfigError, match="private key"):
        Config.from_env({"MERCHANT_PUBLIC_KEY_FILE": str(merchant_keys / "app_private.pem")})


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    private, public = keys.ensure_pair(tmp_path, "gateway")
    first = private.read_bytes(), public.read_bytes()
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert keys.ensure_pair(tmp_path, "gateway") == (private, public)
    assert (private.read_bytes(), public.read_bytes()) == first
    public.unlink()  # a private key made by somebody else gets its public half
    keys.ensure_pair(tmp_path, "gateway")
    assert public.read_bytes() == first[1]
    assert len(list(tmp_path.iterdir())) == 2


def test_start_fails_in_one_sentence(tmp_path: Path) -> None:
    failed = run(tmp_path, 0, MERCHANT_PUBLIC_KEY_FILE="")
    assert failed.returncode == 1 and failed.stderr.startswith("cashier: MERCHANT_PUBLIC_KEY_FILE")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed = run(tmp_path, taken.getsockname()[1])
        assert failed.returncode == 1 and "cannot be used" in failed.stderr and failed.stderr.count("\n") == 1


def test_the_cashier_and_the_shop_are_strangers() -> None:
    root = Path(__file__).parents[2] / "cashier"
    for source in root.glob("*.py"):
        text = source.read_text()
        assert "import shop" not in text and "from shop" not in text and "alipay import" not in text, source.name
