"""Withdrawals as finance looks through them. Where the money goes is shown on request, one at a time, and logged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import aliased

from shop.enums import Choice, WithdrawalState
from shop.errors import NotFound, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, Withdrawal
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, keyset
from shop.services.audit_log import Actor
from shop.services.keyset import Cursor, Window
from shop.services.withdrawals import masked
from shop.wording import mark as _


class Queue(Choice):
    """The tabs of the list."""

    WAITING = 0, _("待审核")
    APPROVED = 1, _("待打款")
    OVER = 2, _("已结束")


WHERE: Mapping[Queue, Sequence[ColumnElement[bool]]] = {
    Queue.WAITING: (Withdrawal.state == WithdrawalState.WAITING,),
    Queue.APPROVED: (Withdrawal.state == WithdrawalState.APPROVED,),
    Queue.OVER: (Withdrawal.state.in_((WithdrawalState.PAID, WithdrawalState.REFUSED)),),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One request; its payee is masked."""

    id: int
    account_id: int
    username: str
    amount: int  # 贝里
    amount_fen: int
    state: WithdrawalState
    payee: str
    requested_time: datetime


@dataclass(frozen=True, slots=True)
class Whole:
    """One request with who decided what; ``payee_name`` is masked too."""

    line: Line
    payee_name: str
    handler_id: int | None
    handler: str
    decision: str
    decided_time: datetime | None
    payer: str
    paid_time: datetime | None
    payment_number: str | None
    history: Sequence[AuditLog]


@dataclass(frozen=True, slots=True)
class Payee:
    """Where the money goes, for the eyes that have asked."""

    account: str
    name: str


def counts() -> dict[Queue, int]:
    """How many wait; those that are over are not counted."""
    open_ones = (Queue.WAITING, Queue.APPROVED)
    row = db.session.execute(select(*(_count(queue) for queue in open_ones))).one()
    return dict(zip(open_ones, row, strict=True))


def _count(queue: Queue) -> Any:
    return select(func.count()).select_from(Withdrawal).where(*WHERE[queue]).scalar_subquery().label(queue.name)


def listed(queue: Queue, cursor: Cursor, size: int = keyset.SIZE) -> Window[Line]:
    """The requests of a queue, the longest waiting first; those that are over, newest first. Raises NotFound."""
    query = select(Withdrawal, Account.username).join(Account, Account.id == Withdrawal.account_id)
    found = keyset.page(
        db.session(),
        query.where(*WHERE[queue]),
        Withdrawal.requested_time,  # type: ignore[arg-type]
        Withdrawal.id,  # type: ignore[arg-type]
        place_of=lambda row: (row[0].requested_time, row[0].id),
        cursor=cursor,
        size=size,
        is_descending=queue is Queue.OVER,
    )
    return Window([_line(*row) for row in found.rows], found.before, found.after)


def everything(queue: Queue) -> Iterator[Line]:
    """The whole queue, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(queue, cursor, keyset.BATCH))


def _line(row: Withdrawal, username: str) -> Line:
    return Line(
        id=row.id,
        account_id=row.account_id,
        username=username,
        amount=row.amount,
        amount_fen=row.amount_fen,
        state=row.state,
        payee=masked(row.payee_account) if row.payee_account else "",
        requested_time=row.requested_time,
    )


def whole(withdrawal_id: int) -> Whole:
    """Raises NotFound."""
    session = db.session()
    handler, payer = aliased(Account), aliased(Account)
    found = session.execute(
        select(Withdrawal, Account.username, handler.username, payer.username)
        .join(Account, Account.id == Withdrawal.account_id)
        .outerjoin(handler, handler.id == Withdrawal.handler_id)
        .outerjoin(payer, payer.id == Withdrawal.payer_id)
        .where(Withdrawal.id == withdrawal_id)
    ).one_or_none()
    if found is None:
        raise NotFound
    row, username, handled_by, paid_by = found
    about = AuditLog.subject_table == Withdrawal.__tablename__, AuditLog.subject_id == row.id
    return Whole(
        line=_line(row, username),
        payee_name=f"{row.payee_name[:1]}*" if row.payee_name else "",
        handler_id=row.handler_id,
        handler=handled_by or "",
        decision=row.decision,
        decided_time=row.decided_time,
        payer=paid_by or "",
        paid_time=row.paid_time,
        payment_number=row.payment_number,
        history=session.scalars(select(AuditLog).where(*about).order_by(AuditLog.id)).all(),
    )


def show_payee(withdrawal_id: int, *, actor: Actor, reason: str) -> Payee:
    """Where the money of a request that is open goes; the look and its reason are in the audit log.

    Raises NotFound, also once nothing is left to pay; StaffOnly; ValueError without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.WITHDRAWALS):
            raise StaffOnly
        row = session.get(Withdrawal, withdrawal_id)
        if row is None or row.state not in (WithdrawalState.WAITING, WithdrawalState.APPROVED):
            raise NotFound
        audit_log.record(session, actor, "withdrawal look", row, reason=reason)
        return Payee(row.payee_account, row.payee_name)
