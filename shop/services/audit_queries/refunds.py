"""6. Money back: never more than came in, nor than a line cost, and all that hangs on it (safety.md R1-R3)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from shop.enums import OrderStatus, PaymentState, RefundCause, RefundState
from shop.models import Order, OrderDetail, Payment, Refund, RefundDetail, Trouble
from shop.services.audit_queries.check import (
    DROPPED,
    OF_LINES,
    OF_SURPLUS,
    ONCE_PAID,
    RECEIVED,
    Broken,
    Checks,
    or_zero,
    refunded_lines,
    repeated,
    unless_true,
)

MOVING = (RefundState.APPROVED, RefundState.IN_TRANSIT)
RUNNING = (RefundState.REQUESTED, *MOVING, RefundState.FAILED)  # a failed one may be sent again

check = checks = Checks()


@check(Payment, "what is or will be refunded of a payment was received by it")
def refunds_are_within_payment() -> Broken:
    received = case((Payment.state.in_(RECEIVED), Payment.amount_fen), else_=0)
    return (
        select(Payment.id)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Refund.trouble_id.is_(None))
        .group_by(Payment.id)
        .having(_is_beyond(received))
    )


@check(Trouble, "what is or will be refunded of money without an order is what came")
def refunds_are_within_trouble() -> Broken:
    return (
        select(Trouble.id)
        .join(Refund, Refund.trouble_id == Trouble.id)
        .group_by(Trouble.id)
        .having(_is_beyond(Trouble.amount_fen))
    )


def _is_beyond(received_fen: Any) -> ColumnElement[bool]:
    """More has gone back than came, or we mean to send more. Both apart: what people do at Alipay is not our plan."""
    gone = func.sum(case((Refund.state == RefundState.DONE, Refund.amount_fen), else_=0))
    is_ours = and_(Refund.cause != RefundCause.GATEWAY, Refund.state.not_in((RefundState.FAILED, *DROPPED)))
    meant = func.sum(case((is_ours, Refund.amount_fen), else_=0))
    return or_(gone > received_fen, meant > received_fen)


@check(OrderDetail, "a line is refunded once, and never by more than it cost in cash and in 贝里")
def refunds_are_within_line() -> Broken:
    line, part = OrderDetail, RefundDetail
    back = (
        select(
            part.order_detail_id,
            func.count().label("times"),
            func.sum(part.amount_fen).label("amount_fen"),
            func.sum(part.beli).label("beli"),
        )
        .join(Refund, Refund.id == part.refund_id)
        .where(Refund.state.not_in(DROPPED))
        .group_by(part.order_detail_id)
        .subquery()
    )
    return (
        select(line.id)
        .join(back, back.c.order_detail_id == line.id)
        .where(or_(back.c.times > 1, back.c.amount_fen > line.actual_amount_fen, back.c.beli > line.beli))
    )


@check(Refund, "of lines: the whole shares of its lines; of anything else: cash without lines and without 贝里")
def refund_is_sum_of_its_lines() -> Broken:
    part, line = RefundDetail, OrderDetail
    is_share = and_(part.amount_fen == line.actual_amount_fen, part.beli == line.beli)
    sums = (
        select(
            part.refund_id,
            func.sum(part.amount_fen).label("amount_fen"),
            func.sum(part.beli).label("beli"),
            func.sum(case((is_share, 0), else_=1)).label("others"),
        )
        .outerjoin(line, line.id == part.order_detail_id)
        .group_by(part.refund_id)
        .subquery()
    )
    is_sum = and_(sums.c.amount_fen == Refund.amount_fen, sums.c.beli == Refund.beli, sums.c.others == 0)
    of_lines = Refund.cause.in_(OF_LINES)
    return (
        select(Refund.id)
        .outerjoin(sums, sums.c.refund_id == Refund.id)
        .where(
            or_(
                and_(of_lines, unless_true(is_sum)),
                and_(~of_lines, or_(sums.c.refund_id.is_not(None), Refund.beli > 0)),
            )
        )
    )


@check(Refund, "is of money of its kind: of the paid order, of a whole surplus payment, or of money without an order")
def refund_fits_its_cause() -> Broken:
    whole_surplus = and_(Payment.state == PaymentState.SURPLUS, Payment.amount_fen == Refund.amount_fen)
    return (
        select(Refund.id)
        .outerjoin(Payment, Payment.id == Refund.payment_id)
        .where(
            or_(
                and_(Refund.cause.in_(OF_LINES), Payment.state != PaymentState.PAID),
                and_(Refund.cause.in_(OF_SURPLUS), unless_true(whole_surplus)),
                (Refund.cause == RefundCause.WRONG_AMOUNT) != Refund.trouble_id.is_not(None),
            )
        )
    )


@check(Refund, "has a number; payment and lines are of its own order")
def refund_is_of_one_order() -> Broken:
    return (
        select(Refund.id)
        .outerjoin(Payment, Payment.id == Refund.payment_id)
        .outerjoin(RefundDetail, RefundDetail.refund_id == Refund.id)
        .outerjoin(OrderDetail, OrderDetail.id == RefundDetail.order_detail_id)
        .where(
            or_(
                Refund.out_request_no == "",
                Payment.order_id != Refund.order_id,
                OrderDetail.order_id != Refund.order_id,
            )
        )
        .distinct()
    )


@check(Refund, "has a number of its own")
def refund_number_is_its_own() -> Broken:
    return repeated(Refund.id, Refund.out_request_no)


@check(Refund, "done_time is set if and only if it is done, and no more tries follow; one under way is tried again")
def refund_goes_on_until_it_is_done() -> Broken:
    is_done = Refund.state == RefundState.DONE
    return select(Refund.id).where(
        or_(
            is_done != Refund.done_time.is_not(None),
            Refund.state.in_((RefundState.DONE, *DROPPED)) & Refund.next_try_time.is_not(None),
            Refund.state.in_(MOVING) & Refund.next_try_time.is_(None),
        )
    )


@check(Order, "is 退费申请中 if and only if a refund of its lines is under way")
def requested_refund_shows_in_its_order() -> Broken:
    running = and_(Refund.order_id == Order.id, Refund.cause.in_(OF_LINES), Refund.state.in_(RUNNING))
    return (
        select(Order.id)
        .outerjoin(Refund, running)
        .where((Order.status == OrderStatus.REFUND_REQUESTED) != Refund.id.is_not(None))
        .distinct()
    )


@check(Order, "is 已退费 if and only if every line of it was refunded")
def refunded_order_has_every_line_refunded() -> Broken:
    gone = refunded_lines()
    left = (
        select(OrderDetail.order_id, (func.count() - func.count(gone.c.line_id)).label("lines"))
        .outerjoin(gone, gone.c.line_id == OrderDetail.id)
        .group_by(OrderDetail.order_id)
        .subquery()
    )
    is_refunded = Order.status == OrderStatus.REFUNDED
    return (
        select(Order.id)
        .outerjoin(left, left.c.order_id == Order.id)
        .where(Order.status.in_(ONCE_PAID), is_refunded == (or_zero(left.c.lines) > 0))
    )
