"""What neglect costs, found by the night: steps (e) to (h) of domain.md 4.3.

Every step looks for what had become due at the instant of its night, however late it runs: what was done after that
is not seen as missing earlier. Each fine is a transaction of its own under the enrolment's lock, and its event is
booked once for ever. Time on leave or with a refund under way does not count, a mentor answers for the time from the
assignment on, and nothing becomes due after the study has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from shop.clock import end_of_day, local_date
from shop.enums import MessageType, Purse, QuestionStatus, Rule
from shop.extensions import db, settings, unit_of_work
from shop.models import (
    Account,
    Answer,
    CourseSchedule,
    DegreeCourse,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    MentorAssignment,
    Question,
    ScoreRecord,
    StudyRecord,
    StuFollowUpRecord,
)
from shop.rules import duties
from shop.services import enrolled_degrees, messages, purses, score_rows
from shop.services.learning import is_suspended
from shop.services.purses import Cause
from shop.wording import mark as _

LOOK_BACK = timedelta(
    days=60
)  # what was due earlier has been fined, or was held back for longer than anybody remembers
BATCH = 500
Counts = dict[str, int]

SAYS = {
    Rule.LATE_HOMEWORK: _(
        "未按时交作业「%(subject)s」（应在 %(due_date)s 前交），扣除 %(amount)s 贝里，剩余 %(balance)s。"
    ),
    Rule.LATE_GRADING: _("作业「%(subject)s」没有在 %(due_time)s 前批改，扣除 %(amount)s 贝里，剩余 %(balance)s。"),
    Rule.NO_FOLLOW_UP: _("到 %(due_time)s 为止没有跟进学员，扣除 %(amount)s 贝里，剩余 %(balance)s。"),
    Rule.NO_ANSWER: _("提问「%(subject)s」没有在 %(due_time)s 前回复，扣除 %(amount)s 贝里，剩余 %(balance)s。"),
}


@dataclass(frozen=True, slots=True)
class Fine:
    """Something that was not done in time; ``mentor_id`` is who answers for it, None for the student."""

    enrolment_id: int
    purse: Purse
    rule: Rule
    cause: Cause
    mentor_id: int | None
    subject: str  # the title of the homework or question


# ---------------------------------------------------------------- the steps


def fine_late_homework(now: datetime) -> Counts:
    """(e) The plan's day is over and nothing was handed in by then: rule 0, for the student and the mentor, once."""
    return _book(_late_homework(now), now)


def fine_late_grading(now: datetime) -> Counts:
    """(f) A hand-in had no mark when its time was over: rule 1, once per hand-in."""
    return _book(_late_grading(now), now)


def fine_missing_follow_up(now: datetime) -> Counts:
    """(g) A student has heard nothing for the whole of a period: rule 3, once per period."""
    return _book(_missing_follow_up(now), now)


def fine_late_answers(now: datetime) -> Counts:
    """(h) A question had no answer of the mentor when its time was over: rule 4, once.

    One that its student has closed without an answer costs nothing: when it was closed is not known.
    """
    return _book(_late_answers(now), now)


# ---------------------------------------------------------------- what became due


def _late_homework(now: datetime) -> Iterator[Fine]:
    today = local_date(now)
    rows = _each(
        select(
            CourseSchedule.id,
            EnrolledDegreeCourse.id,
            CourseSchedule.homework_id,
            Homework.title,
            CourseSchedule.recommend_date,
            HomeworkRecord.id,
            HomeworkRecord.date,
            EnrolledDegreeCourse.ended_time,
            MentorAssignment.mentor_id,
            MentorAssignment.from_time,
        )
        .join(StudyRecord, StudyRecord.id == CourseSchedule.study_record_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == StudyRecord.enrolled_degree_course_id)
        .join(Homework, Homework.id == CourseSchedule.homework_id)
        .outerjoin(
            HomeworkRecord,
            and_(
                HomeworkRecord.homework_id == CourseSchedule.homework_id,
                HomeworkRecord.student_id == EnrolledDegreeCourse.id,
            ),
        )
        .outerjoin(MentorAssignment, enrolled_degrees.of_present_mentor())
        .where(
            _is_under_way(now),
            Homework.enabled,
            CourseSchedule.recommend_date < today,
            CourseSchedule.recommend_date >= today - LOOK_BACK,
        ),
        CourseSchedule.id,
    )
    for batch in rows:
        pauses = enrolled_degrees.all_pauses(db.session(), {row[1] for row in batch})
        for _id, enrolment_id, homework_id, title, due, record_id, handed, ended, mentor_id, from_time in batch:
            last_moment = end_of_day(due)
            is_late = handed is None or handed > last_moment
            rests = duties.stands_still(last_moment, pauses[enrolment_id])
            if not is_late or rests or (ended and last_moment > ended):
                continue
            event = f"late-homework:{enrolment_id}:{homework_id}"
            facts = {"homework": title, "due_date": due.isoformat()}  # nothing handed in: no row has its name
            yield Fine(
                enrolment_id,
                Purse.REWARDS,
                Rule.LATE_HOMEWORK,
                Cause(f"{event}:student", facts=facts, homework_record_id=record_id),
                None,
                title,
            )
            if mentor_id is not None and from_time <= last_moment:
                cause = Cause(f"{event}:mentor", facts=facts, homework_record_id=record_id)
                yield Fine(enrolment_id, Purse.FEE, Rule.LATE_HOMEWORK, cause, mentor_id, title)


def _late_grading(now: datetime) -> Iterator[Fine]:
    allowed = timedelta(hours=settings().grading_hours)
    submission = HomeworkSubmission
    rows = _each(
        select(
            submission.id,
            EnrolledDegreeCourse.id,
            Homework.title,
            submission.homework_record_id,
            submission.submitted_time,
            submission.checked_time,
            EnrolledDegreeCourse.ended_time,
            MentorAssignment.mentor_id,
            MentorAssignment.from_time,
        )
        .join(HomeworkRecord, HomeworkRecord.id == submission.homework_record_id)
        .join(Homework, Homework.id == HomeworkRecord.homework_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == HomeworkRecord.student_id)
        .join(MentorAssignment, enrolled_degrees.of_present_mentor())
        .where(
            _is_under_way(now),
            submission.submitted_time <= now - allowed,
            or_(submission.checked_time.is_(None), submission.checked_time > now - LOOK_BACK),
        ),
        submission.id,
    )
    for batch in rows:
        pauses = enrolled_degrees.all_pauses(db.session(), {row[1] for row in batch})
        for submission_id, enrolment_id, title, record_id, handed, checked, ended, mentor_id, from_time in batch:
            due = duties.deadline(max(handed, from_time), allowed, pauses[enrolment_id])
            if not _is_missed(due, checked, ended, now):
                continue
            cause = Cause(
                f"late-grading:{submission_id}",
                facts=_until(due),
                homework_record_id=record_id,
                homework_submission_id=submission_id,
            )
            yield Fine(enrolment_id, Purse.FEE, Rule.LATE_GRADING, cause, mentor_id, title)


def _missing_follow_up(now: datetime) -> Iterator[Fine]:
    period = timedelta(days=settings().follow_up_days)
    last_word = (
        select(func.max(StuFollowUpRecord.date))
        .where(
            StuFollowUpRecord.enrolled_degree_course_id == MentorAssignment.enrolled_degree_course_id,
            StuFollowUpRecord.mentor_id == MentorAssignment.mentor_id,
            StuFollowUpRecord.date <= now,
        )
        .scalar_subquery()
    )
    rows = _each(
        select(
            MentorAssignment.id,
            EnrolledDegreeCourse.id,
            EnrolledDegreeCourse.ended_time,
            MentorAssignment.mentor_id,
            MentorAssignment.from_time,
            last_word,
        )
        .join(EnrolledDegreeCourse, enrolled_degrees.of_present_mentor())
        .where(_is_under_way(now), MentorAssignment.from_time <= now - period),
        MentorAssignment.id,
    )
    for batch in rows:
        pauses = enrolled_degrees.all_pauses(db.session(), {row[1] for row in batch})
        for assignment_id, enrolment_id, ended, mentor_id, from_time, word in batch:
            anchor = max(from_time, word) if word else from_time
            for number, end in duties.periods_over(anchor, period, pauses[enrolment_id], now):
                if ended is not None and end > ended:
                    break
                cause = Cause(f"no-follow-up:{assignment_id}:{anchor:%Y%m%d%H%M%S%f}:{number}", facts=_until(end))
                yield Fine(enrolment_id, Purse.FEE, Rule.NO_FOLLOW_UP, cause, mentor_id, "")


def _late_answers(now: datetime) -> Iterator[Fine]:
    allowed = timedelta(hours=settings().answer_hours)
    first_answer = (
        select(func.min(Answer.date))
        .where(
            Answer.question_id == Question.id,
            Answer.account_id != Question.account_id,  # also of the mentor before: it is answered all the same
        )
        .scalar_subquery()
    )
    rows = _each(
        select(
            Question.id,
            EnrolledDegreeCourse.id,
            Question.title,
            Question.date,
            Question.status,
            first_answer,
            EnrolledDegreeCourse.ended_time,
            MentorAssignment.mentor_id,
            MentorAssignment.from_time,
        )
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == Question.enrolled_degree_course_id)
        .join(MentorAssignment, enrolled_degrees.of_present_mentor())
        .where(_is_under_way(now), Question.date <= now - allowed, Question.date > now - LOOK_BACK),
        Question.id,
    )
    for batch in rows:
        pauses = enrolled_degrees.all_pauses(db.session(), {row[1] for row in batch})
        for question_id, enrolment_id, title, asked, status, answered, ended, mentor_id, from_time in batch:
            due = duties.deadline(max(asked, from_time), allowed, pauses[enrolment_id])
            was_closed = status is QuestionStatus.CLOSED and answered is None
            if was_closed or not _is_missed(due, answered, ended, now):
                continue
            cause = Cause(f"no-answer:{question_id}", facts=_until(due), question_id=question_id)
            yield Fine(enrolment_id, Purse.FEE, Rule.NO_ANSWER, cause, mentor_id, title)


def _is_under_way(now: datetime) -> Any:
    """Living, not asked back, and not ended for so long that a night before must have seen its last days."""
    ended = EnrolledDegreeCourse.ended_time
    return and_(
        EnrolledDegreeCourse.closed_time.is_(None),
        ~is_suspended(EnrolledDegreeCourse),
        or_(ended.is_(None), ended > now - LOOK_BACK),
    )


def _is_missed(due: datetime | None, done: datetime | None, ended: datetime | None, now: datetime) -> bool:
    if due is None or due > now or (ended is not None and due > ended):
        return False
    return done is None or done > due


def _until(due: datetime | None) -> dict[str, str]:
    assert due is not None
    return {"due_time": due.isoformat()}


def _each(wanted: Any, key: Any) -> Iterator[Sequence[Any]]:
    """Rows in batches, in the order of a key that is their first column. They are read before anything is written."""
    last = 0
    while batch := db.session.execute(wanted.where(key > last).order_by(key).limit(BATCH)).all():
        last = batch[-1][0]
        yield batch


# ---------------------------------------------------------------- booking


def _book(fines: Iterable[Fine], now: datetime) -> Counts:
    found = list(fines)
    booked = _booked([fine.cause.event for fine in found])
    return {"fined": sum(_fine(fine, now) for fine in found if fine.cause.event not in booked)}


def _booked(events: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for at in range(0, len(events), BATCH):
        some = events[at : at + BATCH]
        known.update(db.session.scalars(select(ScoreRecord.event).where(ScoreRecord.event.in_(some))))
    db.session.rollback()
    return known


def _fine(fine: Fine, now: datetime) -> int:
    """Book one fine, unless the enrolment has changed hands, was refunded or is asked back meanwhile."""
    with unit_of_work() as session:
        enrolment = enrolled_degrees.lock(session, fine.enrolment_id)
        is_changed = fine.mentor_id is not None and fine.mentor_id != enrolment.mentor_id
        if enrolment.closed_time is not None or is_changed or enrolled_degrees.is_asked_back(session, enrolment):
            return 0
        record = purses.fine(session, enrolment, fine.purse, fine.rule, fine.cause, now)
        if record is None:
            return 0
        if record.score:
            _tell(session, enrolment, fine, record)
        return 1


def _tell(session: Session, enrolment: EnrolledDegreeCourse, fine: Fine, record: ScoreRecord) -> None:
    """Inside the shop only: a letter for each fine would be a flood."""
    student = session.get_one(Account, enrolment.account_id)
    is_mentor = fine.purse is Purse.FEE
    balance = record.balance
    if is_mentor:  # or the figure would tell whose complaint was upheld
        balance = score_rows.fees_shown(session, record.account_id, {enrolment.id: balance})[enrolment.id].rest
    facts = {
        **fine.cause.facts,
        "subject": fine.subject,
        "amount": -record.score,
        "balance": balance,
        "student": student.shown_name,
        "degree": session.get_one(DegreeCourse, enrolment.degree_course_id).name,
    }
    messages.tell(
        session,
        record.account_id,
        MessageType.REWARD,
        SAYS[fine.rule],
        facts,
        link="/mentor/earnings" if is_mentor else f"/learning/degrees/{enrolment.id}/rewards",
        event=f"fine-{record.id}",
        is_mailed=False,
    )
