"""Money without a home as finance looks through it: what Alipay has and the books have not, or not in an order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from shop import clock
from shop.enums import RefundState, TroubleKind
from shop.errors import NotFound, StaffOnly
from shop.extensions import db, settings, unit_of_work
from shop.models import Account, AuditLog, Order, Payment, Reconciliation, ReconciliationDifference, Refund, Trouble
from shop.rules.refund_states import NOTHING_MOVES
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, keyset, payment, reconciliation, refund_decisions
from shop.services.audit_log import Actor
from shop.services.audit_queries import waiting
from shop.services.keyset import Cursor, Window
from shop.services.payment import Answer
from shop.services.troubles import REFUNDABLE

DAYS = 62  # reconciliations in the list
MOST = 500  # cases in the list: more than that is no queue any more but an outage


@dataclass(frozen=True, slots=True)
class Case:
    """One trouble that nobody has settled."""

    id: int
    kind: TroubleKind
    out_trade_no: str
    trade_no: str
    order_number: str  # "" without one
    amount_fen: int
    found_time: datetime
    found_by: str
    owner: str
    can_go_back: bool  # it came for an attempt of ours, and is not on its way back yet
    refund_number: str  # "" unless it is on its way back, or is to be
    is_proposed: bool  # somebody has proposed to send it back, another person decides
    takes_two: bool  # one person alone cannot send it back


@dataclass(frozen=True, slots=True)
class Surplus:
    """Late or double money that goes back by itself, and how far that is."""

    out_trade_no: str
    trade_no: str
    order_number: str
    amount_fen: int
    since: datetime
    refund_number: str  # "" before it is made
    refund_state: RefundState | None

    @property
    def is_on_its_way(self) -> bool:
        """Whether the job will send it by itself, or ask about it: that may be now."""
        return self.refund_state in (RefundState.APPROVED, RefundState.IN_TRANSIT)


@dataclass(frozen=True, slots=True)
class Day:
    """One reconciliation in the list."""

    bill_date: date
    run_time: datetime
    runs: int
    differences: int
    healed: int
    open: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One line in which bill and books disagreed."""

    row: ReconciliationDifference
    owner: str


def cases() -> list[Case]:
    """Troubles, the oldest first, at most MOST."""
    return _cases(Cursor(), MOST).rows


def every_case() -> Iterator[Case]:
    """All of them, read batch by batch as they are asked for."""
    return keyset.every(lambda cursor: _cases(cursor, keyset.BATCH))


def _cases(cursor: Cursor, size: int) -> Window[Case]:
    query = (
        select(
            Trouble,
            func.coalesce(Order.order_number, ""),
            func.coalesce(Account.username, ""),
            func.coalesce(Refund.out_request_no, ""),
            Refund.state,
            Trouble.amount_fen + refund_decisions.decided_fen(Order.id).correlate(Order).scalar_subquery(),
        )
        .outerjoin(Trouble.payment)
        .outerjoin(Payment.order)
        .outerjoin(Account, Account.id == Trouble.handler_id)
        .outerjoin(Refund, (Refund.trouble_id == Trouble.id) & Refund.state.not_in(NOTHING_MOVES))
        .where(Trouble.resolved_time.is_(None))
    )
    found = keyset.page(
        db.session(),
        query,
        Trouble.found_time,  # type: ignore[arg-type]
        Trouble.id,  # type: ignore[arg-type]
        place_of=lambda row: (row[0].found_time, row[0].id),
        cursor=cursor,
        size=size,
        is_descending=False,
    )
    return Window([_case(*row) for row in found.rows], found.before, found.after)


def _case(
    trouble: Trouble,
    order_number: str,
    owner: str,
    refund_number: str,
    state: RefundState | None,
    total_fen: int | None,
) -> Case:
    return Case(
        id=trouble.id,
        kind=trouble.kind,
        out_trade_no=trouble.out_trade_no,
        trade_no=trouble.trade_no,
        order_number=order_number,
        amount_fen=trouble.amount_fen,
        found_time=trouble.found_time,
        found_by=trouble.found_by,
        owner=owner,
        can_go_back=trouble.kind in REFUNDABLE and trouble.payment_id is not None and not refund_number,
        refund_number=refund_number,
        is_proposed=state is RefundState.REQUESTED,
        takes_two=(total_fen or 0) > settings().refund_two_persons_fen,
    )


def ask_gateway(trouble_id: int, *, actor: Actor) -> Answer:
    """What Alipay says about the attempt of an open case now, booked by the rules. Raises NotFound, StaffOnly."""
    with unit_of_work() as session:
        _check(session, actor)
        found = session.get(Trouble, trouble_id)
        if found is None or found.resolved_time is not None:
            raise NotFound
        audit_log.record(session, actor, "trouble inquiry", found, after={"out_trade_no": found.out_trade_no})
        number = found.out_trade_no
    return payment.ask(number)


def surplus() -> list[Surplus]:
    """Money that no order could use and that is not refunded in full yet, the oldest first, at most MOST."""
    other = aliased(Refund)
    latest = (
        select(func.max(other.id))
        .where(other.payment_id == Payment.id, other.trouble_id.is_(None))
        .correlate(Payment)
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(Payment, Order.order_number, Refund.out_request_no, Refund.state)
        .join(Payment.order)
        .outerjoin(Refund, Refund.id == latest)
        .where(Payment.id.in_(waiting.money_at_the_desk()))
        .order_by(Payment.id)
        .limit(MOST)
    )
    return [
        Surplus(
            out_trade_no=payment.out_trade_no,
            trade_no=payment.trade_no or "",
            order_number=order_number,
            amount_fen=payment.amount_fen,
            since=payment.paid_time or payment.created_time,
            refund_number=number or "",
            refund_state=state,
        )
        for payment, order_number, number, state in rows
    ]


# ---------------------------------------------------------------- reconciliation


def days() -> list[Day]:
    """The latest reconciliations, newest first."""
    difference = ReconciliationDifference
    is_open = difference.resolved_time.is_(None) & ~difference.is_healed
    rows = db.session.execute(
        select(
            Reconciliation,
            func.count(difference.id),
            func.count(difference.id).filter(difference.is_healed),
            func.count(difference.id).filter(is_open),
        )
        .outerjoin(difference, difference.reconciliation_id == Reconciliation.id)
        .group_by(Reconciliation.id)
        .order_by(Reconciliation.bill_date.desc())
        .limit(DAYS)
    )
    return [Day(row.bill_date, row.run_time, row.runs, *numbers) for row, *numbers in rows]


def day(bill_date: date) -> tuple[Reconciliation, Sequence[Difference], Sequence[AuditLog]]:
    """One day's comparison with its differences, open ones first, and what staff did about it. Raises NotFound."""
    session = db.session()
    row = session.scalars(select(Reconciliation).where(Reconciliation.bill_date == bill_date)).one_or_none()
    if row is None:
        raise NotFound
    difference = ReconciliationDifference
    found = session.execute(
        select(difference, func.coalesce(Account.username, ""))
        .outerjoin(Account, Account.id == difference.handler_id)
        .where(difference.reconciliation_id == row.id)
        .order_by(difference.is_healed, difference.resolved_time.is_not(None), difference.id)
    )
    differences = [Difference(line, owner) for line, owner in found]
    ids = [line.row.id for line in differences]
    about = AuditLog.subject_table == difference.__tablename__, AuditLog.subject_id.in_(ids)
    return row, differences, session.scalars(select(AuditLog).where(*about).order_by(AuditLog.id)).all()


def compare_again(bill_date: date, *, actor: Actor) -> int:
    """Compare the day once more, which heals what is safe; how many differences are left to people.

    Raises NotOver, NoBill, StaffOnly.
    """
    with unit_of_work() as session:
        _check(session, actor)
        row = session.scalars(select(Reconciliation).where(Reconciliation.bill_date == bill_date)).one_or_none()
        subject = row or Reconciliation(id=0)  # the first comparison makes the row; ``after`` names the day
        audit_log.record(session, actor, "reconciliation run", subject, after={"day": bill_date.isoformat()})
    return len(reconciliation.open_differences(reconciliation.reconcile(bill_date)))


def day_of(difference_id: int) -> date:
    """The day that a difference belongs to. Raises NotFound."""
    of = select(Reconciliation.bill_date).join(Reconciliation.differences)
    found = db.session.scalar(of.where(ReconciliationDifference.id == difference_id))
    if found is None:
        raise NotFound
    return found


def take_difference(difference_id: int, *, actor: Actor) -> date:
    """Note that this person looks after it; the day it belongs to. Raises NotFound, StaffOnly."""
    return _change(difference_id, actor, "take", "")


def resolve_difference(difference_id: int, *, actor: Actor, reason: str) -> date:
    """Note how people have settled it; the day it belongs to. Moves nothing. Raises NotFound, StaffOnly, ValueError."""
    return _change(difference_id, actor, "resolve", audit_log.checked_reason(reason))


def _change(difference_id: int, actor: Actor, verb: str, reason: str) -> date:
    with unit_of_work() as session:
        row = session.get(ReconciliationDifference, difference_id, with_for_update=True)
        _check(session, actor)
        if row is None or row.is_healed or row.resolved_time is not None:
            raise NotFound
        row.handler_id = actor.account_id
        if reason:
            row.resolved_time, row.resolution = clock.now(), reason
        audit_log.record(
            session, actor, f"reconciliation_difference {verb}", row, after={"kind": int(row.kind)}, reason=reason
        )
        return session.get_one(Reconciliation, row.reconciliation_id).bill_date


def _check(session: Session, actor: Actor) -> None:
    if not clerks.may(session, actor, Task.MONEY_SETTLE):
        raise StaffOnly
