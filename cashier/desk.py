"""What every part of one cashier shares: settings, storage, clock, keys and the sender; and paying, its main act."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlencode

from flask import current_app

from cashier import clock, faults, keys, notices, outbox, recipes, trades, visits
from cashier.config import Config
from cashier.notices import Seller
from cashier.refusals import Refused
from cashier.sender import Sender
from cashier.store import Store
from cashier.trades import Trade
from cashier.visits import Visit


class Desk:
    """One cashier."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store = Store(config.directory / "cashier.sqlite3")
        private, _public = keys.ensure_pair(config.directory, "gateway")
        self.gateway_key = keys.load_private(private.read_text())
        # For the control page's forms: the same in every process, and unknown to other sites.
        self.page_token = hmac.new(private.read_bytes(), b"control page", "sha256").hexdigest()
        self.merchant_key = keys.load_public(config.merchant_public_key)
        self.seller = Seller(config.app_id, config.seller_id)
        self.sender = Sender(self)

    def now(self) -> float:
        return clock.now(self.config.clock_offset_file)

    @contextmanager
    def work(self) -> Iterator[sqlite3.Connection]:
        """A write transaction in which no trade is overdue."""
        with self.store.write() as db:
            now = self.now()
            for closed in trades.expire(db, now):
                outbox.announce(db, closed, self.seller, now)
            yield db

    def log_in(self, db: sqlite3.Connection, visit: Visit, buyer: str, *, amount_fen: int | None = None) -> Trade:
        """The trade of a page, created for this buyer unless it is there; ``amount_fen`` for a wrong one."""
        is_new = trades.find(db, out_trade_no=visit.out_trade_no) is None
        if is_new and faults.take(db, faults.PAY, visit.out_trade_no, kind="pay_cent_less"):
            amount_fen = max(1, visit.total_fen - 1)
        trade = trades.log_in(db, visit, buyer, self.now(), total_fen=amount_fen)
        visits.log_in(db, visit.token, buyer)
        return trade

    def pay(self, visit: Visit, buyer: str, *, amount_fen: int | None = None) -> Trade:
        """Pay the trade of a page and tell the merchant. Raises Refused.

        A single notification that is not late has been tried once when this returns: before the buyer is back.
        """
        with self.work() as db:
            paid, due = self._pay(db, visit, buyer, amount_fen)
            for fault in faults.take(db, faults.PAY, visit.out_trade_no, kind="pay_other").values():
                self._pay_also(db, fault.args["also"], buyer)
        if len(due) == 1:
            self.sender.attempt(due[0])
        self.sender.wake()
        return paid

    def back_url(self, visit: Visit, trade: Trade) -> str:
        """The signed address that the buyer goes back to, always the same; empty when there is none or it is lost."""
        if visit.back_url is not None:
            return visit.back_url
        with self.store.write() as db:
            struck = faults.take(db, faults.RETURN, trade.out_trade_no)
            spoilt = [(kind, fault.args) for kind, fault in struck.items() if kind in recipes.RECIPES]
            sent = recipes.signed(notices.returned(trade, self.seller, self.now()), spoilt, self.gateway_key)
            if "return_posted" in struck and trade.notify_url:
                outbox.add(db, trade, sent, self.now())
            address = "" if "return_lost" in struck else visit.return_url
            if address:
                address += ("&" if "?" in address else "?") + urlencode(sent, encoding=trade.charset)
            visits.keep_back_url(db, visit.token, address)
        self.sender.wake()
        return address

    def _pay_also(self, db: sqlite3.Connection, out_trade_no: str, buyer: str) -> None:
        """Pay another attempt, if it can still be paid; the background thread tells the merchant."""
        also = visits.latest(db, out_trade_no)
        if also is not None:
            with suppress(Refused):
                self._pay(db, also, buyer, None)

    def _pay(self, db: sqlite3.Connection, visit: Visit, buyer: str, amount_fen: int | None) -> tuple[Trade, list[int]]:
        now = self.now()
        paid = trades.pay(db, self.log_in(db, visit, buyer, amount_fen=amount_fen), now)
        return paid, outbox.announce(db, paid, self.seller, now)


def current() -> Desk:
    """The cashier that answers this request."""
    desk: Desk = current_app.extensions["cashier"]
    return desk
