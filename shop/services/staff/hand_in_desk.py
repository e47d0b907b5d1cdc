"""One hand-in as the registry sees it before it sets a mark right: what was handed in, and what each mark would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from shop.enums import Purse, Rule, Score, ScoreType
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    Account,
    AuditLog,
    CourseChapter,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    Product,
    ScoreRecord,
)
from shop.rules.rewards import is_passed, reward_of
from shop.services import homework, rule_book
from shop.services.homework import HandIn, Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a mark would be worth to the student, besides being on time, which stays as it was decided."""

    score: Score
    is_passed: bool
    beli: int  # earned, or lost at most
    change: int  # of what this hand-in has brought, by the mark alone


@dataclass(frozen=True, slots=True)
class Sheet:
    """One hand-in with the task, the other hand-ins of the same homework, and what was done to its mark."""

    enrolment_id: int
    username: str
    hand_in: HandIn
    grader: str  # user name; "" without a mark
    others: Sequence[HandIn]  # newest first
    task: Task
    is_last: bool
    held: int  # 贝里 in the purse: more cannot be undone
    outcomes: Sequence[Outcome]
    history: Sequence[AuditLog]


def sheet(enrolment_id: int, submission_id: int) -> Sheet:
    """Raises NotFound, also for a hand-in of another enrolment."""
    session = db.session()
    module, degree = Product.__table__.alias("module"), Product.__table__.alias("degree")
    grader = aliased(Account)
    row = session.execute(
        select(
            HomeworkRecord,
            Homework,
            module.c.name.label("module"),
            degree.c.name.label("degree"),
            Account.username,
            func.coalesce(grader.username, "").label("grader"),
            EnrolledDegreeCourse.reward_balance,
        )
        .select_from(HomeworkSubmission)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .join(Homework, Homework.id == HomeworkRecord.homework_id)
        .join(CourseChapter, CourseChapter.id == Homework.chapter_id)
        .join(module, module.c.id == CourseChapter.course_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == HomeworkRecord.student_id)
        .join(degree, degree.c.id == EnrolledDegreeCourse.degree_course_id)
        .join(Account, Account.id == EnrolledDegreeCourse.account_id)
        .outerjoin(grader, grader.id == HomeworkSubmission.grader_id)
        .where(HomeworkSubmission.id == submission_id, HomeworkRecord.student_id == enrolment_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    every = homework.hand_ins(session, row.HomeworkRecord.id)
    this = next(one for one in every if one.id == submission_id)
    task = homework.task_of(row.Homework, row.module, row.degree)
    about = AuditLog.subject_table == HomeworkSubmission.__tablename__, AuditLog.subject_id == submission_id
    return Sheet(
        enrolment_id=enrolment_id,
        username=row.username,
        hand_in=this,
        grader=row.grader,
        others=[one for one in every if one is not this],
        task=task,
        is_last=this.number == row.HomeworkRecord.submit_num,
        held=row.reward_balance,
        outcomes=_outcomes(session, this, task.worth),
        history=session.scalars(select(AuditLog).where(*about).order_by(AuditLog.id.desc())).all(),
    )


def _outcomes(session: Session, this: HandIn, worth: int) -> list[Outcome]:
    """Every mark but the present one, the best first."""
    fine = rule_book.worth(session, Rule.HOMEWORK_SCORE, ScoreType.PENALTY)
    brought = _brought(session, this.id)
    found = []
    for score in Score:
        beli = reward_of(score, worth) or (-fine if score is Score.COPY else 0)
        if score is not this.score:
            found.append(Outcome(score, is_passed(score), beli, beli - brought))
    return found


def _brought(session: Session, submission_id: int) -> int:
    """What the mark of a hand-in has brought so far, without what was paid for being on time."""
    of_late_homework = select(ScoreRecord.score_rule_id).where(ScoreRecord.rule.has(rule=Rule.LATE_HOMEWORK))
    rows = select(func.sum(ScoreRecord.score)).where(
        ScoreRecord.homework_submission_id == submission_id,
        ScoreRecord.purse == Purse.REWARDS,
        ScoreRecord.score_rule_id.not_in(of_late_homework),
    )
    return int(session.scalar(rows) or 0)
