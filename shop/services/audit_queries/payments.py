"""4 and 5. Paid ⇔ payment, and where every payment's money is (design 11.4-11.6; safety.md O3, O4, G1)."""

from __future__ import annotations

from sqlalchemy import and_, case, func, or_, select

from shop.enums import NoticeVerdict, OrderStatus, PaymentState
from shop.models import Order, Payment, PaymentNotice, Refund
from shop.services.audit_queries.check import (
    DROPPED,
    OF_SURPLUS,
    ONCE_PAID,
    RECEIVED,
    Broken,
    Checks,
    or_zero,
    repeated,
    unless_true,
)

BELIEVED = (NoticeVerdict.APPLIED, NoticeVerdict.REPEATED)

check = checks = Checks()


@check(Order, "a paid order has one applied payment of its amount, or none when nothing was due")
def paid_order_has_its_payment() -> Broken:
    paid = (
        select(Payment.order_id, func.count().label("count"), func.sum(Payment.amount_fen).label("amount_fen"))
        .where(Payment.state == PaymentState.PAID)
        .group_by(Payment.order_id)
        .subquery()
    )
    expected = case((Order.actual_amount_fen > 0, 1), else_=0)
    return (
        select(Order.id)
        .outerjoin(paid, paid.c.order_id == Order.id)
        .where(
            Order.status.in_(ONCE_PAID),
            or_(or_zero(paid.c.count) != expected, or_zero(paid.c.amount_fen) != Order.actual_amount_fen),
        )
    )


@check(Order, "payment_number is the trade that paid it, empty without one")
def payment_number_is_the_trade() -> Broken:
    applied = and_(Payment.order_id == Order.id, Payment.state == PaymentState.PAID)
    return (
        select(Order.id)
        .outerjoin(Payment, applied)
        .where(Order.payment_number.is_distinct_from(Payment.trade_no))
        .distinct()
    )


@check(Payment, "its money is on a paid order, or goes back to the payer")
def received_money_has_a_home() -> Broken:
    """Group 6, payment by payment: with what is refunded of each, the shop's sum follows."""
    is_returned = and_(Refund.payment_id == Payment.id, Refund.cause.in_(OF_SURPLUS), Refund.state.not_in(DROPPED))
    surplus = Payment.state == PaymentState.SURPLUS
    return (
        select(Payment.id)
        .join(Payment.order)
        .outerjoin(Refund, and_(surplus, is_returned))
        .where(
            or_(
                and_(Payment.state == PaymentState.PAID, Order.status.not_in(ONCE_PAID)),
                and_(surplus, Refund.id.is_(None)),
            )
        )
    )


@check(Payment, "has trade_no and paid_time if and only if its money was received")
def received_payment_has_its_trade() -> Broken:
    is_received = Payment.state.in_(RECEIVED)
    return select(Payment.id).where(
        or_(is_received != Payment.trade_no.is_not(None), is_received != Payment.paid_time.is_not(None))
    )


@check(Payment, "one trade pays one attempt")
def trade_pays_one_attempt() -> Broken:
    return repeated(Payment.id, Payment.trade_no, where=Payment.trade_no.is_not(None))


@check(Payment, "an attempt asks for what its order costs")
def attempt_asks_for_the_due() -> Broken:
    # an applied one of another amount is found by paid_order_has_its_payment
    return (
        select(Payment.id)
        .join(Payment.order)
        .where(Payment.state != PaymentState.PAID, Payment.amount_fen != Order.actual_amount_fen)
    )


@check(PaymentNotice, "a notice that was believed is found in its payment: received, by the same trade")
def believed_notice_is_in_its_payment() -> Broken:
    notice = PaymentNotice
    is_applied = and_(Payment.state.in_(RECEIVED), Payment.trade_no == notice.trade_no)
    return (
        select(notice.id)
        .outerjoin(Payment, Payment.id == notice.payment_id)
        .where(notice.verdict.in_(BELIEVED), unless_true(is_applied))
    )


@check(Payment, "an open attempt belongs to an unpaid order")
def open_attempt_is_of_unpaid_order() -> Broken:
    return (
        select(Payment.id)
        .join(Payment.order)
        .where(Payment.state == PaymentState.OPEN, Order.status != OrderStatus.PENDING)
    )


@check(Payment, "Alipay will be asked about every open attempt")
def open_attempt_will_be_asked_about() -> Broken:
    return select(Payment.id).where(Payment.state == PaymentState.OPEN, Payment.next_ask_time.is_(None))


@check(Order, "an unpaid order has something due and one open attempt at it")
def unpaid_order_can_be_paid() -> Broken:
    attempts = and_(Payment.order_id == Order.id, Payment.state == PaymentState.OPEN)
    return (
        select(Order.id)
        .outerjoin(Payment, attempts)
        .where(Order.status == OrderStatus.PENDING)
        .group_by(Order.id)
        .having(or_(Order.actual_amount_fen == 0, func.count(Payment.id) != 1))
    )
