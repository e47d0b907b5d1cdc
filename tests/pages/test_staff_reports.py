"""Reports as pages, plots and files: the same numbers three times, for whoever may see them."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import OrderStatus, StaffRole, VisitStep
from shop.extensions import db
from shop.models import Order, Reconciliation, Refund, VisitCount
from shop.services.staff.reports.shelf import REPORTS, Report
from tests.builders import a_clerk, today_in_shanghai
from tests.degrees import a_hand_in, a_studying
from tests.person import Person
from tests.purchases import saved
from tests.sales import Shop
from tests.statements import counted

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
OCTOBER = f"since={FIRST}&until={LAST}"


def a_reader(app: Flask, *roles: StaffRole) -> Person:
    return Person(app).sign_in(a_clerk(*(roles or (StaffRole.FINANCE, StaffRole.REGISTRY))).username)


def some_business() -> None:
    Shop().month(FIRST, 31, 80)
    a_hand_in(a_studying(), at=clock.start_of_day(FIRST))
    for step in VisitStep:
        saved(VisitCount(day=FIRST, step=step, people=40))
    db.session.rollback()


class Reader(HTMLParser):
    """The tables of a page, row by row, and what the bars of its plots stand for, plot by plot."""

    def __init__(self, page: TestResponse) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.plots: dict[str, list[int]] = {}
        self._in_foot = False
        self._cell = False
        self._plot = ""
        self.feed(page.text.split("<main", 1)[1])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "figure":
            self._plot = values.get("data-plot") or ""
            self.plots[self._plot] = []
        if tag == "rect" and values.get("data-value"):
            self.plots[self._plot].append(int(values["data-value"] or ""))
        if tag == "table":
            self.tables.append([])
        self._in_foot = tag == "tfoot" or (self._in_foot and tag != "table")
        if tag == "tr" and not self._in_foot:
            self.tables[-1].append([])
        self._cell = self._cell or (tag in ("th", "td") and not self._in_foot)
        if tag in ("th", "td") and self._cell:
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("th", "td")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.tables[-1][-1][-1] += data


# ---------------------------------------------------------------- page, plot and file agree


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: report.name)
def test_the_file_of_a_table_is_the_table_and_the_plot_is_drawn_from_it(app: Flask, report: Report) -> None:
    some_business()
    reader, name = a_reader(app), report.name
    days = f"since={today_in_shanghai() - timedelta(days=60)}" if name == "mentors" else OCTOBER
    page = reader.get(f"/staff/reports/{name}?{days}")
    assert page.status_code == 200
    seen = Reader(page)
    files = re.findall(rf'href="(/staff/reports/{name}\.csv\?[^"]+)"', page.text)
    assert len(files) == len(seen.tables) > 0 < len(seen.plots)
    for address, table in zip(files, seen.tables, strict=True):
        answer = reader.get(address.replace("&amp;", "&"), buffered=True)
        part = address.split("table=")[1].split("&")[0]
        assert answer.mimetype == "text/csv" and f"{name}-{part}-" in answer.headers["Content-Disposition"]
        rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert [[cell or "–" for cell in row] for row in rows] == table
        numbers = [Decimal(cell) for row in rows[1:] for cell in row if is_number(cell)]
        drawn = seen.plots.get(f"plot-{part}", [])
        assert {*numbers, *(number * 100 for number in numbers)} >= set(drawn)  # fen are shown in yuan


def is_number(cell: str) -> bool:
    return bool(re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", cell))


def test_each_day_has_its_bar_with_its_amount_in_words(app: Flask) -> None:
    some_business()
    page = a_reader(app).get(f"/staff/reports/revenue?{OCTOBER}")
    rows = Reader(page).tables[0][1:]
    assert len(rows) == 31
    taken = {row[0]: row[2] for row in rows if row[2] != "0.00"}
    told = dict(re.findall(r"<title>(2026-10-[0-9]{2})：收入 ([0-9.]+) 元</title>", page.text))
    assert told == taken
    back = {row[0]: row[5] for row in rows if row[5] != "0.00"}
    assert dict(re.findall(r"<title>(2026-10-[0-9]{2})：退款 ([0-9.]+) 元</title>", page.text)) == back
    assert "style=" not in page.text and "收入 = 当天付款订单的实付金额" in page.text


def test_a_day_leads_to_its_reconciliation(app: Flask) -> None:
    some_business()
    sums = {"payments": 1, "paid_fen": 1, "refunds": 0, "refunded_fen": 0}
    saved(Reconciliation(bill_date=FIRST, summary={"bill": sums, "shop": sums, "healed": 0, "open": 0}))
    reader = a_reader(app)
    page = reader.get(f"/staff/reports/revenue?{OCTOBER}")
    assert page.text.count('href="/staff/reconciliation/') == 1
    assert page.text.count("未对账") == 30 and "已对账" in page.text
    assert reader.get(f"/staff/reconciliation/{FIRST}").status_code == 200


def test_amounts_below_nothing_stay_numbers_in_the_file(app: Flask) -> None:
    """A spreadsheet would not add up what stands behind the mark against formulas."""
    shop = Shop()
    while not (refund := _lone_refund(shop)):
        pass
    page = a_reader(app).get(f"/staff/reports/revenue.csv?since={refund}&until={refund}", buffered=True)
    row = page.text.splitlines()[1].split(",")
    assert Decimal(row[6]) == -Decimal(row[5]) < 0


def _lone_refund(shop: Shop) -> date | None:
    """A day on which something went back and nothing was paid."""
    shop.order(clock.start_of_day(FIRST), OrderStatus.PAID)
    paid = {clock.local_date(moment) for moment in db.session.scalars(select(Order.pay_time)) if moment}
    done = [row for row in db.session.scalars(select(Refund)) if row.done_time and row.details and row.amount_fen]
    return next((day for row in done if (day := clock.local_date(row.done_time)) not in paid), None)


# ---------------------------------------------------------------- who, when, nothing


@pytest.mark.parametrize(
    ("role", "names"),
    [
        (StaffRole.FINANCE, ["revenue", "orders", "conversion", "coupons", "courses", "mentors"]),
        (StaffRole.OPERATIONS, ["conversion", "coupons", "courses"]),
        (StaffRole.REGISTRY, ["students", "homework", "mentors"]),
    ],
)
def test_everybody_sees_the_reports_of_their_work(app: Flask, role: StaffRole, names: list[str]) -> None:
    page = a_reader(app, role).get("/staff/reports")
    assert re.findall(r'href="/staff/reports/(\w+)"', page.text) == names
    assert 'href="/staff/reports"' in page.text


def test_an_empty_shop_has_pages_that_say_what_to_do(app: Flask) -> None:
    reader = a_reader(app)
    for report in REPORTS:
        page = reader.get(f"/staff/reports/{report.name}")
        assert page.status_code == 200 and "换一段更长的时间看看" in page.text, report.name
        assert "<table" not in page.text
        file = reader.get(f"/staff/reports/{report.name}.csv", buffered=True)
        assert file.status_code == 200


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("", -29, 0),
        ("preset=7", -6, 0),
        ("preset=90", -89, 0),
        ("since=2026-10-05&until=2026-10-07", date(2026, 10, 5), date(2026, 10, 7)),
        ("until=2026-10-30", date(2026, 10, 1), date(2026, 10, 30)),
        ("preset=7&since=2026-10-05&until=2026-10-07", date(2026, 10, 5), date(2026, 10, 7)),
        ("since=&until=", -29, 0),
    ],
)
def test_the_period_is_that_of_the_address(app: Flask, asked: str, first: int | date, last: int | date) -> None:
    today = today_in_shanghai()
    wanted = [end if isinstance(end, date) else today + timedelta(days=end) for end in (first, last)]
    page = a_reader(app).get(f"/staff/reports/revenue?{asked}")
    assert f'data-period="{wanted[0]} {wanted[1]}"' in page.text
    assert f'value="{wanted[0]}"' in page.text and f'value="{wanted[1]}"' in page.text


HOSTILE = (
    "since=2026-02-30",
    "since=2026-10-08&until=2026-10-07",
    "since=2024-01-01&until=2026-01-01",
    "since=2999-01-01",
    "until=2001-01-01",
    "since=%EF%BC%92026-10-01",
    "since=%00",
    "since=%ED%A0%80",
    "since=" + "9" * 400,
    "since=NaN",
    "since=" + "x" * 100_000,
    "since=2026-10-01&since=2026-10-02",
    "preset=x",
    "preset=-7",
    "preset=%C2%B2",
    "preset=7&preset=30",
    "preset=" + "1" * 5_000,
)


@pytest.mark.parametrize("asked", HOSTILE, ids=lambda asked: asked[:30])
def test_what_no_page_of_ours_asks_for_is_refused_in_words(app: Flask, asked: str) -> None:
    reader = a_reader(app)
    page = reader.get(f"/staff/reports/revenue?{asked}")
    assert page.status_code == 422 and 'role="alert"' in page.text
    assert reader.get(f"/staff/reports/revenue.csv?{asked}").status_code == 422


@pytest.mark.parametrize("table", ["x", "%00", "days%00", "../days", "%ED%A0%80", "DAYS"])
def test_a_table_that_is_none_is_not_found(app: Flask, table: str) -> None:
    assert a_reader(app).get(f"/staff/reports/revenue.csv?table={table}").status_code == 404


def test_four_hundred_days_are_shown_and_one_more_is_not(app: Flask) -> None:
    reader, last = a_reader(app), today_in_shanghai()
    saved(VisitCount(day=last, step=VisitStep.CART, people=3))
    page = reader.get(f"/staff/reports/conversion?since={last - timedelta(days=399)}&until={last}")
    assert page.status_code == 200 and len(Reader(page).tables[1]) == 401
    assert reader.get(f"/staff/reports/conversion?since={last - timedelta(days=400)}&until={last}").status_code == 422


def test_a_page_asks_the_same_for_little_and_for_much(app: Flask) -> None:
    reader = a_reader(app)
    reader.get(f"/staff/reports/revenue?since={FIRST}&until={FIRST}")
    with counted() as few:
        reader.get(f"/staff/reports/revenue?since={FIRST}&until={FIRST}")
    some_business()
    with counted() as many:
        reader.get(f"/staff/reports/revenue?since=2025-11-01&until={LAST}")
    assert len(few) == len(many) == 5, many  # who, which roles, and the three of the report


def test_an_english_reader_gets_english(app: Flask) -> None:
    some_business()
    reader = a_reader(app)
    reader.post("/language", {"language": "en", "next": "/"})
    page = reader.get(f"/staff/reports/conversion?{OCTOBER}").text.split("<main", 1)[1].split("</main>")[0]
    assert "From cart to payment" in page and not re.search("[一-鿿]", page)
