"""The road of a degree as its student sees it: modules and their homework, what is next, what is late, and its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import and_, exists, or_, select, true
from sqlalchemy.orm import Session, selectinload

from shop.clock import local_date
from shop.enums import HomeworkStatus, HomeworkType, ModuleStatus, StudyStatus
from shop.errors import NotFound
from shop.extensions import db, settings
from shop.models import (
    Account,
    Course,
    CourseChapter,
    CourseSchedule,
    DegreeCourse,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    Order,
    OrderDetail,
    Product,
    Scholarship,
    ScoreRecord,
    StudyLeave,
    StudyRecord,
)
from shop.rules import leaves
from shop.rules import road as rules
from shop.rules.rewards import Tier, scholarship_of
from shop.rules.road import Step, Task
from shop.services import leave
from shop.services.learning import Chapter, is_suspended, outline
from shop.services.leave import Leave


@dataclass(frozen=True, slots=True)
class Stage:
    """One module on the road of a degree; its lessons only once they may be opened."""

    number: int  # 1 is the first
    id: int
    name: str
    brief: str
    status: ModuleStatus
    open_date: date | None
    end_date: date | None
    tasks: tuple[Task, ...]  # the homework that counts
    chapters: tuple[Chapter, ...]

    @property
    def finals(self) -> int:
        return sum(task.kind is HomeworkType.FINAL for task in self.tasks)

    @property
    def passed(self) -> int:
        return sum(task.status is HomeworkStatus.PASSED for task in self.tasks)


@dataclass(frozen=True, slots=True)
class Next:
    """The one next step, with what it is about."""

    step: Step
    task: Task | None  # to hand in, or that waits for its mark
    stage: Stage | None  # the task's module; without a task the one to open, or that is being studied
    days: int | None  # until the task's day, below 0 after it


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the student is, in figures; a leave and the end of study stop its clock."""

    modules: int
    modules_done: int
    tasks: int
    passed: int
    waiting: int
    failed: int
    overdue: int  # not there, though their day is over
    handed_in: int  # of those that have a day
    planned: int  # that should be there by the plan
    days: int  # studied so far, both ends counted, without leaves
    period: int  # recommended for the whole degree


@dataclass(frozen=True, slots=True)
class Prize:
    """学位奖学金: what graduating brings when it comes until a day."""

    percent: int  # of the recommended days
    beli: int
    until_date: date


@dataclass(frozen=True, slots=True)
class Graduation:
    days: int  # that it took
    percent: int | None  # the tier reached, None without one
    beli: int


@dataclass(frozen=True, slots=True)
class Road:
    """The page of a degree for its student."""

    id: int  # of the enrolment
    product_id: int
    name: str
    status: StudyStatus
    is_registered: bool
    is_suspended: bool  # while its refund is under way
    mentor: str | None
    order_number: str
    begin_date: date | None
    until_date: date | None
    days_left: int | None  # of its validity, today counted; None before it begins
    ended_date: date | None
    as_of: date  # the day on which the road is looked at: today, or when a leave or the end stopped its clock
    rewards: int  # 贝里 that have not matured
    overtime_pays: bool
    stages: tuple[Stage, ...]
    next: Next
    progress: Progress
    leave: Leave | None
    leave_days: int  # taken by leaves that are over
    prize: Prize | None  # the best that can still be reached
    graduation: Graduation | None


def page(account_id: int, enrolment_id: int, today: date) -> Road:
    """The road for its owner, in at most eight statements however long it is. Raises NotFound for everybody else."""
    return _road(db.session(), _enrolment(db.session(), enrolment_id, account_id), today)


def of_student(enrolment_id: int, today: date) -> Road:
    """The road for staff. Raises NotFound for an unknown or refunded enrolment."""
    return _road(db.session(), _enrolment(db.session(), enrolment_id), today)


def _road(session: Session, row: Any, today: date) -> Road:
    enrolment: EnrolledDegreeCourse = row.EnrolledDegreeCourse
    rows = _leaves(session, enrolment.id)
    present = leave.present(rows)
    ended_date = local_date(enrolment.ended_time) if enrolment.ended_time else None
    as_of = min(filter(None, (today, present.begin_date if present else None, ended_date)))
    may_learn = row.is_registered and not row.is_suspended and _is_open(enrolment, today)
    stages = _stages(session, enrolment.id, as_of, may_learn=may_learn)
    away = leave.taken_days(rows)
    progress = _progress(stages, enrolment, as_of, away, row.period)
    return Road(
        id=enrolment.id,
        product_id=enrolment.degree_course_id,
        name=row.name,
        status=enrolment.study_status,
        is_registered=row.is_registered,
        is_suspended=row.is_suspended,
        mentor=row.mentor_name or row.mentor_username,
        order_number=row.order_number,
        begin_date=enrolment.valid_begin_date,
        until_date=enrolment.valid_end_date,
        days_left=_days_left(enrolment, today),
        ended_date=ended_date,
        as_of=as_of,
        rewards=enrolment.reward_balance,
        overtime_pays=settings().overtime_pays,
        stages=stages,
        next=_next(enrolment.study_status, stages, as_of, row),
        progress=progress,
        leave=present,
        leave_days=away,
        prize=_prize(session, enrolment, progress, away),
        graduation=_graduation(session, enrolment),
    )


def _enrolment(session: Session, enrolment_id: int, account_id: int | None = None) -> Any:
    """The living enrolment with what its page tells about it, of this account if one is given. Raises NotFound."""
    product, mentor, period = Product.__table__.c, Account.__table__.c, DegreeCourse.__table__.c.period
    registered = exists().where(DegreeRegistrationForm.enrolled_degree_id == EnrolledDegreeCourse.id)
    found = session.execute(
        select(
            EnrolledDegreeCourse,
            *(product.name, period, Order.order_number),
            mentor.name.label("mentor_name"),
            mentor.username.label("mentor_username"),
            registered.label("is_registered"),
            is_suspended(EnrolledDegreeCourse).label("is_suspended"),
        )
        .join(Product.__table__, product.id == EnrolledDegreeCourse.degree_course_id)
        .join(DegreeCourse.__table__, DegreeCourse.__table__.c.id == product.id)
        .join(OrderDetail, OrderDetail.id == EnrolledDegreeCourse.order_detail_id)
        .join(Order, Order.id == OrderDetail.order_id)
        .outerjoin(Account.__table__, mentor.id == EnrolledDegreeCourse.mentor_id)
        .where(
            EnrolledDegreeCourse.id == enrolment_id,
            EnrolledDegreeCourse.account_id == account_id if account_id is not None else true(),
            EnrolledDegreeCourse.closed_time.is_(None),
        )
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


def _leaves(session: Session, enrolment_id: int) -> Sequence[StudyLeave]:
    return session.scalars(select(StudyLeave).where(StudyLeave.enrolled_degree_course_id == enrolment_id)).all()


def _is_open(enrolment: EnrolledDegreeCourse, today: date) -> bool:
    is_within = enrolment.valid_end_date is not None and enrolment.valid_end_date >= today
    return is_within and enrolment.study_status is not StudyStatus.ON_LEAVE


def _days_left(enrolment: EnrolledDegreeCourse, today: date) -> int | None:
    return None if enrolment.valid_end_date is None else max(0, (enrolment.valid_end_date - today).days + 1)


# ---------------------------------------------------------------- modules and homework


def _stages(session: Session, enrolment_id: int, as_of: date, *, may_learn: bool) -> tuple[Stage, ...]:
    course = Course.__table__.c
    product = Product.__table__.c
    rows = session.execute(
        select(course.id, product.name, product.brief, StudyRecord.status, StudyRecord.open_date, StudyRecord.end_date)
        .select_from(StudyRecord)
        .join(Course.__table__, course.id == StudyRecord.course_module_id)
        .join(Product.__table__, product.id == course.id)
        .where(StudyRecord.enrolled_degree_course_id == enrolment_id)
        .order_by(course.order, course.id)
    ).all()
    tasks = _tasks(session, enrolment_id, as_of)
    opened = [row.id for row in rows if may_learn and row.status is not ModuleStatus.LOCKED]
    chapters = _chapters(session, opened) if opened else {}
    return tuple(
        Stage(
            number=number,
            id=row.id,
            name=row.name,
            brief=row.brief,
            status=row.status,
            open_date=row.open_date,
            end_date=row.end_date,
            tasks=tuple(tasks[row.id]),
            chapters=outline(chapters.get(row.id, ()), is_open=True),
        )
        for number, row in enumerate(rows, 1)
    )


def _tasks(session: Session, enrolment_id: int, as_of: date) -> Mapping[int, list[Task]]:
    """The homework that counts, by module, each as it stands: a module that is done keeps what it had."""
    still_counts = or_(
        StudyRecord.status != ModuleStatus.DONE, CourseSchedule.id.is_not(None), HomeworkRecord.id.is_not(None)
    )
    rows = session.execute(
        select(
            StudyRecord.course_module_id,
            *(Homework.id, Homework.title, Homework.homework_type),
            CourseSchedule.recommend_date,
            *(HomeworkRecord.status, HomeworkRecord.score, HomeworkRecord.date),
        )
        .select_from(StudyRecord)
        .join(CourseChapter, CourseChapter.course_id == StudyRecord.course_module_id)
        .join(Homework, Homework.chapter_id == CourseChapter.id)
        .outerjoin(
            CourseSchedule,
            and_(CourseSchedule.study_record_id == StudyRecord.id, CourseSchedule.homework_id == Homework.id),
        )
        .outerjoin(
            HomeworkRecord,
            and_(HomeworkRecord.homework_id == Homework.id, HomeworkRecord.student_id == enrolment_id),
        )
        .where(StudyRecord.enrolled_degree_course_id == enrolment_id, Homework.enabled, still_counts)
        .order_by(CourseChapter.chapter, Homework.order, Homework.id)
    )
    tasks: Mapping[int, list[Task]] = defaultdict(list)
    for module_id, homework_id, title, kind, due_date, status, score, handed_in in rows:
        first = local_date(handed_in) if handed_in else None
        late = rules.late_days(due_date, first, as_of)
        tasks[module_id].append(Task(homework_id, title, kind, due_date, status, score, first, late))
    return tasks


def _chapters(session: Session, module_ids: Sequence[int]) -> Mapping[int, list[CourseChapter]]:
    chapters: Mapping[int, list[CourseChapter]] = defaultdict(list)
    for chapter in session.scalars(
        select(CourseChapter)
        .where(CourseChapter.course_id.in_(module_ids))
        .order_by(CourseChapter.chapter)
        .options(selectinload(CourseChapter.sections))
    ):
        chapters[chapter.course_id].append(chapter)
    return chapters


# ---------------------------------------------------------------- where the student is


def _next(status: StudyStatus, stages: Sequence[Stage], as_of: date, row: Any) -> Next:
    studied = [stage for stage in stages if stage.status is ModuleStatus.STUDYING]
    step, task = rules.next_step(
        status,
        is_registered=row.is_registered,
        is_suspended=row.is_suspended,
        open_modules=[stage.tasks for stage in studied],
    )
    of_task = next((stage for stage in studied if task in stage.tasks), None) if task else None
    stage = of_task or next(iter(studied or stages), None)
    days = (task.due_date - as_of).days if task and task.due_date else None
    return Next(step, task, stage, days)


def _progress(
    stages: Sequence[Stage], enrolment: EnrolledDegreeCourse, as_of: date, away: int, period: int
) -> Progress:
    tasks = [task for stage in stages for task in stage.tasks]
    statuses = [task.status for task in tasks]
    begin = enrolment.valid_begin_date
    return Progress(
        modules=len(stages),
        modules_done=sum(stage.status is ModuleStatus.DONE for stage in stages),
        tasks=len(tasks),
        passed=statuses.count(HomeworkStatus.PASSED),
        waiting=statuses.count(HomeworkStatus.WAITING),
        failed=statuses.count(HomeworkStatus.FAILED),
        overdue=sum(task.is_overdue for task in tasks),
        handed_in=sum(task.due_date is not None and task.status is not None for task in tasks),
        planned=rules.planned(tasks, as_of),
        days=leaves.days_away(begin, as_of) + 1 - away if begin else 0,
        period=period,
    )


def _prize(session: Session, enrolment: EnrolledDegreeCourse, progress: Progress, away: int) -> Prize | None:
    """The best scholarship that can still be reached by whoever is studying; None in every other state."""
    begin = enrolment.valid_begin_date
    if enrolment.study_status is not StudyStatus.STUDYING or begin is None:
        return None
    rows = session.execute(
        select(Scholarship.time_percent, Scholarship.value).where(
            Scholarship.degree_course_id == enrolment.degree_course_id
        )
    )
    tier = scholarship_of([Tier(*row) for row in rows], progress.days, progress.period)
    if tier is None or not tier.value:
        return None
    return Prize(tier.time_percent, tier.value, rules.reach(tier, progress.period, begin, away))


def _graduation(session: Session, enrolment: EnrolledDegreeCourse) -> Graduation | None:
    """What the graduation booked."""
    if enrolment.study_status is not StudyStatus.GRADUATED:
        return None
    booked = session.execute(
        select(ScoreRecord.facts, ScoreRecord.score).where(ScoreRecord.event == f"graduation:{enrolment.id}")
    ).one_or_none()
    return Graduation(booked.facts["days"], booked.facts["percent"], booked.score) if booked else None
