"""The mentor's queue and the page of one hand-in: looked at, confirmed, graded, and on to the next."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from shop import clock
from shop.enums import Score
from shop.extensions import db
from shop.models import Account, EnrolledDegreeCourse, HomeworkRecord, HomeworkSubmission, ScoreRecord
from shop.services import assignment
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mentor, a_studying, fresh, homework_in
from tests.pages.test_homework import a_file, hand_in, words
from tests.person import Person
from tests.services.test_homework import asked_back, handed_in, on_leave
from tests.statements import counted

HOUR = timedelta(hours=1)


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor()


@pytest.fixture
def enrolment(mentor: Account) -> EnrolledDegreeCourse:
    return a_studying(a_student(name="王小明", mobile="13812341234"), mentor=mentor)


@pytest.fixture
def submission(enrolment: EnrolledDegreeCourse) -> HomeworkSubmission:
    return handed_in(enrolment, homework_in(enrolment)[0], "思路 <b> https://git.example/x")


@pytest.fixture
def path(submission: HomeworkSubmission) -> str:
    return f"/mentor/homework/{submission.id}"


@pytest.fixture
def grader(person: Person, path: str, mentor: Account) -> Person:
    return person.sign_in(mentor.username)


def another(mentor: Account, course: Any, *, hours: float = 0, name: str = "李四") -> HomeworkSubmission:
    enrolment = a_studying(a_student(name=name), course, mentor)
    return handed_in(enrolment, homework_in(enrolment)[0], at=clock.now() - hours * HOUR)


def graded() -> list[Score | None]:
    db.session.rollback()
    return [row.score for row in db.session.query(HomeworkSubmission).order_by(HomeworkSubmission.id)]


def booked() -> int:
    db.session.rollback()
    return db.session.query(ScoreRecord).filter(ScoreRecord.homework_record_id.is_not(None)).count()


# ---------------------------------------------------------------- the queue


def test_the_queue_says_who_waits_since_when_and_how_long_is_left(
    grader: Person, mentor: Account, submission: HomeworkSubmission, enrolment: EnrolledDegreeCourse
) -> None:
    old = another(mentor, enrolment.degree_course, hours=51.5)
    db.session.execute(db.text("UPDATE mentor_assignment SET from_time = '2020-01-01 00:00:00+00:00'"))
    db.session.commit()
    page = grader.get("/mentor/homework")
    shown = words(page.text)
    assert re.search(r"2 份等待批改.*48 小时内批改", shown)
    assert shown.index("李四 · 作业1") < shown.index("王小明 · 作业1")
    assert re.search(r"已超时 3 小时 (29|30) 分钟", shown)
    assert re.search(r"已等 2 天 3 小时", shown)
    assert re.search(r"还剩 (1 天 23|2 天 0) 小时", shown)
    assert page.text.count("button--primary") == 1
    assert page.text.index(f"/mentor/homework/{old.id}") < page.text.index(f"/mentor/homework/{submission.id}")


def test_an_empty_queue_says_so(person: Person, mentor: Account) -> None:
    assert "没有作业在等" in person.sign_in(mentor.username).get("/mentor/homework").text


@pytest.mark.parametrize("page", ["0", "2", "-1", "x", "１", "1.0", "99999999999", ""])
def test_a_page_that_is_none_is_not_found(grader: Person, page: str) -> None:
    assert grader.get(f"/mentor/homework?page={page}").status_code == 404


def test_a_leave_stops_the_clock_and_a_refund_the_grading(
    grader: Person, path: str, enrolment: EnrolledDegreeCourse
) -> None:
    on_leave(fresh(enrolment))
    assert "休学中，不计时" in grader.get("/mentor/homework").text
    assert 'id="mark"' in grader.get(path).text
    db.session.execute(db.text("DELETE FROM study_leave"))
    db.session.execute(db.text("UPDATE enrolled_degree_course SET study_status = 0"))
    db.session.commit()
    asked_back(fresh(enrolment))
    assert "退费处理中，暂不批改" in grader.get("/mentor/homework").text
    page = grader.get(path).text
    assert "正在申请退费" in page
    assert 'id="mark"' not in page
    assert grader.post(path, {"score": "90"}).status_code == 409
    assert grader.post(path, {"score": "90", "step": "check"}).status_code == 409
    assert graded() == [None]


# ---------------------------------------------------------------- grading


def test_a_mark_is_looked_at_confirmed_and_leads_to_the_next(
    grader: Person, path: str, mentor: Account, enrolment: EnrolledDegreeCourse
) -> None:
    following = another(mentor, enrolment.degree_course, name="李四")
    page = grader.get(path)
    shown = words(page.text)
    assert page.text.count("<h1") == 1
    for text in ("王小明 · 作业1", "写一个程序", "第 1 次提交", "首次提交按时", "A+", "COPY", "还剩"):
        assert text in shown, text
    assert "思路 &lt;b&gt; <a href" in page.text
    assert "13812341234" not in page.text
    check = grader.post(path, {"score": "90", "comment": "很好\r\n继续", "step": "check"})
    assert check.status_code == 200
    shown = words(check.text)
    assert "确认成绩：王小明" in shown
    assert "成绩 90 贝里 + 按时提交 5 贝里" in shown
    assert graded() == [None, None]
    form = grader.form(check, "confirm")
    again = grader.post(path, {**form, "step": "change"})
    assert again.status_code == 200
    assert 'value="90" required checked' in again.text
    assert "很好\n继续</textarea>" in again.text.replace("\r\n", "\n")
    assert graded() == [None, None]
    answer = grader.post(path, {**form, "step": "grade"})
    assert answer.location == f"/mentor/homework/{following.id}"
    shown = words(grader.follow(answer).text)
    assert "已批改：王小明「作业1」A，通过，获得 95 贝里。" in shown
    assert "李四 · 作业1" in shown
    assert graded() == [Score.A, None]
    assert db.session.query(HomeworkRecord).filter_by(score=Score.A).one().mentor_comment == "很好\n继续"
    last = grader.post(f"/mentor/homework/{following.id}", {"score": "-1", "comment": "没有测试"})
    assert last.location == "/mentor/homework"
    assert "没有作业在等" in grader.follow(last).text
    shown = words(grader.get(path).text)
    assert "已批改，成绩 A" in shown
    assert 'id="mark"' not in grader.get(path).text
    assert_audit_clean()


@pytest.mark.parametrize(
    ("score", "comment", "words_shown", "flashed"),
    [
        ("-100", "雷同", "最多扣除 50 贝里", "COPY，没有通过。"),
        ("50", "补上测试", "没有变化", "C，没有通过。"),
        ("60", "", "成绩 60 贝里 + 按时提交 5 贝里", "C+，通过，获得 65 贝里。"),
    ],
)
def test_what_a_mark_does_is_said_before_and_after(
    grader: Person, path: str, score: str, comment: str, words_shown: str, flashed: str
) -> None:
    check = grader.post(path, {"score": score, "comment": comment, "step": "check"})
    assert words_shown in words(check.text)
    answer = grader.post(path, grader.form(check, "confirm") | {"step": "grade"})
    assert flashed in words(grader.follow(answer).text)
    assert_audit_clean()


def test_the_history_of_a_homework_stands_below(grader: Person, path: str, enrolment: EnrolledDegreeCourse) -> None:
    grader.post(path, {"score": "40", "comment": "第一次的批注"})
    second = handed_in(enrolment, homework_in(enrolment)[0], "第二稿")
    shown = words(grader.get(f"/mentor/homework/{second.id}").text)
    assert "这份作业的其他提交" in shown
    assert shown.index("第二稿") < shown.index("第一次的批注")


def test_the_second_tab_hears_that_it_is_graded(grader: Person, path: str) -> None:
    assert grader.post(path, {"score": "80"}).status_code == 303
    for step in ("check", "grade"):
        answer = grader.post(path, {"score": "100", "step": step})
        assert answer.status_code == 409
        assert "已批改，成绩 B" in answer.text
    assert "已经批改过，成绩 B" in grader.post(path, {"score": "100"}).text
    assert graded() == [Score.B]
    assert_audit_clean()


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"score": ""},
        {"score": "95"},
        {"score": "+90"},
        {"score": "090"},
        {"score": "９０"},
        {"score": " 90"},
        {"score": "A"},
        {"score": "1e2"},
        {"score": "9" * 5000},
        {"score": "\x00"},
        {"score": ["90", "100"]},
        {"score": "50"},  # without a comment
        {"score": "50", "comment": "  \r\n "},
        {"score": "-100"},
        {"score": "90", "comment": "x" * 5001},
        {"score": "90", "comment": "a\x00b"},
        {"score": "90", "comment": ["a", "b"]},
        {"score": "90", "step": "other"},
        {"score": "90", "step": ["check", "grade"]},
        {"comment": "只有批注"},
    ],
    ids=lambda fields: repr(fields)[:40],
)
@pytest.mark.parametrize("step", ["check", "grade"])
def test_a_malformed_mark_is_told_on_the_form(grader: Person, path: str, fields: dict[str, Any], step: str) -> None:
    answer = grader.post(path, {"step": step, **fields})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'id="mark"' in answer.text
    assert graded() == [None]
    assert booked() == 0


def test_a_comment_is_kept_up_to_its_border(grader: Person, path: str) -> None:
    comment = "学" * 4_999 + "\r\n"
    assert grader.post(path, {"score": "90", "comment": comment + "完"}).status_code == 422
    assert grader.post(path, {"score": "90", "comment": comment + ""}).status_code == 303
    db.session.rollback()
    assert db.session.query(HomeworkSubmission).one().comment == "学" * 4_999


def test_files_for_a_mark_are_no_500(grader: Person, path: str) -> None:
    answer = grader.post(path, {"score": a_file(), "comment": a_file()}, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert graded() == [None]


def test_changing_back_survives_anything(grader: Person, path: str) -> None:
    answer = grader.post(path, {"step": "change", "score": "x", "comment": "x" * 6000})
    assert answer.status_code == 200
    assert 'id="mark"' in answer.text


def test_only_the_present_mentor_comes_in(
    app: Flask, path: str, mentor: Account, enrolment: EnrolledDegreeCourse
) -> None:
    new = a_mentor()
    old_name, new_name = mentor.username, new.username
    student_name = db.session.get_one(Account, enrolment.account_id).username
    staff_name = a_student(is_staff=True).username
    assignment.assign(enrolment.id, new.id, actor=STAFF, reason="a wish")
    old = Person(app).sign_in(old_name)
    assert old.get(path).status_code == 404
    for step in ("check", "change", "grade"):
        assert old.post(path, {"score": "90", "step": step}).status_code == 404
    assert "没有作业在等" in old.get("/mentor/homework").text
    for name in (student_name, staff_name):
        person = Person(app).sign_in(name)
        assert person.get("/mentor/homework").status_code == 403
        assert person.get(path).status_code == 403
        assert person.post(path, {"score": "90"}).status_code == 403
    visitor = Person(app)
    assert visitor.get(path).location.startswith("/login")
    assert visitor.post(path, {"score": "90"}).status_code == 303
    for unknown in ("0", "-1", "x", "2147483648", str(2**31 - 1)):
        assert old.get(f"/mentor/homework/{unknown}").status_code == 404
    assert graded() == [None]
    assert Person(app).sign_in(new_name).post(path, {"score": "90"}).status_code == 303
    assert_audit_clean()


def test_the_pages_ask_little_however_much_waits(grader: Person, mentor: Account, path: str) -> None:
    course = a_degree_with_homework(modules=1, homework=1)
    grader.get(path)
    seen = []
    for students in (0, 6):
        for _ in range(students):
            another(mentor, course)
        with counted() as of_queue:
            grader.get("/mentor/homework")
        with counted() as of_one:
            grader.get(path)
        seen.append((len(of_queue), len(of_one)))
    assert seen == [(4, 8), (4, 8)]


def test_in_english(grader: Person, path: str, enrolment: EnrolledDegreeCourse) -> None:
    grader.post("/language", {"language": "en", "next": path})
    check = {"score": "-1", "comment": "no", "step": "check"}
    pages = [grader.get("/mentor/homework"), grader.get(path), grader.post(path, check)]
    pages.append(grader.follow(grader.post(path, {**check, "step": "grade"})))
    for page in pages:
        shown = words(page.text)
        for ours in ("王小明", "沈舟", "作业1", "写一个程序", "思路", "模块", enrolment.degree_course.name, "中文"):
            shown = shown.replace(ours, "")
        assert re.findall(r"[一-鿿]+", shown) == [], shown


def test_the_files_of_a_hand_in_are_the_mentors_too(app: Flask, mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    student = Person(app).sign_in(db.session.get_one(Account, enrolment.account_id).username)
    piece = homework_in(enrolment)[0]
    hand_in(student, f"/learning/degrees/{enrolment.id}/homework/{piece}", "作业", a_file(b"x" * 2000, "main.py"))
    db.session.rollback()
    waiting = db.session.query(HomeworkSubmission.id).scalar()
    grader = Person(app).sign_in(mentor.username)
    assert "1 个附件" in grader.get("/mentor/homework").text
    page = grader.get(f"/mentor/homework/{waiting}").text
    assert "2 KB" in page
    (link,) = re.findall(r'"(/uploads/\d+)" download', page)
    assert grader.get(link).data == b"x" * 2000
