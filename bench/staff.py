"""Whether the desk stays quick when the shop is big: the staff's long lists among few and among many rows."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from flask import Flask
from sqlalchemy import Connection, select, text

from bench import fill, people
from bench.load import Browser
from bench.parts import Side, on_servers
from bench.people import Buyer
from shop import clock
from shop.enums import Role, StaffRole
from shop.extensions import db, unit_of_work
from shop.models import Account, Order, StaffMember
from shop.web.staff import CONFIRMED

ROUNDS = 15
MOST = 10  # times as long among many rows (issue 5)
FIRST_BYTES = 200
AUDIT_ROWS = """INSERT INTO audit_log (id, actor, action, subject_table, subject_id, reason, date)
    SELECT n, 'other' || n, 'order note', 'orders', n, 'so', now() - (n % 1000) * interval '1 day'
    FROM generate_series(:first, :last) AS n"""

Ask = Callable[[], tuple[float, int]]  # milliseconds until the answer, or the beginning of it; statements


@dataclass(frozen=True)
class Took:
    milliseconds: float
    statements: int


def main(sizes: tuple[int, int]) -> None:
    with on_servers() as side:
        shelf = people.a_shelf(side.app)
        measured = []
        for size in sizes:
            started = time.monotonic()
            with side.app.app_context(), db.engine.connect() as connection:
                fill.database(connection, size, product_id=shelf.products[0], coupon_id=shelf.coupons[0])
                _fill_audit_log(connection, size)
            print(f"{size:,} orders and audit rows ({time.monotonic() - started:.0f} s)", flush=True)
            clerk = a_clerk(side, shelf)
            measured.append({name: _measure(ask) for name, ask in _lists(side, clerk).items()})
        _show(sizes, *measured)


def _fill_audit_log(connection: Connection, rows: int) -> None:
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    there = connection.execute(text("SELECT count(*) FROM audit_log WHERE id >= :n"), {"n": fill.FIRST}).scalar_one()
    connection.execute(text(AUDIT_ROWS), {"first": fill.FIRST + there, "last": fill.FIRST + rows - 1})
    connection.commit()
    connection.execute(text("ANALYZE audit_log"))
    connection.commit()


def a_clerk(side: Side, shelf: people.Shelf) -> Buyer:
    """Finance and administration in one, logged in with both factors."""
    (clerk,) = people.buyers(side.app, side.port, shelf, 1)
    with side.app.app_context(), unit_of_work() as session:
        account = session.get_one(Account, clerk.account_id)
        account.is_staff, account.role = True, Role.ADMIN
        roles = (StaffRole.FINANCE, StaffRole.ADMIN)
        session.add_all(StaffMember(account_id=account.id, role=role) for role in roles)
    people.log_in(side.app, [clerk], {CONFIRMED: clock.now().timestamp()})
    return clerk


def _lists(side: Side, clerk: Buyer) -> dict[str, Ask]:
    """What is looked at, by name."""
    today = clock.local_date(clock.now())
    days = f"since={today - timedelta(days=20)}&until={today - timedelta(days=10)}"
    order, username = _somebody(side.app)
    pages = {
        "orders, first page": "/staff/orders",
        "orders, one state, eleven days": f"/staff/orders?status=0&{days}",
        "orders, one student": f"/staff/orders?username={username}",
        "orders, dearest first": "/staff/orders?sort=2",
        "audit log, first page": "/staff/audit-log",
        "revenue report, 30 days": "/staff/reports/revenue?preset=30",
        "revenue report, 400 days": f"/staff/reports/revenue?since={today - timedelta(days=399)}",
    }
    found = {name: _page(clerk.browser, path) for name, path in pages.items()}
    found["search, an order number"] = _search(clerk, order, status=303)
    found["search, how order numbers begin"] = _search(clerk, order[:8], status=200)
    found["orders.csv, first bytes"] = _first_bytes(clerk.browser, "/staff/orders.csv")
    return found


def _somebody(app: Flask) -> tuple[str, str]:
    with app.app_context():
        number, username = db.session.execute(
            select(Order.order_number, Account.username)
            .join(Account, Account.id == Order.account_id)
            .where(Order.id == fill.FIRST + 7)
        ).one()
        return number, username


def _page(browser: Browser, path: str) -> Ask:
    def ask() -> tuple[float, int]:
        answer = browser.get(path)
        return answer.milliseconds, answer.statements

    return ask


def _search(clerk: Buyer, wanted: str, *, status: int) -> Ask:
    """One hit is opened at once (303), several are listed (200)."""

    def ask() -> tuple[float, int]:
        answer = clerk.browser.post("/staff/search", {"csrf_token": clerk.csrf_token, "q": wanted}, status)
        return answer.milliseconds, answer.statements

    return ask


def _first_bytes(browser: Browser, path: str) -> Ask:
    """A file of a million lines is not waited for: only its beginning."""

    def ask() -> tuple[float, int]:
        connection = http.client.HTTPConnection("127.0.0.1", browser.port, timeout=60)
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        started = time.perf_counter()
        connection.request("GET", path, None, {"Cookie": cookies})
        answer = connection.getresponse()
        if answer.status != 200 or len(answer.read(FIRST_BYTES)) != FIRST_BYTES:
            raise RuntimeError(f"{path}: {answer.status}")
        milliseconds = (time.perf_counter() - started) * 1000
        connection.close()
        return milliseconds, int(answer.getheader("X-Statements", "0"))

    return ask


def _measure(ask: Ask) -> Took:
    ask(), ask()  # both workers have prepared what they send
    found = [ask() for _ in range(ROUNDS)]
    return Took(median(milliseconds for milliseconds, _ in found), max(statements for _, statements in found))


def _show(sizes: tuple[int, int], few: dict[str, Took], many: dict[str, Took]) -> None:
    print(f"\n{'p50 ms (statements)':<32}{sizes[0]:>16,}{sizes[1]:>16,}{'growth':>9}")
    for name, before in few.items():
        after = many[name]
        growth = after.milliseconds / before.milliseconds
        is_good = growth <= MOST and after.statements == before.statements
        cells = "".join(f"{took.milliseconds:>10.1f} {f'({took.statements})':>5}" for took in (before, after))
        print(f"{name:<32}{cells}{growth:>8.2f}×{'' if is_good else '  over the limit'}", flush=True)
