"""The statement of what a purse gained and lost: a mentor's over all students, or a student's of one degree.

Rows about complaints name no student to a mentor (``shop.rules.discretion``), so a view of one student leaves them out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from shop import clock
from shop.enums import ComplaintState, Purse, Rule, ScoreType
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    Account,
    Appeal,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    Product,
    Question,
    ScoreRecord,
    ScoreRule,
)
from shop.rules import appeals
from shop.rules.discretion import Change, Shown, shown
from shop.services import enrolled_degrees
from shop.services.paging import pages_of

ROWS_A_PAGE = 20
ROWS_A_BATCH = 500


@dataclass(frozen=True, slots=True)
class Student:
    """Whose study it is, to the mentor."""

    enrolment_id: int
    name: str
    degree: str
    is_present: bool  # the mentor still has the student


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a row is about, as far as it is kept; ``facts`` are those of ``Cause``."""

    memo: str  # a text of the catalogue
    facts: Mapping[str, Any]
    homework: str | None  # titles
    handed_in_time: datetime | None
    question: str | None
    asked_time: datetime | None
    undoes_time: datetime | None  # of the row that this one reverses
    undoes_score: int


@dataclass(frozen=True, slots=True)
class Line:
    """One score record."""

    id: int
    time: datetime
    student: Student | None  # none in a student's own statement, and where nobody is named
    rule: Rule
    kind: ScoreType
    version: int
    evidence: Evidence
    amount: int  # 贝里: gained above 0, lost below
    balance: int | None  # of the purse afterwards; none where it would tell whose
    received: int  # how much of a gain has matured
    is_reversed: bool
    appeal: ComplaintState | None
    appeal_until: date | None  # the last day for an appeal; none when there can be none


@dataclass(frozen=True, slots=True)
class Statement:
    """One page of lines, newest first."""

    lines: Sequence[Line]
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: a mentor's or a student's own, of one enrolment or all, of one month (its first day) or all."""

    account_id: int
    purse: Purse
    enrolment_id: int | None = None
    month: date | None = None


def page(wanted: Wanted, number: int) -> Statement:
    """One page of them, in three statements. Raises NotFound beyond the last one."""
    session = db.session()
    where = _where(wanted)
    total = session.scalar(_narrowed(select(func.count()).select_from(ScoreRecord), wanted, where)) or 0
    pages = pages_of(total, number, ROWS_A_PAGE)
    rows = session.execute(
        _narrowed(_ROWS, wanted, where)
        .order_by(ScoreRecord.id.desc())
        .limit(ROWS_A_PAGE)
        .offset((number - 1) * ROWS_A_PAGE)
    ).all()
    return Statement(_lines(session, wanted, rows), number, pages)


def everything(wanted: Wanted) -> Iterator[Line]:
    """All of them, newest first: however many, a batch at a time."""
    session = db.session()
    where = _where(wanted)
    query = _narrowed(_ROWS, wanted, where).order_by(ScoreRecord.id.desc()).limit(ROWS_A_BATCH)
    last: list[ColumnElement[bool]] = []
    while rows := session.execute(query.where(*last)).all():
        yield from _lines(session, wanted, rows)
        last = [ScoreRecord.id < rows[-1][0].id]


def one(account_id: int, score_record_id: int) -> Line:
    """A mentor's own row. Raises NotFound for every other one."""
    session = db.session()
    wanted = Wanted(account_id, Purse.FEE)
    row = session.execute(_ROWS.where(*_where(wanted), ScoreRecord.id == score_record_id)).one_or_none()
    if row is None:
        raise NotFound
    return _lines(session, wanted, [row])[0]


def of_enrolment(enrolment_id: int, purse: Purse, limit: int) -> list[Line]:
    """The newest rows of a purse for staff, whoever owned it then: with its complaints, and as it was booked."""
    rows = _ROWS.where(ScoreRecord.enrolled_degree_course_id == enrolment_id, ScoreRecord.purse == purse)
    found = db.session.execute(rows.order_by(ScoreRecord.id.desc()).limit(limit))
    return [_line(row, row.ScoreRecord.balance, None) for row in found]


def of_student(account_id: int, enrolment_id: int) -> Wanted:
    """A student's rows of one degree. Raises NotFound unless it is the account's and not refunded."""
    enrolled_degrees.own(db.session(), account_id, enrolment_id)
    return Wanted(account_id, Purse.REWARDS, enrolment_id)


def fees_shown(session: Session, mentor_id: int, balances: Mapping[int, int]) -> dict[int, Shown]:
    """The fees of these enrolments as their mentor may see them, in one statement.

    ``balances`` is what each purse holds now, by enrolment. Every page that shows a mentor the fee of one student
    shows this.
    """
    changes: dict[int, list[Change]] = defaultdict(list)
    rows = session.execute(
        select(
            ScoreRecord.enrolled_degree_course_id,
            ScoreRecord.id,
            ScoreRecord.score,
            ScoreRecord.balance,
            ScoreRule.rule,
        )
        .join(ScoreRule, ScoreRule.id == ScoreRecord.score_rule_id)
        .where(
            ScoreRecord.account_id == mentor_id,
            ScoreRecord.purse == Purse.FEE,
            ScoreRecord.enrolled_degree_course_id.in_(balances),
        )
        .order_by(ScoreRecord.id)
    )
    for enrolment_id, id_, score, balance, rule in rows:
        is_closing = rule is Rule.MENTOR and score <= 0
        changes[enrolment_id].append(Change(id_, score, balance, rule is Rule.COMPLAINT, is_closing))
    return {enrolment_id: shown(changes[enrolment_id], balance) for enrolment_id, balance in balances.items()}


# ---------------------------------------------------------------- rows


_reversal, _undone = aliased(ScoreRecord), aliased(ScoreRecord)
_product = Product.__table__.c
_ROWS = (
    select(
        *(ScoreRecord, ScoreRule.rule, ScoreRule.score_type, ScoreRule.version),
        *(EnrolledDegreeCourse.mentor_id, EnrolledDegreeCourse.closed_time),
        *(Account.name, Account.username, _product.name.label("degree")),
        *(Homework.title.label("homework"), HomeworkRecord.date.label("handed_in_time")),
        *(Question.title.label("question"), Question.date.label("asked_time")),
        *(_undone.date.label("undoes_time"), _undone.score.label("undoes_score")),
        *(Appeal.state.label("appeal"), _reversal.id.label("reversal_id")),
    )
    .join(ScoreRule, ScoreRule.id == ScoreRecord.score_rule_id)
    .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == ScoreRecord.enrolled_degree_course_id)
    .join(Account, Account.id == EnrolledDegreeCourse.account_id)
    .join(Product.__table__, _product.id == EnrolledDegreeCourse.degree_course_id)
    .outerjoin(HomeworkSubmission, HomeworkSubmission.id == ScoreRecord.homework_submission_id)
    .outerjoin(
        HomeworkRecord,
        HomeworkRecord.id == func.coalesce(ScoreRecord.homework_record_id, HomeworkSubmission.homework_record_id),
    )
    .outerjoin(Homework, Homework.id == HomeworkRecord.homework_id)
    .outerjoin(Question, Question.id == ScoreRecord.question_id)
    .outerjoin(_undone, _undone.id == ScoreRecord.reverses_id)
    .outerjoin(_reversal, _reversal.reverses_id == ScoreRecord.id)
    .outerjoin(Appeal, Appeal.score_record_id == ScoreRecord.id)
)


def _where(wanted: Wanted) -> list[ColumnElement[bool]]:
    where = [ScoreRecord.account_id == wanted.account_id, ScoreRecord.purse == wanted.purse]
    if wanted.enrolment_id is not None:
        where.append(ScoreRecord.enrolled_degree_course_id == wanted.enrolment_id)
    if wanted.month is not None:
        following = date(wanted.month.year + wanted.month.month // 12, wanted.month.month % 12 + 1, 1)
        where += [
            ScoreRecord.date >= clock.start_of_day(wanted.month),
            ScoreRecord.date < clock.start_of_day(following),
        ]
    return where


def _narrowed(query: Any, wanted: Wanted, where: list[ColumnElement[bool]]) -> Any:
    """Without rows of complaints when one student is looked at: they would tell a mentor who has complained."""
    query = query.where(*where)
    if wanted.purse is Purse.FEE and wanted.enrolment_id is not None:
        of_complaints = select(ScoreRule.id).where(ScoreRule.rule == Rule.COMPLAINT)
        query = query.where(ScoreRecord.score_rule_id.not_in(of_complaints))
    return query


def _lines(session: Session, wanted: Wanted, rows: Sequence[Any]) -> list[Line]:
    if wanted.purse is Purse.REWARDS:
        return [_line(row, row.ScoreRecord.balance, None) for row in rows]
    ids = dict.fromkeys((row.ScoreRecord.enrolled_degree_course_id for row in rows), 0)
    fees = fees_shown(session, wanted.account_id, ids) if ids else {}
    balances = {id_: after for fee in fees.values() for id_, after in fee.balances.items()}
    return [_of_mentor(row, wanted.account_id, balances) for row in rows]


def _of_mentor(row: Any, mentor_id: int, balances: Mapping[int, int]) -> Line:
    if row.rule is Rule.COMPLAINT:
        return _line(row, None, None, is_mentors=True)
    record = row.ScoreRecord
    is_present = row.mentor_id == mentor_id and row.closed_time is None
    student = Student(record.enrolled_degree_course_id, row.name or row.username, row.degree, is_present)
    return _line(row, balances[record.id], student, is_mentors=True)


def _line(row: Any, balance: int | None, student: Student | None, *, is_mentors: bool = False) -> Line:
    record = row.ScoreRecord
    evidence = Evidence(
        memo=record.memo or "",
        facts=record.facts,
        homework=row.homework,
        handed_in_time=row.handed_in_time,
        question=row.question,
        asked_time=row.asked_time,
        undoes_time=row.undoes_time,
        undoes_score=row.undoes_score or 0,
    )
    return Line(
        id=record.id,
        time=record.date,
        student=student,
        rule=row.rule,
        kind=row.score_type,
        version=row.version,
        evidence=evidence,
        amount=record.score,
        balance=balance,
        received=record.received_score,
        is_reversed=row.reversal_id is not None,
        appeal=row.appeal,
        appeal_until=_appeal_until(row) if is_mentors else None,
    )


def _appeal_until(row: Any) -> date | None:
    record = row.ScoreRecord
    day = clock.local_date(record.date)
    asked = appeals.Row(
        rule=row.rule,
        kind=row.score_type,
        score=record.score,
        day=day,
        is_reversed=row.reversal_id is not None,
        is_appealed=row.appeal is not None,
        is_assigned=row.mentor_id == record.account_id,
        is_refunded=row.closed_time is not None,
    )
    return None if appeals.why_not(asked, clock.local_date(clock.now())) else appeals.last_day(day)
