"""投诉: a student about a mentor, decided by staff. The mentor never learns who complained, or what was said.

An upheld one is fined by rule 5. While one waits, the mentor's fee is not paid out (``purses.is_frozen``) and the
mentor is not changed (``assignment.assign``), so that it is decided about the mentor and the fee that it is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased, joinedload

from shop import clock
from shop.enums import ComplaintState, MessageType, Purse, Rule
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import Account, Complaint, EnrolledDegreeCourse, Product, ScoreRecord
from shop.rules.staff_rights import Task
from shop.services import audit_log, enrolled_degrees, messages, purses, study_cases
from shop.services.audit_log import Actor
from shop.services.paging import pages_of
from shop.services.purses import Cause
from shop.wording import mark as _

SHORTEST, LONGEST = 10, 2000
PAGE_SIZE = 10


class OneWaits(NotYourTurn):
    """The complaint before is not decided yet."""

    text = lazy_gettext("您的上一次投诉还在处理，处理完以后才能再次投诉。")


class NoMentor(NotYourTurn):
    text = lazy_gettext("您还没有导师，分配导师以后才能投诉。")


@dataclass(frozen=True, slots=True)
class Complaints:
    """One page of what a student has complained about in a degree, newest first."""

    enrolment_id: int
    degree: str
    mentor: str | None  # none: there is nobody to complain about
    is_waiting: bool
    complaints: Sequence[Complaint]
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Case:
    """A complaint as staff see it."""

    id: int
    enrolment_id: int
    student: str  # user names
    mentor: str
    degree: str
    content: str
    state: ComplaintState
    date: datetime


def index(account_id: int, enrolment_id: int, page: int = 1) -> Complaints:
    """A student's own complaints, in at most six statements. Raises NotFound for others and beyond the last page."""
    session = db.session()
    enrolment = enrolled_degrees.own(
        session,
        account_id,
        enrolment_id,
        joinedload(EnrolledDegreeCourse.degree_course),
        joinedload(EnrolledDegreeCourse.mentor),
    )
    of_this = Complaint.enrolled_degree_course_id == enrolment.id
    waiting = func.count().filter(Complaint.state == ComplaintState.WAITING)
    total, waits = session.execute(select(func.count(), waiting).where(of_this)).one()
    pages = pages_of(total, page, PAGE_SIZE)
    newest = select(Complaint).where(of_this).order_by(Complaint.id.desc())
    mentor = enrolment.mentor
    return Complaints(
        enrolment_id=enrolment.id,
        degree=enrolment.degree_course.name,
        mentor=mentor.shown_name if mentor else None,
        is_waiting=waits > 0,
        complaints=session.scalars(newest.offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE)).all(),
        page=page,
        pages=pages,
    )


def file(account_id: int, enrolment_id: int, content: str) -> Complaint:
    """A complaint about the present mentor, also after the study has ended.

    Raises NotFound for an enrolment that is not the account's, NoMentor, OneWaits (the unique index decides between
    two at once).
    """
    try:
        with unit_of_work() as session:
            enrolled_degrees.lock(session, enrolment_id)  # its mentor is not changed meanwhile, nor the fee paid out
            enrolment = enrolled_degrees.own(session, account_id, enrolment_id)
            if enrolment.mentor_id is None:
                raise NoMentor
            complaint = Complaint(
                enrolled_degree_course_id=enrolment.id,
                mentor_id=enrolment.mentor_id,
                content=content,
                date=clock.now(),
            )
            session.add(complaint)
            session.flush()
    except IntegrityError as error:
        raise OneWaits from error
    return complaint


# ---------------------------------------------------------------- staff


def listed(*, is_all: bool = False) -> Sequence[Case]:
    """The complaints that wait, or all of them, oldest first, in one statement."""
    student, mentor, product = aliased(Account), aliased(Account), Product.__table__
    query = (
        select(
            Complaint.id,
            EnrolledDegreeCourse.id,
            student.username,
            mentor.username,
            product.c.name,
            Complaint.content,
            Complaint.state,
            Complaint.date,
        )
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == Complaint.enrolled_degree_course_id)
        .join(student, student.id == EnrolledDegreeCourse.account_id)
        .join(mentor, mentor.id == Complaint.mentor_id)
        .join(product, product.c.id == EnrolledDegreeCourse.degree_course_id)
        .order_by(Complaint.id)
    )
    if not is_all:
        query = query.where(Complaint.state == ComplaintState.WAITING)
    return [Case(*row) for row in db.session.execute(query)]


def decide(complaint_id: int, *, upheld: bool, actor: Actor, reason: str) -> Complaint:
    """Uphold or dismiss a complaint; upheld, the mentor is fined by rule 5. The student reads the reason.

    A mentor who does not have the student any more is not fined: the purse is somebody else's by then. The audit log
    says so. Raises NotFound, NotYourTurn when it was decided before, OwnStudy, StaffOnly, and ValueError for a reason
    that is not 1 to 255 characters.
    """
    reason = audit_log.checked_reason(reason)
    now = clock.now()
    with unit_of_work() as session:
        complaint, enrolment = _locked(session, complaint_id)
        study_cases.check(session, actor, Task.COMPLAINTS_DECIDE, enrolment)
        if complaint.state is not ComplaintState.WAITING:
            raise NotYourTurn
        complaint.state = ComplaintState.UPHELD if upheld else ComplaintState.DISMISSED
        complaint.handler_id, complaint.decision, complaint.decided_time = actor.account_id, reason, now
        session.flush()
        fine = _fine(session, complaint, enrolment, now) if upheld else None
        _tell_student(session, complaint, enrolment)
        audit_log.record(
            session,
            actor,
            "complaint decide",
            complaint,
            before={"state": int(ComplaintState.WAITING)},
            after={
                "state": int(complaint.state),
                "mentor": complaint.mentor_id,
                "is_assigned": complaint.mentor_id == enrolment.mentor_id,
                "fine": -fine.score if fine else None,
            },
            reason=reason,
        )
    return complaint


def _locked(session: Session, complaint_id: int) -> tuple[Complaint, EnrolledDegreeCourse]:
    of_this = Complaint.id == complaint_id
    enrolment_id = session.scalar(select(Complaint.enrolled_degree_course_id).where(of_this))
    if enrolment_id is None:
        raise NotFound
    enrolment = enrolled_degrees.lock(session, enrolment_id)
    return session.scalars(select(Complaint).where(of_this).execution_options(populate_existing=True)).one(), enrolment


def _fine(session: Session, complaint: Complaint, enrolment: EnrolledDegreeCourse, now: datetime) -> ScoreRecord | None:
    if enrolment.mentor_id != complaint.mentor_id:
        return None
    cause = Cause(f"complaint:{complaint.id}", _("一次投诉经核实成立"), complaint_id=complaint.id)
    record = purses.fine(session, enrolment, Purse.FEE, Rule.COMPLAINT, cause, now)
    if record is not None:
        messages.tell(
            session,
            complaint.mentor_id,
            MessageType.REWARD,
            _("一次关于您的投诉经核实成立，按规则扣除 %(beli)s 贝里。"),
            {"beli": -record.score},
            link="/mentor/earnings",
            event=cause.event,
        )
    return record


def _tell_student(session: Session, complaint: Complaint, enrolment: EnrolledDegreeCourse) -> None:
    says = {
        ComplaintState.UPHELD: _("您在「%(degree)s」的投诉已处理：成立，已按规则处理。"),
        ComplaintState.DISMISSED: _("您在「%(degree)s」的投诉已处理：不成立。"),
    }
    messages.tell(
        session,
        enrolment.account_id,
        MessageType.STUDY,
        says[complaint.state],
        {"degree": enrolment.degree_course.name},
        link=f"/learning/degrees/{enrolment.id}/complaints",
        event=f"complaint:{complaint.id}:decided",
    )
