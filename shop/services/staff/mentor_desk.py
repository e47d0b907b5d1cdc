"""Mentors as registry and finance look at them: how much each has to do, what is overdue, and what the fees stand at.

Their students are named by user name and a masked name only; who complained stays hidden (``shop.rules.discretion``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import ComplaintState, Purse, Role, StudyStatus
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    Account,
    Complaint,
    EnrolledDegreeCourse,
    MentorAssignment,
    Product,
    ScoreRecord,
    TransactionRecord,
)
from shop.rules.masking import masked_name
from shop.rules.study_states import LIVING
from shop.services import score_rows
from shop.services.mentoring import to_answer_of, to_grade_of
from shop.services.score_rows import Line, Statement, Wanted
from shop.services.staff import overdue


@dataclass(frozen=True, slots=True)
class Mentor:
    """One mentor in figures."""

    id: int
    username: str
    name: str
    is_active: bool
    students: int  # whose study has not ended
    away: int  # of them on leave
    late_gradings: int
    late_answers: int
    complaints: int  # in all
    waiting_complaints: int
    upheld: int
    fee: int  # 贝里 that wait in all purses


@dataclass(frozen=True, slots=True)
class Student:
    """One enrolment of a mentor."""

    enrolment_id: int
    username: str
    name: str  # masked
    degree: str
    status: StudyStatus
    is_refunded: bool
    to_grade: int
    to_answer: int
    late_gradings: int
    late_answers: int
    fee: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """One mentor with present students and what the fees have come to."""

    mentor: Mentor
    balance: int  # spendable 贝里
    paid: int  # of fees, in all
    students: Sequence[Student]
    since: date | None  # when the first student came


# ---------------------------------------------------------------- all of them


def listed() -> list[Mentor]:
    """Every account that is, or has ever been, a mentor, by user name; in a fixed number of statements."""
    had = select(MentorAssignment.mentor_id).distinct()
    is_one = (Account.role == Role.MENTOR) & ~Account.is_staff | Account.id.in_(had)
    return _mentors(db.session(), is_one)


def _mentors(session: Session, where: Any) -> list[Mentor]:
    loads, disputes = _loads(session), _disputes(session)
    gradings, answers = _late_by_mentor(session)
    rows = session.execute(
        select(Account.id, Account.username, Account.name, Account.is_active).where(where).order_by(Account.username)
    )
    return [
        Mentor(
            id=id_,
            username=username,
            name=name,
            is_active=is_active,
            students=loads[id_][0] if id_ in loads else 0,
            away=loads[id_][1] if id_ in loads else 0,
            late_gradings=gradings[id_],
            late_answers=answers[id_],
            complaints=sum(disputes.get(id_, {}).values()),
            waiting_complaints=disputes.get(id_, {}).get(ComplaintState.WAITING, 0),
            upheld=disputes.get(id_, {}).get(ComplaintState.UPHELD, 0),
            fee=loads[id_][2] if id_ in loads else 0,
        )
        for id_, username, name, is_active in rows
    ]


def _loads(session: Session) -> Mapping[int, tuple[int, int, int]]:
    """Students, those of them on leave, and the fees that wait, by mentor."""
    row = EnrolledDegreeCourse
    rows = session.execute(
        select(
            row.mentor_id,
            func.sum(case((row.study_status.in_(LIVING), 1), else_=0)),
            func.sum(case((row.study_status == StudyStatus.ON_LEAVE, 1), else_=0)),
            func.sum(row.mentor_fee_balance),
        )
        .where(row.mentor_id.is_not(None), row.closed_time.is_(None))
        .group_by(row.mentor_id)
    )
    return {id_: (int(students), int(away), int(fee)) for id_, students, away, fee in rows}


def _disputes(session: Session) -> Mapping[int, Mapping[ComplaintState, int]]:
    rows = session.execute(
        select(Complaint.mentor_id, Complaint.state, func.count()).group_by(Complaint.mentor_id, Complaint.state)
    )
    found: dict[int, dict[ComplaintState, int]] = {}
    for mentor_id, state, count in rows:
        found.setdefault(mentor_id, {})[state] = count
    return found


def _late_by_mentor(session: Session) -> tuple[Counter[int], Counter[int]]:
    """Overdue marks and overdue answers, by mentor."""
    now = clock.now()
    gradings, answers = overdue.gradings(session, now), overdue.answers(session, now)
    mentors = _mentors_of(session, {late.enrolment_id for late in (*gradings, *answers)})
    return (
        Counter(mentors[late.enrolment_id] for late in gradings),
        Counter(mentors[late.enrolment_id] for late in answers),
    )


def _mentors_of(session: Session, enrolment_ids: set[int]) -> Mapping[int, int]:
    rows = session.execute(
        select(EnrolledDegreeCourse.id, EnrolledDegreeCourse.mentor_id).where(
            EnrolledDegreeCourse.id.in_(sorted(enrolment_ids))
        )
    )
    return {enrolment_id: mentor_id for enrolment_id, mentor_id in rows if mentor_id is not None}


# ---------------------------------------------------------------- one of them


def sheet(mentor_id: int) -> Sheet:
    """Raises NotFound for whoever has never been a mentor."""
    session = db.session()
    found = next((one for one in listed() if one.id == mentor_id), None)
    if found is None:
        raise NotFound
    since = session.scalar(select(func.min(MentorAssignment.from_time)).where(MentorAssignment.mentor_id == mentor_id))
    paid = (
        select(func.sum(TransactionRecord.amount))
        .join(ScoreRecord, ScoreRecord.id == TransactionRecord.score_record_id)
        .where(TransactionRecord.account_id == mentor_id, ScoreRecord.purse == Purse.FEE)
    )
    return Sheet(
        mentor=found,
        balance=session.scalars(select(Account.balance).where(Account.id == mentor_id)).one(),
        paid=int(session.scalar(paid) or 0),
        students=_students(session, mentor_id),
        since=clock.local_date(since) if since else None,
    )


def _students(session: Session, mentor_id: int) -> list[Student]:
    """Those of now, and those whose fee still waits, in their order."""
    row, degree = EnrolledDegreeCourse, Product.__table__.c
    now = clock.now()
    gradings = Counter(late.enrolment_id for late in overdue.gradings(session, now))
    answers = Counter(late.enrolment_id for late in overdue.answers(session, now))
    rows = session.execute(
        select(
            *(row.id, Account.username, Account.name, degree.name.label("degree"), row.study_status, row.closed_time),
            *(to_grade_of().label("to_grade"), to_answer_of().label("to_answer"), row.mentor_fee_balance.label("fee")),
        )
        .join(Account, Account.id == row.account_id)
        .join(Product.__table__, degree.id == row.degree_course_id)
        .where(row.mentor_id == mentor_id, row.closed_time.is_(None))
        .order_by(row.id)
    )
    return [
        Student(
            enrolment_id=one.id,
            username=one.username,
            name=masked_name(one.name),
            degree=one.degree,
            status=one.study_status,
            is_refunded=one.closed_time is not None,
            to_grade=one.to_grade,
            to_answer=one.to_answer,
            late_gradings=gradings[one.id],
            late_answers=answers[one.id],
            fee=one.fee,
        )
        for one in rows
    ]


def statement(mentor_id: int, month: date | None, page: int) -> Statement:
    """The rows of the mentor's fees, newest first, without the names of students. Raises NotFound beyond the end."""
    found = score_rows.page(Wanted(mentor_id, Purse.FEE, month=month), page)
    return replace(found, lines=[_masked(line) for line in found.lines])


def statement_rows(mentor_id: int, month: date | None) -> Iterator[Line]:
    """All of them."""
    return map(_masked, score_rows.everything(Wanted(mentor_id, Purse.FEE, month=month)))


def _masked(line: Line) -> Line:
    return replace(line, student=replace(line.student, name=masked_name(line.student.name))) if line.student else line


def months(since: date | None, now: datetime) -> list[date]:
    """The first days of the months that can have rows, the latest first."""
    today = clock.local_date(now)
    first, month = (since or today).replace(day=1), today.replace(day=1)
    found = []
    while month >= first:
        found.append(month)
        month = date(month.year - (month.month == 1), (month.month - 2) % 12 + 1, 1)
    return found
