"""Whether a request costs more when the shop is big: among few and among many rows and keys of others."""

from __future__ import annotations

import time
from statistics import median

from flask import Flask
from sqlalchemy import select

from bench import fill, people, plans
from bench.parts import Side, on_servers
from bench.requests import REFERENCE, Bench, Rounds
from shop.enums import PaymentMethod
from shop.extensions import db
from shop.gateways.alipay import Notice, Trade
from shop.models import Payment
from shop.services import checkout, payment, settlement

COUNT, ROUNDS = 60, 3


def main(sizes: tuple[int, int]) -> None:
    with on_servers() as side:
        bench = Bench(side, COUNT)
        bench.round()  # the first of all requests prepare their statements
        measured = [_among(side, bench, size) for size in sizes]
        _show(sizes, *measured)
        _show_plans(side.app, bench, sizes[1])


def _among(side: Side, bench: Bench, size: int) -> Rounds:
    started = time.monotonic()
    with side.app.app_context(), db.engine.connect() as connection:
        fill.database(connection, size, product_id=bench.shelf.products[0], coupon_id=bench.shelf.coupons[0])
    fill.redis(side.app.extensions["redis"], size)
    print(f"{size:,} rows of others in each of {', '.join(fill.ROWS)}, {size:,} keys of others in Redis "
          f"({time.monotonic() - started:.0f} s)", flush=True)  # fmt: skip
    bench.rounds = {}
    for _ in range(ROUNDS):
        bench.round()
    return bench.rounds


def _show(sizes: tuple[int, int], few: Rounds, many: Rounds) -> None:
    """In pages of 15 KB of the same round: the machine may be slower at the second size than at the first."""
    print(f"\n{'15 KB pages (statements)':<26}{sizes[0]:>16,}{sizes[1]:>16,}{'growth':>9}")
    for name in few:
        before, after = (_in_pages(rounds, name) for rounds in (few, many))
        sent = [f"({median(one.statements for one in rounds[name]):.0f})" for rounds in (few, many)]
        print(f"{name:<26}{before:>10.2f} {sent[0]:>5}{after:>10.2f} {sent[1]:>5}{after / before:>8.2f}×", flush=True)


def _in_pages(rounds: Rounds, name: str) -> float:
    return median(one.cpu_ms / page.cpu_ms for one, page in zip(rounds[name], rounds[REFERENCE], strict=True))


def _show_plans(app: Flask, bench: Bench, size: int) -> None:
    """Every statement of a checkout and of its notice, judged by PostgreSQL's own plan."""
    buyer = bench.people(1)[0]
    people.fill_carts(app, [buyer], bench.shelf)
    bench.settle([buyer])
    with app.app_context():
        seen = settlement.view(buyer.account_id)
        settled = settlement.load(buyer.account_id)
        amounts = {"money_fen": seen.quote.due_fen, "beli": seen.quote.beli}
        with plans.watched(db.engine) as ordering:
            placed = checkout.place_order(buyer.account_id, settled, method=PaymentMethod.PAGE, **amounts)
        notice = _notice_for(placed.order_number)
        with plans.watched(db.engine) as hearing:
            payment.receive(notice)
        whole = plans.read_whole(db.engine, [*ordering, *hearing], set(fill.ROWS))
    print(f"\nPlans among {size:,} rows: checkout {len(ordering)} statements, notice {len(hearing)};",
          f"those that read a table from end to end: {len(whole)}")  # fmt: skip
    for statement, plan in whole.items():
        print(f"{statement}\n{plan}\n")


def _notice_for(order_number: str) -> Notice:
    attempt = db.session.scalars(select(Payment).where(Payment.out_trade_no.startswith(order_number))).one()
    return Notice({}, Trade(attempt.out_trade_no, f"9{attempt.out_trade_no}", "TRADE_SUCCESS", attempt.amount_fen))
