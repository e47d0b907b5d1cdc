"""What no page of ours sends: refused in words on both databases, and nothing is written (safety.md 1.4 and 5)."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import redis

from shop.extensions import db
from shop.models import CouponRecord, Order
from tests.builders import a_claimed, a_coupon, a_course, a_student, plan_of
from tests.pages.test_purchase import pay, put, settle
from tests.person import Person


def a_buyer(person: Person, **values: Any) -> Any:
    student = a_student(**values)
    person.sign_in(student.username)
    return student


def orders() -> int:
    db.session.rollback()
    return db.session.query(Order).count()


# ---------------------------------------------------------------- addresses and fields


@pytest.mark.parametrize("number", ["%00", "A%00B", "%EF%BC%91", "a/b", "x" * 33])
@pytest.mark.parametrize("action", ["", "/payments", "/cancellation", "/inquiry"])
def test_an_order_number_that_cannot_be_one_is_not_found(person: Person, number: str, action: str) -> None:
    """PostgreSQL refuses NUL with an error where SQLite finds nothing."""
    a_buyer(person)
    path = f"/orders/{number}{action}"
    assert (person.post(path) if action else person.get(path)).status_code == 404


@pytest.mark.parametrize("token", ["\x00", "a\x00b", "令牌", "a b"])
def test_a_token_that_cannot_be_one_is_malformed(person: Person, token: str) -> None:
    a_buyer(person)
    page = settle(person, a_course())
    assert pay(person, page, token=token).status_code == 422
    assert orders() == 0


@pytest.mark.parametrize(
    "fields",
    [{"balance": "1.5"}, {"balance": "-1"}, {"balance": "9999999999"}, {"site_coupon": "x"}, {"coupon-7": "-1"}],
    ids=str,
)
def test_a_malformed_choice_is_told_on_the_settlement_itself(person: Person, fields: dict[str, str]) -> None:
    """Design 7: malformed input is a 422 on the form, and the choice made before stays."""
    student, course = a_buyer(person, beli=5), a_course()
    bound = a_claimed(student, course)
    settle(person, course)
    answer = person.post("/settlement/choices", {"balance": "0", "site_coupon": "0", **fields})
    assert answer.status_code == 422
    assert 'id="checkout"' in answer.text
    assert 'role="alert"' in answer.text
    assert person.form(answer, "choices")[f"coupon-{course.id}"] == str(bound.id)


def test_a_coupon_field_sent_twice_is_malformed(person: Person) -> None:
    student, course = a_buyer(person), a_course()
    records = [a_claimed(student, course).id, a_claimed(student, course).id]
    settle(person, course)
    assert person.post("/settlement/choices", {f"coupon-{course.id}": records}).status_code == 422


# ---------------------------------------------------------------- who does not buy


def test_staff_look_but_do_not_buy_and_claim_nothing(person: Person) -> None:
    """Safety.md 4: staff accounts do not buy."""
    course, coupon = a_course(0), a_coupon()
    a_buyer(person, is_staff=True)
    page = settle(person, course)
    assert page.status_code == 200
    refused = [
        pay(person, page),
        person.post("/settlement/choices", {"balance": "0"}),
        person.post(f"/coupons/{coupon.id}/claims"),
        person.post("/coupons/codes", {"code": "ABCD"}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert (orders(), db.session.query(CouponRecord).count()) == (0, 0)


# ---------------------------------------------------------------- coupons that would be wasted


def test_no_coupon_is_offered_or_taken_where_there_is_nothing_to_pay(person: Person) -> None:
    """A21: a coupon on a free course or a site coupon on nothing would be used up for nothing."""
    student, free = a_buyer(person), a_course(0)
    bound, site = a_claimed(student, free), a_claimed(student)
    page = settle(person, free)
    assert {f"coupon-{free.id}", "site_coupon"} & person.form(page, "choices").keys() == set()

    wish = {f"coupon-{free.id}": bound.id, "site_coupon": site.id, "balance": "0"}
    page = person.follow(person.post("/settlement/choices", wish))

    assert pay(person, page).status_code == 303
    assert orders() == 1
    assert db.session.query(CouponRecord).filter(CouponRecord.order_id.is_not(None)).count() == 0


# ---------------------------------------------------------------- garbage in Redis (F16)

GARBAGE: dict[str, Any] = {
    "a list for a coupon": {"site_coupon": [1]},
    "text for a coupon": {"site_coupon": "7"},
    "a product beyond the database": {"picks": [[2**40, 1]]},
    "a plan beyond the database": {"picks": [[1, 2**70]]},
    "a negative product": {"picks": [[-1, 1]]},
    "a product twice": {"picks": [[1, 1], [1, 1]]},
    "no product": {"picks": []},
    "three numbers": {"picks": [[1, 2, 3]]},
    "a coupon beyond the database": {"line_coupons": {"1": 2**63}},
    "coupons as a list": {"line_coupons": [1]},
    "negative beli": {"beli": -5},
    "endless beli": {"beli": float("inf")},
    "a time without its zone": {"expires_at": "2099-01-01T00:00:00"},
    "a number for a time": {"expires_at": 5},
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_settlement_that_we_did_not_write_is_gone(person: Person, redis_client: redis.Redis, garbage: str) -> None:
    student = a_buyer(person)
    form = person.form(settle(person, a_course()), "checkout")
    key = f"settlement:{{a{student.id}}}"
    body = json.loads(str(redis_client.hget(key, "body")))
    redis_client.hset(key, "body", json.dumps({**body, **GARBAGE[garbage]}))

    assert person.get("/settlement").status_code == 302
    assert person.post("/settlement/choices", {"balance": "0"}).status_code == 409
    assert person.post("/checkout", form).status_code == 409
    assert orders() == 0


@pytest.mark.parametrize("user", [5, ["a"], {"a": 1}, True, "x", "1.1.1"], ids=str)
def test_a_session_of_nobody_is_a_visitors(person: Person, redis_client: redis.Redis, user: object) -> None:
    a_buyer(person)
    (key,) = redis_client.keys("sess:*")
    moment = time.time()
    record = {"data": {"_user_id": user}, "born": moment, "seen": moment, "strict": False}
    redis_client.set(key, json.dumps(record))
    assert person.get("/").status_code == 200
    assert person.get("/account").status_code == 303


def test_a_cart_line_that_cannot_be_shown_is_absent(person: Person, redis_client: redis.Redis) -> None:
    student, course = a_buyer(person), a_course()
    put(person, course)
    line = {"policy": plan_of(course).id, "seen_fen": 1, "name": "\ud800", "added": 1, "selected": True}
    redis_client.hset(f"cart:{{a{student.id}}}", "99", json.dumps(line))
    page = person.get("/cart")
    assert page.status_code == 200
    assert page.text.count("data-product=") == 1
