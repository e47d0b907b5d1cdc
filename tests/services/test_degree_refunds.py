"""Money back for a degree: asked for before it begins, granted by staff afterwards; and all that ends with it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import (
    CouponStatus,
    ModuleStatus,
    OrderStatus,
    Purse,
    RefundCause,
    RefundState,
    Rule,
    StudyStatus,
)
from shop.errors import NotFound, NotRefundable, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    AuditLog,
    CouponRecord,
    DegreeCourse,
    DegreeRegistrationDraft,
    EnrolledDegreeCourse,
    MentorAssignment,
    Notification,
    Refund,
    ScoreRecord,
    StudyLeave,
    TransactionRecord,
)
from shop.services import (
    assignment,
    enrolled_degrees,
    learning,
    modules,
    purses,
    refund_decisions,
    refunds,
    registration,
    study_end,
)
from shop.services.audit_log import Actor
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student, today_in_shanghai
from tests.cashier.parts import Cashier
from tests.degrees import ANSWERS, STAFF, a_degree_with_homework, a_mentor, fresh
from tests.faults.barrier import until_waiting
from tests.faults.purchase import balance_of, count, the_order
from tests.purchases import saved
from tests.refunding import approved, asked, at_alipay, bought, by_hand, lines_of, note, placed, refunded, the_refund

SORRY = "学员怀孕，经教务确认"


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def bought_degree(
    alipay: Cashier, student: Account, course: DegreeCourse | None = None, **how: object
) -> tuple[str, EnrolledDegreeCourse]:
    """A degree for 1000.00 that was really paid, not begun; the order's number and the enrolment."""
    course = course or a_degree_with_homework()
    number = bought(alipay, student, [course], **how)  # type: ignore[arg-type]
    return number, living(student, course)


def living(student: Account, course: DegreeCourse) -> EnrolledDegreeCourse:
    db.session.rollback()
    return db.session.scalars(
        select(EnrolledDegreeCourse).where(
            EnrolledDegreeCourse.account_id == student.id,
            EnrolledDegreeCourse.degree_course_id == course.id,
            EnrolledDegreeCourse.closed_time.is_(None),
        )
    ).one()


def begun(student: Account, enrolment: EnrolledDegreeCourse, *, open_module: bool = True) -> Account:
    """File the form and assign a mentor; the mentor."""
    answers = replace(ANSWERS, open_module=open_module)
    registration.file_registration(student.id, enrolment.id, answers, clock.now())
    mentor = a_mentor()
    assignment.assign(enrolment.id, mentor.id, actor=STAFF)
    return mentor


def earned(enrolment: EnrolledDegreeCourse, amount: int) -> None:
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        cause = Cause("homework of a test")
        purses.gain(session, locked, Purse.REWARDS, Rule.HOMEWORK_SCORE, cause, clock.now(), amount=amount)


def fined(enrolment: EnrolledDegreeCourse) -> None:
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, Cause("neglect of a test"), clock.now())


def granted(number: str, product: int) -> str:
    return refund_decisions.grant(number, product, actor=STAFF, reason=SORRY).out_request_no


def ended(enrolment: EnrolledDegreeCourse, status: StudyStatus) -> None:
    row = fresh(enrolment)
    row.study_status, row.ended_time = status, clock.now()
    if status is StudyStatus.GRADUATED:
        for record in row.study_records:
            record.status = ModuleStatus.DONE
    saved(row)


def told(account: Account) -> list[str]:
    db.session.rollback()
    found = select(Notification.content).where(Notification.account_id == account.id).order_by(Notification.id)
    return list(db.session.scalars(found))


def unmatured(enrolment: EnrolledDegreeCourse) -> tuple[int, int]:
    row = fresh(enrolment)
    return row.mentor_fee_balance, row.reward_balance


# ---------------------------------------------------------------- before it begins, the student asks


def test_before_a_module_opens_the_student_gets_all_of_it_back(app: Flask, alipay: Cashier) -> None:
    student, course = a_student(beli=100), a_degree_with_homework()
    coupon = a_claimed(student, course, flat=10_000)
    number, enrolment = bought_degree(alipay, student, course, coupons={course.id: coupon.id}, beli=100)
    refunded(alipay, student, number)
    assert at_alipay(alipay, number) == 80_000
    assert balance_of(student.id) == 100
    assert db.session.get_one(CouponRecord, coupon.id, populate_existing=True).status is CouponStatus.UNUSED
    assert the_order(number).status is OrderStatus.REFUNDED
    assert fresh(enrolment).closed_time is not None
    assert count(ScoreRecord) == 0, "no mentor had been assigned, so there is nothing to let go of"


def test_a_mentor_who_was_assigned_before_it_began_keeps_nothing(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    mentor = begun(student, enrolment, open_module=False)
    refunded(alipay, student, number)
    assert unmatured(enrolment) == (0, 0)
    assert balance_of(mentor.id) == 0
    assert any("已退费，辅导结束" in text for text in told(mentor))


def test_once_a_module_is_open_the_student_is_told_who_decides(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    begun(student, enrolment)
    [line] = refunds.options(student.id, number).lines
    assert "模块已经开通" in line.why_not and "客服" in line.why_not
    with pytest.raises(NotRefundable, match="客服"):
        refunds.preview(student.id, number, [line.detail_id])
    with pytest.raises(NotRefundable):
        asked(student, number)
    assert count(Refund) == 0


def test_a_module_that_opens_at_the_same_moment_is_seen_by_the_request(app: Flask, alipay: Cashier) -> None:
    """The opening holds the enrolment only; who asks for the money waits for it, and then sees it."""
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    registration.file_registration(student.id, enrolment.id, replace(ANSWERS, open_module=False), clock.now())
    student_id, [line_id] = student.id, [line.id for line in lines_of(number)]

    def ask() -> str:
        with app.app_context():
            try:
                refunds.ask(student_id, number, [line_id], "不学了")
            except NotRefundable as refusal:
                return str(refusal.facts["reason"])
        return "taken"

    with ThreadPoolExecutor(1) as thread:
        with unit_of_work() as session:
            locked = enrolled_degrees.lock(session, enrolment.id)
            modules.open_module(session, locked, modules.in_order(session, locked.id)[0], clock.now())
            answer = thread.submit(ask)
            until_waiting(1)
        assert "模块已经开通" in answer.result()
    assert count(Refund) == 0


# ---------------------------------------------------------------- afterwards staff decide


def test_staff_grant_a_degree_under_way_and_the_job_sends_it(app: Flask, alipay: Cashier) -> None:
    student = a_student(beli=50)
    number, enrolment = bought_degree(alipay, student, beli=50)
    mentor = begun(student, enrolment)
    earned(enrolment, 90)
    fined(enrolment)
    alipay.move_clock(30 * 86_400)

    refund = the_refund(granted(number, enrolment.degree_course_id))
    assert (refund.cause, refund.state, refund.reason) == (RefundCause.STAFF, RefundState.APPROVED, SORRY)
    assert (refund.amount_fen, refund.beli, refund.next_try_time) == (95_000, 50, refund.decided_time)
    assert the_order(number).status is OrderStatus.REFUND_REQUESTED
    assert unmatured(enrolment) == (1450, 90), "nothing ends before the money is back"
    assert not learning.may_open(
        student.id, db.session.get_one(DegreeCourse, enrolment.degree_course_id).modules[0], today_in_shanghai()
    )

    assert refunds.send_due()["done"] == 1
    assert at_alipay(alipay, number) == 95_000
    assert balance_of(student.id) == 50
    assert balance_of(mentor.id) == 0
    assert the_order(number).status is OrderStatus.REFUNDED
    assert fresh(enrolment).closed_time == the_refund(refund.out_request_no).done_time


def test_what_never_matures_is_let_go_of_with_a_row_for_each_purse(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    mentor = begun(student, enrolment)
    earned(enrolment, 90)
    fined(enrolment)
    granted(number, enrolment.degree_course_id)
    refunds.send_due()
    rows = db.session.scalars(select(ScoreRecord).order_by(ScoreRecord.id)).all()
    assert [(row.purse, row.account_id, row.score, row.balance, row.memo) for row in rows[-2:]] == [
        (Purse.REWARDS, student.id, -90, 0, "学位课退费，不再到账"),
        (Purse.FEE, mentor.id, -1450, 0, "学位课退费，不再到账"),
    ]
    assert all(row.applied and row.received_score == 0 for row in rows)
    assert count(TransactionRecord, TransactionRecord.score_record_id.is_not(None)) == 0


def test_mentor_leave_and_draft_end_with_it_and_both_are_told(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    mentor = begun(student, enrolment)
    saved(StudyLeave(enrolled_degree_course_id=enrolment.id, reason="生病"))
    row = fresh(enrolment)
    row.study_status = StudyStatus.ON_LEAVE
    saved(row)
    saved(DegreeRegistrationDraft(enrolled_degree_id=enrolment.id, answers={"current_company": "草帽海贼团"}))
    granted(number, enrolment.degree_course_id)
    refunds.send_due()
    closed = fresh(enrolment)
    present = db.session.scalars(select(MentorAssignment)).one()
    leave = db.session.scalars(select(StudyLeave)).one()
    assert closed.closed_time == present.until_time == leave.end_time
    assert closed.study_status is StudyStatus.STUDYING
    assert closed.mentor_id == mentor.id, "who it was stays known"
    assert count(DegreeRegistrationDraft) == 0
    assert [text for text in told(student) if "客服正在为订单" in text]
    assert [text for text in told(student) if "退款已完成" in text]
    assert len([text for text in told(mentor) if "已退费，辅导结束" in text]) == 1
    with pytest.raises(NotFound):
        enrolled_degrees.of_mentor(db.session(), mentor.id, enrolment.id)


def test_a_degree_without_cash_is_given_back_at_once(app: Flask, alipay: Cashier) -> None:
    student = a_student(beli=1_000)
    number, enrolment = bought_degree(alipay, student, beli=1_000)
    begun(student, enrolment)
    assert the_refund(granted(number, enrolment.degree_course_id)).state is RefundState.DONE
    assert balance_of(student.id) == 1_000
    assert fresh(enrolment).closed_time is not None


def test_only_the_line_that_is_granted_goes_back(app: Flask, alipay: Cashier) -> None:
    student, course, other = a_student(), a_degree_with_homework(), a_course(10_000)
    number = bought(alipay, student, [course, other])
    begun(student, living(student, course))
    granted(number, course.id)
    refunds.send_due()
    assert at_alipay(alipay, number) == 100_000
    assert the_order(number).status is OrderStatus.PAID
    assert learning.may_open(student.id, other, today_in_shanghai())
    alipay.move_clock(8 * 86_400)
    assert "7 天" in refunds.options(student.id, number).why_not
    granted(number, other.id)
    refunds.send_due()
    assert at_alipay(alipay, number) == 110_000
    assert the_order(number).status is OrderStatus.REFUNDED


def test_a_grant_that_alipay_refuses_can_be_taken_back_and_study_goes_on(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    begun(student, enrolment)
    refund = granted(number, enrolment.degree_course_id)
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code="ACQ.TRADE_HAS_FINISHED")
    assert refunds.send(refund) == "failed"
    refund_decisions.refuse(refund, actor=Actor("anna"), reason="改为线下处理")
    assert unmatured(enrolment) == (1500, 0)
    assert learning.may_open(student.id, fresh(enrolment).degree_course.modules[0], today_in_shanghai())
    assert count(MentorAssignment, MentorAssignment.until_time.is_(None)) == 1


def test_every_grant_is_on_record_with_its_reason(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    begun(student, enrolment)
    refund = the_refund(granted(number, enrolment.degree_course_id))
    row = db.session.scalars(select(AuditLog).where(AuditLog.action == "refund grant")).one()
    assert (row.actor, row.subject_id, row.before, row.after, row.reason) == (
        STAFF.name,
        refund.id,
        None,
        {"state": int(RefundState.APPROVED)},
        SORRY,
    )


# ---------------------------------------------------------------- what staff cannot grant


@pytest.mark.parametrize("status", [StudyStatus.GRADUATED, StudyStatus.OVERTIME])
def test_a_study_that_has_ended_is_not_given_back(app: Flask, alipay: Cashier, status: StudyStatus) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    begun(student, enrolment)
    ended(enrolment, status)
    with pytest.raises(NotRefundable, match=status.chinese):
        granted(number, enrolment.degree_course_id)
    assert count(Refund) == 0
    assert the_order(number).status is OrderStatus.PAID


def test_nothing_is_granted_twice_nor_beside_another_request(app: Flask, alipay: Cashier) -> None:
    student, course, other = a_student(), a_degree_with_homework(), a_course(10_000)
    number = bought(alipay, student, [course, other])
    waiting = asked(student, number, 1)
    with pytest.raises(NotRefundable, match="正在处理"):
        granted(number, course.id)
    refunds.withdraw(student.id, waiting)
    first = granted(number, course.id)
    with pytest.raises(NotRefundable, match="正在处理"):
        granted(number, course.id)
    with pytest.raises(NotYourTurn):
        refund_decisions.approve(first, actor=Actor("anna"), reason="再次")
    with pytest.raises(NotFound):
        refunds.withdraw(student.id, first)
    refunds.send_due()
    with pytest.raises(NotRefundable, match="已退费"):
        granted(number, course.id)
    alipay.move_clock(4)
    granted(number, other.id)
    refunds.send_due()
    with pytest.raises(NotRefundable, match="全部退费"):
        granted(number, other.id)
    assert at_alipay(alipay, number) == 110_000


def test_only_what_was_bought_and_paid_is_granted(app: Flask, alipay: Cashier) -> None:
    student, course = a_student(), a_degree_with_homework()
    unpaid = placed(student, [course])
    with pytest.raises(NotRefundable, match="没有付款"):
        granted(unpaid, course.id)
    for number, product_id in ((unpaid, a_course().id), ("none", course.id)):
        with pytest.raises(NotFound):
            granted(number, product_id)
    assert count(Refund) == 0


def test_no_more_is_granted_than_its_payment_still_has(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    by_hand(alipay, number, "1.00", "byhand1")
    note(number, "byhand1")
    assert refunds.send("byhand1") == "done"
    with pytest.raises(NotRefundable, match=r"999\.00"):
        granted(number, enrolment.degree_course_id)


@pytest.mark.parametrize("reason", ["", "  ", "长" * 256])
def test_a_grant_needs_a_reason_that_fits(app: Flask, alipay: Cashier, reason: str) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    with pytest.raises(ValueError, match="255"):
        refund_decisions.grant(number, enrolment.degree_course_id, actor=STAFF, reason=reason)
    assert count(Refund) == 0


# ---------------------------------------------------------------- afterwards


def test_a_refunded_degree_can_be_bought_again_and_begins_anew(app: Flask, alipay: Cashier) -> None:
    student, course = a_student(), a_degree_with_homework()
    number, first = bought_degree(alipay, student, course)
    begun(student, first)
    granted(number, course.id)
    refunds.send_due()
    again, second = bought_degree(alipay, student, course)
    assert second.id != first.id
    assert (second.study_status, second.mentor_id) == (StudyStatus.NOT_STARTED, None)
    begun(student, second)
    assert unmatured(second) == (1500, 0)
    assert unmatured(first) == (0, 0)
    assert [own.id for own in learning.index(student.id, today_in_shanghai()).degrees] == [second.id]
    approved_again = granted(again, course.id)
    refunds.send(approved_again)
    assert unmatured(second) == (0, 0)


def test_study_rests_while_its_refund_is_under_way(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    begun(student, enrolment, open_module=False)
    refund = approved(student, number)

    def rests() -> bool:
        try:
            with unit_of_work() as session:
                enrolled_degrees.expect(session, enrolled_degrees.lock(session, enrolment.id), *StudyStatus)
        except NotYourTurn:
            return True
        return False

    assert rests()
    with pytest.raises(NotYourTurn):
        assignment.assign(enrolment.id, a_mentor().id, actor=STAFF, reason="x")
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code="ACQ.TRADE_NOT_ALLOW_REFUND")
    assert refunds.send(refund) == "failed"
    assert rests()
    refund_decisions.refuse(refund, actor=Actor("anna"), reason="已线下解决")
    assert not rests()


def test_nothing_ends_while_it_is_asked_back_and_the_night_after_catches_up(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    begun(student, enrolment)
    last_day = today_in_shanghai()
    row = fresh(enrolment)
    row.valid_end_date = last_day
    saved(row)
    refund = granted(number, enrolment.degree_course_id)
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code="ACQ.TRADE_HAS_FINISHED")
    assert refunds.send(refund) == "failed"
    alipay.move_clock(2 * 86_400)
    assert study_end.end_due(clock.now())["ended"] == 0
    refund_decisions.refuse(refund, actor=Actor("anna"), reason="改为线下处理")
    assert study_end.end_due(clock.now())["ended"] == 1
    assert fresh(enrolment).ended_time == clock.start_of_day(last_day + timedelta(days=1))
    with pytest.raises(NotRefundable, match=StudyStatus.OVERTIME.chinese):
        granted(number, enrolment.degree_course_id)


# ---------------------------------------------------------------- the command


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["refunds", "grant", *words])


def test_the_command_grants_and_sends(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    begun(student, enrolment)
    words = (number, str(enrolment.degree_course_id), "--reason", SORRY)
    done = run(app, *words)
    assert (done.exit_code, done.stdout) == (
        0,
        f"R{number}01: granted, 1000.00 yuan  0 beli; the money is back.\n",
    )
    assert at_alipay(alipay, number) == 100_000
    again = run(app, *words)
    assert again.exit_code == 1
    assert "已全部退费" in again.output


def test_the_command_says_what_is_wrong(app: Flask, alipay: Cashier) -> None:
    student = a_student(beli=1_000)
    number, enrolment = bought_degree(alipay, student, beli=1_000)
    product = str(enrolment.degree_course_id)
    assert "no product 4711" in run(app, number, "4711", "--reason", SORRY).output
    assert "1 to 255 characters" in run(app, number, product, "--reason", " ").output
    assert run(app, number, product).exit_code == 2
    assert run(app, number, "0", "--reason", SORRY).exit_code == 2
    assert count(Refund) == 0
    assert "no cash to send" in run(app, number, product, "--reason", SORRY).output


def test_the_window_is_for_students_and_not_for_staff(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    alipay.move_clock(timedelta(days=8).total_seconds())
    offered = refunds.options(student.id, number)
    assert "7 天" in offered.why_not and "客服" in offered.why_not
    assert the_refund(granted(number, enrolment.degree_course_id)).state is RefundState.APPROVED
