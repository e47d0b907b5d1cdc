"""Orders after they are placed: paying later, and how an unpaid one ends (design 7 and 8)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import OrderStatus, PaymentState
from shop.errors import AlipaySilent, NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.gateways.alipay import Close, Unknown
from shop.models import Order, OrderDetail, Payment
from shop.rules import order_states
from shop.rules.order_states import Action
from shop.services import attempts, batches, order_messages, order_views, payment, reservation
from shop.services.attempts import GRACE
from shop.services.locks import lock_order
from shop.services.payment import Answer

log = structlog.get_logger()

BATCH = 100


def pay_again(account_id: int, order_number: str) -> str | None:
    """The address at Alipay for one's own order that still waits; None when it turns out to be paid already.

    Alipay is asked first, so that a trade it has closed is followed by a new attempt and not by its error page; while
    it keeps silent the open attempt is sent again. Raises NotFound, NotYourTurn when it is too late.
    """
    order = _own(account_id, order_number)
    if order.pay_time is not None:
        return None
    if not order_views.may_be_paid(order, clock.now()):
        raise NotYourTurn
    order_id = order.id
    attempt = attempts.open_attempt_of(order_id)
    if attempt:
        match payment.ask(attempt):
            case Answer.PAID:
                return None
            case Answer.CLOSED:
                with unit_of_work() as session:
                    attempts.replace_closed(session, lock_order(session, order_id, account_id), attempt, clock.now())
            case Answer.MISFIT:
                raise NotYourTurn
    url = attempts.pay_url(order_number)
    if url is None:
        raise NotYourTurn
    return url


def inquire(account_id: int, order_number: str) -> Answer:
    """Ask Alipay about one's own order now. Raises NotFound."""
    attempt = attempts.open_attempt_of(_own(account_id, order_number).id)
    return payment.ask(attempt) if attempt else Answer.CLOSED


def _own(account_id: int, order_number: str) -> Order:
    order = db.session.scalars(
        select(Order).where(Order.order_number == order_number, Order.account_id == account_id)
    ).one_or_none()
    if order is None:
        raise NotFound
    return order


# ---------------------------------------------------------------- the end of an unpaid order


def cancel(account_id: int, order_number: str) -> None:
    """End one's own unpaid order, after asking Alipay (design 8).

    Raises NotFound; NotYourTurn when it is paid or ended; AlipaySilent when nobody can tell now whether it is paid.
    """
    order_id = _own(account_id, order_number).id
    if not _end(order_id, Action.CANCEL):
        status = db.session.scalars(select(Order.status).where(Order.id == order_id)).one()
        raise AlipaySilent if status is OrderStatus.PENDING else NotYourTurn


def expire_due() -> dict[str, int]:
    """End the unpaid orders whose time is over: how many ended, and how many are left because nobody could tell.

    Those that Alipay keeps silent about are asked about ever more seldom, and do not hold up the others.
    """
    now = clock.now()
    counts: Counter[str] = Counter(ended=0, left=0)
    due = db.session.execute(
        select(Payment.id, Payment.order_id, Payment.created_time, Payment.expires_at, Payment.next_ask_time)
        .join(Payment.order)
        .where(
            Payment.state == PaymentState.OPEN,
            Payment.next_ask_time <= now,
            Order.status == OrderStatus.PENDING,
            Order.expires_at < now - GRACE,
        )
        .order_by(Payment.next_ask_time)
        .limit(BATCH)
    ).all()
    db.session.rollback()
    for row in batches.in_time(due):
        if attempts.claim(row.id, row.next_ask_time, attempts.next_ask(row.created_time, row.expires_at, now)):
            counts["ended" if _end(row.order_id, Action.TIME_OUT) else "left"] += 1
    return dict(counts)


def _end(order_id: int, action: Action) -> bool:
    """Release an unpaid order once Alipay has said that no money is coming; whether it ended now."""
    attempt = attempts.open_attempt_of(order_id)
    answer = _last_word(attempt) if attempt else Answer.CLOSED
    if answer not in (Answer.CLOSED, Answer.NOT_EXIST, Answer.MISFIT):
        return False
    now = clock.now()
    with unit_of_work() as session:
        order = lock_order(session, order_id)
        if not order_states.is_allowed(order.status, action):
            return False
        _release(session, order, action, now)
        if answer is not Answer.NOT_EXIST or now >= order.expires_at + GRACE:
            attempts.forget(session, attempt)  # else a page that somebody has open can still be paid
    return True


def _last_word(out_trade_no: str) -> Answer:
    """Query, then close. A page that nobody scanned cannot be closed: money from it would be late money."""
    answer = payment.ask(out_trade_no)
    if answer is not Answer.UNPAID:
        return answer
    try:
        closed = attempts.alipay().close(out_trade_no)
    except Unknown:
        return Answer.UNKNOWN
    # REFUSED: something happened in between; ask again, and believe only that answer
    return payment.ask(out_trade_no) if closed is Close.REFUSED else Answer(closed.value)


def _release(session: Session, order: Order, action: Action, now: datetime) -> None:
    """Give back everything that the order held, once: its state changes in the same transaction (L6, P3)."""
    order.status = order_states.after(order.status, action)
    order.cancel_time = max(now, order.date)
    session.execute(
        update(OrderDetail).where(OrderDetail.order_id == order.id).values(pending_account_id=None),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        update(Payment)
        .where(Payment.order_id == order.id, Payment.state == PaymentState.OPEN)
        .values(state=PaymentState.CLOSED),
        execution_options={"synchronize_session": False},
    )
    reservation.give_back(session, order, now)
    order_messages.ended(session, order)
    log.info("order ended", order=order.order_number, status=int(order.status))
