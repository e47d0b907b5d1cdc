"""Messages waiting to be handed to the merchant, in the database: they survive a restart and any number of senders."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from cashier import faults, notices, recipes, trades
from cashier.faults import Fault
from cashier.notices import Seller
from cashier.recipes import RecipeList
from cashier.trades import Refund, Trade
from cashier.visits import Visit

# Seconds from one attempt to the next (alipay.md 3.5); the first goes at once, the eighth is the last.
GAPS = (4 * 60, 10 * 60, 10 * 60, 3600, 2 * 3600, 6 * 3600, 15 * 3600)
SECOND_COPY_AFTER = 1.0
AFTER_RETURN = 2.0  # seconds from the click on "back" to the held message: the return has been answered by then


class MessageGone(LookupError):
    """No message has this id."""


@dataclass(frozen=True, slots=True)
class Message:
    """One notification: what it says (unsigned), and how it is spoilt."""

    id: int
    out_trade_no: str
    url: str
    charset: str
    fields: dict[str, str]
    recipes: RecipeList
    state: str  # pending, done, given_up; held, reordered (wait for something), lost, manual (never scheduled)
    attempts: int
    next_at: float
    created_at: float


def announce(
    db: sqlite3.Connection, trade: Trade, seller: Seller, now: float, refund: Refund | None = None
) -> list[int]:
    """Queue the message about a trade's new state, if Alipay sends one, spoilt by the faults that are set.

    Returns the ids of the messages that are due at once.
    """
    if not trade.notify_url or not notices.is_sent(trade, refund):
        return []
    struck = faults.take(db, faults.NOTIFY, trade.out_trade_no)
    fields = notices.notification(trade, seller, now, refund)
    spoilt = [
        (kind, fault.args) for kind, fault in struck.items() if kind in recipes.RECIPES - {"notify_other_trade_no"}
    ]
    state, delay = _fate(struck)
    due_now = []
    for wait in _copies(struck):
        number = add(db, trade, fields, now, recipe_list=spoilt, state=state, next_at=now + delay + wait)
        if state == "pending" and not delay + wait:
            due_now.append(number)
    if "notify_other_trade_no" in struck:
        again = fields | {"notify_id": notices.new_notify_id(now)}
        named = struck["notify_other_trade_no"].args["trade_no"]
        other = [("notify_other_trade_no", {"trade_no": named or trades.new_trade_no(now)})]
        add(db, trade, again, now, recipe_list=other, next_at=now + SECOND_COPY_AFTER)
    return due_now


def add(
    db: sqlite3.Connection,
    about: Trade | Visit,
    fields: dict[str, str],
    now: float,
    *,
    recipe_list: RecipeList | None = None,
    state: str = "pending",
    next_at: float | None = None,
    url: str = "",
) -> int:
    """Queue one message to the notify_url of its trade or page (or to ``url``); returns its id."""
    row = db.execute(
        "INSERT INTO message (out_trade_no, url, charset, fields_json, recipes_json, state, next_at, created_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            about.out_trade_no,
            url or about.notify_url,
            about.charset,
            json.dumps(fields, ensure_ascii=False),
            json.dumps(recipe_list or []),
            state,
            now if next_at is None else next_at,
            now,
        ),
    ).fetchone()
    return int(row["id"])


def due(db: sqlite3.Connection, now: float, real_now: float, limit: int) -> list[int]:
    rows = db.execute(
        "SELECT id FROM message WHERE state = 'pending' AND next_at <= ? AND claimed_until <= ? "
        "ORDER BY next_at, id LIMIT ?",
        (now, real_now, limit),
    ).fetchall()
    return [int(row["id"]) for row in rows]


def claim(db: sqlite3.Connection, message_id: int, now: float, real_now: float, seconds: float) -> Message | None:
    """The message, for this sender alone; None when another has it or it is no longer due.

    ``real_now`` is the unmoved clock: a claim lasts as long as an attempt may really take.
    """
    row = db.execute(
        "UPDATE message SET claimed_until = ? "
        "WHERE id = ? AND state = 'pending' AND next_at <= ? AND claimed_until <= ? RETURNING *",
        (real_now + seconds, message_id, now, real_now),
    ).fetchone()
    return _message(row) if row else None


def finish_attempt(db: sqlite3.Connection, message: Message, now: float, *, is_accepted: bool, speed: float) -> None:
    """Note the outcome and when to try again; what waited for this one to arrive is released."""
    attempts = message.attempts + 1
    if is_accepted:
        state, next_at = "done", now
    elif attempts > len(GAPS):
        state, next_at = "given_up", now
    else:
        state, next_at = "pending", now + GAPS[attempts - 1] / speed
    db.execute(
        "UPDATE message SET state = ?, attempts = ?, next_at = ?, claimed_until = 0 WHERE id = ?",
        (state, attempts, next_at, message.id),
    )
    db.execute(
        "UPDATE message SET state = 'pending', next_at = ? WHERE state = 'reordered' AND out_trade_no = ? AND id < ?",
        (now, message.out_trade_no, message.id),
    )


def release_held(db: sqlite3.Connection, out_trade_no: str, now: float) -> None:
    """The buyer went back: messages that waited for it follow shortly after."""
    db.execute(
        "UPDATE message SET state = 'pending', next_at = ? WHERE state = 'held' AND out_trade_no = ?",
        (now + AFTER_RETURN, out_trade_no),
    )


def get(db: sqlite3.Connection, message_id: int) -> Message:
    """Raises MessageGone."""
    row = db.execute("SELECT * FROM message WHERE id = ?", (message_id,)).fetchone()
    if row is None:
        raise MessageGone(message_id)
    return _message(row)


def listed(db: sqlite3.Connection, out_trade_no: str = "", limit: int = 200) -> list[Message]:
    rows = db.execute(
        "SELECT * FROM message WHERE ? IN ('', out_trade_no) ORDER BY id DESC LIMIT ?", (out_trade_no, limit)
    ).fetchall()
    return [_message(row) for row in reversed(rows)]


def log_delivery(
    db: sqlite3.Connection,
    message_id: int,
    now: float,
    body: dict[str, str],
    status: int | None,
    answer: str,
    error: str,
) -> None:
    db.execute(
        "INSERT INTO delivery (message_id, at, body_json, http_status, answer, error) VALUES (?, ?, ?, ?, ?, ?)",
        (message_id, now, json.dumps(body, ensure_ascii=False), status, answer, error),
    )


def deliveries(db: sqlite3.Connection, message_id: int) -> list[dict[str, Any]]:
    """Attempts, oldest first: ``at``, ``body`` (as sent), ``http_status`` (None: no answer), ``answer``, ``error``."""
    rows = db.execute("SELECT * FROM delivery WHERE message_id = ? ORDER BY id", (message_id,)).fetchall()
    return [
        {
            "at": row["at"],
            "body": json.loads(row["body_json"]),
            "http_status": row["http_status"],
            "answer": row["answer"],
            "error": row["error"],
        }
        for row in rows
    ]


def _fate(struck: dict[str, Fault]) -> tuple[str, float]:
    """State of a new message, and seconds it is late."""
    if "notify_lost" in struck:
        return "lost", 0.0
    if "notify_after_return" in struck:
        return "held", 0.0
    if "notify_reordered" in struck:
        return "reordered", 0.0
    late = struck.get("notify_late")
    return "pending", float(late.args["seconds"]) if late else 0.0


def _copies(struck: dict[str, Fault]) -> list[float]:
    """Seconds that each copy waits."""
    if "notify_parallel" in struck:
        return [0.0] * int(struck["notify_parallel"].args["copies"])
    return [0.0, SECOND_COPY_AFTER] if "notify_twice" in struck else [0.0]


def _message(row: sqlite3.Row) -> Message:
    return Message(
        id=row["id"],
        out_trade_no=row["out_trade_no"],
        url=row["url"],
        charset=row["charset"],
        fields=json.loads(row["fields_json"]),
        recipes=[(kind, args) for kind, args in json.loads(row["recipes_json"])],
        state=row["state"],
        attempts=row["attempts"],
        next_at=row["next_at"],
        created_at=row["created_at"],
    )
