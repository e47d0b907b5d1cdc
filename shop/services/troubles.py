"""Money that Alipay has and the shop cannot book: noted once, listed until a person has decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from shop import clock
from shop.enums import RefundCause, RefundState, TroubleKind
from shop.errors import NotFound, NotYourTurn, OwnCase, StaffOnly
from shop.extensions import db, unit_of_work
from shop.gateways.alipay import Trade
from shop.models import Order, Payment, Refund, Trouble
from shop.rules.refund_states import NOTHING_MOVES, UNDER_WAY
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, refund_decisions
from shop.services.audit_log import Actor
from shop.services.audit_queries import waiting
from shop.services.locks import lock_order

REFUNDABLE = (TroubleKind.WRONG_AMOUNT, TroubleKind.SECOND_TRADE)  # money that came for an attempt of ours


@dataclass(frozen=True, slots=True)
class Case:
    """One thing for a person to look at: what it is, about which attempt or refund, of which order, since when."""

    says: str  # in Chinese, a text of the catalogue
    number: str
    order_number: str | None
    amount_fen: int
    since: datetime
    detail: str = ""


def note(
    session: Session,
    kind: TroubleKind,
    trade: Trade,
    *,
    found_by: str,
    now: datetime,
    payment_id: int | None = None,
) -> Trouble:
    """The row about this trade, in the caller's transaction; noted once, however often it is heard of."""
    known = session.scalars(
        select(Trouble).where(
            Trouble.kind == kind,
            Trouble.out_trade_no == trade.out_trade_no,
            Trouble.trade_no == trade.trade_no,
            Trouble.out_request_no == trade.refund_no,
        )
    ).first()
    if known:
        return known
    trouble = Trouble(
        kind=kind,
        payment_id=payment_id,
        out_trade_no=trade.out_trade_no,
        trade_no=trade.trade_no,
        out_request_no=trade.refund_no,
        amount_fen=trade.amount_fen,
        found_by=found_by,
        found_time=now,
    )
    session.add(trouble)
    session.flush()
    return trouble


# ---------------------------------------------------------------- the desk


def cases() -> list[Case]:
    """Everything that waits for a person, oldest first: money that goes back, refunds that failed, odd money."""
    found = [*_at_the_desk(), *_failed_refunds(), *_open()]
    return sorted(found, key=lambda case: case.since)


def _at_the_desk() -> Sequence[Case]:
    payments = db.session.scalars(
        select(Payment).where(Payment.id.in_(waiting.money_at_the_desk())).options(joinedload(Payment.order))
    )
    return [
        Case(
            payment.state.chinese,
            payment.out_trade_no,
            payment.order.order_number,
            payment.amount_fen,
            payment.paid_time or payment.created_time,
        )
        for payment in payments
    ]


def _failed_refunds() -> Sequence[Case]:
    failed = db.session.scalars(
        select(Refund).where(Refund.state == RefundState.FAILED).options(joinedload(Refund.order))
    )
    return [
        Case(
            refund.state.chinese,
            refund.out_request_no,
            refund.order.order_number,
            refund.amount_fen,
            refund.requested_time,
            refund.error,
        )
        for refund in failed
    ]


def _open() -> Sequence[Case]:
    rows = db.session.execute(
        select(Trouble, Order.order_number)
        .outerjoin(Trouble.payment)
        .outerjoin(Payment.order)
        .where(Trouble.resolved_time.is_(None))
    )
    return [
        Case(
            trouble.kind.chinese, trouble.out_trade_no, number, trouble.amount_fen, trouble.found_time, trouble.trade_no
        )
        for trouble, number in rows
    ]


def open_of(out_trade_no: str) -> Sequence[int]:
    """The cases about one attempt that nobody has settled, the oldest first."""
    return db.session.scalars(
        select(Trouble.id)
        .where(Trouble.out_trade_no == out_trade_no, Trouble.resolved_time.is_(None))
        .order_by(Trouble.id)
    ).all()


def odd_money_of(out_trade_no: str) -> int:
    """The oldest case of an attempt whose money can go back; one that is on its way already, if no other is left.

    Raises NotFound for an attempt without such money.
    """
    found = db.session.scalar(
        select(Trouble.id)
        .outerjoin(Refund, (Refund.trouble_id == Trouble.id) & Refund.state.not_in(NOTHING_MOVES))
        .where(
            Trouble.out_trade_no == out_trade_no,
            Trouble.kind.in_(REFUNDABLE),
            Trouble.payment_id.is_not(None),
            Trouble.resolved_time.is_(None),
        )
        .order_by(Refund.id.is_not(None), Trouble.id)
        .limit(1)
    )
    if found is None:
        raise NotFound
    return found


def send_back(trouble_id: int, *, actor: Actor, reason: str) -> Refund:
    """Return the odd money of this case, which came for one of our attempts, by the trade it came with.

    Above the limit of one person (``refund_decisions``) it is a proposal that another one decides about. Raises
    NotFound for a case that is settled, NotYourTurn for one without such money and when it is on its way back already,
    OwnCase, AnotherPerson for a command above the limit, StaffOnly, ValueError without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        trouble, payment = _locked(session, trouble_id, actor)
        if payment is None or trouble.kind not in REFUNDABLE:
            raise NotYourTurn
        going = Refund.trouble_id == trouble.id, Refund.state.not_in(NOTHING_MOVES)
        if session.scalar(select(Refund.id).where(*going)) is not None:
            raise NotYourTurn
        refund = _refund_of(session, trouble, payment, reason)
        order = session.get_one(Order, payment.order_id)
        refund_decisions.decide_odd_money(session, order, refund, actor, reason)
        _log(session, trouble, "propose" if refund.state is RefundState.REQUESTED else "refund", actor, reason)
        return refund


def _refund_of(session: Session, trouble: Trouble, payment: Payment, reason: str) -> Refund:
    """``R…WRONG1`` by the case's id; after a proposal that came to nothing, which keeps its number, ``R…WRONG1N2``."""
    before = session.scalar(select(func.count()).select_from(Refund).where(Refund.trouble_id == trouble.id)) or 0
    refund = Refund(
        order_id=payment.order_id,
        payment_id=payment.id,
        trouble_id=trouble.id,
        cause=RefundCause.WRONG_AMOUNT,
        out_request_no=f"R{payment.out_trade_no}WRONG{trouble.id}" + (f"N{before + 1}" if before else ""),
        amount_fen=trouble.amount_fen,
        reason=reason,
        requested_time=clock.now(),
    )
    session.add(refund)
    session.flush()
    return refund


def close(trouble_id: int, *, actor: Actor, reason: str) -> None:
    """Note that people have settled this case. Moves nothing.

    Raises NotFound for one that is settled, NotYourTurn while its own money goes back or may still, OwnCase, StaffOnly,
    ValueError without a reason.
    """
    reason, now = audit_log.checked_reason(reason), clock.now()
    with unit_of_work() as session:
        trouble, _payment = _locked(session, trouble_id, actor)
        going = Refund.trouble_id == trouble.id, Refund.state.in_(UNDER_WAY)
        if session.scalar(select(Refund.id).where(*going)) is not None:
            raise NotYourTurn
        trouble.resolved_time, trouble.resolution, trouble.handler_id = now, reason, actor.account_id
        _log(session, trouble, "close", actor, reason)


def _locked(session: Session, trouble_id: int, actor: Actor) -> tuple[Trouble, Payment | None]:
    """An open case and the attempt it is about, behind the lock of its order, for somebody who may decide about it."""
    payment = session.scalars(
        select(Payment).join(Trouble, Trouble.payment_id == Payment.id).where(Trouble.id == trouble_id)
    ).one_or_none()
    order = lock_order(session, payment.order_id) if payment else None
    trouble = session.get(Trouble, trouble_id, with_for_update=True, populate_existing=True)
    _check(session, actor)
    if trouble is None or trouble.resolved_time is not None:
        raise NotFound
    if order is not None and actor.account_id == order.account_id:
        raise OwnCase
    return trouble, payment


def take(trouble_id: int, *, actor: Actor) -> None:
    """Note that this person looks after it. Raises NotFound for what is settled, StaffOnly."""
    with unit_of_work() as session:
        trouble = session.get(Trouble, trouble_id, with_for_update=True)
        _check(session, actor)
        if trouble is None or trouble.resolved_time is not None:
            raise NotFound
        trouble.handler_id = actor.account_id
        _log(session, trouble, "take", actor, "")


def close_found() -> dict[str, int]:
    """Close what has explained itself: a trade that was unknown when its message overtook our own commit (F45)."""
    now = clock.now()
    known = select(Payment.id).where(Payment.out_trade_no == Trouble.out_trade_no, Payment.trade_no == Trouble.trade_no)
    with unit_of_work() as session:
        closed = session.execute(
            update(Trouble)
            .where(Trouble.kind == TroubleKind.UNKNOWN_TRADE, Trouble.resolved_time.is_(None), known.exists())
            .values(resolved_time=now, resolution="booked since"),
            execution_options={"synchronize_session": False},
        )
        return {"closed": closed.rowcount}  # type: ignore[attr-defined]


def _check(session: Session, actor: Actor) -> None:
    """A command acts without an account; a person needs the right now (safety.md F66)."""
    if actor.account_id is not None and not clerks.may(session, actor, Task.MONEY_SETTLE):
        raise StaffOnly


def _log(session: Session, trouble: Trouble, action: str, actor: Actor, reason: str) -> None:
    audit_log.record(
        session,
        actor,
        f"trouble {action}",
        trouble,
        after={"kind": int(trouble.kind), "amount_fen": trouble.amount_fen, "out_trade_no": trouble.out_trade_no},
        reason=reason,
    )
