"""Asking Alipay when nobody tells: how often, for how long, and about what (design 8, alipay.md 7.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from flask import Flask

from shop import clock
from shop.enums import OrderStatus, PaymentState
from shop.models import EnrolledCourse, Payment
from shop.services import attempts, batches, orders, polling
from tests.audit import assert_audit_clean
from tests.builders import a_course
from tests.cashier.parts import Cashier
from tests.deal import QUERY, Deal
from tests.faults.purchase import count

MINUTE = 60.0


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def deal(alipay: Cashier) -> Deal:
    return Deal(alipay, a_course(10_000))


def go_to(deal: Deal, instant: datetime) -> None:
    deal.alipay.move_clock((instant - clock.now()).total_seconds())


def minutes_of_asks(deal: Deal, job: Callable[[], object], most: int) -> list[int]:
    """When the job asks about the attempt, in minutes after it was made; at most so many times.

    It runs just before each time that was planned, too, and then asks nothing.
    """
    minutes = []
    while len(minutes) < most and (planned := deal.payment_of().next_ask_time):
        go_to(deal, planned - timedelta(seconds=20))
        before = len(deal.asked())
        job()
        assert len(deal.asked()) == before
        go_to(deal, planned)
        job()
        if len(deal.asked()) == before:
            break
        minutes.append(round((planned - deal.payment_of().created_time).total_seconds() / MINUTE))
    return minutes


# ---------------------------------------------------------------- how often, for how long


def test_an_open_attempt_is_asked_about_ever_more_seldom_until_its_deadline(deal: Deal) -> None:
    """At 17 minutes, with the grace, it is the sweep that asks, and ends the order."""
    assert minutes_of_asks(deal, polling.poll_due, 10) == [1, 2, 4, 8, 16]
    assert deal.order.status is OrderStatus.PENDING
    assert orders.expire_due() == {"ended": 1, "left": 0}


def test_the_attempt_of_a_cancelled_order_is_asked_about_until_its_page_is_dead(deal: Deal) -> None:
    deal.cancel()
    assert deal.payment_of().state is PaymentState.CLOSED
    assert minutes_of_asks(deal, polling.poll_due, 10) == [1, 2, 4, 8, 16, 17]
    assert deal.payment_of().next_ask_time is None


def test_after_the_deadline_silence_is_met_with_more_and_more_patience(deal: Deal) -> None:
    deal.cancel()
    deal.alipay.fault("answer_status", method=QUERY, times=None)
    assert minutes_of_asks(deal, polling.poll_due, 14) == [1, 2, 4, 8, 16, 17, 18, 19, 21, 25, 33, 49, 81, 141]
    deal.alipay.control("faults", method="DELETE")
    deal.alipay.move_clock(60 * MINUTE)
    assert polling.poll_due() == {"not exist": 1}
    assert deal.payment_of().next_ask_time is None


@pytest.mark.parametrize("how", ["paid", "wrong", "closed"])
def test_nothing_is_asked_about_what_is_settled(deal: Deal, how: str) -> None:
    if how == "closed":
        deal.alipay.control("login", {"out_trade_no": deal.attempt()})
        deal.cancel()
    else:
        deal.pay(**({"amount": "0.01"} if how == "wrong" else {}))
        deal.hear()
        if how == "wrong":
            deal.cancel()
    asked = len(deal.asked())
    for _ in range(3):
        deal.alipay.move_clock(20 * MINUTE)
        assert polling.poll_due() == {}
    assert len(deal.asked()) == asked


# ---------------------------------------------------------------- what it finds


def each_minute_until_paid(deal: Deal, most: int) -> int:
    """How many minutes of the job runner it takes until the order is paid."""
    for minute in range(1, most + 1):
        deal.alipay.move_clock(MINUTE)
        polling.poll_due()
        orders.expire_due()
        if deal.order.status is OrderStatus.PAID:
            return minute
    raise AssertionError("not found")


@pytest.mark.parametrize("paid_after", [0.5, 3, 7, 14.5])
def test_f42_f43_f44_when_neither_notice_nor_return_comes_the_poller_finds_the_money(
    deal: Deal, paid_after: float
) -> None:
    """F42: all eight notices lost; F43: the browser closed; F44: both. The longest gap is eight minutes."""
    for _ in range(int(paid_after)):
        deal.alipay.move_clock(MINUTE)
        polling.poll_due()
    deal.alipay.move_clock(paid_after % 1 * MINUTE)
    deal.pay()
    assert each_minute_until_paid(deal, 9) <= max(1, min(paid_after, 8)) + 1
    assert count(EnrolledCourse) == 1
    assert all(message["state"] == "lost" for message in deal.alipay.messages(deal.attempt()))


def test_f43_a_buyer_who_closed_the_browser_has_the_course_by_the_notice_alone(deal: Deal) -> None:
    deal.pay()
    deal.alipay.control("messages", {"out_trade_no": deal.attempt()})
    assert deal.order.status is OrderStatus.PAID
    assert count(EnrolledCourse) == 1
    assert deal.asked() == []


def test_a_buyer_who_begins_to_pay_for_a_cancelled_order_is_stopped_at_alipay(deal: Deal) -> None:
    deal.cancel()
    deal.alipay.control("login", {"out_trade_no": deal.attempt()})
    deal.alipay.move_clock(MINUTE)
    assert polling.poll_due() == {"unpaid": 1}
    assert deal.alipay.trade(deal.attempt())["status"] == "TRADE_CLOSED"
    assert deal.payment_of().next_ask_time is None
    assert deal.order.status is OrderStatus.CANCELLED


def test_a_buyer_who_pays_just_before_being_stopped_is_believed(deal: Deal) -> None:
    """Alipay refuses to close what was paid a moment ago; the next question finds it."""
    deal.cancel()
    deal.alipay.control("login", {"out_trade_no": deal.attempt()})
    deal.alipay.fault("answer_business", method="alipay.trade.close", sub_code="ACQ.TRADE_STATUS_ERROR")
    deal.alipay.move_clock(MINUTE)
    assert polling.poll_due() == {"unpaid": 1}
    deal.pay()
    deal.alipay.move_clock(10 * MINUTE)
    assert polling.poll_due() == {"paid": 1}
    assert deal.order.status is OrderStatus.PAID


def test_the_poller_leaves_an_unpaid_trade_of_a_living_order_alone(deal: Deal) -> None:
    deal.alipay.control("login", {"out_trade_no": deal.attempt()})
    deal.alipay.move_clock(MINUTE)
    assert polling.poll_due() == {"unpaid": 1}
    assert deal.alipay.trade(deal.attempt())["status"] == "WAIT_BUYER_PAY"
    assert deal.asked() == ["query"]


# ---------------------------------------------------------------- who asks, and how much at once


def test_silence_about_one_attempt_holds_up_no_other(deal: Deal) -> None:
    other = Deal(deal.alipay, a_course(10_000))
    deal.alipay.fault("answer_reset", method=QUERY, out_trade_no=deal.attempt(), times=None)
    for each in (deal, other):
        each.pay()
    deal.alipay.move_clock(MINUTE)
    assert polling.poll_due() == {"unknown": 1, "paid": 1}
    assert [each.order.status for each in (deal, other)] == [OrderStatus.PENDING, OrderStatus.PAID]


def test_a_slow_alipay_ends_a_run_and_the_rest_is_due_in_the_next(deal: Deal, monkeypatch: pytest.MonkeyPatch) -> None:
    deals = [deal, *(Deal(deal.alipay, a_course(10_000)) for _ in range(3))]
    for each in deals:
        each.pay()
    deal.alipay.move_clock(MINUTE)
    monkeypatch.setattr(batches, "LONGEST_RUN", 1.0)
    deal.alipay.fault("answer_slow", method=QUERY, seconds=0.8, times=None)
    assert polling.poll_due() == {"paid": 2}
    deal.alipay.control("faults", method="DELETE")
    assert polling.poll_due() == {"paid": 2}
    assert count(EnrolledCourse) == 4


def test_of_two_claims_of_one_time_one_is_granted(deal: Deal) -> None:
    attempt = deal.payment_of()
    seen, later = attempt.next_ask_time, clock.now() + timedelta(minutes=5)
    assert seen is not None
    assert [attempts.claim(attempt.id, seen, later) for _ in range(2)] == [True, False]
    assert attempts.claim(attempt.id, later, later + timedelta(minutes=5)) is True


def test_a_crash_after_the_claim_leads_to_another_try_and_not_to_none(deal: Deal) -> None:
    """The claim is committed before the call: what was about to be asked is asked a minute later."""
    deal.pay()
    attempt = deal.payment_of()
    assert attempt.next_ask_time
    go_to(deal, attempt.next_ask_time)
    assert attempts.claim(
        attempt.id,
        attempt.next_ask_time,
        attempts.next_ask(attempt.created_time, attempt.expires_at, clock.now()),
    )
    assert polling.poll_due() == {}
    deal.alipay.move_clock(MINUTE + 1)
    assert polling.poll_due() == {"paid": 1}


def test_an_order_with_nothing_due_has_nothing_to_ask_about(app: Flask) -> None:
    assert (polling.poll_due(), orders.expire_due()) == ({}, {"ended": 0, "left": 0})
    assert count(Payment) == 0
