"""8. Degrees: purses, what they paid out, withdrawals, and how a study stands (design 11.8; safety.md M1-M3)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Subquery, and_, case, exists, false, func, or_, select

from shop.enums import (
    ComplaintState,
    HomeworkStatus,
    ModuleStatus,
    Purse,
    StudyStatus,
    TransactionType,
    WithdrawalState,
)
from shop.models import (
    Appeal,
    EnrolledDegreeCourse,
    HomeworkRecord,
    HomeworkSubmission,
    MentorAssignment,
    ScoreRecord,
    StudyLeave,
    StudyRecord,
    TransactionRecord,
    Withdrawal,
)
from shop.rules.rewards import PASS_MARK
from shop.rules.study_states import ENDED
from shop.services.audit_queries.check import Broken, Checks, or_zero

check = checks = Checks()


# ---------------------------------------------------------------- purses


@check(EnrolledDegreeCourse, "the mentor's fee is what was granted less what was fined and paid out")
def mentor_fee_is_sum_of_rows() -> Broken:
    return _balance_differs(Purse.FEE, EnrolledDegreeCourse.mentor_fee_balance)


@check(EnrolledDegreeCourse, "the student's rewards are what was earned less what was fined and paid out")
def rewards_are_sum_of_rows() -> Broken:
    return _balance_differs(Purse.REWARDS, EnrolledDegreeCourse.reward_balance)


def _balance_differs(purse: Purse, balance: Any) -> Broken:
    row = ScoreRecord
    sums = (
        select(row.enrolled_degree_course_id.label("id"), func.sum(row.score - row.received_score).label("rest"))
        .where(row.purse == purse)
        .group_by(row.enrolled_degree_course_id)
        .subquery()
    )
    return (
        select(EnrolledDegreeCourse.id)
        .outerjoin(sums, sums.c.id == EnrolledDegreeCourse.id)
        .where(balance != or_zero(sums.c.rest))
    )


@check(ScoreRecord, "its balance continues that of the purse's row before, or begins anew after all was paid out")
def purse_continues() -> Broken:
    row = ScoreRecord
    before = func.lag(row.balance, 1, 0).over(partition_by=(row.enrolled_degree_course_id, row.purse), order_by=row.id)
    rows = select(row.id, (row.balance - row.score).label("held"), before.label("before")).subquery()
    return select(rows.c.id).where(rows.c.held != rows.c.before, rows.c.held != 0)


@check(ScoreRecord, "a loss is applied at once, and nothing of it is ever received")
def loss_is_applied() -> Broken:
    row = ScoreRecord
    return select(row.id).where(row.score < 0, or_(row.applied == false(), row.received_score != 0))


@check(ScoreRecord, "earns or costs the student of its enrolment, or one who was its mentor")
def purse_has_its_owner() -> Broken:
    row, enrolment, assignment = ScoreRecord, EnrolledDegreeCourse, MentorAssignment
    mentors = (
        select(assignment.enrolled_degree_course_id.label("id"), assignment.mentor_id.label("mentor_id"))
        .distinct()
        .subquery()
    )
    was_mentor = and_(mentors.c.id == row.enrolled_degree_course_id, mentors.c.mentor_id == row.account_id)
    return (
        select(row.id)
        .join(enrolment, enrolment.id == row.enrolled_degree_course_id)
        .outerjoin(mentors, was_mentor)
        .where(
            case(
                (row.purse == Purse.REWARDS, row.account_id != enrolment.account_id),
                else_=mentors.c.id.is_(None),
            )
        )
    )


@check(ScoreRecord, "a reversal is of the opposite value, in the same purse and by the same rule")
def reversal_nets_to_zero() -> Broken:
    row, wrong = ScoreRecord.__table__.alias(), ScoreRecord.__table__.alias()
    is_it = and_(
        row.c.score == -wrong.c.score,
        row.c.enrolled_degree_course_id == wrong.c.enrolled_degree_course_id,
        row.c.purse == wrong.c.purse,
        row.c.score_rule_id == wrong.c.score_rule_id,
    )
    return select(row.c.id).join(wrong, wrong.c.id == row.c.reverses_id).where(~is_it)


@check(Appeal, "an appeal is upheld if, and only if, its penalty is reversed")
def upheld_appeal_reverses() -> Broken:
    reversal = ScoreRecord.__table__.alias()
    return (
        select(Appeal.id)
        .outerjoin(reversal, reversal.c.reverses_id == Appeal.score_record_id)
        .where((Appeal.state == ComplaintState.UPHELD) != reversal.c.id.is_not(None))
    )


# ---------------------------------------------------------------- paid out


@check(EnrolledDegreeCourse, "what its rows received reached the balances, by transaction records of that sum")
def received_is_paid_out() -> Broken:
    row, record = ScoreRecord, TransactionRecord
    received = (
        select(row.enrolled_degree_course_id.label("id"), row.purse, func.sum(row.received_score).label("sum"))
        .group_by(row.enrolled_degree_course_id, row.purse)
        .subquery()
    )
    paid = (
        select(row.enrolled_degree_course_id.label("id"), row.purse, func.sum(record.amount).label("sum"))
        .join(record, record.score_record_id == row.id)
        .group_by(row.enrolled_degree_course_id, row.purse)
        .subquery()
    )
    return (
        select(received.c.id)
        .outerjoin(paid, and_(paid.c.id == received.c.id, paid.c.purse == received.c.purse))
        .where(received.c.sum != or_zero(paid.c.sum))
        .distinct()
    )


@check(TransactionRecord, "a record of a score row is the income of that row's account")
def payout_is_of_its_owner() -> Broken:
    row, record = ScoreRecord, TransactionRecord
    return (
        select(record.id)
        .join(row, row.id == record.score_record_id)
        .where(or_(record.account_id != row.account_id, record.transaction_type != TransactionType.INCOME))
    )


# ---------------------------------------------------------------- withdrawals


@check(Withdrawal, "is taken once when it is asked for, and given back once if, and only if, it is refused")
def withdrawal_is_taken_once() -> Broken:
    moved = _moved_by_withdrawals()
    back = case((Withdrawal.state == WithdrawalState.REFUSED, 1), else_=0)
    return (
        select(Withdrawal.id)
        .outerjoin(moved, moved.c.id == Withdrawal.id)
        .where(
            or_(
                or_zero(moved.c.takings) != 1,
                or_zero(moved.c.taken) != Withdrawal.amount,
                or_zero(moved.c.returns) != back,
                or_zero(moved.c.returned) != back * Withdrawal.amount,
            )
        )
    )


def _moved_by_withdrawals() -> Subquery:
    record = TransactionRecord
    took = record.transaction_type == TransactionType.WITHDRAWAL
    gave = record.transaction_type == TransactionType.REFUND
    return (
        select(
            record.withdrawal_id.label("id"),
            func.sum(case((took, 1), else_=0)).label("takings"),
            func.sum(case((took, record.amount), else_=0)).label("taken"),
            func.sum(case((gave, 1), else_=0)).label("returns"),
            func.sum(case((gave, record.amount), else_=0)).label("returned"),
        )
        .where(record.withdrawal_id.is_not(None))
        .group_by(record.withdrawal_id)
        .subquery()
    )


@check(TransactionRecord, "a record of a withdrawal takes from, or gives back to, whoever asked for it")
def withdrawal_moves_its_owners_beli() -> Broken:
    record = TransactionRecord
    kinds = (TransactionType.WITHDRAWAL, TransactionType.REFUND)
    return (
        select(record.id)
        .join(Withdrawal, Withdrawal.id == record.withdrawal_id)
        .where(or_(record.account_id != Withdrawal.account_id, record.transaction_type.not_in(kinds)))
    )


@check(Withdrawal, "is approved by one person and paid by another, and by nobody for themselves")
def withdrawal_has_two_persons() -> Broken:
    row = Withdrawal
    is_own = or_(row.handler_id == row.account_id, row.payer_id == row.account_id)
    is_alone = or_(row.handler_id.is_(None), row.payer_id.is_(None), row.handler_id == row.payer_id)
    return select(row.id).where(or_(is_own, and_(row.state == WithdrawalState.PAID, is_alone)))


# ---------------------------------------------------------------- how a study stands


@check(EnrolledDegreeCourse, "has its days if, and only if, it has begun, and its end if, and only if, it has ended")
def study_has_its_times() -> Broken:
    row = EnrolledDegreeCourse
    has_begun = row.study_status != StudyStatus.NOT_STARTED
    has_ended = row.study_status.in_(ENDED)
    return select(row.id).where(
        or_(has_begun != row.valid_begin_date.is_not(None), has_ended != row.ended_time.is_not(None))
    )


@check(EnrolledDegreeCourse, "graduates with its last module: none is under way then, and one is before")
def graduation_is_the_last_module() -> Broken:
    row, record = EnrolledDegreeCourse, StudyRecord
    counts = (
        select(
            record.enrolled_degree_course_id.label("id"),
            func.sum(case((record.status == ModuleStatus.STUDYING, 1), else_=0)).label("under_way"),
            func.sum(case((record.status != ModuleStatus.DONE, 1), else_=0)).label("left"),
        )
        .group_by(record.enrolled_degree_course_id)
        .subquery()
    )
    return (
        select(row.id)
        .join(counts, counts.c.id == row.id)
        .where(
            row.closed_time.is_(None),
            case(
                (row.study_status == StudyStatus.GRADUATED, counts.c.under_way > 0),
                (row.study_status == StudyStatus.STUDYING, counts.c.left == 0),
                else_=false(),
            ),
        )
    )


@check(EnrolledDegreeCourse, "is on leave if, and only if, a leave of it has not ended")
def leave_shows_in_the_state() -> Broken:
    row = EnrolledDegreeCourse
    leave = and_(StudyLeave.enrolled_degree_course_id == row.id, StudyLeave.end_time.is_(None))
    return (
        select(row.id)
        .outerjoin(StudyLeave, leave)
        .where(row.closed_time.is_(None), (row.study_status == StudyStatus.ON_LEAVE) != StudyLeave.id.is_not(None))
    )


@check(EnrolledDegreeCourse, "its mentor is the one who is assigned now")
def mentor_is_assigned() -> Broken:
    row, assignment = EnrolledDegreeCourse, MentorAssignment
    now = and_(assignment.enrolled_degree_course_id == row.id, assignment.until_time.is_(None))
    return (
        select(row.id)
        .outerjoin(assignment, now)
        .where(row.closed_time.is_(None), row.mentor_id.is_distinct_from(assignment.mentor_id))
    )


@check(EnrolledDegreeCourse, "holds nothing and keeps nobody once it was refunded: no 贝里, no mentor, no leave")
def refunded_degree_holds_nothing() -> Broken:
    row, assignment, leave = EnrolledDegreeCourse, MentorAssignment, StudyLeave
    mentored = exists().where(assignment.enrolled_degree_course_id == row.id, assignment.until_time.is_(None))
    away = exists().where(leave.enrolled_degree_course_id == row.id, leave.end_time.is_(None))
    holds = or_(row.mentor_fee_balance > 0, row.reward_balance > 0, mentored, away)
    return select(row.id).where(row.closed_time.is_not(None), holds)


@check(HomeworkRecord, "stands as its last hand-in was graded")
def homework_stands_as_graded() -> Broken:
    row, last = HomeworkRecord, HomeworkSubmission
    numbers = (
        select(last.homework_record_id.label("id"), func.max(last.number).label("last"), func.count().label("all"))
        .group_by(last.homework_record_id)
        .subquery()
    )
    status = case(
        (last.checked_time.is_(None), int(HomeworkStatus.WAITING)),
        (last.score >= PASS_MARK, int(HomeworkStatus.PASSED)),
        else_=int(HomeworkStatus.FAILED),
    )
    return (
        select(row.id)
        .join(numbers, numbers.c.id == row.id)
        .join(last, and_(last.homework_record_id == row.id, last.number == numbers.c.last))
        .where(or_(row.submit_num != numbers.c.all, numbers.c.last != numbers.c.all, row.status != status))
    )


def purses_waiting_since(deadline: Any) -> Broken:
    """Ended studies that have not paid out: appeals or complaints wait, or the nightly job does not run."""
    row = EnrolledDegreeCourse
    return select(row.id).where(
        row.ended_time < deadline,
        row.closed_time.is_(None),
        or_(row.mentor_fee_balance > 0, row.reward_balance > 0),
    )
