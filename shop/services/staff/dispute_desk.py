"""Complaints of students and appeals of mentors, as staff look through them and at the evidence. Names are masked.

Some of the staff are, or have been, mentors or students: what is about their own studies stays out of their lists, and
is withheld on its page. A mentor never learns who complained (safety.md 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session, aliased

from shop.enums import ComplaintState, Purse, Rule, ScoreType
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    Account,
    Appeal,
    AuditLog,
    Complaint,
    EnrolledDegreeCourse,
    HomeworkSubmission,
    MentorAssignment,
    Product,
    ScoreRecord,
    ScoreRule,
    StuFollowUpRecord,
)
from shop.rules.masking import masked_name
from shop.services import keyset, purses, rule_book, score_rows, study_cases
from shop.services.keyset import Cursor, Window
from shop.services.score_rows import Line as Row


@dataclass(frozen=True, slots=True)
class Line:
    """A complaint or an appeal in its list."""

    id: int
    enrolment_id: int
    degree: str
    student: str  # user names
    student_name: str  # masked
    mentor: str
    mentor_id: int
    state: ComplaintState
    date: datetime
    decided_time: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """How it was decided; "" and none while it waits."""

    handler: str
    text: str
    history: Sequence[AuditLog]


@dataclass(frozen=True, slots=True)
class ComplaintSheet:
    line: Line
    is_own: bool  # about a study of the viewer: whose it is, and what was written, is withheld
    content: str
    decision: Decision
    is_assigned: bool  # the mentor still has the student: only then is there a fee to fine
    fine: int  # 贝里 that upholding would take
    last_word_time: datetime | None  # of the mentor with this student
    words: int  # follow-up records
    ungraded: int  # hand-ins that wait for a mark
    earlier: Sequence[Line]  # other complaints about this mentor, newest first


@dataclass(frozen=True, slots=True)
class AppealLine:
    """An appeal in its list: against what."""

    line: Line
    rule: Rule
    score: int  # 贝里, below zero
    row_time: datetime


@dataclass(frozen=True, slots=True)
class AppealSheet:
    line: Line
    is_own: bool  # likewise
    content: str
    decision: Decision
    row: Row  # what the appeal is against
    is_refunded: bool  # what comes back is let go of
    complaint_id: int | None  # behind the row


NOTHING = Decision("", "", ())
MOST_EARLIER = 10
_student, _mentor, _handler, _degree = aliased(Account), aliased(Account), aliased(Account), Product.__table__


def counts(of: type[Complaint | Appeal], viewer_id: int) -> dict[ComplaintState, int]:
    mentor_id = Complaint.mentor_id if of is Complaint else Appeal.account_id
    query = select(of.state, func.count()).select_from(of)
    if of is Appeal:
        query = query.join(ScoreRecord, ScoreRecord.id == Appeal.score_record_id)
    about = Complaint.enrolled_degree_course_id if of is Complaint else ScoreRecord.enrolled_degree_course_id
    query = query.join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == about)
    rows = db.session.execute(query.where(_is_of_others(mentor_id, viewer_id)).group_by(of.state))
    return dict.fromkeys(ComplaintState, 0) | {state: int(count) for state, count in rows}


def _is_of_others(mentor_id: Any, viewer_id: int) -> ColumnElement[bool]:
    """Whether a dispute is about no study of the viewer, as student or as mentor at any time."""
    had = exists().where(
        MentorAssignment.enrolled_degree_course_id == EnrolledDegreeCourse.id, MentorAssignment.mentor_id == viewer_id
    )
    return (mentor_id != viewer_id) & (EnrolledDegreeCourse.account_id != viewer_id) & ~had


# ---------------------------------------------------------------- complaints


def complaints(state: ComplaintState, cursor: Cursor, viewer_id: int, size: int = keyset.SIZE) -> Window[Line]:
    """Those that wait, the oldest first; those that are decided, the newest. Raises NotFound for no cursor."""
    found = keyset.page(
        db.session(),
        _complaints().where(Complaint.state == state, _is_of_others(Complaint.mentor_id, viewer_id)),
        Complaint.id,  # type: ignore[arg-type]
        Complaint.id,  # type: ignore[arg-type]
        place_of=lambda row: (row.id, row.id),
        cursor=cursor,
        size=size,
        is_descending=state is not ComplaintState.WAITING,
    )
    return Window([_line(row) for row in found.rows], found.before, found.after)


def every_complaint(state: ComplaintState, viewer_id: int) -> Iterator[Line]:
    """The whole list, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: complaints(state, cursor, viewer_id, keyset.BATCH))


def _complaints() -> Select[*tuple[Any, ...]]:
    return (
        select(*_columns(Complaint), Complaint.mentor_id, Complaint.content, Complaint.handler_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == Complaint.enrolled_degree_course_id)
        .join(_student, _student.id == EnrolledDegreeCourse.account_id)
        .join(_mentor, _mentor.id == Complaint.mentor_id)
        .join(_degree, _degree.c.id == EnrolledDegreeCourse.degree_course_id)
        .outerjoin(_handler, _handler.id == Complaint.handler_id)
    )


def complaint(complaint_id: int, viewer_id: int) -> ComplaintSheet:
    """Raises NotFound."""
    session = db.session()
    row = session.execute(_complaints().where(Complaint.id == complaint_id)).one_or_none()
    if row is None:
        raise NotFound
    enrolment = session.get_one(EnrolledDegreeCourse, row.enrolment_id)
    is_assigned = enrolment.mentor_id == row.mentor_id and enrolment.closed_time is None
    worth = rule_book.worth(session, Rule.COMPLAINT, ScoreType.PENALTY)
    spoken = (
        StuFollowUpRecord.enrolled_degree_course_id == row.enrolment_id,
        StuFollowUpRecord.mentor_id == row.mentor_id,
    )
    last, words = session.execute(select(func.max(StuFollowUpRecord.date), func.count()).where(*spoken)).one()
    ungraded = (
        select(func.count())
        .select_from(HomeworkSubmission)
        .where(
            HomeworkSubmission.checked_time.is_(None),
            HomeworkSubmission.record.has(student_id=row.enrolment_id),
        )
    )
    is_own = _is_own(session, row, viewer_id)
    about_mentor = Complaint.mentor_id == row.mentor_id, Complaint.id != complaint_id
    seen = *about_mentor, _is_of_others(Complaint.mentor_id, viewer_id)
    others = session.execute(_complaints().where(*seen).order_by(Complaint.id.desc()).limit(MOST_EARLIER))
    return ComplaintSheet(
        line=_withheld(_line(row)) if is_own else _line(row),
        is_own=is_own,
        content="" if is_own else row.content,
        decision=NOTHING if is_own else _decision(session, Complaint, row),
        is_assigned=is_assigned,
        fine=min(worth, purses.balance_of(enrolment, Purse.FEE)) if is_assigned else 0,
        last_word_time=last,
        words=words,
        ungraded=session.scalar(ungraded) or 0,
        earlier=[_line(other) for other in others],
    )


# ---------------------------------------------------------------- appeals


def appeals(state: ComplaintState, cursor: Cursor, viewer_id: int, size: int = keyset.SIZE) -> Window[AppealLine]:
    """Likewise."""
    found = keyset.page(
        db.session(),
        _appeals().where(Appeal.state == state, _is_of_others(Appeal.account_id, viewer_id)),
        Appeal.id,  # type: ignore[arg-type]
        Appeal.id,  # type: ignore[arg-type]
        place_of=lambda row: (row.id, row.id),
        cursor=cursor,
        size=size,
        is_descending=state is not ComplaintState.WAITING,
    )
    lines = [AppealLine(_line(row), row.rule, row.score, row.row_time) for row in found.rows]
    return Window(lines, found.before, found.after)


def every_appeal(state: ComplaintState, viewer_id: int) -> Iterator[AppealLine]:
    """Likewise."""
    return keyset.every(lambda cursor: appeals(state, cursor, viewer_id, keyset.BATCH))


def _appeals() -> Select[*tuple[Any, ...]]:
    return (
        select(
            *_columns(Appeal),
            *(Appeal.account_id.label("mentor_id"), Appeal.content, Appeal.score_record_id),
            *(ScoreRule.rule, ScoreRecord.score, ScoreRecord.date.label("row_time"), ScoreRecord.complaint_id),
            EnrolledDegreeCourse.closed_time,
        )
        .join(ScoreRecord, ScoreRecord.id == Appeal.score_record_id)
        .join(ScoreRule, ScoreRule.id == ScoreRecord.score_rule_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == ScoreRecord.enrolled_degree_course_id)
        .join(_student, _student.id == EnrolledDegreeCourse.account_id)
        .join(_mentor, _mentor.id == Appeal.account_id)
        .join(_degree, _degree.c.id == EnrolledDegreeCourse.degree_course_id)
        .outerjoin(_handler, _handler.id == Appeal.handler_id)
    )


def appeal(appeal_id: int, viewer_id: int) -> AppealSheet:
    """Raises NotFound."""
    session = db.session()
    row = session.execute(_appeals().where(Appeal.id == appeal_id)).one_or_none()
    if row is None:
        raise NotFound
    is_own = _is_own(session, row, viewer_id)
    return AppealSheet(
        line=_withheld(_line(row)) if is_own else _line(row),
        is_own=is_own,
        content="" if is_own else row.content,
        decision=NOTHING if is_own else _decision(session, Appeal, row),
        row=score_rows.one(row.mentor_id, row.score_record_id),
        is_refunded=row.closed_time is not None,
        complaint_id=None if is_own else row.complaint_id,
    )


# ---------------------------------------------------------------- both


def _columns(of: type[Complaint | Appeal]) -> Sequence[Any]:
    return (
        *(of.id, of.state, of.date, of.decided_time, of.decision),
        EnrolledDegreeCourse.id.label("enrolment_id"),
        *(_degree.c.name.label("degree"), _student.username.label("student"), _student.name.label("student_name")),
        *(_mentor.username.label("mentor"), func.coalesce(_handler.username, "").label("handler")),
    )


def _line(row: Any) -> Line:
    return Line(
        id=row.id,
        enrolment_id=row.enrolment_id,
        degree=row.degree,
        student=row.student,
        student_name=masked_name(row.student_name),
        mentor=row.mentor,
        mentor_id=row.mentor_id,
        state=row.state,
        date=row.date,
        decided_time=row.decided_time,
    )


def _is_own(session: Session, row: Any, viewer_id: int) -> bool:
    enrolment = session.get_one(EnrolledDegreeCourse, row.enrolment_id)
    return row.mentor_id == viewer_id or study_cases.is_own(session, viewer_id, enrolment)


def _withheld(line: Line) -> Line:
    """Without what tells whose study it is about."""
    return replace(line, enrolment_id=0, degree="", student="", student_name="")


def _decision(session: Session, of: type[Complaint | Appeal], row: Any) -> Decision:
    about = AuditLog.subject_table == of.__tablename__, AuditLog.subject_id == row.id
    history = session.scalars(select(AuditLog).where(*about).order_by(AuditLog.id)).all()
    return Decision(row.handler, row.decision, history)
