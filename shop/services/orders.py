"""Orders after they are placed: paying later, and how an unpaid one ends (design 7 and 8)."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import (
    CouponStatus,
    OrderStatus,
    PaymentState,
    TransactionType,
)
from shop.errors import AlipaySilent, NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.gateways.alipay import Close, Unknown
from shop.models import (
    CouponRecord,
    Order,
    OrderDetail,
    Payment,
)
from shop.rules import order_states
from shop.rules.order_states import Action
from shop.services import order_views, payment, wallet
from shop.services.locks import lock_order
from shop.services.payment import Answer

log = structlog.get_logger()

GRACE = timedelta(minutes=2)  # Alipay's clock and ours, and money on its way
BATCH = 100


def pay_again(account_id: int, order_number: str) -> str:
    """The address at Alipay for an order that still waits. Raises NotFound, NotYourTurn when it is too late."""
    if not order_views.view(account_id, order_number).may_pay:
        raise NotYourTurn
    url = payment.pay_url(order_number)
    if url is None:
        raise NotYourTurn
    return url


def inquire(account_id: int, order_number: str) -> Answer:
    """Ask Alipay about one's own order now. Raises NotFound."""
    order_id = _own_id(account_id, order_number)
    attempt = payment.open_attempt_of(order_id)
    return payment.ask(attempt) if attempt else Answer.CLOSED


# ---------------------------------------------------------------- the end of an unpaid order


def cancel(account_id: int, order_number: str) -> None:
    """End one's own unpaid order, after asking Alipay (design 8).

    Raises NotFound; NotYourTurn when it is paid or ended; AlipaySilent when nobody can tell now whether it is paid.
    """
    order_id = _own_id(account_id, order_number)
    if not _end(order_id, Action.CANCEL):
        status = db.session.scalars(select(Order.status).where(Order.id == order_id)).one()
        raise AlipaySilent if status is OrderStatus.PENDING else NotYourTurn


def expire_due() -> tuple[int, int]:
    """End the unpaid orders whose time is over: (ended, left for the next run because the answer is unknown).

    In no fixed order: those that Alipay keeps silent about must not hold up the others.
    """
    late = clock.now() - GRACE
    due = db.session.scalars(
        select(Order.id)
        .where(Order.status == OrderStatus.PENDING, Order.expires_at < late)
        .order_by(func.random())
        .limit(BATCH)
    ).all()
    db.session.rollback()
    ended = sum(_end(order_id, Action.TIME_OUT) for order_id in due)
    return ended, len(due) - ended


def _own_id(account_id: int, order_number: str) -> int:
    order_id = db.session.scalar(
        select(Order.id).where(Order.order_number == order_number, Order.account_id == account_id)
    )
    if order_id is None:
        raise NotFound
    return order_id


def _end(order_id: int, action: Action) -> bool:
    """Release an unpaid order once Alipay has said that no money is coming; whether it ended now."""
    attempt = payment.open_attempt_of(order_id)
    if attempt and not _is_unpaid_for_good(attempt):
        return False
    with unit_of_work() as session:
        order = lock_order(session, order_id)
        if not order_states.is_allowed(order.status, action):
            return False
        _release(session, order, action, clock.now())
    return True


def _is_unpaid_for_good(out_trade_no: str) -> bool:
    """Query, then close. A page that nobody scanned cannot be closed: money from it would be late money."""
    match payment.ask(out_trade_no):
        case Answer.NOT_EXIST | Answer.CLOSED:
            return True
        case Answer.UNPAID:
            try:
                closed = payment.alipay().close(out_trade_no)
            except Unknown:
                return False
            # REFUSED: something happened in between; ask again, and believe only that answer
            return closed is not Close.REFUSED or payment.ask(out_trade_no) is Answer.CLOSED
        case _:
            return False


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
    session.execute(
        update(CouponRecord)
        .where(CouponRecord.order_id == order.id)
        .values(
            status=case((CouponRecord.valid_until < now, int(CouponStatus.EXPIRED)), else_=int(CouponStatus.UNUSED)),
            used_time=None,
            order_id=None,
        ),
        execution_options={"synchronize_session": False},
    )
    if order.beli:
        wallet.move_beli(session, order.account_id, TransactionType.REFUND, order.beli, order_id=order.id)
    log.info("order ended", order=order.order_number, status=int(order.status))
