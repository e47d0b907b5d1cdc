"""Alipay's bill of a day against the shop's books: what is found, what is healed, what is left, and once only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import DifferenceKind, OrderStatus, ProductStatus, RefundCause, RefundState, TroubleKind
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    Payment,
    Product,
    Reconciliation,
    ReconciliationDifference,
    Refund,
    Trouble,
)
from shop.services import attempts, orders, payment, refunds
from tests import refunding
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.faults.purchase import attempt_of, fingerprint, pay_unheard, the_order
from tests.purchases import off_sale

DAY = 86_400
HEALED = ["DOUBLE", "FOREIGN_REFUND", "LATE", "LATE", "MISSED_PAYMENT", "MISSED_REFUND"]
LEFT = [
    "AMOUNT",
    "FOOTER",
    "PAYMENT_MISSING",
    "REFUND_AMOUNT",
    "REFUND_MISSING",
    "TRADE_NUMBER",
    "UNKNOWN_TRADE",
]


@pytest.fixture
def today(alipay: Cashier) -> date:
    """The day on which the test's people buy, at noon: what it plants must not cross midnight by itself."""
    noon = clock.start_of_day(clock.local_date(clock.now())) + timedelta(hours=12)
    alipay.move_clock((noon - clock.now()).total_seconds())
    return clock.local_date(clock.now())


def at(alipay: Cashier, day: date, hour: int) -> None:
    """Move to an hour of a day in Shanghai."""
    moment = clock.start_of_day(day) + timedelta(hours=hour)
    alipay.move_clock((moment - clock.now()).total_seconds())


def morning_after(alipay: Cashier, day: date) -> None:
    at(alipay, day + timedelta(days=1), 11)


# ---------------------------------------------------------------- planted


def paid(alipay: Cashier, account: Account, *products: Product, beli: int = 0) -> str:
    """The number of an order that was paid, and that the shop knows of."""
    number = refunding.placed(account, products or [a_course()], beli=beli)
    pay_unheard(alipay, number)
    assert payment.ask(attempt_of(number)) is payment.Answer.PAID
    return number


def unheard(alipay: Cashier, account: Account) -> str:
    """Paid, and neither notice nor return has come."""
    number = refunding.placed(account, [a_course()])
    pay_unheard(alipay, number)
    return number


def late(alipay: Cashier, account: Account, course: Product) -> str:
    """Cancelled while Alipay's page was open, and paid there all the same."""
    number = refunding.placed(account, [course])
    alipay.fault("notify_lost", out_trade_no=attempt_of(number), times=None)
    page = attempts.pay_url(number)
    assert page
    fetch(page)
    orders.cancel(account.id, number)
    alipay.pay(attempt_of(number))
    return number


def late_and_unwanted(alipay: Cashier, account: Account) -> str:
    course = a_course()
    number = late(alipay, account, course)
    off_sale(course, ProductStatus.OFF_SALE)
    return number


def paid_twice(alipay: Cashier, account: Account) -> str:
    """By its second attempt, and by the first, which Alipay had called closed."""
    number = refunding.placed(account, [a_course()])
    for out_trade_no in (f"{number}01", f"{number}02"):
        alipay.fault("notify_lost", out_trade_no=out_trade_no, times=None)
    page = attempts.pay_url(number)
    assert page
    fetch(page)
    with unit_of_work() as session:
        attempts.replace_closed(session, the_order(number), f"{number}01", clock.now())
    page = attempts.pay_url(number)
    assert page
    fetch(page)
    alipay.pay(f"{number}02")
    assert payment.ask(f"{number}02") is payment.Answer.PAID
    alipay.pay(f"{number}01")
    return number


def a_cent_less(alipay: Cashier, account: Account) -> str:
    number = refunding.placed(account, [a_course()])
    alipay.fault("pay_cent_less", out_trade_no=attempt_of(number))
    pay_unheard(alipay, number)
    return number


def of_somebody_else(alipay: Cashier) -> str:
    """A trade of the same merchant that the shop has not begun."""
    assert alipay.ask("CANTEEN1", "25.00").status < 400
    alipay.pay("CANTEEN1")
    return "CANTEEN1"


def refunded_by_hand(alipay: Cashier, account: Account) -> str:
    number = paid(alipay, account)
    assert refunding.by_hand(alipay, number, "5.00", "CONSOLE1")["fund_change"] == "Y"
    return number


def refunded(alipay: Cashier, account: Account) -> str:
    """The number of a refund that is done."""
    return refunding.refunded(alipay, account, paid(alipay, account))


def refund_unheard(alipay: Cashier, account: Account) -> str:
    """The number of a refund that Alipay carried out, while its answer got lost."""
    number = paid(alipay, account)
    refund = refunding.approved(account, number)
    alipay.fault("answer_html", method="alipay.trade.refund", out_trade_no=attempt_of(number))
    assert refunds.send(refund) == "later"
    return refund


def told_of_nothing(alipay: Cashier, account: Account) -> str:
    """A payment that Alipay has signed and does not have (safety.md G2)."""
    number, other = refunding.placed(account, [a_course()]), paid(alipay, account)
    told = {"out_trade_no": attempt_of(number), "trade_no": "2" * 28}
    alipay.control("messages", {"out_trade_no": attempt_of(other), "set": told})
    assert the_order(number).status is OrderStatus.PAID
    return number


def told_another_number(alipay: Cashier, account: Account) -> str:
    number = unheard(alipay, account)
    alipay.control("messages", {"out_trade_no": attempt_of(number), "set": {"trade_no": "3" * 28}})
    assert the_order(number).payment_number == "3" * 28
    return number


# ---------------------------------------------------------------- read


def kept(day: date) -> list[ReconciliationDifference]:
    db.session.rollback()
    db.session.expire_all()
    run = db.session.scalars(select(Reconciliation).where(Reconciliation.bill_date == day)).one()
    return run.differences


def kinds(day: date, is_wanted: Callable[[ReconciliationDifference], bool] = lambda _: True) -> list[str]:
    return sorted(difference.kind.name for difference in kept(day) if is_wanted(difference))


def is_healed(difference: ReconciliationDifference) -> bool:
    return difference.is_healed


def is_open(difference: ReconciliationDifference) -> bool:
    return not difference.is_healed and difference.resolved_time is None


def books() -> dict[str, list[Any]]:
    """Every row there is, but for when and how often bills were compared."""
    rows = fingerprint()
    columns = [c for c in Reconciliation.__table__.c if c.name not in ("run_time", "runs")]
    return rows | {"reconciliation": sorted(map(repr, db.session.execute(select(*columns)).all()))}


def invoke(app: Flask, *args: str) -> Any:
    return app.test_cli_runner().invoke(args=["payments", "reconcile", *args])


# ---------------------------------------------------------------- the proof


def test_planted_differences_are_found_healed_or_listed_once(app: Flask, alipay: Cashier, today: date) -> None:
    buyer = a_student(beli=50)
    paid(alipay, buyer)
    paid(alipay, buyer, a_course(), beli=20)
    refunding.placed(buyer, [a_course(1_000)], beli=10)  # nothing due: in no bill
    refunded(alipay, buyer)
    missed = unheard(alipay, buyer)
    revived, returned = late(alipay, buyer, a_course()), late_and_unwanted(alipay, buyer)
    twice = paid_twice(alipay, buyer)
    less = a_cent_less(alipay, buyer)
    unknown = of_somebody_else(alipay)
    by_hand = refunded_by_hand(alipay, buyer)
    off = refunded(alipay, buyer)
    refund_missed = refund_unheard(alipay, buyer)
    nothing = told_of_nothing(alipay, buyer)
    gone = refunded(alipay, buyer)
    renumbered = told_another_number(alipay, buyer)
    alipay.fault("bill_amount_off", number=off, times=None)
    alipay.fault("bill_row_missing", number=gone, times=None)
    alipay.fault("bill_footer_off", times=None)
    morning_after(alipay, today)
    assert_audit_clean()

    done = invoke(app, today.isoformat())

    assert done.exit_code == 1, done.output
    assert f"{today}: 6 healed, 0 closed, 7 left to people." in done.output
    assert kinds(today, is_healed) == HEALED
    assert kinds(today, is_open) == LEFT
    assert set(kinds(today)) == {kind.name for kind in DifferenceKind} - {"LEDGER"}  # which no gateway can bring about
    lines = {(each.kind.name, each.out_trade_no, each.out_request_no) for each in kept(today)}
    assert lines == {
        ("MISSED_PAYMENT", f"{missed}01", ""),
        ("LATE", f"{revived}01", ""),
        ("LATE", f"{returned}01", ""),
        ("DOUBLE", f"{twice}01", ""),
        ("AMOUNT", f"{less}01", ""),
        ("UNKNOWN_TRADE", unknown, ""),
        ("FOREIGN_REFUND", f"{by_hand}01", "CONSOLE1"),
        ("REFUND_AMOUNT", f"{off[1:-2]}01", off),
        ("MISSED_REFUND", f"{refund_missed[1:-2]}01", refund_missed),
        ("PAYMENT_MISSING", f"{nothing}01", ""),
        ("REFUND_MISSING", f"{gone[1:-2]}01", gone),
        ("TRADE_NUMBER", f"{renumbered}01", ""),
        ("FOOTER", "", ""),
    }
    assert the_order(missed).status is the_order(revived).status is OrderStatus.PAID
    assert the_order(returned).status is OrderStatus.CANCELLED
    assert the_order(less).status is OrderStatus.PENDING
    causes = dict(db.session.execute(select(Payment.out_trade_no, Refund.cause).join(Refund.payment)).all())
    assert causes[f"{returned}01"] is RefundCause.LATE
    assert causes[f"{twice}01"] is RefundCause.DOUBLE
    assert refunding.the_refund(refund_missed).state is RefundState.DONE
    assert (refunding.the_refund("CONSOLE1").state, refunding.the_refund("CONSOLE1").amount_fen) == (
        RefundState.DONE,
        500,
    )
    troubles = sorted(db.session.execute(select(Trouble.kind, Trouble.out_trade_no, Trouble.amount_fen)).all())
    assert troubles == sorted(
        [
            (TroubleKind.WRONG_AMOUNT, f"{less}01", 9_999),
            (TroubleKind.SECOND_TRADE, f"{renumbered}01", 10_000),
            (TroubleKind.UNKNOWN_TRADE, unknown, 2_500),
            (TroubleKind.FOREIGN_REFUND, f"{by_hand}01", 500),
        ]
    )
    assert_audit_clean()

    before = books()
    alipay.move_clock(60)
    assert invoke(app, today.isoformat()).exit_code == 1
    assert books() == before

    alipay.control("faults", method="DELETE")
    refunds.send_due()
    assert invoke(app, today.isoformat()).exit_code == 1
    assert kinds(today, is_healed) == HEALED
    assert kinds(today, is_open) == ["AMOUNT", "PAYMENT_MISSING", "TRADE_NUMBER", "UNKNOWN_TRADE"]
    assert kinds(today, lambda each: each.resolved_time is not None) == ["FOOTER", "REFUND_AMOUNT", "REFUND_MISSING"]
    assert refunding.at_alipay(alipay, returned) == refunding.at_alipay(alipay, twice) == 10_000
    assert_audit_clean()
