"""Notices early, many at once, out of order, twice paid, and at the second in which an order ends (safety.md 3.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import NoticeVerdict, OrderStatus, PaymentMethod, PaymentState, RefundCause, RefundState, TroubleKind
from shop.errors import NotYourTurn
from shop.extensions import db
from shop.models import EnrolledCourse, Payment, PaymentNotice, Refund, Trouble
from shop.services import attempts, checkout, orders, payment, polling, refunds, troubles
from shop.services.payment import Answer, Ruling
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.deal import OVER, QUERY, Deal
from tests.faults.barrier import barrier, until_waiting
from tests.faults.crowd import Crowd
from tests.faults.purchase import count, notice_of, place, settlements, the_order
from tests.faults.test_races import hear
from tests.purchases import off_sale
from tests.refunding import by_hand, calls

EACH = 8


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def deal(alipay: Cashier) -> Deal:
    return Deal(alipay, a_course(10_000))


def verdicts() -> Counter[NoticeVerdict]:
    db.session.rollback()
    return Counter(db.session.scalars(select(PaymentNotice.verdict)))


def state_of(deal: Deal, number: int = 1) -> PaymentState:
    return deal.payment_of(number).state


# ---------------------------------------------------------------- early


NUMBER = "20261123EARLYEARLY22"


def _pay_before_it_exists(alipay: Cashier) -> dict[str, str]:
    """A page that the shop has signed and whose order is not committed, paid; the notice about it."""
    asked = attempts.alipay().biz_content(
        PaymentMethod.PAGE,
        out_trade_no=f"{NUMBER}01",
        amount="100.00",
        subject=f"路飞学城订单 {NUMBER}",
        expires_at=clock.now() + timedelta(minutes=15),
    )
    alipay.fault("notify_lost", times=None)
    fetch(attempts.alipay().pay_url(PaymentMethod.PAGE, asked))
    alipay.pay(f"{NUMBER}01")
    return notice_of(alipay, f"{NUMBER}01")


def test_f45_a_notice_before_our_own_commit_is_not_acknowledged_and_its_repeat_pays(
    app: Flask, alipay: Cashier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL it comes while the order's last row is being written, on SQLite just before."""
    student_id, [settlement] = a_student().id, settlements([a_course().id])
    monkeypatch.setattr(checkout, "new_number", lambda now: NUMBER)
    notice = _pay_before_it_exists(alipay)
    db.session.remove()

    def order() -> str:
        with app.app_context():
            return place(student_id, settlement, 10_000)

    with ThreadPoolExecutor(1) as thread:
        if db.engine.dialect.name == "postgresql":
            with barrier("payment"):
                placed = thread.submit(order)
                until_waiting(1)
                early = receive(notice)
        else:
            early = receive(notice)
            placed = thread.submit(order)
        assert placed.result() == NUMBER
    assert (early, receive(notice), receive(notice)) == (
        NoticeVerdict.REFUSED,
        NoticeVerdict.APPLIED,
        NoticeVerdict.REPEATED,
    )
    assert the_order(NUMBER).status is OrderStatus.PAID
    assert count(EnrolledCourse) == 1
    assert troubles.close_found() == {"closed": 1}
    assert count(Trouble, Trouble.resolved_time.is_(None)) == 0


def receive(notice: dict[str, str]) -> NoticeVerdict:
    return payment.receive(attempts.alipay().read_notice(notice)).verdict


def test_f45_a_notice_before_the_browser_has_the_redirect_pays(app: Flask, alipay: Cashier) -> None:
    """The attempt is committed before the buyer is sent away, so nothing waits for the browser."""
    student_id, [settlement] = a_student().id, settlements([a_course().id])
    alipay.fault("notify_lost", times=None)
    placed = checkout.place_order(student_id, settlement, money_fen=10_000, beli=0, method=PaymentMethod.PAGE)
    assert placed.asked
    fetch(attempts.url_of(placed.asked))
    alipay.pay(f"{placed.order_number}01")
    assert receive(notice_of(alipay, f"{placed.order_number}01")) is NoticeVerdict.APPLIED
    assert attempts.pay_url(placed.order_number) is None  # the redirect that comes now leads to the paid order


# ---------------------------------------------------------------- many at once


def find_out(how: str, out_trade_no: str, notice: dict[str, str]) -> None:
    """The three ways by which the shop may hear of one payment."""
    match how:
        case "notice":
            hear(notice)
        case "return":
            assert payment.ask(out_trade_no) is Answer.PAID
        case "poll":
            polling.poll_due()


@pytest.mark.parametrize("table", ["payment", "orders", "enrolled_course"])
def test_f46_notices_returns_and_pollers_at_once_pay_once(deal: Deal, crowd: Crowd, table: str) -> None:
    """P18: eight of each; all notices are acknowledged."""
    deal.pay()
    notice = notice_of(deal.alipay, deal.attempt())
    deal.alipay.move_clock(61)
    db.session.remove()
    calls = [(how, deal.attempt(), notice) for how in ("notice", "return", "poll") for _ in range(EACH)]
    assert crowd.outcomes(table, find_out, calls, waiting=EACH) == {"done": 3 * EACH}
    assert deal.order.status is OrderStatus.PAID
    assert count(EnrolledCourse) == 1
    assert verdicts().total() == EACH
    assert verdicts()[NoticeVerdict.APPLIED] + verdicts()[NoticeVerdict.REPEATED] == EACH
    assert verdicts()[NoticeVerdict.APPLIED] <= 1
    assert deal.is_kept()


def test_f46_eight_copies_one_after_the_other_pay_once(deal: Deal) -> None:
    deal.pay()
    assert [deal.hear().verdict for _ in range(8)] == [NoticeVerdict.APPLIED, *[NoticeVerdict.REPEATED] * 7]
    assert count(EnrolledCourse) == 1


@pytest.mark.parametrize("table", ["payment", "orders"])
def test_f48_of_many_late_notices_at_once_one_revives_the_order(deal: Deal, crowd: Crowd, table: str) -> None:
    """Coupon and 贝里 are taken once more, not as often as the notice came."""
    deal.cancel()
    deal.pay()
    notice = notice_of(deal.alipay, deal.attempt())
    db.session.remove()
    assert crowd.outcomes(table, hear, [(notice,)] * EACH, waiting=1) == {"done": EACH}
    assert deal.order.status is OrderStatus.PAID
    assert deal.is_kept()
    assert verdicts() == {NoticeVerdict.APPLIED: 1, NoticeVerdict.REPEATED: EACH - 1}


def test_f49_of_many_late_notices_at_once_one_sends_the_money_back(deal: Deal, crowd: Crowd) -> None:
    deal.cancel()
    off_sale(deal.product)
    deal.pay()
    notice = notice_of(deal.alipay, deal.attempt())
    db.session.remove()
    assert crowd.outcomes("refund", hear, [(notice,)] * EACH, waiting=1) == {"done": EACH}
    assert count(Refund) == 1
    assert refunds.send_due()["done"] == 1
    assert deal.refunded_at_alipay() == "70.00"


@pytest.mark.parametrize("table", ["payment", "orders"])
def test_f50_notices_of_two_attempts_at_once_apply_one_and_return_one(deal: Deal, crowd: Crowd, table: str) -> None:
    deal.replace()
    for number in (1, 2):
        deal.pay(number)
    notices = [notice_of(deal.alipay, deal.attempt(number)) for number in (1, 2)]
    db.session.remove()
    assert crowd.outcomes(table, hear, [(notice,) for notice in notices * 4], waiting=1) == {"done": 8}
    assert verdicts() == {NoticeVerdict.APPLIED: 2, NoticeVerdict.REPEATED: 6}
    assert sorted([state_of(deal, 1), state_of(deal, 2)]) == [PaymentState.PAID, PaymentState.SURPLUS]
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.cause, refund.amount_fen) == (RefundCause.DOUBLE, 7_000)
    assert refunds.send_due()["done"] == 1
    assert count(EnrolledCourse) == 1


# ---------------------------------------------------------------- out of order


@pytest.mark.parametrize("found_by", ["poller", "notice"])
def test_f47_a_refund_notice_that_overtakes_the_payments_is_remembered(deal: Deal, found_by: str) -> None:
    """Refunded in part by hand at Alipay, before the shop has heard that anything was paid. It is told of once."""
    deal.pay()
    assert by_hand(deal.alipay, deal.number, "10.00", "BYHAND")["code"] == "10000"
    assert hear_of_refund(deal, "10.00").verdict is NoticeVerdict.IGNORED
    assert deal.order.status is OrderStatus.PENDING
    if found_by == "poller":
        assert polling.poll_due() == {"paid": 1}
    assert deal.hear().verdict is (NoticeVerdict.REPEATED if found_by == "poller" else NoticeVerdict.APPLIED)
    assert deal.order.status is OrderStatus.PAID
    assert_recorded_not_sent(deal, 1_000)


@pytest.mark.parametrize("is_over", [False, True], ids=["unpaid order", "ended order"])
def test_f47_an_old_notice_of_a_payment_that_has_gone_back_whole_does_not_hide_that(deal: Deal, is_over: bool) -> None:
    """Alipay says TRADE_CLOSED by now; the payment's own notice comes last. The desk sees what went back."""
    deal.pay()
    assert by_hand(deal.alipay, deal.number, "70.00", "BYHAND")["code"] == "10000"
    hear_of_refund(deal, "70.00", trade_status="TRADE_CLOSED")
    assert polling.poll_due() == {"closed": 1}
    if is_over:
        deal.alipay.move_clock(OVER)
        assert orders.expire_due() == {"ended": 1, "left": 0}
    deal.hear(trade_status="TRADE_SUCCESS")
    assert_recorded_not_sent(deal, 7_000)


def hear_of_refund(deal: Deal, cumulative: str, **changes: str) -> Ruling:
    told = {"gmt_refund": "2026-11-23 18:00:00.123", "refund_fee": cumulative, "out_biz_no": "BYHAND"}
    return deal.hear(**told, **changes)


def assert_recorded_not_sent(deal: Deal, amount_fen: int) -> None:
    assert refunds.send_due()["done"] == 1
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.cause, refund.amount_fen, refund.state) == (RefundCause.GATEWAY, amount_fen, RefundState.DONE)
    assert db.session.scalars(select(Trouble.kind)).all() == [TroubleKind.FOREIGN_REFUND]
    assert calls(deal.alipay) == ["refund", "query"]  # the refund is the one by hand


@pytest.mark.parametrize("status", ["WAIT_BUYER_PAY", "TRADE_CLOSED"])
def test_f47_an_old_message_takes_nothing_back(deal: Deal, status: str) -> None:
    deal.pay()
    deal.hear()
    assert deal.hear(trade_status=status).verdict is NoticeVerdict.IGNORED
    assert deal.order.status is OrderStatus.PAID
    assert count(EnrolledCourse, EnrolledCourse.closed_time.is_(None)) == 1


# ---------------------------------------------------------------- in the same second


@pytest.mark.parametrize("is_sold", [True, False], ids=["on sale", "off sale"])
@pytest.mark.parametrize("first", ["notice", "end"])
@pytest.mark.parametrize(("end", "table"), [("cancel", "orders"), ("cancel", "payment"), ("expire", "orders")])
def test_f51_money_and_the_end_of_the_order_in_the_same_second(
    app: Flask, deal: Deal, end: str, table: str, first: str, is_sold: bool
) -> None:
    """F51, F63: Alipay has just said that nobody pays; then somebody does. Both have asked before either writes.

    Whoever comes first, the order is paid, or ended and the money sent back: never ended and kept. SQLite does not
    let the test choose the first.
    """
    deal.pay()
    notice = notice_of(deal.alipay, deal.attempt())
    if not is_sold:
        off_sale(deal.product)
    deal.alipay.fault("answer_business", method=QUERY)  # TRADE_NOT_EXIST, a moment ago
    if end == "expire":
        deal.alipay.move_clock(OVER)
    student_id = deal.student.id
    db.session.remove()

    def do(what: str) -> str:
        with app.app_context():
            if what == "notice":
                return payment.receive(attempts.alipay().read_notice(notice)).reason
            if end == "expire":
                return "ended" if orders.expire_due()["ended"] else "too late"
            try:
                orders.cancel(student_id, deal.number)
            except NotYourTurn:
                return "too late"
            return "ended"

    second = "end" if first == "notice" else "notice"
    with ThreadPoolExecutor(2) as threads:
        if end == "expire" and first == "end" and db.engine.dialect.name != "postgresql":
            said = {what: do(what) for what in (first, second)}  # its claim is a write, and would wait too
        else:
            with barrier(table):
                sent = {first: threads.submit(do, first)}
                until_waiting(1)
                sent[second] = threads.submit(do, second)
                until_waiting(2)
            said = {what: each.result() for what, each in sent.items()}
    if db.engine.dialect.name == "postgresql":
        assert said["end"] == ("ended" if first == "end" else "too late")
    if said["end"] == "too late":
        assert said["notice"] == "paid"
    elif is_sold:
        assert said["notice"] == "paid late"
    else:
        assert said["notice"].startswith("goes back")
    is_paid = said["end"] == "too late" or is_sold
    assert (deal.order.status is OrderStatus.PAID) is is_paid
    assert state_of(deal) is (PaymentState.PAID if is_paid else PaymentState.SURPLUS)
    assert deal.is_kept() is is_paid
    assert count(EnrolledCourse) == int(is_paid)
    assert count(Refund) == int(not is_paid)
    if not is_paid:
        assert refunds.send_due()["done"] == 1
        assert deal.refunded_at_alipay() == "70.00"
    assert count(Payment) == 1


def test_two_sweeps_at_once_ask_once_about_each_order(alipay: Cashier, crowd: Crowd) -> None:
    """P16: both have read what is due before either has claimed any of it."""
    deals = [Deal(alipay, a_course(10_000)) for _ in range(3)]
    alipay.move_clock(OVER)
    db.session.remove()
    assert crowd.outcomes("payment", sweep, [(), ()], waiting=2) == {"done": 2}
    for deal in deals:
        assert deal.order.status is OrderStatus.TIMED_OUT
        assert not deal.is_kept()
        assert deal.asked() == ["query"]


def sweep() -> None:
    orders.expire_due()
