"""The audit log as it is searched: who changed what, when, and why. The database refuses to change its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from shop import clock
from shop.extensions import db
from shop.models import (
    AuditLog,
    Gift,
    Order,
    Payment,
    ReconciliationDifference,
    Refund,
    ScoreRule,
    Trouble,
    Withdrawal,
)
from shop.services import keyset
from shop.services.keyset import Cursor, Window

# what finance reads of it
OF_MONEY = tuple(
    model.__tablename__
    for model in (Order, Payment, Refund, Trouble, ReconciliationDifference, Withdrawal, Gift, ScoreRule)
)

SUBJECTS_OF_MONEY = frozenset("order" if table == Order.__tablename__ else table for table in OF_MONEY)  # in actions


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; "" and None mean no matter. Days are Shanghai's and count whole."""

    actor: str = ""
    action: str = ""  # how it begins: "refund" finds each step of a refund
    subject_id: int | None = None
    text: str = ""  # somewhere in the reason
    since: date | None = None
    until: date | None = None
    is_money_only: bool = False


def listed(wanted: Wanted, cursor: Cursor, size: int = keyset.SIZE) -> Window[AuditLog]:
    """One page, the newest first. Raises NotFound for a cursor that cannot be one."""
    found = keyset.page(
        db.session(),
        _query(wanted),
        AuditLog.id,  # type: ignore[arg-type]
        AuditLog.id,  # type: ignore[arg-type]
        place_of=lambda row: (row[0].id, row[0].id),
        cursor=cursor,
        size=size,
    )
    return Window([row[0] for row in found.rows], found.before, found.after)


def everything(wanted: Wanted) -> Iterator[AuditLog]:
    """All of it, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(wanted, cursor, keyset.BATCH))


def _query(wanted: Wanted) -> Select[*tuple[Any, ...]]:
    return select(AuditLog).where(*_where(wanted))


def _where(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.is_money_only:
        yield AuditLog.subject_table.in_(OF_MONEY)
    if wanted.actor:
        yield AuditLog.actor == wanted.actor
    if wanted.action:
        yield AuditLog.action.startswith(wanted.action, autoescape=True)
    if wanted.subject_id is not None:
        yield AuditLog.subject_id == wanted.subject_id
    if wanted.text:
        yield AuditLog.reason.icontains(wanted.text, autoescape=True)
    if wanted.since:
        yield AuditLog.date >= clock.start_of_day(wanted.since)
    if wanted.until:
        yield AuditLog.date <= clock.end_of_day(wanted.until)
