"""The buyer's way through the cashier, and what happens when an out_trade_no comes again (alipay.md 1.3)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from cashier import clock
from tests.cashier.parts import Cashier, Merchant, Page, fetch, until

BACK = "http://127.0.0.1:9/alipay/return"


def visit(cashier: Cashier, number: str, amount: str = "431.00", **more: str) -> Page:
    answer = cashier.ask(number, amount, return_url=BACK, **more)
    assert answer.status == 302, answer.text
    return Page(answer.headers["Location"]).load()


def test_the_gateway_forwards_the_buyer_to_the_pages_own_origin(cashier: Cashier) -> None:
    page = visit(cashier, "P0")
    assert page.url.startswith(f"{cashier.page_origin}/cashier/")
    assert urlsplit(page.url).netloc != urlsplit(cashier.url).netloc


def test_a_trade_begins_at_the_log_in_and_not_before(cashier: Cashier) -> None:
    page = visit(cashier, "P1")
    assert "模拟收银台" in page.text and "431.00" in page.text and "订单 P1" in page.text
    assert cashier.control("trades") == []
    assert page.submit("login", buyer="B").status == 303
    trade = cashier.trade("P1")
    assert (trade["status"], trade["buyer"]) == ("WAIT_BUYER_PAY", "B")


def test_paying_on_the_pages_notifies_and_leads_back(cashier: Cashier, merchant: Merchant) -> None:
    page = visit(cashier, "P2", notify_url=merchant.url)
    page.submit("login", buyer="A")
    assert page.submit("pay", password="111111", outcome="pay").status == 303
    assert "付款成功" in page.text
    assert merchant.got[0]["trade_status"] == "TRADE_SUCCESS"  # it was there before the buyer is sent back
    link = page.link()
    assert link.startswith(f"{BACK}?") and f'content="3;url={link}"'.replace("&", "&amp;") in page.text
    assert page.load().link() == link


def test_too_little_money_or_a_bad_password_leaves_the_trade_waiting(cashier: Cashier) -> None:
    page = visit(cashier, "P3")
    page.submit("login", buyer="A")
    assert "余额不足" in page.submit("pay", password="111111", outcome="short").text
    assert "6 位数字" in page.submit("pay", password="１２３", outcome="pay").text
    assert cashier.trade("P3")["status"] == "WAIT_BUYER_PAY"
    assert page.submit("pay", password="222222", outcome="pay").status == 303


@pytest.mark.parametrize(("more", "home"), [({}, "http://127.0.0.1:9/"), ({"quit_url": "http://127.0.0.1:9/q"}, "/q")])
def test_leaving_leads_to_quit_url_or_the_merchants_front_page(
    cashier: Cashier, more: dict[str, str], home: str
) -> None:
    page = visit(cashier, "P4", product="wap" if more else "page", **more)
    assert f'{home}">不付了' in page.text


def test_forms_of_others_are_refused(cashier: Cashier) -> None:
    page = visit(cashier, "P5")
    assert fetch(f"{page.url}/login", form={"buyer": "A"}).status == 403
    assert fetch(f"{page.url}/login", form={"buyer": "A", "form_token": "wrong"}).status == 403
    assert cashier.control("trades") == []


def test_pages_carry_no_script_and_a_strict_policy(cashier: Cashier) -> None:
    page = visit(cashier, "P6")
    for text in (page.text, fetch(f"{cashier.url}/_control/").text):
        assert "<script" not in text and "style=" not in text and "onclick" not in text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "form-action 'self'" in policy and "unsafe" not in policy


def test_the_same_request_again_opens_the_page_for_the_same_buyer_only(cashier: Cashier) -> None:
    visit(cashier, "A1").submit("login", buyer="A")
    again = visit(cashier, "A1")
    assert "ACQ.TRADE_BUYER_NOT_MATCH" in again.submit("login", buyer="B").text
    assert again.submit("login", buyer="A").status == 303
    assert again.submit("pay", password="111111", outcome="pay").status == 303
    assert len(cashier.control("trades")) == 1


def test_other_parameters_are_fine_before_a_trade_exists_and_inconsistent_after(cashier: Cashier) -> None:
    visit(cashier, "A2", "1.00")
    page = visit(cashier, "A2", "2.00")
    page.submit("login", buyer="A")
    assert cashier.trade("A2")["total_amount"] == "2.00"
    answer = cashier.ask("A2", "1.00")
    assert answer.status == 200 and "ACQ.CONTEXT_INCONSISTENT" in answer.text
    assert "ACQ.CONTEXT_INCONSISTENT" in cashier.ask("A2", "2.00", subject="另一个").text


def test_a_paid_number_cannot_be_paid_again(cashier: Cashier) -> None:
    old, page = visit(cashier, "A3"), visit(cashier, "A3")
    old.submit("login", buyer="A")
    page.submit("login", buyer="A")
    page.submit("pay", password="111111", outcome="pay")
    assert "ACQ.TRADE_HAS_SUCCESS" in cashier.ask("A3").text
    assert "ACQ.TRADE_HAS_SUCCESS" in old.submit("pay", password="111111", outcome="pay").text
    assert old.load().link() != ""  # another tab shows that it is paid, with a way back


def test_a_closed_number_needs_a_new_one(cashier: Cashier) -> None:
    page = visit(cashier, "A4")
    page.submit("login", buyer="A")
    cashier.sdk.api_alipay_trade_close(out_trade_no="A4")
    assert "ACQ.TRADE_HAS_CLOSE" in cashier.ask("A4").text
    assert page.submit("pay", password="111111", outcome="pay").status == 409
    assert "交易已关闭" in page.load().text


def test_a_page_nobody_scanned_stays_payable_after_a_close_until_it_expires(cashier: Cashier) -> None:
    page = visit(cashier, "A5")
    assert cashier.sdk.api_alipay_trade_close(out_trade_no="A5")["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    cashier.move_clock(890)
    assert page.submit("login", buyer="A").status == 303
    cashier.move_clock(20)
    assert page.submit("pay", password="111111", outcome="pay").status == 409
    assert cashier.trade("A5")["status"] == "TRADE_CLOSED"
    late = visit(cashier, "A6")
    cashier.move_clock(1000)
    assert late.submit("login", buyer="A").status == 409
    assert "交易已关闭" in late.load().text


def test_timeout_express_counts_from_the_first_request(cashier: Cashier) -> None:
    now = clock.now(cashier.clock_file)
    for wait in (0, 100):
        cashier.move_clock(wait)
        cashier.ask("A7", time_expire="", timeout_express="10m")
    assert all(540 < seen["expires_at"] - now < 660 for seen in cashier.control("visits"))
    cashier.ask("A8", time_expire="", timeout_express="1m", product="wap")
    assert cashier.control("visits")[0]["expires_at"] - now > 390  # wap pay: five minutes at least


def test_health(cashier: Cashier) -> None:
    assert fetch(f"{cashier.url}/healthz").text == "ok\n"


def test_mischief_from_the_fold_strikes_this_order_once(cashier: Cashier, merchant: Merchant) -> None:
    page, other = visit(cashier, "M1", notify_url=merchant.url), visit(cashier, "M2", notify_url=merchant.url)
    assert page.submit("mischief", kind="notify_lost").status == 303
    tag = '<span class="tag">通知丢失</span>'
    assert tag in page.text and tag not in other.load().text
    for one in (page, other):
        one.submit("login", buyer="A")
        one.submit("pay", password="111111", outcome="pay")
    assert [fields["out_trade_no"] for fields in merchant.got] == ["M2"]


def test_notification_after_the_return_waits_for_the_buyer(cashier: Cashier, merchant: Merchant) -> None:
    page = visit(cashier, "M3", notify_url=merchant.url)
    page.submit("mischief", kind="notify_after_return")
    page.submit("login", buyer="A")
    page.submit("pay", password="111111", outcome="pay")
    link = page.link()
    assert merchant.got == [] and link.endswith("/back")
    assert fetch(cashier.page_origin + link).headers["Location"].startswith(BACK)
    cashier.move_clock(3)
    until(lambda: merchant.got)
