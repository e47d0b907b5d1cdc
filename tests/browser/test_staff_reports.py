"""In a browser: finance opens the revenue of the month from the menu and goes on to a day's reconciliation."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask

from shop import clock
from shop.enums import OrderStatus, StaffRole, VisitStep
from shop.models import Reconciliation, VisitCount
from tests.browser.conftest import Judge
from tests.browser.test_staff import log_in
from tests.browser.visitor import Visitor
from tests.builders import today_in_shanghai
from tests.degrees import a_hand_in, a_studying
from tests.purchases import saved
from tests.sales import Shop


def test_finance_reads_the_revenue_and_the_pages_are_good(visitor: Visitor, served: Flask, judge: Judge) -> None:
    today = today_in_shanghai()
    yesterday = today - timedelta(days=1)
    shop = Shop()
    shop.month(today - timedelta(days=45), 45, 90)
    shop.order(clock.start_of_day(yesterday), OrderStatus.PAID)
    a_hand_in(a_studying())
    for ago in range(20):
        for step, people in ((VisitStep.CART, 40), (VisitStep.SETTLEMENT, 22), (VisitStep.LEARNING, 60)):
            saved(VisitCount(day=today - timedelta(days=ago), step=step, people=people - ago))
    sums = {"payments": 1, "paid_fen": 1, "refunds": 0, "refunded_fen": 0}
    saved(Reconciliation(bill_date=yesterday, summary={"bill": sums, "shop": sums, "healed": 0, "open": 0}))
    log_in(visitor, StaffRole.FINANCE, StaffRole.REGISTRY)
    visitor.press("报表", role="link", within=visitor.page.locator(".desk-nav"))
    visitor.press("收入与退款 每天收了多少、退了多少，是否已对账。", role="link", within=visitor.main)
    visitor.press("最近 7 天", role="link", within=visitor.main)
    assert visitor.main.locator("tbody tr").count() == 7
    assert visitor.page.locator("svg.plot__days rect[data-value]").count() > 0
    for name in ("revenue", "conversion", "mentors"):
        visitor.open(f"/staff/reports/{name}?preset=30")
        judge(visitor, f"staff-report-{name}")
    visitor.open("/staff/reports")
    judge(visitor, "staff-reports")
    visitor.open("/staff/reports/revenue")
    visitor.press(f"{yesterday}", role="link", within=visitor.main)
    assert visitor.path == f"/staff/reconciliation/{yesterday}"
