"""Refunds up to the decision, and what a done one changes. Sending is in ``test_refund_sending.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import CouponStatus, OrderStatus, RefundState, TransactionType
from shop.errors import NotFound, NotRefundable, NotYourTurn
from shop.extensions import db
from shop.models import (
    Account,
    AuditLog,
    CouponRecord,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Notification,
    Payment,
    Product,
    Refund,
    RefundDetail,
    TransactionRecord,
)
from shop.services import learning, orders, refund_decisions, refunds, registration, road
from shop.services.audit_log import Actor
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_degree, a_student, today_in_shanghai
from tests.cashier.parts import Cashier
from tests.degrees import ANSWERS
from tests.faults.purchase import balance_of, count, the_order
from tests.refunding import (
    CLERK,
    WHY,
    approved,
    asked,
    at_alipay,
    bought,
    by_hand,
    lines_of,
    note,
    placed,
    refunded,
    the_refund,
)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def two_courses(alipay: Cashier, student: Account) -> tuple[str, list[Product]]:
    """One order of courses for 100.00 and 50.00."""
    products: list[Product] = [a_course(10_000), a_course(5_000)]
    return bought(alipay, student, products), products


def may_open(student: Account, product: Product) -> bool:
    db.session.rollback()
    return learning.may_open(student.id, product, today_in_shanghai())


def why_not(student: Account, number: str) -> str:
    db.session.rollback()
    return refunds.options(student.id, number).why_not


# ---------------------------------------------------------------- what can be asked for


def test_every_line_of_a_paid_order_can_be_asked_for_at_its_stored_shares(app: Flask, alipay: Cashier) -> None:
    student = a_student(beli=30)
    number = bought(alipay, student, [a_course(10_000), a_course(5_000)], beli=30)
    offered = refunds.options(student.id, number)
    assert [(line.amount_fen, line.beli, line.why_not) for line in offered.lines] == [(8_000, 20, ""), (4_000, 10, "")]
    assert offered.why_not == ""
    paid_time = the_order(number).pay_time
    assert paid_time is not None and offered.deadline == paid_time + timedelta(days=7)


def test_after_the_window_nothing_can_be_asked_for(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    alipay.move_clock(7 * 86_400 - 60)
    assert why_not(student, number) == ""
    alipay.move_clock(61)
    assert "7 天" in why_not(student, number)
    with pytest.raises(NotRefundable):
        asked(student, number, 0)


def test_an_order_that_is_not_paid_has_nothing_to_give_back(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number = placed(student, [a_course()])
    assert "没有付款" in why_not(student, number)
    with pytest.raises(NotRefundable):
        asked(student, number)
    orders.cancel(student.id, number)
    assert "没有付款" in why_not(student, number)


def test_a_second_request_waits_for_the_first(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    asked(student, number, 0)
    assert "正在处理" in why_not(student, number)
    with pytest.raises(NotRefundable):
        asked(student, number, 1)
    assert count(Refund) == 1


def test_a_refunded_line_cannot_be_asked_for_again(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    refunded(alipay, student, number, 0)
    offered = refunds.options(student.id, number)
    assert [bool(line.why_not) for line in offered.lines] == [True, False]
    with pytest.raises(NotRefundable):
        asked(student, number, 0, 1)
    refunded(alipay, student, number, 1)
    assert "全部退费" in why_not(student, number)
    assert at_alipay(alipay, number) == 15_000


def test_a_degree_can_be_asked_for_until_its_first_module_opens(app: Flask, alipay: Cashier) -> None:
    student, product = a_student(), a_degree()
    number = bought(alipay, student, [product])
    assert refunds.options(student.id, number).lines[0].why_not == ""
    enrolment = db.session.scalars(select(EnrolledDegreeCourse)).one()
    registration.file_registration(student.id, enrolment.id, ANSWERS, clock.now())
    assert "模块" in refunds.options(student.id, number).lines[0].why_not
    with pytest.raises(NotRefundable):
        asked(student, number)


def test_what_went_back_at_alipay_cannot_be_asked_for_again(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    by_hand(alipay, number, "60.00", "byhand1")
    note(number, "byhand1")
    assert refunds.send("byhand1") == "done"
    offered = refunds.options(student.id, number)
    assert [bool(line.why_not) for line in offered.lines] == [True, False], "90.00 are left, the first cost 100.00"
    with pytest.raises(NotRefundable):
        asked(student, number, 0, 1)
    alipay.move_clock(4)
    refunded(alipay, student, number, 1)
    assert at_alipay(alipay, number) == 6_000 + 5_000


def test_lines_that_fit_one_by_one_may_not_fit_together(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(6_000), a_course(6_000)])
    by_hand(alipay, number, "30.00", "byhand1")
    note(number, "byhand1")
    assert refunds.send("byhand1") == "done"
    assert [line.why_not for line in refunds.options(student.id, number).lines] == ["", ""]
    with pytest.raises(NotRefundable):
        asked(student, number, 0, 1)
    alipay.move_clock(4)
    refunded(alipay, student, number, 0)


def test_money_that_went_back_at_alipay_meanwhile_is_seen_at_the_decision(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    refund = asked(student, number)
    by_hand(alipay, number, "60.00", "byhand1")
    note(number, "byhand1")
    assert refunds.send("byhand1") == "done"
    with pytest.raises(NotRefundable):
        refund_decisions.approve(refund, actor=CLERK, reason="同意")
    refund_decisions.refuse(refund, actor=CLERK, reason="已在支付宝退过")


@pytest.mark.parametrize("call", [refunds.preview, lambda *args: refunds.ask(*args, WHY)], ids=["preview", "ask"])
def test_nobody_asks_for_what_is_not_theirs(app: Flask, alipay: Cashier, call: Callable[..., Any]) -> None:
    student, other = a_student(), a_student()
    number, _ = two_courses(alipay, student)
    theirs, _ = two_courses(alipay, other)
    own_line, their_line = lines_of(number)[0].id, lines_of(theirs)[0].id
    for account_id, order, lines, refusal in [
        (other.id, number, [own_line], NotFound),
        (student.id, number, [own_line, their_line], NotFound),
        (student.id, "none", [own_line], NotFound),
        (student.id, number, [], NotRefundable),
    ]:
        with pytest.raises(refusal):
            call(account_id, order, lines)
    assert count(Refund) == 0
    with pytest.raises(NotFound):
        refunds.options(other.id, number)


@pytest.mark.parametrize("reason", ["", "  ", "长" * 256])
def test_a_request_needs_a_reason_that_fits(app: Flask, alipay: Cashier, reason: str) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    with pytest.raises(ValueError, match="255"):
        refunds.ask(student.id, number, [lines_of(number)[0].id], reason)
    assert count(Refund) == 0


# ---------------------------------------------------------------- while it waits


def test_only_the_lines_asked_for_rest_while_a_request_waits(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, (first, second) = two_courses(alipay, student)
    refund = asked(student, number, 0)
    assert the_order(number).status is OrderStatus.REFUND_REQUESTED
    assert (may_open(student, first), may_open(student, second)) == (False, True)
    access = learning.access_to(student.id, first.id, today_in_shanghai())
    assert access is not None and access.is_suspended and not access.is_open
    assert [shown.id for shown in learning.continue_with(student.id, today_in_shanghai())] == [second.id]
    row = the_refund(refund)
    assert (row.amount_fen, row.beli, row.reason, row.tries) == (10_000, 0, WHY, 0)
    assert refund == f"R{number}01"


@pytest.mark.parametrize("end", ["withdrawn", "refused"])
def test_access_is_back_when_a_request_is_withdrawn_or_refused(app: Flask, alipay: Cashier, end: str) -> None:
    student = a_student()
    number, (first, _) = two_courses(alipay, student)
    refund = asked(student, number, 0)
    if end == "withdrawn":
        refunds.withdraw(student.id, refund)
    else:
        refund_decisions.refuse(refund, actor=CLERK, reason="已学完")
    assert the_order(number).status is OrderStatus.PAID
    assert may_open(student, first)
    assert the_refund(refund).decided_time is not None
    assert asked(student, number, 0) == f"R{number}02", "numbers are never used twice"


def test_access_rests_until_the_money_is_back(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, (first, _) = two_courses(alipay, student)
    refund = approved(student, number, 0)
    assert not may_open(student, first)
    alipay.fault("refund_refused")
    assert refunds.send(refund) == "failed"
    assert not may_open(student, first)
    alipay.move_clock(60)
    assert refunds.send(refund) == "done"
    assert not may_open(student, first)
    assert learning.access_to(student.id, first.id, today_in_shanghai()) is None


def test_a_degree_rests_with_its_modules_and_its_form(app: Flask, alipay: Cashier) -> None:
    student, product = a_student(), a_degree()
    number = bought(alipay, student, [product, a_course()])
    enrolment = db.session.scalars(select(EnrolledDegreeCourse)).one()
    asked(student, number, 0)
    assert road.page(student.id, enrolment.id, today_in_shanghai()).is_suspended
    assert learning.index(student.id, today_in_shanghai()).degrees[0].is_suspended
    assert [shown.is_degree for shown in learning.continue_with(student.id, today_in_shanghai())] == [False]
    with pytest.raises(NotYourTurn):
        registration.file_registration(student.id, enrolment.id, ANSWERS, clock.now())


def test_the_refund_of_another_line_does_not_keep_a_degree_waiting(app: Flask, alipay: Cashier) -> None:
    student, product = a_student(), a_degree()
    number = bought(alipay, student, [product, a_course()])
    enrolment = db.session.scalars(select(EnrolledDegreeCourse)).one()
    asked(student, number, 1)
    registration.file_registration(student.id, enrolment.id, ANSWERS, clock.now())
    assert may_open(student, product.modules[0])


# ---------------------------------------------------------------- decided


def test_only_the_owner_takes_a_request_back_and_only_until_it_is_decided(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    refund = asked(student, number, 0)
    with pytest.raises(NotFound):
        refunds.withdraw(a_student().id, refund)
    refund_decisions.approve(refund, actor=CLERK, reason="同意")
    for again in (
        lambda: refunds.withdraw(student.id, refund),
        lambda: refund_decisions.approve(refund, actor=CLERK, reason="再次"),
        lambda: refund_decisions.refuse(refund, actor=CLERK, reason="不"),
        lambda: refund_decisions.retry(refund, actor=CLERK),
    ):
        with pytest.raises(NotYourTurn):
            again()
    assert the_refund(refund).state is RefundState.APPROVED
    for unknown in (refund_decisions.approve, refund_decisions.refuse):
        with pytest.raises(NotFound):
            unknown("R0", actor=CLERK, reason="同意")


def test_every_decision_is_on_record(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    refunds.withdraw(student.id, asked(student, number, 0))
    refund_decisions.refuse(asked(student, number, 0), actor=Actor("anna"), reason="已学完")
    refund = asked(student, number, 0)
    refund_decisions.approve(refund, actor=Actor("bert"), reason="可以")
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code="ACQ.TRADE_NOT_ALLOW_REFUND")
    assert refunds.send(refund) == "failed"
    refund_decisions.retry(refund, actor=Actor("anna"))
    rows = db.session.scalars(select(AuditLog).order_by(AuditLog.id)).all()
    assert [(row.actor, row.action, row.before, row.after, row.reason) for row in rows] == [
        ("student", "refund withdraw", {"state": 0}, {"state": 6}, ""),
        ("anna", "refund refuse", {"state": 0}, {"state": 5}, "已学完"),
        ("bert", "refund approve", {"state": 0}, {"state": 1}, "可以"),
        ("anna", "refund retry", {"state": 4}, {"state": 1}, ""),
    ]


@pytest.mark.parametrize("code", ["TRADE_HAS_FINISHED", "SELLER_BALANCE_NOT_ENOUGH"])
def test_what_alipay_refuses_can_be_refused_here_too(app: Flask, alipay: Cashier, code: str) -> None:
    student = a_student()
    number, (first, _) = two_courses(alipay, student)
    refund = approved(student, number, 0)
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code=f"ACQ.{code}")
    assert refunds.send(refund) == "failed"
    refund_decisions.refuse(refund, actor=CLERK, reason="已用转账退回")
    assert the_order(number).status is OrderStatus.PAID
    assert may_open(student, first)
    alipay.move_clock(7_200)
    assert sum(refunds.send_due().values()) == 0


# ---------------------------------------------------------------- done


def test_a_part_goes_back_and_the_order_stays_paid_for_the_rest(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, (first, second) = two_courses(alipay, student)
    refunded(alipay, student, number, 0)
    assert the_order(number).status is OrderStatus.PAID
    assert at_alipay(alipay, number) == 10_000
    assert (may_open(student, first), may_open(student, second)) == (False, True)
    refunded(alipay, student, number, 1)
    assert the_order(number).status is OrderStatus.REFUNDED
    assert at_alipay(alipay, number) == 15_000
    assert not may_open(student, second)
    assert count(EnrolledCourse, EnrolledCourse.closed_time.is_(None)) == 0


def test_an_order_without_cash_gives_back_its_beli_at_once(app: Flask, alipay: Cashier) -> None:
    student = a_student(beli=100)
    number = bought(alipay, student, [a_course(6_000), a_course(4_000)], beli=100)
    assert (count(Payment), balance_of(student.id)) == (0, 0)
    refund = approved(student, number, 0)
    assert the_refund(refund).state is RefundState.DONE
    assert the_refund(refund).payment_id is None
    assert balance_of(student.id) == 60
    approved(student, number, 1)
    assert balance_of(student.id) == 100
    assert the_order(number).status is OrderStatus.REFUNDED
    back = db.session.scalars(
        select(TransactionRecord).where(TransactionRecord.transaction_type == TransactionType.REFUND)
    ).all()
    assert [(row.amount, row.order_id, row.refund_id is not None) for row in back] == [
        (60, the_order(number).id, True),
        (40, the_order(number).id, True),
    ]


def test_a_line_that_cost_nothing_can_be_given_back_too(app: Flask, alipay: Cashier) -> None:
    student, course = a_student(), a_course(5_000)
    record = a_claimed(student, course, flat=5_000)
    number = bought(alipay, student, [course], coupons={course.id: record.id})
    approved(student, number)
    assert the_order(number).status is OrderStatus.REFUNDED
    assert db.session.get_one(CouponRecord, record.id, populate_existing=True).status is CouponStatus.UNUSED
    assert count(TransactionRecord) == 0


def test_a_bound_coupon_returns_with_its_line_a_site_coupon_with_the_last_one_it_served(
    app: Flask, alipay: Cashier
) -> None:
    student, courses = a_student(), [a_course(10_000), a_course(5_000), a_course(2_000)]
    bound, site = a_claimed(student, courses[0], flat=1_000), a_claimed(student, flat=1_600)
    number = bought(alipay, student, courses, coupons={courses[0].id: bound.id}, site_coupon=site.id)

    def returning(*indexes: int) -> list[int]:
        db.session.rollback()
        lines = lines_of(number)
        shown = refunds.preview(student.id, number, [lines[i].id for i in indexes])
        return [coupon.record_id for coupon in shown.coupons]

    def unused() -> list[int]:
        db.session.rollback()
        free = CouponRecord.status == CouponStatus.UNUSED
        return list(db.session.scalars(select(CouponRecord.id).where(free).order_by(CouponRecord.id)))

    assert (returning(0), returning(1), returning(0, 1, 2)) == ([bound.id], [], [bound.id, site.id])
    refunded(alipay, student, number, 1)
    assert unused() == []
    refunded(alipay, student, number, 0)
    assert unused() == [bound.id]
    assert returning(2) == [site.id]
    refunded(alipay, student, number, 2)
    assert unused() == [bound.id, site.id]
    assert the_order(number).actual_amount_fen == at_alipay(alipay, number)


def test_a_coupon_whose_time_is_over_returns_as_expired(app: Flask, alipay: Cashier) -> None:
    student, course = a_student(), a_course(10_000)
    record = a_claimed(student, flat=1_000, valid_end_date=today_in_shanghai() + timedelta(days=1))
    number = bought(alipay, student, [course], site_coupon=record.id)
    [coupon] = refunds.preview(student.id, number, [lines_of(number)[0].id]).coupons
    assert (coupon.name, coupon.is_expired) == (record.coupon.name, False)
    alipay.move_clock(3 * 86_400)
    db.session.rollback()
    [coupon] = refunds.preview(student.id, number, [lines_of(number)[0].id]).coupons
    assert coupon.is_expired
    refunded(alipay, student, number)
    kept = db.session.get_one(CouponRecord, record.id, populate_existing=True)
    assert (kept.status, kept.order_id, kept.used_time) == (CouponStatus.EXPIRED, None, None)


def test_a_coupon_that_an_earlier_order_gave_back_serves_the_later_one_alone(app: Flask, alipay: Cashier) -> None:
    """The lines of the first order name it for ever; that must not hold it there."""
    student, course = a_student(), a_course(10_000)
    record = a_claimed(student, flat=1_000)
    first = placed(student, [course], site_coupon=record.id)
    orders.cancel(student.id, first)
    number = bought(alipay, student, [course], site_coupon=record.id)
    refunded(alipay, student, number)
    assert db.session.get_one(CouponRecord, record.id, populate_existing=True).status is CouponStatus.UNUSED


def test_a_renewal_that_waited_for_a_refunded_period_starts_that_day(app: Flask, alipay: Cashier) -> None:
    student, course = a_student(), a_course()
    first, second, third = (bought(alipay, student, [course]) for _ in range(3))

    def days(number: str) -> tuple[int, int]:
        line = lines_of(number)[0].id
        row = db.session.scalars(select(EnrolledCourse).where(EnrolledCourse.order_detail_id == line)).one()
        return tuple((day - today_in_shanghai()).days for day in (row.valid_begin_date, row.valid_end_date))  # type: ignore[return-value]

    assert [days(number) for number in (first, second, third)] == [(0, 30), (31, 61), (62, 92)]
    alipay.move_clock(5 * 86_400)
    asked(student, first)
    assert days(second) == (26, 56), "nothing moves before it is decided"
    assert not may_open(student, course)
    refund_decisions.approve(f"R{first}01", actor=CLERK, reason="同意")
    assert refunds.send(f"R{first}01") == "done"
    assert [days(number) for number in (second, third)] == [(0, 30), (31, 61)]
    assert may_open(student, course)


def test_a_refunded_degree_can_be_bought_again(app: Flask, alipay: Cashier) -> None:
    student, product = a_student(), a_degree()
    refunded(alipay, student, bought(alipay, student, [product]))
    assert learning.index(student.id, today_in_shanghai()).degrees == ()
    bought(alipay, student, [product])
    enrolments = db.session.scalars(select(EnrolledDegreeCourse).order_by(EnrolledDegreeCourse.id))
    assert [bool(row.closed_time) for row in enrolments] == [True, False]


def test_the_student_is_told_of_every_step_once(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    refund_decisions.refuse(asked(student, number, 0), actor=CLERK, reason="已学完")
    refund = approved(student, number, 0)
    alipay.fault("refund_refused", times=2)
    assert refunds.send(refund) == "failed"
    alipay.move_clock(60)
    assert refunds.send(refund) == "failed"
    alipay.move_clock(120)
    assert refunds.send(refund) == "done"
    told = db.session.scalars(
        select(Notification.event).where(Notification.event.like("refund-%")).order_by(Notification.id)
    ).all()
    assert told == [
        f"refund-R{number}01-asked",
        f"refund-R{number}01-refused",
        f"refund-R{number}02-asked",
        f"refund-R{number}02-approved",
        f"refund-R{number}02-failed",
        f"refund-R{number}02-done",
    ]


def test_money_goes_back_by_the_shares_that_were_stored(app: Flask, alipay: Cashier) -> None:
    """A new price and a new coupon rule change nothing for who has bought."""
    student, course = a_student(), a_course(10_000)
    record = a_claimed(student, flat=1_000)
    number = bought(alipay, student, [course], site_coupon=record.id)
    course.policies[0].price_fen = 50_000
    record.coupon.money_equivalent_fen = 4_000
    db.session.commit()
    refund = refunded(alipay, student, number)
    assert the_refund(refund).amount_fen == at_alipay(alipay, number) == 9_000
    assert count(RefundDetail) == 1


def test_a_late_approval_still_counts_as_asked_in_time(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, _ = two_courses(alipay, student)
    refund = asked(student, number)
    alipay.move_clock(30 * 86_400)
    refund_decisions.approve(refund, actor=CLERK, reason="同意")
    assert refunds.send(refund) == "done"
    assert the_order(number).status is OrderStatus.REFUNDED
