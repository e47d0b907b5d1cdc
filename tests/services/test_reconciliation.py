"""Alipay's bill of a day against the shop's books: what is found, what is healed, what is left, and once only."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select, update

from shop import clock
from shop.enums import (
    DifferenceKind,
    OrderStatus,
    PaymentState,
    PaymentType,
    RefundCause,
    RefundState,
    TransactionType,
    TroubleKind,
)
from shop.extensions import db, unit_of_work
from shop.gateways import bill
from shop.gateways.alipay import Alipay
from shop.gateways.bill import Bill, Footer, Row
from shop.models import (
    Order,
    Payment,
    Reconciliation,
    ReconciliationDifference,
    Refund,
    TransactionRecord,
    Trouble,
)
from shop.services import bill_comparison, orders, payment, reconciliation, refunds
from tests import refunding
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier
from tests.differences import (
    a_cent_less,
    late,
    late_and_unwanted,
    of_somebody_else,
    paid,
    paid_twice,
    refund_unheard,
    refunded,
    refunded_by_hand,
    told_another_number,
    told_of_nothing,
    unheard,
)
from tests.faults.purchase import attempt_of, fingerprint, the_order
from tests.statements import counted

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


# ---------------------------------------------------------------- days


def test_a_day_in_order(app: Flask, alipay: Cashier, today: date) -> None:
    buyer = a_student(beli=30)
    paid(alipay, buyer, a_course(), beli=30)
    refunded(alipay, buyer)
    morning_after(alipay, today)
    done = invoke(app, today.isoformat())
    assert (done.exit_code, kinds(today)) == (0, [])
    assert "Bill: 2 payments 170.00, 1 refunds -100.00. Shop: 2 payments 170.00, 1 refunds -100.00." in done.output
    assert_audit_clean()


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_day_that_is_not_over(app: Flask, alipay: Cashier, today: date, ahead: int) -> None:
    done = invoke(app, (today + timedelta(days=ahead)).isoformat())
    assert done.exit_code == 2
    assert "that day is not over in Beijing" in done.output
    assert invoke(app, "20260301").exit_code == 2
    assert invoke(app, "2026-02-30").exit_code == 2
    assert alipay.control("exchanges") == []


def test_over_in_beijing_and_not_in_greenwich(app: Flask, alipay: Cashier, today: date) -> None:
    at(alipay, today + timedelta(days=1), 1)
    assert invoke(app, today.isoformat()).exit_code == 0


def test_a_day_without_business(app: Flask, alipay: Cashier, today: date) -> None:
    morning_after(alipay, today)
    done = invoke(app, today.isoformat())
    assert done.exit_code == 0
    assert "Bill: 0 payments 0.00, 0 refunds 0.00." in done.output


def test_a_bill_that_comes_late(app: Flask, alipay: Cashier, today: date) -> None:
    """Alipay says "no bill": all of the day's money is missing until it is there."""
    number = refunded(alipay, a_student())
    morning_after(alipay, today)
    alipay.fault("bill_missing")
    done = invoke(app, today.isoformat())
    assert done.exit_code == 1
    assert kinds(today, is_open) == ["PAYMENT_MISSING", "REFUND_MISSING"]
    assert done.output.count("Alipay confirms this money, the bill lacks it") == 2
    assert f"bill none, shop -100.00; {number[1:-2]}01" in done.output
    again = invoke(app, today.isoformat())
    assert again.exit_code == 0
    assert again.output.count("CLOSED") == 2 and "found in order when compared again" in again.output
    assert_audit_clean()


def test_money_that_crosses_midnight(app: Flask, alipay: Cashier, today: date) -> None:
    """Paid and refunded before midnight, heard of afterwards: no day accuses it."""
    buyer = a_student()
    order, asked = paid(alipay, buyer), paid(alipay, buyer)
    refund = refunding.approved(buyer, asked)
    number = refunding.placed(buyer, [a_course()])
    at(alipay, today, 23)
    alipay.fault("answer_html", method="alipay.trade.refund", out_trade_no=attempt_of(asked))
    assert refunds.send(refund) == "later"
    number = unheard(alipay, buyer)
    at(alipay, today + timedelta(days=1), 1)
    assert payment.ask(attempt_of(number)) is payment.Answer.PAID
    assert refunds.send(refund) == "done"
    heard = refunding.refunded(alipay, buyer, order)  # the payment of yesterday, its refund of today
    morning_after(alipay, today)
    assert invoke(app, today.isoformat()).exit_code == 0
    morning_after(alipay, today + timedelta(days=1))
    done = invoke(app, (today + timedelta(days=1)).isoformat())
    assert done.exit_code == 0
    assert "Bill: 0 payments 0.00, 1 refunds -100.00. Shop: 0 payments 0.00, 1 refunds -100.00." in done.output
    assert kinds(today) == kinds(today + timedelta(days=1)) == []
    assert refunding.the_refund(heard).state is RefundState.DONE
    assert_audit_clean()


def test_a_second_day_of_the_same_money(app: Flask, alipay: Cashier, today: date) -> None:
    """What one day's bill healed was booked on the next, whose bill does not have it."""
    unheard(alipay, a_student())
    morning_after(alipay, today)
    assert invoke(app, today.isoformat()).exit_code == 0
    assert kinds(today, is_healed) == ["MISSED_PAYMENT"]
    morning_after(alipay, today + timedelta(days=1))
    assert invoke(app, (today + timedelta(days=1)).isoformat()).exit_code == 0
    assert kinds(today + timedelta(days=1)) == []


# ---------------------------------------------------------------- bills


@pytest.mark.parametrize("kind", ["bill_extra_column", "bill_no_summary", "bill_expired"])
def test_bills_that_look_different(app: Flask, alipay: Cashier, today: date, kind: str) -> None:
    """One more column, one file less, an address that was over too soon."""
    paid(alipay, a_student())
    morning_after(alipay, today)
    alipay.fault(kind)
    done = invoke(app, today.isoformat())
    assert done.exit_code == 0, done.output
    assert "Bill: 1 payments 100.00" in done.output


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("bill_html", "no zip that can be read"),
        ("bill_bomb", "unpacks to too much"),
        ("bill_other_host", "a host that is not Alipay's"),
        ("bill_expired", "Alipay gave no answer"),
        ("bill_redirect", "Alipay gave no answer"),
        ("answer_20000", "Alipay gave no answer"),
        ("answer_bad_sign", "Alipay gave no answer"),
        ("answer_reset", "Alipay gave no answer"),
    ],
)
def test_what_is_no_bill_changes_nothing(app: Flask, alipay: Cashier, today: date, kind: str, says: str) -> None:
    unheard(alipay, a_student())
    morning_after(alipay, today)
    before = fingerprint()
    alipay.fault(kind, times=None)
    done = invoke(app, today.isoformat())
    assert done.exit_code == 2
    assert says in done.output and "Nothing was changed." in done.output
    assert fingerprint() == before


def test_no_transaction_is_open_while_alipay_is_asked(
    app: Flask, alipay: Cashier, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = a_student()
    unheard(alipay, buyer)
    refunded_by_hand(alipay, buyer)
    told_of_nothing(alipay, buyer)
    morning_after(alipay, today)
    calls = []
    really = Alipay._call
    download = bill.download

    def watched(*args: Any) -> Any:
        calls.append(db.session().in_transaction())
        return really(*args)

    def watched_download(*args: Any) -> bytes:
        calls.append(db.session().in_transaction())
        return download(*args)

    monkeypatch.setattr(Alipay, "_call", watched)
    monkeypatch.setattr(bill, "download", watched_download)
    assert invoke(app, today.isoformat()).exit_code == 1
    assert len(calls) >= 5 and not any(calls)


# ---------------------------------------------------------------- left, closed, healed later


def test_alipay_is_silent_about_what_its_bill_tells(app: Flask, alipay: Cashier, today: date) -> None:
    number = unheard(alipay, a_student())
    refund = refund_unheard(alipay, a_student())
    refunded_by_hand(alipay, a_student())  # recorded by the first run, and then like one of the shop's own
    morning_after(alipay, today)
    for method in ("alipay.trade.query", "alipay.trade.fastpay.refund.query"):
        alipay.fault("answer_empty", method=method, times=None)
    done = invoke(app, today.isoformat())
    assert done.exit_code == 1 and "Alipay gave no answer" in done.output
    assert kinds(today, is_open) == ["FOREIGN_REFUND", "MISSED_PAYMENT", "MISSED_REFUND"]
    assert the_order(number).status is OrderStatus.PENDING
    alipay.control("faults", method="DELETE")
    alipay.move_clock(60)
    assert invoke(app, today.isoformat()).exit_code == 0
    assert kinds(today) == kinds(today, is_healed) == ["FOREIGN_REFUND", "MISSED_PAYMENT", "MISSED_REFUND"]
    assert the_order(number).status is OrderStatus.PAID
    assert refunding.the_refund(refund).state is RefundState.DONE
    assert_audit_clean()


def test_a_crash_between_healing_and_booking(
    app: Flask, alipay: Cashier, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found is committed before anything is healed: it is there, and closed by the next run."""
    number = unheard(alipay, a_student())
    morning_after(alipay, today)
    with monkeypatch.context() as broken:
        broken.setattr(reconciliation, "_end", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            reconciliation.reconcile(today)
    assert the_order(number).status is OrderStatus.PAID
    assert kinds(today, is_open) == ["MISSED_PAYMENT"]
    assert invoke(app, today.isoformat()).exit_code == 0
    [difference] = kept(today)
    assert difference.resolved_time is not None and not difference.is_healed
    assert_audit_clean()


def test_what_people_have_closed_stays_closed(app: Flask, alipay: Cashier, today: date) -> None:
    """By closing the difference itself, or the money that it is about."""
    clerk = a_student()
    a_cent_less(alipay, clerk)
    of_somebody_else(alipay)
    told_of_nothing(alipay, clerk)
    morning_after(alipay, today)
    assert invoke(app, today.isoformat()).exit_code == 1
    now = clock.now()
    missing = ReconciliationDifference.kind == DifferenceKind.PAYMENT_MISSING
    with unit_of_work() as session:
        values = {"handler_id": clerk.id, "resolved_time": now, "resolution": "已与支付宝核实"}
        session.execute(update(ReconciliationDifference).where(missing).values(**values))
        session.execute(update(Trouble).values(**values))
    done = invoke(app, today.isoformat())
    assert (done.exit_code, kinds(today, is_open)) == (0, [])
    assert "已与支付宝核实" in done.output
    assert len(kept(today)) == 3


def test_money_is_not_without_a_home_when_the_bill_alone_is_off(app: Flask, alipay: Cashier, today: date) -> None:
    number = unheard(alipay, a_student())
    alipay.fault("bill_amount_off", times=None)
    morning_after(alipay, today)
    done = invoke(app, today.isoformat())
    assert done.exit_code == 1 and "booked as Alipay answered; the bill alone is off" in done.output
    assert kinds(today, is_open) == ["AMOUNT"]
    assert the_order(number).status is OrderStatus.PAID
    assert db.session.scalars(select(Trouble)).all() == []
    assert_audit_clean()


def test_a_row_of_nobody_without_a_trade_behind_it(app: Flask, alipay: Cashier, today: date) -> None:
    paid(alipay, a_student())
    alipay.fault("bill_row_extra", times=None)
    morning_after(alipay, today)
    assert invoke(app, today.isoformat()).exit_code == 1
    before = books()
    assert invoke(app, today.isoformat()).exit_code == 1
    assert books() == before
    [trouble] = db.session.scalars(select(Trouble))
    assert (trouble.kind, trouble.out_trade_no, trouble.found_by) == (TroubleKind.UNKNOWN_TRADE, "UNKNOWN1", "bill")


def test_refunds_of_money_that_the_shop_has_not_booked(app: Flask, alipay: Cashier, today: date) -> None:
    """Of a trade that is not its own, and of a wrong amount: nothing is believed, people see both."""
    of_somebody_else(alipay)
    less = a_cent_less(alipay, a_student())
    for out_trade_no in ("CANTEEN1", attempt_of(less)):
        answer = alipay.sdk.api_alipay_trade_refund(
            refund_amount="1.00", out_trade_no=out_trade_no, out_request_no=f"BACK{out_trade_no}"
        )
        assert answer["fund_change"] == "Y"
    morning_after(alipay, today)
    assert invoke(app, today.isoformat()).exit_code == 1
    assert kinds(today, is_open) == ["AMOUNT", "FOREIGN_REFUND", "UNKNOWN_TRADE", "UNKNOWN_TRADE"]
    back = db.session.scalars(select(Trouble.amount_fen).where(Trouble.kind == TroubleKind.FOREIGN_REFUND)).all()
    assert back == [100, 100]
    assert db.session.scalars(select(Refund)).all() == []
    before = books()
    assert invoke(app, today.isoformat()).exit_code == 1
    assert books() == before
    assert_audit_clean()


def test_a_whole_refund_made_by_hand_without_a_number(app: Flask, alipay: Cashier, today: date) -> None:
    number = paid(alipay, a_student())
    answer = alipay.sdk.api_alipay_trade_refund(refund_amount="100.00", out_trade_no=attempt_of(number))
    assert answer["fund_change"] == "Y"
    morning_after(alipay, today)
    assert invoke(app, today.isoformat()).exit_code == 0
    assert kinds(today, is_healed) == ["FOREIGN_REFUND"]
    assert refunding.the_refund(attempt_of(number)).amount_fen == 10_000
    assert_audit_clean()


def test_a_refund_that_nobody_has_approved(app: Flask, alipay: Cashier, today: date) -> None:
    """Somebody at Alipay used the number of a request that waits at the shop."""
    buyer = a_student()
    number = paid(alipay, buyer)
    refund = refunding.asked(buyer, number)
    assert refunding.by_hand(alipay, number, "100.00", refund)["fund_change"] == "Y"
    morning_after(alipay, today)
    done = invoke(app, today.isoformat())
    assert done.exit_code == 1 and "the shop has not sent this refund" in done.output
    assert kinds(today, is_open) == ["FOREIGN_REFUND"]
    assert refunding.the_refund(refund).state is RefundState.REQUESTED


def test_orders_and_beli_of_the_day(app: Flask, alipay: Cashier, today: date) -> None:
    """Books that somebody has bent by hand: every order of the day is compared with the 贝里 ledger and its payment."""
    buyer = a_student(beli=100)
    good = paid(alipay, buyer, a_course(), beli=10)
    free = refunding.placed(buyer, [a_course(1_000)], beli=10)
    cancelled = refunding.placed(buyer, [a_course()], beli=10)
    orders.cancel(buyer.id, cancelled)
    back = refunding.refunded(alipay, buyer, paid(alipay, buyer, a_course(), beli=10))
    refunding.refunded(alipay, buyer, paid(alipay, buyer, a_course(), a_course(), beli=20), 0)  # of two lines one
    morning_after(alipay, today)
    assert invoke(app, today.isoformat()).exit_code == 0
    taken = TransactionRecord.transaction_type == TransactionType.EXPENSE
    given = TransactionRecord.transaction_type == TransactionType.REFUND
    bends: list[tuple[Any, Any, dict[str, Any], str]] = [
        (TransactionRecord, taken & _of(free), {"amount": 9}, free),
        (TransactionRecord, given & _of(cancelled), {"amount": 11}, cancelled),
        (TransactionRecord, given & _of(back[1:-2]), {"amount": 9}, back[1:-2]),
        (Order, Order.order_number == free, {"status": OrderStatus.CANCELLED, "cancel_time": clock.now()}, free),
        (Payment, Payment.out_trade_no == attempt_of(good), {"amount_fen": 9_001}, good),
        (Order, Order.order_number == good, {"payment_number": "4" * 28}, attempt_of(good)),
    ]
    for model, where, values, named in bends:
        key = model.id
        [row] = db.session.execute(select(model.__table__).where(where))
        bend(model, key == row.id, values)
        assert invoke(app, today.isoformat()).exit_code == 1
        assert named in {each.out_trade_no for each in kept(today) if is_open(each)}
        bend(model, key == row.id, {name: getattr(row, name) for name in values})
        assert invoke(app, today.isoformat()).exit_code == 0
    assert set(kinds(today)) == {"LEDGER", "AMOUNT"}
    assert_audit_clean()


def _of(number: str) -> Any:
    return TransactionRecord.order_id.in_(select(Order.id).where(Order.order_number == number))


def bend(model: Any, where: Any, values: dict[str, Any]) -> None:
    with unit_of_work() as session:
        session.execute(update(model).where(where).values(**values))


# ---------------------------------------------------------------- how much, how often


def test_a_large_day_takes_a_bounded_number_of_statements(app: Flask) -> None:
    day = clock.local_date(clock.now()) - timedelta(days=1)
    many = a_large_day(day, 10_000)
    with counted() as sent:
        comparison = bill_comparison.compare(many, day)
    assert comparison.findings == comparison.missing == []
    assert comparison.shop == {"payments": 10_000, "paid_fen": 10_000 * 9_900, "refunds": 0, "refunded_fen": 0}
    assert len(sent) <= 3 * 10_000 // bill_comparison.CHUNK + 3


def a_large_day(day: date, rows: int) -> Bill:
    """So many paid orders of one account, and their bill."""
    moment, account = clock.start_of_day(day) + timedelta(hours=9), a_student().id
    numbers = [f"{day:%Y%m%d}{number:010d}" for number in range(rows)]
    order = {"account_id": account, "status": OrderStatus.PAID, "payment_type": PaymentType.ALIPAY}
    order |= dict.fromkeys(("list_amount_fen", "actual_amount_fen"), 9_900)
    order |= dict.fromkeys(("course_discount_fen", "site_discount_fen", "beli", "beli_fen"), 0)
    order |= dict.fromkeys(("date", "expires_at", "pay_time"), moment)
    attempt = {"method": 0, "amount_fen": 9_900, "biz_content": {}, "state": PaymentState.PAID}
    attempt |= dict.fromkeys(("created_time", "expires_at", "paid_time"), moment)
    with unit_of_work() as session:
        session.execute(
            insert(Order),
            [order | {"order_number": n, "settlement_token": n, "payment_number": f"T{n}"} for n in numbers],
        )
        ids = dict(session.execute(select(Order.order_number, Order.id)).all())
        session.execute(
            insert(Payment),
            [attempt | {"order_id": ids[n], "out_trade_no": f"{n}01", "trade_no": f"T{n}"} for n in numbers],
        )
    found = tuple(Row(f"T{n}", f"{n}01", "", 9_900, 9_900) for n in numbers)
    return Bill(found, Footer(rows, rows * 9_900, 0, 0))


def test_healing_and_asking_are_bounded(
    app: Flask, alipay: Cashier, today: date, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciliation, "MOST_HEALED", 1)
    monkeypatch.setattr(reconciliation, "MOST_LOOKED_UP", 1)
    buyer = a_student()
    for _ in range(2):
        unheard(alipay, buyer)
        told_of_nothing(alipay, buyer)
    morning_after(alipay, today)
    done = invoke(app, today.isoformat())
    assert "not reached in this run" in done.output and "too many are missing" in done.output
    assert kinds(today, is_open) == ["MISSED_PAYMENT", "PAYMENT_MISSING", "PAYMENT_MISSING"]
    assert invoke(app, today.isoformat()).exit_code == 1
    assert kinds(today, is_healed) == ["MISSED_PAYMENT", "MISSED_PAYMENT"]
    assert_audit_clean()


def test_two_runs_at_once(app: Flask, alipay: Cashier, today: date) -> None:
    buyer = a_student()
    number = unheard(alipay, buyer)
    a_cent_less(alipay, buyer)
    refunded_by_hand(alipay, buyer)
    morning_after(alipay, today)

    def run(_: int) -> int:
        with app.app_context():
            return len(reconciliation.reconcile(today).differences)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(run, range(2))) == [3, 3]
    assert sorted(kinds(today)) == ["AMOUNT", "FOREIGN_REFUND", "MISSED_PAYMENT"]
    assert kinds(today, is_open) == ["AMOUNT"]
    assert the_order(number).status is OrderStatus.PAID
    assert db.session.scalars(select(Reconciliation.runs)).all() == [2]
    assert_audit_clean()


def test_when_the_job_looks_at_which_day(app: Flask, alipay: Cashier, today: date) -> None:
    """Yesterday's after ten; a day in order once a day, one with differences each hour, for three days."""
    number = told_of_nothing(alipay, a_student())
    tomorrow = today + timedelta(days=1)
    at(alipay, tomorrow, 9)
    assert reconciliation.reconcile_due(clock.now())["reconciled"] == 2  # the two days before today
    at(alipay, tomorrow, 10)
    assert reconciliation.reconcile_due(clock.now()) == {"reconciled": 1, "differences": 1, "failed": 0}
    assert reconciliation.reconcile_due(clock.now()) == {"reconciled": 0, "differences": 0, "failed": 0}
    alipay.move_clock(3_600)
    assert reconciliation.reconcile_due(clock.now()) == {"reconciled": 1, "differences": 1, "failed": 0}
    at(alipay, tomorrow + timedelta(days=1), 10)
    assert reconciliation.reconcile_due(clock.now())["reconciled"] == 3
    at(alipay, tomorrow + timedelta(days=3), 11)
    runs = dict(db.session.execute(select(Reconciliation.bill_date, Reconciliation.runs)).all())
    assert reconciliation.reconcile_due(clock.now())["differences"] == 0
    db.session.rollback()
    assert dict(db.session.execute(select(Reconciliation.bill_date, Reconciliation.runs)).all())[today] == runs[today]
    assert attempt_of(number) == kept(today)[0].out_trade_no


def test_one_day_without_a_bill_does_not_stop_the_job(app: Flask, alipay: Cashier, today: date) -> None:
    paid(alipay, a_student())
    at(alipay, today + timedelta(days=1), 9)
    reconciliation.reconcile_due(clock.now())  # the days without business
    at(alipay, today + timedelta(days=2), 10)
    alipay.fault("bill_html", times=2)  # of the day without business, which takes no harm, and of the one before
    counts = reconciliation.reconcile_due(clock.now())
    assert counts == {"reconciled": 2, "differences": 0, "failed": 1}
    assert reconciliation.reconcile_due(clock.now()) == {"reconciled": 1, "differences": 0, "failed": 0}
