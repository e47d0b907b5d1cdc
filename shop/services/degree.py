"""The registration form of a degree: filed once by its owner, and what filing opens (domain.md 4.2)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from shop.clock import local_date
from shop.enums import ModuleStatus, StudyPlan, StudyStatus, WorkExperience
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import DegreeRegistrationForm, EnrolledDegreeCourse, OrderDetail, StudyRecord
from shop.rules.access import same_day_two_years_later
from shop.services.learning import is_suspended
from shop.services.locks import lock_account


class AlreadyFiled(NotYourTurn):
    """The form of this enrolment has been filed before; the first one stands."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the student fills in; lengths and choices are those of DegreeRegistrationForm."""

    current_company: str
    current_position: str
    current_salary: int | None  # yuan a month
    work_experience: WorkExperience
    open_module: bool  # whether the first module opens at once
    stu_specified_mentor: str | None
    study_plan: StudyPlan
    why_take_this_course: str
    why_choose_us: str
    your_expectation: str
    memo: str | None


@dataclass(frozen=True, slots=True)
class Registration:
    """Where an enrolment stands with its form."""

    enrolment_id: int
    degree_name: str
    first_module: str | None
    is_filed: bool


def registration(account_id: int, enrolment_id: int) -> Registration:
    """What the page of the form shows to the enrolment's owner. Raises NotFound for everybody else."""
    enrolment = _own(db.session(), account_id, enrolment_id)
    first = _first_module(enrolment)
    return Registration(
        enrolment_id=enrolment.id,
        degree_name=enrolment.degree_course.name,
        first_module=first.course_module.name if first else None,
        is_filed=enrolment.registration is not None,
    )


def file_registration(account_id: int, enrolment_id: int, answers: Answers, now: datetime) -> None:
    """File the form and, if asked for, open the first module, which starts the degree's two years.

    Raises NotFound when the enrolment is not the account's, AlreadyFiled the second time (the unique key decides
    between two at once), NotYourTurn while its refund is under way.
    """
    try:
        with unit_of_work() as session:
            lock_account(session, account_id)  # a refund that is being asked for waits, or is seen
            enrolment = _own(session, account_id, enrolment_id)
            if enrolment.registration is not None:
                raise AlreadyFiled
            if _is_asked_back(session, enrolment):
                raise NotYourTurn
            session.add(DegreeRegistrationForm(enrolled_degree_id=enrolment.id, filed_time=now, **asdict(answers)))
            session.flush()
            if answers.open_module:
                _open_first_module(enrolment, now)
    except IntegrityError as error:
        raise AlreadyFiled from error


def _is_asked_back(session: Session, enrolment: EnrolledDegreeCourse) -> bool:
    asked_back = select(EnrolledDegreeCourse.id).where(
        EnrolledDegreeCourse.id == enrolment.id, is_suspended(EnrolledDegreeCourse)
    )
    return session.scalar(asked_back) is not None


def _open_first_module(enrolment: EnrolledDegreeCourse, now: datetime) -> None:
    first, today = _first_module(enrolment), local_date(now)
    if first is None or first.status is not ModuleStatus.LOCKED:
        return
    first.status, first.open_date = ModuleStatus.STUDYING, today
    enrolment.study_status = StudyStatus.STUDYING
    enrolment.valid_begin_date, enrolment.valid_end_date = today, same_day_two_years_later(today)


def _first_module(enrolment: EnrolledDegreeCourse) -> StudyRecord | None:
    return min(
        enrolment.study_records,
        key=lambda record: (record.course_module.order, record.course_module_id),
        default=None,
    )


def _own(session: Session, account_id: int, enrolment_id: int) -> EnrolledDegreeCourse:
    enrolment = session.scalars(
        select(EnrolledDegreeCourse)
        .where(
            EnrolledDegreeCourse.id == enrolment_id,
            EnrolledDegreeCourse.account_id == account_id,
            EnrolledDegreeCourse.closed_time.is_(None),
        )
        .options(joinedload(EnrolledDegreeCourse.order_detail).joinedload(OrderDetail.order))
    ).one_or_none()
    if enrolment is None:
        raise NotFound
    return enrolment
