"""Coupons that can be claimed today, as the catalogue shows them; claiming itself is the business of ``coupons``.

Remaining counts are those of this moment, on a kept page up to a minute old: the claim is decided by the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, bindparam, or_, select

from shop.clock import end_of_day, start_of_day
from shop.enums import ProductKind
from shop.extensions import db
from shop.models import Coupon, CouponRecord, Product
from shop.rules import pricing
from shop.services.coupons import Ticket, open_codes

MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Offer:
    """A coupon to claim, and what it does for the product that it is shown beside."""

    ticket: Ticket
    left: int
    closes: date  # the last day to claim it
    use_from: date | None
    use_until: date | None
    valid_days: int | None
    plan: str = ""  # the cheapest plan that it can be used on, else the dearest
    saves_fen: int = 0  # on that plan
    missing_fen: int = 0  # what that plan lacks to reach the minimum


def claimable(today: date, most: int = MOST_SHOWN) -> tuple[Offer, ...]:
    """The coupons to claim today, those that close first in front."""
    return tuple(_offer(*row) for row in _rows(today, most))


def for_product(product_id: int, plans: Mapping[str, int], today: date) -> tuple[Offer, ...]:
    """Those that a product can use, own and site-wide, with what they save; what saves most comes first.

    plans are the product's: label → price in fen, at least one.
    """
    fits = or_(Coupon.product_id == product_id, Coupon.product_id.is_(None))
    by_price = sorted(plans.items(), key=lambda plan: plan[1])
    found = [_offer(*row) for row in _rows(today, MOST_SHOWN, fits)]
    offers = [_with_effect(offer, by_price, today) for offer in found]
    return tuple(sorted(offers, key=lambda offer: (-offer.saves_fen, offer.missing_fen)))


_record = CouponRecord.__table__.c
_CLAIMED = select(_record.coupon_id).where(
    _record.account_id == bindparam("account_id"), _record.coupon_id.in_(bindparam("coupon_ids", expanding=True))
)


def claimed_of(account_id: int, coupon_ids: Iterable[int]) -> frozenset[int]:
    """Which of these coupons an account has claimed: one look at a unique key for each, however many records exist."""
    asked = tuple(coupon_ids)
    if not asked:
        return frozenset()
    return frozenset(db.session.scalars(_CLAIMED, {"account_id": account_id, "coupon_ids": asked}))


def _rows(today: date, most: int, *conditions: ColumnElement[bool]) -> list[Any]:
    product = Product.__table__
    left = Coupon.quantity - Coupon.claimed - open_codes()
    query = (
        select(Coupon, product.c.name, product.c.kind, left)
        .select_from(Coupon)
        .outerjoin(product, product.c.id == Coupon.product_id)
        .where(
            Coupon.is_public,
            Coupon.enabled,
            Coupon.open_date <= today,
            Coupon.close_date >= today,
            left > 0,
            *conditions,
        )
        # A product's own coupons are never crowded out by the shop's.
        .order_by(Coupon.product_id.is_(None), Coupon.close_date, Coupon.id)
        .limit(most)
    )
    return list(db.session.execute(query))


def _offer(coupon: Coupon, name: str | None, kind: ProductKind | None, left: int) -> Offer:
    return Offer(
        ticket=Ticket(
            coupon_id=coupon.id,
            name=coupon.name,
            kind=coupon.coupon_type,
            face_fen=coupon.money_equivalent_fen,
            pay_percent=coupon.off_percent,
            minimum_fen=coupon.minimum_consume_fen,
            product_id=coupon.product_id,
            product_name=name,
            product_kind=kind,
        ),
        left=left,
        closes=coupon.close_date,
        use_from=coupon.valid_begin_date,
        use_until=coupon.valid_end_date,
        valid_days=coupon.coupon_valid_days,
    )


def _with_effect(offer: Offer, plans: Sequence[tuple[str, int]], today: date) -> Offer:
    """The offer with what it would take off the cheapest plan that it fits, were it claimed and used today."""
    coupon = _as_used(offer.ticket, today)
    for plan, price_fen in plans:
        if pricing.reaches_minimum(price_fen, coupon.terms):
            return replace(offer, plan=plan, saves_fen=price_fen - pricing.after_coupon(price_fen, coupon))
    dearest, price_fen = plans[-1]
    return replace(offer, plan=dearest, missing_fen=coupon.terms.minimum_fen - price_fen)


def _as_used(ticket: Ticket, today: date) -> pricing.Coupon:
    return pricing.Coupon(0, ticket.name, ticket.product_id, ticket.terms, start_of_day(today), end_of_day(today))
