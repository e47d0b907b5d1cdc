"""F06 and F54: the process that sends a refund is killed, or hears nothing, at any point; the money goes back once.

The sender is a process of its own, as the job runner is: ``flask refunds send`` under ``tests.faults.served``, which
kills itself where the test says.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from shop.config import PROJECT
from shop.enums import OrderStatus, RefundState
from shop.extensions import db
from shop.models import Account
from shop.services import refunds
from shop.services.refund_sending import Outcome
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student
from tests.cashier.parts import Cashier, until
from tests.faults.processes import KEPT
from tests.faults.purchase import balance_of, the_order
from tests.refunding import approved, at_alipay, bought, calls, the_refund

BOOKING = ["enrolled_course", "transaction_record", "coupon_record", "orders", "notification"]
SLOW = 8.0  # seconds, longer than the shop waits


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def student(app: Flask) -> Account:
    return a_student(beli=20)


@pytest.fixture
def number(alipay: Cashier, student: Account) -> str:
    """A paid order with 贝里 and a coupon, so that a refund has something to write everywhere: 70.00 in cash."""
    record = a_claimed(student, flat=1_000)
    return bought(alipay, student, [a_course(10_000)], site_coupon=record.id, beli=20)


class Sender:
    """``flask refunds send`` in a process of its own."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.die_at, self.log = folder / "die_at", folder / "log"
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._environ = {**kept, **environ, "DIE_AT_FILE": str(self.die_at)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Sender:
        db.session.rollback()
        command = [sys.executable, "-m", "flask", "--app", "tests.faults.served:app", "refunds", "send"]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(command, cwd=PROJECT, env=self._environ, stdout=output, stderr=output)
        return self

    def end(self) -> int:
        """Its exit code, negative for the signal that killed it."""
        assert self._process is not None
        return self._process.wait(timeout=60)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        assert self.end() == -signal.SIGKILL


@pytest.fixture
def sender(environ: dict[str, str], tmp_path: Path) -> Iterator[Sender]:
    process = Sender(environ, tmp_path)
    yield process
    if process._process is not None and process._process.poll() is None:
        process._process.kill()
        process._process.wait()


def assert_back_once(alipay: Cashier, student: Account, number: str, refund: str) -> None:
    """After the next run of the job everything is as if nobody had died."""
    alipay.control("faults", method="DELETE")
    alipay.move_clock(31)  # the dead one's lease is over
    assert refunds.send(refund) is Outcome.DONE
    assert at_alipay(alipay, number) == 7_000
    assert balance_of(student.id) == 20
    assert the_order(number).status is OrderStatus.REFUNDED
    assert the_refund(refund).out_request_no == refund == f"R{number}01"


def test_f06_killed_before_the_call(alipay: Cashier, student: Account, number: str, sender: Sender) -> None:
    refund = approved(student, number)
    sender.die_at.write_text("commit")  # of the claim
    assert sender.start().end() == -signal.SIGKILL, sender.log.read_text()
    assert calls(alipay) == []
    assert the_refund(refund).state is RefundState.IN_TRANSIT
    assert_back_once(alipay, student, number, refund)
    assert calls(alipay) == ["query", "refund"]


@pytest.mark.parametrize("done", [False, True], ids=["before alipay acted", "after alipay acted"])
def test_f06_killed_during_the_call(alipay: Cashier, student: Account, number: str, sender: Sender, done: bool) -> None:
    refund = approved(student, number)
    alipay.fault("answer_slow", method="alipay.trade.refund", seconds=SLOW, done=done)
    sender.start()
    until(lambda: calls(alipay))
    sender.kill()
    assert at_alipay(alipay, number) == (7_000 if done else 0)
    assert the_refund(refund).state is RefundState.IN_TRANSIT
    assert_back_once(alipay, student, number, refund)
    assert calls(alipay) == ["refund", "query"] + ([] if done else ["refund"])


@pytest.mark.parametrize("table", BOOKING)
def test_f06_killed_between_any_two_writes_of_the_booking(
    alipay: Cashier, student: Account, number: str, sender: Sender, table: str
) -> None:
    """Alipay has acted, the shop has not booked it: all of it is booked by the next run, none of it by this one."""
    refund = approved(student, number)
    alipay.fault("answer_slow", method="alipay.trade.refund", seconds=1.5)
    sender.start()
    until(lambda: calls(alipay))
    sender.die_at.write_text(table)  # only now: the claim writes to "refund" as well
    assert sender.end() == -signal.SIGKILL, sender.log.read_text()
    assert at_alipay(alipay, number) == 7_000
    assert the_refund(refund).state is RefundState.IN_TRANSIT
    assert balance_of(student.id) == 0
    assert the_order(number).status is OrderStatus.REFUND_REQUESTED
    assert_back_once(alipay, student, number, refund)
    assert calls(alipay) == ["refund", "query"]


def test_f06_killed_after_the_booking(alipay: Cashier, student: Account, number: str, sender: Sender) -> None:
    refund = approved(student, number)
    alipay.fault("answer_slow", method="alipay.trade.refund", seconds=1.5)
    sender.start()
    until(lambda: calls(alipay))
    sender.die_at.write_text("commit")
    assert sender.end() == -signal.SIGKILL, sender.log.read_text()
    assert the_refund(refund).state is RefundState.DONE
    alipay.move_clock(3_600)
    assert refunds.send(refund) is Outcome.SKIPPED
    assert calls(alipay) == ["refund"]
    assert balance_of(student.id) == 20


@pytest.mark.parametrize("done", [False, True], ids=["not refunded", "refunded"])
def test_f54_a_call_without_an_answer_in_time_keeps_its_number(
    alipay: Cashier, student: Account, number: str, done: bool
) -> None:
    refund = approved(student, number)
    alipay.fault("answer_slow", method="alipay.trade.refund", seconds=SLOW, done=done)
    assert refunds.send(refund) is Outcome.LATER
    row = the_refund(refund)
    assert (row.state, row.error) == (RefundState.IN_TRANSIT, "TimeoutError")
    assert at_alipay(alipay, number) == (7_000 if done else 0)
    assert_back_once(alipay, student, number, refund)
    assert calls(alipay) == ["refund", "query"] + ([] if done else ["refund"])


def test_f54_an_answer_in_drips_is_waited_for_and_counts(alipay: Cashier, student: Account, number: str) -> None:
    refund = approved(student, number)
    alipay.fault("answer_drip", method="alipay.trade.refund", seconds=5.0)
    assert refunds.send(refund) is Outcome.DONE
    assert at_alipay(alipay, number) == 7_000


def test_two_runners_at_once_send_each_refund_once(
    alipay: Cashier, student: Account, number: str, sender: Sender
) -> None:
    refund = approved(student, number)
    alipay.fault("answer_slow", method="alipay.trade.refund", seconds=1.5)
    sender.start()
    until(lambda: calls(alipay))
    assert refunds.send_due() == {"done": 0, "failed": 0, "later": 0, "skipped": 0}, "its next try is in the future"
    assert refunds.send(refund) is Outcome.SKIPPED
    assert sender.end() == 0, sender.log.read_text()
    assert the_refund(refund).state is RefundState.DONE
    assert calls(alipay) == ["refund"]
