"""In a browser: the bell rings, a message leads on, and a forgotten password comes by mail (issue 3, item 9)."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from shop.enums import MessageType, OrderStatus
from shop.extensions import db, unit_of_work
from shop.models import Account
from shop.services import messages
from shop.services.messages import Message
from shop.services.order_messages import ENDED
from tests.browser.conftest import Judge, Open, Take
from tests.browser.rows import only_order, page_of
from tests.browser.visitor import PHONE, WITHOUT_SCRIPTS, Visitor

FLASK, PASSWORD, NEW = "Flask Web 开发实战", "sunny-8866", "a new long passphrase"


def buy(visitor: Visitor) -> str:
    """The number of luffy's paid order."""
    visitor.sign_in("luffy", PASSWORD)
    visitor.buy_now(page_of(FLASK), "599.00")
    visitor.checkout()
    visitor.pay()
    visitor.sees("支付成功")
    return only_order().order_number


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPTS, PHONE], ids=["desk", "scripts off", "phone"])
def test_a_purchase_rings_the_bell_and_its_message_leads_to_the_order(open_browser: Open, options: dict) -> None:
    visitor = open_browser(**options)
    number = buy(visitor)
    visitor.open("/")
    bell = visitor.page.get_by_role("link", name="消息")
    expect(bell).to_contain_text("2")
    bell.click()
    visitor.sees(f"订单 {number} 支付成功，实付 359.00 元，已开通：「{FLASK}」")
    visitor.main.locator(".message", has_text="支付成功").get_by_role("button").click()
    visitor.page.wait_for_url(f"**/orders/{number}")
    expect(bell).to_contain_text("1")
    bell.click()
    visitor.press("全部标为已读")
    visitor.sees("没有未读的消息")
    expect(visitor.main.locator(".message--unread")).to_have_count(0)
    expect(visitor.page.locator(".site-head .count")).to_have_count(0)


@pytest.mark.parametrize("options", [{}, WITHOUT_SCRIPTS], ids=["scripts on", "scripts off"])
def test_a_forgotten_password_is_replaced_by_mail(open_browser: Open, options: dict) -> None:
    visitor = open_browser(**options)
    visitor.open("/login")
    visitor.press("用邮箱重设", role="link")
    visitor.fill_in(email="luffy@example.com")
    visitor.press("寄出链接")
    visitor.sees("如果这个邮箱属于一个账户")
    visitor.press("打开演示信箱", role="link")
    visitor.main.locator(".message a").first.click()
    visitor.fill_in(new=NEW, again=NEW)
    visitor.press("设置新密码")
    visitor.sees("密码已设好")
    visitor.sign_in("luffy", NEW)
    expect(visitor.page.get_by_role("link", name="消息")).to_contain_text("1")


def test_these_pages_are_good(visitor: Visitor, judge: Judge) -> None:
    visitor.expects("410|422")
    visitor.open("/password/reset")
    judge(visitor, "reset")
    visitor.fill_in(email="luffy@example.com")
    visitor.press("寄出链接")
    judge(visitor, "reset-sent")
    visitor.open("/outbox")
    judge(visitor, "outbox")
    path = visitor.main.locator(".message a").first.get_attribute("href") or ""
    visitor.open(path)
    visitor.fill_in(new="password123", again="password123")
    visitor.press("设置新密码")
    judge(visitor, "new-password")
    visitor.open(path[:-1] + ("A" if path[-1] != "A" else "B"))
    judge(visitor, "reset-gone")
    visitor.sign_in("luffy", PASSWORD)
    visitor.open("/messages")
    judge(visitor, "messages-empty")


def test_messages_are_good(visitor: Visitor, judge: Judge) -> None:
    buy(visitor)
    visitor.open("/messages")
    judge(visitor, "messages")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_header_has_room_for_the_bell(phone: Visitor, take: Take, language: str) -> None:
    """On the smallest phone, with a full cart and a hundred messages."""
    phone.sign_in("luffy", PASSWORD)
    phone.put(page_of(FLASK), "599.00")
    luffy = db.session.query(Account).filter_by(username="luffy").one()
    with unit_of_work() as session:
        facts = {"order": "20261124EHM76EWNLKYV"}
        many = [Message(MessageType.ORDER, ENDED[OrderStatus.TIMED_OUT], facts, "/orders", is_mailed=False)] * 120
        messages.tell_all(session, luffy.id, many)
    phone.context.add_cookies([{"name": "lang", "value": language, "url": phone.home}])
    phone.open("/messages")
    take(phone, f"messages-phone-{language}")
    expect(phone.page.locator(".tool--bell .count")).to_contain_text("99+")
    phone.page.set_viewport_size({"width": 320, "height": 700})
    assert phone.is_too_wide() <= 0
    take(phone, f"messages-320-{language}")
