"""Questions about a degree on the pages of both sides: what may be sent, what is shown, and to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from shop import clock
from shop.enums import QuestionStatus, Role, StudyStatus
from shop.extensions import db
from shop.models import Account, Answer, EnrolledDegreeCourse, Question
from shop.services import questions
from tests.builders import a_student
from tests.degrees import a_degree_with_homework, a_mentor, a_registered, a_studying
from tests.pages.test_orders import words
from tests.person import Person
from tests.purchases import enrolled_in_degree
from tests.services.test_mentoring import since
from tests.statements import counted

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MARKUP = "<script>alert(1)</script> & “引号”"


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor(username="shenzhou")


@pytest.fixture
def enrolment(mentor: Account) -> EnrolledDegreeCourse:
    course = a_degree_with_homework(name="Python 全栈")
    return a_studying(a_student(username="luffy", name="路飞"), course, mentor)


@pytest.fixture
def page(enrolment: EnrolledDegreeCourse) -> str:
    return f"/learning/degrees/{enrolment.id}/questions"


@pytest.fixture
def student(app: Flask, enrolment: EnrolledDegreeCourse) -> Person:
    return Person(app).sign_in("luffy")


@pytest.fixture
def desk(app: Flask, mentor: Account) -> Person:
    return Person(app).sign_in(mentor.username)


def asked(enrolment: EnrolledDegreeCourse, title: str = "为什么") -> int:
    return questions.ask(enrolment.account_id, enrolment.id, title, "不懂").id


def all_questions() -> list[Question]:
    db.session.rollback()
    db.session.expire_all()
    return db.session.query(Question).order_by(Question.id).all()


def said() -> list[str]:
    db.session.rollback()
    return [row.content for row in db.session.query(Answer).order_by(Answer.id)]


# ---------------------------------------------------------------- to and fro


def test_a_question_goes_to_the_mentor_and_back(student: Person, desk: Person, page: str) -> None:
    assert "还没有问题" in student.get(page).text
    assert "导师会在 12 小时内回复" in student.get(page).text
    answer = student.post(page, {"title": "  装饰器 ", "content": f"怎么用？\n{MARKUP}"})
    (question,) = all_questions()
    assert answer.location == f"{page}#question-{question.id}"
    shown = student.get(page).text
    assert "问题已提交" in shown
    assert "&lt;script&gt;alert(1)" in shown
    assert "<script>alert" not in shown

    waiting = desk.get("/mentor/questions")
    text = words(waiting.text)
    assert "1 个问题等待回复" in text
    assert "装饰器" in text
    assert "路飞 · Python 全栈" in text
    assert "期限" in text
    assert "<script>alert" not in waiting.text
    done = desk.follow(desk.post(f"/mentor/questions/{question.id}/answers", {"content": MARKUP}))
    assert "回复已发给学员" in done.text
    assert "没有等待回复的问题" in done.text
    assert "<script>alert" not in done.text

    text = words(student.get(page).text)
    assert "已解答" in text
    assert "沈舟 ·" in text
    assert "导师回复了您的问题「装饰器」" in student.get("/messages").text
    again = student.post(f"{page}/{question.id}/answers", {"content": "还是不懂"})
    assert again.location == f"{page}#question-{question.id}"
    assert "追问，不计时限" in desk.get("/mentor/questions").text
    closing = student.follow(student.post(f"{page}/{question.id}/closing"))
    assert "问题已关闭" in closing.text
    assert all_questions()[0].status is QuestionStatus.CLOSED
    assert desk.post(f"/mentor/questions/{question.id}/answers", {"content": "因为"}).status_code == 409
    assert student.post(f"{page}/{question.id}/answers", {"content": "因为"}).status_code == 409
    assert said() == [MARKUP, "还是不懂"]


def test_the_most_urgent_question_has_the_primary_button(
    desk: Person, enrolment: EnrolledDegreeCourse, page: str
) -> None:
    since(enrolment, clock.now() - 30 * DAY)
    asked(enrolment, "新的")
    late = asked(enrolment, "旧的")
    db.session.get_one(Question, late).date = clock.now() - 13 * HOUR
    db.session.commit()
    shown = desk.get("/mentor/questions").text
    assert shown.count("button--primary") == 1
    assert shown.index("旧的") < shown.index("button--primary") < shown.index("新的")
    assert "1 个已超时" in words(shown)


def test_an_empty_list_says_what_will_come(desk: Person) -> None:
    shown = desk.get("/mentor/questions")
    assert shown.status_code == 200
    assert "还没有学员提问" in shown.text


def test_before_the_form_one_is_led_to_it(app: Flask) -> None:
    student = a_student()
    enrolment = enrolled_in_degree(student, a_degree_with_homework())
    browser = Person(app).sign_in(student.username)
    path = f"/learning/degrees/{enrolment.id}/questions"
    shown = browser.get(path)
    assert f"/degrees/enrolments/{enrolment.id}/registration" in shown.text
    assert 'id="ask"' not in shown.text
    assert browser.post(path, {"title": "x", "content": "y"}).status_code == 409
    assert all_questions() == []


def test_after_the_end_one_reads_but_does_not_ask(student: Person, enrolment: EnrolledDegreeCourse, page: str) -> None:
    asked(enrolment)
    enrolment.study_status, enrolment.ended_time = StudyStatus.GRADUATED, clock.now()
    db.session.commit()
    shown = student.get(page).text
    assert "学习已经结束" in shown
    assert "不懂" in shown
    assert 'id="ask"' not in shown
    assert student.post(page, {"title": "x", "content": "y"}).status_code == 409
    assert len(all_questions()) == 1


def test_without_a_mentor_the_page_says_who_will_answer(app: Flask) -> None:
    enrolment = a_registered(a_student(username="zoro"))
    shown = Person(app).sign_in("zoro").get(f"/learning/degrees/{enrolment.id}/questions").text
    assert "您还没有导师" in shown
    assert 'id="ask"' in shown


# ---------------------------------------------------------------- who gets in


def test_others_are_kept_out(app: Flask, enrolment: EnrolledDegreeCourse, page: str) -> None:
    question_id = asked(enrolment)
    paths = [f"{page}/{question_id}/answers", f"{page}/{question_id}/closing", page]
    form = {"title": "x", "content": "y"}
    visitor = Person(app)
    assert visitor.get(page).location.startswith("/login")
    assert visitor.get("/mentor/questions").location.startswith("/login")
    for path in (*paths, f"/mentor/questions/{question_id}/answers"):
        assert visitor.post(path, form).location.startswith("/login")
    a_studying(a_student(username="zoro"), enrolment.degree_course)
    for name in ("zoro", "shenzhou", a_mentor().username, a_student(is_staff=True).username):
        other = Person(app).sign_in(name)
        assert other.get(page).status_code == 404
        assert [other.post(path, form).status_code for path in paths] == [404] * 3, name
    for values in ({}, {"role": Role.LECTURER}, {"role": Role.MENTOR, "is_staff": True}):
        other = Person(app).sign_in(a_student(**values).username)
        assert other.get("/mentor/questions").status_code == 403
        assert other.post(f"/mentor/questions/{question_id}/answers", form).status_code == 403
    stranger = Person(app).sign_in(a_mentor().username)
    assert "不懂" not in stranger.get("/mentor/questions").text
    assert stranger.post(f"/mentor/questions/{question_id}/answers", form).status_code == 404
    assert stranger.post("/mentor/questions/999999/answers", form).status_code == 404
    assert (len(all_questions()), said()) == (1, [])
    assert all_questions()[0].status is QuestionStatus.WAITING


def test_a_question_of_another_degree_of_ones_own_is_not_here(student: Person, enrolment: EnrolledDegreeCourse) -> None:
    other = a_studying(enrolment.account)
    question_id = asked(other)
    here = f"/learning/degrees/{enrolment.id}/questions/{question_id}"
    assert student.post(f"{here}/closing").status_code == 404
    assert student.post(f"{here}/answers", {"content": "y"}).status_code == 404


# ---------------------------------------------------------------- hostile and border values

QUESTION = {"title": "标题", "content": "内容"}
HOSTILE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no title": {"content": "x"},
    "no content": {"title": "x"},
    "blanks": {"title": "  ", "content": "x"},
    "blank content": {"title": "x", "content": "\n\t "},
    "a long title": {**QUESTION, "title": "题" * 129},
    "a long content": {**QUESTION, "content": "字" * 5001},
    "a title of two lines": {**QUESTION, "title": "a\nb"},
    "NUL in the title": {**QUESTION, "title": "a\x00"},
    "NUL in the content": {**QUESTION, "content": "a\x00"},
    "a control character": {**QUESTION, "content": "a\x07b"},
    "two titles": {**QUESTION, "title": ["a", "b"]},
    "two contents": {**QUESTION, "content": ["a", "b"]},
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_a_question_is_told_on_the_form(student: Person, page: str, data: dict[str, Any]) -> None:
    answer = student.post(page, data)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'id="ask"' in answer.text
    assert all_questions() == []


SAID = {name: data for name, data in HOSTILE.items() if "title" not in name}


@pytest.mark.parametrize("data", SAID.values(), ids=SAID)
def test_what_cannot_be_said_to_a_question_is_told_where_it_was_typed(
    student: Person, desk: Person, enrolment: EnrolledDegreeCourse, page: str, data: dict[str, Any]
) -> None:
    question_id = asked(enrolment)
    content = {name: value for name, value in data.items() if name == "content" and "x" not in value}
    for browser, path in (
        (student, f"{page}/{question_id}/answers"),
        (desk, f"/mentor/questions/{question_id}/answers"),
    ):
        answer = browser.post(path, content)
        assert answer.status_code == 422
        assert f'id="content-{question_id}-error"' in answer.text
    assert said() == []


def test_what_was_typed_is_not_lost(desk: Person, enrolment: EnrolledDegreeCourse) -> None:
    question_id = asked(enrolment)
    answer = desk.post(f"/mentor/questions/{question_id}/answers", {"content": f"{MARKUP}\x07"})
    assert "&lt;script&gt;alert(1)" in answer.text
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "content", ["字" * 5000, "\ud800".encode("utf-8", "surrogatepass"), "😀‮", "a\r\nb\tc"], ids=ascii
)
def test_border_values_are_taken(student: Person, page: str, content: Any) -> None:
    assert student.post(page, {"title": "题" * 128, "content": content}).status_code == 303
    assert student.get(page).status_code == 200
    assert len(all_questions()) == 1


@pytest.mark.parametrize("query", ["page=0", "page=2", "page=x", "page=１", "page=-1"])
def test_a_page_that_is_not_there(student: Person, desk: Person, page: str, query: str) -> None:
    assert student.get(f"{page}?{query}").status_code == 404
    assert desk.get(f"/mentor/questions?{query}").status_code == 404


def test_nothing_is_written_without_a_token_or_by_looking(
    student: Person, desk: Person, enrolment: EnrolledDegreeCourse, page: str
) -> None:
    question_id = asked(enrolment)
    assert student.client.post(page, data=QUESTION).status_code == 400
    assert student.client.post(f"{page}/{question_id}/closing").status_code == 400
    assert desk.client.post(f"/mentor/questions/{question_id}/answers", data={"content": "x"}).status_code == 400
    for path in (f"{page}/{question_id}/closing", f"{page}/{question_id}/answers"):
        assert student.get(path).status_code == 405
    assert (len(all_questions()), said()) == (1, [])


def test_both_pages_ask_little(student: Person, desk: Person, enrolment: EnrolledDegreeCourse, page: str) -> None:
    def sent() -> tuple[int, int]:
        student.get(page)
        desk.get("/mentor/questions")
        with counted() as by_student:
            student.get(page)
        with counted() as by_mentor:
            desk.get("/mentor/questions")
        return len(by_student), len(by_mentor)

    asked(enrolment)
    few = sent()
    for number in range(6):
        asked(enrolment, str(number))
    many = sent()
    assert many == few
    assert max(many) <= 9
