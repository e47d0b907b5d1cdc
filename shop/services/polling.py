"""Asking Alipay about attempts when nobody else does: notices get lost, and buyers close the browser."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import or_, select

from shop import clock
from shop.enums import PaymentState
from shop.extensions import db, unit_of_work
from shop.gateways.alipay import Close, Unknown
from shop.models import Payment
from shop.services import attempts, batches, payment
from shop.services.attempts import GRACE
from shop.services.payment import Answer

BATCH = 100


def poll_due() -> dict[str, int]:
    """Ask about every attempt whose time has come: how many of each answer.

    Open ones until their deadline (then ``orders.expire_due`` asks before it ends the order), and those of ended orders
    for as long as a page that somebody has open can still be paid.
    """
    now = clock.now()
    counts: Counter[str] = Counter()
    due = db.session.execute(
        select(
            Payment.id,
            Payment.out_trade_no,
            Payment.state,
            Payment.created_time,
            Payment.expires_at,
            Payment.next_ask_time,
        )
        .where(
            Payment.next_ask_time <= now,
            or_(Payment.state == PaymentState.CLOSED, Payment.expires_at >= now - GRACE),
        )
        .order_by(Payment.next_ask_time)
        .limit(BATCH)
    ).all()
    db.session.rollback()
    for attempt in batches.in_time(due):
        later = attempts.next_ask(attempt.created_time, attempt.expires_at, now)
        if attempts.claim(attempt.id, attempt.next_ask_time, later):
            counts[_ask(attempt).value] += 1
    return dict(counts)


def _ask(attempt: Any) -> Answer:
    answer = payment.ask(attempt.out_trade_no)
    if attempt.state is PaymentState.CLOSED and _is_over(attempt, answer):
        with unit_of_work() as session:
            attempts.forget(session, attempt.out_trade_no)
    return answer


def _is_over(attempt: Any, answer: Answer) -> bool:
    """Whether no money can come of an ended order's attempt any more. A buyer who has begun to pay is stopped here."""
    match answer:
        case Answer.CLOSED | Answer.MISFIT:
            return True
        case Answer.NOT_EXIST:
            return clock.now() >= attempt.expires_at + GRACE
        case Answer.UNPAID:
            try:
                return attempts.alipay().close(attempt.out_trade_no) is Close.CLOSED
            except Unknown:
                return False
        case _:
            return False
