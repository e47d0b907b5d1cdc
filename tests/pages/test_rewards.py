"""A student's page about what a degree has earned, and the links of the 贝里 statement to where moves came from."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from shop import clock
from shop.enums import Purse, Rule
from shop.extensions import db, unit_of_work
from shop.models import Account, EnrolledDegreeCourse, Homework
from shop.services import enrolled_degrees, purses, refunds, score_rows, withdrawals
from shop.services.purses import Cause
from shop.web.filters import localdate
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.cashier.parts import Cashier
from tests.degrees import a_mentor, a_registered, a_studying, fresh
from tests.pages.test_english import CHINESE
from tests.pages.test_orders import words
from tests.person import Person
from tests.services.test_degree_refunds import begun, bought_degree, granted
from tests.services.test_earnings import gained, passed
from tests.services.test_nightly import set_clock
from tests.services.test_purses import fined, paid_out
from tests.services.test_withdrawals import a_clerk, asked
from tests.statements import counted


@pytest.fixture
def student(app: Flask) -> Account:
    return a_student()


@pytest.fixture
def reader(person: Person, student: Account) -> Person:
    return person.sign_in(student.username)


@pytest.fixture
def enrolment(student: Account) -> EnrolledDegreeCourse:
    return a_studying(student)


def path_of(enrolment: EnrolledDegreeCourse, ending: str = "") -> str:
    return f"/learning/degrees/{enrolment.id}/rewards{ending}"


def rows_of(page: str) -> list[str]:
    return [words(row) for row in re.findall(r"<tr data-record=.*?</tr>", page, re.DOTALL)]


# ---------------------------------------------------------------- the page


def test_a_student_sees_what_waits_until_when_and_what_a_speed_brings(
    reader: Person, enrolment: EnrolledDegreeCourse
) -> None:
    gained(enrolment, 90, memo="作业成绩奖励", facts={"homework": "作业1", "score": 90, "worth": 100})
    fined(enrolment, "the mentor's own affair")
    page = reader.get(path_of(enrolment)).text
    text = words(page)
    today = clock.local_date(clock.now())
    assert "待到账的奖学金 90 贝里 账户里可用 0 贝里" in text
    assert f"50 天内毕业 今天起还有 49 天，最晚 {localdate(today + timedelta(days=49))} 2000" in text
    assert f"100 天内毕业 今天起还有 99 天，最晚 {localdate(today + timedelta(days=99))} 300" in text
    planned = localdate(today + timedelta(days=28))
    assert f"按计划 {planned} 已经得到、还没有到账的 90" in text
    assert f"按计划 {planned} 毕业奖学金，如果按计划毕业 2000" in text
    [row] = rows_of(page)
    assert "作业成绩 · 奖励 规则第 1 版 作业成绩奖励 · 作业「作业1」 · 成绩 A +90 90" in row
    assert "未及时批改" not in page
    assert page.count("button--primary") == 1
    assert_audit_clean()


def test_what_is_missed_or_ends_today_is_said_in_words(
    reader: Person, enrolment: EnrolledDegreeCourse, instance: Path
) -> None:
    for days in (12, 12, 12, 13):
        set_clock(instance, clock.now() + timedelta(days=days))
        page = reader.get(path_of(enrolment)).text
    assert "50 天内毕业 今天是最后一天 2000" in words(page)
    set_clock(instance, clock.now() + timedelta(days=1))
    assert "50 天内毕业 已错过 2000" in words(reader.get(path_of(enrolment)).text)


def test_before_the_first_module_no_day_is_promised(reader: Person, student: Account) -> None:
    page = words(reader.get(path_of(a_registered(student, open_module=False))).text)
    assert "50 天内毕业 从开通第一个模块那天算起 2000" in page
    assert "还没有开通模块 已经得到、还没有到账的 0" in page
    assert "毕业奖学金，如果按计划毕业" not in page
    assert "还没有奖惩" in page


def test_after_graduation_and_the_payout(reader: Person, student: Account, enrolment: EnrolledDegreeCourse) -> None:
    passed(enrolment, 0)
    passed(enrolment, 1)
    page = reader.get(path_of(enrolment)).text
    assert "学习已结束，核对后在夜里到账 已经得到、还没有到账的 2000" in words(page)
    assert "天内毕业 今天起" not in page
    [row] = rows_of(page)
    assert "学位奖学金 · 奖励 规则第 1 版 毕业奖学金 · 用 1 天毕业，推荐 100 天 · 达到 50% 一档 +2000 2000" in row
    paid_out(enrolment, Purse.REWARDS)
    page = words(reader.get(path_of(enrolment)).text)
    assert "待到账的奖学金 0 贝里 账户里可用 2000 贝里" in page
    assert f"{localdate(clock.local_date(clock.now()))} 已到账 +2000" in page
    assert_audit_clean()


def test_it_is_the_students_own(app: Flask, reader: Person, student: Account, enrolment: EnrolledDegreeCourse) -> None:
    own, foreign = path_of(enrolment), path_of(a_studying())
    mentor = Person(app).sign_in(db.session.get_one(Account, fresh(enrolment).mentor_id).username)
    for ending in ("", ".csv"):
        assert reader.get(f"{own}{ending}", buffered=True).status_code == 200
        assert reader.get(f"{foreign}{ending}").status_code == 404
        assert mentor.get(f"{own}{ending}").status_code == 404
        assert Person(app).get(f"{own}{ending}").location.startswith("/login")
        for number in ("0", "-1", "x", "１", "2147483648", "%00"):
            assert reader.get(f"/learning/degrees/{number}/rewards{ending}").status_code == 404


def test_the_rows_are_paged_and_ask_the_same(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    def sent() -> int:
        with counted() as statements:
            reader.get(path_of(enrolment))
        return len(statements)

    gained(enrolment, 1)
    few = sent()
    for number in range(score_rows.ROWS_A_PAGE):
        gained(enrolment, number + 1)
    assert sent() == few
    assert few <= 17
    page = reader.get(path_of(enrolment)).text
    assert len(rows_of(page)) == score_rows.ROWS_A_PAGE
    assert f'href="{path_of(enrolment)}?page=2"' in page
    assert len(rows_of(reader.get(f"{path_of(enrolment)}?page=2").text)) == 1
    for page_number in ("3", "0", "x", "-1", "%00"):
        assert reader.get(f"{path_of(enrolment)}?page={page_number}").status_code == 404


def test_the_download_tells_what_has_matured(
    reader: Person, enrolment: EnrolledDegreeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_rows, "ROWS_A_BATCH", 2)
    for amount in (50, 60, 70):
        gained(enrolment, amount, memo="=作业成绩奖励")
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        purses.fine(session, locked, Purse.REWARDS, Rule.LATE_HOMEWORK, Cause("late"), clock.now())
    paid_out(enrolment, Purse.REWARDS)
    answer = reader.get(path_of(enrolment, ".csv"), buffered=True)
    assert re.fullmatch(r'attachment; filename="rewards-\d{8}\.csv"', answer.headers["Content-Disposition"])
    assert "no-store" in answer.headers["Cache-Control"]
    head, *rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert head == ["日期", "规则", "说明", "规则版本", "变动", "余额", "已到账", "状态"]
    assert [(row[4], row[5], row[6]) for row in rows] == [
        ("-20", "160", "0"),
        ("70", "180", "50"),
        ("60", "110", "60"),
        ("50", "50", "50"),
    ]
    assert rows[1][2] == "'=作业成绩奖励"
    assert_audit_clean()


def test_in_english_nothing_of_the_shops_own_is_chinese(reader: Person, enrolment: EnrolledDegreeCourse) -> None:
    enrolment.degree_course.name = "Backend"
    db.session.commit()
    gained(enrolment, 90, memo="作业成绩奖励", facts={"homework": "A list", "score": 90})
    reader.post("/language", {"language": "en"})

    def check() -> None:
        for ending in ("", ".csv"):
            left = reader.get(path_of(enrolment, ending), buffered=True).text
            left = left.replace('lang="zh-CN" aria-label="中文">中文<', "")
            assert not CHINESE.findall(left), CHINESE.findall(left)

    check()
    with unit_of_work() as session:
        for piece in session.query(Homework):
            piece.title = f"Homework {piece.id}"
    passed(enrolment, 0)
    passed(enrolment, 1)
    paid_out(enrolment, Purse.REWARDS)
    check()


# ---------------------------------------------------------------- 贝里明细


def test_the_statement_leads_to_where_a_reward_came_from(reader: Person, student: Account, alipay: Cashier) -> None:
    number, enrolment = bought_degree(alipay, student)
    begun(student, enrolment)
    gained(enrolment, 80)
    paid_out(enrolment, Purse.REWARDS)
    path = path_of(fresh(enrolment))
    page = reader.get("/account/beli").text
    assert "学位奖学金到账" in page
    assert f'href="{path}"' in page
    assert refunds.send(granted(number, enrolment.degree_course_id)) == "done"
    page = reader.get("/account/beli").text
    assert "学位奖学金到账" in page
    assert path not in page  # there is no such page any more
    assert reader.get(path).status_code == 404
    assert_audit_clean()


def test_the_statement_of_a_mentor_names_fee_withdrawal_and_return(app: Flask) -> None:
    mentor, clerk = a_mentor(), a_clerk()
    enrolment = a_studying(mentor=mentor)
    paid_out(enrolment, Purse.FEE)
    withdrawals.refuse(asked(mentor, 500), actor=clerk, reason="账号不符")
    reader = Person(app).sign_in(mentor.username)
    page = reader.get("/account/beli").text
    text = words(page)
    assert "提现没有通过，贝里退回 · 看提现申请" in text
    assert "申请提现 · 看提现申请" in text
    assert "导师费用到账 · 看收益明细" in text
    for target in ("/mentor/withdrawals", f"/mentor/earnings?student={enrolment.id}"):
        assert f'href="{target}"' in page
        assert reader.get(target).status_code == 200
    assert "账号不符" not in page
    with counted() as sent:
        reader.get("/account/beli")
    assert len(sent) <= 4
    assert "提现没有通过，贝里退回" in reader.get("/account/beli.csv", buffered=True).text
    assert_audit_clean()
