"""In a browser: 贝里 proposed by one person are given by another from the desk; a student takes the own data along."""

from __future__ import annotations

import zipfile
from pathlib import Path

from flask import Flask

from shop.enums import StaffRole
from shop.extensions import db
from shop.models import Account
from shop.services.audit_log import Actor
from shop.services.staff import gifts
from tests.audit import assert_audit_clean
from tests.browser.conftest import Judge, Open
from tests.browser.test_staff import log_in
from tests.browser.visitor import Visitor
from tests.builders import a_clerk, a_coupon, a_course, a_student
from tests.cashier.parts import Cashier
from tests.person import PASSWORD
from tests.refunding import bought


def test_a_gift_is_proposed_by_one_and_given_by_another_from_the_desk(served: Flask, open_browser: Open) -> None:
    student = a_student()
    anna, bert = open_browser(), open_browser()
    log_in(anna, StaffRole.FINANCE)
    anna.open("/staff/gifts")
    anna.main.locator("details.act summary").first.click()
    anna.main.locator("details[open] [name=username]").fill(student.username)
    anna.main.locator("details[open] [name=beli]").fill("50")
    anna.main.locator("details[open] [name=reason]").fill("课程故障补偿")
    anna.press("提出发放贝里")
    anna.sees("您提出的发放由另一位同事审核")
    log_in(bert, StaffRole.FINANCE)
    bert.main.locator('[data-queue="gifts beli"]').click()
    bert.main.locator("tr[data-gift] a").first.click()
    bert.main.locator("details.act summary").first.click()
    bert.main.locator("details[open] [name=reason]").fill("属实")
    bert.press("发放 50 贝里")
    bert.sees("已发放，对方会收到消息")
    db.session.rollback()
    assert db.session.get_one(Account, student.id, populate_existing=True).balance == 50
    assert_audit_clean()


def test_a_student_takes_the_own_data_along(
    served: Flask, alipay: Cashier, visitor: Visitor, judge: Judge, tmp_path: Path
) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(30_000)])
    visitor.open("/login?next=/account")
    visitor.fill_in(username=student.username, password=PASSWORD)
    visitor.press("登录", within=visitor.main)
    visitor.main.get_by_role("link", name="导出或注销").click()
    judge(visitor, "own-data")
    visitor.press("准备我的数据")
    judge(visitor, "own-data-link")
    visitor.main.locator("[name=password]").fill(PASSWORD)
    with visitor.page.expect_download() as download:
        visitor.main.get_by_role("button", name="下载我的数据").click()
    download.value.save_as(tmp_path / "mine.zip")
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        assert archive.namelist() == ["data.json", "index.html"]
        assert number in archive.read("index.html").decode()


def test_the_pages_about_people_are_good(served: Flask, alipay: Cashier, visitor: Visitor, judge: Judge) -> None:
    student = a_student(beli=30, name="娜美", mobile="13912345678")
    bought(alipay, student, [a_course(30_000), a_course(20_000)], beli=30)
    clerk = a_clerk(StaffRole.FINANCE, StaffRole.SERVICE)
    actor = Actor(clerk.username, clerk.id)
    gift = gifts.propose_beli(student.username, 50, actor=actor, reason="课程故障补偿")
    gifts.propose_coupon(student.username, a_coupon().id, actor=actor, reason="等了太久")
    log_in(visitor, *StaffRole)
    pages = {
        "gifts": "/staff/gifts",
        "gift": f"/staff/gifts/{gift}",
        "person": f"/staff/people/{student.id}",
        "account-data": f"/staff/accounts/{student.id}",
    }
    for name, path in pages.items():
        visitor.open(path)
        judge(visitor, f"staff-{name}")
