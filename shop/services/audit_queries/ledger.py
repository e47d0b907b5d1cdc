"""1. 贝里 (design 11.1; safety.md L1-L6)."""

from __future__ import annotations

from sqlalchemy import and_, case, func, or_, select

from shop.enums import RefundState, TransactionType
from shop.models import Account, Order, Refund, TransactionRecord
from shop.services.audit_queries.check import ENDED, Broken, Checks, or_zero, repeated, signed_amount, unless_true

check = checks = Checks()


@check(Account, "balance is the sum of the account's transaction records")
def balance_is_sum_of_records() -> Broken:
    record = TransactionRecord
    sums = select(record.account_id, func.sum(signed_amount()).label("sum")).group_by(record.account_id).subquery()
    return (
        select(Account.id)
        .outerjoin(sums, sums.c.account_id == Account.id)
        .where(Account.balance != or_zero(sums.c.sum))
    )


@check(Account, "balance is not below 0")
def balance_is_not_negative() -> Broken:
    return select(Account.id).where(Account.balance < 0)


@check(TransactionRecord, "amount is positive, balance_after not below 0, the number not empty")
def record_is_sound() -> Broken:
    record = TransactionRecord
    return select(record.id).where(or_(record.amount <= 0, record.balance_after < 0, record.transaction_number == ""))


@check(TransactionRecord, "has a number of its own")
def record_number_is_its_own() -> Broken:
    return repeated(TransactionRecord.id, TransactionRecord.transaction_number)


@check(TransactionRecord, "balance_after continues that of the account's record before")
def balance_after_continues() -> Broken:
    record = TransactionRecord
    before = func.lag(record.balance_after, 1, 0).over(partition_by=record.account_id, order_by=record.id)
    rows = select(record.id, record.balance_after, (before + signed_amount()).label("expected")).subquery()
    return select(rows.c.id).where(rows.c.balance_after != rows.c.expected)


@check(TransactionRecord, "a record for an order takes from its owner (支出) or gives back to its owner (退款)")
def record_is_of_orders_owner() -> Broken:
    record = TransactionRecord
    kinds = (TransactionType.EXPENSE, TransactionType.REFUND)
    return (
        select(record.id)
        .join(Order, Order.id == record.order_id)
        .where(or_(record.account_id != Order.account_id, record.transaction_type.not_in(kinds)))
    )


@check(TransactionRecord, "what an order takes are all of its 贝里 at once")
def beli_is_taken_whole() -> Broken:
    record = TransactionRecord
    return (
        select(record.id)
        .join(Order, Order.id == record.order_id)
        .where(record.transaction_type == TransactionType.EXPENSE, record.amount != Order.beli)
    )


@check(Order, "贝里 taken minus given back are those of the unrefunded lines, and 0 once the order has ended")
def beli_of_order_is_taken_once() -> Broken:
    record = TransactionRecord  # one of a refund names the order beside the refund
    moved = select(record.order_id, func.sum(-signed_amount()).label("taken")).group_by(record.order_id).subquery()
    refunded = (
        select(Refund.order_id, func.sum(Refund.beli).label("beli"))
        .where(Refund.state == RefundState.DONE)
        .group_by(Refund.order_id)
        .subquery()
    )
    outstanding = case((Order.status.in_(ENDED), 0), else_=Order.beli - or_zero(refunded.c.beli))
    return (
        select(Order.id)
        .outerjoin(moved, moved.c.order_id == Order.id)
        .outerjoin(refunded, refunded.c.order_id == Order.id)
        .where(or_zero(moved.c.taken) != outstanding)
    )


@check(Refund, "gives its 贝里 back by one record when it is done, and by none before")
def refund_gives_its_beli_once() -> Broken:
    record = TransactionRecord
    given = (
        select(record.refund_id, func.count().label("records"), func.max(record.id).label("id"))
        .where(record.refund_id.is_not(None))
        .group_by(record.refund_id)
        .subquery()
    )
    is_due = and_(Refund.state == RefundState.DONE, Refund.beli > 0)
    is_it = and_(
        record.amount == Refund.beli,
        record.transaction_type == TransactionType.REFUND,
        record.order_id == Refund.order_id,
    )
    return (
        select(Refund.id)
        .outerjoin(given, given.c.refund_id == Refund.id)
        .outerjoin(record, record.id == given.c.id)
        .where(or_(or_zero(given.c.records) != case((is_due, 1), else_=0), and_(is_due, unless_true(is_it))))
    )
