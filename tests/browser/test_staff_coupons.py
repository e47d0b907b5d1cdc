"""In a browser: somebody new publishes a coupon, a student uses it; and the pages are good."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import select

from shop import clock
from shop.enums import StaffRole
from shop.extensions import db
from shop.models import Coupon, CouponRecord
from shop.services import coupons
from shop.services.audit_log import Actor
from shop.services.staff import coupon_codes
from tests.audit import assert_audit_clean
from tests.browser.conftest import Judge, Open
from tests.browser.test_staff import log_in
from tests.browser.visitor import WITHOUT_SCRIPTS, Visitor
from tests.builders import a_clerk, a_coupon, a_course, a_draft, a_student, today_in_shanghai
from tests.cashier.parts import Cashier
from tests.refunding import bought

NEXT_WEEK = timedelta(days=7)


def test_somebody_new_publishes_a_coupon_and_a_student_uses_it(
    served: Flask, alipay: Cashier, open_browser: Open
) -> None:
    """Scripts off. 790 is typed for 79; the page says what is meant, and the rehearsal what it would have cost."""
    course = a_course(10_000, name="新课")
    bought(alipay, a_student(), [course])
    today = today_in_shanghai()
    clerk = open_browser(**WITHOUT_SCRIPTS)
    clerk.expects("422")
    log_in(clerk, StaffRole.OPERATIONS)
    clerk.press("优惠券", role="link", within=clerk.page.locator(".desk-nav"))
    clerk.press("新建活动", role="link")
    clerk.main.get_by_label("种类").select_option(label="折扣券")
    clerk.fill_in(name="开学七九折", pay_percent="790", quantity="100", valid_days="30")
    clerk.fill_in(open_date=today.isoformat(), close_date=(today + NEXT_WEEK).isoformat())
    clerk.main.get_by_label("用在哪里").select_option(label="新课")
    clerk.press("看看写成了什么")
    clerk.sees("您是不是想写 79（7.9 折，学员付 79%）？")
    clerk.fill_in(pay_percent="79")
    clerk.press("看看写成了什么")
    clerk.sees("原价 100.00 元，学员付 79.00 元。")
    clerk.press("保存草稿")
    clerk.sees("草稿已保存，学员还看不到")
    clerk.press("预演并发布…", role="link")
    clerk.sees("减得最多的一张")
    assert clerk.page.locator("#total").inner_text() == "21.00 元"
    assert clerk.page.locator("#cautions").count() == 0
    clerk.fill_in(reason="开学季")
    clerk.press("发布活动")
    clerk.sees("「开学七九折」已发布")

    student = open_browser(**WITHOUT_SCRIPTS).sign_in(a_student().username)
    student.open("/coupons")
    student.main.get_by_role("article").filter(has_text="开学七九折").get_by_role("button").click()
    student.sees("已领取「开学七九折」")
    student.buy_now(f"/courses/{course.id}", "100.00")
    assert student.due() == "79.00 元"
    student.checkout("立即支付 79.00 元")
    db.session.rollback()
    coupon = db.session.scalars(select(Coupon).where(Coupon.name == "开学七九折")).one()
    record = db.session.scalars(select(CouponRecord).where(CouponRecord.coupon_id == coupon.id)).one()
    assert record.order_id is not None
    clerk.open(f"/staff/coupons/{coupon.id}")
    assert clerk.page.locator("#held").inner_text() == "1"
    assert_audit_clean()


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPTS], ids=["scripts on", "scripts off"])
def test_the_form_shows_the_amounts_of_the_chosen_kind(
    served: Flask, open_browser: Open, options: dict[str, object]
) -> None:
    """What is filled in stays in sight, or nobody could empty it."""
    clerk = open_browser(**options)
    log_in(clerk, StaffRole.OPERATIONS)
    clerk.open("/staff/coupons/new")
    kinds = {"立减券": ["amount"], "满减券": ["amount", "minimum"], "折扣券": ["pay_percent"]}
    for kind, fields in kinds.items():
        clerk.main.get_by_label("种类").select_option(label=kind)
        for name in ("amount", "minimum", "pay_percent"):
            expect(clerk.page.locator(f"#{name}")).to_be_visible(visible=name in fields)
    clerk.main.get_by_label("种类").select_option(label="立减券")
    clerk.fill_in(amount="50")
    clerk.main.get_by_label("种类").select_option(label="折扣券")
    expect(clerk.page.locator("#amount")).to_be_visible()


def test_the_pages_of_campaigns_are_good(visitor: Visitor, served: Flask, alipay: Cashier, judge: Judge) -> None:
    course, student = a_course(10_000), a_student(username="newcomer")
    bought(alipay, student, [course])
    running = a_coupon(is_public=False, name="给老学员的感谢券")
    draft = a_draft(course, flat=12_000, name="写错的活动", brief="只给新学员")
    coupons.grant(student.id, running.id, clock.now())
    clerk = a_clerk(StaffRole.OPERATIONS)
    coupon_codes.generate(running.id, 5, actor=Actor(clerk.username, clerk.id), reason="地推")
    page = f"/staff/coupons/{running.id}"
    log_in(visitor, StaffRole.OPERATIONS)
    pages = {
        "coupons": "/staff/coupons",
        "coupon-new": "/staff/coupons/new",
        "coupon-draft": f"/staff/coupons/{draft.id}",
        "coupon-rehearsal": f"/staff/coupons/{draft.id}/publication",
        "coupon": page,
        "coupon-codes": f"{page}/codes",
        "coupon-records": f"{page}/records",
        "coupon-gifts": f"{page}/gifts",
    }
    for name, path in pages.items():
        visitor.open(path)
        judge(visitor, f"staff-{name}")
    visitor.fill_in(names="newcomer nobody")
    visitor.press("看看谁会收到")
    visitor.sees("不认识")
    judge(visitor, "staff-coupon-gifts-plan")
    visitor.open("/staff/coupons/new")
    visitor.expects("422")
    today = today_in_shanghai().isoformat()
    visitor.fill_in(name="没有金额", quantity="10", open_date=today, close_date=today)
    visitor.press("保存草稿")
    visitor.sees("有 2 项需要修改")
    assert visitor.page.evaluate("document.activeElement.id") == "wrong"
    visitor.press(re.compile("^减多少"), role="link")
    assert visitor.page.evaluate("document.activeElement.id") == "amount"
    judge(visitor, "staff-coupon-form-refused")
    visitor.open(f"/staff/coupons/{draft.id}/edit")
    visitor.press("看看写成了什么")
    judge(visitor, "staff-coupon-form-preview")
