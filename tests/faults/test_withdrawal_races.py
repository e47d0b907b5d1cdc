"""F71, F63: withdrawals in real processes that have all passed their checks before any of them writes.

Each counts its winners exactly. Whoever comes second is told, and nothing is paid, returned or approved twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import ComplaintState, Purse, TransactionType, WithdrawalState
from shop.errors import NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import (
    Appeal,
    AuditLog,
    EnrolledDegreeCourse,
    MentorAssignment,
    ScoreRecord,
    TransactionRecord,
    Withdrawal,
)
from shop.services import appeals, enrolled_degrees, purses, withdrawals
from shop.services.appeals import NotAppealable
from shop.services.audit_log import Actor
from shop.services.locks import lock_account
from tests.audit import assert_audit_clean
from tests.degrees import STAFF, a_mentor, a_studying, fresh
from tests.faults.barrier import until_waiting
from tests.faults.crowd import Crowd
from tests.faults.purchase import balance_of, count
from tests.services.test_purses import fined
from tests.services.test_withdrawals import a_clerk, the

EACH = 8
WHY = "作业在周六晚上已经批改，系统当时出错。"


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def ask(account_id: int, amount: int, most_a_day: int) -> None:
    """One request, in a process of the crowd."""
    withdrawals.MOST_A_DAY = most_a_day
    withdrawals.ask(account_id, amount, payee_account="a@example.com", payee_name="沈舟", now=clock.now())


def decide(step: str, withdrawal_id: int, clerk: Actor) -> None:
    """What a clerk does with a withdrawal, in a process of the crowd."""
    steps: dict[str, Callable[[], Any]] = {
        "approve": lambda: withdrawals.approve(withdrawal_id, actor=clerk, reason="好"),
        "refuse": lambda: withdrawals.refuse(withdrawal_id, actor=clerk, reason="不符"),
        "pay": lambda: withdrawals.pay(withdrawal_id, actor=clerk, payment_number=f"T{withdrawal_id}"),
    }
    steps[step]()


def withdrawn(account_id: int) -> int:
    db.session.rollback()
    taken = select(func.sum(TransactionRecord.amount)).where(
        TransactionRecord.account_id == account_id,
        TransactionRecord.transaction_type == TransactionType.WITHDRAWAL,
    )
    return db.session.scalar(taken) or 0


def a_request(*, approved_by: Actor | None = None) -> tuple[int, int]:
    """(account, withdrawal) of 300 out of 1000 贝里."""
    mentor_id = a_mentor(beli=1000).id
    asked = withdrawals.ask(mentor_id, 300, payee_account="a@example.com", payee_name="沈舟", now=clock.now()).id
    if approved_by is not None:
        withdrawals.approve(asked, actor=approved_by, reason="好")
    return mentor_id, asked


# ---------------------------------------------------------------- asking


@pytest.mark.parametrize("table", ["withdrawal", "account", "transaction_record"])
def test_f71_of_100_withdrawals_as_many_succeed_as_the_balance_pays_for(app: Flask, crowd: Crowd, table: str) -> None:
    """555 贝里 and 100 for each: five, and 55 are left."""
    mentor_id = a_mentor(beli=555).id
    db.session.remove()
    outcomes = crowd.outcomes(table, ask, [(mentor_id, 100, 1000)] * 100)
    assert outcomes == {"done": 555 // 100, "NotEnoughBeli": 95}
    assert (balance_of(mentor_id), withdrawn(mentor_id), count(Withdrawal)) == (55, 500, 5)


@pytest.mark.parametrize("table", ["withdrawal", "account"])
def test_f71_of_100_withdrawals_of_one_day_three_succeed(app: Flask, crowd: Crowd, table: str) -> None:
    mentor_id = a_mentor(beli=555).id
    db.session.remove()
    assert crowd.outcomes(table, ask, [(mentor_id, 100, 3)] * 100) == {"done": 3, "TooManyToday": 97}
    assert (balance_of(mentor_id), withdrawn(mentor_id), count(Withdrawal)) == (255, 300, 3)


def test_f71_withdrawals_of_many_people_do_not_wait_for_each_other(app: Flask, crowd: Crowd) -> None:
    mentors = [a_mentor(beli=25).id for _ in range(10)]
    db.session.remove()
    outcomes = crowd.outcomes("withdrawal", ask, [(mentor_id, 10, 1000) for mentor_id in mentors * 4])
    assert outcomes == {"done": 20, "NotEnoughBeli": 20}
    assert {balance_of(mentor_id) for mentor_id in mentors} == {5}


# ---------------------------------------------------------------- deciding


def test_f63_of_many_clerks_one_approves(app: Flask, crowd: Crowd) -> None:
    clerks = [a_clerk(), a_clerk()]
    _, asked = a_request()
    db.session.remove()
    made = crowd.outcomes("withdrawal", decide, [("approve", asked, clerk) for clerk in clerks * EACH], waiting=2)
    assert made == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    assert the(asked).state is WithdrawalState.APPROVED
    assert count(AuditLog, AuditLog.action == "withdrawal approve") == 1


def test_f63_of_many_clerks_one_pays(app: Flask, crowd: Crowd) -> None:
    clerks = [a_clerk(), a_clerk()]
    mentor_id, asked = a_request(approved_by=a_clerk())
    db.session.remove()
    made = crowd.outcomes("withdrawal", decide, [("pay", asked, clerk) for clerk in clerks * EACH], waiting=2)
    assert made == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    assert the(asked).payer_id in {clerk.account_id for clerk in clerks}
    assert (balance_of(mentor_id), count(TransactionRecord)) == (700, 2)


@pytest.mark.parametrize("table", ["withdrawal", "transaction_record"])
def test_f63_m3_approving_and_refusing_at_once_leaves_one_of_them(app: Flask, crowd: Crowd, table: str) -> None:
    """A refusal may still follow an approval, never the other way round; the 贝里 return once or not at all."""
    anna, bert = a_clerk(), a_clerk()
    mentor_id, asked = a_request()
    db.session.remove()
    calls = [("approve", asked, anna), ("refuse", asked, bert)] * EACH
    made = crowd.outcomes(table, decide, calls, waiting=1)
    assert the(asked).state is WithdrawalState.REFUSED
    approvals = count(AuditLog, AuditLog.action == "withdrawal approve")
    assert made == {"done": approvals + 1, "NotYourTurn": 2 * EACH - 1 - approvals}
    assert approvals in (0, 1)
    assert balance_of(mentor_id) == 1000
    assert count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.REFUND) == 1


@pytest.mark.parametrize("table", ["withdrawal", "audit_log"])
def test_f63_m3_what_is_paid_is_never_returned_as_well(app: Flask, crowd: Crowd, table: str) -> None:
    anna, bert = a_clerk(), a_clerk()
    mentor_id, asked = a_request(approved_by=anna)
    db.session.remove()
    calls = [("pay", asked, bert), ("refuse", asked, anna)] * EACH
    assert crowd.outcomes(table, decide, calls, waiting=2) == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    is_paid = the(asked).state is WithdrawalState.PAID
    assert balance_of(mentor_id) == (700 if is_paid else 1000)
    returned = count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.REFUND)
    assert returned == (0 if is_paid else 1)


# ---------------------------------------------------------------- appeals


def appeal(what: str, number: int, account_id: int = 0) -> None:
    """Filing, deciding or paying out, in a process of the crowd."""
    if what == "file":
        appeals.file(account_id, number, WHY, clock.now())
    elif what == "pay out":
        with unit_of_work() as session:
            lock_account(session, account_id)
            enrolment = enrolled_degrees.lock(session, number)
            if purses.is_frozen(session, enrolment, Purse.FEE):
                raise NotYourTurn
            now = clock.now()
            purses.pay_out(session, enrolment, Purse.FEE, clock.local_date(now), now)
    else:
        appeals.decide(number, upheld=what == "uphold", actor=STAFF, reason="看过记录")


def a_penalty() -> tuple[int, int, int]:
    """(mentor, enrolment, score record): 50 贝里 were taken."""
    enrolment = a_studying()
    fined(enrolment, "fine")
    record_id = db.session.query(ScoreRecord.id).filter_by(event="fine").scalar()
    mentor_id = fresh(enrolment).mentor_id
    assert mentor_id is not None
    return mentor_id, enrolment.id, record_id


def test_of_many_appeals_against_one_penalty_one_is_taken(app: Flask, crowd: Crowd) -> None:
    mentor_id, _, record_id = a_penalty()
    db.session.remove()
    made = crowd.outcomes("appeal", appeal, [("file", record_id, mentor_id)] * 2 * EACH, waiting=2)
    assert made == {"done": 1, "NotAppealable": 2 * EACH - 1}
    assert count(Appeal) == 1


@pytest.mark.parametrize("table", ["appeal", "audit_log"])
def test_f63_of_two_deciders_one_wins(app: Flask, crowd: Crowd, table: str) -> None:
    mentor_id, enrolment_id, record_id = a_penalty()
    appeal_id = appeals.file(mentor_id, record_id, WHY, clock.now()).id
    db.session.remove()
    calls = [("uphold", appeal_id), ("dismiss", appeal_id)] * EACH
    made = crowd.outcomes(table, appeal, calls, waiting=1)
    assert made == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    db.session.rollback()
    is_upheld = db.session.get_one(Appeal, appeal_id).state is ComplaintState.UPHELD
    assert count(ScoreRecord, ScoreRecord.reverses_id.is_not(None)) == (1 if is_upheld else 0)
    db.session.rollback()
    rest = enrolled_degrees.of_mentor(db.session(), mentor_id, enrolment_id).mentor_fee_balance
    assert rest == (1500 if is_upheld else 1450)


def test_an_appeal_waits_for_a_change_of_mentor_and_is_told(app: Flask) -> None:
    """Or it would freeze, and win back, the fee of somebody else."""
    mentor_id, enrolment_id, record_id = a_penalty()
    new_id = a_mentor().id
    db.session.remove()

    def file() -> str:
        with app.app_context():
            try:
                appeals.file(mentor_id, record_id, WHY, clock.now())
            except NotAppealable as refusal:
                return refusal.message
            return "done"

    with ThreadPoolExecutor(1) as thread:
        with unit_of_work() as session:
            enrolment = enrolled_degrees.lock(session, enrolment_id)
            hand_over(session, enrolment, new_id)
            later = thread.submit(file)
            until_waiting(1)
        assert "不是这位学员的导师" in later.result()
    assert count(Appeal) == 0


def hand_over(session: Session, enrolment: EnrolledDegreeCourse, mentor_id: int) -> None:
    """What a change of mentor writes; it has not committed yet."""
    now = clock.now()
    session.execute(update(MentorAssignment).values(until_time=now))
    rest = purses.hand_over(session, enrolment, mentor_id, "handover:test", now)
    session.add(MentorAssignment(enrolled_degree_course_id=enrolment.id, mentor_id=mentor_id, fee=rest, from_time=now))
    session.flush()


def test_a_payout_waits_for_an_appeal_and_is_held_back_by_it(app: Flask) -> None:
    mentor_id, enrolment_id, record_id = a_penalty()
    db.session.remove()

    def pay_out() -> str:
        with app.app_context():
            try:
                appeal("pay out", enrolment_id, mentor_id)
            except NotYourTurn as refusal:
                return type(refusal).__name__
            return "done"

    with ThreadPoolExecutor(1) as thread:
        with unit_of_work() as session:  # what filing writes; it has not committed yet
            enrolled_degrees.lock(session, enrolment_id)
            session.add(Appeal(score_record_id=record_id, account_id=mentor_id, content=WHY))
            session.flush()
            later = thread.submit(pay_out)
            until_waiting(1)
        assert later.result() == "NotYourTurn"
    assert balance_of(mentor_id) == 0
    [appeal_id] = db.session.query(Appeal.id).one()
    appeals.decide(appeal_id, upheld=True, actor=STAFF, reason="成立")
    assert pay_out() == "done"
    assert balance_of(mentor_id) == 1500
