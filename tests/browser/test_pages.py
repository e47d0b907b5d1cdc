"""What every page owes to everybody: accessible in light and dark, on any width, light in weight (issue 2, 14)."""

from __future__ import annotations

import gzip
from urllib.parse import urlsplit

from playwright.sync_api import Response

from shop.config import PROJECT
from tests.browser.conftest import Judge
from tests.browser.rows import change_price, only_order, page_of
from tests.browser.visitor import Visitor
from tests.cashier.parts import Cashier

FLASK, REDIS, SQL = "Flask Web 开发实战", "Redis 实战：缓存、会话与限流", "SQL 与关系数据库"
DEGREE = "Python 全栈开发工程师"
HEAVIEST = 100_000  # bytes, compressed; a page with its style sheet and scripts


def test_pages_for_strangers(visitor: Visitor, judge: Judge) -> None:
    visitor.expects("404|422")
    pages = {
        "home": "/",
        "courses": "/courses",
        "nothing-found": "/courses?q=没有这门课",
        "course": page_of(FLASK),
        "degree": page_of(DEGREE),
        "coupons": "/coupons",
        "cart-empty": "/cart",
        "login": "/login",
        "register": "/register",
        "404": "/no-such-page",
    }
    for name, path in pages.items():
        visitor.open(path)
        judge(visitor, name)
    visitor.open("/register")
    visitor.fill_in(username="!", email="x@y.z", password="12345678")
    visitor.press("注册", within=visitor.main)
    judge(visitor, "register-refused")


def test_pages_for_students(visitor: Visitor, judge: Judge) -> None:
    visitor.sign_in("luffy", "sunny-8866")
    for name, path in {
        "home-student": "/",
        "account": "/account",
        "wallet": "/account/coupons",
        "beli": "/account/beli",
        "orders-empty": "/orders",
        "learning-empty": "/learning",
    }.items():
        visitor.open(path)
        judge(visitor, name)


def test_pages_of_a_purchase(visitor: Visitor, judge: Judge, alipay: Cashier) -> None:
    """Cart with a changed price, settlement, refusal, cashier, waiting, being confirmed, paid, lesson, ended."""
    visitor.expects("409")
    visitor.sign_in("luffy", "sunny-8866")
    visitor.put(page_of(FLASK), "599.00")
    visitor.put(page_of(REDIS), "122.00")
    change_price(REDIS, 12_200, 13_200)
    visitor.open("/cart")
    judge(visitor, "cart")
    visitor.settle()
    judge(visitor, "settlement")
    change_price(REDIS, 13_200, 14_200)
    visitor.press("立即支付 491.00 元")
    visitor.sees("您没有被扣款")
    judge(visitor, "settlement-refused")
    visitor.checkout()
    judge(visitor, "cashier")
    visitor.press("以买家甲登录 Log in as buyer A")
    judge(visitor, "cashier-password")
    order = f"/orders/{only_order().order_number}"
    visitor.open(order)
    judge(visitor, "order-waiting")
    visitor.open(f"{order}?returned=1")
    judge(visitor, "order-confirming")
    alipay.pay(only_order().payments[0].out_trade_no)
    visitor.open(order)
    judge(visitor, "order-paid")
    visitor.press("开始第一课", role="link")
    judge(visitor, "lesson")
    visitor.open("/learning")
    judge(visitor, "learning")
    visitor.press(f"去学习「{FLASK}」", role="link")
    judge(visitor, "learning-course")
    visitor.buy_now(page_of(SQL), "109.00")
    visitor.checkout()
    visitor.open("/orders?status=1")
    judge(visitor, "orders")
    visitor.press(SQL, role="link", within=visitor.main)
    visitor.press("取消订单")
    visitor.sees("主动取消")
    judge(visitor, "order-cancelled")


def test_pages_of_a_degree(visitor: Visitor, judge: Judge) -> None:
    visitor.sign_in("nami", "mikan-2033")
    visitor.buy_now(page_of(DEGREE), "9800.00")
    visitor.checkout()
    visitor.pay()
    visitor.sees("支付成功")
    judge(visitor, "order-degree")
    visitor.open("/learning")
    judge(visitor, "learning-degree-locked")
    visitor.press("填写报名表", role="link", within=visitor.main)
    judge(visitor, "registration")


def test_pages_with_style_and_scripts_are_light(visitor: Visitor) -> None:
    """Below 100 KB compressed; covers and video are contents, and come when they are looked at."""
    visitor.sign_in("luffy", "sunny-8866")
    visitor.put(page_of(FLASK), "599.00")
    visitor.settle()
    shared: dict[str, int] = {}  # style sheet and scripts, which the browser keeps
    visitor.page.on("response", lambda response: shared.update(_weight_of_shared(response)))
    for path in ("/settlement", "/cart", "/", "/courses", page_of(FLASK), page_of(DEGREE), "/coupons", "/account"):
        page = visitor.open(path)
        visitor.page.wait_for_load_state("networkidle")
        assert len(shared) == 3, shared
        weight = len(gzip.compress(page.body())) + sum(shared.values())
        assert weight < HEAVIEST, (path, weight)


def _weight_of_shared(response: Response) -> dict[str, int]:
    if response.request.resource_type not in ("stylesheet", "script"):
        return {}
    return {response.url: len(gzip.compress((PROJECT / "shop" / urlsplit(response.url).path[1:]).read_bytes()))}
