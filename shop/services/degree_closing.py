"""What ends with a degree that is refunded: its purses, its mentor, its leave (domain.md A30).

The caller holds the locks of account and order; those of the enrolments come after them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from shop.enums import MessageType, Purse, StudyStatus
from shop.models import (
    Account,
    DegreeCourse,
    DegreeRegistrationDraft,
    EnrolledDegreeCourse,
    MentorAssignment,
    StudyLeave,
)
from shop.services import enrolled_degrees, messages, purses
from shop.wording import mark as _

REFUNDED = _("学位课退费，不再到账")


def lock(session: Session, line_ids: Collection[int]) -> list[EnrolledDegreeCourse]:
    """The living enrolments that these order lines opened, as they are now and nobody else's to change."""
    ids = session.scalars(
        select(EnrolledDegreeCourse.id)
        .where(EnrolledDegreeCourse.order_detail_id.in_(line_ids), EnrolledDegreeCourse.closed_time.is_(None))
        .order_by(EnrolledDegreeCourse.id)
    ).all()
    return [enrolled_degrees.lock(session, enrolment_id) for enrolment_id in ids]


def close(session: Session, line_ids: Collection[int], now: datetime) -> None:
    """End the degrees of these lines, as their refund is done: nothing of them matures, and nobody waits any more.

    An appeal or a complaint that waits keeps no money back. It can still be decided; what that gives is let go of too.
    """
    for enrolment in lock(session, line_ids):
        for purse in Purse:
            purses.forfeit(session, enrolment, purse, REFUNDED, now)
        enrolment.closed_time = now
        if enrolment.study_status is StudyStatus.ON_LEAVE:
            enrolment.study_status = StudyStatus.STUDYING
        _end_what_lasts(session, enrolment.id, now)
        _tell_mentor(session, enrolment)


def _end_what_lasts(session: Session, enrolment_id: int, now: datetime) -> None:
    """Nobody is the mentor any more, no leave goes on, and a form that was never filed is forgotten (safety.md 7)."""
    assignment, leave, draft = MentorAssignment, StudyLeave, DegreeRegistrationDraft
    session.execute(
        update(assignment)
        .where(assignment.enrolled_degree_course_id == enrolment_id, assignment.until_time.is_(None))
        .values(until_time=now)
    )
    session.execute(
        update(leave)
        .where(leave.enrolled_degree_course_id == enrolment_id, leave.end_time.is_(None))
        .values(end_time=now)
    )
    session.execute(delete(draft).where(draft.enrolled_degree_id == enrolment_id))


def _tell_mentor(session: Session, enrolment: EnrolledDegreeCourse) -> None:
    if enrolment.mentor_id is None:
        return
    student = session.get_one(Account, enrolment.account_id)
    messages.tell(
        session,
        enrolment.mentor_id,
        MessageType.MENTOR,
        _("学员 %(student)s（「%(degree)s」）已退费，辅导结束，未成熟的费用不再到账。"),
        {
            "student": student.shown_name,
            "degree": session.get_one(DegreeCourse, enrolment.degree_course_id).name,
        },
        event=f"refunded-{enrolment.id}",
    )
