"""休学: the student rests from a degree and comes back; its days count neither for nor against anybody (design 9).

Lessons are closed meanwhile and nothing is handed in. At return the degree's last day moves by the days away, and so
does each planned day of homework that is not passed yet and was not due before the leave. All leaves of an enrolment
together last at most ``LEAVE_DAYS``; one that has used them up ends on that day, whoever says so and however late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from shop import clock
from shop.clock import local_date, start_of_day
from shop.enums import HomeworkStatus, MessageType, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, settings, unit_of_work
from shop.models import (
    Account,
    CourseSchedule,
    DegreeCourse,
    EnrolledDegreeCourse,
    HomeworkRecord,
    StudyLeave,
    StudyRecord,
)
from shop.rules import leaves
from shop.rules.staff_rights import Task
from shop.services import audit_log, enrolled_degrees, messages, study_cases
from shop.services.audit_log import Actor
from shop.services.enrolled_degrees import AskedBack
from shop.services.learning import is_suspended
from shop.wording import mark as _


@dataclass(frozen=True, slots=True)
class Leave:
    """A leave that lasts."""

    begin_date: date
    return_date: date  # on which study goes on by itself
    reason: str  # in the student's own words, or those of staff


@dataclass(frozen=True, slots=True)
class LeaveView:
    """What the page of leaves shows to the enrolment's owner."""

    enrolment_id: int
    degree_name: str
    status: StudyStatus
    is_suspended: bool
    is_over: bool  # its last day has passed
    allowed_days: int
    taken_days: int  # by leaves that are over
    left_days: int
    until_date: date | None  # of the degree, as it is now
    present: Leave | None

    @property
    def may_begin(self) -> bool:
        is_free = self.status is StudyStatus.STUDYING and not self.is_suspended and not self.is_over
        return is_free and self.left_days > 0


def page(account_id: int, enrolment_id: int, today: date) -> LeaveView:
    """How an enrolment stands with its leaves, in two statements. Raises NotFound for everybody but its owner."""
    session = db.session()
    found = session.execute(
        select(EnrolledDegreeCourse, is_suspended(EnrolledDegreeCourse))
        .where(
            EnrolledDegreeCourse.id == enrolment_id,
            EnrolledDegreeCourse.account_id == account_id,
            EnrolledDegreeCourse.closed_time.is_(None),
        )
        .options(joinedload(EnrolledDegreeCourse.degree_course))
    ).one_or_none()
    if found is None:
        raise NotFound
    enrolment, suspended = found
    rows = _leaves_of(session, enrolment_id)
    taken = taken_days(rows)
    return LeaveView(
        enrolment_id=enrolment_id,
        degree_name=enrolment.degree_course.name,
        status=enrolment.study_status,
        is_suspended=suspended,
        is_over=enrolment.valid_end_date is not None and enrolment.valid_end_date < today,
        allowed_days=settings().leave_days,
        taken_days=taken,
        left_days=leaves.days_left(settings().leave_days, taken),
        until_date=enrolment.valid_end_date,
        present=present(rows),
    )


def taken_days(rows: Sequence[StudyLeave]) -> int:
    """Days of the leaves that are over."""
    return sum(leaves.days_away(local_date(row.begin_time), local_date(row.end_time)) for row in rows if row.end_time)


def present(rows: Sequence[StudyLeave]) -> Leave | None:
    """The leave among them that lasts."""
    row = next((row for row in rows if row.end_time is None), None)
    return Leave(local_date(row.begin_time), _return_date(row, rows), row.reason) if row else None


# ---------------------------------------------------------------- beginning


def begin(account_id: int, enrolment_id: int, reason: str) -> None:
    """The student leaves now. Raises NotFound for everybody else, and NotYourTurn, whose fact ``why`` is:

    "state" (not studying), "over" (its last day has passed), "days" (none are left). AskedBack while its refund waits.
    """
    with unit_of_work() as session:
        enrolled_degrees.own(session, account_id, enrolment_id)
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        _begin(session, enrolment, audit_log.checked_reason(reason), clock.now(), is_own=True)


def begin_by_staff(enrolment_id: int, *, actor: Actor, reason: str) -> StudyLeave:
    """The same for a student who cannot; raises the same, OwnStudy, StaffOnly, and ValueError without a reason."""
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        study_cases.check(session, actor, Task.STUDIES_RUN, enrolment)
        row = _begin(session, enrolment, reason, clock.now(), is_own=False)
        audit_log.record(session, actor, "study_leave begin", row, after={"enrolment": enrolment_id}, reason=reason)
    return row


def _begin(
    session: Session, enrolment: EnrolledDegreeCourse, reason: str, now: datetime, *, is_own: bool
) -> StudyLeave:
    _expect(session, enrolment, StudyStatus.STUDYING)
    if enrolment.valid_end_date is None or enrolment.valid_end_date < local_date(now):
        raise NotYourTurn(why="over")
    rows = _leaves_of(session, enrolment.id)
    if not leaves.days_left(settings().leave_days, taken_days(rows)):
        raise NotYourTurn(why="days")
    row = StudyLeave(enrolled_degree_course_id=enrolment.id, begin_time=now, reason=reason)
    session.add(row)
    enrolment.study_status = StudyStatus.ON_LEAVE
    session.flush()
    _tell(
        session,
        enrolment,
        _("「%(degree)s」已休学，最晚到 %(return_date)s。期间课时关闭，不计违规；复学时有效期和作业日期顺延。"),
        _("学员 %(student)s（「%(degree)s」）从现在起休学，最晚到 %(return_date)s，期间不计时限。"),
        {"return_date": _return_date(row, rows)},
        is_mailed=not is_own,
    )
    return row


# ---------------------------------------------------------------- returning


def end(account_id: int, enrolment_id: int) -> int:
    """The student comes back now; how many days that were. Raises NotFound for everybody else.

    NotYourTurn when no leave lasts: ``why`` is "state". AskedBack while its refund waits.
    """
    with unit_of_work() as session:
        enrolled_degrees.own(session, account_id, enrolment_id)
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        days = end_in(session, enrolment, clock.now())
        tell_of_return(session, enrolment, days, is_mailed=False)
    return days


def end_by_staff(enrolment_id: int, *, actor: Actor, reason: str) -> int:
    """The same by staff; raises the same, OwnStudy, StaffOnly, and ValueError without a reason."""
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        study_cases.check(session, actor, Task.STUDIES_RUN, enrolment)
        days = end_in(session, enrolment, clock.now())
        tell_of_return(session, enrolment, days)
        audit_log.record(
            session,
            actor,
            "study_leave end",
            _leaves_of(session, enrolment_id)[-1],
            after={"enrolment": enrolment_id, "days": days},
            reason=reason,
        )
    return days


def end_in(session: Session, enrolment: EnrolledDegreeCourse, now: datetime) -> int:
    """End the leave that lasts, in the caller's transaction, which holds the enrolment's lock; its days.

    However late it is called, the leave ends on its last possible day. Raises NotYourTurn when none lasts, AskedBack
    while a refund is under way.
    """
    rows = _leaves_of(session, enrolment.id)
    row = next((row for row in rows if row.end_time is None), None)
    _expect(session, enrolment, StudyStatus.ON_LEAVE)
    if row is None:
        raise NotYourTurn(why="state")
    row.end_time = max(row.begin_time, min(now, start_of_day(_return_date(row, rows))))
    begin_date, end_date = local_date(row.begin_time), local_date(row.end_time)
    days = leaves.days_away(begin_date, end_date)
    enrolment.study_status = StudyStatus.STUDYING
    if enrolment.valid_end_date is not None:
        enrolment.valid_end_date += timedelta(days=days)
    _move_plan(session, enrolment.id, begin_date, end_date)
    session.flush()
    return days


def due(session: Session, enrolment_id: int, today: date) -> bool:
    """Whether the leave that lasts has used up all days by today."""
    lasting = present(_leaves_of(session, enrolment_id))
    return lasting is not None and lasting.return_date <= today


def _move_plan(session: Session, enrolment_id: int, begin_date: date, end_date: date) -> None:
    """Move the days of homework that is not passed yet; those of a module that opened meanwhile move by the rest."""
    passed = exists().where(
        HomeworkRecord.student_id == enrolment_id,
        HomeworkRecord.homework_id == CourseSchedule.homework_id,
        HomeworkRecord.status == HomeworkStatus.PASSED,
    )
    rows = session.execute(
        select(CourseSchedule, StudyRecord.open_date)
        .join(StudyRecord, StudyRecord.id == CourseSchedule.study_record_id)
        .where(StudyRecord.enrolled_degree_course_id == enrolment_id, ~passed)
        .execution_options(populate_existing=True)
    )
    for planned, open_date in rows:
        first_day = max(begin_date, open_date or begin_date)
        planned.recommend_date = leaves.moved(planned.recommend_date, first_day, leaves.days_away(first_day, end_date))


# ---------------------------------------------------------------- rows and messages


def _expect(session: Session, enrolment: EnrolledDegreeCourse, status: StudyStatus) -> None:
    """Raises AskedBack while a refund is under way, and NotYourTurn in every other state."""
    try:
        enrolled_degrees.expect(session, enrolment, status)
    except AskedBack:
        raise
    except NotYourTurn as error:
        raise NotYourTurn(why="state") from error


def tell_of_return(session: Session, enrolment: EnrolledDegreeCourse, days: int, *, is_mailed: bool = True) -> None:
    """Tell student and mentor that study goes on after so many days."""
    _tell(
        session,
        enrolment,
        _("「%(degree)s」已复学，休学 %(days)s 天。有效期顺延到 %(until_date)s。"),
        _("学员 %(student)s（「%(degree)s」）已复学，休学 %(days)s 天。"),
        {"days": days, "until_date": enrolment.valid_end_date},
        is_mailed=is_mailed,
    )


def _tell(
    session: Session,
    enrolment: EnrolledDegreeCourse,
    to_student: str,
    to_mentor: str,
    facts: dict[str, object],
    *,
    is_mailed: bool,
) -> None:
    student = session.get_one(Account, enrolment.account_id)
    degree = session.get_one(DegreeCourse, enrolment.degree_course_id).name
    facts = facts | {"degree": degree, "student": student.shown_name}
    road = f"/learning/degrees/{enrolment.id}"
    messages.tell(session, student.id, MessageType.STUDY, to_student, facts, link=road, is_mailed=is_mailed)
    if enrolment.mentor_id is not None:
        desk = f"/mentor/students/{enrolment.id}"
        messages.tell(session, enrolment.mentor_id, MessageType.STUDY, to_mentor, facts, link=desk)


def _return_date(row: StudyLeave, rows: Sequence[StudyLeave]) -> date:
    """When a leave ends by itself: after all the days that the enrolment's other leaves have left."""
    others = taken_days([other for other in rows if other is not row])
    return leaves.return_date(local_date(row.begin_time), leaves.days_left(settings().leave_days, others))


def _leaves_of(session: Session, enrolment_id: int) -> Sequence[StudyLeave]:
    return session.scalars(
        select(StudyLeave)
        .where(StudyLeave.enrolled_degree_course_id == enrolment_id)
        .order_by(StudyLeave.begin_time, StudyLeave.id)
        .execution_options(populate_existing=True)
    ).all()
