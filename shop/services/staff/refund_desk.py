"""Refunds as staff look through them: what waits, in the order in which it has waited, and one of them whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import aliased

from shop.enums import Choice, RefundCause, RefundState
from shop.errors import NotFound
from shop.extensions import db
from shop.models import Account, AuditLog, Order, OrderDetail, Product, Refund, RefundDetail
from shop.rules.refund_states import BY_PEOPLE, OF_LINES
from shop.services import keyset, refund_decisions, refund_transfers
from shop.services.keyset import Cursor, Window
from shop.wording import mark as _


class Queue(Choice):
    """The tabs of the list."""

    ASKED = 0, _("待审核")
    SECOND = 1, _("待第二人审核")
    FAILED = 2, _("退款失败")
    UNDER_WAY = 3, _("处理中")
    OVER = 4, _("已结束")


WHERE: Mapping[Queue, Sequence[ColumnElement[bool]]] = {
    Queue.ASKED: (Refund.state == RefundState.REQUESTED, Refund.first_approver_id.is_(None)),
    Queue.SECOND: (Refund.state == RefundState.REQUESTED, Refund.first_approver_id.is_not(None)),
    Queue.FAILED: (Refund.state == RefundState.FAILED,),
    Queue.UNDER_WAY: (Refund.state.in_((RefundState.APPROVED, RefundState.IN_TRANSIT)),),
    Queue.OVER: (Refund.state.in_((RefundState.DONE, RefundState.REFUSED, RefundState.WITHDRAWN)),),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One refund in the list."""

    id: int
    number: str
    order_number: str
    username: str
    state: RefundState
    cause: RefundCause
    amount_fen: int
    beli: int
    reason: str
    requested_time: datetime
    error: str
    is_transferred: bool  # returned, or to be, another way than by Alipay


@dataclass(frozen=True, slots=True)
class Piece:
    """One order line that goes back."""

    name: str
    amount_fen: int
    beli: int


@dataclass(frozen=True, slots=True)
class Whole:
    """One refund with everything that a decision takes, and what this person may decide."""

    line: Line
    owner_id: int
    pieces: tuple[Piece, ...]
    asked_by: str  # user names; "" where nobody of the staff did
    asked_by_id: int | None
    first_approver: str
    handler: str
    decision: str
    decided_time: datetime | None
    done_time: datetime | None
    is_of_lines: bool  # of what the order sold
    is_by_people: bool  # somebody decides about it; else the shop sends it by itself
    takes_two: bool
    transfer_number: str  # "" unless it was returned, or is to be, another way than by Alipay
    transfer_by: str
    transfer_by_id: int | None
    transfer_takes_two: bool
    can_be_transferred: bool  # Alipay has refused it and has moved nothing
    persons: frozenset[int]  # who have proposed or approved it: none of them approves it (again)
    history: Sequence[AuditLog]


_COLUMNS = (
    *(Refund.id, Refund.out_request_no, Order.order_number, Account.username, Refund.state, Refund.cause),
    *(Refund.amount_fen, Refund.beli, Refund.reason, Refund.requested_time, Refund.error),
    Refund.transfer_number,
)


def counts() -> dict[Queue, int]:
    """How many wait in each queue; those that are over are not counted."""
    open_ones = [queue for queue in Queue if queue is not Queue.OVER]
    row = db.session.execute(select(*(_count(queue) for queue in open_ones))).one()
    return dict(zip(open_ones, row, strict=True))


def _count(queue: Queue) -> Any:
    return select(func.count()).select_from(Refund).where(*WHERE[queue]).scalar_subquery().label(queue.name)


def listed(queue: Queue, cursor: Cursor, size: int = keyset.SIZE) -> Window[Line]:
    """The refunds of a queue, the longest waiting first; those that are over, newest first. Raises NotFound."""
    query = select(*_COLUMNS).select_from(Refund).join(Refund.order).join(Account, Account.id == Order.account_id)
    found = keyset.page(
        db.session(),
        query.where(*WHERE[queue]),
        Refund.requested_time,  # type: ignore[arg-type]
        Refund.id,  # type: ignore[arg-type]
        place_of=lambda row: (row.requested_time, row.id),
        cursor=cursor,
        size=size,
        is_descending=queue is Queue.OVER,
    )
    return Window([_line(row) for row in found.rows], found.before, found.after)


def everything(queue: Queue) -> Iterator[Line]:
    """The whole queue, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(queue, cursor, keyset.BATCH))


def _line(row: Row[*tuple[Any, ...]]) -> Line:
    return Line(
        id=row.id,
        number=row.out_request_no,
        order_number=row.order_number,
        username=row.username,
        state=row.state,
        cause=row.cause,
        amount_fen=row.amount_fen,
        beli=row.beli,
        reason=row.reason,
        requested_time=row.requested_time,
        error=row.error,
        is_transferred=row.transfer_number is not None,
    )


def whole(out_request_no: str) -> Whole:
    """Raises NotFound."""
    session = db.session()
    asked_by, first, handler, transferrer = (aliased(Account) for _each in range(4))
    row = session.execute(
        select(
            *_COLUMNS,
            *(Order.account_id.label("owner_id"), Refund.decision, Refund.decided_time, Refund.done_time),
            *(Refund.asked_by_id, Refund.first_approver_id, Refund),
            func.coalesce(transferrer.username, "").label("transfer_by"),
            func.coalesce(asked_by.username, "").label("asked_by"),
            func.coalesce(first.username, "").label("first_approver"),
            func.coalesce(handler.username, "").label("handler"),
        )
        .select_from(Refund)
        .join(Refund.order)
        .join(Account, Account.id == Order.account_id)
        .outerjoin(asked_by, asked_by.id == Refund.asked_by_id)
        .outerjoin(first, first.id == Refund.first_approver_id)
        .outerjoin(handler, handler.id == Refund.handler_id)
        .outerjoin(transferrer, transferrer.id == Refund.transfer_by_id)
        .where(Refund.out_request_no == out_request_no)
    ).one_or_none()
    if row is None:
        raise NotFound
    pieces = session.execute(
        select(Product.name, RefundDetail.amount_fen, RefundDetail.beli)
        .join(OrderDetail, OrderDetail.id == RefundDetail.order_detail_id)
        .join(Product, Product.id == OrderDetail.product_id)
        .where(RefundDetail.refund_id == row.id)
        .order_by(RefundDetail.id)
    )
    refund: Refund = row.Refund
    is_failed = refund.state is RefundState.FAILED and refund.amount_fen > 0
    about = AuditLog.subject_table == Refund.__tablename__, AuditLog.subject_id == row.id
    return Whole(
        line=_line(row),
        owner_id=row.owner_id,
        pieces=tuple(Piece(*piece) for piece in pieces),
        asked_by=row.asked_by,
        asked_by_id=row.asked_by_id,
        first_approver=row.first_approver,
        handler=row.handler,
        decision=row.decision,
        decided_time=row.decided_time,
        done_time=row.done_time,
        is_of_lines=row.cause in OF_LINES,
        is_by_people=row.cause in BY_PEOPLE,
        takes_two=refund_decisions.takes_two(session, refund.order_id),
        transfer_number=refund.transfer_number or "",
        transfer_by=row.transfer_by,
        transfer_by_id=refund.transfer_by_id,
        transfer_takes_two=refund_transfers.takes_two(session, refund),
        can_be_transferred=is_failed and refund.transfer_number is None and not refund.is_moved_at_alipay,
        persons=frozenset(found for found in (row.asked_by_id, row.first_approver_id) if found is not None),
        history=session.scalars(select(AuditLog).where(*about).order_by(AuditLog.id)).all(),
    )
