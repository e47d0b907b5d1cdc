"""The main job over HTTP: cart, settlement, checkout, Alipay, confirmation (design 1)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from werkzeug.test import TestResponse

from shop.enums import OrderStatus, PaymentType
from shop.extensions import db
from shop.models import Account, EnrolledCourse, Order
from tests.builders import a_claimed, a_course, a_student, plan_of
from tests.cashier.parts import Cashier, fetch
from tests.person import Person


def put(person: Person, *products: object) -> None:
    for product in products:
        person.get(f"/courses/{product.id}")
        answer = person.post("/cart/items", {"product": product.id, "policy": plan_of(product).id})
        assert answer.status_code == 303, answer.text


def settle(person: Person, *products: object) -> TestResponse:
    """Put the products into the cart and open the settlement."""
    put(person, *products)
    return person.follow(person.post("/settlement", {"product": [product.id for product in products]}))


def pay(person: Person, page: TestResponse, **changes: str) -> TestResponse:
    return person.post("/checkout", {**person.form(page, "checkout"), **changes})


def only_order() -> Order:
    db.session.rollback()  # a snapshot that is older than the answer would not show it
    return db.session.query(Order).one()


def test_worked_case_a_comes_to_431_yuan_and_alipay_is_asked_for_it(person: Person, alipay: Cashier) -> None:
    """domain.md 3.3 A, B07, B08, B09, B15, B39: 599 − 40, 122, 满500减200, 50 贝里."""
    student = a_student(beli=50)
    first, second = a_course(59_900), a_course(12_200)
    a_claimed(student, first, flat=4_000)
    a_claimed(student, flat=20_000, above=50_000)
    person.sign_in(student.username)
    page = settle(person, first, second)
    page = person.follow(person.post("/settlement/choices", {**person.form(page, "choices"), "use": "all_beli"}))
    form = person.form(page, "checkout")
    assert (form["money"], form["balance"]) == ("431.00", "50")

    answer = pay(person, page)

    assert answer.status_code == 303
    query = parse_qs(urlsplit(answer.location).query)
    assert "431.00" in query["biz_content"][0]
    order = only_order()
    assert order.status is OrderStatus.PENDING
    assert order.payment_type is PaymentType.ALIPAY
    lines = [(d.price_fen, d.site_discount_fen, d.beli_fen, d.actual_amount_fen) for d in order.details]
    assert lines == [(55_900, 16_417, 4_104, 35_379), (12_200, 3_583, 896, 7_721)]
    assert db.session.get(Account, student.id).balance == 0

    assert fetch(answer.location).status in (302, 303)
    paid = alipay.pay(order.payments[0].out_trade_no)
    back = person.follow_return(paid["return_url"])
    assert 'data-status="0"' in back.text
    order = only_order()
    assert order.status is OrderStatus.PAID
    assert order.payment_number == paid["trade"]["trade_no"]
    assert db.session.query(EnrolledCourse).count() == 2
    assert person.get("/cart").text.count("data-product=") == 0


def test_a_choice_that_costs_more_says_which_coupon_it_lost_and_how_to_get_it_back(person: Person) -> None:
    student, first, second = a_student(), a_course(29_900), a_course(21_900)
    bound = a_claimed(student, first, flat=4_000)
    a_claimed(student, flat=20_000, above=50_000, name="扬帆季满减")
    person.sign_in(student.username)
    page = settle(person, first, second)
    assert 'id="cheaper"' not in page.text

    own = {f"coupon-{first.id}": str(bound.id), "site_coupon": "0", "balance": "0"}
    page = person.follow(person.post("/settlement/choices", own))
    assert person.form(page, "checkout")["money"] == "478.00"
    notice = page.text.split('id="cheaper"')[1].split("</div>")[0]
    assert "「扬帆季满减」用不上了：还差 22.00 元。" in notice
    assert "最省的组合比现在便宜 160.00 元。" in notice
    assert 'name="use" value="cheapest"' in notice

    page = person.follow(person.post("/settlement/choices", {**own, "use": "cheapest"}))
    assert person.form(page, "checkout")["money"] == "318.00"
    assert 'id="cheaper"' not in page.text


def test_a_coupon_kept_for_later_is_no_coupon_lost(person: Person) -> None:
    student, course = a_student(), a_course(29_900)
    a_claimed(student, flat=4_000)
    person.sign_in(student.username)
    settle(person, course)
    page = person.follow(person.post("/settlement/choices", {"site_coupon": "0", "balance": "0"}))
    notice = page.text.split('id="cheaper"')[1].split("</div>")[0]
    assert "最省的组合比现在便宜 40.00 元。" in notice
    assert "用不上了" not in notice
