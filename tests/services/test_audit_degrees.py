"""``flask audit`` over degrees: silent over an honest school, and each broken row is named by its check alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import (
    ComplaintState,
    HomeworkStatus,
    ModuleStatus,
    Purse,
    Rule,
    Score,
    StaffRole,
    StudyStatus,
    TransactionType,
    WithdrawalState,
)
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    Appeal,
    EnrolledDegreeCourse,
    HomeworkRecord,
    HomeworkSubmission,
    MentorAssignment,
    ScoreRecord,
    ScoreRule,
    StudyLeave,
    StudyRecord,
    TransactionRecord,
    Withdrawal,
)
from shop.services import appeals, audit, enrolled_degrees, grading, homework, maturity, purses, withdrawals
from shop.services.audit_log import Actor
from shop.services.audit_queries import CHECKS, degrees
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_student
from tests.degrees import a_degree_with_homework, a_studying, fresh
from tests.services.audit_faults import change, copy, id_of, put
from tests.services.test_audit import findings, loosen, undone

LOOSENED = (
    Account,
    Appeal,
    EnrolledDegreeCourse,
    HomeworkRecord,
    HomeworkSubmission,
    MentorAssignment,
    ScoreRecord,
    ScoreRule,
    StudyLeave,
    StudyRecord,
    TransactionRecord,
    Withdrawal,
)


@dataclass(frozen=True)
class School:
    """Ids of a study under way, whose mentor was fined and won an appeal, and of one that has paid out."""

    study: int
    graduate: int
    stranger: int


Plant = Callable[[Session, School], dict[str, list[int]]]
PLANTS: list[Plant] = []


def plant(function: Plant) -> Plant:
    PLANTS.append(function)
    return function


def handed_in_and_graded(enrolment: EnrolledDegreeCourse, homework_id: int, *scores: Score) -> None:
    for score in scores:
        homework.hand_in(enrolment.account_id, enrolment.id, homework_id, "见仓库", (), clock.now())
        waiting = id_of(db.session(), HomeworkSubmission, HomeworkSubmission.checked_time.is_(None))
        grading.grade(enrolment.mentor_id or 0, waiting, score, "看过了", clock.now())


@pytest.fixture
def school(app: Flask) -> School:
    clerks = [Actor("clerk", a_clerk(StaffRole.FINANCE, StaffRole.REGISTRY).id) for _ in range(2)]
    course = a_degree_with_homework(modules=1, homework=2)
    ids = [piece.id for piece in course.modules[0].chapters[0].homework]
    study = a_studying(course=course)
    handed_in_and_graded(study, ids[0], Score.D, Score.A)
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, study.id)
        fine = purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, Cause("fine"), clock.now())
        assert fine is not None
    appeal = appeals.file(fresh(study).mentor_id or 0, fine.id, "当时已经批改，系统没有保存。", clock.now())
    appeals.decide(appeal.id, upheld=True, actor=clerks[0], reason="属实")
    graduate = a_studying(course=course)
    for homework_id in ids:
        handed_in_and_graded(graduate, homework_id, Score.A)
    maturity.settle_due(clock.now() + timedelta(days=1))
    mentor_id = fresh(graduate).mentor_id or 0
    for amount, state in ((100, "refuse"), (200, "pay")):
        asked = withdrawals.ask(mentor_id, amount, payee_account="shen@example.com", payee_name="沈舟", now=clock.now())
        if state == "refuse":
            withdrawals.refuse(asked.id, actor=clerks[0], reason="请重新填写")
        else:
            withdrawals.approve(asked.id, actor=clerks[0], reason="无误")
            withdrawals.pay(asked.id, actor=clerks[1], payment_number="1")
    return School(study.id, graduate.id, a_student().id)


@pytest.fixture
def session(school: School) -> Iterator[Session]:
    """A session on copies of the tables that take any value; undone at the end."""
    db.session.remove()
    with Session(db.engine) as session:
        for model in LOOSENED:
            loosen(session, model.__tablename__)
        yield session
        session.rollback()


def test_an_honest_school_is_clean(school: School) -> None:
    assert fresh(db.session.get_one(EnrolledDegreeCourse, school.graduate)).study_status is StudyStatus.GRADUATED
    assert_audit_clean()
    assert audit.notices(db.session(), clock.now()) == []


def test_what_is_broken_is_found_and_nothing_else(school: School, session: Session, subtests: pytest.Subtests) -> None:
    assert findings(session) == {}
    for broken in PLANTS:
        with subtests.test(broken.__name__), undone(session):
            expected = broken(session, school)
            assert findings(session) == expected
    assert findings(session) == {}


def test_every_check_of_degrees_has_a_fault_that_it_finds() -> None:
    names = {check.name for check in degrees.checks.found}
    assert names <= {function.__name__ for function in PLANTS}
    assert names <= {check.name for check in CHECKS}


def test_a_purse_that_is_not_paid_out_is_noted(school: School, session: Session) -> None:
    row = session.get_one(EnrolledDegreeCourse, school.graduate)
    assert row.ended_time is not None
    change(session, EnrolledDegreeCourse, school.graduate, mentor_fee_balance=1)
    for days, expected in ((1, []), (3, ["purse_waits"])):
        noted = audit.notices(session, row.ended_time + timedelta(days=days))
        assert [notice.name for notice in noted if notice.name == "purse_waits"] == expected


# ---------------------------------------------------------------- the faults


def row_of(session: Session, enrolment: int, *where: Any) -> int:
    return id_of(session, ScoreRecord, ScoreRecord.enrolled_degree_course_id == enrolment, *where)


@plant
def mentor_fee_is_sum_of_rows(session: Session, school: School) -> dict[str, list[int]]:
    return {"mentor_fee_is_sum_of_rows": change(session, EnrolledDegreeCourse, school.study, mentor_fee_balance=1499)}


@plant
def rewards_are_sum_of_rows(session: Session, school: School) -> dict[str, list[int]]:
    return {"rewards_are_sum_of_rows": change(session, EnrolledDegreeCourse, school.study, reward_balance=0)}


@plant
def purse_continues(session: Session, school: School) -> dict[str, list[int]]:
    fine = row_of(session, school.study, ScoreRecord.event == "fine")
    following = row_of(session, school.study, ScoreRecord.reverses_id == fine)
    change(session, ScoreRecord, fine, balance=1440)
    return {"purse_continues": [fine, following]}


@plant
def loss_is_applied(session: Session, school: School) -> dict[str, list[int]]:
    fine = row_of(session, school.study, ScoreRecord.event == "fine")
    return {"loss_is_applied": change(session, ScoreRecord, fine, applied=False, applied_date=None)}


@plant
def purse_has_its_owner(session: Session, school: School) -> dict[str, list[int]]:
    rows = [row_of(session, school.study, ScoreRecord.purse == purse) for purse in Purse]
    for row in rows:
        change(session, ScoreRecord, row, account_id=school.stranger)
    return {"purse_has_its_owner": sorted(rows)}


@plant
def reversal_nets_to_zero(session: Session, school: School) -> dict[str, list[int]]:
    undo = row_of(session, school.study, ScoreRecord.reverses_id.is_not(None))
    rule = put(session, ScoreRule, rule=Rule.COMPLAINT, score_type=1, version=1, score=50, date=clock.now())
    return {"reversal_nets_to_zero": change(session, ScoreRecord, undo, score_rule_id=rule)}


@plant
def upheld_appeal_reverses(session: Session, school: School) -> dict[str, list[int]]:
    appeal = id_of(session, Appeal)
    return {"upheld_appeal_reverses": change(session, Appeal, appeal, state=ComplaintState.DISMISSED)}


@plant
def received_is_paid_out(session: Session, school: School) -> dict[str, list[int]]:
    """A row says that it was received in full; the fee was moved less one."""
    record = id_of(session, TransactionRecord, TransactionRecord.score_record_id.is_not(None))
    row = session.execute(select(TransactionRecord.__table__).where(TransactionRecord.id == record)).one()
    change(session, TransactionRecord, record, amount=row.amount + 1, balance_after=row.balance_after + 1)
    later = session.scalars(
        select(TransactionRecord.id).where(
            TransactionRecord.account_id == row.account_id, TransactionRecord.id > record
        )
    ).all()
    for other in later:
        held = session.scalars(select(TransactionRecord.balance_after).where(TransactionRecord.id == other)).one()
        change(session, TransactionRecord, other, balance_after=held + 1)
    balance = session.scalars(select(Account.balance).where(Account.id == row.account_id)).one()
    change(session, Account, row.account_id, balance=balance + 1)
    return {"received_is_paid_out": [school.graduate]}


@plant
def payout_is_of_its_owner(session: Session, school: School) -> dict[str, list[int]]:
    """The student's gain was moved to the account of somebody else."""
    row = row_of(session, school.graduate, ScoreRecord.purse == Purse.REWARDS)
    owner = session.scalars(select(ScoreRecord.account_id).where(ScoreRecord.id == row)).one()
    record = id_of(session, TransactionRecord, TransactionRecord.account_id == owner)
    amount = session.scalars(select(TransactionRecord.amount).where(TransactionRecord.id == record)).one()
    change(session, TransactionRecord, record, account_id=school.stranger)
    change(session, Account, owner, balance=0)
    change(session, Account, school.stranger, balance=amount)
    return {"payout_is_of_its_owner": [record]}


@plant
def withdrawal_is_taken_once(session: Session, school: School) -> dict[str, list[int]]:
    refused = id_of(session, Withdrawal, Withdrawal.state == WithdrawalState.REFUSED)
    waiting = {"state": WithdrawalState.WAITING, "decided_time": None, "handler_id": None}
    return {"withdrawal_is_taken_once": change(session, Withdrawal, refused, **waiting)}


@plant
def withdrawal_moves_its_owners_beli(session: Session, school: School) -> dict[str, list[int]]:
    records = session.scalars(
        select(TransactionRecord.id).where(
            TransactionRecord.withdrawal_id.is_not(None),
            TransactionRecord.transaction_type == TransactionType.WITHDRAWAL,
        )
    ).all()
    for record in records:
        withdrawal = session.scalars(
            select(TransactionRecord.withdrawal_id).where(TransactionRecord.id == record)
        ).one()
        change(session, Withdrawal, withdrawal, account_id=school.stranger)
    returned = id_of(session, TransactionRecord, TransactionRecord.transaction_type == TransactionType.REFUND)
    return {"withdrawal_moves_its_owners_beli": sorted([*records, returned])}


@plant
def withdrawal_has_two_persons(session: Session, school: School) -> dict[str, list[int]]:
    paid = id_of(session, Withdrawal, Withdrawal.state == WithdrawalState.PAID)
    handler = session.scalars(select(Withdrawal.handler_id).where(Withdrawal.id == paid)).one()
    return {"withdrawal_has_two_persons": change(session, Withdrawal, paid, payer_id=handler)}


@plant
def study_has_its_times(session: Session, school: School) -> dict[str, list[int]]:
    return {"study_has_its_times": change(session, EnrolledDegreeCourse, school.study, ended_time=clock.now())}


@plant
def graduation_is_the_last_module(session: Session, school: School) -> dict[str, list[int]]:
    module = id_of(session, StudyRecord, StudyRecord.enrolled_degree_course_id == school.graduate)
    change(session, StudyRecord, module, status=ModuleStatus.STUDYING)
    other = id_of(session, StudyRecord, StudyRecord.enrolled_degree_course_id == school.study)
    change(session, StudyRecord, other, status=ModuleStatus.DONE)
    return {"graduation_is_the_last_module": [school.study, school.graduate]}


@plant
def leave_shows_in_the_state(session: Session, school: School) -> dict[str, list[int]]:
    put(session, StudyLeave, enrolled_degree_course_id=school.study, begin_time=clock.now(), reason="")
    return {"leave_shows_in_the_state": [school.study]}


@plant
def mentor_is_assigned(session: Session, school: School) -> dict[str, list[int]]:
    change(session, EnrolledDegreeCourse, school.study, mentor_id=school.stranger)
    return {"mentor_is_assigned": [school.study]}


@plant
def refunded_degree_holds_nothing(session: Session, school: School) -> dict[str, list[int]]:
    """It was closed without its refund, which would have let go of the fee and of the mentor."""
    line = session.scalars(
        select(EnrolledDegreeCourse.order_detail_id).where(EnrolledDegreeCourse.id == school.study)
    ).all()
    closed = change(session, EnrolledDegreeCourse, school.study, closed_time=clock.now())
    return {"refunded_degree_holds_nothing": closed, "paid_line_is_delivered": list(line)}


@plant
def homework_stands_as_graded(session: Session, school: School) -> dict[str, list[int]]:
    row = id_of(session, HomeworkRecord, HomeworkRecord.student_id == school.study)
    return {"homework_stands_as_graded": change(session, HomeworkRecord, row, status=HomeworkStatus.FAILED)}


@plant
def score_record_is_applied_once(session: Session, school: School) -> dict[str, list[int]]:
    """A payout has a second record, for which something else was given up."""
    record = id_of(session, TransactionRecord, TransactionRecord.score_record_id.is_not(None))
    row = session.execute(select(TransactionRecord.__table__).where(TransactionRecord.id == record)).one()
    last = session.scalars(
        select(TransactionRecord.balance_after)
        .where(TransactionRecord.account_id == row.account_id)
        .order_by(TransactionRecord.id.desc())
    ).first()
    copy(session, TransactionRecord, record, amount=1, balance_after=(last or 0) + 1, transaction_number="twice")
    change(session, Account, row.account_id, balance=(last or 0) + 1)
    return {"score_record_is_applied_once": [row.score_record_id], "received_is_paid_out": [school.graduate]}


@plant
def mentor_fee_is_not_negative(session: Session, school: School) -> dict[str, list[int]]:
    change(session, EnrolledDegreeCourse, school.study, mentor_fee_balance=-1)
    return {"mentor_fee_is_not_negative": [school.study], "mentor_fee_is_sum_of_rows": [school.study]}


@plant
def rewards_are_negative(session: Session, school: School) -> dict[str, list[int]]:
    return {"rewards_are_sum_of_rows": change(session, EnrolledDegreeCourse, school.study, reward_balance=-1)}
