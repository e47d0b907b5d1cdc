"""What the owner reads on the order's page of money that came twice, went back elsewhere, or will not go back."""

from __future__ import annotations

from sqlalchemy import select

from shop import clock
from shop.enums import OrderStatus, PaymentState, RefundCause
from shop.extensions import db, unit_of_work
from shop.models import Notification, Order, Refund
from shop.services import attempts, orders, payment, refunds
from shop.services.locks import lock_order
from shop.services.payment import Answer
from tests import refunding
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.person import Person


def the_order(number: str) -> Order:
    db.session.rollback()
    return db.session.scalars(select(Order).where(Order.order_number == number)).one()


def test_f50_a_second_payment_is_told_and_returned(person: Person, alipay: Cashier) -> None:
    """Two attempts of one order, both paid: the page of the first was still open when the second began."""
    student = a_student()
    number = refunding.placed(student, [a_course(9_900)])
    for attempt in (f"{number}01", f"{number}02"):
        alipay.fault("notify_lost", out_trade_no=attempt, times=None)
    fetch(attempts.pay_url(number) or "")
    with unit_of_work() as session:
        attempts.replace_closed(session, lock_order(session, the_order(number).id), f"{number}01", clock.now())
    fetch(orders.pay_again(student.id, number) or "")
    alipay.pay(f"{number}02")
    alipay.pay(f"{number}01")
    assert [payment.ask(f"{number}02"), payment.ask(f"{number}01")] == [Answer.PAID, Answer.PAID]
    assert [p.state for p in the_order(number).payments] == [PaymentState.SURPLUS, PaymentState.PAID]
    page = person.sign_in(student.username).get(f"/orders/{number}")
    assert 'data-surplus-fen="9900"' in page.text and "这一单付了两次，多付的 99.00 元没有用上。" in page.text
    assert refunds.send_due()["done"] == 1
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.cause, refund.amount_fen, refund.out_request_no) == (RefundCause.DOUBLE, 9_900, f"R{number}01DOUBLE")
    assert alipay.trade(f"{number}01")["status"] == "TRADE_CLOSED"
    assert "已原路退回您的支付宝" in person.get(f"/orders/{number}").text
    told = db.session.scalars(select(Notification.content).where(Notification.content.contains("第二次付款"))).all()
    assert len(told) == 1
    assert the_order(number).status is OrderStatus.PAID
    assert_audit_clean()


def test_a_refund_made_at_alipay_is_told(person: Person, alipay: Cashier) -> None:
    student = a_student()
    number = refunding.bought(alipay, student, [a_course(9_900)])
    refunding.by_hand(alipay, number, "10.00", "HAND1")
    refunding.note(number, "HAND1")
    refunds.send_due()
    page = person.sign_in(student.username).get(f"/orders/{number}")
    assert "支付宝侧已退回 10.00 元，已记录在这一单。" in page.text
    assert 'data-status="0"' in page.text
    assert_audit_clean()


def test_a_refund_that_alipay_refused_is_told_without_alarm(person: Person, alipay: Cashier) -> None:
    student = a_student()
    number = refunding.bought(alipay, student, [a_course(9_900)])
    alipay.fault("refund_refused")
    assert refunds.send(refunding.approved(student, number)).value == "failed"
    page = person.sign_in(student.username).get(f"/orders/{number}")
    assert 'data-state="4"' in page.text and "退款遇到问题，客服正在处理" in page.text
    assert_audit_clean()
