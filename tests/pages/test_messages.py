"""The list of messages: what it shows, in whose language, and that only a POST marks anything as read."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.enums import MessageType
from shop.extensions import db, unit_of_work
from shop.models import Notification
from shop.services import messages
from tests.builders import a_student
from tests.person import Person
from tests.services.test_messages import ENDED, tell, told
from tests.statements import counted


def test_the_header_counts_what_is_unread(person: Person) -> None:
    student = a_student()
    assert 'href="/messages"' not in person.get("/").text
    page = person.sign_in(student.username).get("/account")
    assert 'href="/messages"' in page.text and "条未读" not in page.text
    tell(student.id)
    tell(student.id)
    assert '<span class="count">2<' in person.get("/account").text
    with unit_of_work() as session:
        messages.tell_all(session, student.id, [messages.Message(MessageType.ORDER, ENDED, {"order": "N"})] * 120)
    assert '<span class="count">99+<' in person.get("/account").text


def test_the_list_speaks_the_readers_language(person: Person) -> None:
    student = a_student()
    tell(student.id, link="/orders/N1")
    person.sign_in(student.username)
    page = person.get("/messages").text
    assert "订单 N1 超时未支付" in page and "订单通知" in page and "未读" in page
    person.post("/language", {"language": "en"})
    page = person.get("/messages").text
    assert "Order N1 was not paid in time" in page and "订单" not in page


def test_a_hostile_fact_is_text(person: Person) -> None:
    student = a_student()
    tell(student.id, "<script>alert(1)</script>%(number)s")
    page = person.sign_in(student.username).get("/messages").text
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt;%(number)s" in page


def test_only_a_post_marks_as_read_and_leads_where_the_message_leads(person: Person) -> None:
    student = a_student()
    tell(student.id, link="/account/coupons")
    message = told(student.id)[0]
    person.sign_in(student.username)
    for _round in range(2):
        person.get("/messages")
    assert told(student.id)[0].read_time is None
    answer = person.post(f"/messages/{message.id}/reading")
    assert (answer.status_code, answer.location) == (303, "/account/coupons")
    assert told(student.id)[0].read_time is not None
    assert "message--unread" not in person.get("/messages").text


def test_a_link_that_leaves_the_shop_is_not_followed(person: Person) -> None:
    student = a_student()
    tell(student.id, link="//evil.example/")
    person.sign_in(student.username)
    assert person.post(f"/messages/{told(student.id)[0].id}/reading").location == "/messages"


def test_all_are_marked_as_read_up_to_what_the_page_showed(person: Person) -> None:
    student = a_student()
    tell(student.id)
    person.sign_in(student.username)
    newest = told(student.id)[0].id
    assert f'name="newest" value="{newest}"' in person.get("/messages").text
    person.follow(person.post("/messages/reading", {"newest": newest}))
    page = person.get("/messages").text
    assert "message--unread" not in page and "没有未读的消息" in page and "/messages/reading" not in page


def test_somebody_elses_message_is_404(app: Flask, person: Person) -> None:
    student, other = a_student(), a_student()
    tell(student.id)
    person.sign_in(other.username)
    assert "订单 N1" not in person.get("/messages").text
    assert person.post(f"/messages/{told(student.id)[0].id}/reading").status_code == 404
    assert told(student.id)[0].read_time is None


@pytest.mark.parametrize("page", ["0", "2", "-1", "x", "1e3", "９", "9" * 30])
def test_a_page_that_there_is_not_is_404(person: Person, page: str) -> None:
    person.sign_in(a_student().username)
    assert person.get(f"/messages?page={page}").status_code == 404


@pytest.mark.parametrize("newest", ["", "x", "0", "-1", "9" * 30, "1\0"])
def test_a_wrong_newest_is_422(person: Person, newest: str) -> None:
    person.sign_in(a_student().username)
    assert person.post("/messages/reading", {"newest": newest}).status_code == 422


def test_visitors_are_asked_to_log_in(person: Person) -> None:
    assert person.get("/messages").location == "/login?next=/messages"
    assert person.post("/messages/reading", {"newest": 1}).status_code == 303


def test_the_list_takes_three_statements_however_long(person: Person) -> None:
    student = a_student()
    with unit_of_work() as session:
        messages.tell_all(session, student.id, [messages.Message(MessageType.ORDER, ENDED, {"order": "N"})] * 25)
    person.sign_in(student.username)
    with counted() as sent:
        page = person.get("/messages")
    assert page.text.count("data-message=") == 20
    assert len(sent) <= 3, "\n".join(sent)
    assert db.session.query(Notification).count() == 25
