"""The main job (design 1) from the first page to the opened lesson: at a desk, on a phone, with scripts off."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from shop.enums import PaymentMethod
from tests.browser.conftest import Open
from tests.browser.rows import give_beli, only_order, page_of
from tests.browser.visitor import DESKTOP, PHONE, WITHOUT_SCRIPTS, Visitor

FLASK, REDIS = "Flask Web 开发实战", "Redis 实战：缓存、会话与限流"
BOUND, SITE = "Flask 实战立减 40", "扬帆季满 500 减 200"
PAID_LESSON = "改变用 POST，查看用 GET"
Take = Callable[[Visitor, str], None]


@pytest.mark.parametrize(
    ("device", "options", "method"),
    [
        ("desk", DESKTOP, PaymentMethod.PAGE),
        ("phone", PHONE, PaymentMethod.WAP),
        ("plain", WITHOUT_SCRIPTS, PaymentMethod.PAGE),
    ],
    ids=["desk", "phone", "scripts off"],
)
def test_a_stranger_becomes_a_student(
    open_browser: Open, take: Take, device: str, options: dict[str, object], method: PaymentMethod
) -> None:
    """Anonymous cart, register, merge, two coupons and 贝里, cashier, confirmation, lesson."""
    visitor = open_browser(**options)
    page = visitor.page

    visitor.open("/")
    take(visitor, f"{device}-home")
    visitor.put(page_of(FLASK), "599.00")
    visitor.sees(f"「{FLASK}」已放进购物车")
    visitor.put(page_of(REDIS), "122.00")
    visitor.press(re.compile("^结算"), within=visitor.main)
    visitor.sees("登录后就能打开您要的那一页")

    visitor.press("注册一个", role="link")
    visitor.fill_in(username="straw_hat", email="hat@example.com", password="going-merry-1999")
    visitor.press("注册", within=visitor.main)
    page.wait_for_url("**/cart")
    visitor.sees(FLASK)
    visitor.sees(REDIS)
    take(visitor, f"{device}-cart")

    visitor.open("/coupons")
    for coupon in (BOUND, SITE):
        visitor.press(f"领取优惠券「{coupon}」")
        visitor.sees(f"已领取「{coupon}」")
    take(visitor, f"{device}-coupons")
    give_beli("straw_hat", 50)

    visitor.settle()
    assert visitor.due() == "481.00 元"
    visitor.sees("已为你省 240.00 元")
    visitor.press("用完可用的贝里")
    expect(visitor.receipt_due).to_have_text("431.00 元")
    take(visitor, f"{device}-settlement")

    visitor.checkout("立即支付 431.00 元")
    expect(page.locator("header")).to_contain_text("模拟收银台")
    expect(visitor.main).to_contain_text("431.00")
    take(visitor, f"{device}-cashier")
    visitor.pay()

    order = only_order()
    assert visitor.path == f"/orders/{order.order_number}"
    visitor.sees("支付成功")
    expect(visitor.main).to_have_attribute("data-status", "0")
    expect(visitor.main).to_have_attribute("data-amount-fen", "43100")
    assert [payment.method for payment in order.payments] == [method]
    take(visitor, f"{device}-confirmation")

    expect(page.get_by_role("link", name="开始第一课")).to_be_visible()
    visitor.press(f"去学习「{FLASK}」", role="link")
    visitor.sees("课程目录")
    visitor.press(PAID_LESSON, role="link")  # a lesson that only buyers may open
    expect(page.locator("h1")).to_have_text(PAID_LESSON)
    take(visitor, f"{device}-lesson")
    visitor.open("/cart")
    visitor.sees("购物车还是空的")
