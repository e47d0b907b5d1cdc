"""Refunds that Alipay has refused for good, returned another way: by a transfer that people make (alipay.md 4.5).

The trade is over there, so nothing comes back by it. One of finance makes the transfer and writes its number down;
above ``REFUND_TWO_PERSONS_YUAN`` another one confirms it. Then the refund is done as any other; Alipay's bill does not
know it, and is not asked for it.
"""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import RefundState
from shop.errors import AnotherPerson, NotYourTurn, ShopError, StaffOnly
from shop.extensions import settings, unit_of_work
from shop.models import Order, Refund
from shop.rules.refund_states import BY_PEOPLE
from shop.rules.staff_rights import Task
from shop.services import audit_log, refund_booking, refund_decisions, refunds
from shop.services.audit_log import Actor
from shop.services.withdrawals import PAYMENT_NUMBER


class TransferTaken(ShopError):
    """One transfer returns one refund."""

    status, text = 409, _("这个流水号已经记在另一笔退款上。")


class MovedAtAlipay(NotYourTurn):
    """Alipay has moved money under this number, of another amount: a transfer would return it twice."""

    text = _("支付宝侧已经动过这笔款项，不能再另行转账。请先核对待认领款项。")


def record(out_request_no: str, *, transfer_number: str, actor: Actor, reason: str) -> Refund:
    """Write down that the refund was paid by a transfer: done up to the limit, above it another person confirms.

    From now on nothing is sent to Alipay for it. Raises NotFound; NotYourTurn unless Alipay has refused it (OwnCase,
    MovedAtAlipay); StaffOnly; TransferTaken; ValueError for a number or a reason out of bounds.
    """
    reason = audit_log.checked_reason(reason)
    if not PAYMENT_NUMBER.fullmatch(transfer_number):
        raise ValueError("a transfer number has 1 to 64 letters, digits, hyphens or underscores")
    try:
        return _write_down(out_request_no, transfer_number, actor, reason)
    except IntegrityError as error:  # the number is unique; another refund may take it at this very moment
        raise TransferTaken from error


def _write_down(out_request_no: str, transfer_number: str, actor: Actor, reason: str) -> Refund:
    with unit_of_work() as session:
        order, refund = _locked(session, out_request_no, actor)
        if refund.transfer_number is not None:
            raise NotYourTurn
        if refund.is_moved_at_alipay:
            raise MovedAtAlipay
        refund.transfer_number, refund.transfer_by_id = transfer_number, actor.account_id
        refund.next_try_time = None
        session.flush()
        if takes_two(session, refund):
            _record(session, refund, "transfer", actor, reason)
        else:
            _done(session, order, refund, "transfer", actor, reason)
    return refund


def confirm(out_request_no: str, *, actor: Actor, reason: str) -> Refund:
    """Say that the transfer was made: the refund is done. Not by who has written it down (AnotherPerson).

    Raises NotFound, NotYourTurn without a transfer that waits (OwnCase, AnotherPerson), StaffOnly, ValueError.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        order, refund = _waiting(session, out_request_no, actor)
        if refund.transfer_by_id == actor.account_id:
            raise AnotherPerson
        _done(session, order, refund, "confirm", actor, reason)
    return refund


def drop(out_request_no: str, *, actor: Actor, reason: str) -> None:
    """Strike a transfer that was not made, by whoever of finance: the refund is as Alipay has left it.

    Raises NotFound, NotYourTurn without a transfer that waits (OwnCase), StaffOnly, ValueError without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        _order, refund = _waiting(session, out_request_no, actor)
        _record(session, refund, "cancel transfer", actor, reason)
        refund.transfer_number = refund.transfer_by_id = None


def takes_two(session: Session, refund: Refund) -> bool:
    """Whether one person alone may not return it by a transfer: all that people send back of the order counts."""
    total_fen = session.scalars(refund_decisions.decided_fen(refund.order_id)).one()
    if refund.cause not in BY_PEOPLE:
        total_fen += refund.amount_fen
    return total_fen > settings().refund_two_persons_fen


def _locked(session: Session, out_request_no: str, actor: Actor) -> tuple[Order, Refund]:
    order, refund = refunds.locked(session, out_request_no)
    refunds.expect(refund, RefundState.FAILED)
    if actor.account_id is None:  # money leaves by hand: somebody answers for it
        raise StaffOnly
    refund_decisions.check(session, order, actor, Task.REFUND_DECIDE)
    return order, refund


def _waiting(session: Session, out_request_no: str, actor: Actor) -> tuple[Order, Refund]:
    order, refund = _locked(session, out_request_no, actor)
    if refund.transfer_number is None:
        raise NotYourTurn
    return order, refund


def _done(session: Session, order: Order, refund: Refund, action: str, actor: Actor, reason: str) -> None:
    refund_booking.book_done(session, order, refund, clock.now())
    _record(session, refund, action, actor, reason)


def _record(session: Session, refund: Refund, action: str, actor: Actor, reason: str) -> None:
    audit_log.record(
        session,
        actor,
        f"refund {action}",
        refund,
        before={"state": int(RefundState.FAILED)},
        after={"state": int(refund.state), "transfer_number": refund.transfer_number},
        reason=reason,
    )
