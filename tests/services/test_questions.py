"""Questions about a degree: who may ask when, whose clock runs until when, and what each side is told."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import MessageType, QuestionStatus, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db
from shop.models import Account, Answer, EnrolledDegreeCourse, Notification, Question, ScoreRecord
from shop.services import assignment, neglect, questions, refunds
from shop.services.locks import lock_account
from shop.services.questions import MentorQuestions, Open
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mentor, a_registered, a_studying, fresh
from tests.faults.barrier import beside_the_shop
from tests.purchases import enrolled_in_degree, saved
from tests.services.test_mentoring import away, since
from tests.statements import counted

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor()


@pytest.fixture
def enrolment(mentor: Account) -> EnrolledDegreeCourse:
    return a_studying(a_student(name="路飞"), mentor=mentor)


def ask(enrolment: EnrolledDegreeCourse, title: str = "为什么", content: str = "不懂") -> int:
    return questions.ask(enrolment.account_id, enrolment.id, title, content).id


def status(question_id: int) -> QuestionStatus:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Question, question_id).status


def waits(mentor: Account) -> list[Open]:
    db.session.rollback()
    return questions.open_of(db.session(), mentor.id, clock.now())


def told(account_id: int) -> list[Notification]:
    db.session.rollback()
    of_account = db.session.query(Notification).filter_by(account_id=account_id, msg_type=MessageType.QUESTION)
    return of_account.order_by(Notification.id).all()


def index(mentor: Account, page: int = 1) -> MentorQuestions:
    db.session.rollback()
    db.session.expire_all()
    return questions.of_mentor(mentor.id, page, clock.now())


# ---------------------------------------------------------------- asking


def test_a_question_reaches_the_mentor_with_its_clock(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    question_id = ask(enrolment)
    question = db.session.get_one(Question, question_id)
    assert (question.degree_course_id, question.course_section_id) == (enrolment.degree_course_id, None)
    assert (question.enrolled_degree_course_id, question.status) == (enrolment.id, QuestionStatus.WAITING)
    (one,) = waits(mentor)
    assert (one.id, one.due_time, one.is_over) == (question_id, question.date + 12 * HOUR, False)
    (message,) = told(mentor.id)
    assert message.facts == {"student": "路飞", "title": "为什么", "hours": 12}
    assert message.link == "/mentor/questions"


def test_pressed_twice_it_is_asked_once(enrolment: EnrolledDegreeCourse) -> None:
    first = ask(enrolment)
    assert ask(enrolment) == first
    assert ask(enrolment, content="另一个") != first
    questions.close(enrolment.account_id, enrolment.id, first)
    assert ask(enrolment) != first  # that one is over


def test_asked_twice_at_once_there_is_one(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    both_ready, made = threading.Barrier(2), []
    account_id, enrolment_id = enrolment.account_id, enrolment.id
    db.session.rollback()

    def press() -> None:
        with app.app_context():
            both_ready.wait()
            made.append(questions.ask(account_id, enrolment_id, "为什么", "不懂").id)

    threads = [threading.Thread(target=press) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 2
    assert len(set(made)) == 1


def test_without_a_mentor_it_waits_for_one_whose_clock_begins_then(mentor: Account) -> None:
    enrolment = a_registered()
    question_id = ask(enrolment)
    assert db.session.query(Notification).filter_by(msg_type=MessageType.QUESTION).count() == 0
    assignment.assign(enrolment.id, mentor.id, actor=STAFF)
    start = since(enrolment, clock.now() + 5 * HOUR)
    (one,) = waits(mentor)
    assert (one.id, one.due_time) == (question_id, start + 12 * HOUR)


def test_when_one_may_not_ask(app: Flask) -> None:
    course = a_degree_with_homework()
    unfiled = enrolled_in_degree(a_student(), course)
    ended = a_registered(course=course)
    ended.study_status, ended.ended_time = StudyStatus.GRADUATED, clock.now()
    db.session.commit()
    suspended = a_registered(course=course, open_module=False)
    line = suspended.order_detail
    refunds.ask(suspended.account_id, line.order.order_number, [line.id], "不学了")
    for enrolment, why in ((unfiled, "form"), (ended, "ended"), (suspended, "suspended")):
        with pytest.raises(NotYourTurn):
            ask(enrolment)
        view = questions.of_student(enrolment.account_id, enrolment.id)
        assert (view.why_not, view.threads) == (why, ())
    assert db.session.query(Question).count() == 0


def test_on_leave_one_may_ask_and_no_clock_runs(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    away(enrolment, clock.now() - DAY)
    enrolment.study_status = StudyStatus.ON_LEAVE
    db.session.commit()
    ask(enrolment)
    (one,) = waits(mentor)
    assert (one.due_time, one.is_over, one.is_further) == (None, False, False)


def test_a_question_is_its_owners(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    question_id, other = ask(enrolment), a_studying()
    stranger = other.account_id
    for trespass in (
        lambda: questions.ask(stranger, enrolment.id, "x", "y"),
        lambda: questions.ask_on(stranger, enrolment.id, question_id, "y"),
        lambda: questions.ask_on(stranger, other.id, question_id, "y"),
        lambda: questions.close(stranger, enrolment.id, question_id),
        lambda: questions.close(stranger, other.id, question_id),
        lambda: questions.answer(other.mentor_id or 0, question_id, "y"),
        lambda: questions.answer(enrolment.account_id, question_id, "y"),
        lambda: questions.answer(mentor.id, 2**31 - 1, "y"),
        lambda: questions.of_student(stranger, enrolment.id),
    ):
        with pytest.raises(NotFound):
            trespass()
    assert status(question_id) is QuestionStatus.WAITING
    assert db.session.query(Answer).count() == 0


def test_a_question_about_a_lesson_is_no_mentors(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    section = enrolment.degree_course.modules[0].chapters[0].sections[0]
    question = saved(Question(account_id=enrolment.account_id, course_section_id=section.id, title="x", content="y"))
    with pytest.raises(NotFound):
        questions.answer(mentor.id, question.id, "y")
    assert index(mentor).threads == ()


# ---------------------------------------------------------------- answers, further questions, closing


def test_an_answer_is_told_and_ends_the_wait(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    question_id = ask(enrolment)
    questions.answer(mentor.id, question_id, "因为")
    assert status(question_id) is QuestionStatus.ANSWERED
    assert waits(mentor) == []
    (message,) = told(enrolment.account_id)
    assert message.link == f"/learning/degrees/{enrolment.id}/questions"
    (thread,) = questions.of_student(enrolment.account_id, enrolment.id).threads
    assert [(entry.name, entry.is_student, entry.content) for entry in thread.entries] == [("沈舟", False, "因为")]
    assert_audit_clean()


def test_said_twice_it_is_said_once(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    question_id = ask(enrolment)
    for _time in range(2):
        questions.answer(mentor.id, question_id, "因为")
    for _time in range(2):
        questions.ask_on(enrolment.account_id, enrolment.id, question_id, "还是不懂")
    questions.answer(mentor.id, question_id, "因为")  # said again on purpose, after the student
    assert db.session.query(Answer).count() == 3
    assert len(told(enrolment.account_id)) == 2
    assert len(told(mentor.id)) == 2


def test_asking_on_opens_it_again_without_a_new_clock(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    question_id = ask(enrolment)
    questions.answer(mentor.id, question_id, "因为")
    questions.ask_on(enrolment.account_id, enrolment.id, question_id, "还是不懂")
    assert status(question_id) is QuestionStatus.WAITING
    (one,) = waits(mentor)
    assert (one.due_time, one.is_further) == (None, True)
    assert one.since_time == db.session.query(sa.func.max(Answer.date)).scalar()


def test_asking_on_before_any_answer_leaves_the_clock_alone(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    question_id = ask(enrolment)
    asked = db.session.get_one(Question, question_id).date
    questions.ask_on(enrolment.account_id, enrolment.id, question_id, "补充")
    (one,) = waits(mentor)
    assert (one.due_time, one.since_time, one.is_further) == (asked + 12 * HOUR, asked, False)


def test_once_closed_nothing_more_is_said(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    question_id = ask(enrolment)
    for _time in range(2):
        questions.close(enrolment.account_id, enrolment.id, question_id)
    assert status(question_id) is QuestionStatus.CLOSED
    with pytest.raises(NotYourTurn):
        questions.answer(mentor.id, question_id, "因为")
    with pytest.raises(NotYourTurn):
        questions.ask_on(enrolment.account_id, enrolment.id, question_id, "还有")
    assert db.session.query(Answer).count() == 0
    assert waits(mentor) == []


def test_after_the_end_one_may_close_and_be_answered_but_not_ask_on(
    mentor: Account, enrolment: EnrolledDegreeCourse
) -> None:
    first, second = ask(enrolment), ask(enrolment, "第二个")
    enrolment = fresh(enrolment)
    enrolment.study_status, enrolment.ended_time = StudyStatus.GRADUATED, clock.now()
    db.session.commit()
    assert [(one.due_time, one.is_further) for one in waits(mentor)] == [(None, False)] * 2
    questions.answer(mentor.id, first, "因为")
    with pytest.raises(NotYourTurn):
        questions.ask_on(enrolment.account_id, enrolment.id, first, "还有")
    questions.close(enrolment.account_id, enrolment.id, second)
    assert (status(first), status(second)) == (QuestionStatus.ANSWERED, QuestionStatus.CLOSED)


def test_the_next_mentor_takes_the_questions_over(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    question_id, other = ask(enrolment), a_mentor(name="叶帆")
    assignment.assign(enrolment.id, other.id, actor=STAFF, reason="a test")
    with pytest.raises(NotFound):
        questions.answer(mentor.id, question_id, "因为")
    assert waits(mentor) == []
    questions.answer(other.id, question_id, "因为")
    (thread,) = questions.of_student(enrolment.account_id, enrolment.id).threads
    assert [entry.name for entry in thread.entries] == ["叶帆"]
    assert_audit_clean()


def test_the_next_mentor_owes_no_answer_that_was_given_before(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    questions.answer(mentor.id, ask(enrolment), "因为")
    assignment.assign(enrolment.id, a_mentor().id, actor=STAFF, reason="a test")
    assert neglect.fine_late_answers(clock.now() + 2 * DAY) == {"fined": 0}
    assert fresh(enrolment).mentor_fee_balance == 1500


def test_the_night_and_the_desk_agree_on_what_is_over(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    """Thirteen hours: one never answered, one answered in time, one asked on, one closed."""
    start = since(enrolment, clock.now() - 30 * DAY)
    never, _answered, further, closed = [ask(enrolment, str(number)) for number in range(4)]
    for question_id in (_answered, further):
        questions.answer(mentor.id, question_id, "因为")
    questions.ask_on(enrolment.account_id, enrolment.id, further, "还有")
    questions.close(enrolment.account_id, enrolment.id, closed)
    later = start + 30 * DAY + 13 * HOUR
    over = [one.id for one in questions.open_of(db.session(), mentor.id, later) if one.is_over]
    assert over == [never]
    assert neglect.fine_late_answers(later) == {"fined": 1}
    assert [row.question_id for row in db.session.query(ScoreRecord).filter(ScoreRecord.score < 0)] == [never]


# ---------------------------------------------------------------- lists


def test_what_waits_comes_first_by_its_deadline(
    mentor: Account, enrolment: EnrolledDegreeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "PAGE_SIZE", 2)
    now = clock.now()
    since(enrolment, now - 30 * DAY)
    answered, further, late, fine = [ask(enrolment, str(number)) for number in range(4)]
    for question_id in (answered, further):
        questions.answer(mentor.id, question_id, "因为")
    questions.ask_on(enrolment.account_id, enrolment.id, further, "还有")
    db.session.get_one(Question, late).date = now - 13 * HOUR
    db.session.commit()
    pages = [index(mentor, page) for page in (1, 2)]
    assert [[one.thread.id for one in page.threads] for page in pages] == [[late, fine], [further, answered]]
    assert (pages[0].waiting, pages[0].overdue, pages[0].pages) == (3, 1, 2)
    assert [one.open is not None and one.open.is_over for page in pages for one in page.threads] == [
        True,
        False,
        False,
        False,
    ]
    assert pages[1].threads[1].open is None
    for page in (0, 3):
        with pytest.raises(NotFound):
            index(mentor, page)
        with pytest.raises(NotFound):
            questions.of_student(enrolment.account_id, enrolment.id, page)


def test_pages_after_what_waits_go_on_where_it_ended(
    mentor: Account, enrolment: EnrolledDegreeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "PAGE_SIZE", 2)
    ids = [ask(enrolment, str(number)) for number in range(5)]
    for question_id in ids[1:]:
        questions.close(enrolment.account_id, enrolment.id, question_id)
    shown = [one.thread.id for page in (1, 2, 3) for one in index(mentor, page).threads]
    assert shown == [ids[0], *reversed(ids[1:])]


def test_the_lists_take_few_statements_however_much_was_said(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    def sent() -> tuple[int, int]:
        db.session.rollback()
        db.session.expire_all()
        with counted() as by_mentor:
            questions.of_mentor(mentor.id, 1, clock.now())
        with counted() as by_student:
            questions.of_student(enrolment.account_id, enrolment.id)
        return len(by_mentor), len(by_student)

    for title in ("a", "b"):
        ask(enrolment, title)
    questions.answer(mentor.id, ask(enrolment, "c"), "因为")
    few = sent()
    for number in range(5):
        question_id = ask(enrolment, str(number))
        questions.answer(mentor.id, question_id, "因为")
        questions.ask_on(enrolment.account_id, enrolment.id, question_id, "还有")
    assert sent() == few
    assert max(few) <= 8


# ---------------------------------------------------------------- locks


@pytest.mark.only_on("postgresql")
def test_an_answer_does_not_wait_for_whoever_pays_the_student(mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    """Paying out locks the account and then the enrolment; a message to that account must not close the circle."""
    question_id = ask(enrolment)
    with beside_the_shop() as payer, Session(payer) as session:
        lock_account(session, enrolment.account_id)
        questions.answer(mentor.id, question_id, "因为")  # else it fails when the lock's time is over
        session.rollback()
    assert status(question_id) is QuestionStatus.ANSWERED
