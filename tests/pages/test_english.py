"""The shop in English: every page, with everything on it that the shop says. What the catalogue says stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from babel.messages.pofile import read_po
from flask import Flask, render_template
from werkzeug.test import TestResponse

from shop.enums import CourseType, ProductStatus, TeacherRole
from shop.extensions import db
from shop.models import (
    Course,
    CourseDetail,
    CourseOutline,
    DegreeCourse,
    Homework,
    OftenAskedQuestion,
    Order,
    OrderDetail,
    PricePolicy,
    Product,
    Scholarship,
    Teacher,
)
from shop.services import orders, refund_decisions, refunds
from shop.services.audit_log import Actor
from shop.services.staff.search import KINDS
from shop.web.staff import MENU
from shop.wording import TRANSLATIONS, say
from tests import refunding
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_coupon, a_course, a_degree, a_student, today_in_shanghai
from tests.cashier.parts import Cashier, fetch
from tests.pages.test_learning import ANSWERS
from tests.pages.test_purchase import pay, put, settle
from tests.person import Person
from tests.purchases import enrolled, enrolled_in_degree, off_sale

CHINESE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
ENGLISH = {"Accept-Language": "en-GB,en;q=0.9"}
WAY_BACK = 'lang="zh-CN" aria-label="中文">中文<'  # the button that leads to Chinese says so in Chinese
SAYS_THE_SHOP = ("audit_log", "order_detail", "payment")  # tables with texts of the shop's own


@pytest.fixture
def reader(person: Person) -> Person:
    """Somebody who chose English."""
    person.post("/language", {"language": "en"})
    return person


def translate_data() -> None:
    """Stand-ins for all Chinese that authors wrote, so that what is Chinese on a page afterwards is the shop's."""
    db.session.rollback()
    for table in db.metadata.sorted_tables:
        if table.name in SAYS_THE_SHOP:
            continue
        for row in db.session.execute(sa.select(table)).mappings().all():
            texts = {name: value for name, value in row.items() if isinstance(value, str) and CHINESE.search(value)}
            if texts:
                here = [column == row[column.name] for column in table.primary_key]
                change(sa.update(table).where(*here).values({name: _stand_in(text) for name, text in texts.items()}))


def _stand_in(text: str) -> str:
    return CHINESE.sub(lambda found: f"{ord(found[0]):x}", text)


def change(statement: sa.Executable) -> None:
    db.session.execute(statement)
    db.session.commit()


def english(answer: TestResponse, status: int = 200) -> TestResponse:
    """The answer, which has this status and is in English throughout: texts, labels, titles, hints."""
    assert answer.status_code == status, answer.text[:500]
    assert_english(answer.text)
    return answer


def assert_english(page: str) -> None:
    assert '<html lang="en">' in page
    chinese = [line.strip() for line in page.replace(WAY_BACK, "").splitlines() if CHINESE.search(line)]
    assert chinese == []


def visit(reader: Person, addresses: Iterable[str]) -> None:
    for address in addresses:
        english(reader.get(address))


def a_rich_course() -> Course:
    """A course with everything on its page."""
    course = a_course(
        9_900,
        19_900,
        teachers=[Teacher(name="雷利", title="讲师"), Teacher(name="红发", title="导师", role=TeacherRole.MENTOR)],
        questions=[OftenAskedQuestion(question="难吗", answer="不难")],
        detail=CourseDetail(hours=3, why_study="想学", outlines=[CourseOutline(title="大纲", content="内容")]),
    )
    course.recommended = [a_course()]
    db.session.commit()
    return course


def a_rich_degree() -> DegreeCourse:
    degree = a_degree(prerequisite="无", scholarships=[Scholarship(time_percent=80, value=40_000)])
    degree.modules[0].chapters[0].homework = [Homework(title="作业一", scholarship_value=100)]
    db.session.commit()
    return degree


# ---------------------------------------------------------------- visitors


def test_the_money_of_the_shop_has_one_name_in_english() -> None:
    with (TRANSLATIONS / "en/LC_MESSAGES/messages.po").open("rb") as file:
        said = [str(message.string) for message in read_po(file, locale="en") if message.id]
    assert [text for text in said if "贝里" in text or re.search(r"(?<!%\()\bbeli\b", text)] == []


def test_what_a_search_finds_is_headed_by_its_name() -> None:
    titles = {say(str(kind.title), "en") for kind in KINDS}
    assert {"Payments", "Refunds"} <= titles and not {"Paid", "Returned"} & titles


def test_catalogue_is_english(reader: Person) -> None:
    course, degree = a_rich_course(), a_rich_degree()
    a_coupon(course, flat=1_000, quantity=10)
    a_coupon(percent=79)
    a_coupon(flat=500, above=1_000_000)
    coming, gone = a_course(status=ProductStatus.COMING), off_sale(a_course())
    vip = a_course(course_type=CourseType.VIP)
    change(sa.delete(PricePolicy).where(PricePolicy.product_id == vip.id))
    translate_data()
    visit(reader, ["/", "/courses", "/courses?level=1", "/courses?q=nowhere", f"/degrees/{degree.id}"])
    visit(reader, [f"/courses/{one.id}" for one in (course, coming, gone, vip)])


def test_free_lesson_and_its_course_are_english_for_a_visitor(reader: Person) -> None:
    lessons = a_course().chapters[0].sections
    lessons[0].section_link = "https://elsewhere.example/a.mp4"
    db.session.commit()
    translate_data()
    english(reader.get(f"/learning/sections/{lessons[0].id}"))


def test_accounts_are_english_with_all_that_can_be_wrong(reader: Person) -> None:
    a_student(username="taken")
    visit(reader, ["/login", "/login?next=/cart", "/register"])
    for fields in ({}, {"username": "nobody", "password": "wrong"}):
        english(reader.post("/login", fields), 422)
    good = {"username": "somebody", "email": "a@example.com", "password": "a long enough passphrase"}
    for name, wrong in (("username", "x"), ("username", "taken"), ("email", "none")):
        english(reader.post("/register", good | {name: wrong}), 422)
    for password in ("", "short", "12345678"):
        english(reader.post("/register", good | {"password": password}), 422)
    english(reader.follow(reader.post("/register", good)))
    visit(reader, ["/account", "/account/coupons", "/account/beli", "/orders", "/learning"])
    english(reader.post("/account/password", {"current": "wrong", "new": "another passphrase", "again": "x"}), 422)


def test_too_many_log_ins_are_refused_in_english(reader: Person) -> None:
    a_student(username="luffy")
    answers = [reader.post("/login", {"username": "luffy", "password": "wrong"}) for _ in range(12)]
    english(answers[-1], 429)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 422, 429, 500, 503])
def test_error_pages_are_english(app: Flask, status: int) -> None:
    with app.test_request_context("/", headers=ENGLISH):
        assert_english(render_template("errors/page.html", status=status))


# ---------------------------------------------------------------- buying


def test_cart_is_english_whatever_became_of_its_lines(reader: Person) -> None:
    student, degree = a_student(), a_degree()
    lines = {name: a_course() for name in ("as it was", "dearer", "without its plan", "off sale", "gone")}
    translate_data()
    english(reader.get("/cart"))
    put(reader, degree, *lines.values())
    english(reader.get("/cart"))
    enrolled_in_degree(student, degree)
    reader.sign_in(student.username)
    english(reader.get("/cart"))
    change(sa.update(PricePolicy).where(PricePolicy.product_id == lines["dearer"].id).values(price_fen=12_000))
    change(sa.delete(PricePolicy).where(PricePolicy.product_id == lines["without its plan"].id))
    off_sale(lines["off sale"])
    db.session.delete(db.session.get(Product, lines["gone"].id))
    db.session.commit()
    translate_data()
    english(reader.get("/cart"))


def test_coupons_are_english_from_the_claim_to_the_wallet(reader: Person) -> None:
    student, course, today = a_student(), a_course(), today_in_shanghai()
    dates = {"valid_begin_date": None, "valid_end_date": None, "coupon_valid_days": 3}
    claimable, later = a_coupon(course, **dates), a_coupon(percent=79, open_date=today + timedelta(days=1))
    a_claimed(student, course, above=5_000)
    a_claimed(student, valid_begin_date=today + timedelta(days=2))
    translate_data()
    english(reader.get("/coupons"))
    reader.sign_in(student.username)
    visit(reader, ["/coupons", "/account/coupons", "/account/coupons?state=used", "/account/coupons?state=expired"])
    english(reader.follow(reader.post(f"/coupons/{claimable.id}/claims")))
    english(reader.post(f"/coupons/{claimable.id}/claims"), 409)
    refused = english(reader.post(f"/coupons/{later.id}/claims"), 409)
    assert f"Claiming starts on {later.open_date.day} {later.open_date:%b}." in refused.text
    for code in ("", "NOSUCHCODE"):
        english(reader.post("/coupons/codes", {"code": code}), 422)


def test_purchase_is_english_from_settlement_to_the_opened_course(reader: Person, alipay: Cashier) -> None:
    student, first, second = a_student(beli=50), a_course(59_900), a_course(12_200)
    soon = today_in_shanghai() + timedelta(days=2)
    a_claimed(student, first, flat=4_000)
    a_claimed(student, flat=20_000, above=50_000)
    for terms in ({"flat": 100}, {"percent": 99}, {"flat": 900, "above": 900_000}, {"valid_begin_date": soon}):
        a_claimed(student, **terms)
    a_claimed(student, a_course(), flat=100)
    translate_data()
    reader.sign_in(student.username)
    page = english(settle(reader, first, second))
    assert "List price of 2 courses" in page.text
    assert f"Usable from {soon.day} {soon:%b}<" in page.text
    chosen = reader.post("/settlement/choices", {**reader.form(page, "choices"), "use": "all_beli"})
    page = english(reader.follow(chosen))
    page = english(pay(reader, page, balance="a lot"), 422)
    page = english(pay(reader, page, money="430.00"), 409)
    paying = pay(reader, page)
    assert fetch(paying.location).status in (302, 303)
    db.session.rollback()
    order = db.session.query(Order).one()
    here = f"/orders/{order.order_number}"
    visit(reader, ["/orders", "/orders?status=1", here, f"{here}?returned=1", "/account/beli"])
    english(reader.follow(reader.post(f"{here}/inquiry")))
    put(reader, first)
    english(reader.post("/settlement", {"product": first.id}), 409)
    paid = alipay.pay(order.payments[0].out_trade_no)
    english(reader.follow_return(paid["return_url"]))
    english(Person(reader.client.application).get("/alipay/return", headers=ENGLISH))  # on another device
    visit(reader, [here, "/", "/learning", f"/learning/courses/{first.id}", f"/courses/{first.id}"])
    visit(reader, ["/account/coupons?state=used"])


def test_orders_that_end_unpaid_are_english(reader: Person, alipay: Cashier) -> None:
    student, course = a_student(), a_course()
    translate_data()
    reader.sign_in(student.username)
    pay(reader, settle(reader, course))
    db.session.rollback()
    here = f"/orders/{db.session.query(Order.order_number).scalar()}"
    english(reader.follow(reader.post(f"{here}/cancellation")))
    english(reader.post(f"{here}/payments"), 409)
    english(reader.get(reader.get("/settlement").location))


def test_pages_after_the_sale_are_english(reader: Person, alipay: Cashier) -> None:
    """Every end of an order, the way of the money back, buying again, the statement and the wallet."""
    student, first, second = a_student(beli=50), a_course(59_900), a_course(12_200)
    bound, site = a_claimed(student, first, flat=4_000), a_claimed(student, flat=20_000, above=50_000)
    number = refunding.bought(
        alipay, student, [first, second], coupons={first.id: bound.id}, site_coupon=site.id, beli=50
    )
    unpaid = refunding.placed(student, [a_course(), a_degree()])
    translate_data()
    reader.sign_in(student.username)
    here, line = f"/orders/{number}", refunding.lines_of(number)[0].id
    visit(reader, [here, f"{here}/receipt", f"{here}/refunds", f"{here}/refunds?detail={line}", "/orders?q=nowhere"])
    english(reader.get(f"{here}/refunds?detail=x"), 422)
    english(reader.post(f"{here}/refunds", {"detail": line, "reason": ""}), 422)
    english(reader.post(f"{here}/refunds", {"reason": "why"}), 409)
    ask = {"detail": line, "reason": "no time"}
    english(reader.follow(reader.post(f"{here}/refunds", ask)))
    visit(reader, [f"{here}/refunds", "/orders?status=2", "/learning"])
    english(reader.follow(reader.post(f"{here}/refunds/R{number}01/withdrawal")))
    english(reader.follow(reader.post(f"{here}/refunds", ask)))
    refund_decisions.approve(f"R{number}02", actor=Actor("clerk"), reason="yes")
    visit(reader, [here])
    assert refunds.send(f"R{number}02") == "done"
    visit(reader, [here, f"{here}/receipt", f"{here}/refunds"])
    alipay.move_clock(4)
    refunding.refunded(alipay, student, number, 1)
    off_sale(first)
    translate_data()
    visit(reader, [here, "/orders", "/account/beli", "/account/beli?type=3", "/account/coupons"])
    english(reader.follow(reader.post(f"{here}/cart")))
    visit(reader, [f"/orders/{unpaid}", "/account/coupons"])
    assert CHINESE.search(reader.get("/account/beli.csv", buffered=True).text) is None
    assert_audit_clean()


def test_money_that_an_order_cannot_use_is_told_in_english(reader: Person, alipay: Cashier) -> None:
    student, course = a_student(), a_course()
    number = refunding.placed(student, [course])
    cashier_page = str(orders.pay_again(student.id, number))
    orders.cancel(student.id, number)
    off_sale(course)
    fetch(cashier_page)
    alipay.pay(f"{number}01")
    translate_data()
    reader.sign_in(student.username)
    page = english(reader.get(f"/orders/{number}"))
    assert "It is on its way back to your Alipay" in page.text
    refunds.send_due()
    page = english(reader.get(f"/orders/{number}"))
    assert "It went back to your Alipay on" in page.text
    assert_audit_clean()


def test_order_keeps_its_plan_in_chinese_and_shows_it_in_english(reader: Person) -> None:
    student, course = a_student(), a_course()
    reader.sign_in(student.username)
    pay(reader, settle(reader, course))
    db.session.rollback()
    detail = db.session.query(OrderDetail).one()
    assert detail.valid_period_display == "1个月"
    assert "1 month" in reader.get(f"/orders/{detail.order.order_number}").text


# ---------------------------------------------------------------- learning


def test_learning_is_english(reader: Person) -> None:
    student, course, over, later = a_student(), a_course(), a_course(), a_course()
    enrolled(student, course)
    enrolled(student, over, begins=-40, ends=-10)
    enrolled(student, later, begins=10, ends=40)
    other = a_course()
    translate_data()
    reader.sign_in(student.username)
    visit(reader, ["/", "/learning"])
    for one in (course, over, later):
        visit(reader, [f"/learning/courses/{one.id}", f"/courses/{one.id}"])
    visit(reader, [f"/learning/sections/{section.id}" for section in course.chapters[0].sections])
    english(reader.get(f"/learning/sections/{other.chapters[0].sections[1].id}"), 403)


def test_degree_is_english_from_the_form_to_the_first_module(reader: Person) -> None:
    student, degree = a_student(), a_rich_degree()
    enrolment = enrolled_in_degree(student, degree)
    translate_data()
    reader.sign_in(student.username)
    form = f"/degrees/enrolments/{enrolment.id}/registration"
    visit(reader, ["/", "/learning", f"/degrees/{degree.id}", f"/learning/degrees/{enrolment.id}", form])
    english(reader.get(f"/learning/sections/{degree.modules[0].chapters[0].sections[1].id}"), 403)
    answers = {name: _stand_in(text) for name, text in ANSWERS.items()}
    english(reader.post(form, answers | {"current_company": "", "current_salary": "much", "memo": "x" * 300}), 422)
    english(reader.follow(reader.post(form, answers)))
    english(reader.follow(reader.post(form, answers)))
    visit(reader, [form, "/learning", f"/learning/degrees/{enrolment.id}"])


def test_one_of_a_thing_is_not_told_as_many(app: Flask) -> None:
    """ "1 days" and "1 coupons" were everywhere that a number happened to be one."""
    with open(TRANSLATIONS / "en/LC_MESSAGES/messages.po", "rb") as file:
        catalogue = read_po(file, locale="en")
    for text in ("%(num)s 小时前", "%(num)s 天", "%(num)s 门课程", "下架 %(num)s 门课程", "%(num)s 项检查"):
        message = catalogue[text]
        assert message is not None and isinstance(message.string, tuple), text
        one, many = (form % {"num": number} for form, number in zip(message.string, (1, 2), strict=True))
        assert one != many.replace("2", "1"), text


def test_the_staff_menu_names_each_place_in_the_plural(app: Flask) -> None:
    """ "Mentor", "Complaint" and "Appeal" stood beside "Orders" and "Refunds"."""
    with app.test_request_context(headers=ENGLISH):
        titles = {str(place.title) for place in MENU}
    assert {"Orders", "Refunds", "Mentors", "Complaints", "Appeals", "Coupons"} <= titles
