"""Codes of a campaign: made in batches, each code one coupon of the quantity; told to whoever may hand them out."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from flask_babel import lazy_gettext as _
from sqlalchemy import Row, Table, func, select
from sqlalchemy.orm import aliased

from shop import clock
from shop.enums import Choice
from shop.errors import ShopError, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, Coupon, CouponCode, CouponRecord
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, keyset
from shop.services.audit_log import Actor
from shop.services.keyset import EPOCH, Cursor, Window
from shop.services.staff import campaigns
from shop.wording import mark

# Without what is mistaken for something else when read aloud or copied: 0 O Q, 1 I L, 2 Z, 5 S, 8 B, U V.
ALPHABET = "ACDEFGHJKMNPRTWXY34679"
LENGTH = 16  # 22^16: 71 random bits
MOST_AT_ONCE = 5_000
MOST_BATCHES = 50


class NotRunning(campaigns.AlreadyChanged):
    text = _("活动没有在进行：发布并且没有停用、没有过领取结束日期的活动才能生成优惠码或发放。")


class NotEnoughLeft(ShopError):
    status, text = 422, _("只剩 %(left)s 张：数量减去已领取的和未使用的优惠码。可以先增加数量。")


class CodeState(Choice):
    """What the list can be narrowed to."""

    UNUSED = 0, mark("未使用")
    USED = 1, mark("已使用")
    RESERVED = 2, mark("留给某人的")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list of codes is narrowed to."""

    state: CodeState | None = None
    batch: int | None = None  # microseconds since 1970 of its making


@dataclass(frozen=True, slots=True)
class Line:
    """One code: who has used it, or for whom it is kept."""

    id: int
    code: str  # in groups of four
    batch: int
    created_time: datetime
    used_by: str | None
    reserved_for: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Codes that were made together."""

    key: int
    created_time: datetime
    count: int
    used: int


def generate(coupon_id: int, count: int, *, actor: Actor, reason: str) -> int:
    """So many new codes for a campaign that runs; the key of their batch. All of them or none.

    Raises NotFound, NotRunning, NotEnoughLeft, StaffOnly.
    """
    reason = audit_log.checked_reason(reason)
    if not 1 <= count <= MOST_AT_ONCE:
        raise ValueError(f"1 to {MOST_AT_ONCE} codes at a time")
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.COUPON_GIVE):
            raise StaffOnly
        coupon = campaigns.locked(session, coupon_id)
        now = clock.now()
        check_running(coupon, now)
        left = coupon.quantity - coupon.claimed - campaigns.open_codes(session, coupon.id)
        if count > left:
            raise NotEnoughLeft(left=left)
        rows = [{"code": code, "coupon_id": coupon.id, "created_time": now} for code in new_codes(count)]
        session.execute(cast(Table, CouponCode.__table__).insert(), rows)
        audit_log.record(session, actor, "coupon codes", coupon, after={"count": count}, reason=reason)
    return batch_key(now)


def check_running(coupon: Coupon, now: datetime) -> None:
    """Raises NotRunning for a draft, and for what is stopped or over."""
    if not coupon.enabled or coupon.close_date < clock.local_date(now):
        raise NotRunning


def new_codes(count: int) -> set[str]:
    """So many different ones; whether the shop has one of them already is for its unique key to say."""
    codes: set[str] = set()
    while len(codes) < count:
        codes.add("".join(secrets.choice(ALPHABET) for _each in range(LENGTH)))
    return codes


def batch_key(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)


# ---------------------------------------------------------------- looking


_owner, _reserved = aliased(Account), aliased(Account)


def open_count(coupon_id: int) -> int:
    """How many nobody has used yet."""
    return campaigns.open_codes(db.session(), coupon_id)


def batches(coupon_id: int) -> list[Batch]:
    """The latest batches of a campaign, the newest first."""
    rows = db.session.execute(
        select(CouponCode.created_time, func.count(), func.count(CouponCode.record_id))
        .where(CouponCode.coupon_id == coupon_id)
        .group_by(CouponCode.created_time)
        .order_by(CouponCode.created_time.desc())
        .limit(MOST_BATCHES)
    )
    return [Batch(batch_key(made), made, count, used) for made, count, used in rows]


def listed(coupon_id: int, wanted: Wanted, cursor: Cursor, size: int = keyset.SIZE) -> Window[Line]:
    """One page of codes, the latest first, in one statement. Raises NotFound for a cursor that cannot be one."""
    query = (
        select(CouponCode.id, CouponCode.code, CouponCode.created_time, _owner.username, _reserved.username)
        .select_from(CouponCode)
        .outerjoin(CouponRecord, CouponRecord.id == CouponCode.record_id)
        .outerjoin(_owner, _owner.id == CouponRecord.account_id)
        .outerjoin(_reserved, _reserved.id == CouponCode.account_id)
        .where(CouponCode.coupon_id == coupon_id, *_where(wanted))
    )
    found = keyset.page(
        db.session(),
        query,
        CouponCode.id,  # type: ignore[arg-type]
        CouponCode.id,  # type: ignore[arg-type]
        place_of=lambda row: (row.id, row.id),
        cursor=cursor,
        size=size,
    )
    return Window([_line(row) for row in found.rows], found.before, found.after)


def everything(coupon_id: int, wanted: Wanted) -> Iterator[Line]:
    """The whole list, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(coupon_id, wanted, cursor, keyset.BATCH))


def _where(wanted: Wanted) -> Iterator[Any]:
    if wanted.state is CodeState.USED:
        yield CouponCode.record_id.is_not(None)
    elif wanted.state is not None:
        yield CouponCode.record_id.is_(None)
    if wanted.state is CodeState.RESERVED:
        yield CouponCode.account_id.is_not(None)
    if wanted.batch is not None:
        yield CouponCode.created_time == EPOCH + timedelta(microseconds=wanted.batch)


def _line(row: Row[*tuple[Any, ...]]) -> Line:
    ident, code, made, used_by, reserved_for = row
    return Line(ident, "-".join(_groups(code)), batch_key(made), made, used_by, reserved_for)


def _groups(code: str) -> Sequence[str]:
    """Four by four, as people read them out; dashes are ignored where a code is typed."""
    return [code[at : at + 4] for at in range(0, len(code), 4)]
