"""The settlement in the browser: totals follow every choice, and a refused checkout loses nothing (design 6, 7)."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.rows import change_price, orders, page_of
from tests.browser.visitor import Visitor

FLASK, PASSWORD = "Flask Web 开发实战", "sunny-8866"


def luffy_settles(visitor: Visitor) -> Visitor:
    """599.00, of which a course coupon takes 40.00 and a site coupon 200.00."""
    visitor.sign_in("luffy", PASSWORD)
    visitor.buy_now(page_of(FLASK), "599.00")
    assert visitor.due() == "359.00 元"
    return visitor


def posts(visitor: Visitor) -> list[str]:
    return [path for method, path, _ in visitor.answers if method == "POST"]


def test_the_total_follows_a_changed_coupon_on_the_same_page(visitor: Visitor) -> None:
    """Swapped in place: no new document, the focus stays on the choice, and the button names the new amount."""
    luffy_settles(visitor)
    page = visitor.page
    page.evaluate("window.stillHere = true")
    choice = page.locator("#site_coupon")
    choice.focus()
    choice.select_option("0")
    expect(visitor.receipt_due).to_have_text("559.00 元")
    expect(page.get_by_role("button", name="立即支付 559.00 元")).to_be_visible()
    expect(page.locator("#checkout [name=money]")).to_have_value("559.00")
    expect(choice).to_be_focused()
    assert page.evaluate("window.stillHere") is True
    assert posts(visitor)[-1] == "/settlement/choices"
    visitor.press("改回最省的组合")
    expect(visitor.receipt_due).to_have_text("359.00 元")


def test_a_coupon_lost_to_another_choice_is_told_beside_the_total(visitor: Visitor) -> None:
    """530.00: the site coupon alone leaves 330.00; with the course coupon too its minimum is out of reach."""
    change_price(FLASK, 59_900, 53_000)
    visitor.sign_in("luffy", PASSWORD)
    visitor.buy_now(page_of(FLASK), "530.00")
    expect(visitor.receipt_due).to_have_text("330.00 元")
    visitor.page.locator(".line__choice select").select_option(index=1)
    expect(visitor.receipt_due).to_have_text("490.00 元")
    told = visitor.main.locator("#checkout #cheaper")
    expect(told).to_contain_text("还差 10.00 元")
    expect(told).to_contain_text("便宜 160.00 元")
    visitor.press("换成最省的组合")
    expect(visitor.receipt_due).to_have_text("330.00 元")
    expect(told).to_have_count(0)


def test_beli_beyond_what_is_there_are_cut_to_it_on_the_same_page(visitor: Visitor) -> None:
    luffy_settles(visitor)  # he has 350
    page = visitor.page
    page.locator("#balance").fill("1000")
    page.locator("#balance").blur()
    expect(visitor.receipt_due).to_have_text("9.00 元")
    expect(page.locator("#balance")).to_have_value("350")


def test_enter_in_the_field_of_beli_takes_the_number_typed(plain: Visitor) -> None:
    """Not the first button in the document, which would take all of them."""
    luffy_settles(plain)
    plain.page.locator("#balance").fill("10")
    plain.page.locator("#balance").press("Enter")
    expect(plain.receipt_due).to_have_text("349.00 元")


def test_the_time_left_counts_down_and_goes_on_after_a_swap(visitor: Visitor) -> None:
    luffy_settles(visitor)
    left = visitor.page.locator(".countdown__left")
    expect(left).to_have_text(re.compile(r"^29:\d\d$"))
    visitor.page.locator("#site_coupon").select_option("0")
    expect(visitor.receipt_due).to_have_text("559.00 元")
    expect(left).to_be_visible()
    before = left.inner_text()
    expect(left).not_to_have_text(before)
    expect(left).to_have_text(re.compile(r"^29:\d\d$"))


def test_a_price_changed_since_the_page_was_shown_comes_back_marked(visitor: Visitor) -> None:
    """1007: nothing is written, old and new side by side, and the button with the new amount works at once."""
    luffy_settles(visitor)
    visitor.expects("409")
    change_price(FLASK, 59_900, 65_000)
    visitor.press("立即支付 359.00 元")
    refusal = visitor.main.locator('[data-code="1007"]')
    expect(refusal).to_contain_text("您没有被扣款")
    expect(refusal).to_contain_text("359.00")
    expect(refusal).to_contain_text("410.00")
    expect(visitor.main.locator(".line--changed")).to_contain_text(FLASK)
    expect(visitor.main.locator(".line--changed .line__why")).to_contain_text("650.00")
    assert orders().count() == 0
    visitor.checkout("立即支付 410.00 元")
    expect(visitor.main).to_contain_text("410.00")


def test_nothing_left_to_pay_opens_the_course_without_the_cashier(visitor: Visitor) -> None:
    visitor.sign_in("nami", "mikan-2033")
    visitor.buy_now(page_of(FLASK), "599.00")
    visitor.press("用完可用的贝里")
    expect(visitor.receipt_due).to_have_text("0.00 元")
    visitor.press("确认下单，无需付款")
    visitor.sees("支付成功")
    visitor.sees("已确认，无需付款")
