"""Refunds on their way through Alipay: claimed, called, booked, in three steps that a crash may separate (design 8).

The claim is committed before the call: whoever comes next knows that a call may have been made, and asks before it
calls again. A repeated call carries the same number and amount, which Alipay carries out once. One call at a time per
payment, and a pause after each, because Alipay serialises the refunds of a trade.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import RefundCause, RefundState
from shop.extensions import db, settings, unit_of_work
from shop.gateways.alipay import Alipay, RefundAnswer, Unknown
from shop.models import MOVED_AT_ALIPAY, Order, Payment, Refund, Trouble
from shop.rules.refund_states import SENT
from shop.services import batches, refund_booking, refund_messages
from shop.services.locks import lock_order
from shop.services.refund_messages import Step

log = structlog.get_logger()

BATCH = 50
LEASE = timedelta(seconds=30)  # longer than the calls of one try
PAUSE = timedelta(seconds=3)  # between two calls about one trade (alipay.md 4.5)
# seconds until a try is followed by the next; the first gap is how early Alipay may be asked (alipay.md 4.6)
GAPS = (10, 30, 60, 120, 300, 600, 1800, 3600)


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    LATER = "later"  # Alipay could not tell, or has no answer yet: asked again by itself
    SKIPPED = "skipped"  # not due, or another call about the same payment is under way


@dataclass(frozen=True, slots=True)
class Claim:
    """One try at one refund, as it was committed before the call."""

    refund_id: int
    order_id: int
    tries: int  # which try this is; a later one makes it void
    trade_no: str
    out_request_no: str
    amount_fen: int
    reason: str
    is_foreign: bool  # begun at Alipay: only asked about, never sent


@dataclass(frozen=True, slots=True)
class Result:
    """What a try came to. ``moved_fen`` is None unless the money has moved; ``refusal`` is a final no."""

    moved_fen: int | None = None
    refusal: str = ""
    is_retried: bool = True
    error: str = ""


def send_due() -> dict[str, int]:
    """Try every refund whose time has come, oldest first and at most so many; counts by outcome."""
    now = clock.now()
    due = db.session.scalars(
        select(Refund.id).where(Refund.next_try_time <= now).order_by(Refund.next_try_time).limit(BATCH)
    ).all()
    counts = Counter(send(refund_id).value for refund_id in batches.in_time(due))
    return {outcome.value: counts[outcome.value] for outcome in Outcome}


def send(refund_id: int) -> Outcome:
    """One try at one refund, if it is due and no other call about its payment is under way."""
    db.session.rollback()  # no network call while a transaction is open (safety.md P12)
    with unit_of_work() as session:
        claim = _claim(session, refund_id, clock.now())
    if claim is None:
        return Outcome.SKIPPED
    result = _ask(claim) if claim.is_foreign else _call(claim)
    with unit_of_work() as session:
        return _book(session, claim, result, clock.now())


# ---------------------------------------------------------------- claimed


def _claim(session: Session, refund_id: int, now: datetime) -> Claim | None:
    order, refund = _locked(session, refund_id)
    if refund.next_try_time is None or refund.next_try_time > now or refund.state not in SENT:
        return None
    if _is_busy(session, refund, now):
        return None
    refund.state, refund.tries = RefundState.IN_TRANSIT, refund.tries + 1
    refund.leased_until = now + LEASE
    refund.next_try_time = _after(refund.tries, now)
    return Claim(
        refund_id=refund.id,
        order_id=order.id,
        tries=refund.tries,
        trade_no=_trade_of(session, refund),
        out_request_no=refund.out_request_no,
        amount_fen=refund.amount_fen,
        reason=f"路飞学城订单 {order.order_number} 退款",
        is_foreign=refund.cause is RefundCause.GATEWAY,
    )


def _locked(session: Session, refund_id: int, order_id: int | None = None) -> tuple[Order, Refund]:
    if order_id is None:
        order_id = session.scalars(select(Refund.order_id).where(Refund.id == refund_id)).one()
    order = lock_order(session, order_id)
    return order, session.get_one(Refund, refund_id, populate_existing=True)


def _is_busy(session: Session, refund: Refund, now: datetime) -> bool:
    """Whether a call about the same payment is under way, or was a moment ago."""
    call = select(Refund.id).where(Refund.payment_id == refund.payment_id, Refund.leased_until > now)
    return session.scalars(call.limit(1)).first() is not None


def _trade_of(session: Session, refund: Refund) -> str:
    """Alipay's number of the trade that the money came by."""
    if refund.trouble_id is not None:
        return session.get_one(Trouble, refund.trouble_id).trade_no
    return session.scalars(select(Payment.trade_no).where(Payment.id == refund.payment_id)).one() or ""


def _after(tries: int, now: datetime) -> datetime:
    return now + timedelta(seconds=GAPS[min(tries, len(GAPS)) - 1])


# ---------------------------------------------------------------- called


def _call(claim: Claim) -> Result:
    """From the second try on Alipay is asked first: an earlier call may have worked."""
    if claim.tries > 1:
        asked = _ask(claim)
        if asked.moved_fen is not None or asked.error:
            return asked
    try:
        answer = Alipay(settings()).refund(
            claim.trade_no, claim.out_request_no, amount_fen=claim.amount_fen, reason=claim.reason
        )
    except Unknown as unknown:
        return Result(error=str(unknown))
    return _result(claim, answer)


def _result(claim: Claim, answer: RefundAnswer) -> Result:
    if answer.is_moved:
        return Result(moved_fen=claim.amount_fen)
    return Result(refusal=answer.refusal, is_retried=answer.is_short_of_money or not answer.refusal)


def _ask(claim: Claim) -> Result:
    """What Alipay knows of the refund; an empty result while it has not received it."""
    try:
        moved_fen = Alipay(settings()).refunded_fen(claim.trade_no, claim.out_request_no)
    except Unknown as unknown:
        return Result(error=str(unknown))
    return Result(moved_fen=moved_fen)


# ---------------------------------------------------------------- booked


def _book(session: Session, claim: Claim, result: Result, now: datetime) -> Outcome:
    order, refund = _locked(session, claim.refund_id, claim.order_id)
    if refund.state is RefundState.DONE and refund.transfer_number is None:
        return Outcome.DONE
    if result.moved_fen is not None:
        return _book_moved(session, order, refund, result.moved_fen, now)
    if refund.tries != claim.tries or refund.state is not RefundState.IN_TRANSIT:
        return Outcome.SKIPPED  # this try took so long that a later one has taken its place
    refund.leased_until = now + PAUSE
    refund.next_try_time = _after(refund.tries, now) if result.is_retried else None
    refund.error = (result.refusal or result.error)[:64]
    if not result.refusal:
        return Outcome.LATER
    refund.state = RefundState.FAILED
    refund_messages.tell(session, order, refund, Step.FAILED)
    log.error("refund failed", refund=refund.out_request_no, sub_code=refund.error)
    return Outcome.FAILED


def _book_moved(session: Session, order: Order, refund: Refund, moved_fen: int, now: datetime) -> Outcome:
    refund.leased_until = now + PAUSE
    is_foreign = refund.cause is RefundCause.GATEWAY
    is_ours = refund.state in SENT and moved_fen == refund.amount_fen and refund.transfer_number is None
    if not is_ours:
        attempt = session.get_one(Payment, refund.payment_id)
        refund_booking.note_foreign(session, attempt, refund.out_request_no, moved_fen, now)
    if is_foreign:
        refund.amount_fen = moved_fen
    elif not is_ours:
        # refused or transferred here and carried out there, or another amount under our number: people must look
        refund.next_try_time, refund.error = None, f"{MOVED_AT_ALIPAY}{moved_fen} fen"
        refund.state = RefundState.FAILED if refund.state in SENT else refund.state
        return Outcome.FAILED
    refund_booking.book_done(session, order, refund, now)
    return Outcome.DONE
