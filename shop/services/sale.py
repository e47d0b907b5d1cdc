"""What the database says today about the lines and coupons of a settlement: read anew whenever money is decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, or_, select
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
_policy = PricePolicy.__table__
_order = Order.__table__
_detail = OrderDetail.__table__
_record = CouponRecord.__table__
_coupon = Coupon.__table__


# Built once each: building a statement takes longer than running it.
_PICKED = (
    select(
        _product.c.id,
        _product.c.name,
        _product.c.kind,
        _product.c.status,
        _course.c.course_type,
        _policy.c.id.label("policy_id"),
        _policy.c.price_fen,
        _policy.c.valid_period,
    )
    .select_from(_product)
    .outerjoin(_course, _course.c.id == _product.c.id)
    .outerjoin(
        _policy,
        and_(_policy.c.product_id == _product.c.id, _policy.c.id.in_(bindparam("policy_ids", expanding=True))),
    )
    .where(_product.c.id.in_(bindparam("product_ids", expanding=True)))
)
_UNPAID = (
    select(_detail.c.product_id, _order.c.order_number)
    .join(_order, _order.c.id == _detail.c.order_id)
    .where(
        _detail.c.pending_account_id == bindparam("account_id"),
        _detail.c.product_id.in_(bindparam("product_ids", expanding=True)),
    )
)
# What ``as_rule`` reads, of a record and its coupon.
RULE_COLUMNS = (
    *(_record.c.id, _record.c.valid_from, _record.c.valid_until),
    *(_coupon.c.name, _coupon.c.product_id, _coupon.c.coupon_type),
    *(_coupon.c.money_equivalent_fen, _coupon.c.off_percent, _coupon.c.minimum_consume_fen),
)
_WALLET = (
    select(*RULE_COLUMNS, _order.c.order_number)
    .select_from(_record)
    .join(_coupon, _coupon.c.id == _record.c.coupon_id)
    .outerjoin(_order, _order.c.id == _record.c.order_id)
    .where(
        _record.c.account_id == bindparam("account_id"),
        _coupon.c.enabled,
        or_(
            _record.c.status == CouponStatus.UNUSED,
            and_(_record.c.status == CouponStatus.USED, _order.c.status == OrderStatus.PENDING),
        ),
    )
)
_LIVING = _WALLET.where(_record.c.valid_until >= bindparam("now"))
_ASKED_FOR = _WALLET.where(_record.c.id.in_(bindparam("record_ids", expanding=True)))


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
    ids = {"product_ids": [pick.product_id for pick in picks], "policy_ids": [pick.policy_id for pick in picks]}
    rows = session.execute(_PICKED, ids).all()
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
    rows = session.execute(_UNPAID, {"account_id": account_id, "product_ids": list(product_ids)})
    return [(product_id, number) for product_id, number in rows]


def wallet(
    session: Session, account_id: int, *, now: datetime, record_ids: Collection[int] | None = None
) -> list[WalletCoupon]:
    """The account's coupons that are not over: unused ones and those an unpaid order holds; or only those asked for.

    A coupon that staff have stopped is left out. One statement, by the account's index.
    """
    if record_ids is None:
        rows = session.execute(_LIVING, {"account_id": account_id, "now": now})
    else:
        rows = session.execute(_ASKED_FOR, {"account_id": account_id, "record_ids": list(record_ids)})
    return [WalletCoupon(as_rule(row), row.order_number) for row in rows]


def as_rule(row: Any) -> pricing.Coupon:
    """A row of ``RULE_COLUMNS`` as the rules see it."""
    return pricing.Coupon(
        record_id=row.id,
        name=row.name,
        product_id=row.product_id,
        terms=pricing.CouponTerms(
            kind=row.coupon_type,
            face_fen=row.money_equivalent_fen,
            pay_percent=100 if row.off_percent is None else row.off_percent,
            minimum_fen=row.minimum_consume_fen,
        ),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
    )
