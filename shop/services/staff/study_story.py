"""One enrolment with its whole story, for the registry: the road, marks, mentors, leaves, purses, and who did what.

Name and phone number are masked; they are shown on request, one person at a time, and that is in the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased, joinedload

from shop.clock import local_date
from shop.enums import ComplaintState, Purse, QuestionStatus, Score
from shop.errors import NotFound, StaffOnly
from shop.extensions import db, settings, unit_of_work
from shop.models import (
    Account,
    Appeal,
    AuditLog,
    Complaint,
    CourseChapter,
    DegreeRegistrationDraft,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    MentorAssignment,
    Order,
    OrderDetail,
    Product,
    Question,
    ScoreRecord,
    StudyLeave,
    StudyRecord,
)
from shop.rules.leaves import days_left
from shop.rules.masking import masked_name, masked_phone
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, enrolled_degrees, leave, mentored, registration, score_rows, study_cases
from shop.services.audit_log import Actor
from shop.services.mentored import FollowUp, Module
from shop.services.registration import MentorsView
from shop.services.score_rows import Line
from shop.services.staff import overdue
from shop.services.staff.study_list import FormState, form_state

ROWS = 50  # of purses and of the audit log
LOOK = "account look"


@dataclass(frozen=True, slots=True)
class HandIn:
    """One hand-in and its mark."""

    id: int
    module: str
    homework: str
    number: int
    submitted_time: datetime
    score: Score | None
    checked_time: datetime | None
    grader: str  # user name; "" without a mark
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class Assigned:
    """A mentor, from when until when, and with what fee."""

    mentor: str
    fee: int
    from_time: datetime
    until_time: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """A complaint or an appeal about this enrolment."""

    id: int
    state: ComplaintState
    date: datetime


@dataclass(frozen=True, slots=True)
class Form:
    """Where the registration form stands; ``view`` has nothing sensitive, and is none before it is filed."""

    state: FormState
    view: MentorsView | None
    has_draft: bool


@dataclass(frozen=True, slots=True)
class Questions:
    """How many questions there are."""

    waiting: int
    answered: int
    closed: int


@dataclass(frozen=True, slots=True)
class Story:
    enrolment: EnrolledDegreeCourse  # with its degree and mentor
    student_id: int
    username: str
    name: str  # masked
    phone: str  # masked; "" without one
    order_number: str
    is_suspended: bool
    form: Form
    modules: Sequence[Module]
    hand_ins: Sequence[HandIn]
    leaves: Sequence[StudyLeave]
    leave_days_left: int
    assigned: Sequence[Assigned]
    follow_ups: Sequence[FollowUp]
    questions: Questions
    late_answers: int
    rewards: Sequence[Line]
    fee: Sequence[Line]
    complaints: Sequence[Dispute]
    appeals: Sequence[Dispute]
    history: Sequence[AuditLog]


@dataclass(frozen=True, slots=True)
class Person:
    """A student for the eyes that have asked."""

    name: str
    phone: str


# ---------------------------------------------------------------- looking


def whole(enrolment_id: int, now: datetime, viewer_id: int) -> Story:
    """In a fixed number of statements; without disputes for whoever they may be about. Raises NotFound."""
    session = db.session()
    enrolment, order_number, is_suspended = _enrolment(session, enrolment_id)
    leaves = session.scalars(
        select(StudyLeave).where(StudyLeave.enrolled_degree_course_id == enrolment_id).order_by(StudyLeave.id)
    ).all()
    student, is_of_viewer = enrolment.account, study_cases.is_own(session, viewer_id, enrolment)
    return Story(
        enrolment=enrolment,
        student_id=student.id,
        username=student.username,
        name=masked_name(student.name),
        phone=masked_phone(student.mobile),
        order_number=order_number,
        is_suspended=is_suspended,
        form=_form(session, enrolment),
        modules=mentored.road_of(session, enrolment, local_date(now)),
        hand_ins=_hand_ins(session, enrolment_id, now),
        leaves=leaves,
        leave_days_left=days_left(settings().leave_days, leave.taken_days(leaves)),
        assigned=_assigned(session, enrolment_id),
        follow_ups=mentored.follow_ups_of(session, enrolment_id, 1),
        questions=_questions(session, enrolment_id),
        late_answers=sum(late.enrolment_id == enrolment_id for late in overdue.answers(session, now)),
        rewards=score_rows.of_enrolment(enrolment_id, Purse.REWARDS, ROWS),
        fee=() if is_of_viewer else score_rows.of_enrolment(enrolment_id, Purse.FEE, ROWS),
        complaints=() if is_of_viewer else _complaints(session, enrolment_id),
        appeals=() if is_of_viewer else _appeals(session, enrolment_id),
        history=() if is_of_viewer else _history(session, enrolment),
    )


def _enrolment(session: Session, enrolment_id: int) -> tuple[EnrolledDegreeCourse, str, bool]:
    found = session.execute(
        select(EnrolledDegreeCourse, Order.order_number)
        .join(OrderDetail, OrderDetail.id == EnrolledDegreeCourse.order_detail_id)
        .join(Order, Order.id == OrderDetail.order_id)
        .where(EnrolledDegreeCourse.id == enrolment_id)
        .options(
            joinedload(EnrolledDegreeCourse.account),
            joinedload(EnrolledDegreeCourse.mentor),
            joinedload(EnrolledDegreeCourse.degree_course),
            joinedload(EnrolledDegreeCourse.registration),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found[0], found[1], enrolled_degrees.is_asked_back(session, found[0])


def _form(session: Session, enrolment: EnrolledDegreeCourse) -> Form:
    row = enrolment.registration
    return Form(
        state=form_state(row.filed_time, row.reopened_time) if row else FormState.MISSING,
        view=registration.for_mentor(enrolment.id),
        has_draft=session.get(DegreeRegistrationDraft, enrolment.id) is not None,
    )


def _hand_ins(session: Session, enrolment_id: int, now: datetime) -> list[HandIn]:
    grader, module = aliased(Account), Product.__table__
    late = {one.id for one in overdue.gradings(session, now) if one.enrolment_id == enrolment_id}
    row = HomeworkSubmission
    rows = session.execute(
        select(row, module.c.name, Homework.title, func.coalesce(grader.username, ""))
        .join(HomeworkRecord, HomeworkRecord.id == row.homework_record_id)
        .join(Homework, Homework.id == HomeworkRecord.homework_id)
        .join(CourseChapter, CourseChapter.id == Homework.chapter_id)
        .join(module, module.c.id == CourseChapter.course_id)
        .outerjoin(grader, grader.id == row.grader_id)
        .where(HomeworkRecord.student_id == enrolment_id)
        .order_by(row.id.desc())
    )
    return [
        HandIn(
            id=one.id,
            module=module_name,
            homework=title,
            number=one.number,
            submitted_time=one.submitted_time,
            score=one.score,
            checked_time=one.checked_time,
            grader=graded_by,
            is_overdue=one.id in late,
        )
        for one, module_name, title, graded_by in rows
    ]


def _assigned(session: Session, enrolment_id: int) -> list[Assigned]:
    row = MentorAssignment
    rows = session.execute(
        select(Account.username, row.fee, row.from_time, row.until_time, row.reason)
        .join(Account, Account.id == row.mentor_id)
        .where(row.enrolled_degree_course_id == enrolment_id)
        .order_by(row.id)
    )
    return [Assigned(*values) for values in rows]


def _questions(session: Session, enrolment_id: int) -> Questions:
    rows = session.execute(
        select(Question.status, func.count())
        .where(Question.enrolled_degree_course_id == enrolment_id)
        .group_by(Question.status)
    )
    counts = {status: int(count) for status, count in rows}
    return Questions(*(counts.get(status, 0) for status in QuestionStatus))


def _complaints(session: Session, enrolment_id: int) -> list[Dispute]:
    rows = session.execute(
        select(Complaint.id, Complaint.state, Complaint.date)
        .where(Complaint.enrolled_degree_course_id == enrolment_id)
        .order_by(Complaint.id)
    )
    return [Dispute(*values) for values in rows]


def _appeals(session: Session, enrolment_id: int) -> list[Dispute]:
    rows = session.execute(
        select(Appeal.id, Appeal.state, Appeal.date)
        .join(ScoreRecord, ScoreRecord.id == Appeal.score_record_id)
        .where(ScoreRecord.enrolled_degree_course_id == enrolment_id)
        .order_by(Appeal.id)
    )
    return [Dispute(*values) for values in rows]


def _history(session: Session, enrolment: EnrolledDegreeCourse) -> Sequence[AuditLog]:
    """What was done to the enrolment and to all that hangs on it, the newest first."""
    of_this = enrolment.id
    parts: tuple[tuple[Any, Any], ...] = (
        (DegreeRegistrationForm, DegreeRegistrationForm.enrolled_degree_id == of_this),
        (StudyRecord, StudyRecord.enrolled_degree_course_id == of_this),
        (StudyLeave, StudyLeave.enrolled_degree_course_id == of_this),
        (Complaint, Complaint.enrolled_degree_course_id == of_this),
        (Appeal, Appeal.score_record_id.in_(select(ScoreRecord.id).where(_of(ScoreRecord, of_this)))),
        (
            HomeworkSubmission,
            HomeworkSubmission.homework_record_id.in_(
                select(HomeworkRecord.id).where(HomeworkRecord.student_id == of_this)
            ),
        ),
    )
    about = [_about(EnrolledDegreeCourse, AuditLog.subject_id == of_this), _look_at(enrolment.account_id)]
    about += [_about(model, AuditLog.subject_id.in_(select(model.id).where(where))) for model, where in parts]
    return session.scalars(select(AuditLog).where(or_(*about)).order_by(AuditLog.id.desc()).limit(ROWS)).all()


def _of(model: Any, enrolment_id: int) -> ColumnElement[bool]:
    found: ColumnElement[bool] = model.enrolled_degree_course_id == enrolment_id
    return found


def _about(model: Any, is_it: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(AuditLog.subject_table == model.__tablename__, is_it)


def _look_at(account_id: int) -> ColumnElement[bool]:
    return and_(_about(Account, AuditLog.subject_id == account_id), AuditLog.action == LOOK)


# ---------------------------------------------------------------- on request


def show_person(enrolment_id: int, *, actor: Actor, reason: str) -> Person:
    """Name and phone number of the student; the look and its reason are in the audit log.

    Raises NotFound, StaffOnly, ValueError without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.PEOPLE_PLAIN):
            raise StaffOnly
        enrolment = session.get(EnrolledDegreeCourse, enrolment_id)
        if enrolment is None:
            raise NotFound
        student = enrolment.account
        audit_log.record(session, actor, LOOK, student, after={"enrolment": enrolment_id}, reason=reason)
        return Person(student.name, student.mobile or "")


def is_own(enrolment_id: int, account_id: int) -> bool:
    """Whether somebody may not decide here, as student or mentor, for the page; the services ask again."""
    session = db.session()
    return study_cases.is_own(session, account_id, session.get_one(EnrolledDegreeCourse, enrolment_id))
