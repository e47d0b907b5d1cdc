"""Every refusal of the checkout, reached through the form that the page served; nothing is written (design 7, 12)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import CouponStatus, PaymentMethod, ProductStatus
from shop.extensions import db
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import (
    Account,
    Coupon,
    CouponRecord,
    Course,
    DegreeCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Payment,
    PricePolicy,
    Product,
    TransactionRecord,
)
from shop.services import checkout
from tests.builders import a_claimed, a_course, a_degree, a_student, plan_of
from tests.pages.test_purchase import pay, put, settle
from tests.person import Person

WRITTEN = (Order, OrderDetail, Payment, TransactionRecord, EnrolledDegreeCourse)


class Shop:
    """A student with 100 贝里 at the settlement of a course (100.00, 立减 10.00) under 满50减20 for the whole shop."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.student = a_student(beli=100)
        self.course = a_course(10_000)
        self.bound = a_claimed(self.student, self.course, flat=1_000)
        self.site = a_claimed(self.student, flat=2_000, above=5_000)
        person.sign_in(self.student.username)
        self.page = settle(person, self.course)

    def fingerprint(self) -> tuple[object, ...]:
        db.session.rollback()
        counts = tuple(db.session.scalar(sa.select(sa.func.count()).select_from(table)) for table in WRITTEN)
        balance = db.session.scalar(sa.select(Account.balance).where(Account.id == self.student.id))
        coupons = db.session.execute(sa.select(CouponRecord.id, CouponRecord.status, CouponRecord.order_id)).all()
        return counts, balance, coupons


@pytest.fixture
def ready(person: Person) -> Shop:
    return Shop(person)


def orders() -> int:
    db.session.rollback()
    return db.session.query(Order).count()


def change(statement: sa.Executable) -> None:
    db.session.rollback()
    db.session.execute(statement)
    db.session.commit()


def take_off_sale(ready: Shop) -> None:
    change(sa.update(Product.__table__).values(status=int(ProductStatus.OFF_SALE)))


def remove_plan(ready: Shop) -> None:
    change(sa.delete(PricePolicy).where(PricePolicy.product_id == ready.course.id))


def end(record: str) -> Callable[[Shop], None]:
    def expire(ready: Shop) -> None:
        yesterday = clock.now() - timedelta(days=1)
        values = {"valid_from": yesterday - timedelta(days=1), "valid_until": yesterday}
        change(sa.update(CouponRecord).where(CouponRecord.id == getattr(ready, record).id).values(**values))

    return expire


def raise_minimum(ready: Shop) -> None:
    change(sa.update(Coupon).where(Coupon.id == ready.site.coupon_id).values(minimum_consume_fen=50_000))


def spend_beli(shop: Shop) -> None:
    change(sa.update(Account).where(Account.id == shop.student.id).values(balance=19))


def raise_price(ready: Shop) -> None:
    change(sa.update(PricePolicy).where(PricePolicy.product_id == ready.course.id).values(price_fen=12_000))


def nothing(ready: Shop) -> None:
    pass


CASES = {
    "1001 money below 0": (1001, 422, {"money": "-1.00"}, nothing),
    "1002 more 贝里 than the account has (B12)": (1002, 409, {"balance": "20"}, spend_beli),
    "1003 off sale": (1003, 409, {}, take_off_sale),
    "1004 course coupon over (B29)": (1004, 409, {}, end("bound")),
    "1005 plan gone": (1005, 409, {}, remove_plan),
    "1006 site coupon over (B22)": (1006, 409, {}, end("site")),
    "1007 a cent off (B14)": (1007, 409, {"money": "69.99"}, nothing),
    "1007 price changed since (B24)": (1007, 409, {}, raise_price),
    "1008 another token": (1008, 409, {"token": "of-another-page"}, nothing),
    "1011 minimum not reached (B20, B21)": (1011, 409, {}, raise_minimum),
    "1012 more 贝里 than due": (1012, 409, {"balance": "71"}, nothing),
}


@pytest.mark.parametrize("case", CASES)
def test_a_refused_checkout_says_why_and_writes_nothing(ready: Shop, case: str) -> None:
    code, status, fields, before = CASES[case]
    assert ready.person.form(ready.page, "checkout")["money"] == "70.00"
    before(ready)
    as_it_was = ready.fingerprint()

    answer = pay(ready.person, ready.page, **fields)

    assert answer.status_code == status, answer.text
    assert f'data-code="{code}"' in answer.text
    assert ready.fingerprint() == as_it_was


MALFORMED = {
    "balance": ["", "-1", "0.5", "NaN", "true", "1e9", "１２", "99999999999999999999", " 1", "+1", "1_0", "٣"],
    "money": ["", "NaN", "Infinity", "1e3", "70.000", "７０.00", "--1", "70,00", "sNaN", "\n70.00", "1" * 5000],
    "token": ["", "x" * 65],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in MALFORMED.items() for value in values]
)
def test_malformed_input_is_a_422_on_the_form_and_writes_nothing(ready: Shop, field: str, value: str) -> None:
    """B12, B13; safety.md 1.3."""
    as_it_was = ready.fingerprint()

    answer = pay(ready.person, ready.page, **{field: value})

    assert answer.status_code == 422
    assert 'id="checkout"' in answer.text
    assert ready.fingerprint() == as_it_was


@pytest.mark.parametrize("field", ["token", "balance", "money"])
def test_a_missing_or_doubled_field_is_a_422(ready: Shop, field: str) -> None:
    as_it_was = ready.fingerprint()
    form = ready.person.form(ready.page, "checkout")
    missing = ready.person.post("/checkout", {name: value for name, value in form.items() if name != field})
    doubled = ready.person.post("/checkout", {**form, field: [form[field], form[field]]})
    assert (missing.status_code, doubled.status_code) == (422, 422)
    assert ready.fingerprint() == as_it_was


def test_the_refused_page_shows_old_and_new_and_a_button_that_works(ready: Shop) -> None:
    """Looks: the changed line is marked, and one press pays the new amount."""
    raise_price(ready)
    answer = pay(ready.person, ready.page)
    assert "line--changed" in answer.text
    for amount in ("100.00", "120.00", "70.00", "90.00"):
        assert amount in answer.text
    assert pay(ready.person, answer).status_code == 303


def test_a_coupon_that_ended_is_left_out_on_the_refused_page_and_the_button_works(ready: Shop) -> None:
    end("bound")(ready)
    answer = pay(ready.person, ready.page)
    assert ready.person.form(answer, "checkout")["money"] == "80.00"
    assert pay(ready.person, answer).status_code == 303


@pytest.mark.parametrize("record", ["bound", "site"])
def test_a_coupon_that_was_stopped_or_marked_as_over_is_refused_by_its_name(ready: Shop, record: str) -> None:
    """B22, A04: the number of a coupon record says nothing to its owner."""
    coupon = getattr(ready, record)
    name = coupon.coupon.name
    change(sa.update(CouponRecord).where(CouponRecord.id == coupon.id).values(status=int(CouponStatus.EXPIRED)))
    assert f"「{name}」不能使用" in pay(ready.person, ready.page).text


def test_a_press_on_an_old_page_leaves_the_newer_page_of_another_tab_alone(ready: Shop) -> None:
    newer = settle(ready.person, a_course(5_000))
    assert pay(ready.person, ready.page).status_code == 409
    assert pay(ready.person, newer).status_code == 303


def test_an_owned_degree_is_refused_kindly_at_settlement_and_checkout(person: Person) -> None:
    """B32, 1013: bought in another tab between the page and the press."""
    student, degree, course = a_student(), a_degree(0), a_course(10_000)
    person.sign_in(student.username)
    page = settle(person, degree, course)
    free = pay(person, settle(person, degree))
    assert free.status_code == 303
    put(person, course)

    old = pay(person, page)
    assert 'data-code="1008"' in old.text  # the older page was replaced by the free one's settlement
    person.post("/cart/items", {"product": course.id, "policy": plan_of(course).id})
    answer = person.post("/settlement", {"product": [degree.id]})
    assert answer.status_code == 409


def test_a_second_order_for_the_same_product_is_offered_the_first_one(person: Person) -> None:
    """1014, A27: at the settlement, and at the checkout when the order came between."""
    student, course = a_student(), a_course(10_000)
    person.sign_in(student.username)
    first = settle(person, course)
    assert pay(person, first).status_code == 303
    person.post("/cart/items", {"product": course.id, "policy": plan_of(course).id})
    answer = person.post("/settlement", {"product": [course.id]})
    assert answer.status_code == 409
    assert 'data-code="1014"' in answer.text
    assert orders() == 1


def test_1014_at_the_checkout_when_an_order_came_between(person: Person) -> None:
    student, course = a_student(), a_course(10_000)
    person.sign_in(student.username)
    page = settle(person, course)
    _order_elsewhere(student, course)
    answer = pay(person, page)
    assert (answer.status_code, 'data-code="1014"' in answer.text) == (409, True)
    assert orders() == 1


def test_1013_at_the_checkout_when_the_degree_was_bought_elsewhere(person: Person) -> None:
    student, degree = a_student(), a_degree(0)
    person.sign_in(student.username)
    page = settle(person, degree)
    _order_elsewhere(student, degree)
    answer = pay(person, page)
    assert (answer.status_code, 'data-code="1013"' in answer.text) == (409, True)
    assert orders() == 1


def _order_elsewhere(student: Account, product: Course | DegreeCourse) -> None:
    """The same account orders the same product through a settlement of another device."""
    plan = plan_of(product)
    settlement = Settlement((Pick(product.id, plan.id),))
    checkout.place_order(student.id, settlement, money_fen=plan.price_fen, beli=0, method=PaymentMethod.PAGE)


def test_nothing_selected_is_1009(person: Person) -> None:
    """B26: an empty settlement, and one of products that are not in the cart."""
    student, course = a_student(), a_course()
    person.sign_in(student.username)
    for products in ([], [course.id]):
        answer = person.post("/settlement", {"product": products})
        assert (answer.status_code, 'data-code="1009"' in answer.text) == (409, True)


def test_a_failed_checkout_of_one_person_does_not_spoil_anothers(ready: Shop) -> None:
    """B03."""
    assert pay(ready.person, ready.page, money="1.00").status_code == 409
    other = Person(ready.person.client.application)
    other.sign_in(a_student().username)
    assert pay(other, settle(other, ready.course)).status_code == 303


def test_which_refusal_comes_first(ready: Shop) -> None:
    """Design 12: 1008, 1001, 1003, 1005, 1013, 1014, 1004, 1006, 1011, 1012, 1002, 1007."""
    told = []
    for spoil, fields in (
        (end("bound"), {"balance": "500", "money": "1.00"}),
        (end("site"), {"balance": "500", "money": "1.00"}),
    ):
        page = settle(ready.person, ready.course)
        spoil(ready)
        told.append(_code(pay(ready.person, page, **fields)))
    page = settle(ready.person, ready.course)
    told.append(_code(pay(ready.person, page, balance="101", money="1.00")))
    change(sa.update(Account).where(Account.id == ready.student.id).values(balance=10))
    told.append(_code(pay(ready.person, settle(ready.person, ready.course), balance="11", money="1.00")))
    told.append(_code(pay(ready.person, settle(ready.person, ready.course), money="1.00")))
    take_off_sale(ready)
    assert told == [1004, 1006, 1012, 1002, 1007]


def _code(answer: TestResponse) -> int:
    return int(answer.text.split('data-code="')[1].split('"')[0])


def test_a_post_without_the_token_of_the_form_is_a_400(ready: Shop) -> None:
    """B51."""
    as_it_was = ready.fingerprint()
    form = ready.person.form(ready.page, "checkout")
    del form["csrf_token"]
    assert ready.person.client.post("/checkout", data=form).status_code == 400
    assert ready.fingerprint() == as_it_was


def test_an_anonymous_checkout_leads_to_the_log_in(person: Person) -> None:
    """B06."""
    answer = person.post("/checkout", {"token": "x", "balance": "0", "money": "1.00"})
    assert answer.status_code == 303
    assert answer.location.startswith("/login")
