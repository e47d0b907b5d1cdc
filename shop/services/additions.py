"""What is added to a degree that people study already: new modules and homework come to every living enrolment.

The caller holds the catalogue's lock. Modules come locked (design 12); homework of a module that is being studied gets
its day in the plan, after those that stand there, and its student is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop.clock import local_date, now
from shop.enums import MessageType, ModuleStatus
from shop.models import (
    Course,
    CourseChapter,
    CourseSchedule,
    DegreeCourse,
    EnrolledDegreeCourse,
    Homework,
    StudyRecord,
)
from shop.services import messages
from shop.wording import mark as _


def hold_sales(session: Session, degree_id: int) -> None:
    """Until the end nobody is enrolled in the degree, so that no student misses a module that comes now."""
    column = DegreeCourse.__table__.c.id
    session.execute(select(column).where(column == degree_id).with_for_update())


def open_module_to_students(session: Session, module: Course) -> list[StudyRecord]:
    """A record, still locked, in each living enrolment that has none of this published module."""
    has_one = select(StudyRecord.enrolled_degree_course_id).where(StudyRecord.course_module_id == module.id)
    living = select(EnrolledDegreeCourse.id).where(
        EnrolledDegreeCourse.degree_course_id == module.degree_course_id,
        EnrolledDegreeCourse.closed_time.is_(None),
        EnrolledDegreeCourse.id.not_in(has_one),
    )
    added = [
        StudyRecord(enrolled_degree_course_id=enrolment_id, course_module=module, status=ModuleStatus.LOCKED)
        for enrolment_id in session.scalars(living)
    ]
    session.add_all(added)
    return added


def plan_homework(session: Session, homework: Homework) -> list[CourseSchedule]:
    """A day in the plan of everybody who studies the module and has none for this homework, if it counts."""
    if not homework.enabled:
        return []
    added = []
    for record, enrolment in _studying(session, homework):
        day = _next_day(session, record, homework)
        added.append(CourseSchedule(study_record_id=record.id, homework_id=homework.id, recommend_date=day))
        _tell(session, enrolment, record, homework, day)
    session.add_all(added)
    return added


def _studying(session: Session, homework: Homework) -> Sequence[tuple[StudyRecord, EnrolledDegreeCourse]]:
    """Locked: a module that is being opened at this moment waits, or is waited for."""
    planned = select(CourseSchedule.study_record_id).where(CourseSchedule.homework_id == homework.id)
    rows = session.execute(
        select(StudyRecord, EnrolledDegreeCourse)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == StudyRecord.enrolled_degree_course_id)
        .join(CourseChapter, CourseChapter.course_id == StudyRecord.course_module_id)
        .where(
            CourseChapter.id == homework.chapter_id,
            StudyRecord.status == ModuleStatus.STUDYING,
            StudyRecord.id.not_in(planned),
            EnrolledDegreeCourse.closed_time.is_(None),
            EnrolledDegreeCourse.ended_time.is_(None),
        )
        .order_by(StudyRecord.id)
        .with_for_update(of=StudyRecord)
        .execution_options(populate_existing=True)
    ).all()
    return [(record, enrolment) for record, enrolment in rows]


def _next_day(session: Session, record: StudyRecord, homework: Homework) -> date:
    last = session.scalar(
        select(func.max(CourseSchedule.recommend_date)).where(CourseSchedule.study_record_id == record.id)
    )
    today = local_date(now())
    return max(today, last or today) + timedelta(days=homework.recommend_period)


def _tell(
    session: Session, enrolment: EnrolledDegreeCourse, record: StudyRecord, homework: Homework, day: date
) -> None:
    messages.tell(
        session,
        enrolment.account_id,
        MessageType.STUDY,
        _("模块「%(module)s」新增了作业「%(homework)s」，建议在 %(recommend_date)s 前提交。"),
        {
            "module": session.get_one(Course, record.course_module_id).name,
            "homework": homework.title,
            "recommend_date": day.isoformat(),
        },
        link=f"/learning/degrees/{enrolment.id}",
    )
