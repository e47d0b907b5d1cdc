"""Hands messages to the merchant: strict about the answer, on Alipay's schedule, from one background thread."""

from __future__ import annotations

import http.client
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from cashier import clock, outbox, recipes
from cashier.outbox import Message
from cashier.recipes import RecipeList

if TYPE_CHECKING:
    from cashier.desk import Desk

log = logging.getLogger(__name__)
POLL_SECONDS = 0.2  # other processes queue messages too, and tests move the clock
MOST_AT_ONCE = 40
ANSWER_LIMIT = 2000
CONTENT_TYPE = "application/x-www-form-urlencoded; text/html; charset={charset}"  # as seen from the real sender


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the merchant answered; ``status`` is None when there was no answer, and ``error`` says why."""

    status: int | None
    answer: str
    error: str = ""

    @property
    def is_accepted(self) -> bool:
        """Exactly these seven letters: a stray newline counts as a failure, so that tests find it."""
        return self.status == 200 and self.answer == "success"


class Sender:
    """Several may run on one database: a message is claimed before it is sent."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="cashier-sender", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout=self._desk.config.notify_timeout + 1)

    def wake(self) -> None:
        self._woken.set()

    def send_due(self) -> int:
        """Start an attempt for every message that is due; returns how many."""
        with self._desk.work() as db:  # also closes what ran out of time
            ids = outbox.due(db, self._desk.now(), time.time(), MOST_AT_ONCE)
        threads = [threading.Thread(target=self._attempt_logged, args=(number,), daemon=True) for number in ids]
        for thread in threads:
            thread.start()
        return len(threads)

    def attempt(self, message_id: int) -> Outcome | None:
        """One scheduled attempt in this thread; None when the message is not due or another sender has it."""
        desk = self._desk
        with desk.store.write() as db:
            message = outbox.claim(db, message_id, desk.now(), time.time(), desk.config.notify_timeout + 5)
        if message is None:
            return None
        outcome = self.deliver(message, message.recipes)
        with desk.store.write() as db:
            outbox.finish_attempt(db, message, desk.now(), is_accepted=outcome.is_accepted, speed=desk.config.speed)
        self.wake()
        return outcome

    def deliver(self, message: Message, recipe_list: RecipeList, *, is_raw: bool = False) -> Outcome:
        """Send and log it once, outside any schedule. Only ``notify_time`` differs from one time to the next.

        A message that has its signature already (a return, a hand-made one: ``is_raw``) goes as it stands.
        """
        desk = self._desk
        body = message.fields
        if not is_raw and "sign" not in body:
            body = recipes.signed(body | {"notify_time": clock.text(desk.now())}, recipe_list, desk.gateway_key)
        outcome = post(message.url, body, message.charset, desk.config.notify_timeout)
        with desk.store.write() as db:
            outbox.log_delivery(db, message.id, desk.now(), body, outcome.status, outcome.answer, outcome.error)
        return outcome

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.send_due()
            except Exception:
                log.exception("sending notifications failed")  # the next round tries again
            self._woken.wait(POLL_SECONDS)
            self._woken.clear()

    def _attempt_logged(self, message_id: int) -> None:
        try:
            self.attempt(message_id)
        except Exception:
            log.exception("notification %s failed", message_id)


def post(url: str, body: dict[str, str], charset: str, timeout: float) -> Outcome:
    """POST a form as Alipay does: a connection of its own, no proxy, no redirect followed, every failure caught."""
    parts = urlsplit(url)
    https = parts.scheme == "https"
    try:
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=timeout)
    except (ValueError, http.client.HTTPException) as error:
        return Outcome(None, "", repr(error))
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Content-Type": CONTENT_TYPE.format(charset=charset), "User-Agent": "Mozilla/4.0"}
    try:
        connection.request("POST", path, urlencode(body, encoding=charset).encode("ascii"), headers)
        response = connection.getresponse()
        return Outcome(response.status, response.read(ANSWER_LIMIT).decode("utf-8", "replace"))
    except (OSError, http.client.HTTPException) as error:
        return Outcome(None, "", repr(error))
    finally:
        connection.close()
