"""What the database says today about the lines and coupons of a settlement: read anew whenever money is decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from shop.enums import CouponStatus, CourseType, OrderStatus, ProductKind, ProductStatus, ValidPeriod
from shop.errors import DegreeOwned, OffSale, PolicyGone, ShopError, UnpaidOrderExists
from shop.gateways.settlement_store import Pick
from shop.models import (
    Coupon,
    CouponRecord,
    Course,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    PricePolicy,
    Product,
)
from shop.rules import coupons as coupon_rules
from shop.rules import pricing

_product = Product.__table__
_course = Course.__table__


@dataclass(frozen=True, slots=True)
class Offer:
    """A picked product as it is on sale now; without a period its plan is gone."""

    product_id: int
    policy_id: int
    name: str
    kind: ProductKind
    is_on_sale: bool
    price_fen: int
    period: ValidPeriod | None

    @property
    def line(self) -> pricing.Line:
        return pricing.Line(self.product_id, self.name, self.price_fen)


@dataclass(frozen=True, slots=True)
class WalletCoupon:
    """A coupon in the account's hands, ready for the rules, with the order that holds it, if one does."""

    coupon: pricing.Coupon
    held_by: str | None

    def is_usable(self, now: datetime) -> bool:
        window = self.coupon.valid_from, self.coupon.valid_until
        return self.held_by is None and coupon_rules.is_valid_at(*window, now)


def read(session: Session, picks: Sequence[Pick]) -> list[Offer]:
    """One offer per pick, in their order, by one statement. A product that is gone counts as off sale."""
    rows = session.execute(
        select(
            _product.c.id,
            _product.c.name,
            _product.c.kind,
            _product.c.status,
            _course.c.course_type,
            PricePolicy.id.label("policy_id"),
            PricePolicy.price_fen,
            PricePolicy.valid_period,
        )
        .select_from(_product)
        .outerjoin(_course, _course.c.id == _product.c.id)
        .outerjoin(
            PricePolicy,
            and_(PricePolicy.product_id == _product.c.id, PricePolicy.id.in_([pick.policy_id for pick in picks])),
        )
        .where(_product.c.id.in_([pick.product_id for pick in picks]))
    ).all()
    products = {row.id: row for row in rows}
    policies = {(row.id, row.policy_id): row for row in rows}
    return [
        _offer(pick, products.get(pick.product_id), policies.get((pick.product_id, pick.policy_id))) for pick in picks
    ]


def _offer(pick: Pick, product: Any, policy: Any) -> Offer:
    return Offer(
        product_id=pick.product_id,
        policy_id=pick.policy_id,
        name=product.name if product else f"#{pick.product_id}",
        kind=product.kind if product else ProductKind.COURSE,
        is_on_sale=bool(
            product and product.status is ProductStatus.ON_SALE and product.course_type is not CourseType.MODULE
        ),
        price_fen=policy.price_fen if policy else 0,
        period=policy.valid_period if policy else None,
    )


def refusals(session: Session, account_id: int, offers: Sequence[Offer]) -> Iterable[tuple[int, ShopError]]:
    """Why lines cannot be bought now, with their product, in the order in which design 12 wants them told."""
    yield from ((o.product_id, OffSale(product=o.name)) for o in offers if not o.is_on_sale)
    yield from ((o.product_id, PolicyGone(product=o.name)) for o in offers if o.is_on_sale and o.period is None)
    names = {offer.product_id: offer.name for offer in offers}
    degrees = [offer.product_id for offer in offers if offer.kind is ProductKind.DEGREE]
    for product_id in owned_degrees(session, account_id, degrees):
        yield product_id, DegreeOwned(product=names[product_id])
    for product_id, number in unpaid_orders(session, account_id, list(names)):
        yield product_id, UnpaidOrderExists(product=names[product_id], order=number)


def owned_degrees(session: Session, account_id: int, degree_ids: Collection[int]) -> Sequence[int]:
    """Those of the degrees that the account is enrolled in; asks nothing when there are none."""
    if not degree_ids:
        return []
    return session.scalars(
        select(EnrolledDegreeCourse.degree_course_id).where(
            EnrolledDegreeCourse.account_id == account_id,
            EnrolledDegreeCourse.degree_course_id.in_(degree_ids),
            EnrolledDegreeCourse.closed_time.is_(None),
        )
    ).all()


def unpaid_orders(session: Session, account_id: int, product_ids: Collection[int]) -> list[tuple[int, str]]:
    """(product, order number) of the account's unpaid orders for any of these products."""
    rows = session.execute(
        select(OrderDetail.product_id, Order.order_number)
        .join(OrderDetail.order)
        .where(OrderDetail.pending_account_id == account_id, OrderDetail.product_id.in_(product_ids))
    )
    return [(product_id, number) for product_id, number in rows]


def wallet(
    session: Session, account_id: int, *, now: datetime, record_ids: Collection[int] | None = None
) -> list[WalletCoupon]:
    """The account's coupons that are not over: unused ones and those an unpaid order holds; or only those asked for.

    A coupon that staff have stopped is left out. One statement, by the account's index.
    """
    query = (
        select(CouponRecord, Coupon, Order.order_number)
        .join(CouponRecord.coupon)
        .outerjoin(Order, Order.id == CouponRecord.order_id)
        .where(
            CouponRecord.account_id == account_id,
            Coupon.enabled,
            or_(
                CouponRecord.status == CouponStatus.UNUSED,
                and_(CouponRecord.status == CouponStatus.USED, Order.status == OrderStatus.PENDING),
            ),
        )
    )
    if record_ids is None:
        query = query.where(CouponRecord.valid_until >= now)
    else:
        query = query.where(CouponRecord.id.in_(record_ids))
    return [WalletCoupon(as_rule(record, coupon), number) for record, coupon, number in session.execute(query)]


def as_rule(record: CouponRecord, coupon: Coupon) -> pricing.Coupon:
    """A coupon record as the rules see it."""
    return pricing.Coupon(
        record_id=record.id,
        name=coupon.name,
        product_id=coupon.product_id,
        terms=terms_of(coupon),
        valid_from=record.valid_from,
        valid_until=record.valid_until,
    )


def terms_of(coupon: Coupon) -> pricing.CouponTerms:
    return pricing.CouponTerms(
        kind=coupon.coupon_type,
        face_fen=coupon.money_equivalent_fen,
        pay_percent=100 if coupon.off_percent is None else coupon.off_percent,
        minimum_fen=coupon.minimum_consume_fen,
    )
