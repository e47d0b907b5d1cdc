"""One order with all that is known about it, and the notes that staff write about it for each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, or_, select

from shop import clock
from shop.enums import RefundState
from shop.errors import NotFound, NotYourTurn, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    AuditLog,
    Notification,
    Order,
    OrderDetail,
    OrderNote,
    Payment,
    PaymentNotice,
    Refund,
    TransactionRecord,
)
from shop.rules.refund_states import OF_LINES
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, delivery, locks, order_messages, order_views, payment
from shop.services.audit_log import Actor
from shop.services.audit_queries.enrolments import paid_line_is_delivered
from shop.services.order_views import OrderView
from shop.services.staff import order_mail

LONGEST_NOTE = 2000
MOST_NOTICES = 50  # on the page; Alipay repeats itself eight times, mischief more often


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody of the staff wrote, and whether it waits for a day."""

    id: int
    author: str
    text: str
    written_time: datetime
    follow_up_date: date | None
    done_time: datetime | None
    is_due: bool


@dataclass(frozen=True, slots=True)
class Story:
    """An order: as its owner sees it, and what only staff do."""

    view: OrderView
    owner_id: int
    username: str
    notices: Sequence[PaymentNotice]  # as received, the latest first
    ledger: Sequence[TransactionRecord]
    history: Sequence[AuditLog]
    notes: tuple[Note, ...]
    refunded_fen: int  # of its lines, gone back already
    is_undelivered: bool  # paid for, and something of it is not open
    messages: Sequence[Notification]  # what the buyer was told about it, the latest first

    @property
    def net_fen(self) -> int:
        return self.view.order.actual_amount_fen - self.refunded_fen


def whole(order_number: str) -> Story:
    """Raises NotFound."""
    session = db.session()
    found = session.execute(
        select(Order.id, Order.account_id, Account.username)
        .join(Account, Account.id == Order.account_id)
        .where(Order.order_number == order_number)
    ).one_or_none()
    if found is None:
        raise NotFound
    order_id, owner_id, username = found
    view = order_views.view(owner_id, order_number)
    return Story(
        view=view,
        owner_id=owner_id,
        username=username,
        notices=_notices(order_id),
        ledger=session.scalars(
            select(TransactionRecord).where(TransactionRecord.order_id == order_id).order_by(TransactionRecord.id)
        ).all(),
        history=_history(order_id),
        notes=_notes(order_id),
        refunded_fen=sum(refund.amount_fen for refund in view.refunds if _gave_back(refund)),
        is_undelivered=bool(session.scalars(paid_line_is_delivered().where(OrderDetail.order_id == order_id)).first()),
        messages=order_mail.of_order(order_number, owner_id),
    )


def _gave_back(refund: Refund) -> bool:
    return refund.state is RefundState.DONE and refund.cause in OF_LINES


def _notices(order_id: int) -> Sequence[PaymentNotice]:
    of = select(Payment.id).where(Payment.order_id == order_id)
    return db.session.scalars(
        select(PaymentNotice)
        .where(PaymentNotice.payment_id.in_(of))
        .order_by(PaymentNotice.id.desc())
        .limit(MOST_NOTICES)
    ).all()


def _history(order_id: int) -> Sequence[AuditLog]:
    """What staff and jobs did to the order and to its refunds."""
    refunds = select(Refund.id).where(Refund.order_id == order_id)
    about = or_(
        and_(AuditLog.subject_table == Order.__tablename__, AuditLog.subject_id == order_id),
        and_(AuditLog.subject_table == Refund.__tablename__, AuditLog.subject_id.in_(refunds)),
    )
    return db.session.scalars(select(AuditLog).where(about).order_by(AuditLog.id)).all()


def _notes(order_id: int) -> tuple[Note, ...]:
    today = clock.local_date(clock.now())
    rows = db.session.execute(
        select(OrderNote, Account.username)
        .join(Account, Account.id == OrderNote.author_id)
        .where(OrderNote.order_id == order_id)
        .order_by(OrderNote.id.desc())
    )
    return tuple(
        Note(
            id=note.id,
            author=author,
            text=note.text,
            written_time=note.date,
            follow_up_date=note.follow_up_date,
            done_time=note.done_time,
            is_due=note.done_time is None and note.follow_up_date is not None and note.follow_up_date <= today,
        )
        for note, author in rows
    )


# ---------------------------------------------------------------- notes, and asking Alipay


def add_note(order_number: str, text: str, follow_up_date: date | None, *, actor: Actor) -> None:
    """Keep what somebody has to say about an order, perhaps to be looked at again on a day.

    Raises NotFound, StaffOnly.
    """
    with unit_of_work() as session:
        _check(clerks.may(session, actor, Task.ORDER_NOTE))
        order = session.scalars(select(Order).where(Order.order_number == order_number)).one_or_none()
        if order is None or actor.account_id is None:
            raise NotFound
        note = OrderNote(
            order_id=order.id,
            author_id=actor.account_id,
            text=text,
            follow_up_date=follow_up_date,
            date=clock.now(),
        )
        session.add(note)
        session.flush()
        day = follow_up_date.isoformat() if follow_up_date else None
        audit_log.record(session, actor, "order note", order, after={"note": note.id, "follow_up_date": day})


def finish_note(order_number: str, note_id: int, *, actor: Actor) -> None:
    """Its day has come and somebody has seen to it; a second time changes nothing. Raises NotFound, StaffOnly."""
    with unit_of_work() as session:
        _check(clerks.may(session, actor, Task.ORDER_NOTE))
        found = session.execute(
            select(OrderNote, Order)
            .join(Order, Order.id == OrderNote.order_id)
            .where(OrderNote.id == note_id, Order.order_number == order_number)
            .with_for_update(of=OrderNote)
        ).one_or_none()
        if found is None:
            raise NotFound
        note, order = found
        if note.done_time is not None:
            return
        note.done_time = clock.now()
        audit_log.record(session, actor, "order note done", order, after={"note": note.id})


def ask_gateway(order_number: str, *, actor: Actor) -> payment.Answer:
    """What Alipay says about the order's latest attempt now, booked by the rules. Raises NotFound, StaffOnly."""
    with unit_of_work() as session:
        _check(clerks.may(session, actor, Task.ORDER_ASK))
        found = session.execute(
            select(Order, Payment.out_trade_no)
            .join(Payment, Payment.order_id == Order.id)
            .where(Order.order_number == order_number)
            .order_by(Payment.id.desc())
            .limit(1)
        ).one_or_none()
        if found is None:
            raise NotFound
        order, out_trade_no = found
        audit_log.record(session, actor, "order inquiry", order)
    return payment.ask(out_trade_no)


def deliver_again(order_number: str, *, actor: Actor, reason: str) -> None:
    """Open what was paid for and is not open, as the payment should have; the buyer is told.

    Raises NotFound, StaffOnly; NotYourTurn when nothing is missing: somebody was quicker.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        _check(clerks.may(session, actor, Task.ORDER_ASK))
        order_id = session.scalar(select(Order.id).where(Order.order_number == order_number))
        if order_id is None:
            raise NotFound
        order = locks.lock_order(session, order_id)
        missing = session.scalars(paid_line_is_delivered().where(OrderDetail.order_id == order_id)).all()
        if not missing:
            raise NotYourTurn(order=order_number)
        delivered = delivery.deliver(session, order, now=clock.now())
        order_messages.paid(session, order, delivered)
        audit_log.record(session, actor, "order deliver", order, after={"lines": list(missing)}, reason=reason)


def _check(is_allowed: bool) -> None:
    if not is_allowed:
        raise StaffOnly
