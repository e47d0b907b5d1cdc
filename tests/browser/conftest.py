"""Chromium, once a run; a shop with the demo's catalogue and people, fresh for each test."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, sync_playwright

from shop import clock, create_app
from shop.config import PROJECT, Settings
from shop.extensions import db
from shop.services import demo
from tests.browser.visitor import DESKTOP, PHONE, WITHOUT_SCRIPTS, Visitor
from tests.cashier.parts import Cashier, Served
from tests.run import BROWSERS

PICTURES = PROJECT / "test-results"
Open = Callable[..., Visitor]
Take = Callable[[Visitor, str], None]
Judge = Callable[[Visitor, str], None]
OtherShop = Callable[..., Visitor]
_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    item.stash[_failed] = item.stash.get(_failed, False) or report.failed
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser that leaves breaks off its downloads; Werkzeug's server then drops the file without closing it."""
    broken_off = pytest.mark.filterwarnings(
        "ignore:Exception ignored in.*FileIO:pytest.PytestUnraisableExceptionWarning"
    )
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(broken_off)


def browser_path() -> str:
    """Where the browser is; ``bin/test`` leaves these tests out where there is none."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.fail(f"none of {', '.join(BROWSERS)} is installed")
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = browser_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def demo_copy(shop: Flask, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database with nothing but the demo in it; loading takes seconds, copying milliseconds."""
    if not database_url.startswith("sqlite:///"):
        pytest.fail("the browser's tests run on SQLite")
    with shop.app_context():
        demo.load(clock.now())
    copy = tmp_path_factory.mktemp("demo") / "demo.sqlite3"
    _copy(Path(database_url.removeprefix("sqlite:///")), copy)
    return copy


@pytest.fixture
def served(demo_copy: Path, app: Flask, alipay: Cashier, database_url: str) -> Flask:
    """The shop with the demo in it, served on its public address, and the cashier beside it."""
    _copy(demo_copy, Path(database_url.removeprefix("sqlite:///")))
    return app


@pytest.fixture
def open_browser(
    chromium: Browser, served: Flask, settings: Settings, alipay: Cashier, request: pytest.FixtureRequest
) -> Iterator[Open]:
    """``open_browser(**options)`` is a visitor of his own; when the test ends, none may have complained."""
    visitors: list[Visitor] = []

    def one_more(home: str = settings.public_url, **options: Any) -> Visitor:
        visitor = Visitor(chromium, home, (alipay.url, alipay.page_origin), **(DESKTOP | options))
        visitors.append(visitor)
        return visitor

    yield one_more
    name = re.sub(r"[^\w.-]+", "_", request.node.name)
    for number, visitor in enumerate(visitors):
        if request.node.stash.get(_failed, False):
            visitor.picture(PICTURES / f"{name}-{number}.png")
        visitor.close()
    for visitor in visitors:
        visitor.check()


@pytest.fixture
def visitor(open_browser: Open) -> Visitor:
    """Somebody at a desk."""
    return open_browser()


@pytest.fixture
def phone(open_browser: Open) -> Visitor:
    return open_browser(**PHONE)


@pytest.fixture
def plain(open_browser: Open) -> Visitor:
    """Somebody at a desk with scripts off."""
    return open_browser(**WITHOUT_SCRIPTS)


@pytest.fixture
def other_shop(open_browser: Open, settings: Settings) -> Iterator[OtherShop]:
    """``other_shop(redis_url=...)`` is a visitor of a shop with other settings on the same database."""
    shops: list[tuple[Flask, Served]] = []

    def one_more(**changes: Any) -> Visitor:
        shop = create_app(replace(settings, **changes))
        served = Served(lambda _port: shop)
        shops.append((shop, served))
        return open_browser(home=f"http://127.0.0.1:{served.port}")

    yield one_more
    for shop, served in shops:
        served.stop()
        with shop.app_context():
            db.engine.dispose()


@pytest.fixture
def take(request: pytest.FixtureRequest) -> Take:
    """``take(visitor, "cart")`` makes a picture when SCREENSHOTS=1, for people to look at."""

    def picture(visitor: Visitor, name: str) -> None:
        if os.environ.get("SCREENSHOTS"):
            visitor.picture(PICTURES / f"{name}.png")

    return picture


@pytest.fixture
def judge(take: Take) -> Judge:
    """``judge(visitor, name)`` is everything that the page in front of the visitor must fulfil."""

    def page_is_good(visitor: Visitor, name: str) -> None:
        page = visitor.page
        page.emulate_media(color_scheme="light", reduced_motion="reduce")  # no colour is half way when axe looks
        take(visitor, f"light-{name}")
        assert _barriers(visitor, {}) == [], name
        page.emulate_media(color_scheme="dark")
        take(visitor, f"dark-{name}")
        assert _barriers(visitor, {"runOnly": ["color-contrast"]}) == [], f"{name} in the dark"
        page.emulate_media(color_scheme="light")
        assert page.locator("h1").count() == 1, name
        # 320 pixels are also what 1280 pixels at 400 % zoom leave, and 640 at 200 %
        for width in (640, 320):
            page.set_viewport_size({"width": width, "height": 800})
            assert visitor.is_too_wide() <= 0, f"{name} is too wide at {width}"
        take(visitor, f"narrow-{name}")
        page.set_viewport_size({"width": 1280, "height": 900})

    return page_is_good


def _barriers(visitor: Visitor, options: dict[str, object]) -> list[str]:
    """What axe finds: the rule and the elements that break it."""
    found = Axe().run(visitor.page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found]


def _copy(source: Path, target: Path) -> None:
    with sqlite3.connect(source) as read, sqlite3.connect(target) as write:
        read.backup(write)
    read.close()
    write.close()
