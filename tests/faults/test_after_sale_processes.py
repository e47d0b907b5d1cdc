"""Web processes that are told to go, or are shot, in the middle of work (safety.md 3.1: F08, F09).

The other deaths: F01 to F05 in ``test_crashes.py``, F06 in ``test_refund_crashes.py``, F07 with the nightly job.
"""

from __future__ import annotations

import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask

from shop.extensions import db
from shop.models import Course, Order, Payment
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Answer, until
from tests.faults.barrier import barrier, until_waiting
from tests.faults.processes import Web
from tests.faults.purchase import count, fingerprint, settle
from tests.person import Person

BUYERS = 4
GRACE = 20  # seconds that a server may take to end its work
# as ``shop.processes.web_command`` starts it, but for how soon a worker is replaced
OPTIONS = ["--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", str(GRACE)]
LOST = (OSError, http.client.HTTPException)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def server(shop: Flask, environ: dict[str, str], tmp_path: Path) -> Iterator[Web]:
    web = Web(environ, tmp_path / "log", workers=2, options=OPTIONS).start()
    yield web
    web.stop()


@dataclass
class Visitors:
    """People who look at the catalogue without a pause: what they were answered, and how often nobody answered."""

    statuses: list[int] = field(default_factory=list)
    lost: int = 0
    is_over: bool = False

    def visit(self, server: Web, path: str) -> None:
        while not self.is_over:
            try:
                self.statuses.append(server.get(path).status)
            except LOST:
                self.lost += 1
                time.sleep(0.02)


@contextmanager
def load(server: Web, course_id: int) -> Iterator[Visitors]:
    visitors, path = Visitors(), f"/courses/{course_id}"
    thread = threading.Thread(target=visitors.visit, args=(server, path))
    thread.start()
    try:
        yield visitors
    finally:
        visitors.is_over = True
        thread.join()


Button = tuple[Person, dict[str, str]]


def at_the_button(app: Flask, course: Course) -> list[Button]:
    """Several people, each about to press 立即支付."""
    people = [Person(app).sign_in(a_student().username) for _ in range(BUYERS)]
    return [(person, settle(person, course)) for person in people]


def press(threads: ThreadPoolExecutor, server: Web, buttons: list[Button]) -> list[Future[Answer]]:
    return [threads.submit(server.post, "/checkout", form, person) for person, form in buttons]


def test_f08_a_server_that_is_told_to_go_finishes_what_it_has_begun(app: Flask, server: Web) -> None:
    """A deploy under load: checkouts that are being written are answered, nobody gets a 5xx, and it ends in time."""
    course = a_course()
    course_id, buttons = course.id, at_the_button(app, course)
    db.session.remove()
    with load(server, course_id) as visitors, ThreadPoolExecutor(BUYERS) as threads:
        until(lambda: len(visitors.statuses) > 5)
        with barrier("orders"):
            sent = press(threads, server, buttons)
            until_waiting(BUYERS)
            server.terminate()
            time.sleep(0.5)
        assert {each.result().status for each in sent} == {303}
        assert server.ended(GRACE) == 0
        until(lambda: visitors.lost)  # the door is closed now
    assert set(visitors.statuses) == {200}
    assert count(Order) == count(Payment) == BUYERS
    server.start()
    for person, form in buttons:
        assert server.post("/checkout", form, person).status == 303
    assert count(Order) == BUYERS


@pytest.mark.parametrize("victims", ["one worker", "all workers"])
def test_f09_a_worker_that_is_shot_leaves_nothing_half_done_and_is_replaced(
    app: Flask, server: Web, victims: str
) -> None:
    """As by the system when memory is short: its visitors lose the connection, the others notice nothing."""
    course = a_course()
    course_id, buttons = course.id, at_the_button(app, course)
    before = fingerprint()
    workers = server.workers()
    assert len(workers) == 2
    db.session.remove()
    with load(server, course_id) as visitors, ThreadPoolExecutor(BUYERS) as threads:
        with barrier("orders"):
            sent = press(threads, server, buttons)
            until_waiting(BUYERS)
            for pid in workers[: 1 if victims == "one worker" else 2]:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.5)
        done = [status_of(each) for each in sent]
        answered = len(visitors.statuses)
        until(lambda: len(server.workers()) == 2 and len(visitors.statuses) > answered + 5)
    assert set(visitors.statuses) == {200}
    assert set(done) <= {303, None}
    assert count(Order) == done.count(303)
    if victims == "all workers":
        assert done == [None] * BUYERS
        assert fingerprint() == before
    for person, form in buttons:
        assert server.post("/checkout", form, person).status == 303
    assert count(Order) == count(Payment) == BUYERS


def status_of(sent: Future[Answer]) -> int | None:
    """None when nobody answered."""
    try:
        return sent.result().status
    except LOST:
        return None
