"""Asking for money back on the pages: what returns is told before anybody asks, and nothing changes by looking."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from shop.enums import OrderStatus, RefundState
from shop.extensions import db
from shop.models import Account, CouponRecord, Order, Refund
from shop.services import refund_decisions, refunds
from shop.services.audit_log import Actor
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student, today_in_shanghai
from tests.cashier.parts import Cashier
from tests.pages.test_orders import words
from tests.person import Person
from tests.refunding import WHY, approved, asked, bought, lines_of, placed, refunded, the_refund
from tests.statements import counted


@pytest.fixture
def student(app: object) -> Account:
    return a_student(beli=50)


@pytest.fixture
def number(student: Account, alipay: Cashier) -> str:
    """Two courses; 431.00 and 50 贝里 paid, a coupon on the first, another on the whole order."""
    first, second = a_course(59_900, name="首课"), a_course(12_200, name="次课")
    bound = a_claimed(student, first, flat=4_000, name="首课券")
    site = a_claimed(student, flat=20_000, above=50_000, name="满减大券")
    coupons = {first.id: bound.id}
    return bought(alipay, student, [first, second], coupons=coupons, site_coupon=site.id, beli=50)


@pytest.fixture
def buyer(person: Person, student: Account) -> Person:
    return person.sign_in(student.username)


def ids(number: str) -> list[int]:
    return [line.id for line in lines_of(number)]


def status(number: str) -> OrderStatus:
    db.session.rollback()
    return db.session.query(Order).filter_by(order_number=number).one().status


def latest() -> Refund:
    db.session.rollback()
    return db.session.query(Refund).order_by(Refund.id.desc()).limit(1).one()


def everything(number: str) -> tuple[Any, ...]:
    """What asking or refunding would change."""
    db.session.rollback()
    coupons = [(record.id, record.status) for record in db.session.query(CouponRecord).order_by(CouponRecord.id)]
    return status(number), db.session.query(Refund).count(), coupons, db.session.query(Account.balance).all()


def test_the_page_says_what_comes_back_before_anybody_asks(buyer: Person, number: str) -> None:
    first, second = ids(number)
    before = everything(number)
    page = buyer.get(f"/orders/{number}/refunds")
    assert "选好课程后" in page.text
    assert "提交退费申请" not in page.text
    page = words(buyer.get(f"/orders/{number}/refunds?detail={first}").text)
    assert "首课 41 贝里 353.79 元" in page
    assert "退款，原路退回支付宝 353.79 元" in page
    assert "优惠券「首课券」退回" in page
    assert "优惠券「满减大券」不退回：它还用在这一单没有退的课程上" in page
    page = words(buyer.get(f"/orders/{number}/refunds?detail={first}&detail={second}").text)
    assert "退款，原路退回支付宝 431.00 元" in page
    assert "50 贝里 退回账户" in page
    assert "优惠券「满减大券」退回" in page
    assert "不退回" not in page
    assert everything(number) == before


def test_a_coupon_whose_time_is_over_is_told_to_return_as_expired(
    buyer: Person, student: Account, alipay: Cashier
) -> None:
    course = a_course(50_000, name="一门课")
    record = a_claimed(student, course, flat=1_000, name="短券", valid_end_date=today_in_shanghai() + timedelta(days=1))
    number = bought(alipay, student, [course], coupons={course.id: record.id})
    alipay.move_clock(timedelta(days=3).total_seconds())
    page = words(buyer.get(f"/orders/{number}/refunds").text)
    assert re.search("优惠券「短券」退回，但它已于 .* 过期，不能再用", page)


def test_the_only_line_needs_no_picking(buyer: Person, student: Account, alipay: Cashier) -> None:
    number = bought(alipay, student, [a_course(8_800)])
    page = buyer.get(f"/orders/{number}/refunds")
    assert "退款，原路退回支付宝" in page.text
    answer = buyer.post(f"/orders/{number}/refunds", {**buyer.form(page, "ask"), "reason": "不合适"})
    assert answer.location == f"/orders/{number}"
    assert_audit_clean()


def test_asking_for_one_line_suspends_it_until_it_is_withdrawn(buyer: Person, number: str) -> None:
    first, _second = ids(number)
    page = buyer.get(f"/orders/{number}/refunds?detail={first}")
    form = {**buyer.form(page, "ask"), "reason": f"  {WHY}  "}
    assert form["detail"] == str(first)
    page = buyer.follow(buyer.post(f"/orders/{number}/refunds", form)).text
    assert "退费申请已提交" in page
    assert 'data-status="2"' in page
    assert "退费申请审核中" in page
    assert WHY in page
    refund = latest().out_request_no
    again = buyer.get(f"/orders/{number}/refunds").text
    assert "现在不能申请退费" in again
    assert 'id="ask"' not in again
    page = buyer.follow(buyer.post(f"/orders/{number}/refunds/{refund}/withdrawal")).text
    assert "退费申请已撤回" in page
    assert 'data-status="0"' in page
    assert "暂停学习" not in words(page).replace("所选课程暂停学习", "")
    assert the_refund(refund).state is RefundState.WITHDRAWN
    assert buyer.post(f"/orders/{number}/refunds/{refund}/withdrawal").status_code == 409
    assert_audit_clean()


def test_what_was_shown_is_what_comes_back(buyer: Person, student: Account, number: str, alipay: Cashier) -> None:
    first, second = ids(number)
    for index, detail in enumerate((second, first)):
        page = buyer.get(f"/orders/{number}/refunds?detail={detail}")
        shown = re.search(r"receipt__row--due.*?(\d+\.\d\d)", page.text)
        assert shown
        buyer.post(f"/orders/{number}/refunds", {"detail": detail, "reason": WHY})
        refund = latest()
        refund_decisions.approve(refund.out_request_no, actor=Actor("clerk"), reason="同意")
        assert refunds.send(refund.out_request_no) == "done"
        done = the_refund(refund.out_request_no)
        assert f"{done.amount_fen / 100:.2f}" == shown[1]
        alipay.move_clock(4)
        assert status(number) is (OrderStatus.REFUNDED if index else OrderStatus.PAID)
    page = buyer.get(f"/orders/{number}").text
    assert "已退费" in page
    assert "再次购买" in page
    assert "431.00" in page
    assert_audit_clean()


def test_a_withdrawal_names_the_order_that_the_request_is_of(
    buyer: Person, student: Account, number: str, alipay: Cashier
) -> None:
    other = bought(alipay, student, [a_course()])
    refund = asked(student, number, 0)
    assert buyer.post(f"/orders/{other}/refunds/{refund}/withdrawal").status_code == 404
    assert the_refund(refund).state is RefundState.REQUESTED


def test_somebody_elses_request_is_not_there(app: Any, student: Account, number: str) -> None:
    refund = asked(student, number, 0)
    stranger = Person(app).sign_in(a_student().username)
    assert stranger.get(f"/orders/{number}/refunds").status_code == 404
    assert stranger.post(f"/orders/{number}/refunds", {"detail": ids(number)[1], "reason": WHY}).status_code == 404
    assert stranger.post(f"/orders/{number}/refunds/{refund}/withdrawal").status_code == 404
    visitor = Person(app)
    assert visitor.get(f"/orders/{number}/refunds").location.startswith("/login")
    assert visitor.post(f"/orders/{number}/refunds").status_code == 303
    assert the_refund(refund).state is RefundState.REQUESTED


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("detail", ["0", "-1", "x", "１", "9" * 40, "%00", "1.5", ""])
def test_a_line_that_cannot_be_one_is_malformed(buyer: Person, number: str, detail: str) -> None:
    before = everything(number)
    answer = buyer.get(f"/orders/{number}/refunds?detail={detail}")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    answer = buyer.post(f"/orders/{number}/refunds", {"detail": detail.replace("%00", "\x00"), "reason": WHY})
    assert answer.status_code == 422
    assert everything(number) == before


def test_a_line_of_another_order_is_not_found(buyer: Person, student: Account, number: str, alipay: Cashier) -> None:
    foreign = ids(bought(alipay, a_student(), [a_course()]))[0]
    for detail in (foreign, 2**31 - 1):
        assert buyer.get(f"/orders/{number}/refunds?detail={detail}").status_code == 404
        assert buyer.post(f"/orders/{number}/refunds", {"detail": detail, "reason": WHY}).status_code == 404
    assert db.session.query(Refund).count() == 0


@pytest.mark.parametrize("reason", ["", "   ", "x" * 256, "a\x00b", ["a", "b"]], ids=repr)
def test_a_reason_is_needed_and_kept_within_bounds(buyer: Person, number: str, reason: Any) -> None:
    first = ids(number)[0]
    answer = buyer.post(f"/orders/{number}/refunds", {"detail": first, "reason": reason})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'id="ask"' in answer.text  # the lines picked are still picked
    assert db.session.query(Refund).count() == 0


def test_a_reason_is_shown_as_it_was_written(buyer: Person, number: str) -> None:
    reason = "<script>alert(1)</script> & “引号”"
    page = buyer.follow(buyer.post(f"/orders/{number}/refunds", {"detail": ids(number)[0], "reason": reason})).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_no_line_at_all_asks_to_choose(buyer: Person, number: str) -> None:
    answer = buyer.post(f"/orders/{number}/refunds", {"reason": WHY})
    assert answer.status_code == 409
    assert "请选择要退的课程" in answer.text


def test_a_line_that_is_refunded_says_so_and_cannot_be_asked_for_again(
    buyer: Person, student: Account, number: str, alipay: Cashier
) -> None:
    refunded(alipay, student, number, 0)
    first, _second = ids(number)
    page = buyer.get(f"/orders/{number}/refunds").text
    assert "已退费。" in page
    assert re.search(rf'value="{first}" disabled', page)
    for answer in (
        buyer.get(f"/orders/{number}/refunds?detail={first}"),
        buyer.post(f"/orders/{number}/refunds", {"detail": first, "reason": WHY}),
    ):
        assert answer.status_code == 409
        assert "首课：已退费。" in answer.text
    assert_audit_clean()


def test_a_second_request_waits_for_the_first(buyer: Person, student: Account, number: str) -> None:
    approved(student, number, 0)
    answer = buyer.post(f"/orders/{number}/refunds", {"detail": ids(number)[1], "reason": WHY})
    assert answer.status_code == 409
    assert db.session.query(Refund).count() == 1


def test_an_unpaid_order_has_nothing_to_give_back(buyer: Person, student: Account) -> None:
    number = placed(student, [a_course()])
    page = buyer.get(f"/orders/{number}/refunds")
    assert (page.status_code, "没有付款，不需要退费" in page.text) == (200, True)


def test_beli_alone_come_back_at_once_when_approved(buyer: Person, student: Account, alipay: Cashier) -> None:
    number = bought(alipay, student, [a_course(4_000)], beli=40)
    page = words(buyer.get(f"/orders/{number}/refunds").text)
    assert "40 贝里 退回账户" in page
    assert "原路退回支付宝" not in page
    approved(student, number)
    assert "贝里退回" in buyer.get("/account/beli").text
    assert "已退费" in buyer.get(f"/orders/{number}").text
    assert_audit_clean()


def test_the_refund_page_asks_little(buyer: Person, number: str) -> None:
    path = f"/orders/{number}/refunds?detail={ids(number)[0]}"
    buyer.get(path)
    with counted() as sent:
        buyer.get(path)
    assert len(sent) <= 22, "\n".join(sent)
