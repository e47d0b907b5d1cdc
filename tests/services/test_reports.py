"""Reports against the same numbers worked out from the rows, one by one, in Python; and days that end in Shanghai."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from statistics import median_low
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from bench import plans
from shop import clock
from shop.enums import (
    DifferenceKind,
    OrderStatus,
    PaymentState,
    Purse,
    RefundCause,
    RefundState,
    Rule,
    Score,
    ScoreType,
    StudyStatus,
    VisitStep,
)
from shop.extensions import db, settings, unit_of_work
from shop.models import (
    EnrolledDegreeCourse,
    HomeworkSubmission,
    Order,
    OrderDetail,
    Reconciliation,
    ReconciliationDifference,
    Refund,
    ScoreRecord,
    VisitCount,
)
from shop.rules.periods import DAY, Period
from shop.services import assignment, enrolled_degrees, purses
from shop.services.purses import Cause
from shop.services.staff.reports import (
    conversion,
    coupon_use,
    grading_times,
    mentor_fees,
    order_states,
    products,
    revenue,
    students,
)
from shop.services.staff.reports.revenue import Compared
from shop.services.staff.reports.sheet import Phrase, Sheet, Value
from shop.services.staff.reports.shelf import REPORTS
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier
from tests.degrees import STAFF, a_hand_in, a_mentor, a_studying
from tests.purchases import saved
from tests.refunding import bought, refunded
from tests.sales import MICROSECOND, PAID, Shop
from tests.statements import counted

FIRST = date(2026, 10, 1)
MONTH = Period(FIRST, date(2026, 10, 31))
EMPTY = Period(date(2026, 1, 1), date(2026, 1, 3))


@pytest.fixture
def sold(app: Flask) -> Shop:
    """Sixty days of sales, so that the month has a month before it."""
    shop = Shop()
    shop.month(FIRST - timedelta(days=31), 62, 160)
    db.session.rollback()
    return shop


def cells(sheet: Sheet, name: str = "") -> dict[Value, list[Any]]:
    """The rows of a table by their first cell."""
    table = sheet.table(name)
    assert table is not None
    return {_read(row.cells[0]): list(row.cells[1:]) for row in table.rows}


def _read(cell: Value) -> Value:
    return cell.text % cell.facts if isinstance(cell, Phrase) else cell


def figure(sheet: Sheet, title: str) -> tuple[Value, Value]:
    found = next(figure for figure in sheet.figures if figure.title == title)
    return found.value, found.before


def all_of(model: type[Any]) -> list[Any]:
    db.session.rollback()
    return list(db.session.scalars(select(model)))


def on(day: date, instant: datetime | None) -> bool:
    """Whether an instant is on this day in Shanghai."""
    return instant is not None and clock.local(instant).date() == day


def paid_on(days: Iterable[date]) -> list[Order]:
    wanted = set(days)
    paid = [order for order in all_of(Order) if order.status in PAID]
    return [order for order in paid if order.pay_time and clock.local(order.pay_time).date() in wanted]


# ---------------------------------------------------------------- revenue


def is_of_revenue(refund: Refund) -> bool:
    was_paid = refund.payment is None or refund.payment.state is PaymentState.PAID
    return refund.cause not in (RefundCause.LATE, RefundCause.DOUBLE, RefundCause.WRONG_AMOUNT) and was_paid


def test_every_day_of_a_month_is_what_its_orders_and_refunds_say(sold: Shop) -> None:
    sheet = revenue.make(MONTH)
    orders, refunds = all_of(Order), [refund for refund in all_of(Refund) if refund.state is RefundState.DONE]
    rows = cells(sheet)
    assert list(rows) == list(MONTH)
    for day in MONTH:
        paid = [order for order in orders if order.status in PAID and on(day, order.pay_time)]
        back = [refund for refund in refunds if on(day, refund.done_time)]
        taken = sum(order.actual_amount_fen for order in paid)
        returned = sum(refund.amount_fen for refund in back if is_of_revenue(refund))
        assert rows[day] == [
            len(paid),
            taken,
            sum(order.beli for order in paid),
            sum(map(is_of_revenue, back)),
            returned,
            taken - returned,
            sum(refund.amount_fen for refund in back if not is_of_revenue(refund)),
            Compared.NOT_YET,
        ], day


def test_the_sum_of_the_days_is_that_of_the_orders_and_so_is_the_month_before(sold: Shop) -> None:
    sheet = revenue.make(MONTH)
    taken = sum(order.actual_amount_fen for order in paid_on(MONTH))
    before = sum(order.actual_amount_fen for order in paid_on(MONTH.before))
    assert figure(sheet, "收入") == (taken, before)
    assert taken > 0 < before
    table = sheet.table("days")
    assert table and table.total and table.total[1] == taken == sum(row.cells[2] for row in table.rows)
    whole = revenue.make(Period(FIRST - timedelta(days=60), FIRST + timedelta(days=60)))
    booked = sum(order.actual_amount_fen for order in all_of(Order) if order.status in PAID)
    assert figure(whole, "收入")[0] == booked


@pytest.mark.parametrize(
    ("beside_midnight", "day"),
    [(-MICROSECOND, FIRST), (timedelta(), FIRST + DAY), (timedelta(seconds=-1), FIRST), (MICROSECOND, FIRST + DAY)],
    ids=["a microsecond before", "midnight", "a second before", "a microsecond after"],
)
def test_a_day_ends_at_midnight_in_shanghai(app: Flask, beside_midnight: timedelta, day: date) -> None:
    """Also to the microsecond, which newer SQLites would round."""
    Shop().order(clock.start_of_day(FIRST + DAY) + beside_midnight, OrderStatus.PAID)
    rows = cells(revenue.make(Period(FIRST, FIRST + DAY)))
    assert {when for when, row in rows.items() if row[0]} == {day}
    assert figure(revenue.make(Period(day, day)), "付款订单")[0] == 1
    other = FIRST if day != FIRST else FIRST + DAY
    assert figure(revenue.make(Period(other, other)), "付款订单")[0] == 0
    assert figure(products.make(Period(day, day)), "售出")[0] and not products.make(Period(other, other)).tables[0].rows


def test_real_purchases_and_a_refund_beside_midnight(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    first, second = a_course(30_000), a_course(20_000)
    tonight = clock.end_of_day(clock.local_date(clock.now()))
    alipay.move_clock((tonight - clock.now()).total_seconds() - 30)
    number = bought(alipay, student, [first, second])
    today = clock.local_date(clock.now())
    alipay.move_clock(40)
    refunded(alipay, student, number, 0)
    bought(alipay, student, [a_course(5_000)])
    rows = cells(revenue.make(Period(today, today + DAY)))
    assert rows[today][1:6] == [50_000, 0, 0, 0, 50_000]
    assert rows[today + DAY][1:6] == [5_000, 0, 1, 30_000, -25_000]
    assert cells(products.make(Period(today + DAY, today + DAY)))[first.name][1:] == [0, 0, 0, 1, 30_000, -30_000]


def test_a_day_says_how_far_it_is_reconciled_and_leads_there(app: Flask) -> None:
    Shop().order(clock.start_of_day(FIRST), OrderStatus.PAID)
    sums = {"payments": 1, "paid_fen": 1, "refunds": 0, "refunded_fen": 0}
    summary = {"bill": sums, "shop": sums, "healed": 0, "open": 0}
    found = ReconciliationDifference(kind=DifferenceKind.FOOTER, out_trade_no="", trade_no="", bill_fen=1, shop_fen=0)
    saved(Reconciliation(bill_date=FIRST, summary=summary))
    saved(Reconciliation(bill_date=FIRST + DAY, summary=summary, differences=[found]))
    table = revenue.make(Period(FIRST, FIRST + 2 * DAY)).table("")
    assert table
    assert [(row.cells[-1], row.href) for row in table.rows] == [
        (Compared.EVEN, "/staff/reconciliation/2026-10-01"),
        (Compared.OPEN, "/staff/reconciliation/2026-10-02"),
        (Compared.NOT_YET, ""),
    ]
    found.is_healed = True
    db.session.commit()
    assert cells(revenue.make(Period(FIRST, FIRST + DAY)))[FIRST + DAY][-1] is Compared.EVEN


# ---------------------------------------------------------------- other sales


def test_orders_are_counted_by_what_became_of_them(sold: Shop) -> None:
    rows = cells(order_states.make(MONTH))
    placed = [order for order in all_of(Order) if clock.local_date(order.date) in MONTH]
    for state in OrderStatus:
        mine = [order for order in placed if order.status is state]
        share = (len(mine) * 2_000 + len(placed)) // (2 * len(placed))
        assert rows[state] == [len(mine), share, sum(order.actual_amount_fen for order in mine)]
    assert sum(row[0] for row in rows.values()) == len(placed)


def test_courses_add_up_to_the_revenue(sold: Shop) -> None:
    sheet = products.make(MONTH)
    rows = cells(sheet)
    lines = [line for order in paid_on(MONTH) for line in order.details]
    parts = [
        part
        for refund in all_of(Refund)
        if refund.state is RefundState.DONE and clock.local_date(refund.done_time) in MONTH
        for part in refund.details
    ]
    for course in sold.courses:
        mine = [line for line in lines if line.product_id == course.id]
        back = [part for part in parts if part.order_detail.product_id == course.id]
        fen, back_fen = sum(line.actual_amount_fen for line in mine), sum(part.amount_fen for part in back)
        units, taken, _share, returned, refunded_fen, net = rows[course.name][1:]
        assert (units, taken, returned, refunded_fen, net) == (len(mine), fen, len(back), back_fen, fen - back_fen)
    assert figure(sheet, "收入")[0] == figure(revenue.make(MONTH), "收入")[0]
    taken = [row[2] for row in rows.values()]
    assert taken == sorted(taken, reverse=True)


def test_coupons_cost_what_they_took_off_paid_orders(sold: Shop) -> None:
    rows = cells(coupon_use.make(MONTH))
    lines = [line for order in paid_on(MONTH) for line in order.details]
    bound = [line for line in lines if line.coupon_record_id]
    site = [line for line in lines if line.site_coupon_record_id]

    def told(mine: list[OrderDetail], discount: Callable[[OrderDetail], int]) -> list[int]:
        return [len({x.order_id for x in mine}), sum(map(discount, mine)), sum(x.actual_amount_fen for x in mine)]

    assert rows[sold.bound.name][1:4] == told(bound, lambda line: line.original_price_fen - line.price_fen)
    assert rows[sold.site.name][1:4] == told(site, lambda line: line.site_discount_fen)
    assert len(site) > len({line.order_id for line in site}) > 0 < len(bound)


def test_people_are_different_people_and_unknown_days_stay_unknown(sold: Shop) -> None:
    saved(VisitCount(day=FIRST, step=VisitStep.CART, people=40))
    saved(VisitCount(day=FIRST, step=VisitStep.SETTLEMENT, people=10))
    saved(VisitCount(day=FIRST - DAY, step=VisitStep.CART, people=5))
    sheet = conversion.make(MONTH)
    rows = cells(sheet, "days")
    orders = all_of(Order)
    ordered = {day: len({o.account_id for o in orders if on(day, o.date)}) for day in MONTH}
    paid = {day: len({o.account_id for o in orders if o.status in PAID and on(day, o.pay_time)}) for day in MONTH}
    assert rows[FIRST][:4] == [40, 10, ordered[FIRST], paid[FIRST]]
    assert rows[FIRST][4] == (paid[FIRST] * 2_000 + 40) // 80
    assert rows[FIRST + DAY] == [None, None, ordered[FIRST + DAY], paid[FIRST + DAY], None]
    assert {day: row[3] for day, row in rows.items()} == paid
    steps = cells(sheet, "steps")
    assert [row[0] for row in steps.values()] == [40, 10, sum(ordered.values()), sum(paid.values())]
    assert steps["加入购物车"][1:] == [None, 1000] and steps["进入结算"][1:] == [250, 250]
    assert figure(sheet, "加入购物车") == (40, 5)
    assert any(count < sum(on(day, o.date) for o in orders) for day, count in ordered.items())


# ---------------------------------------------------------------- studies


def hand_ins(enrolment: EnrolledDegreeCourse, waits: Iterable[float | None], first: datetime) -> None:
    """Hand-ins of one homework a minute apart, each marked after so many hours, or not."""
    graded = {"score": Score.A, "grader_id": enrolment.mentor_id}
    record = a_hand_in(enrolment, at=first - timedelta(days=90)).record
    for number, hours in enumerate(waits, 2):
        at = first + timedelta(minutes=number)
        mark = {} if hours is None else {**graded, "checked_time": at + timedelta(hours=hours)}
        record.submissions.append(HomeworkSubmission(number=number, content="x", submitted_time=at, **mark))
    db.session.commit()


def test_waiting_times_of_all_and_of_each_mentor(app: Flask) -> None:
    slow, quick = a_studying(), a_studying(mentor=a_mentor(name="白石"))
    begin = clock.start_of_day(FIRST)
    of_slow: list[float | None] = [1, 11, 12, 30, 48, 48.01, 60, 100, 150, 200, None, None]
    of_quick: list[float | None] = [0.5, 1, 2, 3]
    hand_ins(slow, of_slow, begin)
    hand_ins(quick, of_quick, begin)
    sheet = grading_times.make(MONTH)
    graded = sorted(hours for hours in of_slow + of_quick if hours is not None)
    ninetieth = graded[-(-len(graded) * 9 // 10) - 1]
    assert figure(sheet, "提交的作业")[0] == 16
    assert figure(sheet, "中位数")[0] == int(median_low(graded) * 60)
    assert figure(sheet, "九成不超过")[0] == int(ninetieth * 60)
    assert figure(sheet, "超过时限")[0] == 5 + 2  # those that still wait have waited long enough
    by_mentor = cells(sheet, "mentors")
    (of_slow_told,) = [row for name, row in by_mentor.items() if str(name).startswith("沈舟")]
    (of_quick_told,) = [row for name, row in by_mentor.items() if str(name).startswith("白石")]
    assert of_slow_told == [12, 10, 2, 48 * 60, 150 * 60, 7, 583]
    assert of_quick_told == [4, 4, 0, 60, 180, 0, 0]
    assert settings().grading_hours == 48
    assert [row[0] for row in cells(sheet, "waits").values()] == [7, 0, 2, 2, 3]
    before = grading_times.make(Period(FIRST - DAY, FIRST - DAY))
    assert figure(before, "提交的作业")[0] == 0 and figure(before, "中位数") == (None, None)


def test_a_hand_in_of_the_last_second_is_of_its_day_and_a_person_counts_once(app: Flask) -> None:
    student = a_studying()
    hand_ins(student, [1], clock.start_of_day(FIRST + DAY) - timedelta(minutes=2) - MICROSECOND)
    hand_ins_of_another_day = clock.start_of_day(FIRST + 2 * DAY)
    record = db.session.scalars(select(HomeworkSubmission)).first().record  # type: ignore[union-attr]
    for number in (7, 8):
        record.submissions.append(
            HomeworkSubmission(number=number, content="x", submitted_time=hand_ins_of_another_day)
        )
    db.session.commit()
    saved(VisitCount(day=FIRST, step=VisitStep.LEARNING, people=9))
    sheet = students.make(Period(FIRST, FIRST + 2 * DAY))
    assert cells(sheet, "days") == {FIRST: [9, 1], FIRST + DAY: [None, 0], FIRST + 2 * DAY: [None, 1]}
    studies = cells(sheet, "studies")
    assert studies[StudyStatus.STUDYING] == [1, 1000] and sum(row[0] for row in studies.values()) == 1


def test_what_mentors_were_given_less_what_they_lost_and_received_is_what_waits(app: Flask) -> None:
    now = clock.now()
    one, other, third = a_studying(), a_studying(), a_studying()
    second_mentor = a_mentor(name="白石")
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, one.id)
        purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, Cause("a"), now)
        wrong = purses.fine(session, locked, Purse.FEE, Rule.NO_ANSWER, Cause("b"), now)
        assert wrong
        purses.reverse(session, locked, wrong, Cause("c"), now)
    assignment.assign(one.id, second_mentor.id, actor=STAFF, reason="so")
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, other.id)
        purses.pay_out(session, locked, Purse.FEE, clock.local_date(now), now)
        purses.forfeit(session, enrolled_degrees.lock(session, third.id), Purse.FEE, "over", now)
    today = clock.local_date(now)
    sheet = mentor_fees.make(Period(today - timedelta(days=40), today))
    fee, fines, lapsed, received = (found.value for found in sheet.figures)
    assert (fee, fines, lapsed, received) == (4_500, 50, 1_500, 1_500)
    db.session.rollback()
    waiting = sum(row.mentor_fee_balance for row in all_of(EnrolledDegreeCourse))
    assert fee - fines - lapsed - received == waiting == 1_450  # type: ignore[operator]
    by_mentor = cells(sheet, "mentors")
    (told,) = [row for name, row in by_mentor.items() if str(name).startswith("白石")]
    assert told == [1_450, 0, 0, 0]
    rows = cells(sheet, "months")
    assert [sum(column) for column in zip(*rows.values(), strict=True)] == [fee, fines, lapsed, received]


def test_a_month_of_fees_begins_at_midnight_in_shanghai(app: Flask) -> None:
    a_studying()
    (record,) = db.session.scalars(select(ScoreRecord).where(ScoreRecord.purse == Purse.FEE)).all()
    assert record.rule.score_type is ScoreType.INITIAL
    begin = clock.start_of_day(date(2026, 10, 1))
    for moment, month in ((begin - MICROSECOND, "2026-09"), (begin, "2026-10")):
        record.date = moment
        db.session.commit()
        rows = cells(mentor_fees.make(Period(date(2026, 8, 15), date(2026, 11, 3))), "months")
        assert [name for name, row in rows.items() if row[0]] == [month]
        assert list(rows) == ["2026-08", "2026-09", "2026-10", "2026-11"]


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_an_empty_shop_is_told_as_nothing(app: Flask, report: Any) -> None:
    sheet = report.make(EMPTY)
    assert all(table.is_empty for table in sheet.tables)
    assert all(not figure.value and not figure.before and figure.change is None for figure in sheet.figures)


def test_a_report_sends_the_same_few_statements_whatever_there_is_and_however_long(app: Flask) -> None:
    few: dict[str, int] = {}
    for report in REPORTS:
        with counted() as sent:
            report.make(Period(FIRST, FIRST))
        few[report.name] = len(sent)
    shop = Shop()
    shop.month(FIRST, 31, 40)
    hand_ins(a_studying(), [1, 2], clock.start_of_day(FIRST))
    for report in REPORTS:
        with counted() as sent:
            report.make(Period(FIRST - timedelta(days=369), MONTH.last))
        assert len(sent) == few[report.name] <= 5, (report.name, sent)
    assert few["revenue"] == 3


@pytest.mark.only_on("postgresql")
def test_ranges_of_days_are_found_by_an_index(sold: Shop) -> None:
    """With the reading of whole tables made dear: what could not be found otherwise still would be read that way."""
    ranged = {"orders", "refund", "homework_submission", "score_record", "visit_count"}
    with plans.watched(db.engine) as sent:
        for report in REPORTS:
            report.make(Period(FIRST, FIRST))
    db.session.rollback()
    wanting: dict[str, set[str]] = defaultdict(set)
    with db.engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in sent:
            plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters))
            for table in ranged & set(plans.WHOLE_TABLE.findall(plan)):
                wanting[table].add(statement)
        connection.exec_driver_sql("RESET enable_seqscan")
        connection.rollback()
    assert not wanting
    used = Counter(table for statement, _parameters in sent for table in ranged if f"FROM {table}" in statement)
    assert used["orders"] >= 6
