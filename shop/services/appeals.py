"""申诉: a mentor against a penalty, decided by staff. While it waits, nothing of that fee is paid out or moves on.

An upheld one is a row that reverses the penalty, so that both net to zero; when the study was paid out before, the
coming night pays what came back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from flask_babel import lazy_gettext
from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import ComplaintState, MessageType, Purse, Rule
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import Account, Appeal, EnrolledDegreeCourse, ScoreRecord, ScoreRule
from shop.rules.appeals import APPEAL_DAYS, Row, WhyNot, why_not
from shop.rules.staff_rights import Task
from shop.services import audit_log, enrolled_degrees, messages, purses, study_cases
from shop.services.audit_log import Actor
from shop.services.purses import Cause
from shop.wording import mark as _

SHORTEST, LONGEST = 10, 2000
REFUNDED = _("申诉成立，但学位课已退费，不再到账")
SAYS = {
    WhyNot.NO_PENALTY: lazy_gettext("这一行不是扣款，不需要申诉。"),
    WhyNot.REVERSED: lazy_gettext("这笔扣款已经撤销，不需要申诉。"),
    WhyNot.APPEALED: lazy_gettext("这笔扣款已经申诉过，每笔只能申诉一次。"),
    WhyNot.NOT_ASSIGNED: lazy_gettext("您已不是这位学员的导师，不能再申诉。"),
    WhyNot.REFUNDED: lazy_gettext("这门学位课已经退费，不能再申诉。"),
    WhyNot.LATE: lazy_gettext("扣款已超过 %(days)s 天，不能再申诉。", days=APPEAL_DAYS),
}

log = structlog.get_logger()


class NotAppealable(NotYourTurn):
    text = lazy_gettext("申诉没有提交：%(reason)s")


@dataclass(frozen=True, slots=True)
class Case:
    """An appeal as staff see it."""

    id: int
    mentor: str  # user name
    enrolment_id: int
    rule: Rule
    score: int
    record_time: datetime
    content: str
    state: ComplaintState
    date: datetime


def file(account_id: int, score_record_id: int, content: str, now: datetime) -> Appeal:
    """An appeal against one's own penalty. Raises NotFound for a row of somebody else's, NotAppealable.

    The enrolment's lock lets one of two at once win, and keeps the night from paying out in between.
    """
    mine = (ScoreRecord.id == score_record_id, ScoreRecord.account_id == account_id, ScoreRecord.purse == Purse.FEE)
    try:
        with unit_of_work() as session:
            enrolment_id = session.scalar(select(ScoreRecord.enrolled_degree_course_id).where(*mine))
            if enrolment_id is None:
                raise NotFound
            enrolment = enrolled_degrees.lock(session, enrolment_id)
            _check(session, session.get_one(ScoreRecord, score_record_id), enrolment, now)
            appeal = Appeal(score_record_id=score_record_id, account_id=account_id, content=content, date=now)
            session.add(appeal)
            session.flush()
    except IntegrityError as error:
        raise _refusal(WhyNot.APPEALED) from error
    log.info("appeal filed", appeal=appeal.id, score_record=score_record_id)
    return appeal


def _check(session: Session, record: ScoreRecord, enrolment: EnrolledDegreeCourse, now: datetime) -> None:
    row = Row(
        rule=record.rule.rule,
        kind=record.rule.score_type,
        score=record.score,
        day=clock.local_date(record.date),
        is_reversed=_is_reversed(session, record.id),
        is_appealed=bool(session.scalar(select(exists().where(Appeal.score_record_id == record.id)))),
        is_assigned=enrolment.mentor_id == record.account_id,
        is_refunded=enrolment.closed_time is not None,
    )
    why = why_not(row, clock.local_date(now))
    if why is not None:
        raise _refusal(why)


def _refusal(why: WhyNot) -> NotAppealable:
    return NotAppealable(reason=str(SAYS[why]))


def _is_reversed(session: Session, record_id: int) -> bool:
    return bool(session.scalar(select(exists().where(ScoreRecord.reverses_id == record_id))))


def own(account_id: int, score_record_id: int) -> Appeal | None:
    """One's own appeal against a row, None without one."""
    mine = select(Appeal).where(Appeal.score_record_id == score_record_id, Appeal.account_id == account_id)
    return db.session.scalars(mine).one_or_none()


# ---------------------------------------------------------------- staff


def listed(*, is_all: bool = False) -> Sequence[Case]:
    """The appeals that wait, or all of them, oldest first, in one statement."""
    query = (
        select(
            Appeal.id,
            Account.username,
            ScoreRecord.enrolled_degree_course_id,
            ScoreRule.rule,
            ScoreRecord.score,
            ScoreRecord.date,
            Appeal.content,
            Appeal.state,
            Appeal.date,
        )
        .join(Account, Account.id == Appeal.account_id)
        .join(ScoreRecord, ScoreRecord.id == Appeal.score_record_id)
        .join(ScoreRule, ScoreRule.id == ScoreRecord.score_rule_id)
        .order_by(Appeal.id)
    )
    if not is_all:
        query = query.where(Appeal.state == ComplaintState.WAITING)
    return [Case(*row) for row in db.session.execute(query)]


def decide(appeal_id: int, *, upheld: bool, actor: Actor, reason: str) -> Appeal:
    """Uphold or dismiss an appeal; upheld, the penalty is reversed. The mentor reads the reason.

    What comes back to the fee of a degree that was refunded meanwhile is let go of like the rest of it. Raises
    NotFound; NotYourTurn when it was decided before (``why`` is "decided"), OwnStudy ("own"), StaffOnly; ValueError for
    a reason that is not 1 to 255 characters.
    """
    reason, now = audit_log.checked_reason(reason), clock.now()
    with unit_of_work() as session:
        appeal, enrolment = _locked(session, appeal_id)
        study_cases.check(session, actor, Task.COMPLAINTS_DECIDE, enrolment)
        if appeal.state is not ComplaintState.WAITING:
            raise NotYourTurn(why="decided")
        appeal.state = ComplaintState.UPHELD if upheld else ComplaintState.DISMISSED
        appeal.handler_id, appeal.decision, appeal.decided_time = actor.account_id, reason, now
        session.flush()
        penalty = appeal.score_record
        if upheld:
            _reverse(session, enrolment, penalty, now)
        _tell(session, appeal, penalty)
        audit_log.record(
            session,
            actor,
            "appeal decide",
            appeal,
            before={"state": int(ComplaintState.WAITING)},
            after={"state": int(appeal.state), "score_record": penalty.id, "score": penalty.score},
            reason=reason,
        )
    return appeal


def _locked(session: Session, appeal_id: int) -> tuple[Appeal, EnrolledDegreeCourse]:
    of_this = Appeal.id == appeal_id
    enrolment_id = session.scalar(
        select(ScoreRecord.enrolled_degree_course_id)
        .join(Appeal, Appeal.score_record_id == ScoreRecord.id)
        .where(of_this)
    )
    if enrolment_id is None:
        raise NotFound
    enrolment = enrolled_degrees.lock(session, enrolment_id)
    return session.scalars(select(Appeal).where(of_this).execution_options(populate_existing=True)).one(), enrolment


def _reverse(session: Session, enrolment: EnrolledDegreeCourse, penalty: ScoreRecord, now: datetime) -> None:
    if _is_reversed(session, penalty.id):  # in another way, while the appeal waited
        return
    cause = Cause(
        f"appeal:{penalty.id}",
        _("申诉成立，扣款撤销"),
        penalty.facts,
        homework_record_id=penalty.homework_record_id,
        homework_submission_id=penalty.homework_submission_id,
        question_id=penalty.question_id,
        complaint_id=penalty.complaint_id,
    )
    purses.reverse(session, enrolment, penalty, cause, now)
    if enrolment.closed_time is not None:
        purses.forfeit(session, enrolment, Purse.FEE, REFUNDED, now)


def _tell(session: Session, appeal: Appeal, penalty: ScoreRecord) -> None:
    """No word about the student: the row may be one of a complaint."""
    says = {
        ComplaintState.UPHELD: _("您对 %(row_date)s 扣除 %(beli)s 贝里的申诉成立，扣款已撤销。处理意见：%(reason)s"),
        ComplaintState.DISMISSED: _("您对 %(row_date)s 扣除 %(beli)s 贝里的申诉不成立。处理意见：%(reason)s"),
    }
    facts = {"row_date": clock.local_date(penalty.date), "beli": -penalty.score, "reason": appeal.decision}
    messages.tell(
        session,
        appeal.account_id,
        MessageType.REWARD,
        says[appeal.state],
        facts,
        link="/mentor/earnings",
        event=f"appeal:{appeal.id}:decided",
    )
