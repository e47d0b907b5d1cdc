"""What a check is, and the words that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, false, func, select

from shop.enums import OrderStatus, PaymentState, RefundCause, RefundState, TransactionType
from shop.models import Refund, RefundDetail, TransactionRecord

Broken = Select[Any]  # selects one column: the ids of the rows that break a rule

PAID = (OrderStatus.PAID, OrderStatus.REFUND_REQUESTED)  # "paid" of design 8
LIVING = (OrderStatus.PENDING, *PAID)
ONCE_PAID = (*PAID, OrderStatus.REFUNDED)
ENDED = (OrderStatus.CANCELLED, OrderStatus.TIMED_OUT)
RECEIVED = (PaymentState.PAID, PaymentState.SURPLUS)
OF_LINES = (RefundCause.STUDENT, RefundCause.STAFF)  # refunds of what an order sold
OF_SURPLUS = (RefundCause.LATE, RefundCause.DOUBLE)  # refunds of money that no order could use
DROPPED = (RefundState.REFUSED, RefundState.WITHDRAWN)  # nothing has moved, and nothing will


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must always hold: ``query`` selects the ids of the rows of ``table`` that break it."""

    name: str
    table: str
    says: str
    query: Callable[[], Broken]


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks of one group, in the order in which they are written. Each is a function; its name is the check's."""

    found: list[Check] = field(default_factory=list)

    def __call__(self, table: Any, says: str) -> Callable[[Callable[[], Broken]], Callable[[], Broken]]:
        """Make a check of a function: ``says`` is the rule that the rows of ``table`` keep."""

        def add(query: Callable[[], Broken]) -> Callable[[], Broken]:
            self.found.append(Check(query.__name__, table.__tablename__, says, query))
            return query

        return add


def signed_amount() -> ColumnElement[int]:
    """What a transaction record adds to a balance."""
    record = TransactionRecord
    income = [kind for kind in TransactionType if kind.sign > 0]
    return case((record.transaction_type.in_(income), record.amount), else_=-record.amount)


def unless_true(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """NOT that also holds where an outer join found no row."""
    return func.coalesce(condition, false()) == false()


def or_zero(amount: Any) -> Any:
    """Nothing where an outer join found no row."""
    return func.coalesce(amount, 0)


def repeated(row_id: Any, *key: Any, join: Any = None, where: Any = None) -> Broken:
    """The later ones of rows that have the same key."""
    rows = select(row_id.label("id"), *(part.label(f"key{n}") for n, part in enumerate(key)))
    if join is not None:
        rows = rows.join(join)
    if where is not None:
        rows = rows.where(where)
    names = [f"key{n}" for n, _ in enumerate(key)]
    every, group = rows.subquery(), rows.subquery()
    first = (
        select(func.min(group.c.id).label("id"), *(group.c[name] for name in names))
        .group_by(*(group.c[name] for name in names))
        .having(func.count() > 1)
        .subquery()
    )
    same = and_(every.c.id > first.c.id, *(every.c[name] == first.c[name] for name in names))
    return select(every.c.id).join(first, same)


def refunded_lines() -> Subquery:
    """``line_id`` of every order line whose refund is done."""
    return (
        select(RefundDetail.order_detail_id.label("line_id"))
        .join(Refund, Refund.id == RefundDetail.refund_id)
        .where(Refund.state == RefundState.DONE)
        .distinct()
        .subquery()
    )
