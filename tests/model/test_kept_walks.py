"""Walks that once broke something, and one that goes through everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.cashier.parts import Cashier
from tests.model.walk import Stage, Walk


@pytest.fixture
def walk(app: Flask, alipay: Cashier) -> Iterator[Walk]:
    """A walk from the start, which ends well."""
    stage = Stage(app, alipay)
    yield Walk(stage)
    stage.close()


def test_the_way_through_everything(walk: Walk) -> None:
    walk.buy(0, [0, 1], beli=7)
    walk.pay(0)
    walk.ask_refund(0, 1)
    walk.decide(0, "approve")
    walk.job("send")
    walk.refund_by_hand(0, 50)
    walk.finish()
