"""学位课程报名表: kept as a draft, filed once by its owner, reopened by staff; and who may read what of it.

Company, position, salary and experience are sensitive (safety.md 7): they leave this file for the owner's own page and
for ``read_whole``, which writes down who looked and why. Mentors get ``MentorsView``, which has none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload

from shop import clock
from shop.enums import MessageType, ModuleStatus, Role, StudyPlan, WorkExperience
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, insert_into, unit_of_work
from shop.models import (
    Account,
    AuditLog,
    DegreeRegistrationDraft,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    StudyRecord,
)
from shop.rules.staff_rights import Task
from shop.rules.study_states import LIVING
from shop.services import audit_log, enrolled_degrees, messages, modules, study_cases
from shop.services.audit_log import Actor
from shop.services.locks import lock_account
from shop.wording import mark as _

CONSENT_VERSION = "2026-11"  # of the text beside the box; a new text is a new version
LONGEST_DRAFT = 2_000  # characters kept of one answer
LOOK = "degree_registration_form read"


class AlreadyFiled(NotYourTurn):
    """The form of this enrolment has been filed before; the first one stands."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the student fills in; lengths and choices are those of DegreeRegistrationForm.

    What is sensitive stays out of its ``repr``, and so out of a log that names it.
    """

    current_company: str = field(repr=False)
    current_position: str = field(repr=False)
    current_salary: int | None = field(repr=False)  # yuan a month; kept only with its consent
    work_experience: WorkExperience | None = field(repr=False)  # none: erased
    open_module: bool  # whether the first module opens at once
    stu_specified_mentor: str | None
    study_plan: StudyPlan
    why_take_this_course: str
    why_choose_us: str
    your_expectation: str
    memo: str | None
    salary_consent: bool = False


@dataclass(frozen=True, slots=True)
class Filed:
    """A filed form as its owner reads it."""

    answers: Answers
    filed_time: datetime
    looks: int  # how often staff have read it whole


@dataclass(frozen=True, slots=True)
class Registration:
    """Where an enrolment stands with its form."""

    enrolment_id: int
    degree_name: str
    first_module: str | None  # while it is locked
    filed: Filed | None
    is_open: bool  # to be filled in: not filed yet, or reopened; neither during a refund nor after the study
    draft: Mapping[str, str] | None = field(repr=False)  # by field, as typed
    draft_time: datetime | None
    mentors: tuple[str, ...]  # names to choose from

    @property
    def is_filed(self) -> bool:
        return self.filed is not None

    @property
    def has_salary(self) -> bool:
        """Whether a consent may be taken back: a salary is kept in the filed form or in the draft."""
        filed = self.filed is not None and self.filed.answers.current_salary is not None
        return filed or bool(self.draft and self.draft.get("current_salary"))


@dataclass(frozen=True, slots=True)
class MentorsView:
    """What a mentor may know of the form (safety.md 4, 7): nothing about work and pay."""

    study_plan: StudyPlan
    why_take_this_course: str
    why_choose_us: str
    your_expectation: str
    memo: str | None
    stu_specified_mentor: str | None
    filed_time: datetime


# ---------------------------------------------------------------- the owner


def registration(account_id: int, enrolment_id: int) -> Registration:
    """What the page of the form shows to the enrolment's owner. Raises NotFound for everybody else."""
    session = db.session()
    enrolment = enrolled_degrees.own(
        session,
        account_id,
        enrolment_id,
        joinedload(EnrolledDegreeCourse.degree_course),
        joinedload(EnrolledDegreeCourse.registration),
    )
    form = enrolment.registration
    is_open = (form is None or form.reopened_time is not None) and enrolled_degrees.stands(session, enrolment, *LIVING)
    first = _locked_first(session, enrolment_id)
    draft = session.get(DegreeRegistrationDraft, enrolment_id)
    return Registration(
        enrolment_id=enrolment_id,
        degree_name=enrolment.degree_course.name,
        first_module=first.course_module.name if first else None,
        filed=Filed(_answers(form), form.filed_time, _looks(session, form.id)) if form else None,
        is_open=is_open,
        draft=draft.answers if draft else None,
        draft_time=draft.saved_time if draft else None,
        mentors=_mentors(session) if is_open else (),
    )


def save_draft(account_id: int, enrolment_id: int, answers: Mapping[str, str], now: datetime) -> None:
    """Keep answers as typed until the form is filed; the last save counts. A salary is kept only with its consent.

    Raises NotFound for everybody but the owner, AlreadyFiled once the form is filed, NotYourTurn while the refund of
    the degree is under way, and after the study has ended.
    """
    kept = {name: text[:LONGEST_DRAFT] for name, text in answers.items()}
    if not kept.get("salary_consent"):
        kept.pop("current_salary", None)
    with unit_of_work() as session:
        enrolled_degrees.own(session, account_id, enrolment_id)
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        _expect_open(session, enrolment)
        enrolled_degrees.expect(session, enrolment, *LIVING)
        row = {"enrolled_degree_id": enrolment_id, "answers": kept, "saved_time": now}
        insert = insert_into(session, DegreeRegistrationDraft)
        again = {"answers": insert.excluded.answers, "saved_time": insert.excluded.saved_time}
        session.execute(insert.on_conflict_do_update(index_elements=["enrolled_degree_id"], set_=again), row)


def file_registration(account_id: int, enrolment_id: int, answers: Answers, now: datetime) -> None:
    """File the form and, if asked for, open the first module, which starts the degree's two years.

    Raises NotFound when the enrolment is not the account's, AlreadyFiled the second time (the lock decides between
    two at once) unless staff have reopened it, NotYourTurn while its refund is under way.
    """
    with unit_of_work() as session:
        lock_account(session, account_id)  # a refund that is being asked for waits, or is seen
        enrolled_degrees.own(session, account_id, enrolment_id)
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        form = _expect_open(session, enrolment)
        enrolled_degrees.expect(session, enrolment, *LIVING)
        first = _locked_first(session, enrolment_id)
        if first is None and form is not None:
            answers = replace(answers, open_module=form.open_module)  # nobody was asked again
        _write(session, enrolment, form, answers, now)
        if answers.open_module and first is not None:
            modules.open_module(session, enrolment, first, now)


def forget_salary(account_id: int, enrolment_id: int) -> None:
    """Take the consent back: the salary goes at once, from the form and from a draft. Raises NotFound."""
    with unit_of_work() as session:
        enrolled_degrees.own(session, account_id, enrolment_id)
        enrolled_degrees.lock(session, enrolment_id)
        form = _form(session, enrolment_id)
        if form is not None:
            form.current_salary = form.salary_consent_time = form.salary_consent_version = None
        draft = session.get(DegreeRegistrationDraft, enrolment_id)
        if draft is not None:
            sensitive = ("current_salary", "salary_consent")
            draft.answers = {name: text for name, text in draft.answers.items() if name not in sensitive}


# ---------------------------------------------------------------- others


def for_mentor(enrolment_id: int) -> MentorsView | None:
    """What a mentor may read of the form, None before it is filed. The caller has checked whose mentor it is."""
    form = _form(db.session(), enrolment_id)
    if form is None:
        return None
    return MentorsView(
        study_plan=form.study_plan,
        why_take_this_course=form.why_take_this_course,
        why_choose_us=form.why_choose_us,
        your_expectation=form.your_expectation,
        memo=form.memo,
        stu_specified_mentor=form.stu_specified_mentor,
        filed_time=form.filed_time,
    )


def read_whole(enrolment_id: int, *, actor: Actor, reason: str) -> Answers:
    """Everything, for staff who assign mentors; each look is written down with its reason, and the student can count.

    Raises NotFound before it is filed, ValueError for a reason that is empty or longer than 255 characters, OwnStudy
    and StaffOnly for a person who may not read it.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        form = _form(session, enrolment_id)
        if form is None:
            raise NotFound
        enrolment = session.get_one(EnrolledDegreeCourse, enrolment_id)
        study_cases.check(session, actor, Task.FORM_READ, enrolment)
        audit_log.record(session, actor, LOOK, form, reason=reason)
        return _answers(form)


def reopen(enrolment_id: int, *, actor: Actor, reason: str) -> None:
    """Let the student correct a filed form and file it again; what it has opened stays open.

    Raises NotFound before it is filed, NotYourTurn when it is open already or the study has ended, ValueError for a
    reason that is empty or longer than 255 characters.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        study_cases.check(session, actor, Task.STUDIES_RUN, enrolment)
        form = _form(session, enrolment_id)
        if form is None:
            raise NotFound
        enrolled_degrees.expect(session, enrolment, *LIVING)
        if form.reopened_time is not None:
            raise NotYourTurn
        form.reopened_time = clock.now()
        session.flush()
        audit_log.record(session, actor, "degree_registration_form reopen", form, reason=reason)
        messages.tell(
            session,
            enrolment.account_id,
            MessageType.STUDY,
            _("教务请您修改学位课报名表：%(reason)s"),
            {"reason": reason},
            link=f"/degrees/enrolments/{enrolment_id}/registration",
        )


# ---------------------------------------------------------------- rows


def _form(session: Session, enrolment_id: int) -> DegreeRegistrationForm | None:
    return session.scalars(
        select(DegreeRegistrationForm).where(DegreeRegistrationForm.enrolled_degree_id == enrolment_id)
    ).one_or_none()


def _expect_open(session: Session, enrolment: EnrolledDegreeCourse) -> DegreeRegistrationForm | None:
    """The form that was reopened, or none as it is filed for the first time. Raises AlreadyFiled."""
    form = _form(session, enrolment.id)
    if form is not None and form.reopened_time is None:
        raise AlreadyFiled
    return form


def _write(
    session: Session,
    enrolment: EnrolledDegreeCourse,
    form: DegreeRegistrationForm | None,
    answers: Answers,
    now: datetime,
) -> None:
    values = asdict(answers)
    has_consent = values.pop("salary_consent") and answers.current_salary is not None
    values |= {
        "current_salary": answers.current_salary if has_consent else None,
        "salary_consent_time": now if has_consent else None,
        "salary_consent_version": CONSENT_VERSION if has_consent else None,
        "filed_time": now,
        "reopened_time": None,
    }
    if form is None:
        session.add(DegreeRegistrationForm(enrolled_degree_id=enrolment.id, **values))
    else:
        for name, value in values.items():
            setattr(form, name, value)
        form.filings += 1
    session.flush()
    session.execute(
        delete(DegreeRegistrationDraft).where(DegreeRegistrationDraft.enrolled_degree_id == enrolment.id),
        execution_options={"synchronize_session": False},
    )


def _locked_first(session: Session, enrolment_id: int) -> StudyRecord | None:
    """The first module of the enrolment while it is locked."""
    first = next(iter(modules.in_order(session, enrolment_id)), None)
    return first if first is not None and first.status is ModuleStatus.LOCKED else None


def _answers(form: DegreeRegistrationForm) -> Answers:
    return Answers(
        current_company=form.current_company,
        current_position=form.current_position,
        current_salary=form.current_salary,
        work_experience=form.work_experience,
        open_module=form.open_module,
        stu_specified_mentor=form.stu_specified_mentor,
        study_plan=form.study_plan,
        why_take_this_course=form.why_take_this_course,
        why_choose_us=form.why_choose_us,
        your_expectation=form.your_expectation,
        memo=form.memo,
        salary_consent=form.salary_consent_time is not None,
    )


def _looks(session: Session, form_id: int) -> int:
    looked = select(func.count()).where(
        AuditLog.subject_table == DegreeRegistrationForm.__tablename__,
        AuditLog.subject_id == form_id,
        AuditLog.action == LOOK,
    )
    return session.scalar(looked) or 0


def _mentors(session: Session) -> tuple[str, ...]:
    """The names of those who may be assigned; without staff, and without accounts that gave no name."""
    is_mentor = Account.role == Role.MENTOR, Account.is_active, ~Account.is_staff, Account.name != ""
    return tuple(session.scalars(select(Account.name).where(*is_mentor).order_by(Account.name).distinct()))
