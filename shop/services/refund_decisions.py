"""What staff decide about refunds: yes, no, once more, and a refund that nobody has asked for (design 8, safety.md 4).

Above ``REFUND_TWO_PERSONS_YUAN``, all refunds of an order together, two different persons say yes; money of a wrong
amount counts among them. Nobody decides about
an order of their own, and nobody says yes to what they have proposed themselves. A command on the server acts without
an account: up to that limit.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import RefundCause, RefundState, StudyStatus
from shop.errors import AnotherPerson, NotFound, NotRefundable, NotYourTurn, OwnCase, StaffOnly
from shop.extensions import db, settings, unit_of_work
from shop.models import EnrolledDegreeCourse, Order, OrderDetail, Refund
from shop.rules import order_states
from shop.rules.order_states import Action
from shop.rules.refund_states import BY_PEOPLE, NOTHING_MOVES, OF_LINES
from shop.rules.staff_rights import Task
from shop.rules.study_states import ENDED
from shop.services import audit_log, clerks, refund_booking, refund_messages, refunds
from shop.services.audit_log import Actor
from shop.services.locks import lock_order
from shop.services.refund_messages import Step
from shop.services.refunds import Options, Preview

# ---------------------------------------------------------------- by staff, without a request


def options(order_number: str) -> Options:
    """The lines of an order as staff may give them back: also after the days to ask, and degrees under way.

    Raises NotFound.
    """
    session = db.session()
    return _options(session, _order(session, order_number))


def preview(order_number: str, detail_ids: Collection[int]) -> Preview:
    """What giving these lines back would return to the payer. Raises NotFound, NotRefundable."""
    session = db.session()
    order = _order(session, order_number)
    return refunds.chosen(session, order, _options(session, order), detail_ids, clock.now())


def _order(session: Session, order_number: str) -> Order:
    order = session.scalars(
        select(Order).where(Order.order_number == order_number).execution_options(populate_existing=True)
    ).one_or_none()
    if order is None:
        raise NotFound
    return order


def _options(session: Session, order: Order) -> Options:
    lines = refunds.lines_of(session, order, _ended_degrees(session, order.id))
    return Options(lines, refunds.is_not_paid(order), None)


def _ended_degrees(session: Session, order_id: int) -> dict[int, str]:
    """The lines whose study has ended: what it was worth is paid out or let go of, and it does not begin again."""
    rows = session.execute(
        select(EnrolledDegreeCourse.order_detail_id, EnrolledDegreeCourse.study_status)
        .join(OrderDetail, OrderDetail.id == EnrolledDegreeCourse.order_detail_id)
        .where(OrderDetail.order_id == order_id, EnrolledDegreeCourse.study_status.in_(ENDED))
    )
    return {
        line_id: _("学习已经结束（%(state)s），不能再退。", state=StudyStatus(state).label) for line_id, state in rows
    }


def open_by_staff(order_number: str, detail_ids: Collection[int], *, actor: Actor, reason: str) -> Refund:
    """Give whole lines back, by their stored shares: at once by whoever may decide, else as a proposal that waits.

    Above the limit the one who opens it has said yes, and another person is waited for. Raises NotFound; NotRefundable,
    in words, for a study that has ended, a line refunded already, while another request runs, and when the payment
    has less left; OwnCase, AnotherPerson, StaffOnly; ValueError without a reason.
    """
    reason, now = audit_log.checked_reason(reason), clock.now()
    with unit_of_work() as session:
        order = lock_order(session, _order(session, order_number).id)
        check(session, order, actor, Task.REFUND_PROPOSE)
        refunds.lock_degrees(session, order)  # a graduation that is being booked is seen, or sees this
        wanted = refunds.chosen(session, order, _options(session, order), detail_ids, now)
        refund = refunds.begin(session, order, wanted.lines, RefundCause.STAFF, reason, now)
        refund.asked_by_id = actor.account_id
        if not _decides(session, actor):
            refund_messages.tell(session, order, refund, Step.PROPOSED)
            refunds.record(session, refund, "propose", None, actor, reason)
        elif takes_two(session, order.id):
            _first_yes(session, order, refund, actor, "propose", None, reason)
        else:
            _say_yes(session, order, refund, actor, "")
            refunds.record(session, refund, "grant", None, actor, reason)
    return refund


def grant(order_number: str, product_id: int, *, actor: Actor, reason: str) -> Refund:
    """The same for the line of one product; for the command line. Raises NotFound without such a line."""
    detail_id = db.session.scalar(
        select(OrderDetail.id)
        .join(OrderDetail.order)
        .where(Order.order_number == order_number, OrderDetail.product_id == product_id)
    )
    if detail_id is None:
        raise NotFound
    return open_by_staff(order_number, [detail_id], actor=actor, reason=reason)


# ---------------------------------------------------------------- decided


def approve(out_request_no: str, *, actor: Actor, reason: str) -> Refund:
    """Say yes; it is sent when everybody has who must. One without cash is done at once.

    The first of two leaves it REQUESTED with ``first_approver_id``. Raises NotFound, NotYourTurn (OwnCase,
    AnotherPerson), StaffOnly, ValueError without a reason; NotRefundable when its payment has less left than that,
    because money went back at Alipay's side meanwhile.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        order, refund = refunds.locked(session, out_request_no, Refund.cause.in_(BY_PEOPLE))
        refunds.expect(refund, RefundState.REQUESTED)
        check(session, order, actor, Task.REFUND_DECIDE)
        if actor.account_id is not None and actor.account_id in (refund.asked_by_id, refund.first_approver_id):
            raise AnotherPerson
        if refund.cause in OF_LINES:
            _check_is_left(session, refund)
        needs_two = takes_two(session, order.id)
        if needs_two and refund.first_approver_id is None:
            _first_yes(session, order, refund, actor, "first approve", RefundState.REQUESTED, reason)
        else:
            if needs_two and actor.account_id is None:
                raise AnotherPerson
            _say_yes(session, order, refund, actor, reason)
            refunds.record(session, refund, "approve", RefundState.REQUESTED, actor, reason)
    return refund


def _check_is_left(session: Session, refund: Refund) -> None:
    left_fen = refunds.cash_left_fen(session, refund.order_id) + refund.amount_fen  # it counts this one as gone
    if refund.amount_fen > left_fen:
        raise NotRefundable(reason=refunds.too_much(left_fen))


def decide_odd_money(session: Session, order: Order, refund: Refund, actor: Actor, reason: str) -> None:
    """Begin what is to send odd money back, in the caller's transaction, which knows that this person may.

    Up to the limit it is approved, above it waits for another person. Raises AnotherPerson for a command above it.
    """
    refund.asked_by_id = actor.account_id
    if takes_two(session, order.id):
        _first_yes(session, order, refund, actor, "propose", None, reason)
    else:
        _say_yes(session, order, refund, actor, "")


def _first_yes(
    session: Session,
    order: Order,
    refund: Refund,
    actor: Actor,
    action: str,
    before: RefundState | None,
    reason: str,
) -> None:
    if actor.account_id is None:
        raise AnotherPerson
    refund.first_approver_id = actor.account_id
    if before is None:
        refund_messages.tell(session, order, refund, Step.PROPOSED)
    refunds.record(session, refund, action, before, actor, reason)


def _say_yes(session: Session, order: Order, refund: Refund, actor: Actor, reason: str) -> None:
    now = clock.now()
    refund.state, refund.decision = RefundState.APPROVED, reason
    refund.handler_id, refund.decided_time = actor.account_id, now
    if refund.cause is RefundCause.STAFF or refund.amount_fen:
        is_told_of = Step.GRANTED if refund.cause is RefundCause.STAFF else Step.APPROVED
        refund_messages.tell(session, order, refund, is_told_of)
    if refund.amount_fen:
        refund.next_try_time = now
    else:
        refund_booking.book_done(session, order, refund, now)


def refuse(out_request_no: str, *, actor: Actor, reason: str) -> Refund:
    """Say no: access is back, the order is paid as before. Also the way out for one that Alipay refused for good.

    Odd money stays with us then, and its case open.
    Raises NotFound, NotYourTurn (OwnCase), StaffOnly, ValueError without a reason.
    """
    reason, now = audit_log.checked_reason(reason), clock.now()
    with unit_of_work() as session:
        order, refund = refunds.locked(session, out_request_no, Refund.cause.in_(BY_PEOPLE))
        before = refund.state
        refunds.expect(refund, RefundState.REQUESTED, RefundState.FAILED)
        _expect_no_transfer(refund)
        check(session, order, actor, Task.REFUND_DECIDE)
        refund.state, refund.decision, refund.decided_time = RefundState.REFUSED, reason, now
        refund.handler_id = actor.account_id
        if refund.first_approver_id == actor.account_id:
            refund.first_approver_id = None  # took the yes back; the audit log keeps it
        refund.next_try_time = None
        if refund.cause in OF_LINES:
            order.status = order_states.after(order.status, Action.REFUSE_REFUND)
        refund_messages.tell(session, order, refund, Step.REFUSED)
        refunds.record(session, refund, "refuse", before, actor, reason)
    return refund


def withdraw(out_request_no: str, *, actor: Actor, reason: str) -> Refund:
    """Take back what one has proposed oneself, while nobody has decided: as if it had been refused, without a no.

    Raises NotFound, NotYourTurn once it is decided and for what somebody else has proposed, StaffOnly, ValueError
    without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        order, refund = refunds.locked(session, out_request_no, Refund.cause.in_(BY_PEOPLE))
        check(session, order, actor, Task.REFUND_PROPOSE)
        refunds.expect(refund, RefundState.REQUESTED)
        if actor.account_id is None or refund.asked_by_id != actor.account_id:
            raise NotYourTurn(refund=out_request_no, asked_by=refund.asked_by_id)
        refund.state, refund.decision, refund.decided_time = RefundState.WITHDRAWN, reason, clock.now()
        if refund.cause in OF_LINES:
            order.status = order_states.after(order.status, Action.REFUSE_REFUND)
        refund_messages.tell(session, order, refund, Step.WITHDRAWN)
        refunds.record(session, refund, "withdraw", RefundState.REQUESTED, actor, reason)
    return refund


def retry(out_request_no: str, *, actor: Actor, reason: str = "") -> None:
    """Send a failed refund again, with its own number. Raises NotFound, NotYourTurn (OwnCase), StaffOnly."""
    with unit_of_work() as session:
        order, refund = refunds.locked(session, out_request_no)
        refunds.expect(refund, RefundState.FAILED)
        _expect_no_transfer(refund)
        check(session, order, actor, Task.REFUND_DECIDE)
        refund.state, refund.next_try_time = RefundState.APPROVED, clock.now()
        refunds.record(session, refund, "retry", RefundState.FAILED, actor, reason)


def _expect_no_transfer(refund: Refund) -> None:
    """Money that somebody has transferred by hand is neither refused nor sent once more."""
    if refund.transfer_number is not None:
        raise NotYourTurn(refund=refund.out_request_no, transfer=refund.transfer_number)


def hurry(out_request_no: str, *, actor: Actor) -> None:
    """Make the job's next try due now; whoever calls ``refunds.send`` then, or the job, makes it.

    Raises NotFound, NotYourTurn (OwnCase) for one that is over, refused by Alipay or not decided, StaffOnly.
    """
    with unit_of_work() as session:
        order, refund = refunds.locked(session, out_request_no)
        refunds.expect(refund, RefundState.APPROVED, RefundState.IN_TRANSIT)
        check(session, order, actor, Task.MONEY_SETTLE)
        refund.next_try_time = clock.now()
        refunds.record(session, refund, "send", refund.state, actor)


# ---------------------------------------------------------------- who may


def check(session: Session, order: Order, actor: Actor, task: Task) -> None:
    """A person needs the right now, in this transaction (safety.md F66), and no share in the order.

    Raises StaffOnly, OwnCase.
    """
    if actor.account_id is None:
        return
    if not clerks.may(session, actor, task):
        raise StaffOnly
    if actor.account_id == order.account_id:
        raise OwnCase


def _decides(session: Session, actor: Actor) -> bool:
    return actor.account_id is None or clerks.may(session, actor, Task.REFUND_DECIDE)


def takes_two(session: Session, order_id: int) -> bool:
    """Whether what goes back of the order is more than one person may decide, this refund included.

    All its refunds together: else somebody would give a large sum back alone, line by line.
    """
    return session.scalars(decided_fen(order_id)).one() > settings().refund_two_persons_fen


def decided_fen(order_id: Any) -> Select[int]:
    """The fen of an order that people have sent back, or mean to."""
    of_order = Refund.order_id == order_id, Refund.cause.in_(BY_PEOPLE), Refund.state.not_in(NOTHING_MOVES)
    return select(func.coalesce(func.sum(Refund.amount_fen), 0)).where(*of_order)
