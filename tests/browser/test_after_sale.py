"""What happens to an order after the checkout, in a browser (issue 3): its ends and the way of the money back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from shop.enums import OrderStatus, RefundState
from shop.models import Refund
from shop.services import orders, refund_decisions, refunds
from shop.services.audit_log import Actor
from tests.audit import assert_audit_clean
from tests.browser.conftest import Judge, Open, Take
from tests.browser.rows import give_beli, now_stored, only_order, page_of
from tests.browser.visitor import PHONE, WITHOUT_SCRIPTS, Visitor
from tests.cashier.parts import Cashier, fetch

FLASK, REDIS, PASSWORD = "Flask Web 开发实战", "Redis 实战：缓存、会话与限流", "sunny-8866"
DESKTOP: dict[str, object] = {}


def settled(visitor: Visitor) -> None:
    """Luffy has two courses and 50 贝里 in the settlement, with the coupons that the shop chooses."""
    visitor.sign_in("luffy", PASSWORD)
    visitor.put(page_of(FLASK), "599.00")
    visitor.put(page_of(REDIS), "122.00")
    visitor.settle()


def ordered(visitor: Visitor) -> str:
    """The path of Luffy's unpaid order."""
    settled(visitor)
    visitor.checkout()
    return f"/orders/{only_order().order_number}"


def paid(visitor: Visitor) -> str:
    path = ordered(visitor)
    visitor.pay()
    visitor.sees("支付成功")
    return path


def the_refund() -> Refund:
    return now_stored().query(Refund).order_by(Refund.id.desc()).limit(1).one()


def approve() -> None:
    """A clerk says yes, and the job sends the money."""
    number = the_refund().out_request_no
    refund_decisions.approve(number, actor=Actor("clerk"), reason="同意退费")
    assert refunds.send(number) == "done"


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def anybody(open_browser: Open, request: pytest.FixtureRequest) -> Visitor:
    return open_browser(**request.param)


def kind(visitor: Visitor) -> str:
    return "phone" if visitor.page.viewport_size == PHONE["viewport"] else "desktop"


# ---------------------------------------------------------------- orders that end unpaid


def test_an_order_that_is_cancelled_can_be_bought_again(anybody: Visitor, take: Take) -> None:
    anybody.open(ordered(anybody))
    take(anybody, f"after-waiting-{kind(anybody)}")
    anybody.press("取消订单")
    anybody.sees("主动取消")
    take(anybody, f"after-cancelled-{kind(anybody)}")
    anybody.press("再次购买")
    anybody.page.wait_for_url("**/cart")
    anybody.sees("已放进购物车")
    expect(anybody.page.locator("[data-product]")).to_have_count(2)
    assert_audit_clean()


def test_an_order_expires_while_its_page_is_open(visitor: Visitor, alipay: Cashier, take: Take) -> None:
    """The open page still offers to pay: pressing it is refused in words; then the page says what happened."""
    visitor.expects("409")
    path = ordered(visitor)
    visitor.open(path)
    visitor.page.evaluate("document.querySelectorAll('[data-seconds-left]').forEach((e) => e.dataset.secondsLeft = 1)")
    visitor.page.evaluate("countDown(document)")
    expect(visitor.page.locator(".countdown__left")).to_have_text("已到时间")
    alipay.move_clock(20 * 60)
    assert orders.expire_due()["ended"] == 1
    visitor.press(re.compile("^去支付宝付款"))
    visitor.sees("当前状态不能进行此操作")
    visitor.sees("您没有被扣款")
    visitor.open(path)
    visitor.sees("超时取消")
    visitor.sees("优惠券和贝里已退回")
    take(visitor, "after-expired")
    assert_audit_clean()


@pytest.mark.parametrize("is_sold", [True, False], ids=["revived", "returned"])
def test_paying_late_on_an_old_cashier_page(visitor: Visitor, alipay: Cashier, take: Take, is_sold: bool) -> None:
    """The order lives again while everything in it can still be had; else the money goes back. Both are told."""
    path = ordered(visitor)
    number = only_order().order_number
    cashier_page = visitor.page.url
    visitor.open(path)
    visitor.press("取消订单")
    visitor.sees("主动取消")
    if not is_sold:
        visitor.buy_now(page_of(FLASK), "599.00")
        visitor.checkout()
        visitor.pay()
        visitor.sees("支付成功")
    fetch(cashier_page)
    alipay.pay(f"{number}01")
    visitor.open(path)
    if is_sold:
        visitor.sees("支付成功")
        visitor.sees("订单恢复")
    else:
        visitor.sees("这一单结束之后收到了")
        visitor.sees("原路退回您的支付宝")
    take(visitor, f"after-late-{'revived' if is_sold else 'returned'}")
    assert_audit_clean()


# ---------------------------------------------------------------- money on its way back


def test_one_course_of_two_is_given_back(anybody: Visitor, take: Take) -> None:
    path = paid(anybody)
    take(anybody, f"after-paid-{kind(anybody)}")
    anybody.press("申请退费", role="link")
    anybody.sees("选好课程后")
    anybody.page.get_by_label(re.compile(REDIS)).check()
    anybody.sees("原路退回支付宝")
    due = anybody.due()
    take(anybody, f"refund-preview-{kind(anybody)}")
    anybody.fill_in(reason="时间安排不过来了，先学另一门。")
    anybody.press("提交退费申请")
    anybody.page.wait_for_url(f"**{path}")
    anybody.sees("退费申请审核中")
    anybody.sees("退费处理中，暂停学习")
    take(anybody, f"refund-asked-{kind(anybody)}")
    approve()
    anybody.open(path)
    anybody.sees("支付成功")
    anybody.sees("已退费，学习已结束")
    anybody.sees("退费完成：" + due)
    take(anybody, f"refund-part-{kind(anybody)}")
    assert only_order().status is OrderStatus.PAID
    assert_audit_clean()


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPTS], ids=["scripts on", "scripts off"])
def test_a_whole_order_is_given_back(open_browser: Open, options: dict[str, object], take: Take) -> None:
    visitor = open_browser(**options)
    path = paid(visitor)
    visitor.press("申请退费", role="link")
    for name in (FLASK, REDIS):
        visitor.page.get_by_label(re.compile(name)).check()
    if options:
        visitor.press("计算可退")
    expect(visitor.receipt_due).to_have_text(f"{only_order().actual_amount_fen / 100:.2f} 元")
    visitor.fill_in(reason="不学了")
    visitor.press("提交退费申请")
    visitor.sees("退费申请审核中")
    visitor.press("撤回退费申请")
    visitor.sees("支付成功")
    assert the_refund().state is RefundState.WITHDRAWN
    visitor.press("申请退费", role="link")
    for name in (FLASK, REDIS):
        visitor.page.get_by_label(re.compile(name)).check()
    if options:
        visitor.press("计算可退")
    expect(visitor.receipt_due).to_have_text(f"{only_order().actual_amount_fen / 100:.2f} 元")
    visitor.fill_in(reason="还是不学了")
    visitor.press("提交退费申请")
    visitor.sees("退费申请审核中")
    approve()
    visitor.open(path)
    expect(visitor.main).to_have_attribute("data-status", "3")
    visitor.sees("这个订单的课程都已退费")
    if not options:
        take(visitor, "refund-whole")
    visitor.open("/learning")
    expect(visitor.main.get_by_text(FLASK)).to_have_count(0)
    assert_audit_clean()


# ---------------------------------------------------------------- 贝里, coupons, and looks


def test_statement_and_wallet(anybody: Visitor, take: Take) -> None:
    give_beli("luffy", 88)
    path = ordered(anybody)
    anybody.open("/account/coupons")
    anybody.sees("占用中")
    take(anybody, f"wallet-{kind(anybody)}")
    anybody.open(path)
    anybody.press("取消订单")
    anybody.open("/account/beli")
    take(anybody, f"statement-{kind(anybody)}")
    with anybody.page.expect_download() as download:
        anybody.press("下载明细（CSV）", role="link")
    assert download.value.path().read_bytes().startswith(b"\xef\xbb\xbf")
    anybody.open("/orders")
    take(anybody, f"orders-{kind(anybody)}")
    anybody.page.get_by_role("searchbox", name="订单号或课程名").fill("Redis")
    anybody.press("搜索订单")
    expect(anybody.page.locator(".order-row")).to_have_count(1)


def test_the_receipt_prints_on_one_page(visitor: Visitor, take: Take) -> None:
    path = paid(visitor)
    visitor.press("打印收据", role="link")
    expect(visitor.page.get_by_role("button", name="打印这张收据")).to_be_visible()
    take(visitor, "receipt")
    visitor.page.emulate_media(media="print")
    for gone in (".no-print", ".skip"):
        expect(visitor.page.locator(gone)).to_be_hidden()
    pdf = visitor.page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1
    assert visitor.path == f"{path}/receipt"


def test_the_pages_after_the_sale_are_for_everybody(visitor: Visitor, judge: Judge, alipay: Cashier) -> None:
    """Axe, both colour schemes, every width: the list, the order in each state, the refund's pages, the receipt."""
    path = paid(visitor)
    for name, where in {"order-receipt": f"{path}/receipt", "refund-choose": f"{path}/refunds"}.items():
        visitor.open(where)
        judge(visitor, name)
    visitor.page.get_by_label(re.compile(REDIS)).check()
    visitor.sees("原路退回支付宝")
    judge(visitor, "refund-preview")
    visitor.fill_in(reason="不学了")
    visitor.press("提交退费申请")
    visitor.sees("退费申请审核中")
    judge(visitor, "order-refund-asked")
    visitor.open(f"{path}/refunds")
    judge(visitor, "refund-not-now")
    approve()
    alipay.move_clock(4)
    visitor.open(path)
    judge(visitor, "order-refunded-part")
    for name, where in {
        "orders-filled": "/orders",
        "orders-none-found": "/orders?q=没有这门课",
        "statement": "/account/beli",
        "wallet-used": "/account/coupons?state=used",
    }.items():
        visitor.open(where)
        judge(visitor, name)


def test_a_refund_is_asked_for_by_keyboard(visitor: Visitor) -> None:
    path = paid(visitor)
    visitor.open(f"{path}/refunds")
    box = visitor.page.get_by_label(re.compile(REDIS))
    box.focus()
    visitor.page.keyboard.press("Space")
    visitor.sees("原路退回支付宝")
    expect(box).to_be_focused()
    visitor.page.locator("[name=reason]").focus()
    visitor.page.keyboard.type("不学了")
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.press("Enter")
    visitor.sees("退费申请审核中")
