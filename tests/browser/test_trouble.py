"""When something is wrong: what the browser shows, and the way on (issue 2, 14 and 15)."""

from __future__ import annotations

from playwright.sync_api import expect

from shop.web import throttle
from tests.browser.conftest import OtherShop
from tests.browser.visitor import Visitor


def test_an_unknown_address_leads_back_to_the_courses(visitor: Visitor) -> None:
    visitor.expects("404")
    assert visitor.open("/no-such-page").status == 404
    visitor.sees("没有找到这一页")
    visitor.press("去看课程", role="link", within=visitor.main)
    expect(visitor.page.locator(".course-card").first).to_be_visible()


def test_guessing_passwords_is_told_to_wait(visitor: Visitor) -> None:
    visitor.expects("422|429")
    visitor.open("/login")
    for _ in range(throttle.LIMITS["login_pair"].amount + 1):
        visitor.fill_in(username="luffy", password="not the password")
        visitor.press("登录", within=visitor.main)
        visitor.page.wait_for_load_state()
    visitor.sees("尝试次数过多")
    assert 429 in [status for _, _, status in visitor.answers]


def test_without_redis_courses_are_shown_and_the_cart_says_so_kindly(other_shop: OtherShop) -> None:
    """503 with what is safe and what to do; nothing crashes."""
    visitor = other_shop(redis_url="redis://127.0.0.1:1/0")
    visitor.expects("503")
    visitor.open("/courses")
    expect(visitor.page.locator(".course-card").first).to_be_visible()
    answer = visitor.open("/cart")
    assert answer.status == 503
    visitor.sees("您的订单和付款不受影响")
