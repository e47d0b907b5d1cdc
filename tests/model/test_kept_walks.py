"""Walks that once failed, and one that goes through everything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.enums import RefundCause, RefundState, TroubleKind
from shop.extensions import db
from shop.models import Refund, Trouble
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


def test_two_trades_refunded_by_hand_under_one_number(walk: Walk) -> None:
    """Alipay wants it unique within a trade only. The shop books the first, and lists the second for people."""
    walk.purchase(0, [0])
    walk.purchase(0, [1])
    for which in (0, 1):
        walk.refund_by_hand(which, 50, number="HAND1")
        walk.job("send")
    walk.check()
    with Session(db.engine) as session:
        assert session.scalars(select(Refund.state)).all() == [RefundState.DONE]
        foreign = session.scalars(select(Trouble).where(Trouble.kind == TroubleKind.FOREIGN_REFUND)).all()
        assert len({trouble.payment_id for trouble in foreign}) == 2


def test_the_second_of_two_payments_goes_back(walk: Walk) -> None:
    for old_first in (True, False):
        walk.buy(0, [0])
        walk.pay_twice(0, old_first=old_first)
        walk.check()
    walk.finish()
    with Session(db.engine) as session:
        back = session.execute(select(Refund.cause, Refund.state)).all()
    assert back == [(RefundCause.DOUBLE, RefundState.DONE)] * 2
