"""贝里 move only together with their record."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from shop.enums import TransactionType
from shop.errors import NotEnoughBeli
from shop.extensions import db, unit_of_work
from shop.models import Account, TransactionRecord
from shop.services import wallet
from tests.builders import a_student
from tests.statements import counted


def move(account_id: int, kind: TransactionType, amount: int) -> TransactionRecord:
    with unit_of_work() as session:
        record = wallet.move_beli(session, account_id, kind, amount, memo="理由")
        session.expunge(record)
    return record


def balance(account_id: int) -> int:
    db.session.rollback()
    return db.session.scalars(select(Account.balance).where(Account.id == account_id)).one()


def records(account_id: int) -> list[TransactionRecord]:
    mine = TransactionRecord.account_id == account_id
    return list(db.session.scalars(select(TransactionRecord).where(mine).order_by(TransactionRecord.id)))


@pytest.mark.parametrize(
    ("kind", "after"),
    [
        (TransactionType.INCOME, 130),
        (TransactionType.REFUND, 130),
        (TransactionType.EXPENSE, 70),
        (TransactionType.WITHDRAWAL, 70),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_b36_balance_and_record_change_together_and_the_kind_gives_the_direction(
    app: Flask, kind: TransactionType, after: int
) -> None:
    account_id = a_student(beli=100).id
    record = move(account_id, kind, 30)
    assert (record.amount, record.balance_after, record.transaction_type, record.memo) == (30, after, kind, "理由")
    assert balance(account_id) == after


def test_the_whole_balance_can_be_spent_and_not_one_more(app: Flask) -> None:
    account_id = a_student(beli=100).id
    with pytest.raises(NotEnoughBeli) as refusal:
        move(account_id, TransactionType.EXPENSE, 101)
    assert (refusal.value.code, refusal.value.facts) == (1002, {"wanted": 101, "balance": 100})
    assert (balance(account_id), len(records(account_id))) == (100, 1)
    move(account_id, TransactionType.EXPENSE, 100)
    assert balance(account_id) == 0


def test_each_record_continues_the_balance_of_the_one_before(app: Flask) -> None:
    account_id = a_student(beli=100).id
    for kind, amount in ((TransactionType.EXPENSE, 40), (TransactionType.REFUND, 15), (TransactionType.INCOME, 1)):
        move(account_id, kind, amount)
    assert [record.balance_after for record in records(account_id)] == [100, 60, 75, 76]


@pytest.mark.parametrize("amount", [0, -5])
def test_moving_nothing_writes_nothing(app: Flask, amount: int) -> None:
    account_id = a_student(beli=10).id
    with pytest.raises(ValueError, match="at least one"):
        move(account_id, TransactionType.EXPENSE, amount)
    assert (balance(account_id), len(records(account_id))) == (10, 1)


def test_an_unknown_account_is_no_refusal_but_an_error(app: Flask) -> None:
    with pytest.raises(LookupError):
        move(999_999, TransactionType.INCOME, 5)


def test_what_fails_later_in_the_transaction_takes_the_move_back(app: Flask) -> None:
    account_id = a_student(beli=100).id

    def spend_and_fail() -> None:
        with unit_of_work() as session:
            wallet.move_beli(session, account_id, TransactionType.EXPENSE, 60)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        spend_and_fail()
    assert (balance(account_id), len(records(account_id))) == (100, 1)


def test_transaction_numbers_have_128_random_bits(app: Flask) -> None:
    account_id = a_student().id
    numbers = {move(account_id, TransactionType.INCOME, 1).transaction_number for _ in range(50)}
    assert len(numbers) == 50
    assert all(re.fullmatch(r"[0-9a-f]{32}", number) for number in numbers)


def test_the_statement_is_newest_first_paged_and_only_ones_own(app: Flask) -> None:
    account_id, other_id = a_student(beli=1000).id, a_student(beli=7).id
    for amount in range(1, wallet.ROWS_A_PAGE + 1):
        move(account_id, TransactionType.EXPENSE, amount)
    with counted() as sent:
        first = wallet.statement(account_id, 1)
    assert len(sent) <= 3
    assert (first.balance, first.page, first.pages) == (790, 1, 2)
    assert [found.amount for found in first.moves[:2]] == [-20, -19]
    assert first.moves[0].balance_after == 790
    assert [found.amount for found in wallet.statement(account_id, 2).moves] == [1000]
    assert wallet.statement(account_id, 99).page == 2
    assert [found.amount for found in wallet.statement(other_id, 1).moves] == [7]
