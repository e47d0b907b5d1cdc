"""``flask audit``: silent over an honest shop, and of each rule that is broken by hand it names rule and row.

The faults are planted in copies of the tables that have no constraints (``loosened``), as a dump restored badly would
have them; nothing of it is ever committed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import (
    NoticeVerdict,
    OrderStatus,
    PaymentMethod,
    RefundState,
)
from shop.extensions import db
from shop.gateways.alipay import Notice, Trade
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import (
    Account,
    Coupon,
    CouponCode,
    CouponRecord,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Gift,
    Order,
    OrderDetail,
    Payment,
    PaymentNotice,
    Product,
    Refund,
    RefundDetail,
    StudyRecord,
    TransactionRecord,
    Trouble,
)
from shop.services import attempts, audit, checkout, orders, payment
from shop.services.audit_queries import CHECKS, degrees
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_degree, a_student, plan_of
from tests.cashier.parts import Cashier, fetch, until
from tests.purchases import off_sale
from tests.services.audit_faults import PLANTS, Shop, a_trouble, change, refund, surplus
from tests.statements import counted

OF_DEGREES = {"mentor_fee_is_not_negative", "score_record_is_applied_once"}  # planted in test_audit_degrees
LOOSENED = (
    Account,
    Coupon,
    CouponCode,
    CouponRecord,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Gift,
    Order,
    OrderDetail,
    Payment,
    PaymentNotice,
    Refund,
    RefundDetail,
    StudyRecord,
    TransactionRecord,
    Trouble,
)


# ---------------------------------------------------------------- an honest shop


def place(buyer: Account, *products: Product, bound: int = 0, site: int = 0, beli: int = 0, money_fen: int) -> Order:
    settlement = Settlement(
        picks=tuple(Pick(product.id, plan_of(product).id) for product in products),
        line_coupons={products[0].id: bound} if bound else {},
        site_coupon=site or None,
    )
    placed = checkout.place_order(buyer.id, settlement, money_fen=money_fen, beli=beli, method=PaymentMethod.PAGE)
    return db.session.query(Order).filter_by(order_number=placed.order_number).one()


def pay(order: Order) -> None:
    """Take the notice that Alipay sends for the order's attempt."""
    attempt = order.payments[0]
    trade = Trade(attempt.out_trade_no, f"trade{order.id}", "TRADE_SUCCESS", attempt.amount_fen)
    params = {
        "notify_id": f"notice{order.id}",
        "out_trade_no": trade.out_trade_no,
        "trade_no": trade.trade_no,
        "trade_status": trade.status,
    }
    assert payment.receive(Notice(params, trade)).verdict is NoticeVerdict.APPLIED


@pytest.fixture
def honest(alipay: Cashier) -> Shop:
    buyer, other = a_student(beli=1_000), a_student(beli=5)
    courses = [a_course(59_900), a_course(12_200)]
    bound, site = a_claimed(buyer, courses[0], flat=4_000), a_claimed(buyer, flat=20_000, above=50_000)
    paid = place(buyer, *courses, bound=bound.id, site=site.id, beli=50, money_fen=43_100)
    pay(paid)
    degree = a_degree(30_000)
    enrolled = place(buyer, degree, beli=300, money_fen=0)
    waiting, left = a_course(9_900), a_course(8_800)
    pending = place(buyer, waiting, bound=a_claimed(buyer, waiting, percent=50).id, beli=9, money_fen=4_050)
    ended = place(buyer, left, site=a_claimed(buyer, flat=800).id, beli=10, money_fen=7_000)
    orders.cancel(buyer.id, ended.order_number)
    return Shop(
        buyer=buyer.id,
        other=other.id,
        paid=paid.id,
        degree=enrolled.id,
        pending=pending.id,
        ended=ended.id,
        modules=tuple(module.id for module in degree.modules),
        foreign_course=a_course().id,
    )


@pytest.fixture
def session(honest: Shop) -> Iterator[Session]:
    """A session on copies of the tables that take any value; undone at the end."""
    db.session.remove()
    with Session(db.engine) as session:
        for model in LOOSENED:
            loosen(session, model.__tablename__)
        yield session
        session.rollback()


def loosen(session: Session, table: str) -> None:
    """Hide a table behind a temporary copy without its constraints."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    original = f"{'main' if is_sqlite else 'public'}.{table}"
    session.execute(text(f"CREATE TEMPORARY TABLE {table} AS SELECT * FROM {original}"))  # noqa: S608
    if not is_sqlite:  # PostgreSQL groups by a key for all of its row's columns
        session.execute(text(f"ALTER TABLE {table} ADD PRIMARY KEY (id)"))


@contextmanager
def undone(session: Session) -> Iterator[None]:
    savepoint = session.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def findings(session: Session) -> dict[str, list[int]]:
    return {finding.name: list(finding.ids) for finding in audit.run(session)}


def test_an_empty_shop_is_clean(app: Flask) -> None:
    assert_audit_clean()


def test_an_honest_shop_is_clean(honest: Shop) -> None:
    assert {order.status for order in db.session.query(Order)} == {
        OrderStatus.PAID,
        OrderStatus.PENDING,
        OrderStatus.CANCELLED,
    }
    assert_audit_clean()


def test_a_purchase_paid_at_alipay_is_clean_and_so_is_a_repeated_and_a_late_payment(alipay: Cashier) -> None:
    buyer, course, late = a_student(), a_course(9_900), a_course(5_000)
    order = place(buyer, course, money_fen=9_900)
    url = attempts.pay_url(order.order_number)
    number = order.payments[0].out_trade_no
    db.session.rollback()
    assert url
    fetch(url)
    alipay.pay(number)
    assert payment.ask(number) is payment.Answer.PAID
    until(lambda: PaymentNotice in committed() and EnrolledCourse in committed())  # Alipay's own notice comes too
    assert_audit_clean()

    too_late = place(buyer, late, money_fen=5_000)
    orders.cancel(buyer.id, too_late.order_number)
    off_sale(late)
    pay(too_late)
    assert_audit_clean()
    assert [notice.name for notice in audit.notices(db.session(), clock.now())] == ["money_waits_at_the_desk"]


def committed() -> set[Any]:
    """The tables with rows, of two that are written by others here."""
    with Session(db.engine) as session:
        return {model for model in (PaymentNotice, EnrolledCourse) if session.query(model).first()}


# ---------------------------------------------------------------- one broken row, one finding


def test_what_is_broken_is_found_and_nothing_else(honest: Shop, session: Session, subtests: pytest.Subtests) -> None:
    """One shop for all of them: every fault is undone before the next."""
    assert findings(session) == {}
    for broken in PLANTS:
        with subtests.test(broken.__name__), undone(session):
            expected = broken(session, honest)
            assert findings(session) == expected
    assert findings(session) == {}


def test_every_check_has_a_fault_that_it_finds() -> None:
    elsewhere = {*(check.name for check in degrees.checks.found), *OF_DEGREES}
    assert {check.name for check in CHECKS} - elsewhere <= {function.__name__ for function in PLANTS}


def test_money_that_goes_back_by_the_rules_is_clean(honest: Shop, session: Session) -> None:
    """The positive controls of the faults in refunds above."""
    for state in RefundState:
        with undone(session):
            refund(session, honest, state)
            if state in (RefundState.REFUSED, RefundState.WITHDRAWN):
                change(session, Order, honest.paid, status=OrderStatus.PAID)
            surplus(session, honest)
            a_trouble(session, honest)
            assert findings(session) == {}, state


# ---------------------------------------------------------------- what waits, what is said, what it costs


def test_an_unpaid_order_is_only_noted_while_nobody_can_tell_whether_it_was_paid(honest: Shop) -> None:
    deadline = db.session.get_one(Order, honest.pending).expires_at
    assert audit.notices(db.session(), deadline + timedelta(minutes=6)) == []
    noted = audit.notices(db.session(), deadline + timedelta(minutes=8))
    assert [(notice.name, notice.ids) for notice in noted] == [("order_is_late", (honest.pending,))]
    assert_audit_clean()


def test_the_command_says_of_every_check_that_it_holds(app: Flask, honest: Shop) -> None:
    result = app.test_cli_runner().invoke(args=["audit"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines == [*(f"OK      {check.name}" for check in CHECKS), f"All {len(CHECKS)} checks hold."]


def test_the_command_names_the_rows_that_break_a_rule_and_fails(app: Flask, honest: Shop) -> None:
    change(db.session(), Account, honest.other, balance=6)
    db.session.commit()
    result = app.test_cli_runner().invoke(args=["audit"])
    assert result.exit_code == 1
    assert f"FAILED  balance_is_sum_of_records: account {honest.other} (balance is the sum" in result.output
    assert f"1 of {len(CHECKS)} checks failed." in result.output


def test_of_many_broken_rows_the_first_20_are_named_and_all_counted(app: Flask) -> None:
    students = sorted(a_student(balance=1).id for _ in range(23))
    (finding,) = audit.run(db.session())
    assert (finding.ids, finding.count) == (tuple(students[:20]), 23)
    assert finding.rows.endswith(f"{students[19]} and 3 more")


def test_the_audit_sends_one_statement_per_check(honest: Shop) -> None:
    with counted() as sent:
        audit.run(db.session())
    assert len(sent) == len(CHECKS)
