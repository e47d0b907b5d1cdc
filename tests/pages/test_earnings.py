"""The mentors' page about 贝里: what waits and when, the statement with its filters, the download, the appeals."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from shop import clock
from shop.enums import ComplaintState, Purse, Rule, TransactionType
from shop.extensions import db, unit_of_work
from shop.models import Account, Appeal, EnrolledDegreeCourse, HomeworkRecord, Question, ScoreRecord
from shop.services import appeals, assignment, complaints, enrolled_degrees, purses, score_rows, wallet, withdrawals
from shop.services.purses import Cause
from shop.web.filters import localdate
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_mentor, a_studying, fresh
from tests.faults.purchase import count, fingerprint
from tests.pages.test_english import CHINESE
from tests.pages.test_orders import words
from tests.person import Person
from tests.purchases import saved
from tests.services.test_earnings import complained, passed
from tests.services.test_nightly import set_clock
from tests.services.test_purses import fined, paid_out
from tests.services.test_withdrawals import a_clerk, asked
from tests.statements import counted

WHY = "作业在周六晚上已经批改，系统当时出错。"


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor()


@pytest.fixture
def reader(person: Person, mentor: Account) -> Person:
    return person.sign_in(mentor.username)


@pytest.fixture
def enrolment(mentor: Account) -> EnrolledDegreeCourse:
    return a_studying(a_student(name="索隆"), mentor=mentor)


def record_of(event: str) -> int:
    db.session.rollback()
    found: int = db.session.query(ScoreRecord.id).filter_by(event=event).scalar()
    return found


def the_appeal() -> Appeal:
    db.session.rollback()
    return db.session.query(Appeal).one()


def rows_of(page: str) -> list[str]:
    return [words(row) for row in re.findall(r"<tr data-record=.*?</tr>", page, re.DOTALL)]


def cells_of(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


# ---------------------------------------------------------------- the overview


def test_a_mentor_sees_what_there_is_and_when_it_should_mature(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    fined(enrolment, "fine")
    fined(enrolment, "again")
    page = reader.get("/mentor/earnings").text
    text = words(page)
    assert "可以使用和提现 0 贝里" in text
    assert "待成熟的费用 1400 贝里" in text
    planned = clock.local_date(clock.now()) + timedelta(days=28)
    assert f"按计划 {localdate(planned)}" in text
    assert "未及时批改作业 × 2： -100" in text
    assert re.search(rf"{planned.year}年{planned.month}月 1 1400", text)
    assert "索隆" in text
    assert f'href="/mentor/students/{enrolment.id}"' in page
    assert page.count("button--primary") == 1
    assert_audit_clean()


def test_what_matured_is_told_with_its_day(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    passed(enrolment, 0)
    passed(enrolment, 1)
    assert "学习已结束，核对后在夜里到账" in reader.get("/mentor/earnings").text
    paid_out(enrolment, Purse.FEE)
    text = words(reader.get("/mentor/earnings").text)
    assert "可以使用和提现 1500 贝里 待成熟的费用 0 贝里 已经成熟 1500 贝里" in text
    assert f"{localdate(clock.local_date(clock.now()))} 索隆" in text
    assert "+1500" in text
    assert_audit_clean()


def test_a_mentor_without_students_is_told_what_comes(reader: Person) -> None:
    page = reader.get("/mentor/earnings").text
    assert "还没有费用" in page
    assert 'id="filter"' not in page


# ---------------------------------------------------------------- the statement


def test_every_row_says_what_it_rests_on(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    homework = enrolment.degree_course.modules[0].chapters[0].homework[0]
    record = saved(HomeworkRecord(homework_id=homework.id, student_id=enrolment.id))
    question = saved(
        Question(
            account_id=enrolment.account_id,
            degree_course_id=enrolment.degree_course_id,
            enrolled_degree_course_id=enrolment.id,
            title="生成器怎么关",
            content="…",
        )
    )
    due = clock.now().isoformat()
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        late = Cause("late", "没有在期限内批改", {"due_time": due}, record.id)
        purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, late, clock.now())
        silent = Cause("silent", "没有在期限内回复", {"due_time": due}, question_id=question.id)
        purses.fine(session, locked, Purse.FEE, Rule.NO_ANSWER, silent, clock.now())
        missed = Cause("missed", "没有按时交作业", {"homework": "作业9", "due_date": "2026-11-20"})
        purses.fine(session, locked, Purse.FEE, Rule.LATE_HOMEWORK, missed, clock.now())
    last, second, first, initial = rows_of(reader.get("/mentor/earnings").text)
    assert "未按时交作业 · 惩罚 规则第 1 版 没有按时交作业 · 作业「作业9」 · 应在 11月20日 前交" in last
    assert "没有在期限内回复 · 问题「生成器怎么关」 · 提问于" in second
    assert "没有在期限内批改 · 作业「作业1」 · 首次提交" in first
    assert " · 期限 " in first
    assert re.search(r"-50 1450 申诉", first)
    assert re.search(r"导师相关 · 初始分配 规则第 1 版 导师费用初始分配 \+1500 1500 —", initial)
    assert_audit_clean()


def test_the_filters_stay_in_the_address_and_in_the_download(
    reader: Person, mentor: Account, enrolment: EnrolledDegreeCourse
) -> None:
    other = a_studying(a_student(name="娜美"), mentor=mentor)
    for number in range(score_rows.ROWS_A_PAGE + 1):
        fined(enrolment, f"fine {number}", Rule.NO_FOLLOW_UP)
    fined(other, "other")
    month = f"{clock.local_date(clock.now()):%Y-%m}"
    path = f"?student={enrolment.id}&month={month}"
    page = reader.get(f"/mentor/earnings{path}")
    assert reader.form(page, "filter") == {"student": str(enrolment.id), "month": month}
    assert len(rows_of(page.text)) == score_rows.ROWS_A_PAGE
    assert all("索隆" in row for row in rows_of(page.text))
    escaped = path.replace("&", "&amp;")
    assert f'href="/mentor/earnings.csv{escaped}"' in page.text
    assert f'href="/mentor/earnings?page=2&amp;student={enrolment.id}&amp;month={month}"' in page.text
    assert len(rows_of(reader.get(f"/mentor/earnings{path}&page=2").text)) == 2
    _head, *rows = cells_of(reader.get(f"/mentor/earnings.csv{path}", buffered=True).text)
    assert len(rows) == score_rows.ROWS_A_PAGE + 2
    assert {row[1] for row in rows} == {"索隆"}
    assert "没有符合条件的记录" in reader.get("/mentor/earnings?month=2020-01").text
    assert len(cells_of(reader.get("/mentor/earnings.csv?month=2020-01", buffered=True).text)) == 1


HOSTILE = [
    *("x", "-1", "0", "１", "1.5", "9" * 40, "%00", "%ED%A0%80", "1%0A", "%F0%9F%90%88"),
    "' OR 1=1 --",
]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize("name", ["student", "month"])
def test_a_filter_that_cannot_be_one_is_told(
    reader: Person, enrolment: EnrolledDegreeCourse, name: str, value: str
) -> None:
    before = fingerprint()
    answer = reader.get(f"/mentor/earnings?{name}={value}")
    assert answer.status_code == 422
    assert "筛选条件不正确" in answer.text
    assert 'role="alert"' in answer.text
    assert reader.get(f"/mentor/earnings.csv?{name}={value}").status_code == 422
    assert fingerprint() == before


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("month=2026-13", 422),
        ("month=2026-00", 422),
        ("month=1999-12", 422),
        ("month=２０２６-11", 422),
        ("month=2026-1", 422),
        ("month=2026-11&month=2026-10", 422),
        ("student=1&student=2", 422),
        ("student=2147483648", 422),
        ("student=2147483647", 404),
        ("month=2099-12", 200),
        ("student=&month=", 200),
        ("page=0", 404),
        ("page=2", 404),
        ("page=x", 404),
        ("page=%00", 404),
        ("page=99999999999999999999", 404),
    ],
)
def test_borders_of_the_filters(reader: Person, enrolment: EnrolledDegreeCourse, query: str, status: int) -> None:
    assert reader.get(f"/mentor/earnings?{query}").status_code == status


def test_the_download_has_every_row_with_its_running_balance(
    reader: Person, enrolment: EnrolledDegreeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_rows, "ROWS_A_BATCH", 2)
    for number in range(4):
        fined(enrolment, f"fine {number}")
    answer = reader.get("/mentor/earnings.csv", buffered=True)
    assert answer.mimetype == "text/csv"
    assert re.fullmatch(r'attachment; filename="earnings-\d{8}\.csv"', answer.headers["Content-Disposition"])
    assert "no-store" in answer.headers["Cache-Control"]
    head, *rows = cells_of(answer.text)
    assert head == ["日期", "学员", "学位课", "规则", "说明", "规则版本", "变动", "余额", "状态"]
    assert [(row[6], row[7]) for row in rows] == [
        ("-50", "1300"),
        ("-50", "1350"),
        ("-50", "1400"),
        ("-50", "1450"),
        ("1500", "1500"),
    ]
    assert rows[0][1:4] == ["索隆", enrolment.degree_course.name, "未及时批改作业 · 惩罚"]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)"], ids=repr)
def test_no_cell_is_a_formula(reader: Person, mentor: Account, name: str) -> None:
    a_studying(a_student(name=name), mentor=mentor)
    assert cells_of(reader.get("/mentor/earnings.csv", buffered=True).text)[1][1] == f"'{name}"


@pytest.mark.parametrize("path", ["/mentor/earnings", "/mentor/earnings.csv", "/mentor/withdrawals"])
def test_the_pages_are_for_mentors(app: Flask, person: Person, path: str) -> None:
    assert person.get(path).location.startswith("/login")
    for values in ({}, {"role": 2}, {"role": 3, "is_staff": True}, {"role": 1, "is_staff": True}):
        assert Person(app).sign_in(a_student(**values).username).get(path).status_code == 403


def test_another_mentor_finds_no_row_of_it(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    fined(enrolment, "fine")
    stranger = Person(app).sign_in(a_mentor().username)
    page = stranger.get("/mentor/earnings").text
    assert "索隆" not in page
    assert rows_of(page) == []
    assert stranger.get(f"/mentor/earnings?student={enrolment.id}").status_code == 404
    assert stranger.get(f"/mentor/earnings.csv?student={enrolment.id}").status_code == 404
    appeal = f"/mentor/earnings/{record_of('fine')}/appeals"
    assert stranger.get(appeal).status_code == 404
    assert stranger.post(appeal, {"content": WHY}).status_code == 404


def test_a_former_mentor_keeps_the_history_and_loses_the_way_to_the_student(
    reader: Person, enrolment: EnrolledDegreeCourse
) -> None:
    assignment.assign(enrolment.id, a_mentor().id, actor=STAFF, reason="学员希望")
    page = reader.get(f"/mentor/earnings?student={enrolment.id}").text
    assert ["更换导师，剩余费用转出" in row for row in rows_of(page)] == [True, False]
    assert f"/mentor/students/{enrolment.id}" not in page
    assert "待成熟的费用 0 贝里" in words(page)
    assert_audit_clean()


def test_the_page_asks_the_same_however_many_students(reader: Person, mentor: Account) -> None:
    def sent() -> int:
        with counted() as statements:
            assert reader.get("/mentor/earnings").status_code == 200
        return len(statements)

    a_studying(mentor=mentor)
    few = sent()
    for number in range(4):
        fined(a_studying(mentor=mentor), f"fine {number}")
    assert sent() == few
    assert few <= 16


# ---------------------------------------------------------------- complaints


def test_a_row_of_a_complaint_names_nobody(reader: Person, mentor: Account, enrolment: EnrolledDegreeCourse) -> None:
    quiet = a_studying(a_student(name="娜美"), mentor=mentor)
    record_id = complained(enrolment)
    page = reader.get("/mentor/earnings").text
    [row] = re.findall(rf'<tr data-record="{record_id}".*?</tr>', page, re.DOTALL)
    for canary in ("索隆", "娜美", "导师两周没有回复过我", enrolment.degree_course.name, "/mentor/students/"):
        assert canary not in row
    assert "收到学员投诉 · 惩罚" in words(row)
    assert re.search(r"-200 — 申诉", words(row))
    [cells] = [row for row in cells_of(reader.get("/mentor/earnings.csv", buffered=True).text) if row[6] == "-200"]
    assert (cells[1], cells[2], cells[7]) == ("", "", "")
    for one in (enrolment, quiet):
        for path in ("/mentor/earnings", "/mentor/earnings.csv"):
            assert "收到学员投诉" not in reader.get(f"{path}?student={one.id}", buffered=True).text
    shown = words(reader.get(f"/mentor/earnings/{record_id}/appeals").text)
    assert "索隆" not in shown
    assert enrolment.degree_course.name not in shown
    assert "导师两周没有回复过我" not in reader.get("/mentor/earnings").text
    assert "投诉扣除 不列出学员，从上面的合计里扣 -200" in words(page)
    assert "待成熟的费用 2800 贝里" in words(page)
    assert_audit_clean()


def test_not_even_the_facts_of_a_complaint_are_told(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        cause = Cause("complaint", "一次投诉经核实成立", {"homework": "泄密作业", "due_date": "2026-11-20"})
        purses.fine(session, locked, Purse.FEE, Rule.COMPLAINT, cause, clock.now())
    path = f"/mentor/earnings/{record_of('complaint')}/appeals"
    for shown in ("/mentor/earnings", "/mentor/earnings.csv", path):
        page = reader.get(shown, buffered=True).text
        assert "一次投诉经核实成立" in page
        assert "泄密作业" not in page
        assert "11月20日" not in page


def test_a_complaint_that_waits_shows_nothing(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    before = reader.get("/mentor/earnings").text
    complaints.file(enrolment.account_id, enrolment.id, "导师两周没有回复过我。")
    assert words(reader.get("/mentor/earnings").text) == words(before)


# ---------------------------------------------------------------- appeals


def test_an_appeal_from_the_row_to_the_decision(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    fined(enrolment, "fine")
    path = f"/mentor/earnings/{record_of('fine')}/appeals"
    assert f'href="{path}"' in reader.get("/mentor/earnings").text
    page = reader.get(path)
    assert "索隆" in page.text
    answer = reader.post(path, {**reader.form(page, "appeal"), "content": f"  {WHY}\n第二行  "})
    assert answer.location == "/mentor/earnings"
    page = reader.follow(answer).text
    assert "申诉已提交" in page
    assert "申诉处理中" in page
    appeal = the_appeal()
    assert appeal.content.replace("\r", "") == f"{WHY}\n第二行"
    shown = reader.get(path).text
    assert WHY in shown and 'id="appeal"' not in shown
    appeals.decide(appeal.id, upheld=True, actor=STAFF, reason="日志可以证明")
    assert "日志可以证明" in reader.get(path).text
    undo, row = rows_of(reader.get("/mentor/earnings").text)[:2]
    assert "已撤销 申诉成立" in row
    assert "申诉成立，扣款撤销 · 撤销" in undo and "的 -50 贝里" in undo
    assert_audit_clean()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "   ",
        "太短",
        "九个字的申诉理由" + "。",
        "x" * 2001,
        "一二三四五六七八九十\x00",
        "\x1b[31m一二三四五六七八九十",
        None,
        ["a" * 20] * 2,
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_content_out_of_bounds_writes_nothing(reader: Person, enrolment: EnrolledDegreeCourse, content: Any) -> None:
    fined(enrolment, "fine")
    path = f"/mentor/earnings/{record_of('fine')}/appeals"
    before = fingerprint()
    answer = reader.post(path, {"content": content} if content is not None else {})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'id="appeal"' in answer.text
    assert fingerprint() == before


@pytest.mark.parametrize("content", ["一二三四五六七八九十", "𝕏" * 2000, "<script>alert(1)</script>", "é" * 10])
def test_contents_at_the_bounds_are_kept_and_shown_as_they_are(
    reader: Person, enrolment: EnrolledDegreeCourse, content: str
) -> None:
    fined(enrolment, "fine")
    path = f"/mentor/earnings/{record_of('fine')}/appeals"
    assert reader.post(path, {"content": content}).status_code == 303
    page = reader.get(path).text
    assert "<script>alert" not in page
    assert the_appeal().content == content


def test_what_cannot_be_appealed_says_why(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    fined(enrolment, "fine")
    path = f"/mentor/earnings/{record_of('fine')}/appeals"
    assert reader.post(path, {"content": WHY}).status_code == 303
    again = reader.post(path, {"content": WHY})
    assert again.status_code == 409
    assert "每笔只能申诉一次" in again.text
    initial = f"/mentor/earnings/{record_of(f'fee:{enrolment.id}')}/appeals"
    page = reader.get(initial)
    assert page.status_code == 200 and 'id="appeal"' not in page.text
    assert reader.post(initial, {"content": WHY}).status_code == 409
    assert count(Appeal) == 1


@pytest.mark.parametrize("record_id", ["0", "-1", "x", "１", "2147483648", "9" * 20, "%00"])
def test_a_row_that_cannot_be_one_is_not_found(reader: Person, record_id: str) -> None:
    assert reader.get(f"/mentor/earnings/{record_id}/appeals").status_code == 404
    # a number beyond the database makes Werkzeug look for another method
    assert reader.post(f"/mentor/earnings/{record_id}/appeals", {"content": WHY}).status_code in (404, 405)
    assert count(Appeal) == 0


def test_an_appeal_is_for_mentors_with_their_token(app: Flask, reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    fined(enrolment, "fine")
    path = f"/mentor/earnings/{record_of('fine')}/appeals"
    student = db.session.get_one(Account, fresh(enrolment).account_id).username
    assert Person(app).sign_in(student).post(path, {"content": WHY}).status_code == 403
    assert Person(app).post(path, {"content": WHY}).status_code == 303  # to the log-in
    assert reader.client.post(path, data={"content": WHY}).status_code == 400
    assert count(Appeal) == 0


def test_after_thirty_days_no_row_offers_an_appeal(
    reader: Person, enrolment: EnrolledDegreeCourse, instance: Path
) -> None:
    fined(enrolment, "fine")
    path = f"/mentor/earnings/{record_of('fine')}/appeals"
    set_clock(instance, clock.now() + timedelta(days=12))
    reader.get("/mentor/earnings")
    set_clock(instance, clock.now() + timedelta(days=12))
    reader.get("/mentor/earnings")  # or the session would end meanwhile
    set_clock(instance, clock.now() + timedelta(days=7))
    assert path not in reader.get("/mentor/earnings").text
    answer = reader.post(path, {"content": WHY})
    assert answer.status_code == 409
    assert "超过 30 天" in answer.text
    assert db.session.query(Appeal).filter_by(state=ComplaintState.WAITING).count() == 0


def test_in_english_nothing_of_the_shops_own_is_chinese(
    reader: Person, mentor: Account, enrolment: EnrolledDegreeCourse
) -> None:
    """What people and authors wrote stays: their names are given in English here."""
    enrolment.account.name, enrolment.degree_course.name = "Zoro", "Backend"
    db.session.commit()
    with unit_of_work() as session:
        wallet.move_beli(session, mentor.id, TransactionType.INCOME, 100)
    withdrawals.refuse(asked(mentor, 30), actor=a_clerk(), reason="Wrong name")
    asked(mentor, 40)
    fined(enrolment, "fine")
    fined(enrolment, "undone", Rule.NO_ANSWER)
    undone = appeals.file(mentor.id, record_of("undone"), "It was answered.", clock.now()).id
    appeals.decide(undone, upheld=True, actor=STAFF, reason="True")
    complained(enrolment)
    reader.post("/language", {"language": "en"})
    pages = [
        reader.get("/mentor/earnings"),
        reader.get("/mentor/earnings?month=x"),
        reader.get("/mentor/earnings.csv", buffered=True),
        reader.get(f"/mentor/earnings/{record_of('fine')}/appeals"),
        reader.get(f"/mentor/earnings/{record_of('undone')}/appeals"),
        reader.post(f"/mentor/earnings/{record_of('fine')}/appeals", {"content": "short"}),
        reader.post(f"/mentor/earnings/{record_of('undone')}/appeals", {"content": "It was answered."}),
        reader.get("/mentor/withdrawals"),
        reader.post("/mentor/withdrawals", {"amount": "9999", "payee_account": "x", "token": "x"}),
        reader.get("/account/beli"),
    ]
    assert [page.status_code for page in pages] == [200, 422, 200, 200, 200, 422, 409, 200, 422, 200]
    for page in pages:
        left = page.text.replace('lang="zh-CN" aria-label="中文">中文<', "")
        assert not CHINESE.findall(left), CHINESE.findall(left)
