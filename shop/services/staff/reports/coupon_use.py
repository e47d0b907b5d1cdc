"""What coupons did in a period: how often they were used, what they cost, what was bought with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from shop.extensions import db
from shop.models import Coupon, CouponRecord, Order, OrderDetail
from shop.rules.periods import Period, permille
from shop.services.staff.reports.instants import within
from shop.services.staff.reports.revenue import PAID
from shop.services.staff.reports.sheet import Column, Figure, Meaning, Plot, Row, Shape, Sheet, Table, Unit
from shop.wording import mark as _

COLUMNS = (
    Column(_("优惠券")),
    Column(_("类型")),
    Column(_("用券订单"), Unit.COUNT),
    Column(_("优惠金额"), Unit.FEN),
    Column(_("用券收入"), Unit.FEN),
    Column(_("优惠占原价"), Unit.PERMILLE),
    Column(_("累计领取"), Unit.COUNT),
    Column(_("发行量"), Unit.COUNT),
)
MEANINGS = (
    Meaning(_("用券订单"), _("当期付款、用了这张券的订单；一张订单用两种券，两种各算一次。")),
    Meaning(_("优惠金额"), _("这张券在这些订单里减去的金额，也就是它的成本。")),
    Meaning(_("用券收入"), _("它减过价的课程行的实付金额。一行同时用了课程券和全站券，两边都算，所以不能相加。")),
    Meaning(_("累计领取"), _("从发行到现在领走的张数，与所选的日期无关。")),
)


@dataclass(slots=True)
class Use:
    orders: int = 0
    discount_fen: int = 0
    paid_fen: int = 0
    before_fen: int = 0  # what the lines cost before this coupon


def make(period: Period) -> Sheet:
    """In five statements: coupons of courses and of the whole shop, before and now, and their names."""
    uses, before = _uses(period), _uses(period.before)
    coupons = db.session.execute(
        select(Coupon.id, Coupon.name, Coupon.coupon_type, Coupon.claimed, Coupon.quantity).where(Coupon.id.in_(uses))
    ).all()
    found = sorted(coupons, key=lambda coupon: (-uses[coupon.id].discount_fen, coupon.id))
    rows = [_row(coupon, uses[coupon.id]) for coupon in found]
    figures = (
        Figure(_("用到的券"), Unit.COUNT, len(rows), len(before)),
        Figure(_("优惠金额"), Unit.FEN, *(sum(use.discount_fen for use in part.values()) for part in (uses, before))),
    )
    table = Table("coupons", _("按优惠金额从高到低"), COLUMNS, rows, plot=Plot(Shape.BARS, (3,)))
    return Sheet(figures, (table,), MEANINGS)


def _uses(period: Period) -> dict[int, Use]:
    line = OrderDetail
    uses = _used(period, line.coupon_record_id, line.original_price_fen - line.price_fen, line.original_price_fen)
    return uses | _used(period, line.site_coupon_record_id, line.site_discount_fen, line.price_fen)


def _used(period: Period, record_id: Any, discount: Any, before: Any) -> dict[int, Use]:
    """By coupon; a coupon is either of a course or of the whole shop."""
    rows = db.session.execute(
        select(
            CouponRecord.coupon_id,
            func.count(OrderDetail.order_id.distinct()),
            func.sum(discount),
            func.sum(OrderDetail.actual_amount_fen),
            func.sum(before),
        )
        .select_from(Order)
        .join(OrderDetail, OrderDetail.order_id == Order.id)
        .join(CouponRecord, CouponRecord.id == record_id)
        .where(within(Order.pay_time, period), Order.status.in_(PAID))
        .group_by(CouponRecord.coupon_id)
    )
    return {coupon_id: Use(*map(int, sums)) for coupon_id, *sums in rows}


def _row(coupon: Any, use: Use) -> Row:
    share = permille(use.discount_fen, use.before_fen)
    head = coupon.name, coupon.coupon_type
    return Row((*head, use.orders, use.discount_fen, use.paid_fen, share, coupon.claimed, coupon.quantity))
