"""Payment truth: the one place that believes Alipay, whoever brings the message (design 8).

A notice, a query after the return and a sweep all end in ``_apply``, which is idempotent under the lock of the order.
No call to Alipay happens inside a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import NoticeVerdict, OrderStatus, PaymentMethod, PaymentState
from shop.extensions import db, settings, unit_of_work
from shop.gateways.alipay import Alipay, Notice, Trade, Unknown
from shop.models import Order, OrderDetail, Payment, PaymentNotice
from shop.money import to_yuan
from shop.rules import order_states
from shop.rules.order_states import Action
from shop.services import delivery
from shop.services.locks import lock_order


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided about what Alipay said, and why in a few words for the record."""

    verdict: NoticeVerdict
    reason: str
    payment_id: int | None = None

    @property
    def is_acknowledged(self) -> bool:
        return self.verdict is not NoticeVerdict.REFUSED


@dataclass(frozen=True, slots=True)
class Returned:
    """The order behind an attempt, for the buyer's return."""

    order_number: str
    account_id: int
    is_open: bool  # the attempt still waits for money: a query is worth its while


_payment = Payment.__table__.c
_order = Order.__table__.c
_OF_TRADE = select(_payment.id, _payment.order_id, _payment.out_trade_no, _order.account_id).where(
    _order.id == _payment.order_id,
    or_(_payment.out_trade_no == bindparam("out_trade_no"), _payment.trade_no == bindparam("trade_no")),
)


class Answer(Enum):
    """What asking Alipay about an order came to."""

    PAID = "paid"
    UNPAID = "unpaid"  # Alipay waits for the buyer
    NOT_EXIST = "not exist"  # nobody has begun to pay
    CLOSED = "closed"
    UNKNOWN = "unknown"


def alipay() -> Alipay:
    return Alipay(settings())


# ---------------------------------------------------------------- asking for money


@dataclass(frozen=True, slots=True)
class Asked:
    """What an attempt asks Alipay for, however often."""

    method: PaymentMethod
    biz_content: Mapping[str, Any]


def open_attempt(session: Session, order: Order, *, method: PaymentMethod, now: datetime) -> Asked:
    """The order's first attempt at its due amount, frozen as it will be sent; committed before the buyer leaves."""
    out_trade_no = f"{order.order_number}01"  # two digits, so that a later attempt has a number of its own
    attempt = Payment(
        order=order,
        out_trade_no=out_trade_no,
        method=method,
        amount_fen=order.actual_amount_fen,
        expires_at=order.expires_at,
        created_time=now,
        biz_content=alipay().biz_content(
            method,
            out_trade_no=out_trade_no,
            amount=to_yuan(order.actual_amount_fen),
            subject=f"路飞学城订单 {order.order_number}",
            expires_at=order.expires_at,
        ),
    )
    session.add(attempt)
    session.flush()
    return Asked(method, attempt.biz_content)


def url_of(asked: Asked) -> str:
    """Where the buyer goes to pay, signed now."""
    return alipay().pay_url(asked.method, asked.biz_content)


def pay_url(order_number: str) -> str | None:
    """Where the buyer of an unpaid order goes to pay: its open attempt, signed anew word for word.

    None when nothing can be paid any more: Alipay would refuse a ``time_expire`` that is over.
    """
    attempt = db.session.scalars(
        select(Payment)
        .join(Payment.order)
        .where(
            Order.order_number == order_number,
            Order.status == OrderStatus.PENDING,
            Payment.state == PaymentState.OPEN,
            Payment.expires_at > clock.now(),
        )
    ).first()
    return url_of(Asked(attempt.method, attempt.biz_content)) if attempt else None


# ---------------------------------------------------------------- hearing of money


def receive(notice: Notice) -> Ruling:
    """Decide about a signed notice, and keep it with the ruling. Committed when this returns."""
    try:
        return _receive(notice)
    except IntegrityError:
        # Another attempt took this trade number a moment ago; the second round sees it, and refuses (F26).
        return _receive(notice)


def _receive(notice: Notice) -> Ruling:
    now = clock.now()
    with unit_of_work() as session:
        if notice.trade is None:
            ruling = Ruling(NoticeVerdict.REFUSED, notice.problem)
        else:
            ruling = _apply(session, notice.trade, now)
        session.add(
            PaymentNotice(
                notify_id=notice.field("notify_id", 128),
                payment_id=ruling.payment_id,
                out_trade_no=notice.field("out_trade_no", 64),
                trade_no=notice.field("trade_no", 64),
                trade_status=notice.field("trade_status", 32),
                params=dict(notice.params),
                verdict=ruling.verdict,
                reason=ruling.reason,
                received_time=now,
            )
        )
    return ruling


def ask(out_trade_no: str) -> Answer:
    """Ask Alipay about an attempt and apply what it says. Ends the transaction that the caller was reading in."""
    db.session.rollback()  # no network call while one is open (safety.md P12)
    try:
        trade = alipay().query(out_trade_no)
    except Unknown:
        return Answer.UNKNOWN
    if trade is None:
        return Answer.NOT_EXIST
    if not trade.is_paid:
        return Answer.CLOSED if trade.status == "TRADE_CLOSED" else Answer.UNPAID
    with unit_of_work() as session:
        ruling = _apply(session, trade, clock.now())
    return Answer.PAID if ruling.is_acknowledged else Answer.UNKNOWN


def open_attempt_of(order_id: int) -> str | None:
    """The ``out_trade_no`` of the order's open attempt."""
    return db.session.scalars(
        select(Payment.out_trade_no).where(Payment.order_id == order_id, Payment.state == PaymentState.OPEN)
    ).first()


def returned_from(out_trade_no: str) -> Returned | None:
    """What a buyer who comes back from this attempt should see; None for an attempt that is not ours."""
    row = db.session.execute(
        select(Order.order_number, Order.account_id, Payment.state)
        .join(Payment.order)
        .where(Payment.out_trade_no == out_trade_no)
    ).first()
    return Returned(row.order_number, row.account_id, row.state is PaymentState.OPEN) if row else None


def _apply(session: Session, trade: Trade, now: datetime) -> Ruling:
    known = session.execute(_OF_TRADE, {"out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no}).all()
    if not any(row.out_trade_no == trade.out_trade_no for row in known):
        return Ruling(NoticeVerdict.REFUSED, "unknown out_trade_no")
    if len(known) > 1:
        return Ruling(NoticeVerdict.REFUSED, "this trade has paid another attempt")
    order = lock_order(session, known[0].order_id, known[0].account_id)
    attempt = session.get_one(Payment, known[0].id, populate_existing=True)
    return _rule_on(session, order, attempt, trade, now)


def _rule_on(session: Session, order: Order, attempt: Payment, trade: Trade, now: datetime) -> Ruling:
    if trade.amount_fen != attempt.amount_fen:
        return Ruling(NoticeVerdict.REFUSED, "wrong amount", attempt.id)
    if trade.is_refund or not trade.is_paid:
        return Ruling(NoticeVerdict.IGNORED, "no payment", attempt.id)
    if attempt.trade_no is not None:
        if attempt.trade_no != trade.trade_no:
            return Ruling(NoticeVerdict.REFUSED, "another trade has paid this attempt", attempt.id)
        return Ruling(NoticeVerdict.REPEATED, "applied before", attempt.id)
    attempt.trade_no = trade.trade_no
    attempt.paid_time = now
    if order.status is not OrderStatus.PENDING:
        # Late money: it waits at the desk, and is never kept silently (design 11.6).
        attempt.state = PaymentState.SURPLUS
        return Ruling(NoticeVerdict.APPLIED, f"late: the order is in state {int(order.status)}", attempt.id)
    attempt.state = PaymentState.PAID
    order.payment_number = trade.trade_no
    settle(session, order, now=now)
    return Ruling(NoticeVerdict.APPLIED, "paid", attempt.id)


def settle(session: Session, order: Order, *, now: datetime) -> None:
    """The order is paid: mark it and deliver, in the caller's transaction.

    The only way to "paid": for money that Alipay reports and for an order with nothing due alike.
    """
    order.status = order_states.after(order.status, Action.PAY)
    order.pay_time = max(now, order.date)  # a clock set back must not make it paid before it was placed (F34)
    session.execute(
        update(OrderDetail).where(OrderDetail.order_id == order.id).values(pending_account_id=None),
        execution_options={"synchronize_session": False},
    )
    delivery.deliver(session, order, now=now)
    session.flush()
