"""The order's page after the checkout: paying later, giving up, waiting for a late message, too late (issue 2, 12)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from shop.enums import OrderStatus
from shop.models import EnrolledCourse
from shop.services import orders
from tests.browser.conftest import Open
from tests.browser.rows import now_stored, only_order, page_of
from tests.browser.visitor import WITHOUT_SCRIPTS, Visitor
from tests.cashier.parts import Cashier

FLASK, PASSWORD = "Flask Web 开发实战", "sunny-8866"


def luffy_at_the_cashier(visitor: Visitor) -> str:
    """The path of his order's page; 359.00 are due."""
    visitor.sign_in("luffy", PASSWORD)
    visitor.buy_now(page_of(FLASK), "599.00")
    visitor.checkout()
    return f"/orders/{only_order().order_number}"


def test_whoever_left_the_cashier_pays_from_the_orders_page(visitor: Visitor) -> None:
    path = luffy_at_the_cashier(visitor)
    visitor.press(re.compile("不付了"), role="link")
    visitor.page.wait_for_url(f"{visitor.home}/**")
    visitor.open("/orders")
    visitor.press(re.compile(FLASK), role="link", within=visitor.main)
    assert visitor.path == path
    visitor.sees("等待付款")
    expect(visitor.page.locator(".deadline .countdown__left")).to_have_text(re.compile(r"^1[45]:\d\d$"))
    visitor.press("去支付宝付款 359.00 元")
    visitor.page.wait_for_url("**/cashier/*")
    visitor.pay()
    visitor.sees("支付成功")


def test_a_cancelled_order_says_so_and_gives_back_what_it_held(visitor: Visitor) -> None:
    visitor.open(luffy_at_the_cashier(visitor))
    visitor.press("取消订单")
    visitor.sees("主动取消")
    visitor.sees("优惠券和贝里已退回")
    expect(visitor.main).to_have_attribute("data-status", "4")
    visitor.buy_now(page_of(FLASK), "599.00")
    assert visitor.due() == "359.00 元"


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPTS], ids=["scripts on", "scripts off"])
def test_a_late_message_is_waited_for(open_browser: Open, alipay: Cashier, options: dict[str, object]) -> None:
    """The return's own question is left unanswered; the page turns to paid when the notice has come."""
    visitor = open_browser(**options)
    luffy_at_the_cashier(visitor)
    alipay.fault("notify_late", seconds=3600)
    alipay.fault("answer_status", status=502, method="alipay.trade.query", times=None)
    visitor.pay()
    visitor.sees("支付结果确认中")
    expect(visitor.main).to_have_attribute("data-status", "1")
    message = alipay.messages(only_order().payments[0].out_trade_no)[0]
    alipay.control(f"messages/{message['id']}/send", {"genuine": True})
    if options:
        visitor.press("刷新状态", role="link")
    visitor.sees("支付成功")
    expect(visitor.main).to_have_attribute("data-status", "0")


def test_a_lost_message_is_made_up_for_by_asking(visitor: Visitor, alipay: Cashier) -> None:
    """Neither notice nor return: the button on the page asks Alipay."""
    path = luffy_at_the_cashier(visitor)
    alipay.fault("notify_lost")
    alipay.pay(only_order().payments[0].out_trade_no)
    visitor.open(f"{path}?returned=1")
    visitor.sees("支付结果确认中")
    visitor.press("向支付宝查询")
    visitor.sees("支付成功")


def test_too_late_to_pay_offers_no_button_to_pay(visitor: Visitor, alipay: Cashier) -> None:
    path = luffy_at_the_cashier(visitor)
    alipay.control("clock", {"offset": 18 * 60})
    visitor.open(path)
    visitor.sees("付款时间已到")
    expect(visitor.page.get_by_role("button", name=re.compile("付款 359"))).to_have_count(0)
    visitor.press("我已付款，向支付宝查询")
    visitor.sees("支付宝还没有收到这笔付款")
    orders.expire_due()  # what the job runner does each minute
    visitor.open(path)
    visitor.sees("超时取消")
    assert only_order().status is OrderStatus.TIMED_OUT
    assert now_stored().query(EnrolledCourse).count() == 0


def test_somebody_elses_order_is_not_there(open_browser: Open) -> None:
    path = luffy_at_the_cashier(open_browser())
    other = open_browser()
    other.expects("404")
    other.sign_in("zoro", "compass-3377")
    assert other.open(path).status == 404
    other.sees("没有找到")


def test_an_order_prints_as_a_receipt(visitor: Visitor) -> None:
    """No navigation, no buttons; the lines, the amounts and the state."""
    luffy_at_the_cashier(visitor)
    visitor.pay()
    visitor.sees("支付成功")
    visitor.page.emulate_media(media="print")
    for gone in (".site-nav", ".site-tools", ".site-foot", ".steps", ".state__next"):
        expect(visitor.page.locator(gone)).to_be_hidden()
    for kept in (".state__title", ".receipt", ".line__name"):
        expect(visitor.page.locator(kept).first).to_be_visible()
