"""Putting products before people: publishing a draft, and taking what was published on and off sale, one or many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask_babel import lazy_gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import CouponStatus, ProductKind, ProductStatus
from shop.errors import NotYourTurn, ShopError
from shop.extensions import db
from shop.models import Coupon, CouponRecord, Course, DegreeCourse, OrderDetail, Product
from shop.rules.publishing import Remark
from shop.services import additions, audit_log
from shop.services.audit_log import Actor
from shop.services.staff.catalogue_edit import change
from shop.services.staff.catalogue_state import Incomplete, facts_of, gaps_before_publishing, loaded, mark_of_state

MOST = 100  # products at once


class Changed(ShopError):
    """What a page showed before it asked is not so any more."""

    text = _("您打开这一页以后，内容有了变化，什么都没有执行。请核对后再确认一次。")


# ---------------------------------------------------------------- publishing


def publish(product_id: int, status: ProductStatus, mark: str, *, actor: Actor) -> None:
    """Show a draft to people for the first time: on sale, or as coming soon; a degree with all its modules.

    A module comes, locked, to every living enrolment of its degree. Raises NotFound, Changed, NotYourTurn for what
    is no draft (any more), Incomplete, StaffOnly.
    """
    with change(actor) as session:
        product = loaded(session, product_id)
        if product.published_time is not None or status is ProductStatus.OFF_SALE:
            raise NotYourTurn
        facts = facts_of(product)
        if mark != mark_of_state(product, facts):
            raise Changed
        is_module = isinstance(product, Course) and product.is_module
        gaps = gaps_before_publishing(facts)
        if gaps and (is_module or status is ProductStatus.ON_SALE):
            raise Incomplete(gaps)
        _show(session, product, status, actor)
        if isinstance(product, DegreeCourse):
            for module in product.modules:
                if module.published_time is None:
                    _show(session, module, ProductStatus.ON_SALE, actor)
        elif is_module:
            assert isinstance(product, Course)
            _open_to_students(session, product)


def _show(session: Session, product: Product, status: ProductStatus, actor: Actor) -> None:
    product.status, product.published_time = status, clock.now()
    if isinstance(product, Course) and product.pub_date is None:
        product.pub_date = clock.local_date(product.published_time)
    before, after = {"status": int(ProductStatus.OFF_SALE)}, {"status": int(status)}
    audit_log.record(session, actor, f"{product.__tablename__} publish", product, before=before, after=after)


def _open_to_students(session: Session, module: Course) -> None:
    assert module.degree_course_id is not None
    additions.hold_sales(session, module.degree_course_id)
    session.flush()
    additions.open_module_to_students(session, module)


# ---------------------------------------------------------------- on and off sale


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product that would change, with the orders for it that wait for their payment."""

    id: int
    name: str
    kind: ProductKind
    status: ProductStatus
    waiting: int


@dataclass(frozen=True, slots=True)
class Hindered:
    """A product that cannot change, and why: it is a draft, or lacks something."""

    id: int
    name: str
    is_draft: bool
    gaps: Sequence[Remark]


@dataclass(frozen=True, slots=True)
class SalePlan:
    """What would become of the products chosen."""

    status: ProductStatus
    changing: Sequence[Candidate]
    hindered: Sequence[Hindered]
    unchanged: int
    mark: str
    campaigns: int  # bound to one of them and not over: running, or to come
    coupons: int  # of any campaign bound to one of them, in people's hands and still good

    @property
    def ids(self) -> list[int]:
        return [candidate.id for candidate in self.changing]

    @property
    def waiting(self) -> int:
        return sum(candidate.waiting for candidate in self.changing)


def plan(product_ids: Iterable[int], status: ProductStatus) -> SalePlan:
    """What a change would do, without doing it; unknown ids are left out."""
    return _plan(db.session(), product_ids, status)


def _plan(session: Session, product_ids: Iterable[int], status: ProductStatus) -> SalePlan:
    wanted = sorted(set(product_ids))[:MOST]
    rows = session.scalars(select(Product).where(Product.id.in_(wanted)).order_by(Product.id)).all()
    drafts = [row for row in rows if row.published_time is None]
    others = [row for row in rows if row.published_time is not None and row.status is not status]
    hindered = [Hindered(row.id, row.name, True, ()) for row in drafts]
    if status is ProductStatus.ON_SALE:
        for row in others:
            if gaps := gaps_before_publishing(facts_of(loaded(session, row.id))):
                hindered.append(Hindered(row.id, row.name, False, gaps))
    stopped = {row.id for row in hindered}
    waiting = _waiting(session, [row.id for row in others])
    changing = [
        Candidate(row.id, row.name, row.kind, row.status, waiting.get(row.id, 0))
        for row in others
        if row.id not in stopped
    ]
    shown = repr([(row.id, row.name, row.status) for row in changing]) + repr(status)
    mark = hashlib.sha256(shown.encode()).hexdigest()[:24]
    unchanged = len(rows) - len(drafts) - len(others)
    bound = _bound(session, [candidate.id for candidate in changing])
    return SalePlan(status, changing, hindered, unchanged, mark, *bound)


def _waiting(session: Session, product_ids: list[int]) -> dict[int, int]:
    rows = session.execute(
        select(OrderDetail.product_id, func.count())
        .where(OrderDetail.product_id.in_(product_ids), OrderDetail.pending_account_id.is_not(None))
        .group_by(OrderDetail.product_id)
    )
    return {row[0]: row[1] for row in rows}


def _bound(session: Session, product_ids: list[int]) -> tuple[int, int]:
    """How many campaigns of these products go on, and how many of their coupons wait to be used."""
    now = clock.now()
    running = select(func.count()).where(
        Coupon.product_id.in_(product_ids), Coupon.enabled, Coupon.close_date >= clock.local_date(now)
    )
    good = CouponRecord.status == CouponStatus.UNUSED, CouponRecord.valid_until >= now
    unused = (
        select(func.count()).select_from(CouponRecord).join(Coupon).where(Coupon.product_id.in_(product_ids), *good)
    )
    return session.scalar(running) or 0, session.scalar(unused) or 0


def apply(product_ids: Iterable[int], status: ProductStatus, mark: str, *, actor: Actor) -> int:
    """Do what ``plan`` said; how many changed. Raises Changed when it would be something else now; StaffOnly."""
    with change(actor) as session:
        found = _plan(session, product_ids, status)
        if mark != found.mark:
            raise Changed
        for candidate in found.changing:
            product = session.get_one(Product, candidate.id)
            before, after = {"status": int(product.status)}, {"status": int(status)}
            product.status = status
            audit_log.record(session, actor, f"{product.__tablename__} sale", product, before=before, after=after)
        return len(found.changing)
