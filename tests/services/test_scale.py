"""A purchase costs the same among 10³ and 10⁵ orders of others (design 12): statements counted, plans looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from bench import fill, plans
from shop.enums import PaymentMethod, StaffRole
from shop.extensions import db, redis, unit_of_work
from shop.gateways.alipay import Notice, Trade
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import Account, Course, Payment
from shop.services import cart, checkout, learning, order_views, payment, settlement
from shop.services.staff import search
from tests.builders import a_claimed, a_coupon, a_course, a_student, plan_of, today_in_shanghai

pytestmark = pytest.mark.only_on("postgresql")  # the plans are its own

FEW, MANY = 1_000, 100_000
TABLES = set(fill.ROWS)


@pytest.fixture
def shelf(app: Flask) -> Iterator[list[Course]]:
    yield [a_course(30_000) for _ in range(3)]
    db.session.remove()
    with unit_of_work() as session:  # quicker than what empties the tables of a few rows after the other tests
        session.execute(sa.text("SET LOCAL session_replication_role = replica"))  # the audit log refuses to be emptied
        session.execute(sa.text(f"TRUNCATE {', '.join(TABLES)} CASCADE"))


def others(shelf: list[Course], rows: int) -> None:
    product_id, coupon_id = shelf[0].id, a_coupon().id
    with db.engine.connect() as connection:
        fill.database(connection, rows, product_id=product_id, coupon_id=coupon_id)
    fill.redis(redis(), rows // 10)


def a_buyer(shelf: list[Course]) -> Account:
    """With everything in the cart, 贝里 and two coupons."""
    buyer = a_student(beli=50)
    a_claimed(buyer, shelf[0], flat=2_000)
    a_claimed(buyer, flat=5_000, above=50_000)
    for course in shelf:
        cart.add(f"a{buyer.id}", course.id, plan_of(course).id, buyer.id)
    return buyer


def purchase(shelf: list[Course], buyer_id: int) -> dict[str, plans.Sent]:
    """What a settlement, its checkout, its notice and what one looks at afterwards send."""
    sent: dict[str, plans.Sent] = {}
    ids = [course.id for course in shelf]
    db.session.rollback()
    with plans.watched(db.engine) as sent["settlement"]:
        settlement.create(buyer_id, f"a{buyer_id}", ids)
        view = settlement.view(buyer_id)
    picks = tuple(Pick(line.product_id, plan_of(course).id) for line, course in zip(view.lines, shelf, strict=True))
    chosen = settlement.load(buyer_id)
    settled = Settlement(picks, chosen.line_coupons, chosen.site_coupon)
    due_fen = view.quote.due_fen - 5_000
    with plans.watched(db.engine) as sent["checkout"]:
        placed = checkout.place_order(buyer_id, settled, money_fen=due_fen, beli=50, method=PaymentMethod.PAGE)
    attempt = db.session.scalars(sa.select(Payment).where(Payment.out_trade_no.startswith(placed.order_number))).one()
    trade = Trade(attempt.out_trade_no, f"9{attempt.out_trade_no}", "TRADE_SUCCESS", due_fen)
    db.session.rollback()
    with plans.watched(db.engine) as sent["notice"]:
        assert payment.receive(Notice({}, trade)).is_acknowledged
    db.session.rollback()
    with plans.watched(db.engine) as sent["afterwards"]:
        order_views.view(buyer_id, placed.order_number)
        order_views.index(buyer_id, status=None, page=1)
        learning.index(buyer_id, today_in_shanghai())
        learning.continue_with(buyer_id, today_in_shanghai())
    return sent


def test_others_cost_nothing(shelf: list[Course]) -> None:
    others(shelf, FEW)
    among_few = purchase(shelf, a_buyer(shelf).id)
    others(shelf, MANY)
    among_many = purchase(shelf, a_buyer(shelf).id)

    assert {name: len(sent) for name, sent in among_many.items()} == {n: len(sent) for n, sent in among_few.items()}
    for name, sent in among_many.items():
        assert plans.read_whole(db.engine, sent, TABLES) == {}, name


def test_the_search_of_staff_finds_by_indexes_alone(shelf: list[Course]) -> None:
    others(shelf, MANY)
    searches: dict[str, plans.Sent] = {}
    number = f"O{fill.FIRST + 7}"
    with plans.watched(db.engine) as searches[number]:
        assert [hit.name for hit in search.find(number, frozenset(StaffRole)).hits] == [number]
    for begins in ("O1000", f"O{fill.FIRST + 7}"[:8], f"T{fill.FIRST}"[:8], "other1", "other10000007", "第一千门课"):
        with plans.watched(db.engine) as searches[begins]:
            search.find(begins, frozenset(StaffRole))
    sent = [statement for statements in searches.values() for statement in statements]
    with db.engine.connect() as connection:
        for statement, parameters in sent:  # an index that is read from end to end is no better than the table
            plan = connection.exec_driver_sql(f"EXPLAIN ANALYZE {statement}", parameters)
            assert not re.search(r"Rows Removed by Filter: [0-9]{3}", "\n".join(row[0] for row in plan)), statement


def test_a_statement_without_an_index_is_seen(shelf: list[Course]) -> None:
    """The test above can fail."""
    others(shelf, FEW)
    with plans.watched(db.engine) as sent:
        db.session.execute(sa.select(Account.id).where(Account.signature == "nobody's"))
    assert len(plans.read_whole(db.engine, sent, TABLES)) == 1
