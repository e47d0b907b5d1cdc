"""Campaigns as staff look through them: the list, one of them with what became of its coupons, its records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import Choice, CouponKind, CouponStatus, CourseType, OrderStatus, ProductStatus, RefundState
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    AuditLog,
    Coupon,
    CouponRecord,
    Course,
    Order,
    OrderDetail,
    Product,
    Refund,
    RefundDetail,
)
from shop.rules import pricing
from shop.services import keyset
from shop.services.keyset import Cursor, Window
from shop.services.staff import campaigns, rehearsal
from shop.services.staff.campaigns import Terms
from shop.wording import mark as _

LATEST = 20  # audit rows on the page of a campaign
EXAMPLE_FEN = 100_00  # what the example of a campaign without a price costs


class State(Choice):
    """Where a campaign stands."""

    DRAFT = 0, _("草稿")
    LATER = 1, _("未开始领取")
    RUNNING = 2, _("进行中")
    OVER = 3, _("领取已结束")
    STOPPED = 4, _("已停用")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; None and "" mean no matter."""

    state: State | None = None
    kind: CouponKind | None = None
    name: str = ""  # part of it
    product_id: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One campaign in the list."""

    id: int
    terms: Terms
    product_name: str | None
    state: State
    claimed: int
    used: int


@dataclass(frozen=True, slots=True)
class Example:
    """What somebody pays who buys one thing with it."""

    list_fen: int
    pay_fen: int
    is_reached: bool  # 满减 whose minimum this purchase does not reach takes nothing off


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of the coupons, and of the orders that they served; amounts in fen, refunded lines left out."""

    unused: int
    held: int  # by orders that wait for payment
    used: int
    expired: int
    open_codes: int
    cost_fen: int
    orders: int
    revenue_fen: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """One campaign."""

    id: int
    terms: Terms
    product_name: str | None
    state: State
    claimed: int
    published_time: datetime | None
    example: Example
    figures: Figures
    history: Sequence[AuditLog]


@dataclass(frozen=True, slots=True)
class Heading:
    """What the pages around a campaign say of it."""

    id: int
    name: str
    state: State
    quantity: int
    claimed: int


# ---------------------------------------------------------------- the list


_product = Product.__table__


def listed(wanted: Wanted, cursor: Cursor, size: int = keyset.SIZE) -> Window[Line]:
    """One page, the latest first, in two statements. Raises NotFound for a cursor that cannot be one."""
    today = clock.local_date(clock.now())
    found = keyset.page(
        db.session(),
        _with_product().where(*_where(wanted, today)),
        Coupon.id,  # type: ignore[arg-type]
        Coupon.id,  # type: ignore[arg-type]
        place_of=lambda row: (row[0].id, row[0].id),
        cursor=cursor,
        size=size,
    )
    used = _used(row[0].id for row in found.rows)
    return Window([_line(coupon, name, today, used) for coupon, name in found.rows], found.before, found.after)


def everything(wanted: Wanted) -> Iterator[Line]:
    """The whole list, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(wanted, cursor, keyset.BATCH))


def _with_product() -> Select[*tuple[Any, ...]]:
    return select(Coupon, _product.c.name).outerjoin(_product, _product.c.id == Coupon.product_id)


def _line(coupon: Coupon, product_name: str | None, today: date, used: Mapping[int, int]) -> Line:
    return Line(
        id=coupon.id,
        terms=campaigns.terms_of(coupon),
        product_name=product_name,
        state=state_of(coupon, today),
        claimed=coupon.claimed,
        used=used.get(coupon.id, 0),
    )


def state_of(coupon: Coupon, today: date) -> State:
    if coupon.published_time is None:
        return State.DRAFT
    if not coupon.enabled:
        return State.STOPPED
    if today < coupon.open_date:
        return State.LATER
    return State.RUNNING if today <= coupon.close_date else State.OVER


def _where(wanted: Wanted, today: date) -> Iterator[ColumnElement[bool]]:
    conditions: Mapping[State, ColumnElement[bool]] = {
        State.DRAFT: Coupon.published_time.is_(None),
        State.STOPPED: and_(Coupon.published_time.is_not(None), ~Coupon.enabled),
        State.LATER: and_(Coupon.enabled, Coupon.open_date > today),
        State.RUNNING: and_(Coupon.enabled, Coupon.open_date <= today, Coupon.close_date >= today),
        State.OVER: and_(Coupon.enabled, Coupon.close_date < today),
    }
    if wanted.state is not None:
        yield conditions[wanted.state]
    if wanted.kind is not None:
        yield Coupon.coupon_type == wanted.kind
    if wanted.name:
        yield Coupon.name.contains(wanted.name, autoescape=True)
    if wanted.product_id is not None:
        yield Coupon.product_id == wanted.product_id


def _used(coupon_ids: Iterable[int]) -> dict[int, int]:
    """How many of each are used, held ones among them."""
    rows = db.session.execute(
        select(CouponRecord.coupon_id, func.count().label("used"))
        .where(CouponRecord.coupon_id.in_(list(coupon_ids)), CouponRecord.status == CouponStatus.USED)
        .group_by(CouponRecord.coupon_id)
    )
    return {row.coupon_id: row.used for row in rows}


def products() -> list[tuple[int, str]]:
    """What a campaign can be bound to, by name: everything that is sold by itself."""
    course = Course.__table__
    rows = db.session.execute(
        select(_product.c.id, _product.c.name, _product.c.status)
        .outerjoin(course, course.c.id == _product.c.id)
        .where(course.c.course_type.is_distinct_from(CourseType.MODULE))
        .order_by(_product.c.name, _product.c.id)
    )
    return [
        (row.id, row.name if row.status is ProductStatus.ON_SALE else f"{row.name} ({row.status.label})")
        for row in rows
    ]


# ---------------------------------------------------------------- one of them


def sheet(coupon_id: int) -> Sheet:
    """A campaign with what became of it. Raises NotFound."""
    coupon, product_name = found(coupon_id)
    session = db.session()
    terms = campaigns.terms_of(coupon)
    history = session.scalars(
        select(AuditLog)
        .where(AuditLog.subject_table == "coupon", AuditLog.subject_id == coupon_id)
        .order_by(AuditLog.id.desc())
        .limit(LATEST)
    ).all()
    return Sheet(
        id=coupon.id,
        terms=terms,
        product_name=product_name,
        state=state_of(coupon, clock.local_date(clock.now())),
        claimed=coupon.claimed,
        published_time=coupon.published_time,
        example=example(terms),
        figures=_figures(session, coupon_id),
        history=history,
    )


def heading(coupon_id: int) -> Heading:
    """A campaign without what became of it. Raises NotFound."""
    coupon, _product_name = found(coupon_id)
    state = state_of(coupon, clock.local_date(clock.now()))
    return Heading(coupon.id, coupon.name, state, coupon.quantity, coupon.claimed)


def found(coupon_id: int) -> tuple[Coupon, str | None]:
    """A campaign and the name of what it is bound to. Raises NotFound."""
    row = db.session.execute(_with_product().where(Coupon.id == coupon_id)).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[1]


def example(terms: Terms) -> Example:
    """On the cheapest plan of its product; in the whole shop on a round price that reaches its minimum."""
    plan = rehearsal.cheapest_plan(terms.product_id) if terms.product_id is not None else None
    list_fen = plan.price_fen if plan else max(EXAMPLE_FEN, terms.minimum_fen)
    is_reached = pricing.reaches_minimum(list_fen, terms.effect)
    return Example(list_fen, pricing.after_terms(list_fen, terms.effect) if is_reached else list_fen, is_reached)


def _figures(session: Session, coupon_id: int) -> Figures:
    is_held = and_(CouponRecord.status == CouponStatus.USED, Order.status == OrderStatus.PENDING)
    is_over = or_(
        CouponRecord.status == CouponStatus.EXPIRED,
        and_(CouponRecord.status == CouponStatus.UNUSED, CouponRecord.valid_until < clock.now()),
    )
    counts = session.execute(
        select(
            func.count(case((and_(CouponRecord.status == CouponStatus.UNUSED, ~is_over), 1))),
            func.count(case((is_held, 1))),
            func.count(case((and_(CouponRecord.status == CouponStatus.USED, ~is_held), 1))),
            func.count(case((is_over, 1))),
        )
        .select_from(CouponRecord)
        .outerjoin(Order, Order.id == CouponRecord.order_id)
        .where(CouponRecord.coupon_id == coupon_id)
    ).one()
    return Figures(*counts, campaigns.open_codes(session, coupon_id), *_money(session, coupon_id))


def _money(session: Session, coupon_id: int) -> tuple[int, int, int]:
    """What it took off, how many orders it served, and what these paid: of paid orders, without refunded lines."""
    line, record = OrderDetail, CouponRecord
    bound = (
        select(line.id.label("line"), line.order_id, (line.original_price_fen - line.price_fen).label("off"))
        .join(record, record.id == line.coupon_record_id)
        .where(record.coupon_id == coupon_id)
    )
    site = (
        select(line.id, line.order_id, line.site_discount_fen)
        .join(record, record.id == line.site_coupon_record_id)
        .where(record.coupon_id == coupon_id)
    )
    served = bound.union_all(site).subquery()
    is_paid = Order.status.in_(rehearsal.PAID)
    cost_fen, orders = session.execute(
        select(func.coalesce(func.sum(served.c.off), 0), func.count(served.c.order_id.distinct()))
        .select_from(served)
        .join(Order, Order.id == served.c.order_id)
        .where(is_paid, _is_kept(served.c.line))
    ).one()
    revenue_fen = session.scalar(
        select(func.coalesce(func.sum(line.actual_amount_fen), 0))
        .join(Order, Order.id == line.order_id)
        .where(line.order_id.in_(select(served.c.order_id)), is_paid, _is_kept(line.id))
    )
    return int(cost_fen), orders, int(revenue_fen or 0)


def _is_kept(line_id: Any) -> ColumnElement[bool]:
    """Whether a line was not given back."""
    returned = (RefundDetail.order_detail_id == line_id, Refund.state == RefundState.DONE)
    return ~exists().where(RefundDetail.refund_id == Refund.id, *returned)
