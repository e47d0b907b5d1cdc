"""Who may decide about a study: people who have the right now, and nobody about their own (safety.md 4, F66)."""

from __future__ import annotations

from flask_babel import lazy_gettext
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from shop.errors import OwnCase, StaffOnly
from shop.models import EnrolledDegreeCourse, MentorAssignment
from shop.rules.staff_rights import Task
from shop.services import clerks
from shop.services.audit_log import Actor


class OwnStudy(OwnCase):
    text = lazy_gettext("您是这份报名的学员，或者是（曾经是）它的导师，请让另一位同事处理。")


def check(session: Session, actor: Actor, task: Task, enrolment: EnrolledDegreeCourse | None = None) -> None:
    """Asked in the transaction that decides; commands and jobs have no account, and pass.

    Raises OwnStudy for whoever studies there, or has ever been its mentor; StaffOnly without the right.
    """
    if actor.account_id is None:
        return
    if enrolment is not None and is_own(session, actor.account_id, enrolment):
        raise OwnStudy(why="own")
    if not clerks.may(session, actor, task):
        raise StaffOnly


def is_own(session: Session, account_id: int, enrolment: EnrolledDegreeCourse) -> bool:
    """Whether the account is the student of this enrolment, or was its mentor at any time."""
    if enrolment.account_id == account_id:
        return True
    had = exists().where(
        MentorAssignment.enrolled_degree_course_id == enrolment.id, MentorAssignment.mentor_id == account_id
    )
    return bool(session.scalar(select(had)))
