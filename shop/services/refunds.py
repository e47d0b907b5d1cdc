"""Money and 贝里 on their way back: what can be asked for, asked for, and sent to Alipay (design 8).

A refund's number is committed before Alipay is called and reused for ever; one call at a time per trade. It counts from
the moment its state is DONE: in that same transaction access ends, 贝里 and coupons return, the order moves on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from flask_babel import gettext as _
from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session, joinedload

from shop import clock
from shop.enums import ModuleStatus, OrderStatus, PaymentState, RefundCause, RefundState
from shop.errors import NotFound, NotRefundable, NotYourTurn
from shop.extensions import db, settings, unit_of_work
from shop.models import (
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Payment,
    Refund,
    RefundDetail,
    StudyRecord,
)
from shop.money import to_yuan
from shop.rules import order_states
from shop.rules.order_states import Action
from shop.rules.refund_states import NOTHING_MOVES, OF_LINES, SENT, UNDER_WAY
from shop.services import audit_log, degree_closing, refund_booking, refund_messages, refund_sending
from shop.services.audit_log import Actor
from shop.services.locks import lock_order
from shop.services.refund_messages import Step
from shop.services.refund_sending import Outcome

log = structlog.get_logger()

MOST_LISTED = 1_000
NUMBER_ENDS = {RefundCause.LATE: "LATE", RefundCause.DOUBLE: "DOUBLE"}


@dataclass(frozen=True, slots=True)
class CouponBack:
    """A coupon that returns with a refund; ``is_expired`` when its time is over, so that it returns as expired."""

    record_id: int
    name: str
    valid_until: datetime
    is_expired: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order as the refund page offers it; ``why_not`` is empty when it can be asked for."""

    detail_id: int
    name: str
    amount_fen: int
    beli: int
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What exactly comes back for some lines; what is executed later equals it to the fen."""

    lines: tuple[Line, ...]
    amount_fen: int
    beli: int
    coupons: tuple[CouponBack, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """What the owner of an order may ask for now. ``why_not`` says why nothing can be asked for, else it is empty."""

    lines: tuple[Line, ...]
    why_not: str
    deadline: datetime | None  # until when the order's lines can be asked for


# ---------------------------------------------------------------- what can be asked for


def options(account_id: int, order_number: str) -> Options:
    """The lines of one's own order and which of them can be asked for. Raises NotFound."""
    session = db.session()
    return _options(session, _own(session, account_id, order_number), clock.now())


def preview(account_id: int, order_number: str, detail_ids: Collection[int]) -> Preview:
    """What asking for these lines would bring back. Raises NotFound, NotRefundable."""
    session = db.session()
    return _preview(session, _own(session, account_id, order_number), detail_ids, clock.now())


def _own(session: Session, account_id: int, order_number: str) -> Order:
    order = session.scalars(
        select(Order)
        .where(Order.order_number == order_number, Order.account_id == account_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if order is None:
        raise NotFound
    return order


def _options(session: Session, order: Order, now: datetime) -> Options:
    until = deadline(order.pay_time) if order.pay_time else None
    return Options(lines_of(session, order, _begun_degrees(session, order.id)), _why_not(order, until, now), until)


def deadline(pay_time: datetime) -> datetime:
    """Until when the lines of an order that was paid then can be asked for."""
    return pay_time + timedelta(days=settings().refund_window_days)


def _why_not(order: Order, until: datetime | None, now: datetime) -> str:
    """What stands in the way of the order as a whole, for its owner."""
    if until is not None and order.status is OrderStatus.PAID and now > until:
        return _(
            "付款后 %(days)s 天内可以申请退费，现在已经超过。特殊情况请联系客服。", days=settings().refund_window_days
        )
    return is_not_paid(order)


def is_not_paid(order: Order) -> str:
    """Why nothing of the order can go back, whoever wants it; empty when something can."""
    if order.status is OrderStatus.REFUND_REQUESTED:
        return _("这个订单有一个退费正在处理，处理完后才能再申请。")
    if order.status is OrderStatus.REFUNDED:
        return _("这个订单已全部退费。")
    if order.status is not OrderStatus.PAID:
        return _("这个订单没有付款，不需要退费。")
    return ""


def lines_of(session: Session, order: Order, kept: Mapping[int, str]) -> tuple[Line, ...]:
    """The lines of an order; ``kept`` says of a degree why its line stays, by the line's id."""
    details = session.scalars(
        select(OrderDetail)
        .where(OrderDetail.order_id == order.id)
        .order_by(OrderDetail.id)
        .options(joinedload(OrderDetail.product))
    ).all()
    refunded = refund_booking.refunded_lines(session, order.id)
    left_fen = cash_left_fen(session, order.id)
    lines = []
    for detail in details:
        line = Line(detail.id, detail.product.name, detail.actual_amount_fen, detail.beli)
        if detail.id in refunded:
            line = replace(line, why_not=_("已退费。"))
        elif detail.id in kept:
            line = replace(line, why_not=kept[detail.id])
        elif line.amount_fen > left_fen:
            line = replace(line, why_not=too_much(left_fen))
        lines.append(line)
    return tuple(lines)


def too_much(left_fen: int) -> str:
    return _("这笔付款只剩 %(left)s 元可以原路退回，请联系客服。", left=to_yuan(left_fen))


def _begun_degrees(session: Session, order_id: int) -> dict[int, str]:
    """The lines whose degree has opened a module: from then on staff decide about it (domain.md A30)."""
    opened = exists().where(
        StudyRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id, StudyRecord.status != ModuleStatus.LOCKED
    )
    rows = session.scalars(
        select(EnrolledDegreeCourse.order_detail_id)
        .join(OrderDetail, OrderDetail.id == EnrolledDegreeCourse.order_detail_id)
        .where(OrderDetail.order_id == order_id, or_(EnrolledDegreeCourse.valid_begin_date.is_not(None), opened))
    )
    return dict.fromkeys(rows, _("第一个模块已经开通，不能在这里申请。需要退费请联系客服，由客服决定。"))


def cash_left_fen(session: Session, order_id: int) -> int:
    """What the payment of an order still has, in fen: less what goes back already, whoever began it."""
    back = (
        select(func.coalesce(func.sum(Refund.amount_fen), 0))
        .where(Refund.payment_id == Payment.id, Refund.trouble_id.is_(None), Refund.state.not_in(NOTHING_MOVES))
        .scalar_subquery()
    )
    paid = Payment.order_id == order_id, Payment.state == PaymentState.PAID
    return session.scalar(select(Payment.amount_fen - back).where(*paid)) or 0


def _preview(session: Session, order: Order, detail_ids: Collection[int], now: datetime) -> Preview:
    return chosen(session, order, _options(session, order, now), detail_ids, now)


def chosen(session: Session, order: Order, offered: Options, detail_ids: Collection[int], now: datetime) -> Preview:
    """What some of the lines offered bring back. Raises NotFound for a line of another order, NotRefundable."""
    wanted = set(detail_ids)
    if wanted - {line.detail_id for line in offered.lines}:
        raise NotFound
    if offered.why_not:
        raise NotRefundable(reason=offered.why_not)
    picked = tuple(line for line in offered.lines if line.detail_id in wanted)
    if not picked:
        raise NotRefundable(reason=_("请选择要退的课程。"))
    for line in picked:
        if line.why_not:
            raise NotRefundable(reason=_("%(name)s：%(why)s", name=line.name, why=line.why_not))
    amount_fen = sum(line.amount_fen for line in picked)
    left_fen = cash_left_fen(session, order.id)
    if amount_fen > left_fen:
        raise NotRefundable(reason=too_much(left_fen))
    coupons = refund_booking.coupons_back(session, order.id, wanted)
    return Preview(
        lines=picked,
        amount_fen=amount_fen,
        beli=sum(line.beli for line in picked),
        coupons=tuple(
            CouponBack(record.id, record.coupon.name, record.valid_until, is_expired=record.valid_until < now)
            for record in coupons
        ),
    )


# ---------------------------------------------------------------- asked for, and taken back


def ask(account_id: int, order_number: str, detail_ids: Collection[int], reason: str) -> Refund:
    """A student's request for some lines; access to them rests while it waits. Raises NotFound, NotRefundable.

    ``reason`` has 1 to 255 characters, else ValueError.
    """
    reason, now = audit_log.checked_reason(reason), clock.now()
    with unit_of_work() as session:
        order = lock_order(session, _own(session, account_id, order_number).id, account_id)
        lock_degrees(session, order)  # a module that is being opened is seen, or sees this
        wanted = _preview(session, order, detail_ids, now)
        refund = begin(session, order, wanted.lines, RefundCause.STUDENT, reason, now)
        refund_messages.tell(session, order, refund, Step.ASKED)
    log.info("refund asked", refund=refund.out_request_no, amount_fen=refund.amount_fen, beli=refund.beli)
    return refund


def lock_degrees(session: Session, order: Order) -> None:
    line_ids = session.scalars(select(OrderDetail.id).where(OrderDetail.order_id == order.id)).all()
    degree_closing.lock(session, line_ids)


def begin(
    session: Session, order: Order, lines: Sequence[Line], cause: RefundCause, reason: str, now: datetime
) -> Refund:
    """A refund of whole lines, by their stored shares; from now on what they opened rests."""
    amount_fen = sum(line.amount_fen for line in lines)
    order.status = order_states.after(order.status, Action.ASK_REFUND)
    refund = Refund(
        order_id=order.id,
        payment_id=_paid_by(session, order.id) if amount_fen else None,
        cause=cause,
        out_request_no=_next_number(session, order),
        amount_fen=amount_fen,
        beli=sum(line.beli for line in lines),
        reason=reason,
        requested_time=now,
        details=[
            RefundDetail(order_detail_id=line.detail_id, amount_fen=line.amount_fen, beli=line.beli) for line in lines
        ],
    )
    session.add(refund)
    session.flush()
    return refund


def _paid_by(session: Session, order_id: int) -> int | None:
    return session.scalar(select(Payment.id).where(Payment.order_id == order_id, Payment.state == PaymentState.PAID))


def _next_number(session: Session, order: Order) -> str:
    """``R``, the order's number and how many there were: those that were refused or withdrawn keep theirs."""
    before = session.scalar(
        select(func.count()).select_from(Refund).where(Refund.order_id == order.id, Refund.cause.in_(OF_LINES))
    )
    return f"R{order.order_number}{(before or 0) + 1:02d}"


def withdraw(account_id: int, out_request_no: str) -> None:
    """Take one's own request back while nobody has decided. Raises NotFound, NotYourTurn."""
    now = clock.now()
    with unit_of_work() as session:
        mine = Refund.cause == RefundCause.STUDENT, Order.account_id == account_id
        order, refund = locked(session, out_request_no, *mine)
        expect(refund, RefundState.REQUESTED)
        refund.state, refund.decided_time = RefundState.WITHDRAWN, now
        order.status = order_states.after(order.status, Action.REFUSE_REFUND)
        record(session, refund, "withdraw", RefundState.REQUESTED, Actor("student", account_id))


def locked(session: Session, out_request_no: str, *where: object) -> tuple[Order, Refund]:
    """A refund with its order, both as they are now and nobody else's to change. Raises NotFound."""
    found = session.execute(
        select(Refund.id, Order.id, Order.account_id)
        .join(Refund.order)
        .where(Refund.out_request_no == out_request_no, *where)  # type: ignore[arg-type]
    ).first()
    if found is None:
        raise NotFound
    refund_id, order_id, account_id = found
    order = lock_order(session, order_id, account_id)
    return order, session.get_one(Refund, refund_id, populate_existing=True)


def expect(refund: Refund, *states: RefundState) -> None:
    if refund.state not in states:
        raise NotYourTurn(refund=refund.out_request_no, state=int(refund.state))


def record(
    session: Session, refund: Refund, action: str, before: RefundState | None, actor: Actor, reason: str = ""
) -> None:
    audit_log.record(
        session,
        actor,
        f"refund {action}",
        refund,
        before={"state": int(before)} if before is not None else None,
        after={"state": int(refund.state)},
        reason=reason,
    )
    log.info(f"refund {action}", refund=refund.out_request_no, actor=actor.name)


# ---------------------------------------------------------------- without anybody asking


def give_back(
    session: Session,
    payment: Payment,
    *,
    cause: RefundCause,
    amount_fen: int,
    reason: str,
    now: datetime,
) -> Refund:
    """Return money that its order cannot use, without anybody asking, in the caller's transaction.

    Approved from the start; its number follows from the attempt (``R…LATE``, ``R…DOUBLE``), so that it exists once
    however often the money is heard of: the same call again returns the row that is there.
    """
    number = f"R{payment.out_trade_no}{NUMBER_ENDS[cause]}"
    if known := _by_number(session, number):
        return known
    refund = Refund(
        order_id=payment.order_id,
        payment_id=payment.id,
        cause=cause,
        out_request_no=number,
        amount_fen=amount_fen,
        state=RefundState.APPROVED,
        reason=reason[: audit_log.LONGEST_REASON],
        requested_time=now,
        decided_time=now,
        next_try_time=now,
    )
    session.add(refund)
    session.flush()
    log.info("money goes back", refund=number, cause=int(cause), amount_fen=amount_fen)
    return refund


def note_from_gateway(session: Session, payment: Payment, out_request_no: str, now: datetime) -> None:
    """Alipay speaks of a refund of this payment: have our own asked about now, record one that is not ours.

    In the caller's transaction, which holds the lock of the payment's order.
    """
    number = _asked_as(payment, out_request_no)
    known = _by_number(session, number)
    if known is None:
        session.add(
            Refund(
                order_id=payment.order_id,
                payment_id=payment.id,
                cause=RefundCause.GATEWAY,
                out_request_no=number,
                amount_fen=0,  # until Alipay has been asked
                state=RefundState.IN_TRANSIT,
                requested_time=now,
                next_try_time=now,
            )
        )
        refund_booking.note_foreign(session, payment, number, 0, now)
        session.flush()
    elif (
        known.payment_id != payment.id
        or known.state in (RefundState.REQUESTED, *NOTHING_MOVES)
        or known.transfer_number is not None
    ):
        refund_booking.note_foreign(session, payment, number, 0, now)  # money moved that the shop has not sent
    elif known.state in SENT:
        known.next_try_time = now


def _asked_as(payment: Payment, out_biz_no: str) -> str:
    """The number to ask about. A refund without one is told of by its trade number and asked for by the attempt's."""
    return payment.out_trade_no if out_biz_no in ("", payment.trade_no) else out_biz_no


def _by_number(session: Session, number: str) -> Refund | None:
    return session.scalars(select(Refund).where(Refund.out_request_no == number)).one_or_none()


# ---------------------------------------------------------------- seen and sent


def listed(*, is_all: bool = False) -> Sequence[Refund]:
    """Refunds that wait for somebody or are on their way, oldest first; with ``is_all`` those that are over, too."""
    found = select(Refund).order_by(Refund.requested_time, Refund.id)
    if not is_all:
        found = found.where(Refund.state.in_(UNDER_WAY))
    return db.session.scalars(found.limit(MOST_LISTED)).all()


def send(out_request_no: str) -> Outcome:
    """Call or ask Alipay for this refund now, if its time has come. Raises NotFound."""
    refund_id = db.session.scalar(select(Refund.id).where(Refund.out_request_no == out_request_no))
    if refund_id is None:
        raise NotFound
    return refund_sending.send(refund_id)


def send_due() -> dict[str, int]:
    """The job "refunds in transit": call or ask Alipay for every refund whose time has come; counts by outcome."""
    return refund_sending.send_due()
