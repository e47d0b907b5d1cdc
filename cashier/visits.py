"""Page-pay requests that were let in: what a cashier page shows before (and after) a trade exists."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from cashier.pay_content import PayContent


@dataclass(frozen=True, slots=True)
class Visit:
    """One opened cashier page; ``buyer`` is the letter of whoever logged in on it, or empty."""

    token: str
    form_token: str
    product: str  # page or wap
    out_trade_no: str
    total_fen: int
    subject: str
    body: str
    passback_params: str
    notify_url: str
    return_url: str
    quit_url: str
    charset: str
    expires_at: float
    seen_at: float
    buyer: str = ""
    back_url: str | None = None


def add(
    db: sqlite3.Connection, content: PayContent, *, notify_url: str, return_url: str, charset: str, now: float
) -> Visit:
    visit = Visit(
        token=secrets.token_urlsafe(18),
        form_token=secrets.token_urlsafe(18),
        product=content.product,
        out_trade_no=content.out_trade_no,
        total_fen=content.total_fen,
        subject=content.subject,
        body=content.body,
        passback_params=content.passback_params,
        notify_url=notify_url,
        return_url=return_url,
        quit_url=content.quit_url,
        charset=charset,
        expires_at=content.expires_at(first_seen(db, content.out_trade_no, now)),
        seen_at=now,
    )
    values = tuple(getattr(visit, name) for name in Visit.__slots__)
    db.execute(f"INSERT INTO visit ({', '.join(Visit.__slots__)}) VALUES ({', '.join('?' * len(values))})", values)  # noqa: S608
    return visit


def by_token(db: sqlite3.Connection, token: str) -> Visit | None:
    return _one(db.execute("SELECT * FROM visit WHERE token = ?", (token,)))


def latest(db: sqlite3.Connection, out_trade_no: str) -> Visit | None:
    return _one(db.execute("SELECT * FROM visit WHERE out_trade_no = ? ORDER BY rowid DESC LIMIT 1", (out_trade_no,)))


def recent(db: sqlite3.Connection, limit: int = 50) -> list[Visit]:
    rows = db.execute("SELECT * FROM visit ORDER BY rowid DESC LIMIT ?", (limit,)).fetchall()
    return [Visit(**dict(row)) for row in rows]


def log_in(db: sqlite3.Connection, token: str, buyer: str) -> None:
    db.execute("UPDATE visit SET buyer = ? WHERE token = ?", (buyer, token))


def keep_back_url(db: sqlite3.Connection, token: str, url: str) -> None:
    db.execute("UPDATE visit SET back_url = ? WHERE token = ?", (url, token))


def first_seen(db: sqlite3.Connection, out_trade_no: str, now: float) -> float:
    """A relative timeout counts from the first request of that number."""
    row = db.execute("SELECT min(seen_at) FROM visit WHERE out_trade_no = ?", (out_trade_no,)).fetchone()
    return now if row[0] is None else float(row[0])


def _one(cursor: sqlite3.Cursor) -> Visit | None:
    row = cursor.fetchone()
    return Visit(**dict(row)) if row else None
