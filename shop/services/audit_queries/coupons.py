"""2. Coupons: held by one living order or by none (design 11.2; safety.md C1-C6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, func, or_, select, union_all
from sqlalchemy.orm import aliased

from shop.enums import CouponStatus
from shop.models import Coupon, CouponCode, CouponRecord, Order, OrderDetail
from shop.services.audit_queries.check import LIVING, Broken, Checks, or_zero, refunded_lines, repeated, unless_true

check = checks = Checks()


@check(CouponRecord, "used if and only if a living order holds it")
def coupon_is_held_by_living_order() -> Broken:
    record = CouponRecord
    is_used = record.status == CouponStatus.USED
    return (
        select(record.id)
        .outerjoin(Order, Order.id == record.order_id)
        .where(or_(and_(is_used, unless_true(Order.status.in_(LIVING))), and_(~is_used, record.order_id.is_not(None))))
    )


@check(CouponRecord, "used_time is set if and only if it is used")
def used_coupon_has_time() -> Broken:
    record = CouponRecord
    return select(record.id).where((record.status == CouponStatus.USED) != record.used_time.is_not(None))


@check(CouponRecord, "belongs to the account whose order holds it")
def coupon_is_used_by_owner() -> Broken:
    return (
        select(CouponRecord.id)
        .join(Order, Order.id == CouponRecord.order_id)
        .where(CouponRecord.account_id != Order.account_id)
    )


@check(CouponRecord, "is held only while an unrefunded line of its order names it, and really held as long as one does")
def coupon_is_held_for_its_lines() -> Broken:
    """A refund brings a coupon back when, and only when, every line that it served is refunded."""
    record, serving = CouponRecord, _serving()
    stays_held = record.order_id.is_not(None) & serving.c.record_id.is_(None)
    held = (
        select(record.id.label("id"))
        .outerjoin(serving, and_(serving.c.record_id == record.id, serving.c.order_id == record.order_id))
        .join(Order, Order.id == record.order_id)  # one that an ended order keeps is found above
        .where(stays_held, Order.status.in_(LIVING))
    )
    named = (
        select(record.id.label("id"))
        .join(serving, serving.c.record_id == record.id)
        .where(record.order_id.is_distinct_from(serving.c.order_id))
    )
    broken = union_all(held, named).subquery()
    return select(broken.c.id).distinct()


def _serving() -> Any:
    """(``record_id``, ``order_id``) of the coupons that unrefunded lines of living orders name."""
    line, gone = OrderDetail, refunded_lines()
    lines = (
        select(line.order_id, line.coupon_record_id, line.site_coupon_record_id)
        .join(line.order)
        .outerjoin(gone, gone.c.line_id == line.id)
        .where(
            or_(line.coupon_record_id.is_not(None), line.site_coupon_record_id.is_not(None)),
            Order.status.in_(LIVING),
            gone.c.line_id.is_(None),
        )
        .cte()
    )
    bound = select(lines.c.coupon_record_id.label("record_id"), lines.c.order_id)
    site = select(lines.c.site_coupon_record_id.label("record_id"), lines.c.order_id)
    named = union_all(bound, site).subquery()
    return select(named).where(named.c.record_id.is_not(None)).distinct().subquery()


@check(OrderDetail, "what is taken off a line of a living order comes from the coupons that the line names")
def discount_has_its_coupon() -> Broken:
    line = OrderDetail
    bound = and_(line.price_fen < line.original_price_fen, line.coupon_record_id.is_(None))
    site = and_(line.site_discount_fen > 0, line.site_coupon_record_id.is_(None))
    return select(line.id).join(line.order).where(or_(bound, site), Order.status.in_(LIVING))


@check(OrderDetail, "names a coupon for its product and a site coupon, both of the buyer")
def line_names_fitting_coupons() -> Broken:
    line, site_record, site_coupon = OrderDetail, aliased(CouponRecord), aliased(Coupon)
    return (
        select(line.id)
        .join(line.order)
        .outerjoin(CouponRecord, CouponRecord.id == line.coupon_record_id)
        .outerjoin(Coupon, Coupon.id == CouponRecord.coupon_id)
        .outerjoin(site_record, site_record.id == line.site_coupon_record_id)
        .outerjoin(site_coupon, site_coupon.id == site_record.coupon_id)
        .where(
            or_(line.coupon_record_id.is_not(None), line.site_coupon_record_id.is_not(None)),
            or_(
                and_(CouponRecord.id.is_not(None), Coupon.product_id.is_distinct_from(line.product_id)),
                CouponRecord.account_id != Order.account_id,
                site_coupon.product_id.is_not(None),
                site_record.account_id != Order.account_id,
            ),
        )
    )


@check(CouponRecord, "a bound coupon is held only by an order that contains its product")
def bound_coupon_sits_on_its_product() -> Broken:
    line = and_(OrderDetail.order_id == CouponRecord.order_id, OrderDetail.product_id == Coupon.product_id)
    return (
        select(CouponRecord.id)
        .join(CouponRecord.coupon)
        .outerjoin(OrderDetail, line)
        .where(CouponRecord.order_id.is_not(None), Coupon.product_id.is_not(None), OrderDetail.id.is_(None))
    )


@check(Order, "holds at most one site coupon, and at most one coupon per product")
def order_holds_one_coupon_per_place() -> Broken:
    # GROUP BY puts all site coupons, which have no product, into one group
    return (
        select(CouponRecord.order_id)
        .join(CouponRecord.coupon)
        .where(CouponRecord.order_id.is_not(None))
        .group_by(CouponRecord.order_id, Coupon.product_id)
        .having(func.count() > 1)
    )


@check(Order, "its lines name one site coupon, and no coupon twice")
def lines_share_one_site_coupon() -> Broken:
    line = OrderDetail
    site, bound = line.site_coupon_record_id, line.coupon_record_id
    return (
        select(line.order_id)
        .where(or_(site.is_not(None), bound.is_not(None)))
        .group_by(line.order_id)
        .having(or_(func.min(site) < func.max(site), func.count(bound) > func.count(bound.distinct())))
    )


@check(Coupon, "claimed is the number of its records, and not more than quantity")
def claims_are_counted() -> Broken:
    record = CouponRecord
    claims = select(record.coupon_id, func.count().label("count")).group_by(record.coupon_id).subquery()
    return (
        select(Coupon.id)
        .outerjoin(claims, claims.c.coupon_id == Coupon.id)
        .where(or_(Coupon.claimed != or_zero(claims.c.count), Coupon.claimed > Coupon.quantity))
    )


@check(CouponRecord, "an account has a coupon once")
def coupon_is_claimed_once() -> Broken:
    return repeated(CouponRecord.id, CouponRecord.coupon_id, CouponRecord.account_id)


@check(CouponCode, "became a record of its own coupon, in the hands of the account that it is reserved for")
def code_became_its_coupon() -> Broken:
    return (
        select(CouponCode.id)
        .join(CouponRecord, CouponRecord.id == CouponCode.record_id)
        .where(or_(CouponRecord.coupon_id != CouponCode.coupon_id, CouponRecord.account_id != CouponCode.account_id))
    )
