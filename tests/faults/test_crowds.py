"""Many people at once, over HTTP, at several processes (safety.md 3.7): correct in the end, and nobody locked out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from shop.extensions import db
from shop.models import Coupon, CouponCode, CouponRecord, Order
from tests.audit import assert_audit_clean
from tests.builders import a_coupon, a_course, a_student, plan_of
from tests.cashier.parts import Answer
from tests.faults.processes import Web
from tests.faults.purchase import count
from tests.person import PASSWORD, Person
from tests.purchases import saved

BUYERS = 60
TRIES = 20
BUSY = (429, 503)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def patiently(request: Callable[[], Answer]) -> Answer:
    """The answer, asked for again while the shop says that it is too busy; it must say for how long."""
    for _ in range(TRIES):
        answer = request()
        if answer.status not in BUSY:
            return answer
        assert int(answer.headers["Retry-After"]) > 0
        time.sleep(0.2)
    raise AssertionError("too busy for too long")


def test_f74_60_buyers_of_a_hot_course_with_30_coupons_all_get_what_they_can(app: Flask, web: Web) -> None:
    course, coupon = a_course(), a_coupon(flat=1_000, quantity=30)
    item = {"product": course.id, "policy": plan_of(course).id}
    claims = f"/coupons/{coupon.id}/claims"
    buyers = [Person(app).sign_in(a_student().username) for _ in range(BUYERS)]
    db.session.remove()

    def buy(person: Person) -> tuple[int, str, int]:
        claimed = patiently(lambda: web.post(claims, {}, person)).status
        assert patiently(lambda: web.post("/settlement", item, person)).status == 303
        form = person.form(patiently(lambda: web.get("/settlement", person)), "checkout")  # type: ignore[arg-type]
        return claimed, form["money"], patiently(lambda: web.post("/checkout", form, person)).status

    with ThreadPoolExecutor(BUYERS) as threads:
        became = Counter(threads.map(buy, buyers))
    assert became == {(303, "90.00", 303): 30, (409, "100.00", 303): 30}
    assert count(Order) == BUYERS
    assert count(CouponRecord) == count(CouponRecord, CouponRecord.order_id.is_not(None)) == 30
    assert db.session.query(Coupon.claimed).scalar() == 30


def test_f75_of_50_guesses_at_once_five_are_looked_at_and_the_victim_logs_in(app: Flask, web: Web) -> None:
    victim = a_student().username
    guesser = Person(app)
    guesser.get("/login")
    answers = all_at_once(web, "/login", {"username": victim, "password": "a wrong guess"}, guesser)
    assert Counter(answer.status for answer in answers) == {422: 5, 429: 45}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status == 429)
    home = {"environ_base": {"REMOTE_ADDR": "198.51.100.7"}}
    assert Person(app).post("/login", {"username": victim, "password": PASSWORD}, **home).status_code == 303


def test_f75_of_50_guessed_codes_at_once_ten_are_looked_at_and_others_use_theirs(app: Flask, web: Web) -> None:
    saved(CouponCode(code="THEONE", coupon_id=a_coupon(is_public=False).id))
    guesser = Person(app).sign_in(a_student().username)
    answers = all_at_once(web, "/coupons/codes", {"code": "GUESS"}, guesser)
    assert Counter(answer.status for answer in answers) == {422: 10, 429: 40}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status == 429)
    assert guesser.post("/coupons/codes", {"code": "THEONE"}).status_code == 429
    other = Person(app).sign_in(a_student().username)
    assert other.post("/coupons/codes", {"code": "THEONE"}).status_code == 303


def all_at_once(web: Web, path: str, form: dict[str, str], person: Person) -> list[Answer]:
    db.session.remove()
    with ThreadPoolExecutor(50) as threads:
        return list(threads.map(lambda _: web.post(path, form, person), range(50)))
