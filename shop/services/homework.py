"""Homework of a degree as its student sees it: the task, each hand-in with its mark, and handing in (domain.md 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from shop import wording
from shop.clock import local_date
from shop.enums import (
    HomeworkStatus,
    HomeworkType,
    MessageType,
    ModuleStatus,
    Purse,
    RewardStatus,
    Score,
    StudyStatus,
)
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, settings, unit_of_work
from shop.models import (
    CourseChapter,
    CourseSchedule,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    ScoreRecord,
    StudyRecord,
)
from shop.rules.rewards import is_passed
from shop.services import enrolled_degrees, messages, uploads
from shop.services.learning import is_suspended
from shop.services.locks import lock_account
from shop.services.uploads import Checked

LONGEST_TEXT = 10_000
NEWS = wording.mark("%(student)s 提交了作业「%(homework)s」（第 %(number)s 次），请在 %(hours)s 小时内批改。")


class NotNow(NotYourTurn):
    """Homework that cannot be handed in, and why."""

    text = lazy_gettext("作业没有提交：%(reason)s")


@dataclass(frozen=True, slots=True)
class File:
    id: int
    name: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class HandIn:
    """One hand-in and how it was graded; ``score`` is None while it waits."""

    id: int
    number: int  # 1 is the first
    content: str  # plain text, with links in it
    files: tuple[File, ...]
    submitted_time: datetime
    score: Score | None
    comment: str
    checked_time: datetime | None
    is_passed: bool
    beli: int  # what its mark has brought the student, or cost


@dataclass(frozen=True, slots=True)
class Task:
    """What a homework asks for; requirement and threshold (踩分点) are Markdown, not yet made safe."""

    title: str
    kind: HomeworkType
    requirement: str
    threshold: str
    worth: int  # 贝里 for the best mark
    module_name: str
    degree_name: str


@dataclass(frozen=True, slots=True)
class HomeworkView:
    """The page of one homework for its student."""

    enrolment_id: int
    homework_id: int
    task: Task
    may_read: bool  # whether the task itself is open today
    recommend_date: date | None  # none for homework that came after the module was opened
    is_late: bool  # that day is over, and nothing was handed in by then
    status: HomeworkStatus | None  # none before the first hand-in
    hand_ins: tuple[HandIn, ...]  # newest first
    mentor_name: str | None
    why_not: str  # why nothing can be handed in now; "" when it can


@dataclass(frozen=True, slots=True)
class _Standing:
    """One homework of one enrolment as the database has it now."""

    enrolment: EnrolledDegreeCourse
    study: StudyRecord
    homework: Homework
    recommend_date: date | None
    record: HomeworkRecord | None
    is_suspended: bool  # by a refund that is under way
    today: date

    @property
    def is_valid(self) -> bool:
        last = self.enrolment.valid_end_date
        return last is not None and self.today <= last


# ---------------------------------------------------------------- reading


def page(account_id: int, enrolment_id: int, homework_id: int, now: datetime) -> HomeworkView:
    """One homework of an opened module for its owner. Raises NotFound for everybody else, and before it is opened."""
    session = db.session()
    stands = _standing(session, account_id, enrolment_id, homework_id, now)
    record, mentor = stands.record, stands.enrolment.mentor
    handed_in = local_date(record.date) if record else stands.today
    return HomeworkView(
        enrolment_id=enrolment_id,
        homework_id=homework_id,
        task=task_of(stands.homework, stands.study.course_module.name, stands.enrolment.degree_course.name),
        may_read=stands.is_valid and not stands.is_suspended,
        recommend_date=stands.recommend_date,
        is_late=stands.recommend_date is not None and handed_in > stands.recommend_date,
        status=record.status if record else None,
        hand_ins=hand_ins(session, record.id) if record else (),
        mentor_name=mentor.shown_name if mentor else None,
        why_not=_why_not(stands),
    )


def task_of(homework: Homework, module_name: str, degree_name: str) -> Task:
    return Task(
        title=homework.title,
        kind=homework.homework_type,
        requirement=homework.requirement,
        threshold=homework.threshold,
        worth=homework.scholarship_value,
        module_name=module_name,
        degree_name=degree_name,
    )


def hand_ins(session: Session, record_id: int) -> tuple[HandIn, ...]:
    """Every hand-in of a homework record, newest first, in three statements."""
    rows = session.scalars(
        select(HomeworkSubmission)
        .where(HomeworkSubmission.homework_record_id == record_id)
        .order_by(HomeworkSubmission.number.desc())
        .options(selectinload(HomeworkSubmission.uploads))
    ).all()
    earned = dict(
        session.execute(
            select(ScoreRecord.homework_submission_id, func.sum(ScoreRecord.score))
            .where(ScoreRecord.homework_record_id == record_id, ScoreRecord.purse == Purse.REWARDS)
            .group_by(ScoreRecord.homework_submission_id)
        ).all()
    )
    return tuple(_hand_in(row, earned) for row in rows)


def _hand_in(row: HomeworkSubmission, earned: Mapping[int | None, int]) -> HandIn:
    return HandIn(
        id=row.id,
        number=row.number,
        content=row.content,
        files=tuple(File(file.id, file.name, file.size) for file in row.uploads),
        submitted_time=row.submitted_time,
        score=row.score,
        comment=row.comment,
        checked_time=row.checked_time,
        is_passed=row.score is not None and is_passed(row.score),
        beli=earned.get(row.id, 0),
    )


# ---------------------------------------------------------------- handing in


def hand_in(
    account_id: int, enrolment_id: int, homework_id: int, content: str, files: Sequence[Checked], now: datetime
) -> int:
    """Hand in a text of 1 to 10000 characters with files; the number of the hand-in, 1 for the first.

    The first one decides whether it was on time. Raises NotFound when it is not the account's, NotNow with the reason
    when it cannot be handed in, as while one still waits for its mark: of two at once, one wins.
    """
    _expect(_standing(db.session(), account_id, enrolment_id, homework_id, now))  # before the disk is written to
    with uploads.kept(files) as stored, unit_of_work() as session:
        lock_account(session, account_id)  # a refund that is being asked for waits, or is seen
        enrolled_degrees.lock(session, enrolment_id)
        stands = _standing(session, account_id, enrolment_id, homework_id, now)
        _expect(stands)
        record = stands.record or _first_record(session, stands, now)
        record.status, record.submit_num = HomeworkStatus.WAITING, record.submit_num + 1
        submission = HomeworkSubmission(
            homework_record_id=record.id, number=record.submit_num, content=content, submitted_time=now
        )
        session.add(submission)
        session.flush()
        uploads.attach(session, stored, account_id, now, submission_id=submission.id)
        _tell_mentor(session, stands, submission)
        return submission.number


def _first_record(session: Session, stands: _Standing, now: datetime) -> HomeworkRecord:
    record = HomeworkRecord(
        homework_id=stands.homework.id,
        student_id=stands.enrolment.id,
        submit_num=0,
        date=now,
        reward_status=_punctuality(stands.today, stands.recommend_date),
    )
    session.add(record)
    session.flush()
    return record


def _punctuality(handed_in: date, recommended: date | None) -> RewardStatus:
    """The recommended day counts whole; homework without one is never late."""
    if recommended is None:
        return RewardStatus.UNCHECKED
    return RewardStatus.ON_TIME if handed_in <= recommended else RewardStatus.LATE


def _tell_mentor(session: Session, stands: _Standing, submission: HomeworkSubmission) -> None:
    """Whoever is the mentor now; without one it waits, and is seen by whoever becomes the mentor."""
    if stands.enrolment.mentor_id is None:
        return
    messages.tell(
        session,
        stands.enrolment.mentor_id,
        MessageType.HOMEWORK,
        NEWS,
        {
            "student": stands.enrolment.account.shown_name,
            "homework": stands.homework.title,
            "number": submission.number,
            "hours": settings().grading_hours,
        },
        link=f"/mentor/homework/{submission.id}",
        event=f"hand-in:{submission.id}",
    )


# ---------------------------------------------------------------- whose, and whether


def _standing(session: Session, account_id: int, enrolment_id: int, homework_id: int, now: datetime) -> _Standing:
    """Raises NotFound unless the homework is one of an opened module of the account's own living enrolment."""
    row = session.execute(
        select(
            EnrolledDegreeCourse,
            StudyRecord,
            Homework,
            CourseSchedule.recommend_date,
            HomeworkRecord,
            is_suspended(EnrolledDegreeCourse),
        )
        .join(StudyRecord, StudyRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id)
        .join(CourseChapter, CourseChapter.course_id == StudyRecord.course_module_id)
        .join(Homework, Homework.chapter_id == CourseChapter.id)
        .outerjoin(
            CourseSchedule,
            (CourseSchedule.study_record_id == StudyRecord.id) & (CourseSchedule.homework_id == Homework.id),
        )
        .outerjoin(
            HomeworkRecord,
            (HomeworkRecord.homework_id == Homework.id) & (HomeworkRecord.student_id == EnrolledDegreeCourse.id),
        )
        .where(
            EnrolledDegreeCourse.id == enrolment_id,
            EnrolledDegreeCourse.account_id == account_id,
            EnrolledDegreeCourse.closed_time.is_(None),
            StudyRecord.status != ModuleStatus.LOCKED,
            Homework.id == homework_id,
        )
        .options(
            joinedload(EnrolledDegreeCourse.account),
            joinedload(EnrolledDegreeCourse.mentor),
            joinedload(EnrolledDegreeCourse.degree_course),
            joinedload(StudyRecord.course_module),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound
    return _Standing(*row, local_date(now))


def _expect(stands: _Standing) -> None:
    """Raises NotNow unless this homework can be handed in."""
    if reason := _why_not(stands):
        raise NotNow(reason=reason)


def _why_not(stands: _Standing) -> str:
    """Why this homework cannot be handed in now, in the student's language; "" when it can."""
    record, status = stands.record, stands.enrolment.study_status
    if record and record.status is HomeworkStatus.PASSED:
        return _("它已经通过，不需要再提交。")
    if stands.is_suspended:
        return _("退费处理中，学习暂停。")
    if status is StudyStatus.ON_LEAVE:
        return _("休学中，复学以后再提交。")
    if status is StudyStatus.GRADUATED:
        return _("您已经毕业。")
    if status is not StudyStatus.STUDYING or not stands.is_valid:
        return _("这门学位课的学习期限已经结束。")
    if not stands.homework.enabled:
        return _("这份作业已经停用，不计入通过条件。")
    if record and record.status is HomeworkStatus.WAITING:
        return _("第 %(number)s 次提交正在等待批改，批改以后才能再次提交。", number=record.submit_num)
    return ""
