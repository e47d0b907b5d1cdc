"""Payment truth: the one place that believes Alipay, whoever brings the message (design 8).

A notice, a query after the return and a sweep all end in ``_apply``, which is idempotent under the lock of the order.
No call to Alipay happens inside a transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from flask_babel import gettext as _
from sqlalchemy import bindparam, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import NoticeVerdict, OrderStatus, PaymentState, RefundCause, TroubleKind
from shop.extensions import db, unit_of_work
from shop.gateways.alipay import Notice, Trade, Unknown
from shop.models import Order, OrderDetail, Payment, PaymentNotice
from shop.rules import order_states
from shop.rules.order_states import Action
from shop.services import delivery, late_money, order_messages, refunds, troubles
from shop.services.attempts import alipay
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
    is_unpaid: bool  # no money is known yet, whatever became of the order: a query is worth its while


OF_REFUND = "about a refund"  # the reason under which such notices are kept
_payment = Payment.__table__.c
_order = Order.__table__.c
_OF_TRADE = select(_payment.id, _payment.order_id, _payment.out_trade_no, _order.account_id).where(
    _order.id == _payment.order_id,
    or_(_payment.out_trade_no == bindparam("out_trade_no"), _payment.trade_no == bindparam("trade_no")),
)
_ATTEMPT = (
    select(Payment, exists().where(PaymentNotice.payment_id == Payment.id, PaymentNotice.reason == OF_REFUND))
    .where(Payment.id == bindparam("id"))
    .execution_options(populate_existing=True)
)


class Answer(Enum):
    """What asking Alipay about an order came to."""

    PAID = "paid"
    UNPAID = "unpaid"  # Alipay waits for the buyer
    NOT_EXIST = "not exist"  # nobody has begun to pay
    CLOSED = "closed"
    MISFIT = "misfit"  # paid, but not what was asked for: nothing else can come of this attempt
    UNKNOWN = "unknown"


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
            ruling = _apply(session, notice.trade, "notice", now)
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
        ruling = _apply(session, trade, "query", clock.now())
    return Answer.PAID if ruling.is_acknowledged else Answer.MISFIT


def returned_from(out_trade_no: str) -> Returned | None:
    """What a buyer who comes back from this attempt should see; None for an attempt that is not ours."""
    row = db.session.execute(
        select(Order.order_number, Order.account_id, Payment.trade_no)
        .join(Payment.order)
        .where(Payment.out_trade_no == out_trade_no)
    ).first()
    return Returned(row.order_number, row.account_id, row.trade_no is None) if row else None


def _apply(session: Session, trade: Trade, found_by: str, now: datetime) -> Ruling:
    known = session.execute(_OF_TRADE, {"out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no}).all()
    if not any(row.out_trade_no == trade.out_trade_no for row in known):
        return _refused(session, trade, TroubleKind.UNKNOWN_TRADE, "unknown out_trade_no", found_by, now)
    if len(known) > 1:
        reason = "this trade has paid another attempt"
        return _refused(session, trade, TroubleKind.SECOND_TRADE, reason, found_by, now)
    order = lock_order(session, known[0].order_id, known[0].account_id)
    attempt, has_refunds = session.execute(_ATTEMPT, {"id": known[0].id}).one()
    ruling = _rule_on(session, order, attempt, trade, found_by, now)
    if has_refunds and ruling.verdict is NoticeVerdict.APPLIED:
        _note_early_refunds(session, attempt, now)
    return ruling


def _refused(
    session: Session,
    trade: Trade,
    kind: TroubleKind,
    reason: str,
    found_by: str,
    now: datetime,
    payment_id: int | None = None,
) -> Ruling:
    """Not believed. Where money has moved all the same, people will see it."""
    if trade.is_paid and not trade.is_refund:
        troubles.note(session, kind, trade, found_by=found_by, now=now, payment_id=payment_id)
    return Ruling(NoticeVerdict.REFUSED, reason, payment_id)


def _rule_on(session: Session, order: Order, attempt: Payment, trade: Trade, found_by: str, now: datetime) -> Ruling:
    if trade.amount_fen != attempt.amount_fen:
        return _refused(session, trade, TroubleKind.WRONG_AMOUNT, "wrong amount", found_by, now, attempt.id)
    if trade.is_refund:
        return _hear_of_refund(session, attempt, trade, now)
    if not trade.is_paid:
        return Ruling(NoticeVerdict.IGNORED, "no payment", attempt.id)
    if attempt.trade_no is None:
        return _book(session, order, attempt, trade, now)
    if attempt.trade_no == trade.trade_no:
        return Ruling(NoticeVerdict.REPEATED, "applied before", attempt.id)
    reason = "another trade has paid this attempt"
    return _refused(session, trade, TroubleKind.SECOND_TRADE, reason, found_by, now, attempt.id)


def _hear_of_refund(session: Session, attempt: Payment, trade: Trade, now: datetime) -> Ruling:
    """It repeats TRADE_SUCCESS and pays nothing. What it says of the refund is asked for, not taken from it."""
    if attempt.trade_no is None:
        attempt.next_ask_time = now  # it overtook the message about the payment
    else:
        refunds.note_from_gateway(session, attempt, trade.refund_no, now)
    return Ruling(NoticeVerdict.IGNORED, OF_REFUND, attempt.id)


def _book(session: Session, order: Order, attempt: Payment, trade: Trade, now: datetime) -> Ruling:
    """Money that has come. It pays its order, or goes back; it is never kept silently (design 11.6)."""
    cause, problem = _use_for(session, order, now)
    may_have_follower = attempt.state is not PaymentState.OPEN
    attempt.trade_no = trade.trade_no
    attempt.paid_time = now
    attempt.next_ask_time = None
    if problem:
        attempt.state = PaymentState.SURPLUS
        session.flush()
        refunds.give_back(session, attempt, cause=cause, amount_fen=attempt.amount_fen, reason=problem, now=now)
        is_double = cause is RefundCause.DOUBLE
        order_messages.goes_back(session, order, attempt.amount_fen, is_double=is_double)
        return Ruling(NoticeVerdict.APPLIED, f"goes back: {problem}", attempt.id)
    attempt.state = PaymentState.PAID
    order.payment_number = trade.trade_no
    is_late = order.status is not OrderStatus.PENDING
    settle(session, order, now=now, action=Action.PAY_LATE if is_late else Action.PAY)
    if may_have_follower:
        _close_follower(session, attempt)
    return Ruling(NoticeVerdict.APPLIED, "paid late" if is_late else "paid", attempt.id)


def _note_early_refunds(session: Session, attempt: Payment, now: datetime) -> None:
    """What was told of refunds before this payment itself was (F47): now there is a trade to ask about them."""
    told = select(PaymentNotice.params).where(PaymentNotice.payment_id == attempt.id, PaymentNotice.reason == OF_REFUND)
    for params in session.scalars(told).all():
        refunds.note_from_gateway(session, attempt, params.get("out_biz_no", "")[:64], now)


def _use_for(session: Session, order: Order, now: datetime) -> tuple[RefundCause, str]:
    """Whether the order can use money now: why not, and what that makes of the money; an empty reason if it can."""
    if order_states.is_allowed(order.status, Action.PAY):
        return RefundCause.LATE, ""
    if order_states.is_allowed(order.status, Action.PAY_LATE):
        return RefundCause.LATE, late_money.reserve_again(session, order, now)
    return RefundCause.DOUBLE, _("订单已经付过款")


def _close_follower(session: Session, attempt: Payment) -> None:
    """A paid order waits for nothing. Alipay may still be paid on it, so it is asked about until its time is over."""
    session.execute(
        update(Payment)
        .where(Payment.order_id == attempt.order_id, Payment.state == PaymentState.OPEN)
        .values(state=PaymentState.CLOSED),
        execution_options={"synchronize_session": False},
    )


def settle(session: Session, order: Order, *, now: datetime, action: Action = Action.PAY) -> None:
    """The order is paid: mark it and deliver, in the caller's transaction.

    The only way to "paid": for money that Alipay reports and for an order with nothing due alike.
    """
    order.status = order_states.after(order.status, action)
    order.pay_time = max(now, order.date)  # a clock set back must not make it paid before it was placed (F34)
    session.execute(
        update(OrderDetail).where(OrderDetail.order_id == order.id).values(pending_account_id=None),
        execution_options={"synchronize_session": False},
    )
    delivered = delivery.deliver(session, order, now=now)
    session.flush()
    order_messages.paid(session, order, delivered)
