"""What is measured, round by round: each request with its target beside the 15 KB page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TypeVar

from bench import people, purchase
from bench.load import Browser, Job, run
from bench.parts import Side
from bench.people import Buyer, Shelf
from shop.services import settlement

T = TypeVar("T")

CONNECTIONS = 4
REFERENCE = "15 KB page"
BARE = "15 KB page, nothing else"
# What each may cost at most, in pages of 15 KB (issue 2); a purchase without the password hash, a notice without RSA.
TARGETS = {
    "home, visitor": 1.5,
    "home, logged in": 2.2,
    "course list, visitor": 1.5,
    "course list, logged in": 2.2,
    "course page, visitor": 1.5,
    "course page, logged in": 2.2,
    "settlement": 4.0,
    "checkout": 8.0,
    "notify": 5.0,
    "whole purchase": 40.0,
}


@dataclass(frozen=True)
class Figures:
    """One kind of request in one round; a purchase is many requests, and its CPU that of all of them."""

    application_ms: float
    database_ms: float
    redis_ms: float
    per_second: float
    p50_ms: float
    p99_ms: float
    statements: float
    requests: int

    @property
    def cpu_ms(self) -> float:
        return self.application_ms + self.database_ms + self.redis_ms


Rounds = dict[str, list[Figures]]


class Bench:
    """Measures one side; ``count`` requests of each kind a round."""

    def __init__(self, side: Side, count: int) -> None:
        self.side = side
        self.count = count
        self.shelf: Shelf = people.a_shelf(side.app)
        self.alipay = purchase.Alipay(side.app)
        self.rounds: Rounds = {}

    def round(self) -> None:
        self._pages()
        self._purchase_steps()
        self._purchases()

    def _pages(self) -> None:
        reader = self.people(CONNECTIONS * 2)
        people.fill_carts(self.side.app, reader, self.shelf)
        people.log_in(self.side.app, reader)
        visitors = [Browser(self.side.port) for _ in reader]
        run([(browser, _get("/cart")) for browser in visitors], CONNECTIONS)
        course = f"/courses/{self.shelf.products[0]}"
        self._measure(REFERENCE, visitors, _get("/bench/page"), times=2)
        self._measure(BARE, visitors, _get("/bench/bare/"), times=2)
        for name, path in (("home", "/"), ("course list", "/courses"), ("course page", course)):
            self._measure(f"{name}, visitor", visitors, _get(path))
            self._measure(f"{name}, logged in", [buyer.browser for buyer in reader], _get(path))
        adding = enumerate(_cycle(reader, self.count))
        self._record("add to cart", [(b.browser, partial(_add, b, self.shelf, number)) for number, b in adding])

    def _purchase_steps(self) -> None:
        buyers = self.people(self.count)
        people.fill_carts(self.side.app, buyers, self.shelf)
        people.log_in(self.side.app, buyers)
        self.settle(buyers)
        pages: dict[int, str] = {}
        urls: dict[int, str] = {}
        self._record("settlement", [(b.browser, partial(_see_settlement, b, pages)) for b in buyers])
        self._record("checkout", [(b.browser, partial(_check_out, b, pages, urls)) for b in buyers])
        said = [self.alipay.paid(url)[0] for url in urls.values()]
        alipays = [Browser(self.side.port) for _ in said]
        self._record("notify", [(b, partial(purchase.notify, notice=n)) for b, n in zip(alipays, said, strict=True)])

    def settle(self, buyers: Sequence[Buyer]) -> None:
        with self.side.app.app_context():
            for buyer in buyers:
                owner = f"a{buyer.account_id}"
                settlement.create(buyer.account_id, owner, self.shelf.products)
                settlement.change(
                    buyer.account_id, line_coupons={}, site_coupon=None, beli=people.BELI, is_cheapest=True
                )

    def _purchases(self) -> None:
        buyers = self.people(max(8, self.count // 5))
        jobs = [(b.browser, partial(purchase.whole_purchase, b, self.shelf, self.alipay)) for b in buyers]
        self._record("whole purchase", jobs)

    def people(self, count: int) -> list[Buyer]:
        return people.buyers(self.side.app, self.side.port, self.shelf, count)

    def _measure(self, name: str, browsers: Sequence[Browser], job: Job, times: int = 1) -> None:
        run([(browser, job) for browser in browsers], CONNECTIONS)  # both workers have seen the page
        self._record(name, [(browser, job) for browser in _cycle(browsers, self.count * times)])

    def _record(self, name: str, jobs: Sequence[tuple[Browser, Job]]) -> None:
        before, started = self.side.used_ms(), time.perf_counter()
        answers = run(jobs, CONNECTIONS)
        seconds = time.perf_counter() - started
        application, database, redis = (
            (now - then) / len(jobs) for now, then in zip(self.side.used_ms(), before, strict=True)
        )
        waited = sorted(answer.milliseconds for answer in answers)
        self.rounds.setdefault(name, []).append(
            Figures(
                application_ms=application,
                database_ms=database,
                redis_ms=redis,
                per_second=len(answers) / seconds,
                p50_ms=median(waited),
                p99_ms=waited[len(waited) * 99 // 100],
                statements=sum(answer.statements for answer in answers) / len(jobs),
                requests=len(answers) // len(jobs),
            )
        )


def _cycle(items: Sequence[T], count: int) -> list[T]:
    return [items[number % len(items)] for number in range(count)]


def _get(path: str) -> Job:
    def job(browser: Browser) -> None:
        browser.get(path)

    return job


def _add(buyer: Buyer, shelf: Shelf, number: int, browser: Browser) -> None:
    product_id, policy_id = shelf.plans[number % len(shelf.plans)]
    browser.post("/cart/items", {"csrf_token": buyer.csrf_token, "product": product_id, "policy": policy_id})


def _see_settlement(buyer: Buyer, pages: dict[int, str], browser: Browser) -> None:
    pages[buyer.account_id] = browser.get("/settlement").text


def _check_out(buyer: Buyer, pages: dict[int, str], urls: dict[int, str], browser: Browser) -> None:
    urls[buyer.account_id] = purchase.check_out(browser, pages[buyer.account_id])
