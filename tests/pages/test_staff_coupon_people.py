"""Codes made in bulk and coupons given by name: what comes out, what is refused, and that it is all or nothing."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import inspect, select
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import StaffRole
from shop.errors import StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import AuditLog, Coupon, CouponCode, CouponRecord, Notification
from shop.services import coupons
from shop.services.audit_log import Actor
from shop.services.staff import coupon_codes, coupon_gifts
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_coupon, a_draft, a_student, today_in_shanghai
from tests.person import Person
from tests.purchases import saved
from tests.statements import counted

DAY = timedelta(days=1)


@pytest.fixture
def operations(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.OPERATIONS, username="zoe").username)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def codes_of(coupon_id: int) -> list[CouponCode]:
    db.session.rollback()
    return list(db.session.scalars(select(CouponCode).where(CouponCode.coupon_id == coupon_id)))


def owners(coupon_id: int) -> set[int]:
    db.session.rollback()
    return set(db.session.scalars(select(CouponRecord.account_id).where(CouponRecord.coupon_id == coupon_id)))


def on_page(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return re.findall(r'data-code="([^"]+)"', answer.text)


def generated(person: Person, coupon_id: int, count: int) -> TestResponse:
    return person.post(f"/staff/coupons/{coupon_id}/codes", {"count": str(count), "reason": "地推"})


# ---------------------------------------------------------------- codes


def test_codes_come_in_batches_as_a_list_and_as_a_file_and_each_works_once(operations: Person) -> None:
    coupon, student = a_coupon(is_public=False), a_student(username="nami")
    answer = generated(operations, coupon.id, 60)
    assert answer.status_code == 303
    first = [code.code for code in codes_of(coupon.id)]
    assert generated(operations, coupon.id, 3).status_code == 303
    page = operations.get(f"/staff/coupons/{coupon.id}/codes")
    assert len(on_page(page)) == 50 and "60 个，已用 0" in page.text
    batch = re.search(r"batch=(\d+)", answer.location)
    assert batch is not None
    whole = f"/staff/coupons/{coupon.id}/codes.csv"
    rows = list(csv.reader(io.StringIO(operations.get(f"{whole}?batch={batch[1]}", buffered=True).text)))[1:]
    assert {row[0].replace("-", "") for row in rows} == set(first)
    assert len(list(csv.reader(io.StringIO(operations.get(whole, buffered=True).text)))) == 64
    assert coupons.claim_by_code(student.id, rows[0][0], clock.now()) == coupon.name
    saved(CouponCode(code="FORNAMI999", coupon_id=coupon.id, account_id=student.id))
    used = operations.get(f"/staff/coupons/{coupon.id}/codes?state=1")
    assert (on_page(used), "nami" in used.text) == ([rows[0][0]], True)
    assert on_page(operations.get(f"/staff/coupons/{coupon.id}/codes?state=2")) == ["FORN-AMI9-99"]
    assert "60 个，已用 1" in operations.get(f"/staff/coupons/{coupon.id}/codes").text
    trail = db.session.scalars(select(AuditLog).where(AuditLog.action == "coupon codes").order_by(AuditLog.id)).all()
    assert [(row.after, row.reason, row.actor) for row in trail] == [
        ({"count": 60}, "地推", "zoe"),
        ({"count": 3}, "地推", "zoe"),
    ]


def test_codes_have_no_look_alikes_and_cannot_be_guessed() -> None:
    codes = coupon_codes.new_codes(2_000)
    assert len(codes) == 2_000
    assert not set("".join(codes)) & set("0O1IL2Z5S8BUVQ")
    assert {len(code) for code in codes} == {coupon_codes.LENGTH}
    assert math.log2(len(set(coupon_codes.ALPHABET))) * coupon_codes.LENGTH >= 60
    assert all(len({code[place] for code in codes}) == len(coupon_codes.ALPHABET) for place in range(16))


def test_codes_count_against_the_quantity_with_what_is_claimed(operations: Person) -> None:
    coupon = a_coupon(quantity=10)
    coupons.claim(a_student().id, coupon.id, clock.now())
    assert generated(operations, coupon.id, 4).status_code == 303
    coupons.claim_by_code(a_student().id, codes_of(coupon.id)[0].code, clock.now())
    too_many = generated(operations, coupon.id, 6)
    assert (too_many.status_code, "只剩 5 张" in too_many.text) == (422, True)
    assert len(codes_of(coupon.id)) == 4
    assert generated(operations, coupon.id, 5).status_code == 303
    assert generated(operations, coupon.id, 1).status_code == 422


def test_5000_at_a_time_and_only_for_what_runs(operations: Person) -> None:
    today = today_in_shanghai()
    over = a_coupon(open_date=today - 2 * DAY, close_date=today - DAY)
    for coupon in (a_draft(), a_coupon(enabled=False), over):
        assert generated(operations, coupon.id, 1).status_code == 409
        assert codes_of(coupon.id) == []
    large = a_coupon(quantity=10_000)
    assert generated(operations, large.id, 5_001).status_code == 422
    with counted() as sent:
        assert generated(operations, large.id, 5_000).status_code == 303
    assert len(codes_of(large.id)) == 5_000
    assert sum(statement.startswith("INSERT INTO coupon_code") for statement in sent) <= 10


def test_the_list_of_codes_asks_the_same_for_few_and_for_many(operations: Person) -> None:
    coupon = a_coupon()
    generated(operations, coupon.id, 2)
    with counted() as few:
        operations.get(f"/staff/coupons/{coupon.id}/codes")
    generated(operations, coupon.id, 40)
    with counted() as many:
        assert len(on_page(operations.get(f"/staff/coupons/{coupon.id}/codes"))) == 42
    assert len(many) == len(few)


def test_what_people_hold_is_counted_by_an_index_and_not_for_a_heading(operations: Person) -> None:
    coupon = a_coupon()
    for page in ("codes", "gifts"):
        with counted() as sent:
            answer = operations.get(f"/staff/coupons/{coupon.id}/{page}")
        assert (answer.status_code, coupon.name in answer.text) == (200, True)
        assert not [statement for statement in sent if "order_detail" in statement], page
    keys = [index["column_names"] for index in inspect(db.engine).get_indexes("coupon_record")]
    assert ["coupon_id", "status"] in keys


# ---------------------------------------------------------------- gifts


def test_a_dry_run_tells_who_gets_one_and_gives_nothing(operations: Person) -> None:
    coupon = a_coupon(is_public=False)
    for name in ("nami", "zoro", "luffy"):
        a_student(username=name)
    coupons.grant(db.session.scalar(select(coupon_gifts.Account.id).filter_by(username="zoro")), coupon.id, clock.now())
    a_student(username="gone", is_active=False)
    names = "nami，zoro\r\nluffy; nobody\tgone zoe ｎａｍｉ"
    answer = operations.post(f"/staff/coupons/{coupon.id}/gifts/check", {"names": names})
    plan = {key: re.search(rf'id="{key}">(.*?)</dd>', answer.text) for key in ("gets", "has", "unknown")}
    said = {key: re.sub(r"<[^>]+>", "", found[1]).split() for key, found in plan.items() if found}
    assert said == {"gets": ["2", "nami", "luffy"], "has": ["1", "zoro"], "unknown": ["3", "nobody", "gone", "zoe"]}
    assert 'id="give"' not in answer.text
    assert len(owners(coupon.id)) == 1


def test_everybody_on_the_list_gets_one_is_told_and_it_is_on_record(operations: Person, app: Flask) -> None:
    coupon, nami, zoro = a_coupon(is_public=False), a_student(username="nami"), a_student(username="zoro")
    coupons.grant(zoro.id, coupon.id, clock.now())
    page = f"/staff/coupons/{coupon.id}/gifts"
    form = operations.form(operations.post(f"{page}/check", {"names": "nami zoro"}), "give")
    assert operations.post(page, {**form, "reason": ""}).status_code == 422
    assert owners(coupon.id) == {zoro.id}
    assert operations.post(page, {**form, "reason": "补偿"}).status_code == 303
    assert owners(coupon.id) == {nami.id, zoro.id}
    (told,) = db.session.scalars(select(Notification)).all()
    assert (told.account_id, told.link, told.facts["coupon"]) == (nami.id, "/account/coupons", coupon.name)
    assert coupon.name in Person(app).sign_in("nami").get("/messages").text
    (row,) = db.session.scalars(select(AuditLog).where(AuditLog.action == coupon_gifts.GIVEN)).all()
    record = db.session.scalars(select(CouponRecord).where(CouponRecord.account_id == nami.id)).one()
    assert (row.subject_id, row.after, row.reason, row.actor) == (record.id, {"coupon": coupon.id}, "补偿", "zoe")
    assert operations.post(page, {**form, "reason": "补偿"}).status_code == 303  # sent twice: they have it
    assert db.session.get_one(Coupon, coupon.id, populate_existing=True).claimed == 2


@pytest.mark.parametrize("what", ["unknown", "too few left", "kept for codes", "the day is full", "stopped"])
def test_nobody_gets_one_when_anything_is_wrong(operations: Person, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    coupon = a_coupon(quantity=1 if what == "too few left" else 3)
    names = [a_student().username for _each in range(2)]
    status, sentence = {
        "unknown": (422, "不认识的用户名，没有发给任何人"),
        "too few left": (422, "只剩 1 张"),
        "kept for codes": (422, "只剩 1 张"),
        "the day is full": (409, "您今天还能发 1 张"),
        "stopped": (409, "活动没有在进行"),
    }[what]
    if what == "unknown":
        names.append("nobody")
    if what == "kept for codes":
        generated(operations, coupon.id, 2)
    if what == "the day is full":
        monkeypatch.setattr(coupon_gifts, "MOST_A_DAY", 1)
    if what == "stopped":
        with unit_of_work() as session:
            session.get_one(Coupon, coupon.id).enabled = False
    answer = operations.post(f"/staff/coupons/{coupon.id}/gifts", {"names": " ".join(names), "reason": "so"})
    assert (answer.status_code, sentence in answer.text) == (status, True), answer.text
    assert owners(coupon.id) == set()
    assert db.session.scalars(select(Notification)).all() == []


def test_a_day_has_its_limit_for_each_clerk_and_a_new_day_begins(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coupon_gifts, "MOST_A_DAY", 3)
    coupon = a_coupon()
    one, other = (Actor(c.username, c.id) for c in (a_clerk(StaffRole.OPERATIONS), a_clerk(StaffRole.OPERATIONS)))
    names = [a_student().username for _each in range(7)]
    coupon_gifts.give(coupon.id, names[:2], actor=one, reason="so")
    with pytest.raises(coupon_gifts.DayIsFull):
        coupon_gifts.give(coupon.id, names[2:4], actor=one, reason="so")
    coupon_gifts.give(coupon.id, names[2:3], actor=one, reason="so")
    coupon_gifts.give(coupon.id, names[3:6], actor=other, reason="so")
    tomorrow = clock.now() + DAY
    monkeypatch.setattr(coupon_gifts.clock, "now", lambda: tomorrow)
    coupon_gifts.give(coupon.id, names[6:], actor=one, reason="so")
    monkeypatch.undo()
    assert len(owners(coupon.id)) == 7


def test_the_right_is_asked_for_again_where_something_is_given(app: Flask) -> None:
    coupon, clerk, student = a_coupon(), a_clerk(StaffRole.SERVICE), a_student()
    actor = Actor(clerk.username, clerk.id)
    with pytest.raises(StaffOnly):
        coupon_gifts.give(coupon.id, [student.username], actor=actor, reason="so")
    with pytest.raises(StaffOnly):
        coupon_codes.generate(coupon.id, 1, actor=actor, reason="so")
    assert (owners(coupon.id), codes_of(coupon.id)) == (set(), [])


def test_a_list_may_be_long_but_not_endless(operations: Person) -> None:
    coupon = a_coupon()
    check = f"/staff/coupons/{coupon.id}/gifts/check"
    assert operations.post(check, {"names": " ".join(f"name{n}" for n in range(200))}).status_code == 200
    for names in (" ".join(f"name{n}" for n in range(201)), "x" * 65, ",;，", "a\x00b", "x" * 30_000):
        assert operations.post(check, {"names": names}).status_code == 422, names[:20]
