"""The cashier's own database file: SQLite in WAL mode, so that trades and unsent notifications outlive the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_SECONDS = 10.0

# Instants are seconds since 1970 by the cashier's clock; amounts are fen; *_json holds JSON text.
SCHEMA = """
CREATE TABLE IF NOT EXISTS visit (          -- a page-pay request that passed all checks: one cashier page
    token TEXT PRIMARY KEY, form_token TEXT NOT NULL, product TEXT NOT NULL, out_trade_no TEXT NOT NULL,
    total_fen INTEGER NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL, passback_params TEXT NOT NULL,
    notify_url TEXT NOT NULL, return_url TEXT NOT NULL, quit_url TEXT NOT NULL, charset TEXT NOT NULL,
    expires_at REAL NOT NULL, seen_at REAL NOT NULL, buyer TEXT NOT NULL,
    back_url TEXT);                         -- where the buyer goes back to, made once; empty when the way is lost
CREATE INDEX IF NOT EXISTS visit_order ON visit (out_trade_no, seen_at);
CREATE TABLE IF NOT EXISTS trade (
    trade_no TEXT PRIMARY KEY, out_trade_no TEXT NOT NULL UNIQUE, product TEXT NOT NULL,
    total_fen INTEGER NOT NULL CHECK (total_fen > 0),
    refunded_fen INTEGER NOT NULL DEFAULT 0 CHECK (refunded_fen BETWEEN 0 AND total_fen),
    status TEXT NOT NULL CHECK (status IN ('WAIT_BUYER_PAY', 'TRADE_SUCCESS', 'TRADE_CLOSED', 'TRADE_FINISHED')),
    subject TEXT NOT NULL, body TEXT NOT NULL, passback_params TEXT NOT NULL, notify_url TEXT NOT NULL,
    charset TEXT NOT NULL, buyer TEXT NOT NULL, asked_fen INTEGER NOT NULL, expires_at REAL NOT NULL,
    created_at REAL NOT NULL, paid_at REAL, refunded_at REAL, closed_at REAL);
CREATE INDEX IF NOT EXISTS trade_status ON trade (status, expires_at);
CREATE INDEX IF NOT EXISTS trade_paid ON trade (paid_at);
CREATE TABLE IF NOT EXISTS refund (
    id INTEGER PRIMARY KEY, trade_no TEXT NOT NULL REFERENCES trade, out_request_no TEXT NOT NULL,
    named INTEGER NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), reason TEXT NOT NULL,
    done_at REAL NOT NULL, UNIQUE (trade_no, out_request_no));
CREATE INDEX IF NOT EXISTS refund_done ON refund (done_at);
CREATE TABLE IF NOT EXISTS message (        -- one notification; its deliveries are the attempts to hand it over
    -- AUTOINCREMENT: a delivery still under way when all was forgotten must not be booked on a later message
    id INTEGER PRIMARY KEY AUTOINCREMENT, out_trade_no TEXT NOT NULL, url TEXT NOT NULL, charset TEXT NOT NULL,
    fields_json TEXT NOT NULL, recipes_json TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'given_up', 'held', 'reordered', 'lost', 'manual')),
    attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL, claimed_until REAL NOT NULL DEFAULT 0,
    created_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS message_due ON message (state, next_at);
CREATE INDEX IF NOT EXISTS message_order ON message (out_trade_no);
CREATE TABLE IF NOT EXISTS delivery (       -- no foreign key: everything may be forgotten while one is under way
    id INTEGER PRIMARY KEY, message_id INTEGER NOT NULL, at REAL NOT NULL,
    body_json TEXT NOT NULL, http_status INTEGER, answer TEXT NOT NULL, error TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS delivery_message ON delivery (message_id);
CREATE TABLE IF NOT EXISTS exchange (       -- every call of the gateway and its answer
    id INTEGER PRIMARY KEY, at REAL NOT NULL, method TEXT NOT NULL, request_json TEXT NOT NULL,
    http_status INTEGER NOT NULL, answer TEXT NOT NULL, fault TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fault (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, out_trade_no TEXT NOT NULL, times INTEGER, args_json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bill_ticket (token TEXT PRIMARY KEY, period TEXT NOT NULL, faults_json TEXT NOT NULL,
    expires_at REAL NOT NULL);
"""


class Store:
    """Opens a connection per piece of work: cheap with SQLite, and safe in any number of threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = self._connect()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)
        finally:
            connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One write transaction: commits at the end, rolls back when anything is raised."""
        connection = self._connect()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()  # an open transaction is rolled back

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        connection = self._connect()
        try:
            yield connection
        finally:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection
