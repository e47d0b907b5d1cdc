"""Coupons given to people by name: to all of a list or to nobody, and a limited number a day (safety.md 4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import lazy_gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import MessageType
from shop.errors import NotFound, ShopError, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, Coupon, CouponRecord
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, coupons, locks, messages
from shop.services.accounts import normal_username
from shop.services.audit_log import Actor
from shop.services.staff import campaigns
from shop.services.staff.coupon_codes import NotEnoughLeft, check_running
from shop.wording import mark

MOST_A_DAY = 200  # records that one clerk gives
GIVEN = "coupon_record give"
TOLD = mark("您收到一张优惠券「%(coupon)s」，%(until_time)s 前可用。")
BETWEEN = re.compile(r"[\s,，;；、]+")


class UnknownNames(ShopError):
    status, text = 422, _("有不认识的用户名，没有发给任何人：%(names)s")


class DayIsFull(ShopError):
    text = _("每人每天最多发放 %(most)s 张，您今天还能发 %(left)s 张。没有发给任何人。")


@dataclass(frozen=True, slots=True)
class Plan:
    """Who of a list would get one: user names, in the order of the list."""

    gets: tuple[str, ...]
    has: tuple[str, ...]  # already; stays as it is
    unknown: tuple[str, ...]  # no account that can have coupons: none of this name, staff, disabled
    left: int  # coupons
    left_today: int  # that this clerk may still give


def names_in(text: str) -> list[str]:
    """User names in a pasted list, each once, however they are set apart."""
    found = (normal_username(name) for name in BETWEEN.split(text) if name)
    return list(dict.fromkeys(name for name in found if name))


def dry_run(coupon_id: int, names: Sequence[str], *, actor: Actor) -> Plan:
    """What giving would do just now; writes nothing. Raises NotFound."""
    session = db.session()
    coupon = session.get(Coupon, coupon_id)
    if coupon is None:
        raise NotFound
    _ids, plan = _plan(session, coupon, names, actor)
    return plan


def give(coupon_id: int, names: Sequence[str], *, actor: Actor, reason: str) -> Plan:
    """One for everybody on the list who has none; each is told. Nobody gets one when anything is wrong.

    Raises NotFound, NotRunning, UnknownNames, NotEnoughLeft, DayIsFull, ClaimRefused, StaffOnly.
    """
    reason = audit_log.checked_reason(reason)
    now = clock.now()
    with unit_of_work() as session:
        if actor.account_id is None or not clerks.may(session, actor, Task.COUPON_GIVE):
            raise StaffOnly
        locks.lock_account(session, actor.account_id)  # the day's count of one clerk goes up one request at a time
        coupon = campaigns.locked(session, coupon_id)
        check_running(coupon, now)
        ids, plan = _plan(session, coupon, names, actor)
        if plan.unknown:
            raise UnknownNames(names=", ".join(plan.unknown[:20]))
        if len(plan.gets) > plan.left:
            raise NotEnoughLeft(left=plan.left)
        if len(plan.gets) > plan.left_today:
            raise DayIsFull(most=MOST_A_DAY, left=plan.left_today)
        for name in plan.gets:
            record = coupons.hand_out(session, ids[name], coupon.id, now)
            audit_log.record(session, actor, GIVEN, record, after={"coupon": coupon.id}, reason=reason)
            _tell(session, record)
        return plan


def _tell(session: Session, record: CouponRecord) -> None:
    facts = {"coupon": record.coupon.name, "until_time": record.valid_until}
    message = messages.Message(MessageType.COUPON, TOLD, facts, link="/account/coupons")
    messages.tell_all(session, record.account_id, [message])


def _plan(session: Session, coupon: Coupon, names: Sequence[str], actor: Actor) -> tuple[dict[str, int], Plan]:
    """Three statements, however long the list is."""
    rows = session.execute(
        select(Account.username, Account.id, CouponRecord.id)
        .outerjoin(CouponRecord, (CouponRecord.account_id == Account.id) & (CouponRecord.coupon_id == coupon.id))
        .where(Account.username.in_(names), Account.is_active, ~Account.is_staff)
    ).all()
    ids = {username: account_id for username, account_id, _record in rows}
    owners = {username for username, _account, record_id in rows if record_id is not None}
    plan = Plan(
        gets=tuple(name for name in names if name in ids and name not in owners),
        has=tuple(name for name in names if name in owners),
        unknown=tuple(name for name in names if name not in ids),
        left=max(0, coupon.quantity - coupon.claimed - campaigns.open_codes(session, coupon.id)),
        left_today=max(0, MOST_A_DAY - _given_today(session, actor)),
    )
    return ids, plan


def _given_today(session: Session, actor: Actor) -> int:
    since = clock.start_of_day(clock.local_date(clock.now()))
    mine = (AuditLog.account_id == actor.account_id, AuditLog.action == GIVEN, AuditLog.date >= since)
    return session.scalar(select(func.count()).select_from(AuditLog).where(*mine)) or 0
