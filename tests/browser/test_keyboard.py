"""A purchase without a mouse: everything can be reached by Tab, shows that it is reached, and obeys Enter and Space."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.rows import page_of
from tests.browser.visitor import Visitor

FLASK = "Flask Web 开发实战"
MOST_STOPS = 80  # from one control to the next; no page is a maze
# What has the focus: its words, and whether a ring shows it. A card's link and a plan draw it around the whole card.
FOCUSED = """() => {
  const here = document.activeElement;
  const ring = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const words = here.getAttribute("aria-label") || here.innerText || here.name || "";
  const card = here.closest("label") ?? here;
  return [words.trim(), [getComputedStyle(here), getComputedStyle(here, "::after"), getComputedStyle(card)].some(ring)];
}"""


def tab_to(visitor: Visitor, words: str) -> None:
    """Press Tab until the control with these words has the focus; each on the way shows that it has it."""
    for _ in range(MOST_STOPS):
        visitor.page.keyboard.press("Tab")
        here, has_ring = visitor.page.evaluate(FOCUSED)
        assert has_ring, f"{here!r} has the focus and does not show it"
        if re.search(words, here):
            return
    raise AssertionError(f"Tab never came to {words!r}")


def test_the_first_stop_is_the_way_past_the_header(visitor: Visitor) -> None:
    visitor.open("/")
    tab_to(visitor, "跳到正文")
    visitor.page.keyboard.press("Enter")
    expect(visitor.main).to_be_focused()


def test_a_course_is_bought_by_keyboard_alone(visitor: Visitor) -> None:
    visitor.sign_in("luffy", "sunny-8866")
    keyboard = visitor.page.keyboard
    visitor.open(page_of(FLASK))
    tab_to(visitor, "policy")  # the plans are one stop; arrows choose among them
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    tab_to(visitor, "立即购买")
    keyboard.press("Enter")
    visitor.page.wait_for_url("**/settlement")
    tab_to(visitor, "balance")
    keyboard.type("50")
    tab_to(visitor, "用完可用的贝里")  # leaving the field brings the new amount, and takes the focus from nobody
    expect(visitor.receipt_due).to_have_text("309.00 元")
    expect(visitor.page.get_by_role("button", name="用完可用的贝里")).to_be_focused()
    tab_to(visitor, "立即支付 309.00 元")
    keyboard.press("Enter")
    visitor.page.wait_for_url("**/cashier/*")
    tab_to(visitor, "Log in as buyer A")
    keyboard.press("Enter")
    expect(visitor.page.locator("#password")).to_be_visible()
    tab_to(visitor, "确认付款")
    keyboard.press("Enter")
    expect(visitor.page.locator("#back")).to_be_visible()
    tab_to(visitor, "返回商户")
    keyboard.press("Enter")
    visitor.page.wait_for_url(f"{visitor.home}/orders/*")
    visitor.sees("支付成功")
    tab_to(visitor, "开始第一课")
    keyboard.press("Enter")
    visitor.sees("课程目录")


def test_the_account_menu_closes_with_escape(visitor: Visitor) -> None:
    visitor.sign_in("luffy", "sunny-8866")
    tab_to(visitor, "luffy")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.get_by_role("button", name="退出登录")).to_be_visible()
    tab_to(visitor, "我的贝里")
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.get_by_role("button", name="退出登录")).to_be_hidden()
    expect(visitor.page.locator("details.menu summary")).to_be_focused()
