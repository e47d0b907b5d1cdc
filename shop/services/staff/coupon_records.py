"""The coupons of a campaign in people's hands, as staff look through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from shop import clock
from shop.enums import Choice, CouponStatus, OrderStatus
from shop.extensions import db
from shop.models import Account, CouponRecord, Order
from shop.services import keyset
from shop.services.keyset import Cursor, Window
from shop.wording import mark as _


class RecordState(Choice):
    """What the list of records can be narrowed to."""

    UNUSED = 0, _("未使用")
    HELD = 1, _("被待支付的订单占用")
    USED = 2, _("已使用")
    EXPIRED = 3, _("已过期")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list of records is narrowed to."""

    state: RecordState | None = None
    username: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One coupon in somebody's hands."""

    id: int
    number: str
    username: str
    state: RecordState
    get_time: datetime
    valid_from: datetime
    valid_until: datetime
    used_time: datetime | None
    order_number: str | None


def listed(coupon_id: int, wanted: Wanted, cursor: Cursor, size: int = keyset.SIZE) -> Window[Record]:
    """One page of what was claimed or given, the latest first. Raises NotFound for a cursor that cannot be one."""
    now = clock.now()
    query = (
        select(CouponRecord, Account.username, Order.order_number, Order.status)
        .join(Account, Account.id == CouponRecord.account_id)
        .outerjoin(Order, Order.id == CouponRecord.order_id)
        .where(CouponRecord.coupon_id == coupon_id)
    )
    if wanted.username:
        query = query.where(Account.username == wanted.username)
    if wanted.state is not None:
        query = query.where(_in_state(wanted.state, now))
    found = keyset.page(
        db.session(),
        query,
        CouponRecord.id,  # type: ignore[arg-type]
        CouponRecord.id,  # type: ignore[arg-type]
        place_of=lambda row: (row[0].id, row[0].id),
        cursor=cursor,
        size=size,
    )
    return Window([_record(row, now) for row in found.rows], found.before, found.after)


def everything(coupon_id: int, wanted: Wanted) -> Iterator[Record]:
    """The whole list, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(coupon_id, wanted, cursor, keyset.BATCH))


def _in_state(state: RecordState, now: datetime) -> ColumnElement[bool]:
    status, is_pending = CouponRecord.status, Order.status == OrderStatus.PENDING
    is_over = CouponRecord.valid_until < now
    conditions: Mapping[RecordState, ColumnElement[bool]] = {
        RecordState.UNUSED: and_(status == CouponStatus.UNUSED, ~is_over),
        RecordState.HELD: and_(status == CouponStatus.USED, is_pending),
        RecordState.USED: and_(status == CouponStatus.USED, ~is_pending),
        RecordState.EXPIRED: or_(status == CouponStatus.EXPIRED, and_(status == CouponStatus.UNUSED, is_over)),
    }
    return conditions[state]


def state_of(
    status: CouponStatus, valid_until: datetime, order_status: OrderStatus | None, now: datetime
) -> RecordState:
    """What a coupon is at this instant: over from its last one on, whether or not the night has marked it yet."""
    if status is CouponStatus.USED:
        return RecordState.HELD if order_status is OrderStatus.PENDING else RecordState.USED
    is_over = status is CouponStatus.EXPIRED or valid_until < now
    return RecordState.EXPIRED if is_over else RecordState.UNUSED


def _record(row: Any, now: datetime) -> Record:
    record, username, order_number, order_status = row
    return Record(
        id=record.id,
        number=record.number,
        username=username,
        state=state_of(record.status, record.valid_until, order_status, now),
        get_time=record.get_time,
        valid_from=record.valid_from,
        valid_until=record.valid_until,
        used_time=record.used_time,
        order_number=order_number,
    )
