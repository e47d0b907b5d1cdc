"""The mentor's side of homework: what waits for a mark, since when and until when; and giving the mark (domain.md 4.2).

Only the present mentor of an enrolment sees and grades its hand-ins, and each of them once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from shop.clock import local_date
from shop.enums import (
    HomeworkStatus,
    HomeworkType,
    MessageType,
    Purse,
    RewardStatus,
    Rule,
    Score,
    ScoreType,
    StudyStatus,
)
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, settings, unit_of_work
from shop.models import (
    Account,
    CourseChapter,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    MentorAssignment,
    Product,
    ScoreRecord,
    Upload,
)
from shop.rules.duties import Pause, deadline
from shop.rules.rewards import is_passed, reward_of
from shop.rules.study_states import UNDER_WAY, is_over
from shop.services import enrolled_degrees, homework, messages, modules, purses, rule_book
from shop.services.homework import HandIn, Task
from shop.services.learning import is_suspended
from shop.services.locks import lock_account
from shop.services.paging import pages_of
from shop.services.purses import Cause
from shop.wording import mark

LONGEST_COMMENT = 5_000
ROWS_A_PAGE = 20

PASSED = mark("您的作业「%(homework)s」通过了，成绩 %(score)s。")
PASSED_WITH_BELI = mark("您的作业「%(homework)s」通过了，成绩 %(score)s，获得 %(beli)s 贝里，毕业以后到账。")
FAILED = mark("您的作业「%(homework)s」没有通过，成绩 %(score)s。请看导师的批注，修改以后再次提交。")
COPIED = mark("您的作业「%(homework)s」被判为抄袭，没有通过。请独立完成以后再次提交。")
COPIED_WITH_FINE = mark("您的作业「%(homework)s」被判为抄袭，没有通过，扣除 %(beli)s 贝里。请独立完成以后再次提交。")


class AlreadyGraded(NotYourTurn):
    """A hand-in that has its mark: it stands, and what it earned is booked."""

    text = lazy_gettext("第 %(number)s 次提交已经批改过，成绩 %(score)s。一次提交只批改一次。")


class NotNow(NotYourTurn):
    """A hand-in that cannot be graded now, and why."""

    text = lazy_gettext("没有批改：%(reason)s")


@dataclass(frozen=True, slots=True)
class Clock:
    """How long a hand-in has waited, and what is left of the time for its mark."""

    waited: timedelta
    until: datetime | None  # none while a leave lasts
    left: timedelta  # below zero when it is overdue; nothing while a leave lasts

    @property
    def is_overdue(self) -> bool:
        return self.until is not None and self.left <= timedelta()


@dataclass(frozen=True, slots=True)
class Waiting:
    """One hand-in that waits for its mark."""

    id: int
    number: int
    student: str
    title: str
    kind: HomeworkType
    degree_name: str
    module_name: str
    files: int
    submitted_time: datetime
    clock: Clock
    is_suspended: bool  # by a refund that is under way: it waits, and cannot be graded


@dataclass(frozen=True, slots=True)
class Queue:
    """One page of what waits, oldest first."""

    rows: tuple[Waiting, ...]
    total: int
    page: int
    pages: int
    hours: int  # within which a hand-in should be graded


@dataclass(frozen=True, slots=True)
class GradingView:
    """One hand-in for its mentor, with the task and every other hand-in of the same homework."""

    hand_in: HandIn
    others: tuple[HandIn, ...]  # newest first
    task: Task
    enrolment_id: int
    student: str
    clock: Clock
    was_on_time: bool | None  # the first hand-in; None when no day was recommended
    waiting: int  # hand-ins of the mentor that wait, this one among them
    next_id: int | None  # the one to grade after this
    why_not: str  # why it cannot be graded now; "" when it can


@dataclass(frozen=True, slots=True)
class Effect:
    """What a mark would do, in 贝里 of the student."""

    is_passed: bool
    reward: int
    punctuality: int  # on top
    fine: int  # at most


@dataclass(frozen=True, slots=True)
class Graded:
    """What a mark has done."""

    student: str
    title: str
    score: Score
    is_passed: bool
    beli: int  # earned (above zero) or lost
    next_id: int | None


# ---------------------------------------------------------------- the queue


def queue(mentor_id: int, page: int, now: datetime) -> Queue:
    """What waits for this mentor, oldest first, in three statements. Raises NotFound beyond the last page."""
    session = db.session()
    total = _count(session, mentor_id)
    pages = pages_of(total, page, ROWS_A_PAGE)
    rows = session.execute(
        _rows().where(*_waits_for(mentor_id)).order_by(*_AGE).limit(ROWS_A_PAGE).offset((page - 1) * ROWS_A_PAGE)
    ).all()
    pauses = enrolled_degrees.all_pauses(session, {row.enrolment_id for row in rows})
    waiting = tuple(_waiting(row, pauses.get(row.enrolment_id, ()), now) for row in rows)
    return Queue(waiting, total, page, pages, settings().grading_hours)


_module, _degree = Product.__table__.alias("module"), Product.__table__.alias("degree")
_AGE = HomeworkSubmission.submitted_time, HomeworkSubmission.id


def _waits_for(mentor_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        HomeworkSubmission.checked_time.is_(None),
        EnrolledDegreeCourse.mentor_id == mentor_id,
        EnrolledDegreeCourse.closed_time.is_(None),
        EnrolledDegreeCourse.study_status.in_(UNDER_WAY),
    )


def _of_enrolments(what: Any) -> Any:
    return (
        what.select_from(HomeworkSubmission)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == HomeworkRecord.student_id)
    )


def _rows() -> Any:
    """Hand-ins with all that a list or a page says of them besides their texts."""
    files = select(func.count(Upload.id)).where(Upload.homework_submission_id == HomeworkSubmission.id)
    what = select(
        HomeworkSubmission.id,
        HomeworkSubmission.number,
        HomeworkSubmission.submitted_time,
        HomeworkSubmission.homework_record_id.label("record_id"),
        EnrolledDegreeCourse.id.label("enrolment_id"),
        EnrolledDegreeCourse.study_status,
        EnrolledDegreeCourse.valid_end_date,
        HomeworkRecord.reward_status,
        Account.name,
        Account.username,
        Homework,
        _module.c.name.label("module_name"),
        _degree.c.name.label("degree_name"),
        MentorAssignment.from_time,
        is_suspended(EnrolledDegreeCourse).label("is_suspended"),
        files.scalar_subquery().label("files"),
    )
    return (
        _of_enrolments(what)
        .join(Account, Account.id == EnrolledDegreeCourse.account_id)
        .join(Homework, Homework.id == HomeworkRecord.homework_id)
        .join(CourseChapter, CourseChapter.id == Homework.chapter_id)
        .join(_module, _module.c.id == CourseChapter.course_id)
        .join(_degree, _degree.c.id == EnrolledDegreeCourse.degree_course_id)
        .join(MentorAssignment, enrolled_degrees.of_present_mentor())
    )


def _count(session: Session, mentor_id: int) -> int:
    return session.scalar(_of_enrolments(select(func.count())).where(*_waits_for(mentor_id))) or 0


def _waiting(row: Any, pauses: Sequence[Pause], now: datetime) -> Waiting:
    return Waiting(
        id=row.id,
        number=row.number,
        student=row.name or row.username,
        title=row.Homework.title,
        kind=row.Homework.homework_type,
        degree_name=row.degree_name,
        module_name=row.module_name,
        files=row.files,
        submitted_time=row.submitted_time,
        clock=_clock(row, pauses, now),
        is_suspended=row.is_suspended,
    )


def _clock(row: Any, pauses: Sequence[Pause], now: datetime) -> Clock:
    """Time runs from the hand-in, for a mentor who came later from that day on; leaves do not count."""
    begin = max(row.submitted_time, row.from_time)
    until = deadline(begin, timedelta(hours=settings().grading_hours), pauses)
    return Clock(now - row.submitted_time, until, until - now if until else timedelta())


# ---------------------------------------------------------------- one hand-in


def page(mentor_id: int, submission_id: int, now: datetime) -> GradingView:
    """One hand-in of a present student of this mentor, graded or not. Raises NotFound for everybody else's."""
    session = db.session()
    row = session.execute(
        _rows().where(
            HomeworkSubmission.id == submission_id,
            EnrolledDegreeCourse.mentor_id == mentor_id,
            EnrolledDegreeCourse.closed_time.is_(None),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    every = homework.hand_ins(session, row.record_id)
    this = next(one for one in every if one.id == submission_id)
    punctual = {RewardStatus.ON_TIME: True, RewardStatus.LATE: False}
    return GradingView(
        hand_in=this,
        others=tuple(one for one in every if one is not this),
        task=homework.task_of(row.Homework, row.module_name, row.degree_name),
        enrolment_id=row.enrolment_id,
        student=row.name or row.username,
        clock=_clock(row, enrolled_degrees.pauses(session, row.enrolment_id), now),
        was_on_time=punctual.get(row.reward_status),
        waiting=_count(session, mentor_id),
        next_id=_next(session, mentor_id, row.submitted_time, submission_id),
        why_not=why_not(row.study_status, row.valid_end_date, row.is_suspended, now),
    )


def effect(view: GradingView, score: Score) -> Effect:
    """What this mark would do to the hand-in of this page."""
    session = db.session()
    passes = is_passed(score)
    punctuality = rule_book.worth(session, Rule.LATE_HOMEWORK, ScoreType.REWARD) if passes and view.was_on_time else 0
    fine = rule_book.worth(session, Rule.HOMEWORK_SCORE, ScoreType.PENALTY) if score is Score.COPY else 0
    return Effect(passes, reward_of(score, view.task.worth), punctuality, fine)


def why_not(status: StudyStatus, last_date: date | None, is_asked_back: bool, now: datetime) -> str:
    """Why nothing of this student is graded now, in the mentor's language; "" when it is.

    A study is over with its last day, also before the nightly job has said so.
    """
    if is_asked_back:
        return _("这位学员正在申请退费，学习暂停；退费结束以后再批改。")
    if is_over(status, last_date, local_date(now)):
        status = StudyStatus.OVERTIME
    if status not in UNDER_WAY:
        return _("这位学员的学习已经结束（%(status)s），不再批改。", status=status.label)
    return ""


def _next(session: Session, mentor_id: int, submitted_time: datetime, submission_id: int) -> int | None:
    """The hand-in that waits next after this one, else the oldest other one; None when nothing else can be graded."""
    time, key = _AGE
    is_younger = or_(time > submitted_time, and_(time == submitted_time, key > submission_id))
    return session.scalar(
        _of_enrolments(select(key))
        .where(*_waits_for(mentor_id), ~is_suspended(EnrolledDegreeCourse), key != submission_id)
        .order_by(is_younger.desc(), *_AGE)
        .limit(1)
    )


# ---------------------------------------------------------------- the mark


def grade(mentor_id: int, submission_id: int, score: Score, comment: str, now: datetime) -> Graded:
    """Give a hand-in its mark: book what it earns or costs, end the module when it is passed, and tell the student.

    A mark that does not pass needs a comment (ValueError). Raises NotFound for whoever is not the mentor now,
    AlreadyGraded the second time (of two at once, one wins), and NotNow after the study has ended or while a refund is
    under way. A leave is no hindrance: what was handed in before it may be graded.
    """
    if not (comment or is_passed(score)):
        raise ValueError("a mark that does not pass needs a comment")
    with unit_of_work() as session:
        submission, enrolment = _locked(session, mentor_id, submission_id, now)
        write_mark(submission, score, comment, mentor_id, now)
        beli = book(session, enrolment, submission, now)
        if is_passed(score):
            go_on(session, enrolment, submission.record, now)
        tell_student(session, enrolment, submission, beli)
        student = session.get_one(Account, enrolment.account_id)
        return Graded(
            student=student.shown_name,
            title=submission.record.homework.title,
            score=score,
            is_passed=is_passed(score),
            beli=beli,
            next_id=_next(session, mentor_id, submission.submitted_time, submission_id),
        )


def _locked(
    session: Session, mentor_id: int, submission_id: int, now: datetime
) -> tuple[HomeworkSubmission, EnrolledDegreeCourse]:
    """The hand-in behind the locks of its student and enrolment, still the mentor's and still without a mark."""
    whose = session.execute(
        _of_enrolments(select(EnrolledDegreeCourse.id, EnrolledDegreeCourse.account_id)).where(
            HomeworkSubmission.id == submission_id, EnrolledDegreeCourse.mentor_id == mentor_id
        )
    ).one_or_none()
    if whose is None:
        raise NotFound
    lock_account(session, whose.account_id)  # a refund that is being asked for waits, or is seen
    enrolment = enrolled_degrees.lock(session, whose.id)
    if enrolment.mentor_id != mentor_id or enrolment.closed_time is not None:
        raise NotFound
    submission = session.get_one(HomeworkSubmission, submission_id, populate_existing=True)
    if submission.score is not None:
        raise AlreadyGraded(number=submission.number, score=submission.score.label)
    suspended = enrolled_degrees.is_asked_back(session, enrolment)
    if reason := why_not(enrolment.study_status, enrolment.valid_end_date, suspended, now):
        raise NotNow(reason=reason)
    return submission, enrolment


def write_mark(submission: HomeworkSubmission, score: Score, comment: str, grader_id: int, now: datetime) -> None:
    """The mark in the hand-in and in the record of its homework. When it came in time, it stays in time."""
    record = submission.record
    submission.score, submission.comment = score, comment
    submission.grader_id, submission.checked_time = grader_id, submission.checked_time or now
    record.score, record.mentor_comment = score, comment
    record.mentor_id, record.check_date = grader_id, now
    record.status = HomeworkStatus.PASSED if is_passed(score) else HomeworkStatus.FAILED


def book(
    session: Session, enrolment: EnrolledDegreeCourse, submission: HomeworkSubmission, now: datetime, *, again: str = ""
) -> int:
    """Book what its mark earns or costs the student: 贝里 in all, below zero for a fine.

    ``again`` tells the events of a mark that replaces another one from those that were booked before.
    """
    score = submission.score or Score.NA
    if is_passed(score):
        return _reward(session, enrolment, submission, now, again)
    return _punish(session, enrolment, submission, now, again) if score is Score.COPY else 0


def _reward(
    session: Session, enrolment: EnrolledDegreeCourse, submission: HomeworkSubmission, now: datetime, again: str
) -> int:
    """Book what a mark that passes earns, and what punctuality does: 贝里 in all. Rewards of 0 are no rows."""
    record = submission.record
    task = record.homework
    gained = 0
    if reward := reward_of(submission.score or Score.NA, task.scholarship_value):
        facts = {"homework": task.title, "score": int(submission.score or 0), "worth": task.scholarship_value}
        cause = Cause(f"mark:{submission.id}{again}", mark("作业成绩奖励"), facts, record.id, submission.id)
        gained += _booked(
            purses.gain(session, enrolment, Purse.REWARDS, Rule.HOMEWORK_SCORE, cause, now, amount=reward)
        )
    punctuality = rule_book.current(session, Rule.LATE_HOMEWORK, ScoreType.REWARD).score
    if punctuality and _was_on_time(session, record):
        facts = {"homework": task.title, "handed_in_date": local_date(record.date).isoformat()}
        cause = Cause(
            purses.anew(session, f"on-time:{record.id}"), mark("按时提交作业"), facts, record.id, submission.id
        )
        gained += _booked(purses.gain(session, enrolment, Purse.REWARDS, Rule.LATE_HOMEWORK, cause, now))
    if gained:
        record.reward_status = RewardStatus.REWARDED
    return gained


def _punish(
    session: Session, enrolment: EnrolledDegreeCourse, submission: HomeworkSubmission, now: datetime, again: str
) -> int:
    """Book the fine for COPY: how much it took, below zero. The row remembers whether the first hand-in was on time."""
    record = submission.record
    facts = {
        "homework": record.homework.title,
        "number": submission.number,
        "on_time": _was_on_time(session, record),
    }
    cause = Cause(f"copy:{submission.id}{again}", mark("作业判为抄袭"), facts, record.id, submission.id)
    taken = _booked(purses.fine(session, enrolment, Purse.REWARDS, Rule.HOMEWORK_SCORE, cause, now))
    record.reward_status = RewardStatus.PUNISHED
    return taken


def _booked(row: ScoreRecord | None) -> int:
    return row.score if row else 0


def _was_on_time(session: Session, record: HomeworkRecord) -> bool:
    """Whether the first hand-in was on time, as it was decided then: a leave moves the day of what is not passed."""
    if record.reward_status is not RewardStatus.PUNISHED:
        return record.reward_status is RewardStatus.ON_TIME
    facts = session.scalars(
        select(ScoreRecord.facts)
        .where(ScoreRecord.homework_record_id == record.id, ScoreRecord.event.startswith("copy:"))
        .order_by(ScoreRecord.id)
        .limit(1)
    ).one()
    return bool(facts["on_time"])


def go_on(session: Session, enrolment: EnrolledDegreeCourse, record: HomeworkRecord, now: datetime) -> None:
    """End the module when all of it is passed, and the study with the last one."""
    session.flush()
    module_id = session.scalars(
        select(CourseChapter.course_id)
        .join(Homework, Homework.chapter_id == CourseChapter.id)
        .where(Homework.id == record.homework_id)
    ).one()
    modules.go_on(session, enrolment, module_id, now)


def tell_student(session: Session, enrolment: EnrolledDegreeCourse, submission: HomeworkSubmission, beli: int) -> None:
    score = submission.score or Score.NA
    if is_passed(score):
        text = PASSED_WITH_BELI if beli else PASSED
    elif score is Score.COPY:
        text = COPIED_WITH_FINE if beli else COPIED
    else:
        text = FAILED
    messages.tell(
        session,
        enrolment.account_id,
        MessageType.HOMEWORK,
        text,
        {"homework": submission.record.homework.title, "score": score.chinese, "beli": abs(beli)},
        link=f"/learning/degrees/{enrolment.id}/homework/{submission.record.homework_id}",
        event=f"mark:{submission.id}",
    )
