from __future__ import annotations

import pytest
from flask import Flask

from tests.cashier.parts import Cashier
from tests.model.machine import PATIENCE, explore


@pytest.mark.timeout(PATIENCE)
def test_random_walks_keep_every_promise(app: Flask, alipay: Cashier, pytestconfig: pytest.Config) -> None:
    explore(app, alipay, pytestconfig.getoption("--database"), part=1)
