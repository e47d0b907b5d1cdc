"""What waits in the purses of degrees, when it matures if all goes as planned, and what has matured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.orm import Session, joinedload

from shop.clock import local_date
from shop.enums import ModuleStatus, Purse, Rule, ScoreType, StudyStatus
from shop.errors import NotFound
from shop.extensions import db, settings
from shop.models import (
    Account,
    CourseChapter,
    CourseSchedule,
    EnrolledDegreeCourse,
    Homework,
    MentorAssignment,
    Product,
    ScoreRecord,
    ScoreRule,
    StudyRecord,
    TransactionRecord,
)
from shop.rules.maturity import Expectation, Outlook, When, expected, outlooks
from shop.rules.rewards import Tier, scholarship_of
from shop.rules.study_states import LIVING
from shop.services import enrolled_degrees, modules, score_rows
from shop.services.score_rows import Student

PAYOUTS_SHOWN = 12
LATER = (When.DUE, When.ON_LEAVE, When.NOT_BEGUN, When.NEVER)  # what has no month, in the order of the calendar


@dataclass(frozen=True, slots=True)
class Loss:
    """What a rule has taken from one fee, and how often; reversed rows do not count."""

    rule: Rule
    amount: int  # 贝里, above 0
    times: int


@dataclass(frozen=True, slots=True)
class Fee:
    """What is left of the fee for one student. Complaints are not among its losses (``shop.rules.discretion``)."""

    student: Student
    rest: int
    losses: tuple[Loss, ...]
    expectation: Expectation


@dataclass(frozen=True, slots=True)
class Month:
    """What should mature in a month, named by its first day; or without one, for a reason."""

    first_day: date | None
    when: When
    purses: int
    amount: int


@dataclass(frozen=True, slots=True)
class Payout:
    """What has matured: one purse, on one day."""

    time: datetime
    amount: int
    student: Student | None


@dataclass(frozen=True, slots=True)
class MentorEarnings:
    balance: int  # spendable 贝里
    waiting: int  # of all fees, what complaints have cost taken off
    complaints: int  # what they have taken from these fees, 0 or less
    fees: tuple[Fee, ...]  # those that still wait, as they should mature
    calendar: tuple[Month, ...]
    payouts: Sequence[Payout]  # the latest
    paid: int  # in all
    students: tuple[Student, ...]  # all there ever were, by name: for the filter
    since: date | None  # when the first of them came


@dataclass(frozen=True, slots=True)
class StudentRewards:
    enrolment_id: int
    degree: str
    status: StudyStatus
    is_open: bool  # study goes on, or may begin
    waiting: int
    balance: int  # spendable
    expectation: Expectation
    studied_days: int
    period_days: int
    tiers: Sequence[Outlook]
    by_plan: Outlook | None  # the tier that graduating on the planned day reaches
    payouts: Sequence[Payout]


# ---------------------------------------------------------------- mentors


def of_mentor(mentor_id: int, now: datetime) -> MentorEarnings:
    """What a mentor has, waits for and has received, in ten statements however many students there are."""
    session = db.session()
    today = local_date(now)
    students = _students(session, mentor_id)
    waiting = _waiting(session, mentor_id)
    shown = score_rows.fees_shown(session, mentor_id, {row.id: row.mentor_fee_balance for row in waiting})
    losses = _losses(session, mentor_id, shown)
    expectations = expected_days(session, waiting, today)
    by_id = {student.enrolment_id: student for student in students}
    fees = [Fee(by_id[row.id], shown[row.id].rest, losses[row.id], expectations[row.id]) for row in waiting]
    fees.sort(key=lambda fee: (fee.expectation.day or date.max, fee.student.enrolment_id))
    payouts, paid = _payouts(session, mentor_id, Purse.FEE)
    since = session.scalar(select(func.min(MentorAssignment.from_time)).where(MentorAssignment.mentor_id == mentor_id))
    return MentorEarnings(
        balance=session.scalars(select(Account.balance).where(Account.id == mentor_id)).one(),
        waiting=sum(row.mentor_fee_balance for row in waiting),
        complaints=sum(fee.hidden for fee in shown.values()),
        fees=tuple(fees),
        calendar=_calendar((fee.expectation, fee.rest) for fee in fees),
        payouts=[Payout(time, amount, by_id.get(enrolment_id)) for time, amount, enrolment_id in payouts],
        paid=paid,
        students=students,
        since=local_date(since) if since else None,
    )


def check_student(mentor_id: int, enrolment_id: int) -> None:
    """Raises NotFound unless this enrolment is, or was, one of the mentor's."""
    had = select(MentorAssignment.id).where(
        MentorAssignment.mentor_id == mentor_id, MentorAssignment.enrolled_degree_course_id == enrolment_id
    )
    if db.session.scalar(had.limit(1)) is None:
        raise NotFound


def _students(session: Session, mentor_id: int) -> tuple[Student, ...]:
    product, row = Product.__table__.c, EnrolledDegreeCourse
    had = select(MentorAssignment.enrolled_degree_course_id).where(MentorAssignment.mentor_id == mentor_id)
    found = session.execute(
        select(row.id, Account.name, Account.username, product.name, row.mentor_id, row.closed_time)
        .join(Account, Account.id == row.account_id)
        .join(Product.__table__, product.id == row.degree_course_id)
        .where(row.id.in_(had))
        .order_by(Account.name, Account.username, row.id)
    )
    return tuple(
        Student(id_, name or username, degree, present == mentor_id and closed is None)
        for id_, name, username, degree, present, closed in found
    )


def _waiting(session: Session, mentor_id: int) -> Sequence[EnrolledDegreeCourse]:
    row = EnrolledDegreeCourse
    return session.scalars(
        select(row).where(
            row.mentor_id == mentor_id,
            row.closed_time.is_(None),
            or_(row.study_status.in_(LIVING), row.mentor_fee_balance > 0),
        )
    ).all()


def _losses(session: Session, mentor_id: int, enrolment_ids: Collection[int]) -> Mapping[int, tuple[Loss, ...]]:
    """By enrolment, what each rule took: neither what moved on (rule 6) nor complaints."""
    times = func.sum(case((ScoreRecord.score < 0, 1), (ScoreRecord.score > 0, -1), else_=0))  # above 0: a reversal
    rows = session.execute(
        select(ScoreRecord.enrolled_degree_course_id, ScoreRule.rule, func.sum(ScoreRecord.score), times)
        .join(ScoreRule, ScoreRule.id == ScoreRecord.score_rule_id)
        .where(
            ScoreRecord.account_id == mentor_id,
            ScoreRecord.purse == Purse.FEE,
            ScoreRecord.enrolled_degree_course_id.in_(enrolment_ids),
            ScoreRule.score_type == ScoreType.PENALTY,
            ScoreRule.rule.not_in((Rule.MENTOR, Rule.COMPLAINT)),
        )
        .group_by(ScoreRecord.enrolled_degree_course_id, ScoreRule.rule)
        .order_by(ScoreRule.rule)
    )
    found: dict[int, tuple[Loss, ...]] = defaultdict(tuple)
    for enrolment_id, rule, amount, count in rows:
        if amount:
            found[enrolment_id] += (Loss(rule, -int(amount), int(count)),)
    return found


def _payouts(
    session: Session, account_id: int, purse: Purse, enrolment_id: int | None = None
) -> tuple[Sequence[tuple[datetime, int, int]], int]:
    """The latest that matured of one's purses: when, how much, of which enrolment; and the sum of all."""
    where = [TransactionRecord.account_id == account_id, ScoreRecord.purse == purse]
    if enrolment_id is not None:
        where.append(ScoreRecord.enrolled_degree_course_id == enrolment_id)
    of_purse = and_(ScoreRecord.id == TransactionRecord.score_record_id, *where)
    latest = (
        select(TransactionRecord.date, TransactionRecord.amount, ScoreRecord.enrolled_degree_course_id)
        .join(ScoreRecord, of_purse)
        .order_by(TransactionRecord.id.desc())
        .limit(PAYOUTS_SHOWN)
    )
    total = select(func.sum(TransactionRecord.amount)).join(ScoreRecord, of_purse)
    return [(time, amount, id_) for time, amount, id_ in session.execute(latest)], session.scalar(total) or 0


def _calendar(fees: Iterable[tuple[Expectation, int]]) -> tuple[Month, ...]:
    """Month by month what should mature, then what has none. A study that ends without graduation pays nothing."""
    sums: dict[tuple[date | None, When], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for expectation, amount in fees:
        key = (expectation.day.replace(day=1) if expectation.day else None, expectation.when)
        purses, before = sums[key]
        sums[key] = (purses + 1, before + amount)
    rows = [Month(day, when, *found) for (day, when), found in sums.items()]
    place = {when: number for number, when in enumerate(LATER)}
    return tuple(sorted(rows, key=lambda row: (row.first_day or date.max, place.get(row.when, 0))))


# ---------------------------------------------------------------- students


def of_student(account_id: int, enrolment_id: int, now: datetime) -> StudentRewards:
    """What one's own degree has earned and may still earn. Raises NotFound for other people's, and once refunded."""
    session = db.session()
    today = local_date(now)
    row = enrolled_degrees.own(session, account_id, enrolment_id, joinedload(EnrolledDegreeCourse.degree_course))
    degree = row.degree_course
    tiers = [Tier(tier.time_percent, tier.value) for tier in degree.scholarships]
    studied = modules.studied_days(session, row, today)
    expectation = expected_days(session, [row], today)[row.id]
    is_open = row.study_status in LIVING
    runs = row.study_status is StudyStatus.STUDYING
    seen = outlooks(tiers, studied, degree.period, today, is_running=runs) if is_open else []
    payouts, _paid = _payouts(session, account_id, Purse.REWARDS, row.id)
    return StudentRewards(
        enrolment_id=row.id,
        degree=degree.name,
        status=row.study_status,
        is_open=is_open,
        waiting=row.reward_balance,
        balance=session.scalars(select(Account.balance).where(Account.id == account_id)).one(),
        expectation=expectation,
        studied_days=studied,
        period_days=degree.period,
        tiers=seen,
        by_plan=_by_plan(seen, tiers, studied, degree.period, today, expectation),
        payouts=[Payout(time, amount, None) for time, amount, _id in payouts],
    )


def _by_plan(
    seen: Sequence[Outlook], tiers: Sequence[Tier], studied: int, period: int, today: date, expectation: Expectation
) -> Outlook | None:
    if expectation.day is None:
        return None
    tier = scholarship_of(tiers, studied + (expectation.day - today).days, period)
    return next((one for one in seen if tier and one.value == tier.value), None)


# ---------------------------------------------------------------- expected


def expected_days(
    session: Session, enrolments: Sequence[EnrolledDegreeCourse], today: date
) -> Mapping[int, Expectation]:
    """When each of these should graduate, by its id, in two statements."""
    ids = [row.id for row in enrolments]
    planned, locked = _planned(session, ids), _locked_days(session, ids)
    pays = settings().overtime_pays
    return {
        row.id: expected(row.study_status, planned.get(row.id), locked.get(row.id, 0), today, overtime_pays=pays)
        for row in enrolments
    }


def _planned(session: Session, enrolment_ids: Collection[int]) -> Mapping[int, date | None]:
    """The last recommended day of the open module; of none open, the day on which the one before was passed."""
    last = func.max(CourseSchedule.recommend_date)
    counts = CourseSchedule.homework_id.in_(select(Homework.id).where(Homework.enabled))
    rows = session.execute(
        select(
            StudyRecord.enrolled_degree_course_id,
            StudyRecord.status,
            last,
            func.max(StudyRecord.open_date),
            func.max(StudyRecord.end_date),
        )
        .outerjoin(CourseSchedule, and_(CourseSchedule.study_record_id == StudyRecord.id, counts))
        .where(StudyRecord.enrolled_degree_course_id.in_(enrolment_ids), StudyRecord.status != ModuleStatus.LOCKED)
        .group_by(StudyRecord.enrolled_degree_course_id, StudyRecord.status)
    )
    open_until: dict[int, date | None] = {}
    done: dict[int, date | None] = {}
    for enrolment_id, status, until, opened, ended in rows:
        if status is ModuleStatus.STUDYING:
            open_until[enrolment_id] = until or opened
        else:
            done[enrolment_id] = ended
    return done | open_until


def _locked_days(session: Session, enrolment_ids: Collection[int]) -> Mapping[int, int]:
    rows = session.execute(
        select(StudyRecord.enrolled_degree_course_id, func.sum(Homework.recommend_period))
        .join(CourseChapter, CourseChapter.course_id == StudyRecord.course_module_id)
        .join(Homework, Homework.chapter_id == CourseChapter.id)
        .where(
            StudyRecord.enrolled_degree_course_id.in_(enrolment_ids),
            StudyRecord.status == ModuleStatus.LOCKED,
            Homework.enabled,
        )
        .group_by(StudyRecord.enrolled_degree_course_id)
    )
    return {enrolment_id: int(days) for enrolment_id, days in rows}
