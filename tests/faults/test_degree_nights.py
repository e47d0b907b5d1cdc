"""F38: the nights of a degree missed, killed after any commit, and run by two processes at once, as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from shop import clock
from shop.config import PROJECT
from shop.enums import ModuleStatus, Score, StudyStatus
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    AuditRun,
    EnrolledDegreeCourse,
    NightlyRun,
    Notification,
    Question,
    ScoreRecord,
    StudyRecord,
    TransactionRecord,
)
from shop.services import nightly
from tests.audit import assert_audit_clean
from tests.degrees import a_degree_with_homework, a_hand_in, a_studying, fresh
from tests.faults.processes import KEPT
from tests.purchases import saved
from tests.services.test_nightly import set_clock

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Ledger = dict[str, Any]


@pytest.fixture
def missed(app: Flask, instance: Path) -> datetime:
    """Noon of the first day. Nobody was there in the nights 8 to 10 after it, in which all kinds of things were due."""
    noon = clock.start_of_day(clock.local_date(clock.now()) + DAY) + 12 * HOUR
    set_clock(instance, noon)
    degree = a_degree_with_homework(modules=1)
    idle, graduate = a_studying(course=degree), a_studying(course=degree)
    a_hand_in(idle, at=noon + 7.5 * DAY)
    a_hand_in(graduate, at=noon + DAY, score=Score.A)
    for enrolment in (idle, graduate):
        question = Question(
            account_id=enrolment.account_id,
            degree_course_id=enrolment.degree_course_id,
            enrolled_degree_course_id=enrolment.id,
            title="问",
            content="问",
            date=noon + 8 * DAY,
        )
        saved(question)
    with unit_of_work() as session:
        row = session.get_one(EnrolledDegreeCourse, graduate.id)
        row.study_status, row.ended_time = StudyStatus.GRADUATED, noon + 9 * DAY
        records = session.query(StudyRecord).filter_by(enrolled_degree_course_id=graduate.id)
        records.update({"status": ModuleStatus.DONE})
        night = clock.local_date(noon) + 7 * DAY
        session.add(NightlyRun(night=night, finished_time=clock.now(), steps={}))
    set_clock(instance, noon + 10 * DAY)
    return noon


def ledger() -> Ledger:
    """What the nights leave behind, without the ids that a repetition would give anew."""
    db.session.rollback()
    db.session.expire_all()
    rows = db.session.query(ScoreRecord).order_by(ScoreRecord.event)
    return {
        "rows": [(r.event, r.account_id, r.score, r.balance, r.received_score, r.maturity_date, r.date) for r in rows],
        "moves": [(r.account_id, r.amount) for r in db.session.query(TransactionRecord).order_by("account_id")],
        "balances": [account.balance for account in db.session.query(Account).order_by("id")],
        "told": sorted(row.content for row in db.session.query(Notification)),
    }


def undo() -> None:
    """The state before the nights once more."""
    with unit_of_work() as session:
        session.query(TransactionRecord).delete()
        session.query(Account).update({"balance": 0})
        session.query(Notification).filter(Notification.event.like("fine-%") | (Notification.msg_type == 0)).delete()
        session.query(ScoreRecord).filter(ScoreRecord.score < 1500).delete()
        session.query(ScoreRecord).update(
            {"applied": False, "applied_date": None, "received_score": 0, "maturity_date": None}
        )
        session.query(EnrolledDegreeCourse).update({"mentor_fee_balance": 1500, "reward_balance": 0})
        session.query(AuditRun).delete()
        session.query(NightlyRun).filter(NightlyRun.steps.cast(db.String) != "{}").delete()


def begun(environ: dict[str, str], die_at: Path) -> subprocess.Popen[bytes]:
    """``flask nightly`` in a process of its own, which dies at the place that the file names."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "tests.faults.served:app", "nightly"],
        cwd=PROJECT,
        env={**kept, **environ, "DIE_AT_FILE": str(die_at)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_f38_killed_after_any_commit_and_run_again_the_ledger_is_that_of_one_run(
    missed: datetime, environ: dict[str, str], instance: Path, tmp_path: Path
) -> None:
    nightly.run_due()
    whole = ledger()
    assert {event.split(":")[0] for event, *_ in whole["rows"]} == {
        "fee",
        "late-homework",
        "late-grading",
        "no-follow-up",
        "no-answer",
    }
    assert len(whole["moves"]) == 1
    undo()
    assert ledger() != whole
    die_at, kills = tmp_path / "die_at", 0
    while True:
        die_at.write_text("commit" + " commit" * kills)
        process = begun(environ, die_at)
        output, _ = process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, output.decode()
        kills += 1
        set_clock(instance, clock.now() + nightly.LEASE)  # the dead one's claim is over
    assert kills >= 5
    assert ledger() == whole
    assert_audit_clean()


def test_f38_two_processes_at_once_and_a_second_run_leave_one_ledger(
    missed: datetime, environ: dict[str, str], tmp_path: Path
) -> None:
    nightly.run_due()
    whole = ledger()
    undo()
    die_at = tmp_path / "die_at"
    die_at.write_text("")
    processes = [begun(environ, die_at) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0].decode() for process in processes]
    assert sorted(process.returncode for process in processes)[0] == 0, outputs
    assert ledger() == whole
    again = begun(environ, die_at)
    output = again.communicate(timeout=60)[0].decode()
    assert again.returncode == 0, output
    assert ledger() == whole
    assert {fresh(row).mentor_fee_balance for row in db.session.query(EnrolledDegreeCourse)} == {0, *_rests(whole)}
    assert_audit_clean()


def _rests(whole: Ledger) -> set[int]:
    """What the study that goes on has left."""
    lost = {account: 0 for _event, account, *_ in whole["rows"]}
    for _event, account, score, *_ in whole["rows"]:
        lost[account] += score
    paid = {account for account, _amount in whole["moves"]}
    return {rest for account, rest in lost.items() if rest > 0 and account not in paid}
