"""超时结业: what happens when the days of a degree are over without graduation; and leaves that have lasted too long.

Each enrolment is ended in a transaction of its own, locked and looked at again, as of its own day: run late, twice or
by two at once, the night leaves the same. What is asked back rests: nothing of it ends before the refund is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from shop.clock import local_date, start_of_day
from shop.enums import HomeworkStatus, MessageType, ModuleStatus, StudyStatus
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    CourseChapter,
    DegreeCourse,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    StudyRecord,
)
from shop.rules.study_states import UNDER_WAY
from shop.services import enrolled_degrees, leave, messages, modules
from shop.wording import mark as _

BATCH = 500  # enrolments looked up at a time
Counts = dict[str, int]


def end_due(now: datetime) -> Counts:
    """Step (d) of the nightly job: leaves whose days are used up, modules that wait for no mark, degrees out of time.

    "passed" are modules that were left with passed homework only, because what else they had was taken out of them.
    """
    return {
        "returned": _each(_on_leave(), lambda session, enrolment: _return(session, enrolment, now)),
        "passed": _each(_all_passed(now), lambda session, enrolment: _go_on(session, enrolment, now)),
        "ended": _each(_out_of_time(now), lambda session, enrolment: _end(session, enrolment, now)),
    }


def _each(candidates: Select[Any], change: Callable[[Session, EnrolledDegreeCourse], int]) -> int:
    """Lock the candidates one by one, each in its own transaction; the sum of what ``change`` says it did."""
    total = 0
    for enrolment_id in _in_batches(candidates):
        with unit_of_work() as session:
            enrolment = enrolled_degrees.lock(session, enrolment_id)
            if enrolment.closed_time is None and not enrolled_degrees.is_asked_back(session, enrolment):
                total += change(session, enrolment)
    return total


def _in_batches(candidates: Select[Any]) -> Iterator[int]:
    last = 0
    while found := db.session.scalars(
        candidates.where(EnrolledDegreeCourse.id > last, EnrolledDegreeCourse.closed_time.is_(None))
        .order_by(EnrolledDegreeCourse.id)
        .limit(BATCH)
    ).all():
        yield from found
        last = found[-1]


# ---------------------------------------------------------------- leaves


def _on_leave() -> Select[Any]:
    return select(EnrolledDegreeCourse.id).where(EnrolledDegreeCourse.study_status == StudyStatus.ON_LEAVE)


def _return(session: Session, enrolment: EnrolledDegreeCourse, now: datetime) -> int:
    if enrolment.study_status is not StudyStatus.ON_LEAVE or not leave.due(session, enrolment.id, local_date(now)):
        return 0
    leave.tell_of_return(session, enrolment, leave.end_in(session, enrolment, now))
    return 1


# ---------------------------------------------------------------- modules


def _all_passed(now: datetime) -> Select[Any]:
    """Enrolments with an open module whose homework is all passed, by marks given until then."""
    passed = exists().where(
        HomeworkRecord.homework_id == Homework.id,
        HomeworkRecord.student_id == EnrolledDegreeCourse.id,
        HomeworkRecord.status == HomeworkStatus.PASSED,
        or_(HomeworkRecord.check_date.is_(None), HomeworkRecord.check_date <= now),
    )
    counts = and_(
        CourseChapter.course_id == StudyRecord.course_module_id,
        Homework.chapter_id == CourseChapter.id,
        Homework.enabled,
    )
    return select(EnrolledDegreeCourse.id).where(
        EnrolledDegreeCourse.study_status.in_(UNDER_WAY),
        exists().where(
            StudyRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id,
            StudyRecord.status == ModuleStatus.STUDYING,
            exists().where(counts),
            ~exists().where(counts, ~passed),
        ),
    )


def _go_on(session: Session, enrolment: EnrolledDegreeCourse, now: datetime) -> int:
    before = [record for record in modules.in_order(session, enrolment.id) if record.status is ModuleStatus.STUDYING]
    for record in before:
        modules.go_on(session, enrolment, record.course_module_id, now)
    return sum(record.status is ModuleStatus.DONE for record in before)


# ---------------------------------------------------------------- the last day


def _out_of_time(now: datetime) -> Select[Any]:
    return select(EnrolledDegreeCourse.id).where(
        EnrolledDegreeCourse.study_status == StudyStatus.STUDYING,
        EnrolledDegreeCourse.valid_end_date < local_date(now),
    )


def _end(session: Session, enrolment: EnrolledDegreeCourse, now: datetime) -> int:
    last_day = enrolment.valid_end_date
    if enrolment.study_status is not StudyStatus.STUDYING or last_day is None or last_day >= local_date(now):
        return 0
    enrolment.study_status = StudyStatus.OVERTIME
    enrolment.ended_time = start_of_day(last_day + timedelta(days=1))
    student = session.get_one(Account, enrolment.account_id)
    degree = session.get_one(DegreeCourse, enrolment.degree_course_id).name
    facts = {"degree": degree, "student": student.shown_name, "last_date": last_day}
    messages.tell(
        session,
        student.id,
        MessageType.STUDY,
        _("「%(degree)s」的有效期到 %(last_date)s 为止，没有在期内毕业，现在超时结业：课时已关闭，作业不能再交。"),
        facts,
        link=f"/learning/degrees/{enrolment.id}",
    )
    if enrolment.mentor_id is not None:
        messages.tell(
            session,
            enrolment.mentor_id,
            MessageType.STUDY,
            _("学员 %(student)s（「%(degree)s」）没有在 %(last_date)s 前毕业，已超时结业。"),
            facts,
            link=f"/mentor/students/{enrolment.id}",
        )
    return 1
