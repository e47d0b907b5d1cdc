"""Complaining on the pages: what is promised before, what may be sent, and that the mentor sees nothing of it."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from shop.extensions import db
from shop.models import Account, Complaint, EnrolledDegreeCourse
from shop.services import complaints
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mentor, a_registered, a_studying
from tests.pages.test_orders import words
from tests.person import Person
from tests.statements import counted

TEXT = "三天没有回复我的问题，<b>作业</b>也没有批改。"


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor(username="shenzhou")


@pytest.fixture
def enrolment(mentor: Account) -> EnrolledDegreeCourse:
    return a_studying(a_student(username="luffy", name="路飞"), a_degree_with_homework(), mentor)


@pytest.fixture
def page(enrolment: EnrolledDegreeCourse) -> str:
    return f"/learning/degrees/{enrolment.id}/complaints"


@pytest.fixture
def student(person: Person, enrolment: EnrolledDegreeCourse) -> Person:
    return person.sign_in("luffy")


def filed() -> list[Complaint]:
    db.session.rollback()
    db.session.expire_all()
    return db.session.query(Complaint).order_by(Complaint.id).all()


def test_a_complaint_from_the_page_to_the_decision(student: Person, page: str) -> None:
    shown = words(student.get(page).text)
    assert "关于 沈舟" in shown
    assert "导师不会知道是谁投诉的，也看不到您写的内容" in shown
    done = student.follow(student.post(page, {"content": f"  {TEXT} "}))
    assert "投诉已提交" in done.text
    assert "投诉正在处理" in done.text
    assert 'id="complain"' not in done.text
    assert "&lt;b&gt;作业&lt;/b&gt;" in done.text
    again = student.post(page, {"content": "再投诉一次，请快一点。"})
    assert (again.status_code, "您的上一次投诉还在处理" in again.text) == (409, True)
    (complaint,) = filed()
    assert complaint.content == TEXT
    complaints.decide(complaint.id, upheld=True, actor=STAFF, reason="属实 <i>")
    shown = student.get(page).text
    assert 'data-state="1"' in shown
    assert "属实 &lt;i&gt;" in shown
    assert 'id="complain"' in shown
    assert "的投诉已处理：成立" in student.get("/messages").text
    assert_audit_clean()


def test_the_mentor_sees_nothing_of_it(app: Flask, student: Person, page: str, enrolment: EnrolledDegreeCourse) -> None:
    student.post(page, {"content": TEXT})
    desk = Person(app).sign_in("shenzhou")
    for path in ("/mentor", f"/mentor/students/{enrolment.id}", "/mentor/questions", "/messages"):
        shown = desk.get(path)
        assert shown.status_code == 200
        assert "投诉" not in shown.text, path
        assert "三天没有回复" not in shown.text


def test_without_a_mentor_there_is_nobody_to_complain_about(app: Flask) -> None:
    enrolment = a_registered(a_student(username="zoro"))
    browser, path = Person(app).sign_in("zoro"), f"/learning/degrees/{enrolment.id}/complaints"
    shown = browser.get(path)
    assert "您还没有导师" in shown.text
    assert 'id="complain"' not in shown.text
    answer = browser.post(path, {"content": TEXT})
    assert (answer.status_code, "您还没有导师" in answer.text) == (409, True)
    assert filed() == []


def test_others_are_kept_out(app: Flask, page: str) -> None:
    visitor = Person(app)
    assert visitor.get(page).location.startswith("/login")
    assert visitor.post(page, {"content": TEXT}).location.startswith("/login")
    for name in ("shenzhou", a_student().username, a_mentor().username, a_student(is_staff=True).username):
        other = Person(app).sign_in(name)
        assert other.get(page).status_code == 404
        assert other.post(page, {"content": TEXT}).status_code == 404
    assert filed() == []


HOSTILE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "empty": {"content": ""},
    "blanks": {"content": " " * 20},
    "too short": {"content": "太短了，九个字呀。"},
    "short between blanks": {"content": f"{' ' * 20}短{' ' * 20}"},
    "too long": {"content": "字" * 2001},
    "NUL": {"content": f"{TEXT}\x00"},
    "a control character": {"content": f"{TEXT}\x1b"},
    "two": {"content": [TEXT, TEXT]},
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_a_complaint_is_told_on_the_form(student: Person, page: str, data: dict[str, Any]) -> None:
    answer = student.post(page, data)
    assert answer.status_code == 422
    assert 'id="content-error"' in answer.text
    assert filed() == []


@pytest.mark.parametrize(
    "content", ["十个字的投诉刚刚好。", "字" * 2000, b"0123456789\xed\xa0\x80", "😀" * 10], ids=ascii
)
def test_border_values_are_taken(student: Person, page: str, content: Any) -> None:
    assert student.post(page, {"content": content}).status_code == 303
    assert student.get(page).status_code == 200
    assert len(filed()) == 1


@pytest.mark.parametrize("query", ["page=0", "page=2", "page=x", "page=１"])
def test_a_page_that_is_not_there(student: Person, page: str, query: str) -> None:
    assert student.get(f"{page}?{query}").status_code == 404


def test_a_post_without_its_token_does_nothing(student: Person, page: str) -> None:
    assert student.client.post(page, data={"content": TEXT}).status_code == 400
    assert filed() == []


def test_the_page_asks_little(student: Person, page: str, enrolment: EnrolledDegreeCourse) -> None:
    student.get(page)
    with counted() as few:
        student.get(page)
    for _number in range(3):
        made = complaints.file(enrolment.account_id, enrolment.id, TEXT)
        complaints.decide(made.id, upheld=False, actor=STAFF, reason="不属实")
    with counted() as many:
        student.get(page)
    assert len(many) <= len(few) <= 6, "\n".join(many)
