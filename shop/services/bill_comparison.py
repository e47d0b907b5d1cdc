"""A day's bill beside the shop's books: payments and refunds row by row, orders and 贝里 of that day. Reads only.

Rows are looked up by their numbers, whatever day the shop booked them on: trades cross midnight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, or_, select

from shop import clock
from shop.enums import DifferenceKind, OrderStatus, PaymentState, RefundCause, RefundState, TransactionType
from shop.extensions import db
from shop.gateways.bill import Bill, Row
from shop.models import Order, Payment, Refund, RefundDetail, TransactionRecord, Trouble
from shop.rules.refund_states import SENT
from shop.wording import mark as _

CHUNK = 500  # numbers in one statement
PAID = (OrderStatus.PAID, OrderStatus.REFUND_REQUESTED, OrderStatus.REFUNDED)
HOLDING = (OrderStatus.PENDING, OrderStatus.PAID, OrderStatus.REFUND_REQUESTED)
BOOKED = (PaymentState.PAID, PaymentState.SURPLUS)

WITHOUT_FOOTER = _("账单没有合计")
NOT_SENT = _("商城没有发出这笔退款")
ORDER_UNFIT = _("订单与它的付款不符")
BELI_UNFIT = _("订单与它的贝里不符")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line in which bill and books disagree; amounts in fen, of refunds negative, None where there is none."""

    kind: DifferenceKind
    out_trade_no: str = ""
    trade_no: str = ""
    refund_no: str = ""
    bill_fen: int | None = None
    shop_fen: int | None = None
    note: str = ""

    @property
    def line(self) -> tuple[str, str, str]:
        """What it is about. Its kind may change while it is being healed, this does not."""
        return self.out_trade_no, self.trade_no, self.refund_no


@dataclass(slots=True)
class Comparison:
    """``missing`` are payments and refunds that the shop booked on that day and the bill does not have.

    They are not accused yet: money that the shop heard of after midnight stands in another day's bill.
    """

    findings: list[Finding] = field(default_factory=list)
    missing: list[Finding] = field(default_factory=list)
    shop: Counter[str] = field(default_factory=Counter)  # what the shop has of the bill's rows: counts and fen


@dataclass(slots=True)
class _Books:
    """What the shop knows about the numbers in a bill."""

    payments: dict[str, Any] = field(default_factory=dict)  # by out_trade_no
    trades: set[str] = field(default_factory=set)
    refunds: dict[tuple[int | None, str], Any] = field(default_factory=dict)  # by payment and number
    settled: set[tuple[str, str, str]] = field(default_factory=set)  # what a person has dealt with


def compare(bill: Bill, day: date) -> Comparison:
    """Every difference between a day's bill and the books as they are now."""
    rows = _merged(bill.rows)
    books = _read(rows)
    comparison = Comparison(shop=Counter(payments=0, paid_fen=0, refunds=0, refunded_fen=0))
    if not bill.adds_up:
        comparison.findings.append(_footer(bill))
    for row in rows:
        finding = _of_refund(row, books) if row.refund_no else _of_payment(row, books)
        if finding and finding.line not in books.settled:
            comparison.findings.append(finding)
    payments, refunds = _matched(rows, books)
    for payment in payments.values():
        count(comparison.shop, payment.amount_fen)
    for refund in refunds.values():
        count(comparison.shop, -refund.amount_fen)
    comparison.missing = [*_missing_payments(day, set(payments)), *_missing_refunds(day, set(refunds))]
    comparison.findings += [finding for finding in _ledger(day) if finding.line not in books.settled]
    return comparison


def count(totals: Counter[str], fen: int) -> None:
    """Add one payment, or (negative) one refund."""
    totals.update({"refunds": 1, "refunded_fen": fen} if fen < 0 else {"payments": 1, "paid_fen": fen})


def _merged(rows: Sequence[Row]) -> list[Row]:
    """One row for each payment and refund: a bill that has one twice is off by its amount."""
    merged: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        line = (row.out_trade_no, row.trade_no, row.refund_no)
        before = merged.get(line)
        merged[line] = replace(row, fen=before.fen + row.fen) if before else row
    return list(merged.values())


def _footer(bill: Bill) -> Finding:
    footer = bill.footer
    return Finding(
        DifferenceKind.FOOTER,
        bill_fen=footer.paid_fen + footer.refunded_fen if footer else None,
        note="" if footer else WITHOUT_FOOTER,
    )


# ---------------------------------------------------------------- the bill's rows


def _of_payment(row: Row, books: _Books) -> Finding | None:
    ours = books.payments.get(row.out_trade_no)
    finding = Finding(DifferenceKind.AMOUNT, row.out_trade_no, row.trade_no, "", row.fen, ours and ours.amount_fen)
    if ours is None:
        is_known = row.trade_no in books.trades  # it has paid another attempt
        return replace(finding, kind=DifferenceKind.TRADE_NUMBER if is_known else DifferenceKind.UNKNOWN_TRADE)
    if row.trade_no != ours.trade_no and (ours.trade_no or row.trade_no in books.trades):
        return replace(finding, kind=DifferenceKind.TRADE_NUMBER)
    if row.fen != ours.amount_fen:
        return finding
    if ours.trade_no is None:
        return replace(finding, kind=_unbooked(ours.status), shop_fen=None)
    if ours.state is PaymentState.PAID and not _fits(ours):
        return replace(finding, kind=DifferenceKind.LEDGER, note=ORDER_UNFIT)
    return None


def _unbooked(status: OrderStatus) -> DifferenceKind:
    """What money is that the shop has not heard of, by the state of its order."""
    if status is OrderStatus.PENDING:
        return DifferenceKind.MISSED_PAYMENT
    return DifferenceKind.DOUBLE if status in PAID else DifferenceKind.LATE


def _fits(ours: Any) -> bool:
    is_paid_by_it = (ours.actual_amount_fen, ours.payment_number) == (ours.amount_fen, ours.trade_no)
    return is_paid_by_it and ours.status in PAID


def _of_refund(row: Row, books: _Books) -> Finding | None:
    payment = books.payments.get(row.out_trade_no)
    finding = Finding(DifferenceKind.FOREIGN_REFUND, row.out_trade_no, row.trade_no, row.refund_no, row.fen)
    if payment is None:
        return replace(finding, kind=DifferenceKind.UNKNOWN_TRADE)
    ours = books.refunds.get((payment.id, row.refund_no))
    if ours is None:
        return finding
    finding = replace(finding, shop_fen=-ours.amount_fen)
    if ours.transfer_number or (ours.state is not RefundState.DONE and ours.state not in SENT):
        return replace(finding, note=NOT_SENT)
    is_told = ours.cause is not RefundCause.GATEWAY or ours.state is RefundState.DONE  # its amount is known
    if is_told and row.fen != -ours.amount_fen:
        return replace(finding, kind=DifferenceKind.REFUND_AMOUNT)
    return None if ours.state is RefundState.DONE else replace(finding, kind=DifferenceKind.MISSED_REFUND)


def _matched(rows: Sequence[Row], books: _Books) -> tuple[dict[int, Any], dict[int, Any]]:
    """The booked payments and refunds that the bill's rows are about, by id."""
    payments, refunds = {}, {}
    for row in rows:
        payment = books.payments.get(row.out_trade_no)
        if payment and row.refund_no:
            refund = books.refunds.get((payment.id, row.refund_no))
            if refund and refund.state is RefundState.DONE and not refund.transfer_number:
                refunds[refund.id] = refund
        elif payment and payment.trade_no:
            payments[payment.id] = payment
    return payments, refunds


# ---------------------------------------------------------------- the shop's books


def _read(rows: Sequence[Row]) -> _Books:
    books = _Books()
    for chunk in _chunks(rows):
        numbers = [row.out_trade_no for row in chunk]
        for payment in db.session.execute(_payments(numbers, [row.trade_no for row in chunk])):
            books.payments[payment.out_trade_no] = payment
            books.trades.add(payment.trade_no)
        for refund in db.session.execute(_refunds([row.refund_no for row in chunk if row.refund_no])):
            books.refunds[refund.payment_id, refund.out_request_no] = refund
        books.settled.update((row.out_trade_no, row.trade_no, row.out_request_no) for row in _settled(numbers))
    return books


def _chunks(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _payments(numbers: Sequence[str], trade_numbers: Sequence[str]) -> Any:
    return (
        select(
            Payment.id,
            Payment.out_trade_no,
            Payment.trade_no,
            Payment.amount_fen,
            Payment.state,
            Order.status,
            Order.actual_amount_fen,
            Order.payment_number,
        )
        .join(Order, Order.id == Payment.order_id)
        .where(or_(Payment.out_trade_no.in_(numbers), Payment.trade_no.in_(trade_numbers)))
    )


def _refunds(numbers: Sequence[str]) -> Any:
    row = Refund
    columns = row.id, row.payment_id, row.out_request_no, row.amount_fen, row.state, row.cause, row.transfer_number
    return select(*columns).where(row.out_request_no.in_(numbers))


def _settled(numbers: Sequence[str]) -> Any:
    """Troubles that a person has closed: the bill goes on telling of them."""
    row = Trouble
    columns = select(row.out_trade_no, row.trade_no, row.out_request_no)
    return db.session.execute(columns.where(row.resolved_time.is_not(None), row.out_trade_no.in_(numbers)))


def _within(column: Any, day: date) -> ColumnElement[bool]:
    return column.between(clock.start_of_day(day), clock.end_of_day(day))


def _missing_payments(day: date, seen: set[int]) -> list[Finding]:
    rows = db.session.execute(
        select(Payment.id, Payment.out_trade_no, Payment.trade_no, Payment.amount_fen)
        .where(Payment.state.in_(BOOKED), _within(Payment.paid_time, day))
        .order_by(Payment.id)
    )
    kind = DifferenceKind.PAYMENT_MISSING
    return [
        Finding(kind, row.out_trade_no, row.trade_no, shop_fen=row.amount_fen) for row in rows if row.id not in seen
    ]


def _missing_refunds(day: date, seen: set[int]) -> list[Finding]:
    rows = db.session.execute(
        select(
            Refund.id,
            Refund.out_request_no,
            Refund.amount_fen,
            Payment.out_trade_no,
            func.coalesce(Trouble.trade_no, Payment.trade_no).label("trade_no"),
        )
        .join(Payment, Payment.id == Refund.payment_id)
        .outerjoin(Trouble, Trouble.id == Refund.trouble_id)
        .where(Refund.state == RefundState.DONE, Refund.amount_fen > 0, Refund.transfer_number.is_(None))
        .where(_within(Refund.done_time, day))
        .order_by(Refund.id)
    )
    kind = DifferenceKind.REFUND_MISSING
    return [
        Finding(kind, row.out_trade_no, row.trade_no, row.out_request_no, shop_fen=-row.amount_fen)
        for row in rows
        if row.id not in seen
    ]


# ---------------------------------------------------------------- orders and 贝里


def _ledger(day: date) -> list[Finding]:
    """The day's orders whose 贝里 are not what the ledger says (safety.md L6), or that nobody has paid for."""
    refunded = select(Refund.order_id).where(_within(Refund.done_time, day))
    is_of_day = or_(_within(Order.pay_time, day), _within(Order.cancel_time, day), Order.id.in_(refunded))
    unfit = select(Order.order_number, _is_paid_for().label("is_paid_for")).where(
        is_of_day, or_(_beli_held() != _beli_taken(), ~_is_paid_for())
    )
    return [
        Finding(DifferenceKind.LEDGER, row.order_number, note=BELI_UNFIT if row.is_paid_for else ORDER_UNFIT)
        for row in db.session.execute(unfit.order_by(Order.id))
    ]


def _is_paid_for() -> ColumnElement[bool]:
    is_its_payment = exists().where(
        Payment.order_id == Order.id,
        Payment.state == PaymentState.PAID,
        Payment.amount_fen == Order.actual_amount_fen,
    )
    return or_(Order.status.not_in(PAID), Order.actual_amount_fen == 0, is_its_payment)


def _beli_held() -> ColumnElement[int]:
    """What an order should hold: its 贝里 without the shares of refunded lines, none once it has ended."""
    back = (
        select(func.coalesce(func.sum(RefundDetail.beli), 0))
        .join(Refund, Refund.id == RefundDetail.refund_id)
        .where(Refund.order_id == Order.id, Refund.state == RefundState.DONE)
        .correlate(Order)
        .scalar_subquery()
    )
    return case((Order.status.in_(HOLDING), Order.beli - back), else_=0)


def _beli_taken() -> ColumnElement[int]:
    """What the ledger says was taken for an order and not given back."""
    record = TransactionRecord
    amount = case(
        (record.transaction_type == TransactionType.EXPENSE, record.amount),
        (record.transaction_type == TransactionType.REFUND, -record.amount),
        else_=0,
    )
    taken = select(func.coalesce(func.sum(amount), 0)).where(record.order_id == Order.id)
    return taken.correlate(Order).scalar_subquery()
