"""Somebody in a real browser. Looks, presses, fills in; and remembers whatever the browser complained about."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.person import PASSWORD

PATIENCE = 10_000  # milliseconds; machines may be busy
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.0 Mobile/15E148 Safari/604.1"
    ),
}
WITHOUT_SCRIPTS = DESKTOP | {"java_script_enabled": False}


class Visitor:
    """One browser profile with one tab. ``complaints`` is what no page may cause: see ``check``."""

    def __init__(self, browser: Browser, home: str, allowed: tuple[str, ...], **options: Any) -> None:
        self.home = home
        self.context: BrowserContext = browser.new_context(
            base_url=home, locale="zh-CN", timezone_id="Asia/Shanghai", **options
        )
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.answers: list[tuple[str, str, int]] = []  # method, path, status of the shop's own answers
        self._allowed = (home, *allowed)  # origins that pages may speak to
        self._expected: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def expects(self, complaint: str) -> None:
        """A complaint with this regular expression in it belongs to the test."""
        self._expected.append(complaint)

    def check(self) -> None:
        """No script error, no console error, no violation of the security policy, no foreign origin asked."""
        left = [text for text in self.complaints if not any(re.search(known, text) for known in self._expected)]
        assert left == []

    def close(self) -> None:
        self.context.close()

    def open(self, path: str) -> Response:
        answer = self.page.goto(path)
        assert answer is not None
        return answer

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path

    @property
    def main(self) -> Locator:
        return self.page.locator("main")

    def press(self, name: str | re.Pattern[str], *, role: Any = "button", within: Locator | None = None) -> None:
        """Press the one button (or link) with this name."""
        (within or self.page).get_by_role(role, name=name).click()

    def sees(self, text: str | re.Pattern[str]) -> None:
        expect(self.main).to_contain_text(text, timeout=PATIENCE)

    def sign_in(self, username: str, password: str = PASSWORD) -> Visitor:
        self.open("/login")
        self.fill_in(username=username, password=password)
        self.press("登录", within=self.main)
        expect(self.page.locator("details.menu")).to_contain_text(username)
        return self

    def fill_in(self, **fields: str) -> None:
        for name, value in fields.items():
            self.main.locator(f'[name="{name}"]').fill(value)

    def choose_plan(self, amount: str) -> None:
        """The plan of a product's page with this price."""
        self.main.locator(".plan", has_text=amount).get_by_role("radio").check()

    def put(self, path: str, amount: str) -> None:
        """A product with the plan of this price into the cart."""
        self.open(path)
        self.choose_plan(amount)
        self.press("加入购物车")
        self.page.wait_for_url("**/cart")

    def buy_now(self, path: str, amount: str) -> None:
        """From a product's page to the settlement of it alone."""
        self.open(path)
        self.choose_plan(amount)
        self.press("立即购买")
        self.page.wait_for_url("**/settlement")

    def settle(self) -> None:
        """From the cart to the settlement."""
        self.open("/cart")
        self.press(re.compile("^结算"), within=self.main)
        self.page.wait_for_url("**/settlement")

    @property
    def receipt_due(self) -> Locator:
        """The amount due on the receipt."""
        return self.page.locator(".receipt__row--due td")

    def due(self) -> str:
        return self.receipt_due.inner_text()

    def checkout(self, button: str | re.Pattern[str] = re.compile("^立即支付")) -> None:
        """Press the one button of the settlement, and arrive at the cashier."""
        self.press(button)
        self.page.wait_for_url("**/cashier/*")

    def pay(self) -> None:
        """Everything that a buyer does at the cashier, and back to the shop without waiting for the refresh."""
        self.press(re.compile("Log in as buyer A"))
        self.press(re.compile("^确认付款"))
        self.page.locator("#back").click()
        self.page.wait_for_url(f"{self.home}/**")

    def is_too_wide(self) -> int:
        """How many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def picture(self, file: Path, *, is_whole: bool = True) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("document.querySelectorAll('img').forEach((image) => (image.loading = 'eager'))")
        self.page.wait_for_load_state("networkidle")
        self.page.screenshot(path=file, full_page=is_whole)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and f"{parts.scheme}://{parts.netloc}" not in self._allowed:
            self.complaints.append(f"foreign origin: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.url.startswith(self.home):
            self.answers.append((response.request.method, urlsplit(response.url).path, response.status))
