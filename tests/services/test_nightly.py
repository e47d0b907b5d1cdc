"""F07, F38, P16: the 02:00 job missed, killed, run twice and twice at once leaves what one run would have left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from shop import clock
from shop.config import PROJECT
from shop.enums import CouponStatus, EnrolmentStatus, OrderStatus
from shop.extensions import db, unit_of_work
from shop.models import AuditRun, CouponRecord, EnrolledCourse, NightlyRun, Order, Payment
from shop.services import nightly, orders
from shop.services.nightly import Done, Elsewhere, Step
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student
from tests.cashier.parts import Cashier
from tests.faults.processes import KEPT
from tests.faults.purchase import an_unpaid_order, count
from tests.services.test_jobs import a_purchase

DAY = timedelta(days=1)
STEPS = [step.name for step in nightly.STEPS]


@pytest.fixture
def noon(app: Flask, instance: Path) -> datetime:
    """Twelve o'clock in Shanghai tomorrow, so that 02:00 is near for no test."""
    at = clock.start_of_day(clock.local_date(clock.now()) + DAY) + timedelta(hours=12)
    set_clock(instance, at)
    return at


def set_clock(instance: Path, at: datetime) -> None:
    (instance / "clock_offset").write_text(str((at - clock.now() + clock.offset()).total_seconds()))


def nights() -> dict[date, NightlyRun]:
    db.session.rollback()
    db.session.expire_all()
    return {row.night: row for row in db.session.scalars(select(NightlyRun).order_by(NightlyRun.night))}


def told(through: date) -> list[tuple[date, str]]:
    done: list[Done] = []
    nightly.run(through, done.append)
    return [(one.night, one.step) for one in done]


# ---------------------------------------------------------------- which nights


def test_a_night_begins_at_two_in_shanghai(app: Flask, noon: datetime, instance: Path) -> None:
    two = clock.start_of_day(clock.local_date(noon)) + timedelta(hours=2)
    set_clock(instance, two - timedelta(seconds=30))
    assert nightly.latest_night() == clock.local_date(noon) - DAY
    set_clock(instance, two + timedelta(seconds=1))
    assert nightly.latest_night() == clock.local_date(noon)


def test_the_first_run_ever_works_off_the_last_night_only(app: Flask, noon: datetime) -> None:
    night = clock.local_date(noon)
    assert nightly.run_due() == {"steps": len(STEPS) + 1}
    (row,) = nights().values()
    assert (row.night, list(row.steps), row.leased_until) == (night, [*STEPS, "audit"], None)
    assert row.finished_time is not None
    assert row.steps["audit"]["findings"] == 0
    assert count(AuditRun) == 1
    assert nightly.run_due() == {"steps": 0}
    assert count(AuditRun) == 1


def test_f38_missed_nights_are_caught_up_in_their_order_and_audited_once(
    app: Flask, noon: datetime, instance: Path
) -> None:
    first = clock.local_date(noon)
    nightly.run_due()
    set_clock(instance, noon + 3 * DAY)
    assert told(nightly.latest_night()) == [
        *((first + DAY, step) for step in STEPS),
        *((first + 2 * DAY, step) for step in STEPS),
        *((first + 3 * DAY, step) for step in [*STEPS, "audit"]),
    ]
    assert [night for night, row in nights().items() if row.finished_time] == [first + n * DAY for n in range(4)]
    assert count(AuditRun) == 2
    assert told(nightly.latest_night()) == []


def test_a_long_sleep_is_caught_up_in_several_runs(app: Flask, noon: datetime, instance: Path) -> None:
    nightly.run_due()
    set_clock(instance, noon + 40 * DAY)
    most = nightly.MOST_NIGHTS
    assert nightly.run_due() == {"steps": most * len(STEPS) + 1}
    assert nightly.run_due() == {"steps": (40 - most) * len(STEPS) + 1}
    assert nightly.run_due() == {"steps": 0}


def test_a_step_is_told_its_own_night_however_late_it_runs(
    app: Flask, noon: datetime, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[datetime] = []
    monkeypatch.setattr(nightly, "STEPS", (Step("look", lambda at: seen.append(at) or {}),))  # type: ignore[func-returns-value]
    nightly.run_due()
    set_clock(instance, noon + 2 * DAY)
    nightly.run_due()
    first = clock.start_of_day(clock.local_date(noon)) + timedelta(hours=2)
    assert seen == [first, first + DAY, first + 2 * DAY]


def test_a_night_that_has_not_come_is_refused(app: Flask, noon: datetime) -> None:
    with pytest.raises(ValueError, match="not come yet"):
        nightly.run(clock.local_date(noon) + DAY)
    assert nights() == {}


# ---------------------------------------------------------------- what the steps do


class Night:
    """What becomes due before 02:00 of the last night, and what just does not."""

    def __init__(self, noon: datetime) -> None:
        student, two = a_student(), clock.start_of_day(clock.local_date(noon)) + timedelta(hours=2)
        self.order = an_unpaid_order(student, a_course())
        self.coupons = [a_claimed(student, flat=100).id for _ in range(3)]
        ends = [two - 40 * DAY, two - timedelta(seconds=1), two + timedelta(seconds=1)]
        with unit_of_work() as session:
            for row_id, end in zip(self.coupons, ends, strict=True):
                row = CouponRecord
                session.execute(update(row).where(row.id == row_id).values(valid_from=end - DAY, valid_until=end))
            late = noon - timedelta(hours=11)
            session.execute(update(Order).values(date=late, expires_at=late))
            session.execute(update(Payment).values(expires_at=late, next_ask_time=late))
        self.purchases = [a_purchase(student, ends=days) for days in (-40, -1, 0)]

    def ended(self) -> dict[str, Any]:
        db.session.rollback()
        states = dict(db.session.execute(select(CouponRecord.id, CouponRecord.status)).all())
        access = dict(db.session.execute(select(EnrolledCourse.id, EnrolledCourse.status)).all())
        return {
            "order": db.session.scalar(select(Order.status).where(Order.order_number == self.order)),
            "coupons": [states[row_id] for row_id in self.coupons],
            "purchases": [access[row_id] for row_id in self.purchases],
        }


AFTERWARDS = {
    "order": OrderStatus.TIMED_OUT,
    "coupons": [CouponStatus.EXPIRED, CouponStatus.EXPIRED, CouponStatus.UNUSED],
    "purchases": [EnrolmentStatus.EXPIRED, EnrolmentStatus.EXPIRED, EnrolmentStatus.OPEN],
}


@pytest.fixture
def night(alipay: Cashier, noon: datetime) -> Iterator[Night]:
    yield Night(noon)
    assert_audit_clean()


def test_it_ends_what_is_over(night: Night) -> None:
    nightly.run_due()
    assert night.ended() == AFTERWARDS
    (row,) = nights().values()
    assert row.steps["expire_coupons"] == row.steps["expire_courses"] == {"expired": 2}
    assert row.steps["expire_orders"]["ended"] == 1


def test_f38_three_days_late_leaves_the_same(night: Night, instance: Path, noon: datetime) -> None:
    with unit_of_work() as session:  # the shop had a night before it slept
        session.add(NightlyRun(night=clock.local_date(noon) - 3 * DAY, finished_time=clock.now(), steps={}))
    nightly.run_due()
    assert night.ended() == AFTERWARDS
    assert [row.steps["expire_coupons"]["expired"] for row in nights().values() if row.steps] == [1, 0, 1]


# ---------------------------------------------------------------- interrupted


def test_a_failing_step_stops_the_night_and_the_next_run_goes_on_there(
    app: Flask, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def step(name: str) -> Step:
        def run(_at: datetime) -> dict[str, int]:
            seen.append(name)
            if name == "second" and seen.count(name) == 1:
                raise LookupError("no such thing")
            return {"done": 1}

        return Step(name, run)

    monkeypatch.setattr(nightly, "STEPS", tuple(map(step, ("first", "second", "third"))))
    with pytest.raises(LookupError):
        nightly.run_due()
    (row,) = nights().values()
    assert (row.steps, row.finished_time, row.leased_until) == ({"first": {"done": 1}}, None, None)
    assert nightly.run_due() == {"steps": 3}
    assert seen == ["first", "second", "second", "third"]


def test_a_night_that_another_process_works_on_is_left_alone_until_that_one_is_given_up(
    app: Flask, noon: datetime, instance: Path
) -> None:
    today = clock.local_date(noon)
    with unit_of_work() as session:
        session.add(NightlyRun(night=today, leased_until=clock.now() + nightly.LEASE, steps={STEPS[0]: {"ended": 3}}))
    assert nightly.run_due() == {"steps": 0}
    with pytest.raises(Elsewhere):
        nightly.run(today)
    set_clock(instance, noon + nightly.LEASE + timedelta(seconds=1))
    assert nightly.run_due() == {"steps": len(STEPS)}
    assert nights()[today].steps[STEPS[0]] == {"ended": 3}


def test_who_was_slower_than_its_lease_leaves_the_night_to_who_took_it(
    app: Flask, noon: datetime, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[datetime] = []

    def slow(_at: datetime) -> dict[str, int]:
        """The second to come finds the first asleep, and does the night instead of it."""
        calls.append(clock.now())
        if len(calls) == 1:
            set_clock(instance, clock.now() + nightly.LEASE + timedelta(seconds=1))
            nightly.run_due()
        return {"call": len(calls)}

    monkeypatch.setattr(nightly, "STEPS", (Step("slow", slow),))
    with pytest.raises(Elsewhere):
        nightly.run(clock.local_date(noon))
    (row,) = nights().values()
    assert row.finished_time is not None
    assert (row.steps["slow"], len(calls)) == ({"call": 2}, 2)


Killed = Callable[[str], int]


@pytest.fixture
def killed(environ: dict[str, str], tmp_path: Path) -> Killed:
    """``flask nightly`` in a process that dies at a place of ``tests.faults.served``; its exit code."""

    def run(place: str) -> int:
        die_at = tmp_path / "die_at"
        die_at.write_text(place)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        command = [sys.executable, "-m", "flask", "--app", "tests.faults.served:app", "nightly"]
        db.session.rollback()
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env={**kept, **environ, "DIE_AT_FILE": str(die_at)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stdout.decode()
        return done.returncode

    return run


def test_f07_killed_after_any_commit_the_next_run_goes_on(
    night: Night, killed: Killed, instance: Path, noon: datetime
) -> None:
    """One commit later each time, so that it gets one further each time."""
    kills = 0
    while killed("commit" + " commit" * kills) == -signal.SIGKILL:
        kills += 1
        set_clock(instance, clock.now() + nightly.LEASE)  # the dead one's claim is over
    assert kills >= 5
    set_clock(instance, clock.now() + timedelta(hours=1))
    orders.expire_due()  # the job of each minute ends the order that the dead one was about to ask about
    assert night.ended() == AFTERWARDS
    (row,) = nights().values()
    assert row.finished_time is not None
    assert list(row.steps) == [*STEPS, "audit"]


# ---------------------------------------------------------------- by hand


def test_the_command_tells_what_it_did_and_that_nothing_is_left(app: Flask, night: Night, noon: datetime) -> None:
    runner, today = app.test_cli_runner(), clock.local_date(noon)
    result = runner.invoke(args=["nightly"])
    assert result.exit_code == 0, result.output
    assert f"{today}  expire_coupons: 2 expired" in result.output
    assert f"{len(STEPS) + 1} steps done." in result.output
    again = runner.invoke(args=["nightly", "--as-of", str(today)])
    assert (again.exit_code, again.output) == (0, f"Every night up to {today} was finished before.\n")


def test_the_command_refuses_a_future_day_and_what_is_no_day(app: Flask, noon: datetime) -> None:
    for day in (str(clock.local_date(noon) + DAY), "tomorrow", "2026-02-30"):
        result = app.test_cli_runner().invoke(args=["nightly", "--as-of", day])
        assert result.exit_code == 2, result.output
    assert nights() == {}


def test_an_earlier_day_is_worked_off_alone(app: Flask, noon: datetime) -> None:
    today = clock.local_date(noon)
    assert told(today - 2 * DAY) == [(today - 2 * DAY, step) for step in [*STEPS, "audit"]]
    assert {night for night, _ in told(today)} == {today - DAY, today}
    assert_audit_clean()
