"""Who is the mentor of whom: assigning books the fee, a change moves what is left of it (domain.md 4.2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import EllipsisType

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import MessageType, Purse, QuestionStatus, Role, Rule, ScoreType, StudyPlan, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    DegreeCourse,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    HomeworkRecord,
    HomeworkSubmission,
    MentorAssignment,
    Product,
    Question,
)
from shop.rules.staff_rights import Task
from shop.rules.study_states import LIVING
from shop.services import audit_log, enrolled_degrees, messages, purses, rule_book, study_cases
from shop.services.audit_log import Actor
from shop.services.learning import is_suspended
from shop.services.purses import Cause
from shop.wording import mark as _

_IS_LIVING = EnrolledDegreeCourse.closed_time.is_(None) & EnrolledDegreeCourse.study_status.in_(LIVING)
_IS_MENTOR = (Account.role == Role.MENTOR) & Account.is_active & ~Account.is_staff


@dataclass(frozen=True, slots=True)
class WaitingForm:
    """A filed form whose enrolment has no mentor yet. Nothing of S2 (safety.md 7): lists never show it."""

    enrolment_id: int
    username: str
    name: str
    degree: str
    study_plan: StudyPlan
    wished_mentor: str | None  # as the student wrote it
    filed_time: datetime
    is_suspended: bool  # a refund is under way: nobody can be assigned meanwhile


SHORTEST_NAME = 2  # characters; a shorter one is found in other people's names


@dataclass(frozen=True, slots=True)
class MentorLoad:
    id: int
    username: str
    name: str
    students: int  # whose study has not ended
    away: int  # of them on leave
    homework: int  # hand-ins that wait for a mark
    questions: int  # that wait for an answer


def waiting() -> Sequence[WaitingForm]:
    """The forms that wait for a mentor, oldest first, in one statement."""
    product = Product.__table__.c
    rows = db.session.execute(
        select(
            EnrolledDegreeCourse.id,
            Account.username,
            Account.name,
            product.name,
            DegreeRegistrationForm.study_plan,
            DegreeRegistrationForm.stu_specified_mentor,
            DegreeRegistrationForm.filed_time,
            is_suspended(EnrolledDegreeCourse),
        )
        .join(DegreeRegistrationForm, DegreeRegistrationForm.enrolled_degree_id == EnrolledDegreeCourse.id)
        .join(Account, Account.id == EnrolledDegreeCourse.account_id)
        .join(Product.__table__, product.id == EnrolledDegreeCourse.degree_course_id)
        .where(EnrolledDegreeCourse.mentor_id.is_(None), _IS_LIVING)
        .order_by(DegreeRegistrationForm.filed_time, EnrolledDegreeCourse.id)
    )
    return [WaitingForm(*row) for row in rows]


def wished_for(wish: str | None, mentors: Sequence[MentorLoad]) -> frozenset[int]:
    """The ids of those whom a form wishes for: in free text a name counts anywhere, a user name as a word."""
    text = _plain(wish or "")
    words = set(re.findall(r"\w+", text))
    return frozenset(
        mentor.id
        for mentor in mentors
        if words & {_plain(mentor.username), _plain(mentor.name)}
        or (len(mentor.name) >= SHORTEST_NAME and _plain(mentor.name) in text)
    )


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def mentors() -> Sequence[MentorLoad]:
    """Every active mentor with what they have to do, the least loaded first, in one statement."""
    own = EnrolledDegreeCourse.mentor_id == Account.id
    students = select(func.count()).select_from(EnrolledDegreeCourse).where(own, _IS_LIVING)
    homework = (
        select(func.count())
        .select_from(HomeworkSubmission)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == HomeworkRecord.student_id)
        .where(own, _IS_LIVING, HomeworkSubmission.checked_time.is_(None))  # nobody grades after the end
    )
    questions = (
        select(func.count())
        .select_from(Question)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == Question.enrolled_degree_course_id)
        .where(own, EnrolledDegreeCourse.closed_time.is_(None), Question.status == QuestionStatus.WAITING)
    )
    away = students.where(EnrolledDegreeCourse.study_status == StudyStatus.ON_LEAVE)
    load = students.scalar_subquery()
    rows = db.session.execute(
        select(
            *(Account.id, Account.username, Account.name, load, away.scalar_subquery()),
            *(homework.scalar_subquery(), questions.scalar_subquery()),
        )
        .where(_IS_MENTOR)
        .order_by(load, Account.username)
    )
    return [MentorLoad(*row) for row in rows]


def mentor_named(username: str) -> int:
    """The id of the active mentor of this name. Raises NotFound."""
    found = db.session.scalar(select(Account.id).where(Account.username == username, _IS_MENTOR))
    if found is None:
        raise NotFound
    return found


def mentor_of(enrolment_id: int) -> int | None:
    """The present mentor of an enrolment, None without one. Raises NotFound for an unknown id."""
    found = db.session.execute(
        select(EnrolledDegreeCourse.mentor_id).where(EnrolledDegreeCourse.id == enrolment_id)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found[0]


def assign(
    enrolment_id: int,
    mentor_id: int,
    *,
    actor: Actor,
    reason: str = "",
    instead_of: int | EllipsisType | None = ...,
) -> EnrolledDegreeCourse:
    """Give an enrolment its mentor, or another one. The first gets the initial fee, a later one what is left of it.

    ``instead_of`` is the mentor (None: nobody) that the staff person has seen there; when two decide at once, the
    second is refused instead of undoing the first. Left out, it replaces whoever is there.

    Raises NotFound for an unknown enrolment or one who is no mentor, and NotYourTurn, whose fact ``why`` is: "ended"
    (or a refund is under way), "form" (not filed), "self" (the student's own account), "same" (has it already),
    "changed" (another mentor than ``instead_of``), "frozen" (an appeal or a complaint about the fee waits: it is about
    the mentor of now, whose fee a change would move away before anybody has decided). A change needs a reason of 1 to
    255 characters (ValueError). OwnStudy, StaffOnly for a person who may not decide this.
    """
    now = clock.now()
    with unit_of_work() as session:
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        study_cases.check(session, actor, Task.STUDIES_RUN, enrolment)
        mentor = _mentor(session, mentor_id)
        before = enrolment.mentor_id
        _check(session, enrolment, mentor, instead_of)
        if reason or before is not None:
            reason = audit_log.checked_reason(reason)
        fee = _begin(session, enrolment, mentor, now) if before is None else _change(session, enrolment, mentor, now)
        session.add(
            MentorAssignment(
                enrolled_degree_course_id=enrolment.id, mentor_id=mentor.id, fee=fee, from_time=now, reason=reason
            )
        )
        _tell(session, enrolment, mentor, before)
        audit_log.record(
            session,
            actor,
            "enrolled_degree_course assign",
            enrolment,
            before={"mentor": before},
            after={"mentor": mentor.id, "fee": fee},
            reason=reason,
        )
    return enrolment


def _mentor(session: Session, mentor_id: int) -> Account:
    mentor = session.scalars(select(Account).where(Account.id == mentor_id, _IS_MENTOR)).one_or_none()
    if mentor is None:
        raise NotFound
    return mentor


def _check(
    session: Session, enrolment: EnrolledDegreeCourse, mentor: Account, instead_of: int | EllipsisType | None
) -> None:
    """Raises NotYourTurn unless this mentor may get this enrolment now."""
    try:
        enrolled_degrees.expect(session, enrolment, *LIVING)
    except NotYourTurn as error:
        raise NotYourTurn(why="ended") from error
    before = enrolment.mentor_id
    obstacles = {
        "form": not enrolled_degrees.is_filed(session, enrolment.id),
        "self": mentor.id == enrolment.account_id,
        "same": mentor.id == before,
        "changed": instead_of is not ... and instead_of != before,
        "frozen": before is not None and purses.is_frozen(session, enrolment, Purse.FEE),
    }
    why = next((why for why, is_so in obstacles.items() if is_so), None)
    if why is not None:
        raise NotYourTurn(why=why)


def _begin(session: Session, enrolment: EnrolledDegreeCourse, mentor: Account, now: datetime) -> int:
    """The initial fee: the rule's, or the degree's own when the rule leaves it to it (A12)."""
    degree = session.get_one(DegreeCourse, enrolment.degree_course_id)
    fee = rule_book.current(session, Rule.MENTOR, ScoreType.INITIAL).score or degree.mentor_compensation_bonus
    enrolment.mentor_id = mentor.id
    purses.gain(
        session,
        enrolment,
        Purse.FEE,
        Rule.MENTOR,
        Cause(f"fee:{enrolment.id}", _("导师费用初始分配")),
        now,
        kind=ScoreType.INITIAL,
        amount=fee,
    )
    return fee


def _change(session: Session, enrolment: EnrolledDegreeCourse, mentor: Account, now: datetime) -> int:
    last = session.execute(
        update(MentorAssignment)
        .where(MentorAssignment.enrolled_degree_course_id == enrolment.id, MentorAssignment.until_time.is_(None))
        .values(until_time=now)
        .returning(MentorAssignment.id)
    ).scalar_one()
    return purses.hand_over(session, enrolment, mentor.id, f"handover:{last}", now)


def _tell(session: Session, enrolment: EnrolledDegreeCourse, mentor: Account, before: int | None) -> None:
    degree = session.get_one(DegreeCourse, enrolment.degree_course_id).name
    student = session.get_one(Account, enrolment.account_id)
    messages.tell(
        session,
        student.id,
        MessageType.MENTOR,
        _("您在「%(degree)s」的导师是 %(mentor)s。"),
        {"degree": degree, "mentor": mentor.shown_name},
        link=f"/learning/degrees/{enrolment.id}",
    )
    messages.tell(
        session,
        mentor.id,
        MessageType.MENTOR,
        _("您有一位新学员：%(student)s，「%(degree)s」。"),
        {"degree": degree, "student": student.shown_name},
        link=f"/mentor/students/{enrolment.id}",
    )
    if before is not None:
        messages.tell(
            session,
            before,
            MessageType.MENTOR,
            _("学员 %(student)s（「%(degree)s」）已换导师，未成熟的费用随之转出。"),
            {"degree": degree, "student": student.shown_name},
        )
