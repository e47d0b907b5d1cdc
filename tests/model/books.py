"""What must hold in the shop at any moment, and how its books compare with the cashier's own."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import CompoundSelect, func, literal, select, union_all
from sqlalchemy.orm import Session

from cashier import clock as cashier_clock
from cashier import trades, visits
from cashier.desk import Desk
from shop import clock
from shop.enums import OrderStatus, PaymentState, RefundCause, RefundState, TroubleKind
from shop.extensions import db
from shop.models import Order, Payment, Refund, Trouble
from shop.services import audit
from shop.services.attempts import GRACE
from shop.services.audit_queries import CHECKS
from tests.audit import assert_audit_clean

ODD_MONEY = (TroubleKind.WRONG_AMOUNT, TroubleKind.SECOND_TRADE, TroubleKind.UNKNOWN_TRADE)
BY_HAND = "HAND"  # how the numbers of refunds begin that were made at Alipay
ON_ITS_WAY = (RefundState.APPROVED, RefundState.IN_TRANSIT, RefundState.FAILED)

# ---------------------------------------------------------------- the shop alone


def assert_invariants() -> None:
    """The whole audit. Its checks go as one statement, built once; what they find is then told in its own words."""
    with db.engine.connect() as connection:
        broken = connection.execute(_every_check()).first()
    if broken:
        assert_audit_clean()
        raise AssertionError(f"the audit found {broken} a moment ago")


@lru_cache(maxsize=1)
def _every_check() -> CompoundSelect[Any]:
    queries = [(check.name, check.query().subquery()) for check in CHECKS]
    return union_all(*(select(literal(name), next(iter(found.c))) for name, found in queries))


def assert_nothing_waits() -> None:
    """But for what only people decide: requests for refunds, those that Alipay refuses for good, and odd money."""
    with Session(db.engine) as session:
        waiting = {
            "unpaid order": session.scalars(select(Order.id).where(Order.status == OrderStatus.PENDING)).all(),
            "attempt": session.scalars(select(Payment.id).where(Payment.next_ask_time.is_not(None))).all(),
            "refund": session.scalars(
                select(Refund.id).where(Refund.state.in_((RefundState.APPROVED, RefundState.IN_TRANSIT)))
            ).all(),
            "surplus": session.scalars(
                select(Payment.id).where(
                    Payment.state == PaymentState.SURPLUS,
                    ~select(Refund.id)
                    .where(Refund.payment_id == Payment.id, Refund.state.in_((RefundState.DONE, RefundState.FAILED)))
                    .exists(),
                )
            ).all(),
        }
        late = [notice for notice in audit.notices(session, clock.now()) if notice.name == "order_is_late"]
    assert not any(waiting.values()), waiting
    assert not late


def next_due() -> datetime | None:
    """When the jobs have something to do next; for an unpaid order not before it can be ended."""
    with Session(db.engine) as session:
        asks = session.scalar(select(func.min(Payment.next_ask_time)).where(Payment.state != PaymentState.OPEN))
        ends = session.scalar(select(func.min(Payment.expires_at)).where(Payment.state == PaymentState.OPEN))
        open_asks = session.scalar(select(func.min(Payment.next_ask_time)).where(Payment.state == PaymentState.OPEN))
        tries = session.scalar(select(func.min(Refund.next_try_time)))
        leases = session.scalar(select(func.max(Refund.leased_until)).where(Refund.next_try_time.is_not(None)))
    if ends and open_asks:
        asks = min(filter(None, (asks, max(ends + GRACE, open_asks))))
    if tries and leases:
        tries = max(tries, leases)
    return min(filter(None, (asks, tries)), default=None)


def there_is(desk: Desk) -> set[str]:
    """What a step could be about: "unpaid order", "paid order", "failed refund", "waiting trade" and so on."""
    with db.engine.connect() as connection:
        found = {_STATES[status] for (status,) in connection.execute(select(Order.status).distinct())}
        found |= {f"{state.name.lower()} refund" for (state,) in connection.execute(select(Refund.state).distinct())}
        if connection.execute(_ODD_TRADES).first():
            found.add("odd money")
    with desk.store.read() as cashier:
        pages = cashier.execute(
            "SELECT out_trade_no FROM visit EXCEPT SELECT out_trade_no FROM trade WHERE paid_at > 0"
        )
        trades_found = cashier.execute("SELECT DISTINCT status, paid_at > 0 AS is_paid FROM trade").fetchall()
        if cashier.execute("SELECT 1 FROM message").fetchone():
            found.add("message")
        if pages.fetchone():
            found.add("open page")
    found |= {"paid trade" if row["is_paid"] else row["status"] for row in trades_found}
    return found


_STATES = {
    OrderStatus.PENDING: "unpaid order",
    OrderStatus.PAID: "paid order",
    OrderStatus.REFUND_REQUESTED: "order with refund",
    OrderStatus.REFUNDED: "refunded order",
    OrderStatus.CANCELLED: "ended order",
    OrderStatus.TIMED_OUT: "ended order",
}


def order_of(token: str) -> str:
    with Session(db.engine) as session:
        return session.scalars(select(Order.order_number).where(Order.settlement_token == token)).one()


def troubled() -> list[str]:
    """Attempts for which odd money came."""
    with Session(db.engine) as session:
        return list(
            session.scalars(select(Trouble.out_trade_no).where(Trouble.kind.in_(ODD_MONEY)).order_by(Trouble.id))
        )


# ---------------------------------------------------------------- the shop beside the cashier


def assert_agree(desk: Desk, reopened: set[str]) -> None:
    """What the shop believes, Alipay has; what Alipay has, the shop knows, or will ask about (safety.md G1-G3).

    ``reopened`` are trades about which Alipay lied: of those the shop may know nothing until the bill.
    """
    paid, refunded = _paid(desk), _refunded(desk)
    with db.engine.connect() as connection:
        payments = connection.execute(_PAYMENTS).all()
        odd = {trade_no for (trade_no,) in connection.execute(_ODD_TRADES)}
        refunds = connection.execute(_REFUNDS).all()
    for payment in payments:
        if payment.trade_no:
            trade = paid[payment.trade_no]
            assert (trade["out_trade_no"], trade["total_fen"]) == (payment.out_trade_no, payment.amount_fen)
    for refund in refunds:
        at_alipay = refunded.pop((refund.odd_trade_no or refund.trade_no, refund.out_request_no), None)
        if refund.state is RefundState.DONE and refund.amount_fen:
            assert at_alipay == refund.amount_fen, f"{refund.out_request_no}: {at_alipay} at Alipay"
        elif at_alipay and refund.cause is not RefundCause.GATEWAY:
            assert refund.state in ON_ITS_WAY, f"{refund.out_request_no} was carried out and is {refund.state.name}"
    assert all(number.startswith(BY_HAND) for _, number in refunded), f"refunds out of nowhere: {refunded}"
    known = odd | {payment.trade_no for payment in payments}
    asked = {payment.out_trade_no for payment in payments if payment.next_ask_time}
    for trade_no, trade in paid.items():
        is_gone = trade["refunded_fen"] == trade["total_fen"]
        assert trade_no in known or trade_no in reopened or trade["out_trade_no"] in asked or is_gone, (
            f"the shop will never hear that {trade['out_trade_no']} was paid"
        )


_PAYMENTS = select(Payment.out_trade_no, Payment.trade_no, Payment.amount_fen, Payment.next_ask_time)
_ODD_TRADES = select(Trouble.trade_no).where(Trouble.kind.in_(ODD_MONEY))
_REFUNDS = (
    select(
        *(Refund.out_request_no, Refund.amount_fen, Refund.state, Refund.cause),
        Payment.trade_no,
        Trouble.trade_no.label("odd_trade_no"),
    )
    .outerjoin(Payment, Payment.id == Refund.payment_id)
    .outerjoin(Trouble, Trouble.id == Refund.trouble_id)
)


def assert_sums(desk: Desk) -> None:
    """All has been heard of: money received less what went back = money on paid orders + waiting at the desk."""
    paid = _paid(desk)
    with Session(db.engine) as session:
        booked = session.execute(
            select(Payment.trade_no, Payment.amount_fen).where(Payment.trade_no.is_not(None))
        ).all()
        odd = session.scalars(select(Trouble).where(Trouble.kind.in_(ODD_MONEY))).all()
        done = session.execute(
            select(func.coalesce(func.sum(Refund.amount_fen), 0)).where(
                Refund.state == RefundState.DONE, Refund.trouble_id.is_(None)
            )
        ).scalar_one()
        for trouble in odd:
            assert paid[trouble.trade_no]["total_fen"] == trouble.amount_fen
    ours = {trade_no for trade_no, _ in booked}
    received = sum(trade["total_fen"] for trade_no, trade in paid.items() if trade_no in ours)
    went_back = sum(trade["refunded_fen"] for trade_no, trade in paid.items() if trade_no in ours)
    left = {trade_no for trade_no, trade in paid.items() if trade["refunded_fen"] < trade["total_fen"]}
    assert received - went_back == sum(fen for _, fen in booked) - done
    assert left <= ours | {trouble.trade_no for trouble in odd}


def has_unheard(desk: Desk, reopened: set[str]) -> bool:
    """Whether Alipay has moved money of which it has told nothing that arrived: the bill will tell."""
    with Session(db.engine) as session:
        done = set(session.scalars(select(Refund.out_request_no).where(Refund.state == RefundState.DONE)))
        known = set(session.scalars(select(Payment.trade_no)))
    return any(number not in done for _, number in _refunded(desk)) or bool(reopened & _paid(desk).keys() - known)


# ---------------------------------------------------------------- the cashier alone


def _paid(desk: Desk) -> dict[str, Any]:
    """Trades that were paid, ever, by trade number."""
    with desk.store.read() as cashier:
        rows = cashier.execute("SELECT * FROM trade WHERE paid_at IS NOT NULL")
        return {row["trade_no"]: row for row in rows}


def _refunded(desk: Desk) -> dict[tuple[str | None, str], int]:
    """Fen by trade number and refund number."""
    with desk.store.read() as cashier:
        rows = cashier.execute("SELECT * FROM refund")
        return {(row["trade_no"], row["out_request_no"]): row["amount_fen"] for row in rows}


def message_ids(desk: Desk) -> list[int]:
    with desk.store.read() as cashier:
        return [row["id"] for row in cashier.execute("SELECT id FROM message ORDER BY id")]


def return_url(desk: Desk, out_trade_no: str) -> str:
    """Where the cashier's page sends the buyer back to."""
    with desk.store.read() as cashier:
        visit, trade = visits.latest(cashier, out_trade_no), trades.get(cashier, out_trade_no=out_trade_no)
    assert visit
    return desk.back_url(visit, trade)


def days_of_business(desk: Desk) -> list[date]:
    """Days on which money moved, oldest first."""
    with desk.store.read() as cashier:
        rows = cashier.execute(
            "SELECT paid_at AS at FROM trade WHERE paid_at IS NOT NULL UNION SELECT done_at FROM refund"
        ).fetchall()
    return sorted({cashier_clock.day(row["at"]) for row in rows})
