"""How many statements a page may send to the database (issue 2): more must be meant, not happen."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from shop.models import Account, Course
from tests.builders import a_claimed, a_course, a_student, plan_of
from tests.cashier.parts import Cashier, fetch
from tests.person import PASSWORD, Person
from tests.statements import counted

NONE_OF_A_VISITOR = ["/", "/courses", "/courses/{id}", "/login", "/cart"]
OF_A_STUDENT = {
    "/": 3,  # who, what to go on with, which coupons she has
    "/courses": 1,
    "/courses/{id}": 3,
    "/cart": 3,
    "/orders": 3,
    "/learning": 3,
}
SETTLEMENT, CHECKOUT, NOTICE, CONFIRMATION, PURCHASE = 5, 15, 13, 11, 60


@pytest.fixture
def shelf(app: object) -> list[Course]:
    return [a_course(30_000) for _ in range(3)]


@pytest.fixture
def student(shelf: list[Course]) -> Account:
    """Somebody with 贝里 and two coupons for what is on the shelf."""
    student = a_student(beli=50)
    a_claimed(student, shelf[0], flat=2_000)
    a_claimed(student, flat=5_000, above=50_000)
    return student


def in_cart(person: Person, shelf: list[Course]) -> None:
    for course in shelf:
        person.post("/cart/items", {"product": course.id, "policy": plan_of(course).id})


def out_trade_no(pay_url: str) -> str:
    number: str = json.loads(parse_qs(urlsplit(pay_url).query)["biz_content"][0])["out_trade_no"]
    return number


@pytest.mark.parametrize("path", NONE_OF_A_VISITOR)
def test_a_page_that_is_kept_asks_nothing_for_a_visitor(person: Person, shelf: list[Course], path: str) -> None:
    address = path.format(id=shelf[0].id)
    person.get(address)
    with counted() as sent:
        assert person.get(address).status_code == 200
    assert sent == []


@pytest.mark.parametrize("path", OF_A_STUDENT)
def test_a_page_asks_a_student_little(person: Person, student: Account, shelf: list[Course], path: str) -> None:
    person.sign_in(student.username)
    in_cart(person, shelf)
    address = path.format(id=shelf[0].id)
    person.get(address)
    with counted() as sent:
        assert person.get(address).status_code == 200
    assert len(sent) <= OF_A_STUDENT[path], "\n".join(sent)


def test_three_lines_with_coupons_and_beli_take_fifteen_statements_to_order(
    person: Person, student: Account, shelf: list[Course], alipay: Cashier
) -> None:
    person.sign_in(student.username)
    in_cart(person, shelf)
    person.post("/settlement", {"product": [course.id for course in shelf]})
    page = person.get("/settlement")
    person.post("/settlement/choices", {**person.form(page, "choices"), "use": "all_beli"})
    with counted() as sent:
        page = person.get("/settlement")
    assert len(sent) <= SETTLEMENT, "\n".join(sent)
    with counted() as sent:
        answer = person.post("/checkout", person.form(page, "checkout"))
    assert answer.status_code == 303 and "biz_content" in answer.location
    assert len(sent) <= CHECKOUT, "\n".join(sent)
    order = out_trade_no(answer.location)
    fetch(answer.location)
    with counted() as sent:
        paid = alipay.pay(order)
    assert len(sent) <= NOTICE, "\n".join(sent)
    with counted() as sent:
        person.follow_return(paid["return_url"])
    assert len(sent) <= CONFIRMATION, "\n".join(sent)


def test_a_whole_purchase_takes_sixty_statements(
    person: Person, student: Account, shelf: list[Course], alipay: Cashier
) -> None:
    """From the first page to the lesson, Alipay's notice included; nothing is kept when it begins."""
    wanted = {"product": shelf[0].id, "policy": plan_of(shelf[0]).id}
    for path in ("/", "/courses", f"/courses/{shelf[0].id}"):
        person.get(path)  # somebody else has looked at the shop a moment ago
    with counted() as sent:
        for path in ("/", "/courses", f"/courses/{shelf[0].id}"):
            person.get(path)
        person.follow(person.post("/cart/items", wanted))
        person.follow(person.post("/settlement", {"product": shelf[0].id}))
        person.follow(person.post("/login", {"username": student.username, "password": PASSWORD, "next": "/cart"}))
        page = person.follow(person.post("/settlement", {"product": shelf[0].id}))
        form = {**person.form(page, "choices"), "use": "all_beli"}
        page = person.follow(person.post("/settlement/choices", form))
        pay_url = person.post("/checkout", person.form(page, "checkout")).location
        fetch(pay_url)
        paid = alipay.pay(out_trade_no(pay_url))
        page = person.follow_return(paid["return_url"])
        lesson = page.text.split('href="/learning/sections/')[1].split('"')[0]
        assert person.get(f"/learning/sections/{lesson}").status_code == 200
    assert len(sent) <= PURCHASE, "\n".join(sent)
