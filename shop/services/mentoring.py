"""The mentor's desk: what waits first, and one's own students."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import Session

from shop.enums import (
    HomeworkStatus,
    ModuleStatus,
    QuestionStatus,
    StudyStatus,
)
from shop.extensions import db, settings
from shop.models import (
    Account,
    Course,
    CourseChapter,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    MentorAssignment,
    Product,
    Question,
    StudyRecord,
    StuFollowUpRecord,
)
from shop.rules.duties import Pause, deadline
from shop.rules.study_states import LIVING
from shop.services import enrolled_degrees, questions, score_rows
from shop.services.learning import is_suspended
from shop.services.paging import pages_of

PAGE_SIZE = 20
SOON = timedelta(days=2)  # a word that is due within this time is shown as waiting
MOST_CONTACTS = 5  # named at the top of the desk; the list of students begins with the same ones


@dataclass(frozen=True, slots=True)
class Queue:
    """Work that waits: how much of it, how much too long, and how long the oldest has."""

    count: int
    overdue: int
    oldest_time: datetime | None  # when the oldest came in
    waited: timedelta | None  # since then
    due_time: datetime | None  # of the most urgent one; none when no clock runs


@dataclass(frozen=True, slots=True)
class Contact:
    """A student who should hear from the mentor."""

    enrolment_id: int
    student: str
    degree: str
    last_time: datetime | None  # none: never yet
    due_time: datetime
    is_over: bool


@dataclass(frozen=True, slots=True)
class StudentRow:
    enrolment_id: int
    student: str
    degree: str
    status: StudyStatus
    is_suspended: bool
    module: str | None  # the present one
    passed: int
    homework: int
    last_time: datetime | None  # of contact
    due_time: datetime | None  # of the next one; none while no clock runs
    is_over: bool
    to_grade: int
    to_answer: int
    fee: int  # 贝里, as a mentor may see it: no complaint can be told from it


@dataclass(frozen=True, slots=True)
class Desk:
    homework: Queue
    questions: Queue
    contacts: tuple[Contact, ...]  # the most urgent ones
    contact: Queue
    order: tuple[str, ...]  # "homework", "questions" and "contact", by the nearest deadline
    first: str  # of these; "" when nothing waits
    grading_hours: int
    answer_hours: int
    follow_up_days: int
    students: tuple[StudentRow, ...]
    living: int
    ended: int
    shows_ended: bool
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class _Own:
    """An enrolment of the mentor, as far as deadlines need it."""

    id: int
    status: StudyStatus
    from_time: datetime
    last_time: datetime | None
    due_time: datetime | None
    is_over: bool


# ---------------------------------------------------------------- the desk


def desk(mentor_id: int, page: int, now: datetime, *, shows_ended: bool = False) -> Desk:
    """The mentor's home, in at most ten statements however many students. Raises NotFound beyond the last page.

    Students whose word is due first come first; those whose clock stands still, last.
    """
    session = db.session()
    own = _own(session, mentor_id, now)
    listed = [one for one in own if (one.status not in LIVING) == shows_ended]
    pages = pages_of(len(listed), page, PAGE_SIZE)
    shown = listed[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
    due = [one for one in own if one.due_time is not None and one.due_time - SOON <= now]
    rows = _rows(session, mentor_id, {one.id: one for one in (*shown, *due[:MOST_CONTACTS])})
    homework = _homework_queue(session, own, mentor_id, now)
    asked = _question_queue(session, mentor_id, now)
    contact = _contact_queue(due, now)
    queues = {"questions": asked, "homework": homework, "contact": contact}
    order = tuple(sorted(queues, key=lambda name: _urgency(queues[name], now)))
    return Desk(
        homework=homework,
        questions=asked,
        contacts=tuple(_contact(rows[one.id]) for one in due[:MOST_CONTACTS]),
        contact=contact,
        order=order,
        first=order[0] if queues[order[0]].count else "",
        grading_hours=settings().grading_hours,
        answer_hours=settings().answer_hours,
        follow_up_days=settings().follow_up_days,
        students=tuple(rows[one.id] for one in shown),
        living=sum(one.status in LIVING for one in own),
        ended=sum(one.status not in LIVING for one in own),
        shows_ended=shows_ended,
        page=page,
        pages=pages,
    )


def _own(session: Session, mentor_id: int, now: datetime) -> list[_Own]:
    """All living enrolments of the mentor, the most urgent word first, in two statements."""
    rows = session.execute(
        select(EnrolledDegreeCourse.id, EnrolledDegreeCourse.study_status, MentorAssignment.from_time, last_word())
        .join(MentorAssignment, enrolled_degrees.of_present_mentor())
        .where(EnrolledDegreeCourse.mentor_id == mentor_id, EnrolledDegreeCourse.closed_time.is_(None))
    ).all()
    pauses = enrolled_degrees.all_pauses(session, [row[0] for row in rows if row[1] in LIVING])
    own = []
    for enrolment_id, status, since, last in rows:
        due = word_due(status, since, last, pauses[enrolment_id])
        own.append(_Own(enrolment_id, status, since, last, due, due is not None and due <= now))
    return sorted(own, key=lambda one: (one.due_time is None, one.due_time or one.from_time, one.id))


def last_word() -> ScalarSelect[datetime]:
    """When anybody, also the mentor before, last wrote a follow-up record of an enrolment."""
    of_enrolment = StuFollowUpRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id
    return select(func.max(StuFollowUpRecord.date)).where(of_enrolment).scalar_subquery()


def word_due(status: StudyStatus, since: datetime, last: datetime | None, pauses: Sequence[Pause]) -> datetime | None:
    """Until when the student should hear from the mentor: days after the last word, or after the assignment."""
    if status not in LIVING:
        return None
    start = max(since, last) if last else since
    return deadline(start, timedelta(days=settings().follow_up_days), pauses)


def _urgency(queue: Queue, now: datetime) -> tuple[bool, bool, datetime]:
    """To sort by: what has a deadline, then what waits without one, then what is empty."""
    return not queue.count, queue.due_time is None, queue.due_time or now


def _queue(items: Collection[tuple[datetime, datetime | None]], now: datetime) -> Queue:
    """Of work by when it came in and until when it is due."""
    oldest = min((since for since, _due in items), default=None)
    due = [due for _since, due in items if due is not None]
    return Queue(
        count=len(items),
        overdue=sum(one <= now for one in due),
        oldest_time=oldest,
        waited=now - oldest if oldest else None,
        due_time=min(due, default=None),
    )


def _question_queue(session: Session, mentor_id: int, now: datetime) -> Queue:
    return _queue([(one.since_time, one.due_time) for one in questions.open_of(session, mentor_id, now)], now)


def _contact_queue(due: Sequence[_Own], now: datetime) -> Queue:
    return _queue([(one.last_time or one.from_time, one.due_time) for one in due], now)


def _homework_queue(session: Session, own: Sequence[_Own], mentor_id: int, now: datetime) -> Queue:
    rows = session.execute(
        select(EnrolledDegreeCourse.id, HomeworkSubmission.submitted_time)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == HomeworkRecord.student_id)
        .where(
            HomeworkSubmission.checked_time.is_(None),
            EnrolledDegreeCourse.mentor_id == mentor_id,
            EnrolledDegreeCourse.closed_time.is_(None),
            EnrolledDegreeCourse.study_status.in_(LIVING),  # nobody grades after the end
        )
    ).all()
    since = {one.id: one.from_time for one in own}
    pauses = enrolled_degrees.all_pauses(session, {row[0] for row in rows})
    allowed = timedelta(hours=settings().grading_hours)
    return _queue(
        [(handed, deadline(max(handed, since.get(e, handed)), allowed, pauses[e])) for e, handed in rows], now
    )


# ---------------------------------------------------------------- students in a list


def _rows(session: Session, mentor_id: int, own: Mapping[int, _Own]) -> Mapping[int, StudentRow]:
    """What the desk shows of these enrolments, in two statements."""
    degree = Product.__table__
    rows = session.execute(
        select(
            EnrolledDegreeCourse.id,
            EnrolledDegreeCourse.mentor_fee_balance.label("fee"),
            Account.name,
            Account.username,
            degree.c.name.label("degree"),
            is_suspended(EnrolledDegreeCourse).label("is_suspended"),
            present_module().label("module"),
            _passed().label("passed"),
            _homework().label("homework"),
            to_grade_of().label("to_grade"),
            to_answer_of().label("to_answer"),
        )
        .join(Account, Account.id == EnrolledDegreeCourse.account_id)
        .join(degree, degree.c.id == EnrolledDegreeCourse.degree_course_id)
        .where(EnrolledDegreeCourse.id.in_(own))
    ).all()
    fees = score_rows.fees_shown(session, mentor_id, {row.id: row.fee for row in rows})
    return {row.id: _row(own[row.id], row, fees[row.id].rest) for row in rows}


def _row(own: _Own, row: Any, fee: int) -> StudentRow:
    return StudentRow(
        enrolment_id=own.id,
        student=row.name or row.username,
        degree=row.degree,
        status=own.status,
        is_suspended=row.is_suspended,
        module=row.module,
        passed=row.passed,
        homework=row.homework,
        last_time=own.last_time,
        due_time=own.due_time,
        is_over=own.is_over,
        to_grade=row.to_grade,
        to_answer=row.to_answer,
        fee=fee,
    )


def _contact(row: StudentRow) -> Contact:
    assert row.due_time is not None
    return Contact(row.enrolment_id, row.student, row.degree, row.last_time, row.due_time, row.is_over)


def present_module() -> ScalarSelect[str]:
    course, product = Course.__table__.c, Product.__table__.c
    return (
        select(product.name)
        .join(Course.__table__, course.id == product.id)
        .join(StudyRecord, StudyRecord.course_module_id == course.id)
        .where(
            StudyRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id,
            StudyRecord.status == ModuleStatus.STUDYING,
        )
        .order_by(course.order, course.id)
        .limit(1)
        .scalar_subquery()
    )


def _homework() -> ScalarSelect[int]:
    """How much homework the enrolment's modules have in all."""
    return (
        select(func.count())
        .select_from(Homework)
        .join(CourseChapter, CourseChapter.id == Homework.chapter_id)
        .join(StudyRecord, StudyRecord.course_module_id == CourseChapter.course_id)
        .where(StudyRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id, Homework.enabled)
        .scalar_subquery()
    )


def _passed() -> ScalarSelect[int]:
    return (
        select(func.count())
        .select_from(HomeworkRecord)
        .join(Homework, Homework.id == HomeworkRecord.homework_id)
        .where(
            HomeworkRecord.student_id == EnrolledDegreeCourse.id,
            HomeworkRecord.status == HomeworkStatus.PASSED,
            Homework.enabled,
        )
        .scalar_subquery()
    )


def to_grade_of() -> ScalarSelect[int]:
    return (
        select(func.count())
        .select_from(HomeworkSubmission)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .where(
            HomeworkRecord.student_id == EnrolledDegreeCourse.id,
            HomeworkSubmission.checked_time.is_(None),
            EnrolledDegreeCourse.study_status.in_(LIVING),
        )
        .scalar_subquery()
    )


def to_answer_of() -> ScalarSelect[int]:
    return (
        select(func.count())
        .select_from(Question)
        .where(Question.enrolled_degree_course_id == EnrolledDegreeCourse.id, Question.status == QuestionStatus.WAITING)
        .scalar_subquery()
    )
