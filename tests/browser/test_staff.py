"""In a browser: finance logs in with two factors and decides what the desk shows; the pages are good."""

from __future__ import annotations

import pytest
from flask import Flask

from shop import clock
from shop.enums import RefundState, StaffRole
from shop.services import withdrawals
from tests.audit import assert_audit_clean
from tests.browser.conftest import Judge, Open
from tests.browser.visitor import WITHOUT_SCRIPTS, Visitor
from tests.builders import a_clerk, a_course, a_student
from tests.cashier.parts import Cashier
from tests.degrees import a_mentor
from tests.person import PASSWORD
from tests.refunding import asked, bought, the_refund


def log_in(visitor: Visitor, *roles: StaffRole) -> None:
    """Both factors, the second as the demo shows it."""
    visitor.open("/login?next=/staff/")
    visitor.fill_in(username=a_clerk(*roles).username, password=PASSWORD)
    visitor.press("登录", within=visitor.main)
    visitor.fill_in(code=visitor.page.get_attribute("[data-demo-code]", "data-demo-code") or "")
    visitor.press("登录员工后台")
    visitor.sees("工作台")


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPTS], ids=["scripts on", "scripts off"])
def test_a_request_is_found_from_the_desk_and_decided(
    served: Flask, alipay: Cashier, open_browser: Open, options: dict[str, object]
) -> None:
    student = a_student()
    refund = asked(student, bought(alipay, student, [a_course(30_000), a_course(20_000)]), 0)
    visitor = open_browser(**options)
    log_in(visitor, StaffRole.FINANCE)
    visitor.main.locator('[data-queue="refunds asked"]').click()
    visitor.main.get_by_role("link", name=refund).click()
    visitor.main.locator("details.act summary").first.click()
    visitor.main.locator("details[open] [name=reason]").fill("属实")
    visitor.press("同意退款 300.00 元")
    visitor.sees("退款已完成：300.00 元已原路退回")
    assert the_refund(refund).state is RefundState.DONE
    visitor.open("/staff/")
    assert visitor.main.locator('[data-queue="refunds asked"]').count() == 0
    assert_audit_clean()


def test_the_staff_pages_are_good(visitor: Visitor, served: Flask, alipay: Cashier, judge: Judge) -> None:
    student, mentor = a_student(), a_mentor(beli=500)
    number = bought(alipay, student, [a_course(30_000), a_course(600_000)])
    refund = asked(student, number, 1)
    now = clock.now()
    request = withdrawals.ask(mentor.id, 100, payee_account="a@example.com", payee_name="沈舟", now=now)
    log_in(visitor, StaffRole.FINANCE, StaffRole.ADMIN)
    pages = {
        "desk": "/staff/",
        "orders": "/staff/orders",
        "order": f"/staff/orders/{number}",
        "refunds": "/staff/refunds",
        "refund": f"/staff/refunds/{refund}",
        "withdrawals": "/staff/withdrawals",
        "withdrawal": f"/staff/withdrawals/{request.id}",
        "money": "/staff/money",
        "reconciliation": "/staff/reconciliation",
        "accounts": "/staff/accounts",
        "account": f"/staff/accounts/{student.id}",
        "audit-log": "/staff/audit-log",
        "system": "/staff/system",
    }
    for name, path in pages.items():
        visitor.open(path)
        judge(visitor, f"staff-{name}")


def test_the_menu_shows_on_a_phone_that_it_goes_on(phone: Visitor, served: Flask) -> None:
    """Beyond the edge there seemed to be nothing: a shade shows where its cover, which moves along, is gone."""
    log_in(phone, StaffRole.FINANCE, StaffRole.ADMIN)
    phone.page.set_viewport_size({"width": 360, "height": 740})
    menu = phone.page.locator(".desk-nav")
    assert menu.evaluate("nav => nav.scrollWidth > nav.clientWidth")
    assert menu.evaluate("nav => getComputedStyle(nav).backgroundAttachment") == "local, local, scroll, scroll"
    assert phone.is_too_wide() <= 0
