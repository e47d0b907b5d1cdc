"""What mentors of the whole school should have done by now: hand-ins without a mark, questions without an answer.

Time on leave and during a refund does not count, so the last word is a rule's and not the database's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.extensions import settings
from shop.models import EnrolledDegreeCourse, HomeworkRecord, HomeworkSubmission, MentorAssignment
from shop.rules.duties import deadline
from shop.rules.study_states import UNDER_WAY
from shop.services import enrolled_degrees, questions
from shop.services.learning import is_suspended


@dataclass(frozen=True, slots=True)
class Late:
    """One thing that is overdue since ``due_time``."""

    id: int
    enrolment_id: int
    due_time: datetime


def gradings(session: Session, now: datetime) -> list[Late]:
    """Hand-ins without a mark whose time is over, in two statements."""
    allowed = timedelta(hours=settings().grading_hours)
    handed = HomeworkSubmission.submitted_time
    rows = session.execute(
        select(HomeworkSubmission.id, EnrolledDegreeCourse.id, handed, MentorAssignment.from_time)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == HomeworkRecord.student_id)
        .join(MentorAssignment, enrolled_degrees.of_present_mentor())
        .where(
            HomeworkSubmission.checked_time.is_(None),
            handed <= now - allowed,
            EnrolledDegreeCourse.closed_time.is_(None),
            EnrolledDegreeCourse.study_status.in_(UNDER_WAY),  # nobody grades after the end
            ~is_suspended(EnrolledDegreeCourse),
        )
        .order_by(handed)
    ).all()
    pauses = enrolled_degrees.all_pauses(session, {row[1] for row in rows})
    found = []
    for submission_id, enrolment_id, submitted, assigned in rows:
        due = deadline(max(submitted, assigned), allowed, pauses[enrolment_id])
        if due is not None and due <= now:
            found.append(Late(submission_id, enrolment_id, due))
    return found


def answers(session: Session, now: datetime) -> list[Late]:
    """Questions without an answer whose time is over, in two statements."""
    return [
        Late(one.id, one.enrolment_id, one.due_time)
        for one in questions.overdue(session, now)
        if one.due_time is not None
    ]


def by_enrolment(found: Collection[Late]) -> Mapping[int, datetime]:
    """Since when each enrolment has waited."""
    since: dict[int, datetime] = {}
    for late in found:
        since[late.enrolment_id] = min(late.due_time, since.get(late.enrolment_id, late.due_time))
    return since
