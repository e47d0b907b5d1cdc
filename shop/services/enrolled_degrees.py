"""Whose degree it is: the one way to look an enrolment up for its student or its mentor, and to lock it.

An enrolment is locked behind the account whose balance changes (``shop.services.locks``), never before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, Executable, case, exists, select, union_all
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ExecutableOption

from shop.enums import StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.models import DegreeRegistrationForm, EnrolledDegreeCourse, MentorAssignment, Refund, RefundDetail, StudyLeave
from shop.rules.duties import Pause, merged
from shop.rules.refund_states import NOTHING_MOVES, OF_LINES
from shop.services.learning import is_suspended


class AskedBack(NotYourTurn):
    text = lazy_gettext("这门学位课的退费正在处理，学习暂停，现在不能进行此操作。")


def own(session: Session, account_id: int, enrolment_id: int, *options: ExecutableOption) -> EnrolledDegreeCourse:
    """A student's own living enrolment. Raises NotFound for everybody else, and once it was refunded."""
    return _one(session, EnrolledDegreeCourse.account_id == account_id, enrolment_id, options)


def of_mentor(session: Session, mentor_id: int, enrolment_id: int, *options: ExecutableOption) -> EnrolledDegreeCourse:
    """A living enrolment that this mentor has now. Raises NotFound for other mentors, as for a missing one."""
    return _one(session, EnrolledDegreeCourse.mentor_id == mentor_id, enrolment_id, options)


def _one(
    session: Session, is_mine: object, enrolment_id: int, options: Collection[ExecutableOption]
) -> EnrolledDegreeCourse:
    found = session.scalars(
        select(EnrolledDegreeCourse)
        .where(EnrolledDegreeCourse.id == enrolment_id, EnrolledDegreeCourse.closed_time.is_(None), is_mine)  # type: ignore[arg-type]
        .options(*options)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


def lock(session: Session, enrolment_id: int) -> EnrolledDegreeCourse:
    """The enrolment as it is now, living or closed; nobody else changes it before this transaction ends.

    Raises NotFound for an unknown id.
    """
    found = session.scalars(
        select(EnrolledDegreeCourse)
        .where(EnrolledDegreeCourse.id == enrolment_id)
        .with_for_update(of=EnrolledDegreeCourse)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound
    return found


def expect(session: Session, enrolment: EnrolledDegreeCourse, *states: StudyStatus) -> None:
    """Raises NotYourTurn unless the study stands in one of these states, AskedBack while its refund is under way."""
    if is_asked_back(session, enrolment):
        raise AskedBack
    if not stands(session, enrolment, *states):
        raise NotYourTurn


def stands(session: Session, enrolment: EnrolledDegreeCourse, *states: StudyStatus) -> bool:
    """Whether the study stands in one of these states and no refund of it is under way or done."""
    if enrolment.study_status not in states or enrolment.closed_time is not None:
        return False
    return not is_asked_back(session, enrolment)


def is_asked_back(session: Session, enrolment: EnrolledDegreeCourse) -> bool:
    """Whether a refund of it is under way: everything rests until somebody says no, or the money is back."""
    asked_back = exists().where(EnrolledDegreeCourse.id == enrolment.id, is_suspended(EnrolledDegreeCourse))
    return bool(session.scalar(select(asked_back)))


def is_filed(session: Session, enrolment_id: int) -> bool:
    """Whether its registration form has ever been filed; a form that staff have reopened counts."""
    return bool(session.scalar(select(exists().where(DegreeRegistrationForm.enrolled_degree_id == enrolment_id))))


def of_present_mentor() -> ColumnElement[bool]:
    """What joins an enrolment with the assignment of its mentor of now."""
    row = MentorAssignment
    return (row.enrolled_degree_course_id == EnrolledDegreeCourse.id) & row.until_time.is_(None)


def leaves(session: Session, enrolment_id: int) -> Sequence[Pause]:
    """The leaves of an enrolment, in their order: days that do not count as studied."""
    return _by_enrolment(session, _leaves().where(StudyLeave.enrolled_degree_course_id == enrolment_id))[enrolment_id]


def pauses(session: Session, enrolment_id: int) -> Sequence[Pause]:
    """See ``all_pauses``."""
    return all_pauses(session, [enrolment_id])[enrolment_id]


def all_pauses(session: Session, enrolment_ids: Collection[int]) -> Mapping[int, Sequence[Pause]]:
    """When time stood still for enrolments, by their id, in one statement; empty for one without any.

    On leave, and while a refund was under way: then nobody may hand in or grade, so nobody is late either.
    """
    stood = union_all(
        _leaves().where(StudyLeave.enrolled_degree_course_id.in_(enrolment_ids)),
        _refunds().where(EnrolledDegreeCourse.id.in_(enrolment_ids)),
    )
    found = _by_enrolment(session, stood)
    return defaultdict(list, {enrolment_id: merged(stretches) for enrolment_id, stretches in found.items()})


def _leaves() -> Any:
    return select(StudyLeave.enrolled_degree_course_id, StudyLeave.begin_time, StudyLeave.end_time)


def _refunds() -> Any:
    """From the request until somebody has said no, or the student has taken it back."""
    until = case((Refund.state.in_(NOTHING_MOVES), Refund.decided_time))
    return (
        select(EnrolledDegreeCourse.id, Refund.requested_time, until)
        .join(RefundDetail, RefundDetail.order_detail_id == EnrolledDegreeCourse.order_detail_id)
        .join(Refund, Refund.id == RefundDetail.refund_id)
        .where(Refund.cause.in_(OF_LINES))
    )


def _by_enrolment(session: Session, stretches: Executable) -> defaultdict[int, list[Pause]]:
    found = defaultdict(list)
    for enrolment_id, begin, end in session.execute(stretches):
        found[enrolment_id].append(Pause(begin, end))
    for ones in found.values():
        ones.sort(key=lambda pause: pause.begin)
    return found
