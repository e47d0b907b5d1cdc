"""改判: the registry sets a mark right, or gives one that its mentor has not given (safety.md 4).

What the old mark has earned or cost is undone by reversal rows and the new one is booked beside it, so that the purse
ends where it would have been, and no row is edited. The mark itself has one place; who changed it from what to what,
and why, is in the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session, aliased

from shop import clock
from shop.enums import MessageType, ModuleStatus, Purse, RewardStatus, Rule, Score
from shop.errors import NotFound, NotYourTurn, StaffOnly
from shop.extensions import unit_of_work
from shop.models import (
    CourseChapter,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    ScoreRecord,
    StudyRecord,
)
from shop.rules.rewards import is_passed
from shop.rules.staff_rights import Task
from shop.services import audit_log, enrolled_degrees, grading, messages, purses, study_cases
from shop.services.audit_log import Actor
from shop.services.locks import lock_account
from shop.services.purses import Cause
from shop.wording import mark

UNDONE = mark("教务改判，撤销原来的成绩奖惩")
TO_STUDENT = mark("教务把您的作业「%(homework)s」从 %(before)s 改判为 %(score)s，贝里变动 %(beli)s。原因：%(reason)s")
TO_MENTOR = mark("教务把作业「%(homework)s」从 %(before)s 改判为 %(score)s。原因：%(reason)s")
NO_MARK = "–"


class NotRemarked(NotYourTurn):
    """A mark that stays as it is, and why."""

    text = lazy_gettext("没有改判：%(reason)s")


@dataclass(frozen=True, slots=True)
class Remarked:
    """What it has done."""

    before: Score | None
    score: Score
    beli: int  # of the student: more than before, or less
    has_reopened: bool  # its module, which was passed


def remark(
    submission_id: int, score: Score, comment: str, *, actor: Actor, reason: str, instead_of: Score | None
) -> Remarked:
    """Another mark for the last hand-in of a homework, or its first one; ``instead_of`` is the one that was seen.

    A mark that no longer passes opens its module again; what was opened after that stays open. Without a comment the
    one before stays. Raises NotFound; OwnStudy, StaffOnly; ValueError without a reason; NotRemarked in words: when the
    study has ended or is asked back, for a hand-in that has a later one, for the same mark, for another one than
    ``instead_of``, and when the purse does not hold any more what would have to be undone.
    """
    reason, now = audit_log.checked_reason(reason), clock.now()
    with unit_of_work() as session:
        submission, enrolment = _locked(session, submission_id, actor)
        if why := _why_not(session, submission, enrolment, score, instead_of, now):
            raise NotRemarked(reason=why)
        assert actor.account_id is not None  # _locked lets persons in only
        before, held = submission.score, enrolment.reward_balance
        was_passed = before is not None and is_passed(before)
        undone = _standing(session, submission, keeps_punctuality=was_passed and is_passed(score))
        grading.write_mark(submission, score, comment or submission.comment, actor.account_id, now)
        session.flush()
        _book(session, enrolment, submission, undone, now)
        beli = enrolment.reward_balance - held
        has_reopened = was_passed and not is_passed(score) and _reopen(session, enrolment, submission)
        _tell(session, enrolment, submission, before, beli, reason)
        audit_log.record(
            session,
            actor,
            "homework_submission remark",
            submission,
            before={"score": before.chinese if before is not None else None},
            after={"score": score.chinese, "beli": beli, "undone": [row.id for row in undone]},
            reason=reason,
        )
        if is_passed(score) and not was_passed:
            grading.go_on(session, enrolment, submission.record, now)
    return Remarked(before, score, beli, has_reopened)


# ---------------------------------------------------------------- whether


def _locked(session: Session, submission_id: int, actor: Actor) -> tuple[HomeworkSubmission, EnrolledDegreeCourse]:
    whose = session.execute(
        select(EnrolledDegreeCourse.id, EnrolledDegreeCourse.account_id)
        .join(HomeworkRecord, HomeworkRecord.student_id == EnrolledDegreeCourse.id)
        .join(HomeworkSubmission, HomeworkSubmission.homework_record_id == HomeworkRecord.id)
        .where(HomeworkSubmission.id == submission_id)
    ).one_or_none()
    if whose is None:
        raise NotFound
    if actor.account_id is None:  # a mark has a person who gave it
        raise StaffOnly
    lock_account(session, whose.account_id)  # a refund that is being asked for waits, or is seen
    enrolment = enrolled_degrees.lock(session, whose.id)
    study_cases.check(session, actor, Task.MARK_OVERRIDE, enrolment)
    return session.get_one(HomeworkSubmission, submission_id, populate_existing=True), enrolment


def _why_not(
    session: Session,
    submission: HomeworkSubmission,
    enrolment: EnrolledDegreeCourse,
    score: Score,
    instead_of: Score | None,
    now: datetime,
) -> str:
    """Why the mark stays, in the clerk's language; "" when it may change."""
    session.refresh(submission.record)
    if submission.number != submission.record.submit_num:
        return _("这份作业后来又提交过，只能改判最后一次提交。")
    if submission.score != instead_of:
        return _("成绩刚刚变了，请看下面现在的成绩。")
    if submission.score is score:
        return _("成绩已经是 %(score)s。", score=score.label)
    if enrolment.closed_time is not None:
        return _("这门学位课已经退费。")
    is_asked_back = enrolled_degrees.is_asked_back(session, enrolment)
    return grading.why_not(enrolment.study_status, enrolment.valid_end_date, is_asked_back, now)


# ---------------------------------------------------------------- the purse


def _standing(session: Session, submission: HomeworkSubmission, *, keeps_punctuality: bool) -> Sequence[ScoreRecord]:
    """What its mark has earned or cost, and nobody has undone; being on time stays earned while it passes."""
    reversal = aliased(ScoreRecord)
    rows = select(ScoreRecord).where(
        ScoreRecord.homework_submission_id == submission.id,
        ScoreRecord.purse == Purse.REWARDS,
        ScoreRecord.reverses_id.is_(None),
        ~exists().where(reversal.reverses_id == ScoreRecord.id),
    )
    found = session.scalars(rows.order_by(ScoreRecord.id).execution_options(populate_existing=True)).all()
    return [row for row in found if not (keeps_punctuality and row.rule.rule is Rule.LATE_HOMEWORK)]


def _book(
    session: Session,
    enrolment: EnrolledDegreeCourse,
    submission: HomeworkSubmission,
    undone: Sequence[ScoreRecord],
    now: datetime,
) -> None:
    """Undo and book in the order in which the purse need hold no more than the difference."""
    if undone:
        _restore_punctuality(session, submission)
    rows = select(func.count()).where(ScoreRecord.homework_submission_id == submission.id)
    again = f":again:{number}" if (number := session.scalar(rows)) else ""
    if submission.score is not None and is_passed(submission.score):
        _undo(session, enrolment, [row for row in undone if row.score <= 0], now)
        grading.book(session, enrolment, submission, now, again=again)
        _undo(session, enrolment, [row for row in undone if row.score > 0], now)
    else:  # a fine finds nothing that is about to go
        _undo(session, enrolment, undone, now)
        grading.book(session, enrolment, submission, now, again=again)


def _undo(session: Session, enrolment: EnrolledDegreeCourse, rows: Sequence[ScoreRecord], now: datetime) -> None:
    for row in rows:
        cause = Cause(f"undone:{row.id}", UNDONE, row.facts, row.homework_record_id, row.homework_submission_id)
        try:
            purses.reverse(session, enrolment, row, cause, now)
        except NotYourTurn as error:
            held = enrolment.reward_balance
            why = _("原来的奖励 %(beli)s 贝里要撤销，但学员的奖学金里只剩 %(held)s 贝里。", beli=row.score, held=held)
            raise NotRemarked(reason=why) from error


def _restore_punctuality(session: Session, submission: HomeworkSubmission) -> None:
    """Whether the first hand-in was on time, which the mark has written over; its rows remember it."""
    rows = select(ScoreRecord.event, ScoreRecord.facts).where(
        ScoreRecord.homework_record_id == submission.homework_record_id, ScoreRecord.purse == Purse.REWARDS
    )
    on_time = any(event.startswith("on-time:") or facts.get("on_time") for event, facts in session.execute(rows))
    submission.record.reward_status = RewardStatus.ON_TIME if on_time else RewardStatus.UNCHECKED


# ---------------------------------------------------------------- what follows


def _reopen(session: Session, enrolment: EnrolledDegreeCourse, submission: HomeworkSubmission) -> bool:
    """The module is studied again when it had been passed with this homework."""
    of_homework = (
        select(CourseChapter.course_id)
        .join(Homework, Homework.chapter_id == CourseChapter.id)
        .where(Homework.id == submission.record.homework_id)
    )
    reopened = session.execute(
        update(StudyRecord)
        .where(
            StudyRecord.enrolled_degree_course_id == enrolment.id,
            StudyRecord.course_module_id == of_homework.scalar_subquery(),
            StudyRecord.status == ModuleStatus.DONE,
        )
        .values(status=ModuleStatus.STUDYING, end_date=None)
        .returning(StudyRecord.id)
    )
    return reopened.scalar() is not None


def _tell(
    session: Session,
    enrolment: EnrolledDegreeCourse,
    submission: HomeworkSubmission,
    before: Score | None,
    beli: int,
    reason: str,
) -> None:
    facts = {
        "homework": submission.record.homework.title,
        "before": before.chinese if before is not None else NO_MARK,
        "score": (submission.score or Score.NA).chinese,
        "beli": f"{beli:+d}" if beli else "0",
        "reason": reason,
    }
    place = f"/learning/degrees/{enrolment.id}/homework/{submission.record.homework_id}"
    messages.tell(session, enrolment.account_id, MessageType.HOMEWORK, TO_STUDENT, facts, link=place)
    if enrolment.mentor_id is not None:
        link = f"/mentor/homework/{submission.id}"
        messages.tell(session, enrolment.mentor_id, MessageType.HOMEWORK, TO_MENTOR, facts, link=link)
