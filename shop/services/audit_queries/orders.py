"""3. Orders and their lines: the amounts add up, to the fen (design 11.3; safety.md O1, O2, O5)."""

from __future__ import annotations

from sqlalchemy import and_, case, func, or_, select

from shop.enums import OrderStatus
from shop.models import Order, OrderDetail
from shop.services.audit_queries.check import ENDED, Broken, Checks, repeated

check = checks = Checks()


@check(Order, "due = list − discounts − 贝里, and nothing is negative")
def order_amounts_add_up() -> Broken:
    discounts = Order.course_discount_fen + Order.site_discount_fen
    parts = (Order.course_discount_fen, Order.site_discount_fen, Order.beli, Order.beli_fen, Order.actual_amount_fen)
    return select(Order.id).where(
        or_(Order.list_amount_fen - discounts - Order.beli_fen != Order.actual_amount_fen, *(p < 0 for p in parts))
    )


@check(OrderDetail, "0 ≤ due = price − site share − 贝里 share, and price ≤ list price")
def line_amounts_add_up() -> Broken:
    line = OrderDetail
    shares = (line.site_discount_fen, line.beli, line.beli_fen, line.actual_amount_fen)
    return select(line.id).where(
        or_(
            line.price_fen - line.site_discount_fen - line.beli_fen != line.actual_amount_fen,
            line.price_fen > line.original_price_fen,
            *(share < 0 for share in shares),
        )
    )


@check(Order, "has lines, and their shares add up to its amounts")
def lines_add_up_to_order() -> Broken:
    line = OrderDetail
    sums = (
        select(
            line.order_id,
            func.sum(line.original_price_fen).label("list_amount_fen"),
            func.sum(line.original_price_fen - line.price_fen).label("course_discount_fen"),
            func.sum(line.site_discount_fen).label("site_discount_fen"),
            func.sum(line.beli).label("beli"),
            func.sum(line.beli_fen).label("beli_fen"),
            func.sum(line.actual_amount_fen).label("actual_amount_fen"),
        )
        .group_by(line.order_id)
        .subquery()
    )
    differ = (sum_ != Order.__table__.c[sum_.name] for sum_ in sums.c if sum_.name != "order_id")
    return select(Order.id).outerjoin(sums, sums.c.order_id == Order.id).where(or_(sums.c.order_id.is_(None), *differ))


@check(OrderDetail, "a product occurs once in an order")
def product_occurs_once_in_order() -> Broken:
    return repeated(OrderDetail.id, OrderDetail.order_id, OrderDetail.product_id)


@check(OrderDetail, "names its owner as long as its order is unpaid, and nobody afterwards")
def unpaid_line_names_its_owner() -> Broken:
    expected = case((Order.status == OrderStatus.PENDING, Order.account_id))
    return (
        select(OrderDetail.id).join(OrderDetail.order).where(OrderDetail.pending_account_id.is_distinct_from(expected))
    )


@check(OrderDetail, "an account has one unpaid order for a product")
def product_has_one_unpaid_order() -> Broken:
    pending = Order.status == OrderStatus.PENDING
    return repeated(OrderDetail.id, Order.account_id, OrderDetail.product_id, join=OrderDetail.order, where=pending)


@check(Order, "pay_time and cancel_time agree with the state, and none is before the order")
def order_times_agree_with_state() -> Broken:
    never_paid = (OrderStatus.PENDING, *ENDED)
    return select(Order.id).where(
        or_(
            Order.status.in_(never_paid) == Order.pay_time.is_not(None),
            and_(Order.status == OrderStatus.PENDING, Order.cancel_time.is_not(None)),
            and_(Order.status.in_(ENDED), Order.cancel_time.is_(None)),
            Order.pay_time < Order.date,
            Order.cancel_time < Order.date,
        )
    )
