"""Money for an order that has ended: the order lives again when everything in it can still be had at the same price."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.errors import ShopError
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import Account, EnrolledCourse, Order, OrderDetail
from shop.rules import pricing
from shop.services import reservation, sale


def reserve_again(session: Session, order: Order, now: datetime) -> str:
    """Take what the ended order held before, once more. Empty when that worked, else why it cannot be had any more.

    The caller holds the locks of account and order. Nothing is written unless it worked.
    """
    lines = select(OrderDetail).where(OrderDetail.order_id == order.id).order_by(OrderDetail.id)
    details = session.scalars(lines).all()
    settlement = _settlement_of(order, details)
    try:
        with session.begin_nested():
            if reason := _changed(session, order, details, settlement, now):
                return reason
            reservation.take(session, order, settlement, now)
    except ShopError as refusal:
        return refusal.message
    return ""


def _settlement_of(order: Order, details: Sequence[OrderDetail]) -> Settlement:
    """The order's choices, as its settlement once named them."""
    return Settlement(
        picks=tuple(Pick(detail.product_id, detail.policy_id or 0) for detail in details),
        line_coupons={d.product_id: d.coupon_record_id for d in details if d.coupon_record_id is not None},
        site_coupon=next((d.site_coupon_record_id for d in details if d.site_coupon_record_id is not None), None),
        beli=order.beli,
        token=order.settlement_token,
        expires_at=order.expires_at,
    )


def _changed(
    session: Session, order: Order, details: Sequence[OrderDetail], settlement: Settlement, now: datetime
) -> str:
    """What stands in the way; empty when nothing does. Raises the refusals of a checkout."""
    if session.scalar(select(Account.deleted_time).where(Account.id == order.account_id)) is not None:
        return _("买家的账户已经注销")
    offers = sale.read(session, settlement.picks)
    for _product, refusal in sale.refusals(session, order.account_id, offers):
        raise refusal
    if _is_bought_again(session, order, [detail.product_id for detail in details]):
        return _("同一课程后来又买过")
    if any(detail.valid_period != offer.period for detail, offer in zip(details, offers, strict=True)):
        return _("价格方案有变化")
    quote = reservation.quote(session, order.account_id, settlement, offers, beli=order.beli, now=now)
    is_same = all(_costs(detail) == _costs_now(line) for detail, line in zip(details, quote.lines, strict=True))
    return "" if is_same else _("价格有变化")


def _costs(line: OrderDetail) -> tuple[int, ...]:
    return (line.original_price_fen, line.price_fen, line.site_discount_fen, line.beli, line.actual_amount_fen)


def _costs_now(line: pricing.PricedLine) -> tuple[int, ...]:
    return (line.list_fen, line.price_fen, line.site_share_fen, line.beli_share, line.due_fen)


def _is_bought_again(session: Session, order: Order, product_ids: Sequence[int]) -> bool:
    """Whether the buyer has got one of the courses since by another order: twice is not what they meant (F49)."""
    row = EnrolledCourse
    return (
        session.scalar(
            select(row.id)
            .where(
                row.account_id == order.account_id,
                row.course_id.in_(product_ids),
                row.enrolled_date >= order.date,
                row.closed_time.is_(None),
            )
            .limit(1)
        )
        is not None
    )
