"""How an unpaid order ends: Alipay is asked, then told, and only then is anything released (alipay.md 7.5)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest
from flask import Flask
from sqlalchemy import update

from shop import clock
from shop.enums import CouponStatus, OrderStatus, PaymentState, TransactionType
from shop.errors import AlipaySilent, NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import CouponRecord, EnrolledCourse, OrderDetail, TransactionRecord
from shop.services import batches, orders
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier, until
from tests.deal import BELI, CLOSE, OVER, QUERY, Deal
from tests.faults.purchase import balance_of, count

MINUTE = 60.0
ENDED, LEFT, NOTHING = {"ended": 1, "left": 0}, {"ended": 0, "left": 1}, {"ended": 0, "left": 0}


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def deal(alipay: Cashier) -> Deal:
    return Deal(alipay, a_course(10_000))


def scan(deal: Deal) -> None:
    deal.alipay.control("login", {"out_trade_no": deal.attempt()})


def assert_released_once(deal: Deal, status: OrderStatus) -> None:
    order = deal.order
    assert order.status is status
    assert order.cancel_time is not None and order.pay_time is None
    assert not deal.is_kept()
    assert deal.payment_of().state is PaymentState.CLOSED
    assert count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.REFUND) == 1
    assert count(OrderDetail, OrderDetail.pending_account_id.is_not(None)) == 0
    assert count(EnrolledCourse) == 0


# ---------------------------------------------------------------- asked, told, released


def test_a_page_that_nobody_scanned_is_asked_about_once(deal: Deal) -> None:
    deal.alipay.move_clock(OVER)
    assert orders.expire_due() == ENDED
    assert deal.asked() == ["query"]
    assert_released_once(deal, OrderStatus.TIMED_OUT)
    assert deal.payment_of().next_ask_time is None  # no page can be paid any more
    assert orders.expire_due() == NOTHING


def test_f55_a_trade_that_alipay_has_closed_by_itself_times_out(deal: Deal) -> None:
    scan(deal)
    deal.alipay.move_clock(OVER)
    assert orders.expire_due() == ENDED
    assert deal.asked() == ["query"]
    assert_released_once(deal, OrderStatus.TIMED_OUT)


def test_a_trade_that_waits_is_closed_at_alipay_before_anything_is_released(deal: Deal) -> None:
    scan(deal)
    deal.cancel()
    assert deal.asked() == ["query", "close"]
    assert deal.alipay.trade(deal.attempt())["status"] == "TRADE_CLOSED"
    assert_released_once(deal, OrderStatus.CANCELLED)
    assert deal.payment_of().next_ask_time is None


def test_a_cancel_of_a_page_that_nobody_scanned_releases_at_once_and_goes_on_asking(deal: Deal) -> None:
    """TRADE_NOT_EXIST: closing does nothing, and the open page can still be paid (alipay.md 0.1)."""
    deal.cancel()
    assert deal.asked() == ["query"]
    assert_released_once(deal, OrderStatus.CANCELLED)
    assert deal.payment_of().next_ask_time is not None


def test_close_may_find_no_trade_after_all(deal: Deal) -> None:
    scan(deal)
    deal.alipay.fault("answer_business", method=CLOSE, sub_code="ACQ.TRADE_NOT_EXIST")
    deal.cancel()
    assert_released_once(deal, OrderStatus.CANCELLED)
    assert deal.payment_of().next_ask_time is not None


@pytest.mark.parametrize("seconds", [-5.0, 15 * MINUTE - 5, 17 * MINUTE - 5])
def test_nothing_times_out_before_the_deadline_and_its_grace(deal: Deal, seconds: float) -> None:
    deal.alipay.move_clock(max(0.0, seconds))
    assert orders.expire_due() == NOTHING
    assert deal.order.status is OrderStatus.PENDING
    assert deal.asked() == []


def test_what_ended_meanwhile_comes_back_as_expired(deal: Deal) -> None:
    """P3: a coupon whose time has ended returns as what it is."""
    with unit_of_work() as session:
        session.execute(update(CouponRecord).values(valid_until=clock.now() + timedelta(minutes=1)))
    deal.alipay.move_clock(OVER)
    assert orders.expire_due() == ENDED
    record = db.session.get_one(CouponRecord, deal.record.id, populate_existing=True)
    assert (record.status, record.order_id, record.used_time) == (CouponStatus.EXPIRED, None, None)
    assert balance_of(deal.student.id) == BELI


# ---------------------------------------------------------------- paid after all


def test_money_that_the_sweep_finds_pays_the_order(deal: Deal) -> None:
    deal.pay()
    deal.alipay.move_clock(OVER)
    assert orders.expire_due() == LEFT
    assert deal.order.status is OrderStatus.PAID
    assert deal.is_kept()
    assert orders.expire_due() == NOTHING


def test_a_cancel_that_finds_money_is_too_late(deal: Deal) -> None:
    deal.pay()
    with pytest.raises(NotYourTurn):
        deal.cancel()
    assert deal.order.status is OrderStatus.PAID
    assert count(EnrolledCourse) == 1


def test_a_close_that_alipay_refuses_because_it_was_paid_in_between_pays_the_order(app: Flask, deal: Deal) -> None:
    """The buyer confirms between the shop's question and its close: Alipay says TRADE_STATUS_ERROR."""
    scan(deal)
    student_id = deal.student.id
    deal.alipay.fault("answer_slow", method=QUERY, seconds=1.5)

    def cancel() -> str:
        with app.app_context():
            try:
                orders.cancel(student_id, deal.number)
            except NotYourTurn:
                return "too late"
        return "cancelled"

    db.session.rollback()
    with ThreadPoolExecutor(1) as thread:
        cancelled = thread.submit(cancel)
        until(lambda: deal.asked() == ["query"])  # Alipay has seen that nobody paid, and takes its time to say so
        deal.pay()
        assert cancelled.result() == "too late"
    assert deal.asked() == ["query", "close", "query"]
    assert deal.order.status is OrderStatus.PAID
    assert deal.is_kept()


# ---------------------------------------------------------------- nobody can tell


def test_an_unknown_answer_releases_nothing_and_is_met_with_growing_patience(deal: Deal) -> None:
    deal.alipay.fault("answer_system_error", method=QUERY, times=None)
    deal.alipay.move_clock(17 * MINUTE + 1)
    asked_at = []
    for minute in range(17, 17 + 130):
        if orders.expire_due() == LEFT:
            asked_at.append(minute)
        deal.alipay.move_clock(MINUTE)
    gaps = [later - sooner for sooner, later in pairwise(asked_at)]
    assert gaps == sorted(gaps) and gaps[0] == 1 and gaps[-1] > 30
    assert deal.order.status is OrderStatus.PENDING
    assert deal.is_kept()
    deal.alipay.control("faults", method="DELETE")
    deal.alipay.move_clock(60 * MINUTE)
    assert orders.expire_due() == ENDED
    assert_released_once(deal, OrderStatus.TIMED_OUT)


@pytest.mark.parametrize("call", [QUERY, CLOSE])
def test_a_cancel_about_which_alipay_is_silent_changes_nothing(deal: Deal, call: str) -> None:
    scan(deal)
    deal.alipay.fault("answer_status", method=call)
    with pytest.raises(AlipaySilent):
        deal.cancel()
    assert deal.order.status is OrderStatus.PENDING
    assert deal.is_kept()
    deal.cancel()
    assert_released_once(deal, OrderStatus.CANCELLED)


def test_a_close_that_worked_and_was_not_heard_is_found_by_the_next_question(deal: Deal) -> None:
    scan(deal)
    deal.alipay.fault("answer_reset", method=CLOSE)  # carried out all the same
    with pytest.raises(AlipaySilent):
        deal.cancel()
    assert deal.alipay.trade(deal.attempt())["status"] == "TRADE_CLOSED"
    deal.cancel()
    assert deal.asked() == ["query", "close", "query"]
    assert_released_once(deal, OrderStatus.CANCELLED)


def test_silence_about_one_order_keeps_no_other_from_ending(deal: Deal) -> None:
    other = Deal(deal.alipay, a_course(10_000))
    deal.alipay.fault("answer_html", method=QUERY, out_trade_no=deal.attempt(), times=None)
    deal.alipay.move_clock(OVER)
    assert orders.expire_due() == {"ended": 1, "left": 1}
    assert [each.order.status for each in (deal, other)] == [OrderStatus.PENDING, OrderStatus.TIMED_OUT]


def test_a_slow_alipay_ends_a_run_and_the_rest_ends_in_the_next(deal: Deal, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        Deal(deal.alipay, a_course(10_000))
    deal.alipay.move_clock(OVER)
    monkeypatch.setattr(batches, "LONGEST_RUN", 1.0)
    deal.alipay.fault("answer_slow", method=QUERY, seconds=0.8, times=None)
    assert orders.expire_due() == {"ended": 2, "left": 0}
    deal.alipay.control("faults", method="DELETE")
    assert orders.expire_due() == {"ended": 2, "left": 0}


# ---------------------------------------------------------------- whose, and how often


def test_an_order_ends_once(deal: Deal) -> None:
    deal.cancel()
    deal.alipay.move_clock(OVER)
    assert orders.expire_due() == NOTHING
    with pytest.raises(NotYourTurn):
        deal.cancel()
    assert_released_once(deal, OrderStatus.CANCELLED)


def test_nobody_cancels_what_is_not_theirs(deal: Deal) -> None:
    for account_id, number in ((a_student().id, deal.number), (deal.student.id, "20260101NOBODY")):
        with pytest.raises(NotFound):
            orders.cancel(account_id, number)
    assert deal.asked() == []
    assert deal.order.status is OrderStatus.PENDING


def test_the_command_does_the_same(app: Flask, deal: Deal) -> None:
    deal.alipay.move_clock(OVER)
    said = app.test_cli_runner().invoke(args=["orders", "expire"])
    assert said.exit_code == 0
    assert "1 ended, 0 left" in said.output
    assert_released_once(deal, OrderStatus.TIMED_OUT)
