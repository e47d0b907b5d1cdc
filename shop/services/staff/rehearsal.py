"""A draft tried out before it is published: rows and settlements read, the rules asked, nothing written anywhere.

The number of statements is the same for ten orders and for two thousand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select, union
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import CouponStatus, CourseType, OrderStatus, ProductStatus
from shop.extensions import db, redis
from shop.gateways import settlement_store
from shop.gateways.settlement_store import Settlement
from shop.models import Coupon, CouponRecord, Course, Order, OrderDetail, PricePolicy, Product
from shop.rules import campaigns as campaign_rules
from shop.rules import pricing, rehearsal
from shop.rules.rehearsal import NEWCOMER, Basket, Caution, Outcome, Overlap, Plan, Running
from shop.services import sale
from shop.services.staff.campaigns import Terms

DEFAULT_ORDERS = 200
MOST_ORDERS = 2_000
MOST_SETTLEMENTS = 200
MOST_IDS = 5_000  # of lines and coupons in the settlements: what one statement can ask for on either database
MOST_RUNNING = 500  # other campaigns
PAID = (OrderStatus.PAID, OrderStatus.REFUND_REQUESTED)

_product, _course, _policy = Product.__table__, Course.__table__, PricePolicy.__table__


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What the campaign would have done to the latest paid orders and to what is being bought just now."""

    orders: Outcome
    settlements: Outcome
    overlaps: tuple[Overlap, ...]
    cautions: tuple[Caution, ...]


def rehearse(coupon_id: int, terms: Terms, orders: int = DEFAULT_ORDERS) -> Rehearsal:
    """The terms against so many of the latest paid orders, against the open settlements, and beside other campaigns."""
    session = db.session()
    now = clock.now()
    coupon = _hypothetical(terms, now)
    return Rehearsal(
        orders=rehearsal.rehearse(coupon, terms.quantity, _of_orders(session, orders)),
        settlements=rehearsal.rehearse(coupon, terms.quantity, _of_settlements(session, now)),
        overlaps=_overlaps(session, coupon_id, terms),
        cautions=tuple(_slips(session, terms, now).found()),
    )


def _hypothetical(terms: Terms, now: datetime) -> pricing.Coupon:
    until = clock.end_of_day(terms.days[1])
    return pricing.Coupon(NEWCOMER, terms.name, terms.product_id, terms.effect, min(now, until), until)


# ---------------------------------------------------------------- paid orders


def _of_orders(session: Session, count: int) -> Iterator[Basket]:
    """The latest paid orders, newest first, as they were bought."""
    latest = (
        select(Order.id, Order.order_number, Order.account_id, Order.date)
        .where(Order.status.in_(PAID))
        .order_by(Order.date.desc(), Order.id.desc())
        .limit(count)
        .subquery()
    )
    detail = OrderDetail.__table__
    rows = session.execute(
        select(
            *(latest.c.id, latest.c.order_number, latest.c.account_id),
            *(detail.c.product_id, _product.c.name, detail.c.original_price_fen),
            *(detail.c.coupon_record_id, detail.c.site_coupon_record_id),
        )
        .select_from(latest)
        .join(detail, detail.c.order_id == latest.c.id)
        .join(_product, _product.c.id == detail.c.product_id)
        .order_by(latest.c.date.desc(), latest.c.id.desc(), detail.c.id)
    ).all()
    served = select(latest.c.id).scalar_subquery()
    named = union(
        select(detail.c.coupon_record_id).where(detail.c.order_id.in_(served)),
        select(detail.c.site_coupon_record_id).where(detail.c.order_id.in_(served)),
    )
    used = {row.id: sale.as_rule(row) for row in session.execute(_records(CouponRecord.id.in_(named)))}
    by_order: dict[int, list[Any]] = {}
    for row in rows:
        by_order.setdefault(row.id, []).append(row)
    for lines in by_order.values():
        yield _basket(lines, used)


def _basket(rows: Sequence[Any], used: Mapping[int, pricing.Coupon]) -> Basket:
    records = {row.coupon_record_id for row in rows} | {row.site_coupon_record_id for row in rows}
    return Basket(
        number=rows[0].order_number,
        owner=rows[0].account_id,
        lines=tuple(pricing.Line(row.product_id, row.name, row.original_price_fen) for row in rows),
        coupons=tuple(used[record_id] for record_id in sorted(records - {None})),
    )


def _records(*where: Any) -> Select[*tuple[Any, ...]]:
    return select(*sale.RULE_COLUMNS, CouponRecord.account_id).select_from(CouponRecord).join(Coupon).where(*where)


# ---------------------------------------------------------------- open settlements


def _of_settlements(session: Session, now: datetime) -> Iterator[Basket]:
    """What people are settling just now, at today's prices, with the coupons they chose as far as those hold."""
    found = _within(settlement_store.open_ones(redis(), MOST_SETTLEMENTS))
    if not found:
        return
    picks = list({pick for settlement in found.values() for pick in settlement.picks})
    offers = dict(zip(picks, sale.read(session, picks), strict=True))
    chosen = {record_id for settlement in found.values() for record_id in _chosen(settlement)}
    usable = (
        *(CouponRecord.id.in_(chosen), CouponRecord.status == CouponStatus.UNUSED, Coupon.enabled),
        *(CouponRecord.valid_from <= now, CouponRecord.valid_until >= now),
    )
    coupons = {(row.account_id, row.id): sale.as_rule(row) for row in session.execute(_records(*usable))}
    for account_id, settlement in sorted(found.items()):
        wanted = [offers[pick] for pick in settlement.picks]
        lines = tuple(offer.line for offer in wanted if offer.is_on_sale and offer.period is not None)
        if not lines:
            continue
        yield Basket(
            number="",
            owner=account_id,
            lines=lines,
            coupons=tuple(
                coupons[account_id, record_id]
                for record_id in _chosen(settlement)
                if (account_id, record_id) in coupons
            ),
        )


def _chosen(settlement: Settlement) -> tuple[int, ...]:
    return pricing.Choice(settlement.line_coupons, settlement.site_coupon).record_ids


def _within(found: Mapping[int, Settlement]) -> dict[int, Settlement]:
    """As many of them as one statement can ask about."""
    kept, ids = {}, 0
    for account_id, settlement in found.items():
        ids += 2 * len(settlement.picks) + 1
        if ids > MOST_IDS:
            break
        kept[account_id] = settlement
    return kept


# ---------------------------------------------------------------- beside it


def _overlaps(session: Session, coupon_id: int, terms: Terms) -> tuple[Overlap, ...]:
    """Published campaigns for the same purchases at the same time."""
    first, last = terms.days
    others = session.scalars(
        select(Coupon)
        .where(Coupon.enabled, Coupon.id != coupon_id, Coupon.open_date <= last)
        .where(or_(Coupon.valid_end_date.is_(None), Coupon.valid_end_date >= first))
        .order_by(Coupon.id.desc())
        .limit(MOST_RUNNING)
    )
    mine = Running(coupon_id, terms.name, terms.product_id, first, last)
    return tuple(rehearsal.overlaps(mine, map(_running, others)))


def _running(coupon: Coupon) -> Running:
    days = campaign_rules.days_of_use(
        opens=coupon.open_date,
        closes=coupon.close_date,
        begins=coupon.valid_begin_date,
        ends=coupon.valid_end_date,
        valid_days=coupon.coupon_valid_days,
    )
    return Running(coupon.id, coupon.name, coupon.product_id, *days)


def _slips(session: Session, terms: Terms, now: datetime) -> rehearsal.Slips:
    product = None
    if terms.product_id is not None:
        asked = select(_product.c.name, _product.c.status).where(_product.c.id == terms.product_id)
        product = session.execute(asked).one()
    return rehearsal.Slips(
        terms=terms.effect,
        quantity=terms.quantity,
        product_name=product.name if product else "",
        is_on_sale=product is None or product.status is ProductStatus.ON_SALE,
        cheapest=_plan(session, terms.product_id, is_cheapest=True),
        dearest=_plan(session, terms.product_id, is_cheapest=False),
        last_claim=terms.close_date,
        last_use=terms.days[1],
        today=clock.local_date(now),
    )


def cheapest_plan(product_id: int | None) -> Plan | None:
    """The cheapest plan that costs something: of a product, or of all that is on sale."""
    return _plan(db.session(), product_id, is_cheapest=True)


def _plan(session: Session, product_id: int | None, *, is_cheapest: bool) -> Plan | None:
    plans = (
        select(_product.c.name, _policy.c.price_fen)
        .select_from(_policy)
        .join(_product, _product.c.id == _policy.c.product_id)
        .outerjoin(_course, _course.c.id == _product.c.id)
        .where(
            _policy.c.price_fen > 0, or_(_course.c.course_type.is_(None), _course.c.course_type != CourseType.MODULE)
        )
        .order_by(_policy.c.price_fen if is_cheapest else _policy.c.price_fen.desc(), _policy.c.id)
        .limit(1)
    )
    if product_id is None:
        plans = plans.where(_product.c.status == ProductStatus.ON_SALE)
    else:
        plans = plans.where(_product.c.id == product_id)
    row = session.execute(plans).one_or_none()
    return None if row is None else Plan(row.name, row.price_fen)
