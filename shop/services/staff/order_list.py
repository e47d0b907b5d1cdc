"""Orders as staff look for them: filtered, sorted, page by page, or all of them as they are read (10⁶ rows)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, or_, select, union

from shop import clock
from shop.enums import Choice, OrderStatus, PaymentState, RefundState
from shop.extensions import db
from shop.models import Account, AuditRun, CouponRecord, Order, OrderDetail, OrderNote, Payment, Refund, Trouble
from shop.services import keyset
from shop.services.audit_queries.enrolments import paid_line_is_delivered
from shop.services.keyset import Cursor, Window
from shop.services.staff.reports.revenue import is_of_revenue
from shop.wording import mark as _

LATELY = timedelta(days=3)  # longer than from one nightly audit to the next


class Sort(Choice):
    """The order of the list; the id decides between equals."""

    NEWEST = 0, _("下单时间，新的在前")
    OLDEST = 1, _("下单时间，旧的在前")
    DEAREST = 2, _("实付金额，高的在前")
    CHEAPEST = 3, _("实付金额，低的在前")


class Snag(Choice):
    """What can be wrong with an order, or be waited for."""

    UNDELIVERED = 0, _("已付款未开通")
    MONEY = 1, _("有待处理的款项")
    REFUND_FAILED = 2, _("退款失败")
    NOTE_DUE = 3, _("备注到期")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; None means no matter. Days are Shanghai's and count whole."""

    status: OrderStatus | None = None
    since: date | None = None
    until: date | None = None
    least_fen: int | None = None
    most_fen: int | None = None
    product_id: int | None = None
    coupon_id: int | None = None
    account_id: int | None = None
    trouble: Snag | None = None
    sort: Sort = Sort.NEWEST


@dataclass(frozen=True, slots=True)
class Line:
    """One order in the list."""

    id: int
    order_number: str
    username: str
    account_id: int
    status: OrderStatus
    date: datetime
    pay_time: datetime | None
    list_amount_fen: int
    beli: int
    actual_amount_fen: int
    returned_fen: int  # of that, what went back


_RETURNED = (
    select(func.coalesce(func.sum(Refund.amount_fen), 0))
    .outerjoin(Payment, Payment.id == Refund.payment_id)
    .where(Refund.order_id == Order.id, Refund.state == RefundState.DONE, is_of_revenue())
    .correlate(Order)
    .scalar_subquery()
)
_COLUMNS = (
    *(Order.id, Order.order_number, Account.username, Order.account_id, Order.status, Order.date, Order.pay_time),
    *(Order.list_amount_fen, Order.beli, Order.actual_amount_fen, _RETURNED.label("returned_fen")),
)


def listed(wanted: Wanted, cursor: Cursor, size: int = keyset.SIZE) -> Window[Line]:
    """One page in one statement. Raises NotFound for a cursor that cannot be one."""
    by: ColumnElement[Any] = Order.actual_amount_fen if _is_by_amount(wanted) else Order.date  # type: ignore[assignment]
    found = keyset.page(
        db.session(),
        _query(wanted),
        by,
        Order.id,  # type: ignore[arg-type]
        place_of=lambda row: (row.actual_amount_fen if _is_by_amount(wanted) else row.date, row.id),
        cursor=cursor,
        size=size,
        is_descending=wanted.sort in (Sort.NEWEST, Sort.DEAREST),
    )
    return Window([_line(row) for row in found.rows], found.before, found.after)


def everything(wanted: Wanted) -> Iterator[Line]:
    """The whole list, read batch by batch as it is asked for: a file of a million rows never sits in memory."""
    return keyset.every(lambda cursor: listed(wanted, cursor, keyset.BATCH))


def _is_by_amount(wanted: Wanted) -> bool:
    return wanted.sort in (Sort.DEAREST, Sort.CHEAPEST)


def _query(wanted: Wanted) -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS).join(Account, Account.id == Order.account_id).where(*_where(wanted))


def _where(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.status is not None:
        yield Order.status == wanted.status
    if wanted.since:
        yield Order.date >= clock.start_of_day(wanted.since)
    if wanted.until:
        yield Order.date <= clock.end_of_day(wanted.until)
    if wanted.least_fen is not None:
        yield Order.actual_amount_fen >= wanted.least_fen
    if wanted.most_fen is not None:
        yield Order.actual_amount_fen <= wanted.most_fen
    if wanted.account_id:
        yield Order.account_id == wanted.account_id
    if wanted.product_id:
        yield exists().where(OrderDetail.order_id == Order.id, OrderDetail.product_id == wanted.product_id)
    if wanted.coupon_id:
        served = or_(
            OrderDetail.coupon_record_id == CouponRecord.id, OrderDetail.site_coupon_record_id == CouponRecord.id
        )
        yield exists().where(OrderDetail.order_id == Order.id, served, CouponRecord.coupon_id == wanted.coupon_id)
    if wanted.trouble is not None:
        yield Order.id.in_(troubled(wanted.trouble))


def troubled(trouble: Snag) -> Select[int]:
    """The ids of the orders with this trouble: few, and found by small indexes."""
    if trouble is Snag.UNDELIVERED:
        return _undelivered()
    if trouble is Snag.REFUND_FAILED:
        return select(Refund.order_id).where(Refund.state == RefundState.FAILED)
    if trouble is Snag.NOTE_DUE:
        return select(OrderNote.order_id).where(
            OrderNote.follow_up_date <= clock.local_date(clock.now()), OrderNote.done_time.is_(None)
        )
    odd = select(Trouble.payment_id).where(Trouble.resolved_time.is_(None), Trouble.payment_id.is_not(None))
    unfinished = Refund.state.not_in((RefundState.DONE, RefundState.REFUSED, RefundState.WITHDRAWN))
    going_back = (Payment.state == PaymentState.SURPLUS) & exists().where(Refund.payment_id == Payment.id, unfinished)
    return select(Payment.order_id).where(or_(Payment.id.in_(odd), going_back))


def _undelivered() -> Select[int]:
    """Asked of the orders of the last days and of the lines that the last audit named, not of every order there is."""
    named = db.session.scalars(select(AuditRun.findings).order_by(AuditRun.id.desc()).limit(1)).first() or []
    ids = [
        line for finding in named if finding.get("name") == paid_line_is_delivered.__name__ for line in finding["ids"]
    ]
    broken = paid_line_is_delivered()
    lately = broken.where(Order.pay_time >= clock.now() - LATELY)
    lines = union(lately, broken.where(OrderDetail.id.in_(ids))).subquery()
    return select(OrderDetail.order_id).where(OrderDetail.id.in_(select(lines.c.id)))


def _line(row: Row[*tuple[Any, ...]]) -> Line:
    return Line(
        id=row.id,
        order_number=row.order_number,
        username=row.username,
        account_id=row.account_id,
        status=row.status,
        date=row.date,
        pay_time=row.pay_time,
        list_amount_fen=row.list_amount_fen,
        beli=row.beli,
        actual_amount_fen=row.actual_amount_fen,
        returned_fen=int(row.returned_fen),
    )
