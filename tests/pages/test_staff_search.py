"""The search of the staff: numbers and user names by how they begin, names of products by any part of them."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from flask import Flask
from markupsafe import escape

from shop import clock
from shop.enums import StaffRole, TroubleKind
from shop.extensions import db, unit_of_work
from shop.models import Account, Trouble, Withdrawal
from shop.services import withdrawals
from shop.services.staff import search
from tests.builders import a_claimed, a_clerk, a_coupon, a_course, a_degree, a_student
from tests.cashier.parts import Cashier
from tests.degrees import a_mentor
from tests.person import Person
from tests.purchases import enrolled_in_degree, saved
from tests.refunding import asked, bought
from tests.statements import counted

PHONE = "13912345678"


def somebody(app: Flask, *roles: StaffRole) -> Person:
    return Person(app).sign_in(a_clerk(*roles).username)


def found_by(person: Person, q: object) -> str:
    """Where a search that has one hit leads to."""
    answer = person.post("/staff/search", {"q": q})
    return answer.location if answer.status_code == 303 else ""


def test_every_number_leads_to_its_page(app: Flask, alipay: Cashier) -> None:
    student = a_student(beli=50, username="nami", mobile=PHONE)
    number = bought(alipay, student, [a_course(30_000)], beli=50)
    refund = asked(student, number)
    finance = somebody(app, StaffRole.FINANCE)
    ledger = db.session.scalar(sa.text("SELECT transaction_number FROM transaction_record WHERE order_id IS NOT NULL"))
    given = db.session.scalar(sa.text("SELECT transaction_number FROM transaction_record WHERE order_id IS NULL"))
    assert found_by(finance, given) == f"/staff/people/{student.id}"
    trade = db.session.scalar(sa.text("SELECT trade_no FROM payment WHERE trade_no IS NOT NULL"))
    page = f"/staff/orders/{number}"
    cases = {number: page, f"{number}01": page, ledger: page, refund: f"/staff/refunds/{refund}"}
    for q, href in cases.items():
        assert found_by(finance, q) == href, q
    assert number in finance.post("/staff/search", {"q": trade}).text or found_by(finance, trade) == page
    for q in ("nami", PHONE, student.email):
        for role in (StaffRole.FINANCE, StaffRole.SERVICE, StaffRole.REGISTRY):
            assert found_by(somebody(app, role), q) == f"/staff/people/{student.id}", (role, q)
    both = somebody(app, StaffRole.ADMIN).post("/staff/search", {"q": "nami"}).text
    assert f"/staff/accounts/{student.id}" in both and f"/staff/people/{student.id}" in both
    assert found_by(somebody(app, StaffRole.OPERATIONS), "nami") == ""
    nothing = somebody(app, StaffRole.OPERATIONS).post("/staff/search", {"q": number})
    assert nothing.status_code == 200 and page not in nothing.text


def hits(person: Person, q: object) -> dict[str, str]:
    """What a search shows: where each hit leads, and what it is called."""
    found = re.findall(r'<th scope="row"><a href="([^"]+)">([^<]+)</a>', person.post("/staff/search", {"q": q}).text)
    return dict(found)


def test_a_number_is_found_by_how_it_begins_from_six_characters_on(app: Flask, alipay: Cashier) -> None:
    student, course = a_student(beli=50), a_course(30_000)
    coupon = a_claimed(student, course, flat=1_000)
    number = bought(alipay, student, [course], beli=50, coupons={course.id: coupon.id})
    refund = asked(student, number)
    finance, page = somebody(app, StaffRole.FINANCE), f"/staff/orders/{number}"
    ledger = db.session.scalar(sa.text("SELECT transaction_number FROM transaction_record WHERE order_id IS NOT NULL"))
    given = db.session.scalar(sa.text("SELECT transaction_number FROM transaction_record WHERE order_id IS NULL"))
    trade = db.session.scalar(sa.text("SELECT trade_no FROM payment WHERE trade_no IS NOT NULL"))
    for whole, href in (
        (number, page),
        (ledger, page),
        (trade, page),
        (refund, f"/staff/refunds/{refund}"),
        (given, f"/staff/people/{student.id}"),
    ):
        for length in (6, 9, len(whole) - 1):
            assert found_by(finance, whole[:length]) == href, (whole, length)
        for bad in (whole[:5], f"x{whole}", f"{whole[:9]}!", whole[:6] + "%"):
            assert found_by(finance, bad) == "" == "".join(hits(finance, bad)), bad
    record = coupon.number[:8]
    assert set(hits(finance, record)) == {page, f"/staff/coupons/{coupon.coupon_id}"}
    assert found_by(somebody(app, StaffRole.OPERATIONS), record) == f"/staff/coupons/{coupon.coupon_id}"


def test_money_without_a_home_and_withdrawals_are_found_by_how_they_begin(app: Flask) -> None:
    finance = somebody(app, StaffRole.FINANCE)
    odd = Trouble(
        kind=TroubleKind.UNKNOWN_TRADE, out_trade_no="ABCDEFGH", trade_no="20261234567", amount_fen=1, found_by="bill"
    )
    odd = saved(odd)
    request = withdrawals.ask(a_mentor(beli=500).id, 100, payee_account="a@b.cn", payee_name="沈舟", now=clock.now())
    with unit_of_work() as session:
        session.get_one(Withdrawal, request.id).payment_number = "PAY-2026_12"
    for q in ("ABCDEF", "202612", "20261234567"):
        assert found_by(finance, q) == f"/staff/money#trouble-{odd.id}", q
    for q in ("PAY-20", "PAY-2026_12"):
        assert found_by(finance, q) == f"/staff/withdrawals/{request.id}", q
    for q in ("ABCDE", "20261", "BCDEFGH", "PAY-2", "PAY-2026%"):
        assert hits(finance, q) == {} and found_by(finance, q) == "", q


def test_products_and_campaigns_are_found_by_any_part_of_their_names(app: Flask) -> None:
    sea, stars = a_course(name="航海术 Sea"), a_course(name="航海星图")
    coupon = a_coupon(name="航海券")
    operations = somebody(app, StaffRole.OPERATIONS)
    product, campaign = "/staff/catalogue/products/", "/staff/coupons/"
    assert set(hits(operations, "航海")) == {f"{product}{sea.id}", f"{product}{stars.id}", f"{campaign}{coupon.id}"}
    assert found_by(operations, "星图") == f"{product}{stars.id}"
    assert found_by(operations, "sea") == f"{product}{sea.id}"
    assert found_by(operations, f"#{sea.id}") == f"{product}{sea.id}" or len(hits(operations, f"#{sea.id}")) == 2
    for q in ("航海_", "%", "烹饪"):
        assert hits(operations, q) == {} and found_by(operations, q) == "", q
    assert hits(somebody(app, StaffRole.REGISTRY), "航海") == {}


def test_a_person_is_found_by_the_beginning_of_the_user_name_and_shown_with_roles(app: Flask) -> None:
    student, clerk = a_student(username="nami_1"), a_clerk(StaffRole.FINANCE, StaffRole.SERVICE)
    with unit_of_work() as session:
        session.get_one(Account, clerk.id).username = "nami_2"
    people = {f"/staff/people/{student.id}": "nami_1", f"/staff/people/{clerk.id}": "nami_2"}
    finance = somebody(app, StaffRole.FINANCE)
    assert hits(finance, "na") == hits(finance, "ｎａｍｉ") == people
    page = finance.post("/staff/search", {"q": "nami"}).text
    assert all(label in page for label in ("学员", "财务", "客服")) and "管理员" not in page
    masked = hits(somebody(app, StaffRole.SERVICE), "nami")
    assert masked == dict.fromkeys(people, "n*")
    for q in ("n", "ami", "na%", "NA"):
        assert hits(finance, q) == {} and found_by(finance, q) == "", q
    accounts = {f"/staff/accounts/{student.id}", f"/staff/accounts/{clerk.id}"}
    assert set(hits(somebody(app, StaffRole.ADMIN), "nami")) == people.keys() | accounts
    assert hits(somebody(app, StaffRole.OPERATIONS), "nami") == {}


def test_a_real_name_is_for_those_who_may_see_it_and_for_students_of_a_degree(app: Flask) -> None:
    degree = a_degree()
    student, other = a_student(username="nami", name="航娜美"), a_student(username="zoro", name="航娜美")
    enrolled_in_degree(student, degree)
    registry = somebody(app, StaffRole.REGISTRY)
    found = hits(registry, "航娜美")
    assert set(found) == {f"/staff/people/{student.id}", "/staff/studies?username=nami"}
    assert "航娜美" not in "".join(found.values()) and other.username not in found.values()
    for role in (StaffRole.FINANCE, StaffRole.SERVICE, StaffRole.ADMIN, StaffRole.OPERATIONS):
        person = somebody(app, role)
        assert hits(person, "航娜美") == {} and found_by(person, "航娜美") == "", role
    assert hits(registry, "航娜") == {}


def test_of_too_many_some_are_shown_and_it_is_said(app: Flask) -> None:
    for number in range(search.MOST + 1):
        a_course(name=f"航海术 {number}")
    operations = somebody(app, StaffRole.OPERATIONS)
    assert len(hits(operations, "航海")) == search.MOST
    page = operations.post("/staff/search", {"q": "航海"}).text
    assert "课程：符合的太多，没有全部列出（每种最多 20 项）" in page
    assert "符合的太多" not in operations.post("/staff/search", {"q": "航海术 1"}).text


def test_whoever_comes_after_the_people_that_are_looked_at_is_not_forgotten(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "LOOK", 2)
    for name in ("nami1", "nami2", "nami3"):
        a_student(username=name)
    enrolled_in_degree(a_student(username="nami4"), a_degree())
    registry = somebody(app, StaffRole.REGISTRY)
    page = registry.post("/staff/search", {"q": "nami"}).text
    assert "人员：订单、券、学习、学位学员" in page and "符合的太多" in page
    assert "符合的太多" not in registry.post("/staff/search", {"q": "nami4"}).text


def test_what_was_typed_stays_with_what_can_be_found(app: Flask) -> None:
    """In box and heading; not in the title, which a browser keeps in its history."""
    for number in range(2):
        a_course(name=f"航海术 {number}")
    operations = somebody(app, StaffRole.OPERATIONS)
    for q in ("航海", "烹饪", PHONE, '"><b>x'):
        page, shown = operations.post("/staff/search", {"q": f" {q} "}).text, escape(q)
        assert f'maxlength="128" value="{shown}">' in page and f"<h1>搜索“{shown}”的结果</h1>" in page, q
        assert "号码至少输入前 6 位" in page and "<title>搜索结果 · 路飞学城</title>" in page, q
    nothing = operations.post("/staff/search", {"q": ""}).text
    assert "<h1>搜索结果</h1>" in nothing and "号码至少输入前 6 位" in nothing


def test_the_two_pages_of_one_person_are_told_apart(app: Flask) -> None:
    a_student(username="nami")
    page = somebody(app, StaffRole.ADMIN).post("/staff/search", {"q": "nami"}).text
    assert "<td>人员：订单、券、学习</td>" in page and "<td>账户：角色、停用</td>" in page


def test_a_search_asks_the_same_however_much_it_finds(app: Flask) -> None:
    everything = somebody(app, *StaffRole)
    for number in range(2):
        a_student(username=f"nami{number}")
    everything.post("/staff/search", {"q": "nami"})
    with counted() as few:
        everything.post("/staff/search", {"q": "nami"})
    for number in range(2, 12):
        a_student(username=f"nami{number}")
    with counted() as many:
        assert len(hits(everything, "nami")) > 12
    assert len(many) == len(few)


@pytest.mark.parametrize("q", ["", " ", "\x00", "x" * 129, "%", "_", "' OR 1=1 --", "\ud800"], ids=repr)
def test_a_search_for_nothing_finds_nothing(app: Flask, q: str) -> None:
    a_student(username="nami")
    answer = somebody(app, StaffRole.FINANCE).post("/staff/search", {"q": q.encode("utf-8", "surrogatepass")})
    assert answer.status_code in (200, 422)
    assert "nami" not in answer.text


def test_what_was_searched_for_is_in_no_address_and_no_log(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    a_student(username="nami", mobile=PHONE)
    answer = somebody(app, StaffRole.FINANCE).post("/staff/search", {"q": PHONE})
    assert PHONE not in answer.location
    assert PHONE not in "".join(capfd.readouterr())
