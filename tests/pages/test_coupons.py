"""领券中心, wallet and 贝里 statement as a person meets them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from shop.enums import TransactionType
from shop.extensions import db, unit_of_work
from shop.models import CouponCode, CouponRecord
from shop.services import wallet
from tests.builders import a_coupon, a_course, a_student, today_in_shanghai
from tests.person import PASSWORD, Person
from tests.purchases import saved

DAY = timedelta(days=1)


def records() -> int:
    db.session.rollback()
    return db.session.scalars(select(func.count()).select_from(CouponRecord)).one()


@pytest.fixture
def member(person: Person) -> Person:
    return person.sign_in(a_student(beli=120, username="nami").username)


def test_the_centre_shows_worth_terms_window_and_what_is_left(person: Person) -> None:
    course = a_course(name="数据分析")
    a_coupon(course, percent=79, name="七九折", quantity=8)
    a_coupon(flat=20_000, above=50_000, name="满减", valid_begin_date=None, valid_end_date=None, coupon_valid_days=7)
    a_coupon(name="明天的券", open_date=today_in_shanghai() + DAY)
    page = person.get("/coupons").text
    for words in (
        "7.9 折",
        "限「数据分析」",
        "剩 8 张",
        "200.00 元",
        "满 500.00 元可用",
        "全站通用",
        "领取后 7 天内可用",
    ):
        assert words in page
    tomorrow = today_in_shanghai() + DAY
    assert f"{tomorrow.month}月{tomorrow.day}日 开始领取" in page


@pytest.mark.parametrize("path", ["/coupons", "/account/coupons"])
def test_what_staff_tell_about_a_coupon_is_read_by_students(member: Person, path: str) -> None:
    with_words = a_coupon(brief="只给<b>老学员</b>", name="短的")
    long = a_coupon(brief="字" * 300, name="长的")
    for coupon in (with_words, long, a_coupon(name="不说的")):
        member.post(f"/coupons/{coupon.id}/claims")
    page = member.get(path).text
    assert '<p class="coupon__brief">只给&lt;b&gt;老学员&lt;/b&gt;</p>' in page
    assert f"<summary>{'字' * 39}…</summary><p>{'字' * 300}</p>" in page
    assert page.count('class="coupon__brief"') == 2


def test_an_empty_centre_says_what_to_do_next(person: Person) -> None:
    assert "现在没有可领的优惠券" in person.get("/coupons").text


def test_a_visitor_who_claims_logs_in_first_and_comes_back(person: Person) -> None:
    username, coupon_id = a_student().username, a_coupon().id
    answer = person.post(f"/coupons/{coupon_id}/claims", headers={"Referer": "http://localhost/coupons"})
    assert (answer.status_code, answer.location) == (303, "/login?next=/coupons")
    assert records() == 0
    person.follow(answer)
    back = person.post("/login", {"username": username, "password": PASSWORD, "next": "/coupons"})
    assert back.location == "/coupons"


def test_a_claim_is_told_and_the_coupon_is_in_the_wallet(member: Person) -> None:
    coupon = a_coupon(name="新人券", flat=4_000)
    page = member.follow(member.post(f"/coupons/{coupon.id}/claims")).text
    assert "已领取「新人券」" in page
    assert "已领取</span>" in page
    wallet_page = member.get("/account/coupons").text
    assert "新人券" in wallet_page
    assert "40.00 元" in wallet_page


@pytest.mark.parametrize(
    ("target", "location"), [("/courses", "/courses"), ("//evil.example", "/coupons"), ("", "/coupons")]
)
def test_a_claim_leads_back_to_a_page_of_the_shop_only(member: Person, target: str, location: str) -> None:
    assert member.post(f"/coupons/{a_coupon().id}/claims", {"next": target}).location == location


def test_every_refused_claim_is_a_409_with_its_reason(member: Person) -> None:
    today = today_in_shanghai()
    had, none_left = a_coupon(name="已领"), a_coupon(name="领完", quantity=1, claimed=1)
    early, late = (
        a_coupon(name="早", open_date=today + DAY),
        a_coupon(name="晚", open_date=today - 3 * DAY, close_date=today - DAY),
    )
    cases = {had.id: "您已经领过一张", none_left.id: "已经被领完", early.id: "开始领取。", late.id: "领取已经结束"}
    member.post(f"/coupons/{had.id}/claims")
    for coupon_id, reason in cases.items():
        answer = member.post(f"/coupons/{coupon_id}/claims", {"next": "/courses"})
        assert (answer.status_code, reason in answer.text) == (409, True)
        assert 'href="/courses">回到刚才的页面' in answer.text
    assert records() == 1
    assert member.post("/coupons/999999/claims").status_code == 404


def test_a_code_is_turned_into_a_coupon(member: Person) -> None:
    saved(CouponCode(code="SUNNY2026", coupon_id=a_coupon(is_public=False, name="码券").id))
    page = member.follow(member.post("/coupons/codes", {"code": "sunny-2026"})).text
    assert "已兑换「码券」" in page
    assert records() == 1


def test_unknown_foreign_and_used_codes_get_the_same_page(app: Flask, member: Person) -> None:
    other, coupon_id = a_student(), a_coupon(is_public=False).id
    saved(CouponCode(code="FOREIGN", coupon_id=coupon_id, account_id=other.id))
    saved(CouponCode(code="USED", coupon_id=coupon_id))
    Person(app).sign_in(other.username).post("/coupons/codes", {"code": "USED"})
    pages = set()
    for code in ("UNKNOWN", "FOREIGN", "USED"):
        answer = member.post("/coupons/codes", {"code": code})
        assert answer.status_code == 422
        same_token = re.sub(r'(name="csrf_token"[^>]*value=")[^"]*', r"\1", answer.text)  # it tells the second
        pages.add(same_token.replace(code, "CODE"))
    assert len(pages) == 1
    assert "优惠码无效或已被使用。" in pages.pop()


def test_guessing_codes_is_slowed_for_the_guesser_only(app: Flask, member: Person) -> None:
    saved(CouponCode(code="RIGHT", coupon_id=a_coupon(is_public=False).id))
    for i in range(10):
        assert member.post("/coupons/codes", {"code": f"GUESS{i}"}).status_code == 422
    slowed = member.post("/coupons/codes", {"code": "RIGHT"})
    assert (slowed.status_code, int(slowed.headers["Retry-After"]) > 0) == (429, True)
    assert records() == 0
    other = Person(app).sign_in(a_student().username)
    assert other.post("/coupons/codes", {"code": "RIGHT"}).status_code == 303


def test_many_accounts_at_one_address_are_slowed_together(app: Flask) -> None:
    statuses = []
    for _ in range(7):
        guesser = Person(app).sign_in(a_student().username)
        statuses += [guesser.post("/coupons/codes", {"code": f"GUESS{i}"}).status_code for i in range(9)]
    assert statuses == [422] * 60 + [429] * 3


@pytest.mark.parametrize("code", ["", " ", "\0", "x" * 65, "码", "<script>"])
def test_odd_codes_are_422(member: Person, code: str) -> None:
    answer = member.post("/coupons/codes", {"code": code})
    assert answer.status_code == 422
    assert "<script>" not in answer.text.split("<main")[1]


# ---------------------------------------------------------------- wallet


@pytest.mark.parametrize("path", ["/account/coupons", "/account/beli"])
def test_the_wallet_is_for_its_owner(person: Person, path: str) -> None:
    assert person.get(path).location == f"/login?next={path}"


def test_the_wallet_says_when_each_coupon_can_be_used(member: Person) -> None:
    soon = today_in_shanghai() + 2 * DAY
    later = a_coupon(name="以后的券", valid_begin_date=soon)
    member.post(f"/coupons/{later.id}/claims")
    page = member.get("/account/coupons").text
    assert f"{soon.month}月{soon.day}日 起可用" in page
    for state in ("used", "expired"):
        assert "以后的券" not in member.get(f"/account/coupons?state={state}").text
    assert member.get("/account/coupons?state=other").status_code == 404


def test_the_beli_page_shows_balance_and_moves_newest_first(member: Person) -> None:
    page = member.get("/account/beli").text
    assert "120<span" in page
    assert "+120" in page


def test_the_beli_page_is_paged(member: Person) -> None:
    account_id = a_student(beli=500, username="usopp").id
    for amount in range(1, wallet.ROWS_A_PAGE + 1):
        with unit_of_work() as session:
            wallet.move_beli(session, account_id, TransactionType.EXPENSE, amount)
    member.post("/logout")
    member.sign_in("usopp")
    first, second = member.get("/account/beli").text, member.get("/account/beli?page=2").text
    assert "+500" not in first
    assert "-20" in first
    assert "+500" in second
    for odd in ("0", "-1", "x", "9" * 5000):
        assert member.get(f"/account/beli?page={odd}").status_code == 200
