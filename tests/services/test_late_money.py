"""Money that comes too late, twice, or wrong: it revives its order or goes back, and is never kept (design 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import (
    CouponStatus,
    NoticeVerdict,
    OrderStatus,
    PaymentState,
    RefundCause,
    RefundState,
    TransactionType,
    TroubleKind,
)
from shop.extensions import db
from shop.models import (
    Coupon,
    CouponRecord,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Notification,
    Payment,
    PaymentNotice,
    Refund,
    TransactionRecord,
    Trouble,
)
from shop.services import attempts, orders, payment, polling, refunds
from shop.services.payment import Answer
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_degree, a_student
from tests.cashier.parts import Cashier, fetch
from tests.deal import BELI, DUE, Deal
from tests.faults.purchase import balance_of, count
from tests.purchases import off_sale
from tests.refunding import bought, placed


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def deal(alipay: Cashier) -> Deal:
    return Deal(alipay, a_course(10_000))


def the_refund(deal: Deal) -> Refund:
    db.session.rollback()
    return db.session.scalars(select(Refund).where(Refund.order_id == deal.order.id)).one()


def assert_sent_back(deal: Deal, cause: RefundCause, number: int = 1) -> None:
    """The whole payment is on its way by itself, and is back when the job has run, once."""
    refund = the_refund(deal)
    assert (refund.cause, refund.amount_fen, refund.state) == (cause, DUE, RefundState.APPROVED)
    assert refund.out_request_no == f"R{deal.attempt(number)}{cause.name}"
    assert refunds.send_due()["done"] == 1
    deal.alipay.move_clock(3_600)
    assert sum(refunds.send_due().values()) == 0
    assert the_refund(deal).state is RefundState.DONE
    assert deal.refunded_at_alipay(number) == "70.00"


# ---------------------------------------------------------------- the order lives again


@pytest.mark.parametrize("end", ["cancel", "time_out"])
def test_late_money_revives_the_order_once_with_all_that_it_held(deal: Deal, end: str) -> None:
    """F48."""
    if end == "time_out":
        deal.pay()
    getattr(deal, end)()
    assert balance_of(deal.student.id) == BELI
    if end == "cancel":
        deal.pay()
    rulings = [deal.hear() for _ in range(3)]
    assert [ruling.verdict for ruling in rulings] == [NoticeVerdict.APPLIED, *[NoticeVerdict.REPEATED] * 2]
    assert rulings[0].reason == "paid late"
    order = deal.order
    assert (order.status, order.actual_amount_fen) == (OrderStatus.PAID, DUE)
    assert order.payment_number == deal.payment_of().trade_no
    assert deal.payment_of().state is PaymentState.PAID
    record = db.session.get_one(CouponRecord, deal.record.id)
    assert (record.status, record.order_id) == (CouponStatus.USED, order.id)
    assert balance_of(deal.student.id) == 0
    assert count(EnrolledCourse) == 1
    assert count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.EXPENSE) == 2
    assert count(Refund) == 0


def test_late_money_revives_a_degree_too(alipay: Cashier) -> None:
    deal = Deal(alipay, a_degree(10_000))
    deal.cancel()
    deal.pay()
    assert deal.hear().reason == "paid late"
    assert count(EnrolledDegreeCourse) == 1


def test_the_poller_hears_late_money_of_a_cancelled_order(deal: Deal) -> None:
    """P18: the way by which it is heard of makes no difference."""
    deal.cancel()
    deal.pay()
    deal.alipay.move_clock(61)
    assert polling.poll_due() == {"paid": 1}
    assert deal.order.status is OrderStatus.PAID


def test_the_buyer_who_returns_finds_the_cancelled_order_paid(app: Flask, deal: Deal) -> None:
    """They paid on a page that was still open, and should not have to wait for the poller to be believed."""
    deal.cancel()
    back = deal.alipay.pay(deal.attempt())["return_url"]
    assert app.test_client().get(back[back.index("/alipay/") :]).status_code == 200
    assert deal.order.status is OrderStatus.PAID


# ---------------------------------------------------------------- it does not


def _coupon_used_elsewhere(deal: Deal) -> None:
    placed(deal.student, [a_course(10_000)], site_coupon=deal.record.id)


def _coupon_expired(deal: Deal) -> None:
    record = db.session.get_one(CouponRecord, deal.record.id)
    record.valid_until = clock.now() - timedelta(seconds=1)
    db.session.commit()


def _coupon_stopped(deal: Deal) -> None:
    coupon = db.session.get_one(Coupon, deal.record.coupon_id)
    coupon.enabled = False
    db.session.commit()


def _beli_spent(deal: Deal) -> None:
    placed(deal.student, [a_course(10_000)], beli=1)


def _price(change_fen: int) -> Callable[[Deal], None]:
    def change(deal: Deal) -> None:
        deal.product.policies[0].price_fen += change_fen
        db.session.commit()

    return change


def _plan_gone(deal: Deal) -> None:
    db.session.delete(deal.product.policies[0])
    db.session.commit()


def _plan_longer(deal: Deal) -> None:
    deal.product.policies[0].valid_period = 60
    db.session.commit()


def _off_sale(deal: Deal) -> None:
    off_sale(deal.product)


def _bought_again(deal: Deal) -> None:
    bought(deal.alipay, deal.student, [deal.product])


def _ordered_again(deal: Deal) -> None:
    placed(deal.student, [deal.product])


OBSTACLES: dict[str, tuple[Callable[[Deal], None], str]] = {
    "coupon used elsewhere": (_coupon_used_elsewhere, "全站优惠券"),
    "coupon expired": (_coupon_expired, "全站优惠券"),
    "coupon stopped by staff": (_coupon_stopped, "全站优惠券"),
    "beli spent": (_beli_spent, "贝里余额不足"),
    "dearer": (_price(100), "价格有变化"),
    "cheaper": (_price(-100), "价格有变化"),
    "plan gone": (_plan_gone, "价格方案已经不存在"),
    "plan longer": (_plan_longer, "价格方案有变化"),
    "off sale": (_off_sale, "已经下架"),
    "bought again": (_bought_again, "同一课程后来又买过"),
    "another unpaid order": (_ordered_again, "已有一张待支付的订单"),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_late_money_goes_back_when_the_order_cannot_be_had_as_it_was(deal: Deal, name: str) -> None:
    """F49, F61: whole, by itself, with its reason; and what stands in the way is left as it is."""
    stand_in_the_way, reason = OBSTACLES[name]
    deal.cancel()
    stand_in_the_way(deal)
    before = (balance_of(deal.student.id), count(EnrolledCourse), count(TransactionRecord), holders(deal))
    deal.pay()
    assert deal.hear().reason.startswith("goes back")
    assert [deal.hear().verdict for _ in range(2)] == [NoticeVerdict.REPEATED] * 2
    assert deal.order.status is OrderStatus.CANCELLED
    assert deal.payment_of().state is PaymentState.SURPLUS
    assert reason in the_refund(deal).reason
    assert (balance_of(deal.student.id), count(EnrolledCourse), count(TransactionRecord), holders(deal)) == before
    assert_sent_back(deal, RefundCause.LATE)
    assert deal.order.status is OrderStatus.CANCELLED
    told = db.session.scalars(select(Notification).where(Notification.account_id == deal.student.id)).all()
    assert len([each for each in told if "70.00" in str(each.facts) and deal.number in str(each.facts)]) >= 1


def holders(deal: Deal) -> list[tuple[CouponStatus, int | None]]:
    """Who has the coupon, and as what."""
    db.session.rollback()
    rows = db.session.execute(
        select(CouponRecord.status, CouponRecord.order_id).where(CouponRecord.id == deal.record.id)
    )
    return [(status, order_id) for status, order_id in rows]


def test_late_money_for_a_degree_that_one_has_by_now_goes_back(alipay: Cashier) -> None:
    """F49."""
    deal = Deal(alipay, a_degree(10_000))
    deal.cancel()
    bought(alipay, deal.student, [deal.product])
    deal.pay()
    deal.hear()
    assert "已经报名" in the_refund(deal).reason
    assert_sent_back(deal, RefundCause.LATE)
    assert count(EnrolledDegreeCourse) == 1


def test_late_money_delivers_all_of_a_cart_or_nothing(alipay: Cashier) -> None:
    alipay.fault("notify_lost", times=None)
    student, kept, gone = a_student(), a_course(3_000), a_course(4_000)
    number = placed(student, [kept, gone])
    fetch(attempts.pay_url(number) or "")
    orders.cancel(student.id, number)
    off_sale(gone)
    alipay.pay(f"{number}01")
    assert payment.ask(f"{number}01") is Answer.PAID
    assert count(EnrolledCourse) == 0
    assert refunds.send_due()["done"] == 1
    assert alipay.trade(f"{number}01")["refunded_amount"] == "70.00"


def test_another_course_bought_meanwhile_is_no_obstacle(deal: Deal) -> None:
    deal.cancel()
    bought(deal.alipay, deal.student, [a_course(10_000)])
    deal.pay()
    assert deal.hear().reason == "paid late"
    assert count(EnrolledCourse) == 2


def test_what_was_in_the_way_and_is_gone_again_is_no_obstacle(deal: Deal) -> None:
    deal.cancel()
    other = placed(deal.student, [deal.product], site_coupon=deal.record.id, beli=BELI)
    orders.cancel(deal.student.id, other)
    deal.pay()
    assert deal.hear().reason == "paid late"
    assert holders(deal) == [(CouponStatus.USED, deal.order.id)]


# ---------------------------------------------------------------- twice


def test_of_two_paid_attempts_one_is_applied_and_one_goes_back(deal: Deal) -> None:
    """F50: Alipay had called the first closed, and is paid on both."""
    deal.replace()
    deal.pay(2)
    deal.pay(1)
    assert deal.hear(2).reason == "paid"
    assert deal.hear(1).reason.startswith("goes back")
    assert [deal.payment_of(n).state for n in (1, 2)] == [PaymentState.SURPLUS, PaymentState.PAID]
    assert deal.order.status is OrderStatus.PAID
    assert_sent_back(deal, RefundCause.DOUBLE, 1)
    assert deal.refunded_at_alipay(2) == "0.00"
    assert count(EnrolledCourse) == 1


def test_a_follower_that_is_paid_after_its_order_is_found_and_goes_back(deal: Deal) -> None:
    """F50, the other way round: the first one's money is heard of while the second page is open."""
    deal.replace()
    deal.pay(1)
    assert deal.hear(1).reason == "paid"
    assert deal.payment_of(2).state is PaymentState.CLOSED
    deal.pay(2)
    deal.alipay.move_clock(61)
    assert polling.poll_due() == {"paid": 1}
    assert deal.payment_of(2).state is PaymentState.SURPLUS
    assert_sent_back(deal, RefundCause.DOUBLE, 2)
    assert deal.order.status is OrderStatus.PAID


def test_a_follower_that_was_only_scanned_is_closed_at_alipay(deal: Deal) -> None:
    deal.replace()
    deal.pay(1)
    deal.hear(1)
    deal.alipay.control("login", {"out_trade_no": deal.attempt(2)})
    deal.alipay.move_clock(61)
    assert polling.poll_due() == {"unpaid": 1}
    assert deal.alipay.trade(deal.attempt(2))["status"] == "TRADE_CLOSED"
    assert deal.payment_of(2).next_ask_time is None


def test_pay_again_after_alipay_has_closed_the_trade_is_a_new_attempt(deal: Deal) -> None:
    """The frozen content of the first would meet Alipay's error page (alipay.md 1.3)."""
    deal.alipay.control("login", {"out_trade_no": deal.attempt(1)})
    deal.alipay.sdk.api_alipay_trade_close(out_trade_no=deal.attempt(1))
    url = orders.pay_again(deal.student.id, deal.number)
    assert url and deal.attempt(2) in url
    assert orders.pay_again(deal.student.id, deal.number).count(deal.attempt(2)) == 1  # type: ignore[union-attr]
    assert [deal.payment_of(n).state for n in (1, 2)] == [PaymentState.CLOSED, PaymentState.OPEN]
    fetch(url)
    deal.pay(2)
    assert deal.hear(2).reason == "paid"
    assert count(EnrolledCourse) == 1


def test_pay_again_while_the_attempt_waits_or_alipay_is_silent_is_the_same_attempt(deal: Deal) -> None:
    content = deal.payment_of().biz_content
    deal.alipay.control("login", {"out_trade_no": deal.attempt(1)})
    for fault in ("", "answer_status"):
        if fault:
            deal.alipay.fault(fault, method="alipay.trade.query")
        url = orders.pay_again(deal.student.id, deal.number)
        assert url and deal.attempt(1) in url
    assert count(Payment) == 1
    assert deal.payment_of().biz_content == content


def test_pay_again_when_it_is_paid_leads_to_the_order(deal: Deal) -> None:
    """F60."""
    deal.pay()
    assert orders.pay_again(deal.student.id, deal.number) is None
    assert deal.order.status is OrderStatus.PAID


# ---------------------------------------------------------------- wrong


def test_a_trade_over_a_cent_less_is_never_delivered_and_its_order_ends(deal: Deal) -> None:
    """Alipay's trades are exact: another amount is a bug or an attack (alipay.md 7.6)."""
    deal.alipay.fault("pay_cent_less")
    deal.pay()
    assert [deal.hear().verdict for _ in range(2)] == [NoticeVerdict.REFUSED] * 2
    assert [payment.ask(deal.attempt()) for _ in range(2)] == [Answer.MISFIT] * 2
    trouble = db.session.scalars(select(Trouble)).one()
    assert (trouble.kind, trouble.amount_fen, trouble.payment_id) == (
        TroubleKind.WRONG_AMOUNT,
        DUE - 1,
        deal.payment_of().id,
    )
    deal.cancel()
    assert deal.order.status is OrderStatus.CANCELLED
    assert balance_of(deal.student.id) == BELI
    assert holders(deal) == [(CouponStatus.UNUSED, None)]
    assert (count(EnrolledCourse), count(Refund)) == (0, 0)
    assert [deal.hear().verdict for _ in range(2)] == [NoticeVerdict.REFUSED] * 2
    assert count(Trouble) == 1


def test_a_notice_that_lies_about_the_amount_does_not_keep_the_real_payment_out(deal: Deal) -> None:
    deal.pay()
    assert deal.hear(total_amount="69.99").verdict is NoticeVerdict.REFUSED
    assert deal.order.status is OrderStatus.PENDING
    assert payment.ask(deal.attempt()) is Answer.PAID
    assert deal.order.status is OrderStatus.PAID
    assert count(Trouble) == 1


def test_a_trade_of_nobody_is_a_trouble_once_however_often_it_is_told(deal: Deal) -> None:
    deal.pay()
    for _ in range(3):
        assert deal.hear(out_trade_no="NOBODY01").reason == "unknown out_trade_no"
    trouble = db.session.scalars(select(Trouble)).one()
    assert (trouble.kind, trouble.out_trade_no, trouble.amount_fen, trouble.payment_id) == (
        TroubleKind.UNKNOWN_TRADE,
        "NOBODY01",
        DUE,
        None,
    )
    assert count(PaymentNotice) == 3


def test_another_trade_for_a_paid_attempt_is_a_trouble_once(deal: Deal) -> None:
    deal.pay()
    deal.hear()
    for _ in range(3):
        assert deal.hear(trade_no="2026112322001999").reason == "another trade has paid this attempt"
    trouble = db.session.scalars(select(Trouble)).one()
    assert (trouble.kind, trouble.trade_no) == (TroubleKind.SECOND_TRADE, "2026112322001999")
    assert deal.order.payment_number != trouble.trade_no
    assert count(EnrolledCourse) == 1


@pytest.mark.parametrize(
    "changes", [{"trade_status": "WAIT_BUYER_PAY"}, {"trade_status": "TRADE_CLOSED"}, {"refund_fee": "70.00"}]
)
def test_what_moved_no_money_to_us_is_no_trouble(deal: Deal, changes: dict[str, str]) -> None:
    deal.pay()
    deal.hear(out_trade_no="NOBODY01", **changes)
    assert count(Trouble) == 0
