"""Attempts at Alipay: what each asks for is frozen and sent again word for word; and when to ask about it next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import OrderStatus, PaymentMethod, PaymentState
from shop.extensions import db, settings, unit_of_work
from shop.gateways.alipay import Alipay
from shop.models import Order, Payment
from shop.money import to_yuan

GRACE = timedelta(minutes=2)  # after the deadline: Alipay's clock and ours, and money on its way
SOONEST = timedelta(minutes=1)
SELDOM = timedelta(minutes=8)  # while the buyer may still pay
SELDOM_AFTERWARDS = timedelta(hours=1)  # while Alipay keeps silent about an attempt whose time is over


@dataclass(frozen=True, slots=True)
class Asked:
    """What an attempt asks Alipay for, however often."""

    method: PaymentMethod
    biz_content: Mapping[str, Any]


def alipay() -> Alipay:
    return Alipay(settings())


def open_attempt(session: Session, order: Order, *, method: PaymentMethod, now: datetime, number: int = 1) -> Asked:
    """An attempt at the order's due amount, frozen as it will be sent; committed before the buyer leaves."""
    out_trade_no = f"{order.order_number}{number:02d}"
    attempt = Payment(
        order=order,
        out_trade_no=out_trade_no,
        method=method,
        amount_fen=order.actual_amount_fen,
        expires_at=order.expires_at,
        created_time=now,
        next_ask_time=now + SOONEST,
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


def forget(session: Session, out_trade_no: str | None) -> None:
    """Nothing can come of this attempt any more: Alipay is not asked about it again."""
    session.execute(
        update(Payment).where(Payment.out_trade_no == out_trade_no).values(next_ask_time=None),
        execution_options={"synchronize_session": False},
    )


def replace_closed(session: Session, order: Order, out_trade_no: str, now: datetime) -> None:
    """Alipay has closed this attempt for good: the unpaid order gets its next one. The caller holds its lock."""
    made = session.scalars(select(Payment).where(Payment.order_id == order.id).order_by(Payment.id)).all()
    old = made[-1]
    if order.status is not OrderStatus.PENDING or old.out_trade_no != out_trade_no:
        return  # somebody was quicker
    old.state = PaymentState.CLOSED
    old.next_ask_time = None
    session.flush()  # an order has one open attempt at a time
    open_attempt(session, order, method=old.method, now=now, number=len(made) + 1)


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


def open_attempt_of(order_id: int) -> str | None:
    """The ``out_trade_no`` of the order's open attempt."""
    return db.session.scalars(
        select(Payment.out_trade_no).where(Payment.order_id == order_id, Payment.state == PaymentState.OPEN)
    ).first()


def next_ask(created: datetime, expires_at: datetime, now: datetime) -> datetime:
    """When to ask about an attempt again: after as long as it has waited already, and once at its end."""
    end = expires_at + GRACE
    if now < end:
        return min(now + _within(now - created, SELDOM), end)
    return now + _within(now - end, SELDOM_AFTERWARDS)


def _within(wait: timedelta, longest: timedelta) -> timedelta:
    return max(SOONEST, min(wait, longest))


def claim(payment_id: int, seen: datetime, next_time: datetime) -> bool:
    """Whether it falls to the caller to ask about this attempt now; of two runners one gets it.

    Committed before the call, so that a crash or a silent Alipay leads to another try and never to a hurry.
    """
    with unit_of_work() as session:
        claimed = session.execute(
            update(Payment)
            .where(Payment.id == payment_id, Payment.next_ask_time == seen)
            .values(next_ask_time=next_time),
            execution_options={"synchronize_session": False},
        )
        return bool(claimed.rowcount)  # type: ignore[attr-defined]
