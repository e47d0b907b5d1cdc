"""The mentor's desk in the browser's eyes: who gets in, what it says, what may be written, and what it never tells."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from shop import clock
from shop.enums import FollowUpTool, Role, Score, StudyStatus
from shop.extensions import db
from shop.models import Account, CourseSchedule, EnrolledDegreeCourse, StuFollowUpRecord, Upload
from shop.services import assignment, complaints, questions
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_hand_in, a_mentor, a_registered, a_studying, fresh
from tests.pages.test_orders import words
from tests.person import Person
from tests.services.test_mentoring import away, since, talked
from tests.statements import counted

DAY = timedelta(days=1)
CANARY_COMPANY, CANARY_PHONE = "ZQX-Kanarienvogel", "13812349876"


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor(username="shenzhou")


@pytest.fixture
def desk(person: Person, mentor: Account) -> Person:
    return person.sign_in(mentor.username)


@pytest.fixture
def enrolment(mentor: Account) -> EnrolledDegreeCourse:
    student = a_student(username="luffy", name="路飞", mobile=CANARY_PHONE)
    return a_studying(student, a_degree_with_homework(name="Python 全栈"), mentor)


def records() -> list[StuFollowUpRecord]:
    db.session.rollback()
    return db.session.query(StuFollowUpRecord).order_by(StuFollowUpRecord.id).all()


# ---------------------------------------------------------------- who gets in


def test_others_are_kept_out(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    page = f"/mentor/students/{enrolment.id}"
    paths = ["/mentor", page]
    visitor = Person(app)
    for path in paths:
        assert visitor.get(path).location.startswith("/login")
    assert visitor.post(f"{page}/follow-ups", {"tool": "1", "record": "x"}).status_code == 303
    who = [{"role": Role.STUDENT}, {"role": Role.LECTURER}, {"role": Role.MENTOR, "is_staff": True}]
    for values in who:
        other = Person(app).sign_in(a_student(**values).username)
        assert [other.get(path).status_code for path in paths] == [403, 403], values
        assert other.post(f"{page}/follow-ups", {"tool": "1", "record": "x"}).status_code == 403
    owner = Person(app).sign_in("luffy")
    assert owner.get(page).status_code == 403
    stranger = Person(app).sign_in(a_mentor().username)
    assert stranger.get("/mentor").status_code == 200
    assert stranger.get(page).status_code == 404
    assert stranger.post(f"{page}/follow-ups", {"tool": "1", "record": "x"}).status_code == 404
    assert stranger.get("/mentor/students/999999").status_code == 404
    assert records() == []


def test_only_mentors_are_led_to_the_desk(app: Flask, desk: Person) -> None:
    assert 'href="/mentor"' in desk.get("/").text
    assert 'href="/mentor"' not in Person(app).get("/").text
    for values in ({}, {"role": Role.MENTOR, "is_staff": True}):
        assert 'href="/mentor"' not in Person(app).sign_in(a_student(**values).username).get("/").text


@pytest.mark.parametrize("query", ["page=0", "page=2", "page=x", "page=１", "page=-1", "page=9999999", "state=x"])
def test_a_page_that_is_not_there(desk: Person, enrolment: EnrolledDegreeCourse, query: str) -> None:
    assert desk.get(f"/mentor?{query}").status_code == 404
    if query != "state=x":
        assert desk.get(f"/mentor/students/{enrolment.id}?{query}").status_code == 404


# ---------------------------------------------------------------- what it says


def test_an_empty_desk_says_what_will_come(desk: Person) -> None:
    page = desk.get("/mentor")
    assert page.status_code == 200
    assert "还没有学员" in page.text
    assert "教务分配学员以后，您会收到消息" in page.text


def test_the_desk_names_what_waits_and_the_one_next_step(desk: Person, enrolment: EnrolledDegreeCourse) -> None:
    now = clock.now()
    since(enrolment, now - 8 * DAY)
    a_hand_in(enrolment, at=now - timedelta(hours=50))
    questions.ask(enrolment.account_id, enrolment.id, "为什么", "不懂")
    page = desk.get("/mentor")
    text = words(page.text)
    assert queues(page.text) == {"questions": ("1", "0"), "homework": ("1", "1"), "contact": ("1", "1")}
    assert "最早的等了 2 天 2 小时" in text
    assert "路飞 Python 全栈" in text
    assert "0 / 4" in text
    assert "1500 贝里" in text
    assert page.text.count("button--primary") == 1
    assert 'button--primary" href="/mentor/students/' in page.text  # the word was due a day ago, the mark two hours
    talked(enrolment, now)
    assert 'button--primary" href="/mentor/homework"' in desk.get("/mentor").text


def queues(html: str) -> dict[str, tuple[str, str]]:
    found = re.findall(r'data-queue="(\w+)" data-count="(\d+)" data-overdue="(\d+)"', html)
    return {name: (count, overdue) for name, count, overdue in found}


def test_when_nothing_waits_the_desk_is_calm(desk: Person, enrolment: EnrolledDegreeCourse) -> None:
    page = desk.get("/mentor").text
    assert set(queues(page).values()) == {("0", "0")}
    assert "现在没有该联系的学员" in page
    assert "button--primary" not in page


def test_those_who_have_ended_stand_apart(desk: Person, enrolment: EnrolledDegreeCourse) -> None:
    enrolment = fresh(enrolment)
    enrolment.study_status, enrolment.ended_time = StudyStatus.GRADUATED, clock.now()
    db.session.commit()
    page = desk.get("/mentor").text
    assert "现在没有在带的学员" in page
    assert f'data-enrolment="{enrolment.id}"' not in page
    ended = desk.get("/mentor?state=ended").text
    assert f'data-enrolment="{enrolment.id}"' in ended
    assert "已毕业" in ended


def test_every_state_of_a_student_can_be_shown(desk: Person, mentor: Account) -> None:
    course = a_degree_with_homework()
    waiting = a_registered(course=course, open_module=False)
    assignment.assign(waiting.id, mentor.id, actor=STAFF)
    rested = a_studying(course=course, mentor=mentor)
    away(rested, clock.now())
    rested.study_status = StudyStatus.ON_LEAVE
    db.session.commit()
    over = a_studying(course=a_degree_with_homework(modules=1, homework=0), mentor=mentor)
    over.study_status, over.ended_time = StudyStatus.OVERTIME, clock.now()
    db.session.commit()
    page = desk.get("/mentor")
    assert page.status_code == 200
    assert "未开始" in page.text
    assert "休学中" in page.text
    assert "没有作业" in desk.get("/mentor?state=ended").text
    for enrolment in (waiting, rested, over):
        assert desk.get(f"/mentor/students/{enrolment.id}").status_code == 200
    assert "第一个模块还没有开通" in desk.get(f"/mentor/students/{waiting.id}").text


def test_the_desk_asks_little_however_many_students(desk: Person, mentor: Account) -> None:
    course = a_degree_with_homework()
    a_studying(course=course, mentor=mentor)
    desk.get("/mentor")
    with counted() as few:
        desk.get("/mentor")
    for _number in range(6):
        enrolment = a_studying(course=course, mentor=mentor)
        since(enrolment, clock.now() - 9 * DAY)
        a_hand_in(enrolment)
    with counted() as many:
        assert desk.get("/mentor").text.count("data-enrolment=") == 7
    assert len(many) <= len(few) + 1 <= 13, "\n".join(many)  # the leaves of those whose hand-ins wait


# ---------------------------------------------------------------- one student


def test_a_mentor_sees_the_road_and_what_the_form_may_tell(desk: Person, mentor: Account) -> None:
    student = a_student(name="路飞", mobile=CANARY_PHONE)
    enrolment = a_registered(
        student,
        current_company=CANARY_COMPANY,
        current_position=f"{CANARY_COMPANY}-长",
        current_salary=73519,
        why_take_this_course="想当<b>程序员</b>",
        memo="晚上有空",
    )
    assignment.assign(enrolment.id, mentor.id, actor=STAFF)
    enrolment = fresh(enrolment)
    a_hand_in(enrolment, score=Score.A)
    waiting = a_hand_in(enrolment, 1)
    page = desk.get(f"/mentor/students/{enrolment.id}").text
    text = words(page)
    assert "路飞" in text
    assert "138****9876" in text
    assert "想当&lt;b&gt;程序员&lt;/b&gt;" in page
    assert "晚上有空" in text
    assert "2-3小时/天" in text
    assert f'href="/mentor/homework/{waiting.id}"' in page
    assert re.search(r"<strong>A</strong>", page)
    assert "通过 1 / 2" in text
    for secret in (CANARY_PHONE, CANARY_COMPANY, "73519", "2年"):
        assert secret not in page
        assert secret not in desk.get("/mentor").text


def test_no_complaint_can_be_told_from_any_page(desk: Person, mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    quiet = a_studying(course=enrolment.degree_course, mentor=mentor)
    paths = ["/mentor", f"/mentor/students/{enrolment.id}", "/mentor/questions"]
    before = [main(desk, path) for path in paths]
    complaint = complaints.file(enrolment.account_id, enrolment.id, "从来不回复我的问题。")
    assert [main(desk, path) for path in paths] == before
    complaints.decide(complaint.id, upheld=True, actor=STAFF, reason="核实")
    assert [main(desk, path) for path in paths] == before
    told = words(desk.get("/messages").text)
    assert "一次关于您的投诉经核实成立，按规则扣除 200 贝里" in told
    for secret in ("从来不回复", "核实</", f"students/{enrolment.id}/complaint"):
        assert secret not in told
    assert fresh(quiet).mentor_fee_balance == 1500
    assert_audit_clean()


def main(desk: Person, path: str) -> str:
    """The page without the header, where new messages are counted."""
    return words(desk.get(path).text.partition("<main")[2])


def test_late_homework_is_said_in_words(desk: Person, enrolment: EnrolledDegreeCourse) -> None:
    for planned in db.session.query(CourseSchedule):
        planned.recommend_date = clock.local_date(clock.now()) - DAY
    db.session.commit()
    a_hand_in(enrolment)
    text = words(desk.get(f"/mentor/students/{enrolment.id}").text)
    assert "1 份作业逾期未交" in text
    assert "迟交" in text
    assert "1 份作业等待批改" in text


# ---------------------------------------------------------------- follow-up records


def test_a_follow_up_is_written_and_shown(app: Flask, desk: Person, enrolment: EnrolledDegreeCourse) -> None:
    path = f"/mentor/students/{enrolment.id}"
    assert "还没有跟进记录" in desk.get(path).text
    answer = desk.post(f"{path}/follow-ups", {"tool": "2", "record": "  <i>聊了</i>\n第二行 "})
    assert (answer.status_code, answer.location) == (303, path)
    page = desk.get(path).text
    assert "跟进记录已保存" in page
    assert "&lt;i&gt;聊了&lt;/i&gt;\n第二行" in page
    (record,) = records()
    assert (record.followup_tool, record.record) == (FollowUpTool.PHONE, "<i>聊了</i>\n第二行")
    student = Person(app).sign_in("luffy")
    for place in (f"/learning/degrees/{enrolment.id}", "/messages", "/learning"):
        assert "聊了" not in student.get(place).text


def test_a_file_is_kept_and_given_back(app: Flask, desk: Person, enrolment: EnrolledDegreeCourse) -> None:
    path = f"/mentor/students/{enrolment.id}"
    data = {"tool": "1", "record": "见附件", "attachment": (io.BytesIO("你好".encode()), "聊天.txt")}
    assert desk.post(f"{path}/follow-ups", data).status_code == 303
    (record,) = records()
    (upload,) = db.session.query(Upload).all()
    assert record.attachment_path == upload.stored_name
    page = desk.get(path).text
    assert f'href="/uploads/{upload.id}"' in page
    assert "聊天.txt" in page
    file = desk.get(f"/uploads/{upload.id}")
    assert (file.data, file.headers["Content-Disposition"].split(";")[0]) == ("你好".encode(), "attachment")
    file.close()
    for other in ("luffy", a_mentor().username):
        assert Person(app).sign_in(other).get(f"/uploads/{upload.id}").status_code == 404


RECORD = {"tool": "1", "record": "聊过"}
HOSTILE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no tool": {"record": "x"},
    "no record": {"tool": "1"},
    "an empty record": {**RECORD, "record": ""},
    "blanks": {**RECORD, "record": " \t\n "},
    "too long": {**RECORD, "record": "字" * 5001},
    "NUL": {**RECORD, "record": "a\x00b"},
    "a control character": {**RECORD, "record": "a\x1bb"},
    "two records": {**RECORD, "record": ["a", "b"]},
    "two tools": {**RECORD, "tool": ["1", "2"]},
    "an unknown tool": {**RECORD, "tool": "4"},
    "a negative tool": {**RECORD, "tool": "-1"},
    "a huge tool": {**RECORD, "tool": "9" * 40},
    "a tool in other digits": {**RECORD, "tool": "１"},
    "a tool with blanks": {**RECORD, "tool": " 1"},
    "a tool in words": {**RECORD, "tool": "WECHAT"},
    "a tool with NUL": {**RECORD, "tool": "1\x00"},
    "a file's name alone": {**RECORD, "attachment": "x.txt"},
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_be_a_record_is_told_on_the_form(
    desk: Person, enrolment: EnrolledDegreeCourse, data: dict[str, Any]
) -> None:
    answer = desk.post(f"/mentor/students/{enrolment.id}/follow-ups", data)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'id="follow-up-form"' in answer.text
    assert records() == []


@pytest.mark.parametrize(
    "files",
    [
        [(b"MZ\x90\x00", "x.exe")],
        [(b"", "empty.txt")],
        [(b"a", "a.txt"), (b"b", "b.txt")],
        [(b"<html><script>1</script>", "page.txt")],
    ],
    ids=["a program", "empty", "two", "a page"],
)
def test_a_file_that_is_not_taken(
    desk: Person, enrolment: EnrolledDegreeCourse, files: list[tuple[bytes, str]]
) -> None:
    sent = [(io.BytesIO(content), name) for content, name in files]
    answer = desk.post(f"/mentor/students/{enrolment.id}/follow-ups", {**RECORD, "attachment": sent})
    assert answer.status_code == 422
    assert "聊过" in answer.text  # nothing to type again
    assert (records(), db.session.query(Upload).count()) == ([], 0)


@pytest.mark.parametrize("record", ["字" * 5000, "\ud800".encode("utf-8", "surrogatepass"), "😀‮"], ids=ascii)
def test_border_values_are_taken(desk: Person, enrolment: EnrolledDegreeCourse, record: Any) -> None:
    answer = desk.post(f"/mentor/students/{enrolment.id}/follow-ups", {**RECORD, "record": record})
    assert answer.status_code == 303
    assert len(records()) == 1
    assert desk.get(f"/mentor/students/{enrolment.id}").status_code == 200


def test_a_post_without_its_token_does_nothing(desk: Person, enrolment: EnrolledDegreeCourse) -> None:
    answer = desk.client.post(f"/mentor/students/{enrolment.id}/follow-ups", data=RECORD)
    assert answer.status_code == 400
    assert records() == []
