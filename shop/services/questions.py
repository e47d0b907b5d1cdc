"""Questions about a degree: the student asks, the mentor answers within hours, the student asks on or closes.

The limit of rule 4 counts for the first answer to a question alone. A student's further question opens it again, so
that the mentor sees it, but starts no new clock: otherwise thanks and small talk would cost the mentor 贝里.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.orm import Session, joinedload

from shop import clock
from shop.enums import MessageType, QuestionStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, settings, unit_of_work
from shop.models import Account, Answer, EnrolledDegreeCourse, MentorAssignment, Product, Question
from shop.rules.duties import Pause, deadline
from shop.rules.study_states import LIVING
from shop.services import enrolled_degrees, messages
from shop.services.learning import is_suspended
from shop.services.paging import pages_of
from shop.wording import mark as _

LONGEST_TITLE = 128
LONGEST = 5000
PAGE_SIZE = 10


@dataclass(frozen=True, slots=True)
class Entry:
    """What somebody said to a question."""

    name: str
    is_student: bool
    content: str
    date: datetime


@dataclass(frozen=True, slots=True)
class Thread:
    """A question with what was said to it, oldest first."""

    id: int
    title: str
    content: str
    status: QuestionStatus
    date: datetime
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class StudentQuestions:
    """One page of a student's questions about a degree, newest first. ``why_not``: "" when one may ask."""

    enrolment_id: int
    degree: str
    why_not: str  # "form", "ended", "suspended"
    has_mentor: bool
    answer_hours: int
    threads: tuple[Thread, ...]
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Open:
    """A question that waits for its mentor. Without ``due_time`` no clock runs: on leave, at the end, once answered."""

    id: int
    enrolment_id: int
    since_time: datetime  # the question, or what the student said last
    due_time: datetime | None
    is_over: bool
    is_further: bool  # it was answered, and the student has asked on


@dataclass(frozen=True, slots=True)
class MentorThread:
    thread: Thread
    enrolment_id: int
    student: str
    degree: str
    open: Open | None  # none: nothing waits


@dataclass(frozen=True, slots=True)
class MentorQuestions:
    """One page of the questions of a mentor's students: those that wait by their deadline, then the others."""

    waiting: int
    overdue: int
    answer_hours: int
    threads: tuple[MentorThread, ...]
    page: int
    pages: int


# ---------------------------------------------------------------- the student


def of_student(account_id: int, enrolment_id: int, page: int = 1) -> StudentQuestions:
    """The student's own questions. Raises NotFound for everybody else, and beyond the last page."""
    session = db.session()
    enrolment = enrolled_degrees.own(
        session,
        account_id,
        enrolment_id,
        joinedload(EnrolledDegreeCourse.degree_course),
        joinedload(EnrolledDegreeCourse.registration),
    )
    of_this = Question.enrolled_degree_course_id == enrolment.id
    total = session.scalar(select(func.count()).where(of_this)) or 0
    pages = pages_of(total, page, PAGE_SIZE)
    newest = select(Question).where(of_this).order_by(Question.id.desc())
    found = session.scalars(newest.offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE)).all()
    said = _entries(session, [question.id for question in found])
    return StudentQuestions(
        enrolment_id=enrolment.id,
        degree=enrolment.degree_course.name,
        why_not=_why_not(session, enrolment),
        has_mentor=enrolment.mentor_id is not None,
        answer_hours=settings().answer_hours,
        threads=tuple(_thread(question, said[question.id]) for question in found),
        page=page,
        pages=pages,
    )


def ask(account_id: int, enrolment_id: int, title: str, content: str) -> Question:
    """A new question, told to the mentor when there is one. The same one once more, while it waits, is that one.

    Raises NotFound for an enrolment that is not the account's; NotYourTurn before the form is filed, after the end of
    the study and while its refund is under way.
    """
    now = clock.now()
    with unit_of_work() as session:
        enrolled_degrees.lock(session, enrolment_id)
        enrolment = enrolled_degrees.own(session, account_id, enrolment_id)
        if why := _why_not(session, enrolment):
            raise NotYourTurn(why=why)
        twin = session.scalars(
            select(Question).where(
                Question.enrolled_degree_course_id == enrolment.id,
                Question.status == QuestionStatus.WAITING,
                Question.title == title,
                Question.content == content,
            )
        ).first()
        if twin is not None:  # the button was pressed twice
            return twin
        question = Question(
            account_id=account_id,
            degree_course_id=enrolment.degree_course_id,
            enrolled_degree_course_id=enrolment.id,
            title=title,
            content=content,
            date=now,
        )
        session.add(question)
        session.flush()
        _tell_mentor(
            session, enrolment, _("学员 %(student)s 提问：「%(title)s」，请在 %(hours)s 小时内回复。"), question
        )
    return question


def ask_on(account_id: int, enrolment_id: int, question_id: int, content: str) -> None:
    """The student says more to a question of their own, which waits for the mentor again (without a new clock).

    Raises NotFound for a question that is not theirs, NotYourTurn once it is closed and when ``ask`` would.
    """
    with unit_of_work() as session:
        enrolled_degrees.lock(session, enrolment_id)
        enrolment = enrolled_degrees.own(session, account_id, enrolment_id)
        question = _of_enrolment(session, question_id, enrolment)
        if question.status is QuestionStatus.CLOSED or _why_not(session, enrolment):
            raise NotYourTurn
        if not _say(session, question, account_id, content):
            return
        question.status = QuestionStatus.WAITING
        _tell_mentor(session, enrolment, _("学员 %(student)s 对「%(title)s」又有追问。"), question)


def close(account_id: int, enrolment_id: int, question_id: int) -> None:
    """The student needs no (further) answer; closing a closed question changes nothing.

    Raises NotFound for a question that is not theirs.
    """
    with unit_of_work() as session:
        enrolled_degrees.lock(session, enrolment_id)
        enrolment = enrolled_degrees.own(session, account_id, enrolment_id)
        _of_enrolment(session, question_id, enrolment).status = QuestionStatus.CLOSED


def _why_not(session: Session, enrolment: EnrolledDegreeCourse) -> str:
    if enrolment.registration is None:
        return "form"
    if enrolment.study_status not in LIVING:
        return "ended"
    return "suspended" if enrolled_degrees.is_asked_back(session, enrolment) else ""


def _tell_mentor(session: Session, enrolment: EnrolledDegreeCourse, text: str, question: Question) -> None:
    if enrolment.mentor_id is None:
        return
    student = session.get_one(Account, enrolment.account_id)
    facts = {"student": student.shown_name, "title": question.title, "hours": settings().answer_hours}
    messages.tell(session, enrolment.mentor_id, MessageType.QUESTION, text, facts, link="/mentor/questions")


# ---------------------------------------------------------------- the mentor


def answer(mentor_id: int, question_id: int, content: str) -> None:
    """The mentor's answer, told to the student; the question counts as answered.

    Raises NotFound for a question of somebody else's student, NotYourTurn once the student has closed it.
    """
    with unit_of_work() as session:
        enrolment_id = session.scalar(select(Question.enrolled_degree_course_id).where(Question.id == question_id))
        if enrolment_id is None:
            raise NotFound
        enrolled_degrees.lock(session, enrolment_id)
        enrolment = enrolled_degrees.of_mentor(session, mentor_id, enrolment_id)
        question = _of_enrolment(session, question_id, enrolment)
        if question.status is QuestionStatus.CLOSED:
            raise NotYourTurn
        if not _say(session, question, mentor_id, content):
            return
        question.status = QuestionStatus.ANSWERED
        messages.tell(
            session,
            enrolment.account_id,
            MessageType.QUESTION,
            _("导师回复了您的问题「%(title)s」。"),
            {"title": question.title},
            link=f"/learning/degrees/{enrolment.id}/questions",
        )


def of_mentor(mentor_id: int, page: int, now: datetime) -> MentorQuestions:
    """The questions of the mentor's own students, in at most eight statements. Raises NotFound beyond the last page."""
    session = db.session()
    waiting = open_of(session, mentor_id, now)
    others = _others(mentor_id)
    total = len(waiting) + session.scalars(select(func.count()).select_from(others.order_by(None).subquery())).one()
    pages = pages_of(total, page, PAGE_SIZE)
    start = (page - 1) * PAGE_SIZE
    by_id = {one.id: one for one in waiting[start : start + PAGE_SIZE]}
    room = PAGE_SIZE - len(by_id)
    rest = session.scalars(others.offset(max(0, start - len(waiting))).limit(room)).all() if room else []
    return MentorQuestions(
        waiting=len(waiting),
        overdue=sum(one.is_over for one in waiting),
        answer_hours=settings().answer_hours,
        threads=_mentor_threads(session, [*by_id, *rest], by_id),
        page=page,
        pages=pages,
    )


def open_of(session: Session, mentor_id: int, now: datetime) -> list[Open]:
    """The questions that wait for this mentor, the most urgent first, in two statements.

    The clock of a question runs from when it was asked, or from when the mentor took over; leaves do not count, and
    the end of the study stops it. Those without a clock come last, oldest first.
    """
    found = _open_ones(session, now, EnrolledDegreeCourse.mentor_id == mentor_id)
    return sorted(found, key=lambda one: (one.due_time is None, one.due_time or one.since_time, one.id))


def overdue(session: Session, now: datetime) -> list[Open]:
    """The questions of the whole school whose time for an answer is over, in two statements."""
    is_old = Question.date <= now - timedelta(hours=settings().answer_hours)
    found = _open_ones(session, now, is_old, ~is_suspended(EnrolledDegreeCourse))
    return [one for one in found if one.is_over]


def _open_ones(session: Session, now: datetime, *where: ColumnElement[bool]) -> list[Open]:
    replied = select(func.max(Answer.date)).where(Answer.question_id == Question.id).scalar_subquery()
    answered = exists().where(Answer.question_id == Question.id, Answer.account_id != Question.account_id)
    rows = session.execute(
        select(
            Question.id,
            EnrolledDegreeCourse.id.label("enrolment_id"),
            EnrolledDegreeCourse.ended_time,
            Question.date.label("asked"),
            MentorAssignment.from_time.label("assigned"),
            replied.label("replied"),
            answered.label("is_further"),
        )
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == Question.enrolled_degree_course_id)
        .join(MentorAssignment, enrolled_degrees.of_present_mentor())
        .where(EnrolledDegreeCourse.closed_time.is_(None), Question.status == QuestionStatus.WAITING, *where)
    ).all()
    pauses = enrolled_degrees.all_pauses(session, {row.enrolment_id for row in rows})
    return [_open(row, pauses[row.enrolment_id], now) for row in rows]


def _open(row: Any, pauses: Sequence[Pause], now: datetime) -> Open:
    since = row.replied if row.is_further else row.asked
    due = deadline(max(row.asked, row.assigned), timedelta(hours=settings().answer_hours), pauses)
    if row.is_further or (due and row.ended_time and due > row.ended_time):
        due = None
    return Open(row.id, row.enrolment_id, since, due, due is not None and due <= now, row.is_further)


def _others(mentor_id: int) -> Select[int]:
    """The ids of what does not wait for this mentor, newest first."""
    return (
        select(Question.id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == Question.enrolled_degree_course_id)
        .where(
            EnrolledDegreeCourse.mentor_id == mentor_id,
            EnrolledDegreeCourse.closed_time.is_(None),
            Question.status != QuestionStatus.WAITING,
        )
        .order_by(Question.id.desc())
    )


def _mentor_threads(session: Session, ids: Sequence[int], waiting: Mapping[int, Open]) -> tuple[MentorThread, ...]:
    """Questions by their ids, in this order."""
    degree = Product.__table__
    rows = session.execute(
        select(Question, EnrolledDegreeCourse.id, Account.name, Account.username, degree.c.name)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == Question.enrolled_degree_course_id)
        .join(Account, Account.id == Question.account_id)
        .join(degree, degree.c.id == EnrolledDegreeCourse.degree_course_id)
        .where(Question.id.in_(ids))
    )
    said = _entries(session, ids)
    found = {
        question.id: MentorThread(
            _thread(question, said[question.id]), enrolment_id, name or username, degree_name, waiting.get(question.id)
        )
        for question, enrolment_id, name, username, degree_name in rows
    }
    return tuple(found[one] for one in ids)


# ---------------------------------------------------------------- both


def _of_enrolment(session: Session, question_id: int, enrolment: EnrolledDegreeCourse) -> Question:
    found = session.scalars(
        select(Question)
        .where(Question.id == question_id, Question.enrolled_degree_course_id == enrolment.id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


def _say(session: Session, question: Question, account_id: int, content: str) -> bool:
    """Add what somebody says; False when it is what they said last: the button was pressed twice."""
    last = session.scalars(
        select(Answer).where(Answer.question_id == question.id).order_by(Answer.id.desc()).limit(1)
    ).one_or_none()
    if last is not None and (last.account_id, last.content) == (account_id, content):
        return False
    session.add(Answer(question_id=question.id, account_id=account_id, content=content, date=clock.now()))
    return True


def _thread(question: Question, entries: Sequence[Entry]) -> Thread:
    return Thread(question.id, question.title, question.content, question.status, question.date, tuple(entries))


def _entries(session: Session, question_ids: Collection[int]) -> Mapping[int, Sequence[Entry]]:
    """What was said to each of these questions, oldest first, in one statement."""
    rows = session.execute(
        select(Answer, Account.name, Account.username, Question.account_id)
        .join(Question, Question.id == Answer.question_id)
        .join(Account, Account.id == Answer.account_id)
        .where(Answer.question_id.in_(question_ids))
        .order_by(Answer.id)
    )
    found = defaultdict(list)
    for said, name, username, asker_id in rows:
        found[said.question_id].append(Entry(name or username, said.account_id == asker_id, said.content, said.date))
    return found
