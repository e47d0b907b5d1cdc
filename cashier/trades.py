"""The state machine of a trade (alipay.md 6.3) and its storage. Amounts in fen, instants in seconds since 1970.

none -> (log-in) WAIT_BUYER_PAY -> (pay) TRADE_SUCCESS -> (refund window) TRADE_FINISHED;
WAIT_BUYER_PAY -> (time_expire, close) TRADE_CLOSED; TRADE_SUCCESS -> (all refunded) TRADE_CLOSED.
"""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from cashier import clock
from cashier.refusals import Refused, trade_not_exist
from cashier.visits import Visit

WAITING, SUCCESS, CLOSED, FINISHED = "WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_CLOSED", "TRADE_FINISHED"
REFUND_WINDOW = 90 * 86400.0  # seconds; the contract decides at the real one


@dataclass(frozen=True, slots=True)
class Buyer:
    """One of the two people with a simulated Alipay account."""

    letter: str
    name: str
    user_id: str
    logon_id: str  # masked, as merchants see it


BUYERS = {
    "A": Buyer("A", "买家甲", "2088000000000101", "mai***@example.com"),
    "B": Buyer("B", "买家乙", "2088000000000202", "138****0002"),
}


@dataclass(frozen=True, slots=True)
class Trade:
    """One trade over ``total_fen``; ``asked_fen`` is what the merchant asked for (the same, mischief apart)."""

    trade_no: str
    out_trade_no: str
    product: str
    total_fen: int
    refunded_fen: int
    status: str
    subject: str
    body: str
    passback_params: str
    notify_url: str
    charset: str
    buyer: str
    asked_fen: int
    expires_at: float
    created_at: float
    paid_at: float | None
    refunded_at: float | None
    closed_at: float | None

    @property
    def person(self) -> Buyer:
        return BUYERS[self.buyer]

    @property
    def is_paid(self) -> bool:
        return self.paid_at is not None


@dataclass(frozen=True, slots=True)
class Refund:
    """A done refund; ``is_named`` tells whether the merchant gave the request a number of its own."""

    out_request_no: str
    is_named: bool
    amount_fen: int
    reason: str
    done_at: float


def find(db: sqlite3.Connection, *, trade_no: str = "", out_trade_no: str = "") -> Trade | None:
    """By Alipay's number if given (it wins), else by the merchant's."""
    column, value = ("trade_no", trade_no) if trade_no else ("out_trade_no", out_trade_no)
    row = db.execute(f"SELECT * FROM trade WHERE {column} = ?", (value,)).fetchone()  # noqa: S608  two fixed names
    return Trade(**dict(row)) if row else None


def get(db: sqlite3.Connection, *, trade_no: str = "", out_trade_no: str = "") -> Trade:
    """Raises Refused ACQ.TRADE_NOT_EXIST."""
    trade = find(db, trade_no=trade_no, out_trade_no=out_trade_no)
    if trade is None:
        raise trade_not_exist()
    return trade


def recent(db: sqlite3.Connection, limit: int = 200) -> list[Trade]:
    rows = db.execute("SELECT * FROM trade ORDER BY rowid DESC LIMIT ?", (limit,)).fetchall()
    return [Trade(**dict(row)) for row in rows]


def check_request(trade: Trade | None, *, product: str, total_fen: int, subject: str) -> None:
    """What a page request finds when its out_trade_no was sent before (alipay.md 1.3). Raises Refused."""
    if trade is None:
        return
    if trade.status in (SUCCESS, FINISHED):
        raise Refused("ACQ.TRADE_HAS_SUCCESS", "交易已被支付")
    if trade.status == CLOSED:
        raise Refused("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
    if (trade.product, trade.asked_fen, trade.subject) != (product, total_fen, subject):
        raise Refused("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")


def log_in(db: sqlite3.Connection, visit: Visit, buyer: str, now: float, *, total_fen: int | None = None) -> Trade:
    """The trade of a page, created for this buyer if it is not there yet. Raises Refused.

    Only now does a trade exist; query and close knew nothing of it before (alipay.md 0.1).
    """
    trade = find(db, out_trade_no=visit.out_trade_no)
    check_request(trade, product=visit.product, total_fen=visit.total_fen, subject=visit.subject)
    if trade is None:
        if now >= visit.expires_at:
            raise Refused("ACQ.TRADE_HAS_CLOSE", "交易已超时")
        return _create(db, visit, buyer, now, visit.total_fen if total_fen is None else total_fen)
    if trade.buyer != buyer:
        raise Refused("ACQ.TRADE_BUYER_NOT_MATCH", "交易买家不匹配")
    return trade


def pay(db: sqlite3.Connection, trade: Trade, now: float) -> Trade:
    """Raises Refused unless the trade waits; what is overdue has been closed by ``expire`` in this transaction."""
    if trade.status != WAITING:
        raise Refused("ACQ.TRADE_HAS_SUCCESS" if trade.is_paid else "ACQ.TRADE_HAS_CLOSE", "交易不在待付款状态")
    return _change(db, trade, "status = ?, paid_at = ?", (SUCCESS, now))


def close(db: sqlite3.Connection, trade: Trade, now: float) -> Trade:
    """Raises Refused ACQ.TRADE_STATUS_ERROR unless the trade waits."""
    if trade.status != WAITING:
        raise Refused("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
    return _change(db, trade, "status = ?, closed_at = ?", (CLOSED, now))


def refund(
    db: sqlite3.Connection, trade: Trade, amount_fen: int, out_request_no: str, reason: str, now: float
) -> tuple[Trade, Refund | None]:
    """The trade after it, and the refund if money moved now (None: this number was refunded before).

    Without a number the whole trade is meant, once. Raises Refused (alipay.md 4.5).
    """
    number = out_request_no or trade.out_trade_no
    before = find_refund(db, trade, number)
    if before is not None:
        if before.amount_fen != amount_fen:
            raise Refused("ACQ.DISCORDANT_REPEAT_REQUEST", "请求信息不一致")
        return trade, None
    _check_refundable(trade, amount_fen, is_named=bool(out_request_no))
    done = Refund(number, bool(out_request_no), amount_fen, reason, now)
    db.execute(
        "INSERT INTO refund (trade_no, out_request_no, named, amount_fen, reason, done_at) VALUES (?, ?, ?, ?, ?, ?)",
        (trade.trade_no, number, done.is_named, amount_fen, reason, now),
    )
    is_whole = trade.refunded_fen + amount_fen == trade.total_fen
    status, closed_at = (CLOSED, now) if is_whole else (trade.status, None)
    change = "refunded_fen = refunded_fen + ?, refunded_at = ?, status = ?, closed_at = ?"
    return _change(db, trade, change, (amount_fen, now, status, closed_at)), done


def find_refund(db: sqlite3.Connection, trade: Trade, out_request_no: str) -> Refund | None:
    row = db.execute(
        "SELECT * FROM refund WHERE trade_no = ? AND out_request_no = ?", (trade.trade_no, out_request_no)
    ).fetchone()
    if row is None:
        return None
    return Refund(row["out_request_no"], bool(row["named"]), row["amount_fen"], row["reason"], row["done_at"])


def expire(db: sqlite3.Connection, now: float) -> list[Trade]:
    """Close what was not paid in time and finish what can no longer be refunded; returns the trades closed now."""
    db.execute(
        "UPDATE trade SET status = ? WHERE status = ? AND paid_at <= ?", (FINISHED, SUCCESS, now - REFUND_WINDOW)
    )
    rows = db.execute(
        "UPDATE trade SET status = ?, closed_at = expires_at WHERE status = ? AND expires_at <= ? RETURNING *",
        (CLOSED, WAITING, now),
    ).fetchall()
    return [Trade(**dict(row)) for row in rows]


def new_trade_no(now: float) -> str:
    """28 digits, the date and Alipay's ``22001`` first."""
    return f"{clock.day(now):%Y%m%d}22001{secrets.randbelow(10**15):015d}"


def _create(db: sqlite3.Connection, visit: Visit, buyer: str, now: float, total_fen: int) -> Trade:
    trade = Trade(
        trade_no=new_trade_no(now),
        out_trade_no=visit.out_trade_no,
        product=visit.product,
        total_fen=total_fen,
        refunded_fen=0,
        status=WAITING,
        subject=visit.subject,
        body=visit.body,
        passback_params=visit.passback_params,
        notify_url=visit.notify_url,
        charset=visit.charset,
        buyer=buyer,
        asked_fen=visit.total_fen,
        expires_at=visit.expires_at,
        created_at=now,
        paid_at=None,
        refunded_at=None,
        closed_at=None,
    )
    names = Trade.__slots__
    db.execute(
        f"INSERT INTO trade ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608  fixed names
        tuple(getattr(trade, name) for name in names),
    )
    return trade


def _change(db: sqlite3.Connection, trade: Trade, change: str, values: tuple[object, ...]) -> Trade:
    """Callers hold the write transaction, so what they read is still so."""
    row = db.execute(
        f"UPDATE trade SET {change} WHERE trade_no = ? RETURNING *",  # noqa: S608  ``change`` is fixed text
        (*values, trade.trade_no),
    ).fetchone()
    return Trade(**dict(row))


def _check_refundable(trade: Trade, amount_fen: int, *, is_named: bool) -> None:
    if trade.status == FINISHED:
        raise Refused("ACQ.TRADE_HAS_FINISHED", "交易已完结")
    if trade.status != SUCCESS:
        raise Refused("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
    if not is_named and amount_fen != trade.total_fen:
        raise Refused("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额与订单总金额不一致，部分退款需传入 out_request_no")
    if not 0 < amount_fen <= trade.total_fen - trade.refunded_fen:
        raise Refused("ACQ.REASON_TRADE_REFUND_FEE_ERR", "退款金额无效")
