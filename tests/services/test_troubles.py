"""Money that fits nothing: noted once, listed, sent back or closed by people, and never delivered for (design 8)."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import OrderStatus, RefundState, TroubleKind
from shop.extensions import db
from shop.models import AuditLog, EnrolledCourse, Order, Refund, Trouble
from shop.services import attempts, orders, payment, polling, refunds, troubles
from shop.services.payment import Answer
from tests import refunding
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.purchases import off_sale

WHY = "buyer was called"


@pytest.fixture
def misfit(alipay: Cashier) -> str:
    """The number of an unpaid order for whose attempt somebody paid one fen, unheard of by the shop."""
    number = refunding.placed(a_student(), [a_course(9_900)])
    alipay.fault("notify_lost", out_trade_no=f"{number}01", times=None)
    fetch(attempts.pay_url(number) or "")
    alipay.control("pay", {"out_trade_no": f"{number}01", "amount": "0.01"})
    return number


def the_order(number: str) -> Order:
    db.session.rollback()
    return db.session.scalars(select(Order).where(Order.order_number == number)).one()


def run(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["payments", *words])
    return result.exit_code, result.output


def test_a_wrong_amount_is_noted_once_and_opens_nothing(misfit: str) -> None:
    for _ in range(3):
        assert payment.ask(f"{misfit}01") is Answer.MISFIT
    trouble = db.session.scalars(select(Trouble)).one()
    assert (trouble.kind, trouble.amount_fen, trouble.found_by) == (TroubleKind.WRONG_AMOUNT, 1, "query")
    assert the_order(misfit).status is OrderStatus.PENDING
    assert db.session.scalars(select(EnrolledCourse)).all() == []
    assert_audit_clean()


def test_an_order_with_a_wrong_amount_still_ends(misfit: str, alipay: Cashier) -> None:
    alipay.move_clock(18 * 60)
    assert orders.expire_due() == {"ended": 1, "left": 0}
    assert the_order(misfit).status is OrderStatus.TIMED_OUT
    alipay.move_clock(3600)
    assert polling.poll_due() == {}  # nothing else can come of it
    assert_audit_clean()


def test_the_buyer_of_a_wrong_amount_is_not_sent_to_pay_again(misfit: str) -> None:
    order = the_order(misfit)
    with pytest.raises(Exception, match="NotYourTurn"):
        orders.pay_again(order.account_id, misfit)


def test_odd_money_is_listed_and_sent_back_once(app: Flask, misfit: str, alipay: Cashier) -> None:
    payment.ask(f"{misfit}01")
    code, text = run(app, "list", "--trouble")
    assert code == 0 and f"{misfit}01" in text and f"order {misfit}" in text and "0.01 yuan" in text
    code, text = run(app, "refund", f"{misfit}01", "--reason", WHY)
    assert code == 0 and f"R{misfit}01WRONG" in text
    code, text = run(app, "refund", f"{misfit}01", "--reason", WHY)
    assert code == 1 and "on its way back already" in text
    code, text = run(app, "settle", f"{misfit}01", "--reason", WHY)
    assert code == 1 and "is on its way back" in text and "closed" not in text
    assert refunds.send_due()["done"] == 1
    assert alipay.trade(f"{misfit}01")["status"] == "TRADE_CLOSED"  # refunded in full
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.state, refund.amount_fen) == (RefundState.DONE, 1)
    trouble = db.session.scalars(select(Trouble)).one()
    assert trouble.resolved_time and trouble.resolution == refund.out_request_no
    assert run(app, "list", "--trouble") == (0, "0 cases.\n")
    log = db.session.scalars(select(AuditLog).where(AuditLog.action == "trouble refund")).one()
    assert (log.subject_id, log.reason) == (trouble.id, WHY)
    assert the_order(misfit).status is OrderStatus.PENDING
    assert_audit_clean()


def test_settle_asks_and_books(app: Flask, alipay: Cashier) -> None:
    number = refunding.placed(a_student(), [a_course(9_900)])
    assert "nobody has begun to pay" in run(app, "settle", f"{number}01")[1]
    alipay.fault("notify_lost", out_trade_no=f"{number}01", times=None)
    fetch(attempts.pay_url(number) or "")
    alipay.pay(f"{number}01")
    code, text = run(app, "settle", f"{number}01")
    assert code == 0 and f"{number}01: paid, and booked." in text
    assert the_order(number).status is OrderStatus.PAID
    alipay.fault("answer_status", method="alipay.trade.query")
    assert run(app, "settle", f"{number}01")[0] == 1
    assert_audit_clean()


def test_what_people_settled_elsewhere_is_closed_with_their_reason(app: Flask, misfit: str) -> None:
    payment.ask(f"{misfit}01")
    code, text = run(app, "settle", f"{misfit}01", "--reason", WHY)
    assert code == 0 and "1 cases closed." in text
    assert db.session.scalars(select(Trouble)).one().resolution == WHY
    assert run(app, "refund", f"{misfit}01", "--reason", WHY)[0] == 1
    assert_audit_clean()


def test_late_money_and_a_failed_refund_are_listed(app: Flask, alipay: Cashier) -> None:
    course, student = a_course(9_900), a_student()
    number = refunding.placed(student, [course])
    fetch(attempts.pay_url(number) or "")
    orders.cancel(student.id, number)
    off_sale(course)
    alipay.pay(f"{number}01")
    assert payment.ask(f"{number}01") is Answer.PAID
    assert {case.number for case in troubles.cases()} == {f"{number}01"}
    alipay.fault("refund_refused")
    assert refunds.send_due()["failed"] == 1
    assert {case.number for case in troubles.cases()} == {f"{number}01", f"R{number}01LATE"}
    alipay.move_clock(3600)
    assert refunds.send_due()["done"] == 1
    assert troubles.cases() == []
    assert_audit_clean()


def test_a_trade_that_was_unknown_closes_itself_once_it_is_booked(app: Flask, alipay: Cashier) -> None:
    """F45: the message overtakes our own commit; its repeat finds the attempt."""
    number = refunding.bought(alipay, a_student(), [a_course(9_900)])
    attempt = the_order(number).payments[0]
    for trade_no in (attempt.trade_no or "", "2026112322001400000000000009"):
        db.session.add(
            Trouble(
                kind=TroubleKind.UNKNOWN_TRADE,
                out_trade_no=attempt.out_trade_no,
                trade_no=trade_no,
                amount_fen=9_900,
                found_by="notice",
                found_time=clock.now(),
            )
        )
    db.session.commit()
    assert troubles.close_found() == {"closed": 1}
    left = db.session.scalars(select(Trouble).where(Trouble.resolved_time.is_(None))).one()
    assert left.trade_no != attempt.trade_no
    assert_audit_clean()
