"""In a browser: a mentor looks at earnings, appeals against a fine and withdraws; a student looks at rewards."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import expect

from shop import clock
from shop.enums import Purse, Rule
from shop.extensions import db, unit_of_work
from shop.models import Account, EnrolledDegreeCourse, HomeworkRecord
from shop.services import appeals, complaints, enrolled_degrees, leave, purses, withdrawals
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.browser.conftest import Judge, Open, Take
from tests.browser.visitor import PHONE, WITHOUT_SCRIPTS, Visitor
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mentor, a_studying
from tests.person import PASSWORD
from tests.services.test_earnings import gained, passed
from tests.services.test_purses import paid_out
from tests.services.test_withdrawals import a_clerk

WHY = "这份作业周六晚上已经批改，系统当时没有记下。"
NAMES = ("罗罗诺亚·索隆", "娜美", "乌索普", "山治")


@pytest.fixture
def mentor(served: Flask) -> Account:
    """With four students: one has graduated and is paid, one rests; fines and a complaint among the others."""
    mentor = a_mentor(name="沈舟")
    course = a_degree_with_homework(name="后端开发工程师培养计划")
    first, second, third, fourth = (a_studying(a_student(name=name), course, mentor) for name in NAMES)
    passed(fourth, 0)
    passed(fourth, 1)
    paid_out(fourth, Purse.FEE)
    leave.begin(third.account_id, third.id, "家里有事")
    for number, homework in enumerate(course.modules[0].chapters[0].homework):
        fine(first, f"late {number}", Rule.LATE_GRADING, homework_record_id=a_record(homework.id, first.id))
    fine(second, "follow-up", Rule.NO_FOLLOW_UP)
    fine(second, "upheld", Rule.NO_ANSWER)
    upheld = appeals.file(mentor.id, record_of("upheld"), WHY, clock.now()).id
    appeals.decide(upheld, upheld=True, actor=STAFF, reason="系统日志可以证明")
    complaint = complaints.file(second.account_id, second.id, "导师两周没有回复过我。")
    complaints.decide(complaint.id, upheld=True, actor=STAFF, reason="属实")
    return mentor


def fine(enrolment: EnrolledDegreeCourse, event: str, rule: Rule, **evidence: Any) -> None:
    due = {"due_time": (clock.now() - timedelta(hours=3)).isoformat()}
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        purses.fine(session, locked, Purse.FEE, rule, Cause(event, facts=due, **evidence), clock.now())


def a_record(homework_id: int, enrolment_id: int) -> int:
    with unit_of_work() as session:
        record = HomeworkRecord(homework_id=homework_id, student_id=enrolment_id)
        session.add(record)
        session.flush()
        return record.id


def record_of(event: str) -> int:
    found: int = db.session.query(purses.ScoreRecord.id).filter_by(event=event).scalar()
    return found


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPTS, PHONE], ids=["desk", "scripts off", "phone"])
def test_a_mentor_appeals_and_withdraws(open_browser: Open, mentor: Account, options: dict[str, Any]) -> None:
    visitor = open_browser(**options)
    visitor.sign_in(mentor.username)
    visitor.open("/mentor/earnings")
    visitor.main.locator("#student").select_option(label="罗罗诺亚·索隆 · 后端开发工程师培养计划")
    visitor.press("查看明细")
    expect(visitor.main.locator("tr[data-record]")).to_have_count(3)
    visitor.main.locator("tr[data-record]").first.get_by_role("link", name="申诉").click()
    visitor.fill_in(content=WHY)
    visitor.press("提交申诉")
    visitor.sees("申诉已提交")
    visitor.sees("申诉处理中")
    visitor.press("申请提现", role="link")
    visitor.fill_in(amount="1200", payee_account="zhou.shen@example.com", payee_name="沈舟", password="wrong")
    if options is not WITHOUT_SCRIPTS:
        visitor.main.locator("#payee_account").click()
        expect(visitor.main.locator("#worth")).to_contain_text("1200.00 元")
    visitor.expects("422")
    visitor.press("提交提现申请")
    visitor.sees("密码不对")
    expect(visitor.main.locator("#payee_account")).to_have_value("zhou.shen@example.com")
    visitor.fill_in(password=PASSWORD)
    visitor.press("提交提现申请")
    visitor.sees("提现申请已提交：1200 贝里，合 1200.00 元。")
    expect(visitor.main.locator("tr[data-withdrawal]")).to_contain_text("zh***@example.com")
    visitor.open("/account/beli")
    visitor.press("看提现申请", role="link")
    visitor.sees("等待审核")
    assert_audit_clean()


def test_the_mentors_pages_are_good(visitor: Visitor, mentor: Account, judge: Judge) -> None:
    anna, bert = a_clerk(), a_clerk()
    numbers = [
        withdrawals.ask(mentor.id, amount, payee_account=payee, payee_name="沈舟", now=clock.now()).id
        for amount, payee in ((100, "zhou.shen@example.com"), (250, "13800131234"))
    ]
    withdrawals.approve(numbers[0], actor=anna, reason="核对无误")
    withdrawals.pay(numbers[0], actor=bert, payment_number="20261124110070001506")
    withdrawals.refuse(numbers[1], actor=anna, reason="账号与实名不符，请核对后重新申请")
    visitor.sign_in(mentor.username)
    visitor.open("/mentor/earnings")
    judge(visitor, "earnings")
    visitor.expects("422")
    visitor.open("/mentor/earnings?month=2026-13")
    judge(visitor, "earnings-filter-wrong")
    visitor.open(f"/mentor/earnings/{record_of('late 0')}/appeals")
    judge(visitor, "appeal")
    visitor.fill_in(content="太短了吧")
    visitor.main.locator("#appeal button").click()
    judge(visitor, "appeal-wrong")
    visitor.open(f"/mentor/earnings/{record_of('upheld')}/appeals")
    judge(visitor, "appeal-upheld")
    visitor.open("/mentor/withdrawals?amount=120")
    judge(visitor, "withdrawals")
    visitor.fill_in(amount="5000", payee_account="zhou", payee_name="沈舟", password="x")
    visitor.press("提交提现申请")
    judge(visitor, "withdrawals-wrong")
    visitor.open("/account/beli")
    judge(visitor, "mentor-beli")


def test_the_students_page_is_good(visitor: Visitor, served: Flask, judge: Judge) -> None:
    student = a_student(name="路飞")
    enrolment = a_studying(student)
    username = student.username
    visitor.sign_in(username)
    visitor.open(f"/learning/degrees/{enrolment.id}/rewards")
    judge(visitor, "rewards-empty")
    gained(enrolment, 90, memo="作业成绩奖励", facts={"homework": "写一个命令行待办清单", "score": 90})
    gained(enrolment, 5, memo="按时提交作业", facts={"homework": "写一个命令行待办清单"})
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        cause = Cause("late", facts={"homework": "把清单存进数据库", "due_date": "2026-11-20"})
        purses.fine(session, locked, Purse.REWARDS, Rule.LATE_HOMEWORK, cause, clock.now())
    visitor.open(f"/learning/degrees/{enrolment.id}/rewards")
    judge(visitor, "rewards")
    passed(enrolment, 0)
    passed(enrolment, 1)
    paid_out(enrolment, Purse.REWARDS)
    visitor.open(f"/learning/degrees/{enrolment.id}/rewards")
    judge(visitor, "rewards-paid")
    assert_audit_clean()


def test_these_pages_on_a_phone(phone: Visitor, mentor: Account, take: Take) -> None:
    enrolment = a_studying()
    gained(enrolment, 90, memo="作业成绩奖励", facts={"homework": "写一个命令行待办清单", "score": 90})
    student = db.session.get_one(Account, enrolment.account_id).username
    for username, pages in (
        (mentor.username, {"earnings": "/mentor/earnings", "withdrawals": "/mentor/withdrawals?amount=120"}),
        (student, {"rewards": f"/learning/degrees/{enrolment.id}/rewards"}),
    ):
        phone.context.clear_cookies()
        phone.sign_in(username)
        for name, path in pages.items():
            phone.open(path)
            assert phone.is_too_wide() <= 0
            for scheme in ("light", "dark"):
                phone.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                take(phone, f"phone-{scheme}-{name}")
            phone.page.emulate_media(color_scheme="light")
