"""贝里: the one way a balance changes, and the statement of how it came about."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from shop.enums import Purse, TransactionType
from shop.errors import NotEnoughBeli
from shop.extensions import db
from shop.models import Account, EnrolledDegreeCourse, Order, ScoreRecord, TransactionRecord

ROWS_A_PAGE = 20
ROWS_A_BATCH = 500


@dataclass(frozen=True, slots=True)
class Move:
    """One line of a statement; amount carries its sign."""

    number: str
    kind: TransactionType
    amount: int
    balance_after: int
    time: datetime
    memo: str
    order_number: str | None
    is_refund: bool  # of a paid order, not of one that ended unpaid
    purse: Purse | None  # of a degree, that it was paid out of
    enrolment_id: int | None  # of that degree; none once the page about it is gone
    withdrawal_id: int | None
    is_gift: bool = False  # given by staff


@dataclass(frozen=True, slots=True)
class Statement:
    """One page of an account's moves, newest first, under its balance now (贝里)."""

    balance: int
    moves: tuple[Move, ...]
    page: int
    pages: int
    kind: TransactionType | None  # only these, or all


def move_beli(
    session: Session,
    account_id: int,
    kind: TransactionType,
    amount: int,
    *,
    order_id: int | None = None,
    refund_id: int | None = None,
    score_record_id: int | None = None,
    withdrawal_id: int | None = None,
    gift_id: int | None = None,
    memo: str | None = None,
) -> TransactionRecord:
    """The record of having moved whole 贝里 in or out of a balance, as the kind says (design 5, 11).

    Balance and record change together in the caller's transaction, and the row itself decides whether there is enough.
    Raises NotEnoughBeli (1002), ValueError for an amount below one and LookupError for an unknown account.
    """
    if amount < 1:
        raise ValueError("a move needs at least one 贝里")
    change = update(Account).where(Account.id == account_id).values(balance=Account.balance + kind.sign * amount)
    if kind.sign < 0:
        change = change.where(Account.balance >= amount)
    balance = session.execute(change.returning(Account.balance)).scalar_one_or_none()
    if balance is None:
        raise NotEnoughBeli(wanted=amount, balance=_balance(session, account_id))
    record = TransactionRecord(
        account_id=account_id,
        transaction_type=kind,
        amount=amount,
        balance_after=balance,
        transaction_number=secrets.token_hex(16),  # 128 random bits: tells nobody how many there are
        order_id=order_id,
        refund_id=refund_id,
        score_record_id=score_record_id,
        withdrawal_id=withdrawal_id,
        gift_id=gift_id,
        memo=memo,
    )
    session.add(record)
    session.flush()
    return record


def _balance(session: Session, account_id: int) -> int:
    balance = session.scalar(select(Account.balance).where(Account.id == account_id))
    if balance is None:
        raise LookupError(f"no account {account_id}")
    return balance


def statement(account_id: int, page: int, kind: TransactionType | None = None) -> Statement:
    """One page of the account's moves of one kind, or all; a page beyond the last shows the last. Three statements."""
    session = db.session()
    mine = _moves_of(account_id, kind)
    rows = session.scalar(select(func.count()).select_from(TransactionRecord).where(*mine)) or 0
    pages = max(1, -(-rows // ROWS_A_PAGE))
    page = min(max(1, page), pages)
    found = session.execute(_STATEMENT.where(*mine).limit(ROWS_A_PAGE).offset((page - 1) * ROWS_A_PAGE))
    return Statement(_balance(session, account_id), tuple(_move(*row) for row in found), page, pages, kind)


def all_moves(account_id: int, kind: TransactionType | None = None) -> Iterator[Move]:
    """The account's moves of one kind, or all, newest first: however many, a batch at a time."""
    session = db.session()
    mine = _moves_of(account_id, kind)
    last: list[ColumnElement[bool]] = []
    while rows := session.execute(_STATEMENT.where(*mine, *last).limit(ROWS_A_BATCH)).all():
        yield from (_move(*row) for row in rows)
        last = [TransactionRecord.id < rows[-1][0].id]


def _moves_of(account_id: int, kind: TransactionType | None) -> list[ColumnElement[bool]]:
    kinds = [TransactionRecord.transaction_type == kind] if kind is not None else []
    return [TransactionRecord.account_id == account_id, *kinds]


# A student has no page of a degree that was refunded; its mentor keeps the statement.
_HAS_PAGE = or_(ScoreRecord.purse == Purse.FEE, EnrolledDegreeCourse.closed_time.is_(None))
_STATEMENT = (
    select(TransactionRecord, Order.order_number, ScoreRecord.purse, EnrolledDegreeCourse.id)
    .outerjoin(Order, Order.id == TransactionRecord.order_id)
    .outerjoin(ScoreRecord, ScoreRecord.id == TransactionRecord.score_record_id)
    .outerjoin(EnrolledDegreeCourse, and_(EnrolledDegreeCourse.id == ScoreRecord.enrolled_degree_course_id, _HAS_PAGE))
    .order_by(TransactionRecord.id.desc())
)


def _move(record: TransactionRecord, order_number: str | None, purse: Purse | None, enrolment_id: int | None) -> Move:
    return Move(
        number=record.transaction_number,
        kind=record.transaction_type,
        amount=record.transaction_type.sign * record.amount,
        balance_after=record.balance_after,
        time=record.date,
        memo=record.memo or "",
        order_number=order_number,
        is_refund=record.refund_id is not None,
        purse=purse,
        enrolment_id=enrolment_id,
        withdrawal_id=record.withdrawal_id,
        is_gift=record.gift_id is not None,
    )
