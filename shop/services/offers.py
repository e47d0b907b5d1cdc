"""Coupons that can be claimed today, as the catalogue shows them; claiming itself is the business of ``coupons``.

Remaining counts are those of this moment, on a kept page up to a minute old: the claim is decided by the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from shop.clock import end_of_day, start_of_day
from shop.enums import ProductKind
from shop.extensions import db
from shop.models import Coupon, CouponRecord, Product
from shop.rules import pricing
from shop.services.coupons import Ticket

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
    saves_fen: int = 0  # on the plan asked about
    missing_fen: int = 0  # what that plan lacks to reach the minimum


def claimable(today: date, most: int = MOST_SHOWN) -> tuple[Offer, ...]:
    """The coupons to claim today, those that close first in front."""
    return tuple(_offer(coupon, name, kind, 0, today) for coupon, name, kind in _rows(today, most))


def for_product(product_id: int, price_fen: int, today: date) -> tuple[Offer, ...]:
    """Those that a product can use, own and site-wide: what saves most at this price comes first."""
    fits = or_(Coupon.product_id == product_id, Coupon.product_id.is_(None))
    rows = _rows(today, MOST_SHOWN, fits)
    offers = [_offer(coupon, name, kind, price_fen, today) for coupon, name, kind in rows]
    return tuple(sorted(offers, key=lambda offer: (-offer.saves_fen, offer.missing_fen)))


def claimed_of(account_id: int, coupon_ids: Iterable[int]) -> frozenset[int]:
    """Which of these coupons an account has claimed: one look at a unique key for each, however many records exist."""
    asked = tuple(coupon_ids)
    if not asked:
        return frozenset()
    return frozenset(
        db.session.scalars(
            select(CouponRecord.coupon_id).where(
                CouponRecord.account_id == account_id, CouponRecord.coupon_id.in_(asked)
            )
        )
    )


def _rows(today: date, most: int, *conditions: ColumnElement[bool]) -> list[Any]:
    product = Product.__table__
    query = (
        select(Coupon, product.c.name, product.c.kind)
        .select_from(Coupon)
        .outerjoin(product, product.c.id == Coupon.product_id)
        .where(
            Coupon.is_public,
            Coupon.enabled,
            Coupon.open_date <= today,
            Coupon.close_date >= today,
            Coupon.claimed < Coupon.quantity,
            *conditions,
        )
        # A product's own coupons are never crowded out by the shop's.
        .order_by(Coupon.product_id.is_(None), Coupon.close_date, Coupon.id)
        .limit(most)
    )
    return list(db.session.execute(query))


def _offer(coupon: Coupon, name: str | None, kind: ProductKind | None, price_fen: int, today: date) -> Offer:
    ticket = Ticket(
        coupon_id=coupon.id,
        name=coupon.name,
        kind=coupon.coupon_type,
        face_fen=coupon.money_equivalent_fen,
        pay_percent=coupon.off_percent,
        minimum_fen=coupon.minimum_consume_fen,
        product_id=coupon.product_id,
        product_name=name,
        product_kind=kind,
    )
    saves_fen, missing_fen = _effect(ticket, price_fen, today)
    return Offer(
        ticket=ticket,
        left=coupon.quantity - coupon.claimed,
        closes=coupon.close_date,
        use_from=coupon.valid_begin_date,
        use_until=coupon.valid_end_date,
        valid_days=coupon.coupon_valid_days,
        saves_fen=saves_fen,
        missing_fen=missing_fen,
    )


def _effect(ticket: Ticket, price_fen: int, today: date) -> tuple[int, int]:
    """What a coupon takes off this price if it were claimed and used today; and what lacks to its minimum."""
    percent = 100 if ticket.pay_percent is None else ticket.pay_percent
    terms = pricing.CouponTerms(ticket.kind, ticket.face_fen, percent, ticket.minimum_fen)
    if not pricing.reaches_minimum(price_fen, terms):
        return 0, terms.minimum_fen - price_fen
    used = pricing.Coupon(0, ticket.name, ticket.product_id, terms, start_of_day(today), end_of_day(today))
    return price_fen - pricing.after_coupon(price_fen, used), 0
