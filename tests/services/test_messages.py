"""What people are told, once, in the transaction that it is about."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import MessageType, OrderStatus
from shop.errors import NotFound
from shop.extensions import db, unit_of_work
from shop.models import EnrolledDegreeCourse, Mail, Notification
from shop.services import accounts, messages, order_messages, orders, payment
from shop.services.messages import Message
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_degree, a_student
from tests.cashier.parts import Cashier
from tests.pages.conftest import AnotherShop, another_shop  # noqa: F401
from tests.refunding import paid, placed

ENDED = order_messages.ENDED[OrderStatus.TIMED_OUT]


def told(account_id: int) -> list[Notification]:
    db.session.rollback()
    mine = select(Notification).where(Notification.account_id == account_id)
    rows = db.session.scalars(mine.order_by(Notification.id))
    return list(rows.all())


def letters() -> list[Mail]:
    db.session.rollback()
    return list(db.session.scalars(select(Mail).order_by(Mail.id)).all())


def tell(account_id: int, number: str = "N1", **options: str) -> None:
    with unit_of_work() as session:
        messages.tell(session, account_id, MessageType.ORDER, ENDED, {"order": number}, **options)


def test_a_message_keeps_its_text_and_its_facts_and_comes_as_a_letter_too(app: Flask) -> None:
    student = a_student(email="a@example.com")
    tell(student.id, link="/orders/N1")
    (message,) = told(student.id)
    assert (message.content, message.facts, message.link) == (ENDED, {"order": "N1"}, "/orders/N1")
    assert (message.msg_type, message.read_time) == (MessageType.ORDER, None)
    (letter,) = letters()
    assert letter.address == "a@example.com"
    for part in ("订单 N1 超时未支付", "Order N1 was not paid in time", "/orders/N1"):
        assert part in letter.body


def test_whoever_has_no_address_is_told_inside_the_shop_only(app: Flask) -> None:
    student = a_student(email=None)
    tell(student.id)
    assert len(told(student.id)) == 1 and letters() == []


def test_a_shop_without_mail_writes_no_letters(app: Flask, another_shop: AnotherShop) -> None:  # noqa: F811
    student = a_student()
    with another_shop(env="production").app_context():
        tell(student.id)
    assert len(told(student.id)) == 1 and letters() == []


def test_an_event_is_told_once_and_the_second_telling_fails_nothing(app: Flask) -> None:
    student = a_student()
    for _round in range(3):
        with unit_of_work() as session:
            messages.tell(session, student.id, MessageType.ORDER, ENDED, {"order": "N1"}, event="ended:N1")
            messages.tell(session, student.id, MessageType.ORDER, ENDED, {"order": "N2"})
    assert [message.facts["order"] for message in told(student.id)].count("N1") == 1
    assert len(told(student.id)) == len(letters()) == 4


def test_two_at_once_tell_an_event_once(app: Flask) -> None:
    student_id, both_ready = a_student().id, threading.Barrier(2)

    def run() -> None:
        with app.app_context():
            both_ready.wait()
            tell(student_id, event="ended:N1")

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told(student_id)) == len(letters()) == 1


def test_what_is_undone_was_not_told(app: Flask) -> None:
    student = a_student()

    def fail_after_telling() -> None:
        with unit_of_work() as session:
            messages.tell(session, student.id, MessageType.ORDER, ENDED, {"order": "N1"}, event="ended:N1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_telling()
    assert told(student.id) == letters() == []
    tell(student.id, event="ended:N1")
    assert len(told(student.id)) == 1


def test_a_forgotten_fact_fails_where_it_is_forgotten(app: Flask) -> None:
    with pytest.raises(KeyError), unit_of_work() as session:
        messages.tell(session, a_student().id, MessageType.ORDER, ENDED, {"ordr": "N1"})


def test_several_are_told_in_two_statements_and_not_all_of_them_by_mail(app: Flask) -> None:
    student = a_student()
    with unit_of_work() as session:
        facts = {"order": "N1"}
        messages.tell_all(
            session,
            student.id,
            [Message(MessageType.ORDER, ENDED, facts), Message(MessageType.OTHER, ENDED, facts, is_mailed=False)],
        )
    assert [message.msg_type for message in told(student.id)] == [MessageType.ORDER, MessageType.OTHER]
    assert len(letters()) == 1


# ---------------------------------------------------------------- reading


def test_unread_messages_come_with_the_person_and_are_counted_up_to_a_hundred(app: Flask) -> None:
    student, other = a_student(), a_student()
    for number in range(3):
        tell(student.id, str(number))
    tell(other.id)
    person = accounts.person(student.id, 0)
    assert person and person.unread == 3
    messages.read(student.id, told(student.id)[0].id)
    person = accounts.person(student.id, 0)
    assert person and person.unread == 2
    with unit_of_work() as session:
        messages.tell_all(session, student.id, [Message(MessageType.ORDER, ENDED, {"order": "N"})] * 120)
    person = accounts.person(student.id, 0)
    assert person and person.unread == accounts.MOST_UNREAD


def test_reading_one_keeps_when_it_was_read_first(app: Flask) -> None:
    student = a_student()
    tell(student.id, link="/orders/N1")
    (message,) = told(student.id)
    assert messages.read(student.id, message.id) == "/orders/N1"
    first = told(student.id)[0].read_time
    messages.read(student.id, message.id)
    assert first and told(student.id)[0].read_time == first <= clock.now()


def test_somebody_elses_message_does_not_exist(app: Flask) -> None:
    student, other = a_student(), a_student()
    tell(student.id)
    with pytest.raises(NotFound):
        messages.read(other.id, told(student.id)[0].id)
    messages.read_all(other.id, told(student.id)[0].id)
    assert told(student.id)[0].read_time is None


def test_read_all_leaves_what_came_after_the_page_was_shown(app: Flask) -> None:
    student = a_student()
    tell(student.id, "1")
    seen = told(student.id)[0].id
    tell(student.id, "2")
    messages.read_all(student.id, seen)
    assert [message.read_time is None for message in sorted(told(student.id), key=lambda m: m.id)] == [False, True]


def test_pages_of_messages(app: Flask) -> None:
    student = a_student()
    with unit_of_work() as session:
        messages.tell_all(
            session, student.id, [Message(MessageType.ORDER, ENDED, {"order": str(n)}) for n in range(25)]
        )
    first, second = messages.index(student.id, 1), messages.index(student.id, 2)
    assert (len(first.messages), len(second.messages), first.pages) == (20, 5, 2)
    assert first.messages[0].facts["order"] == "24"
    for page in (0, 3):
        with pytest.raises(NotFound):
            messages.index(student.id, page)


# ---------------------------------------------------------------- orders


def test_a_paid_order_is_told_with_what_it_opened(app: Flask, alipay: Cashier) -> None:
    student, course, degree = a_student(), a_course(9_900, name="航海术"), a_degree(name="船医")
    number = placed(student, [course, degree])
    assert told(student.id) == []
    paid(alipay, number)
    of_order, of_course, of_degree = told(student.id)
    assert (of_order.msg_type, of_order.link) == (MessageType.ORDER, f"/orders/{number}")
    assert (of_course.msg_type, of_course.link) == (MessageType.COURSE_ENROLMENT, f"/learning/courses/{course.id}")
    enrolment = db.session.query(EnrolledDegreeCourse).one()
    form = f"/degrees/enrolments/{enrolment.id}/registration"
    assert (of_degree.msg_type, of_degree.link) == (MessageType.DEGREE_ENROLMENT, form)
    first, second = letters()  # the order's names the course, too
    assert "实付 1099.00 元" in first.body and "「航海术」、「船医」" in first.body
    assert form in second.body
    payment.ask(f"{number}01")
    assert len(told(student.id)) == 3
    assert_audit_clean()


def test_an_order_with_nothing_due_is_told_too(app: Flask) -> None:
    student, course = a_student(), a_course()
    record = a_claimed(student, course, flat=10_000)
    number = placed(student, [course], coupons={course.id: record.id})
    assert [message.facts.get("order") for message in told(student.id)] == [number, None]
    assert_audit_clean()


def test_an_order_that_ends_unpaid_is_told_and_mailed_unless_its_owner_ended_it(
    app: Flask, alipay: Cashier, instance: Path
) -> None:
    student, course = a_student(), a_course()
    orders.cancel(student.id, placed(student, [course]))
    assert told(student.id)[0].content == order_messages.ENDED[OrderStatus.CANCELLED]
    assert letters() == []
    late = placed(student, [course])
    (instance / "clock_offset").write_text("3600")
    for _round in range(2):
        orders.expire_due()
    assert [message.content for message in told(student.id)][1:] == [ENDED]
    assert [late in letter.body for letter in letters()] == [True]
    assert_audit_clean()
