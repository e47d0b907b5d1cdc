"""Campaigns as operations run them: a draft is written and published; after that people rely on its terms (B40).

A row of ``coupon`` is the campaign. It is a draft until it has been published; whoever claims one has their own window
from then on, whatever becomes of the campaign.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import func, null, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import CouponKind, CourseType
from shop.errors import NotFound, NotYourTurn, ShopError, StaffOnly
from shop.extensions import unit_of_work
from shop.gateways import page_cache
from shop.models import Coupon, CouponCode, Course, Product
from shop.rules import campaigns, pricing
from shop.rules.campaigns import Fault
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks
from shop.services.audit_log import Actor


class NameTaken(ShopError):
    status, text = 422, _("已经有同名的活动，请换一个名称。")


class NoSuchProduct(ShopError):
    status, text = 422, _("这门课程不存在，或者不单独出售。")


class AlreadyPublished(NotYourTurn):
    text = _("活动已经发布，条款不能再改，草稿也不能再删除。")


class AlreadyChanged(NotYourTurn):
    text = _("活动的状态已经变了，请刷新页面再看。")


class TermsChanged(NotYourTurn):
    text = _("预演之后草稿又被修改过，请看过新的预演再发布。")


class InUse(NotYourTurn):
    text = _("有人提议过发放这张券，草稿不能删除。")


class QuantityTooSmall(ShopError):
    status, text = 422, _("数量不能少于已领取的和未使用的优惠码之和：%(least)s。")


class ClosesEarlier(ShopError):
    status, text = 422, _("领取结束日期只能延后：现在是 %(day)s。")


class ClosesAfterUse(ShopError):
    status, text = 422, _("领取结束日期不能晚于最后可用的日期 %(day)s。")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a campaign says; amounts in fen, ``pay_percent`` is what is still paid (79 is 7.9 折)."""

    name: str
    brief: str | None
    kind: CouponKind
    face_fen: int
    pay_percent: int | None
    minimum_fen: int
    product_id: int | None  # none: the whole shop
    quantity: int
    open_date: date
    close_date: date
    valid_begin_date: date | None
    valid_end_date: date | None
    valid_days: int | None
    is_public: bool

    @property
    def effect(self) -> pricing.CouponTerms:
        """What it does, as the rules see it."""
        percent = 100 if self.pay_percent is None else self.pay_percent
        return pricing.CouponTerms(self.kind, self.face_fen, percent, self.minimum_fen)

    @property
    def fold(self) -> str:
        """The 折 of a 折扣券: 79 percent paid is 7.9 折."""
        return f"{(self.pay_percent or 100) / 10:g}"

    @property
    def off_percent(self) -> int:
        """The same as English readers say it: 21 % off."""
        return 100 - (self.pay_percent or 100)

    @property
    def seal(self) -> str:
        """A short text that changes with any of the terms: what a page showed is what is published."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:32]

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day on which anybody could use one."""
        return campaigns.days_of_use(
            opens=self.open_date,
            closes=self.close_date,
            begins=self.valid_begin_date,
            ends=self.valid_end_date,
            valid_days=self.valid_days,
        )

    def faults(self) -> Iterator[tuple[str, Fault]]:
        """What is wrong with it; nothing with what a form has let through."""
        values = {
            "amount": self.face_fen or None,
            "minimum": self.minimum_fen or None,
            "pay_percent": self.pay_percent,
            "open_date": self.open_date,
            "close_date": self.close_date,
            "valid_begin_date": self.valid_begin_date,
            "valid_end_date": self.valid_end_date,
            "valid_days": self.valid_days,
        }
        there = {key: value for key, value in values.items() if value is not None}
        return campaigns.faults(campaigns.Draft(self.kind, there, there.keys()))


def terms_of(coupon: Coupon) -> Terms:
    return Terms(
        name=coupon.name,
        brief=coupon.brief,
        kind=coupon.coupon_type,
        face_fen=coupon.money_equivalent_fen,
        pay_percent=coupon.off_percent,
        minimum_fen=coupon.minimum_consume_fen,
        product_id=coupon.product_id,
        quantity=coupon.quantity,
        open_date=coupon.open_date,
        close_date=coupon.close_date,
        valid_begin_date=coupon.valid_begin_date,
        valid_end_date=coupon.valid_end_date,
        valid_days=coupon.coupon_valid_days,
        is_public=coupon.is_public,
    )


# ---------------------------------------------------------------- drafts


def create(terms: Terms, *, actor: Actor) -> int:
    """A new draft; its id. Raises NameTaken, NoSuchProduct, StaffOnly; ValueError for what a form would refuse."""
    with unit_of_work() as session:
        _check_right(session, actor)
        coupon = Coupon(claimed=0, enabled=False, published_time=null())  # None would take the column's default, now
        _put(session, coupon, terms)
        session.add(coupon)
        session.flush()
        audit_log.record(session, actor, "coupon create", coupon, after=_written(terms))
        return coupon.id


def edit(coupon_id: int, terms: Terms, *, actor: Actor) -> None:
    """Other terms for a draft. Raises what ``create`` does, NotFound, AlreadyPublished."""
    with unit_of_work() as session:
        coupon = _locked_draft(session, coupon_id, actor)
        before = terms_of(coupon)
        _put(session, coupon, terms)
        if terms != before:
            was, now = _written(before), _written(terms)
            changed = [key for key in now if was[key] != now[key]]
            audit_log.record(
                session,
                actor,
                "coupon edit",
                coupon,
                before={key: was[key] for key in changed},
                after={key: now[key] for key in changed},
            )


def delete(coupon_id: int, *, actor: Actor) -> str:
    """A draft that is not wanted any more; its name. Raises NotFound, AlreadyPublished, InUse, StaffOnly."""
    try:
        with unit_of_work() as session:
            coupon = _locked_draft(session, coupon_id, actor)
            name = coupon.name
            audit_log.record(session, actor, "coupon delete", coupon, before=_written(terms_of(coupon)))
            session.delete(coupon)
            return name
    except IntegrityError as error:
        raise InUse from error


def publish(coupon_id: int, seal: str, *, actor: Actor, reason: str) -> str:
    """Let people have it from its first day on; its name. ``seal`` is of the terms that were rehearsed.

    Raises NotFound, AlreadyPublished, TermsChanged, StaffOnly.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        coupon = _locked_draft(session, coupon_id, actor)
        terms = terms_of(coupon)
        if terms.seal != seal:
            raise TermsChanged
        coupon.published_time, coupon.enabled = clock.now(), True
        audit_log.record(session, actor, "coupon publish", coupon, after=_written(terms), reason=reason)
        name = coupon.name
    page_cache.forget_all()
    return name


# ---------------------------------------------------------------- what is published


def stop(coupon_id: int, *, actor: Actor, reason: str) -> None:
    """Nobody claims or uses one until it is resumed; orders that hold one keep it. Raises NotFound, AlreadyChanged."""
    _switch(coupon_id, False, actor, reason)


def resume(coupon_id: int, *, actor: Actor, reason: str) -> None:
    """As before it was stopped. Raises NotFound, AlreadyChanged."""
    _switch(coupon_id, True, actor, reason)


def _switch(coupon_id: int, is_on: bool, actor: Actor, reason: str) -> None:
    with _changing(coupon_id, actor) as (session, coupon):
        if coupon.enabled is is_on:
            raise AlreadyChanged
        coupon.enabled = is_on
        verb = "coupon resume" if is_on else "coupon stop"
        audit_log.record(session, actor, verb, coupon, reason=audit_log.checked_reason(reason))


def extend(coupon_id: int, quantity: int, close_date: date, *, actor: Actor, reason: str) -> None:
    """The two terms that may change later: how many, and until when they are claimed.

    Raises NotFound, QuantityTooSmall, ClosesEarlier, ClosesAfterUse, StaffOnly.
    """
    with _changing(coupon_id, actor) as (session, coupon):
        least = coupon.claimed + open_codes(session, coupon.id)
        if quantity < least:
            raise QuantityTooSmall(least=least)
        if close_date < coupon.close_date:
            raise ClosesEarlier(day=coupon.close_date.isoformat())
        if (ends := coupon.valid_end_date) and close_date > ends:
            raise ClosesAfterUse(day=ends.isoformat())
        before = {"quantity": coupon.quantity, "close_date": coupon.close_date.isoformat()}
        coupon.quantity, coupon.close_date = quantity, close_date
        after = {"quantity": quantity, "close_date": close_date.isoformat()}
        because = audit_log.checked_reason(reason)
        audit_log.record(session, actor, "coupon extend", coupon, before=before, after=after, reason=because)


@contextmanager
def _changing(coupon_id: int, actor: Actor) -> Iterator[tuple[Session, Coupon]]:
    """A published campaign, locked; its pages show the change when the transaction is over."""
    with unit_of_work() as session:
        coupon = _locked(session, coupon_id, actor)
        if coupon.published_time is None:
            raise NotFound
        yield session, coupon
    page_cache.forget_all()


# ---------------------------------------------------------------- shared


def locked(session: Session, coupon_id: int) -> Coupon:
    """The campaign; nobody claims, gives or changes it before this transaction ends. Raises NotFound."""
    coupon = session.get(Coupon, coupon_id, with_for_update=True, populate_existing=True)
    if coupon is None:
        raise NotFound
    return coupon


def open_codes(session: Session, coupon_id: int) -> int:
    """Codes that nobody has used yet: each is a coupon that was promised."""
    unused = (CouponCode.coupon_id == coupon_id, CouponCode.record_id.is_(None))
    return session.scalar(select(func.count()).select_from(CouponCode).where(*unused)) or 0


def _locked(session: Session, coupon_id: int, actor: Actor) -> Coupon:
    """The same for somebody whose right is asked for behind the lock: it may end while they wait."""
    coupon = locked(session, coupon_id)
    _check_right(session, actor)
    return coupon


def _locked_draft(session: Session, coupon_id: int, actor: Actor) -> Coupon:
    coupon = _locked(session, coupon_id, actor)
    if coupon.published_time is not None:
        raise AlreadyPublished
    return coupon


def _check_right(session: Session, actor: Actor) -> None:
    if not clerks.may(session, actor, Task.COUPONS_EDIT):
        raise StaffOnly


def _put(session: Session, coupon: Coupon, terms: Terms) -> None:
    if found := next(terms.faults(), None):
        raise ValueError(found)
    namesake = select(Coupon.id).where(Coupon.name == terms.name)
    with session.no_autoflush:
        if any(other != coupon.id for other in session.scalars(namesake)):
            raise NameTaken
        if terms.product_id is not None and not _is_sold_alone(session, terms.product_id):
            raise NoSuchProduct
    coupon.name, coupon.brief, coupon.coupon_type = terms.name, terms.brief, terms.kind
    coupon.money_equivalent_fen, coupon.off_percent = terms.face_fen, terms.pay_percent
    coupon.minimum_consume_fen, coupon.product_id = terms.minimum_fen, terms.product_id
    coupon.quantity, coupon.is_public = terms.quantity, terms.is_public
    coupon.open_date, coupon.close_date = terms.open_date, terms.close_date
    coupon.valid_begin_date, coupon.valid_end_date = terms.valid_begin_date, terms.valid_end_date
    coupon.coupon_valid_days = terms.valid_days


def _is_sold_alone(session: Session, product_id: int) -> bool:
    product, course = Product.__table__, Course.__table__
    kinds = select(course.c.course_type).select_from(product.outerjoin(course, course.c.id == product.c.id))
    row = session.execute(kinds.where(product.c.id == product_id)).one_or_none()
    return row is not None and row.course_type is not CourseType.MODULE


def _written(terms: Terms) -> dict[str, Any]:
    """As the audit log keeps it."""
    return {
        key: value.isoformat() if isinstance(value, date) else value.name if isinstance(value, CouponKind) else value
        for key, value in asdict(terms).items()
    }
