"""People who press twice, go back, use two tabs or two devices; staff who change what is being sold (safety.md 3.6).

F61 is in ``tests/services/test_late_money.py``, F63 in ``test_refund_races.py`` and (cancel against payment) with F51.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from shop.enums import OrderStatus, ProductStatus
from shop.extensions import db
from shop.models import Account, Coupon, EnrolledCourse, Order, OrderDetail, Payment, Product
from shop.services import attempts
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student, plan_of
from tests.cashier.parts import Cashier, fetch
from tests.deal import Deal
from tests.faults.barrier import barrier, until_waiting
from tests.faults.purchase import attempt_of, balance_of, count, only_number, settle, the_order
from tests.person import Person


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def student(app: Flask) -> Account:
    return a_student(beli=30)


@pytest.fixture
def buyer(person: Person, student: Account) -> Person:
    return person.sign_in(student.username)


def form_of(person: Person) -> dict[str, str]:
    """The pay form of the settlement as it stands."""
    return person.form(person.get("/settlement"), "checkout")


def assert_one_order(answers: list[TestResponse]) -> None:
    """Every press led to the same order's place to pay."""
    number = only_number()
    assert {answer.status_code for answer in answers} == {303}
    assert all(attempt_of(number) in answer.location for answer in answers)
    assert (count(Order), count(OrderDetail), count(Payment)) == (1, 1, 1)


# ---------------------------------------------------------------- pressed twice


@pytest.mark.parametrize("table", ["orders", "order_detail", "payment"])
def test_f56_a_double_click_is_one_order(app: Flask, student: Account, buyer: Person, table: str) -> None:
    """Both presses have passed their checks before either writes."""
    form = settle(buyer, a_course())
    twin = twin_of(app, buyer)
    db.session.remove()
    with ThreadPoolExecutor(2) as threads, barrier(table):
        sent = [threads.submit(who.post, "/checkout", form) for who in (buyer, twin)]
        until_waiting(2)
    assert_one_order([each.result() for each in sent])


def twin_of(app: Flask, person: Person) -> Person:
    """Another tab of the same browser."""
    cookie = person.client.get_cookie("session")
    assert cookie
    twin = Person(app)
    twin.client.set_cookie("session", cookie.value)
    twin._token = person._token
    return twin


def test_f56_a_reloaded_post_is_the_same_order(buyer: Person) -> None:
    form = settle(buyer, a_course())
    assert_one_order([buyer.post("/checkout", form) for _ in range(3)])


def test_f56_a_post_resent_after_going_back_changes_nothing_by_other_values(buyer: Person) -> None:
    """The token is spent: what is sent with it counts no more (P7)."""
    form = settle(buyer, a_course())
    answers = [buyer.post("/checkout", form), buyer.post("/checkout", {**form, "balance": "30", "money": "70.00"})]
    assert_one_order(answers)
    assert the_order(only_number()).beli == 0


# ---------------------------------------------------------------- two tabs


def test_f57_after_settling_anew_in_another_tab_the_old_page_is_refused_and_shows_the_new(buyer: Person) -> None:
    old, new = a_course(10_000), a_course(20_000)
    form = settle(buyer, old)
    settle(buyer, new)
    answer = buyer.post("/checkout", form)
    assert answer.status_code == 409
    assert 'data-code="1008"' in answer.text
    assert new.name in answer.text and old.name not in answer.text
    assert count(Order) == 0
    assert buyer.post("/checkout", buyer.form(answer, "checkout")).status_code == 303
    assert the_order(only_number()).actual_amount_fen == 20_000


def test_f57_a_change_of_the_cart_alone_leaves_the_settlement_as_it_is(buyer: Person) -> None:
    course, other = a_course(10_000), a_course(20_000)
    buyer.post("/cart/items", {"product": course.id, "policy": plan_of(course).id})
    page = buyer.follow(buyer.post("/settlement", {"product": course.id}))
    form = buyer.form(page, "checkout")
    buyer.post("/cart/items", {"product": other.id, "policy": plan_of(other).id})
    buyer.post(f"/cart/items/{course.id}/delete")
    assert buyer.post("/checkout", form).status_code == 303
    order = the_order(only_number())
    assert (order.actual_amount_fen, [line.product_id for line in order.details]) == (10_000, [course.id])
    assert other.name in buyer.get("/cart").text


def test_f58_of_two_settlements_with_one_coupon_and_the_same_beli_the_older_is_refused(
    student: Account, buyer: Person
) -> None:
    a_claimed(student, flat=1_000)
    forms = []
    for course in (a_course(10_000), a_course(10_000)):
        settle(buyer, course)
        choices = buyer.form(buyer.get("/settlement"), "choices")
        buyer.post("/settlement/choices", {**choices, "use": "all_beli"})
        forms.append(form_of(buyer))
        assert (forms[-1]["money"], forms[-1]["balance"]) == ("60.00", "30")
    answers = [buyer.post("/checkout", form) for form in forms]
    assert [answer.status_code for answer in answers] == [409, 303]
    assert 'data-code="1008"' in answers[0].text
    assert balance_of(student.id) == 0
    assert count(Order) == 1


# ---------------------------------------------------------------- two devices


def test_f59_on_two_devices_at_the_button_at_once_it_is_one_order(app: Flask, student: Account, buyer: Person) -> None:
    phone = Person(app).sign_in(student.username)
    assert phone.client.get_cookie("session") != buyer.client.get_cookie("session")
    course = a_course()
    settle(buyer, course)
    forms = [form_of(buyer), form_of(phone)]
    db.session.remove()
    with ThreadPoolExecutor(2) as threads, barrier("order_detail"):
        sent = [threads.submit(who.post, "/checkout", form) for who, form in zip((buyer, phone), forms, strict=True)]
        until_waiting(2)
    assert_one_order([each.result() for each in sent])


def test_f59_the_device_that_settled_first_is_told_of_the_others_settlement(
    app: Flask, student: Account, buyer: Person
) -> None:
    course, phone = a_course(), Person(app).sign_in(student.username)
    first, second = settle(buyer, course), settle(phone, course)
    assert phone.post("/checkout", second).status_code == 303
    answer = buyer.post("/checkout", first)
    assert answer.status_code == 409
    assert 'data-code="1008"' in answer.text
    assert count(Order) == 1


# ---------------------------------------------------------------- paid, and back


def test_f60_whoever_goes_back_after_paying_is_told_that_it_is_paid(alipay: Cashier, buyer: Person) -> None:
    form = settle(buyer, a_course())
    at_alipay = buyer.post("/checkout", form).location
    number = only_number()
    fetch(at_alipay)
    alipay.pay(attempt_of(number))
    assert the_order(number).status is OrderStatus.PAID
    page = buyer.follow(buyer.post("/checkout", form))
    assert 'data-status="0"' in page.text
    page = buyer.follow(buyer.post(f"/orders/{number}/payments"))
    assert "支付成功" in page.text and "没有被扣款" not in page.text
    assert f"/orders/{number}/payments" not in buyer.get(f"/orders/{number}").text
    assert "ACQ.TRADE_HAS_SUCCESS" in fetch(at_alipay).text  # Alipay takes nothing twice on the old page
    assert (count(Payment), count(EnrolledCourse)) == (1, 1)


def test_f60_pressed_while_the_notice_is_still_on_its_way_it_leads_to_the_paid_order(
    alipay: Cashier, buyer: Person
) -> None:
    form = settle(buyer, a_course())
    fetch(buyer.post("/checkout", form).location)
    number = only_number()
    alipay.fault("notify_lost", times=None)
    alipay.pay(attempt_of(number))
    page = buyer.follow(buyer.post(f"/orders/{number}/payments"))
    assert 'data-status="0"' in page.text
    assert count(EnrolledCourse) == 1


def test_f60_a_cancel_that_finds_it_paid_says_so(alipay: Cashier, buyer: Person) -> None:
    """To the buyer who has just paid the shop must not say that nothing was charged."""
    form = settle(buyer, a_course())
    fetch(buyer.post("/checkout", form).location)
    number = only_number()
    alipay.fault("notify_lost", times=None)
    alipay.pay(attempt_of(number))
    page = buyer.follow(buyer.post(f"/orders/{number}/cancellation"))
    assert "这个订单已经付款" in page.text and "没有被扣款" not in page.text
    assert 'data-status="0"' in page.text
    assert count(EnrolledCourse) == 1


# ---------------------------------------------------------------- staff at the same time


def _dearer(product: Product, coupon: Coupon) -> None:
    product.policies[0].price_fen += 100


def _off_sale(product: Product, coupon: Coupon) -> None:
    product.status = ProductStatus.OFF_SALE


def _stopped(product: Product, coupon: Coupon) -> None:
    coupon.enabled = False


CHANGES: dict[str, tuple[Callable[[Product, Coupon], None], str]] = {
    "price": (_dearer, "1007"),
    "off sale": (_off_sale, "1003"),
    "coupon": (_stopped, "1006"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_f62_what_staff_change_between_quote_and_press_is_refused_with_its_reason(
    student: Account, buyer: Person, change: str
) -> None:
    course, record = a_course(10_000), a_claimed(student, flat=1_000)
    form = settle(buyer, course)
    assert form["money"] == "90.00"
    act, code = CHANGES[change]
    act(course, db.session.get_one(Coupon, record.coupon_id))
    db.session.commit()
    answer = buyer.post("/checkout", form)
    assert answer.status_code == 409
    assert f'data-code="{code}"' in answer.text
    assert (count(Order), balance_of(student.id)) == (0, 30)


@pytest.mark.parametrize("change", CHANGES)
def test_f62_a_pending_order_stays_payable_as_it_was_placed(alipay: Cashier, change: str) -> None:
    """A31, P6: the quote that became an order is kept."""
    deal = Deal(alipay, a_course(10_000))
    before = attempts.pay_url(deal.number), deal.payment_of().biz_content, lines_of(deal)
    CHANGES[change][0](deal.product, db.session.get_one(Coupon, deal.record.coupon_id))
    db.session.commit()
    assert attempts.pay_url(deal.number)
    assert (deal.payment_of().biz_content, lines_of(deal)) == before[1:]
    deal.pay()
    assert deal.hear().reason == "paid"
    assert lines_of(deal) == before[2]
    assert count(EnrolledCourse) == 1
    assert deal.is_kept()


def lines_of(deal: Deal) -> list[tuple[int, ...]]:
    return [
        (d.original_price_fen, d.price_fen, d.site_discount_fen, d.beli, d.actual_amount_fen, d.valid_period)
        for d in deal.order.details
    ]
