"""How scheduled jobs are run and shown, the real consumer, and what the bounded ones leave for the next run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text, update

from bench import plans
from shop import clock, create_app
from shop.config import PROJECT, Settings
from shop.enums import CouponStatus, EnrolmentStatus, MailState, OrderStatus
from shop.extensions import db, unit_of_work
from shop.models import Account, CouponRecord, EnrolledCourse, JobRun, Mail, OrderDetail
from shop.services import audit, batches, coupons, enrolments, figures, job_runs, orders
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student, today_in_shanghai
from tests.cashier.parts import Cashier, until
from tests.faults.barrier import beside_the_shop
from tests.faults.processes import KEPT
from tests.faults.purchase import an_unpaid_order, count, pay_unheard, the_order
from tests.services.test_audit import pay, place

TOKEN = {"Authorization": "Bearer token-of-the-tests"}
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


# ---------------------------------------------------------------- one run


def the_job(name: str) -> JobRun:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(JobRun, name)


def test_a_good_run_is_counted_and_logged(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    before = clock.now()
    assert job_runs.run("sweep", lambda: {"ended": 3}) is True
    job = the_job("sweep")
    assert (job.runs, job.failures, job.counts, job.error) == (1, 0, {"ended": 3}, "")
    assert job.succeeded_time is not None and before <= job.started_time <= job.succeeded_time <= clock.now()
    (line,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (line["event"], line["job"], line["counts"]) == ("job", "sweep", {"ended": 3})


def test_an_exception_is_counted_and_logged_and_the_next_run_is_good_again(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> dict[str, int]:
        with unit_of_work() as session:
            session.execute(update(Account).values(balance=7))
            raise LookupError("no such thing" * 50)

    student = a_student()
    assert job_runs.run("sweep", lambda: {"ended": 3})
    good = the_job("sweep").succeeded_time
    assert job_runs.run("sweep", fail) is False
    job = the_job("sweep")
    assert (job.runs, job.failures, job.counts, job.succeeded_time) == (2, 1, {"ended": 3}, good)
    assert job.error.startswith("LookupError: no such thing") and len(job.error) == 255
    assert "LookupError" in capsys.readouterr().err
    assert db.session.get_one(Account, student.id).balance == 0
    assert job_runs.run("sweep", dict)
    job = the_job("sweep")
    assert (job.runs, job.failures, job.error) == (3, 1, "")


@pytest.fixture
def without_database(settings: Settings) -> Flask:
    return create_app(replace(settings, database_url="sqlite:////nowhere/shop.sqlite3"))


def test_a_run_without_a_database_fails_and_nothing_else(without_database: Flask) -> None:
    with without_database.app_context():
        assert job_runs.run("sweep", orders.expire_due) is False


# ---------------------------------------------------------------- /metrics


def shown(app: Flask) -> dict[str, float]:
    """The figures of /metrics that come from the database."""
    answer = app.test_client().get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    samples = re.findall(r"^(shop_\S+) (\S+)$", answer.text, re.M)
    return {name: float(value) for name, value in samples}


def test_metrics_tell_how_jobs_fare(app: Flask) -> None:
    job_runs.run("sweep", dict)
    job_runs.run("sweep", lambda: {}["nothing"])
    now = shown(app)
    assert now['shop_job_runs_total{job="sweep"}'] == 2
    assert now['shop_job_failures_total{job="sweep"}'] == 1
    assert now['shop_job_last_success_timestamp_seconds{job="sweep"}'] == pytest.approx(clock.now().timestamp(), abs=60)
    assert 0 <= now['shop_job_last_duration_seconds{job="sweep"}'] < 60


def test_metrics_tell_what_waits_for_people(app: Flask, alipay: Cashier) -> None:
    before = shown(app)
    gauges = ("shop_desk_payments", "shop_desk_fen", "shop_refunds_failed", "shop_troubles_open")
    assert [before[name] for name in gauges] == [0, 0, 0, 0]
    assert "shop_audit_findings" not in before

    buyer, course = a_student(), a_course(9_900)
    late = place(buyer, course, money_fen=9_900)
    orders.cancel(buyer.id, late.order_number)
    with unit_of_work() as session:
        # The plan is dearer now: late money cannot revive the order.
        session.execute(update(type(course.policies[0])).values(price_fen=10_000))
    pay(late)
    letters = count(Mail)  # about the purchase
    with unit_of_work() as session:
        for number, state in enumerate((MailState.WAITING, MailState.WAITING, MailState.UNCERTAIN)):
            session.add(Mail(address="a@example.com", subject="s", body="b", message_id=str(number), state=state))
    assert audit.store()["findings"] == 0
    now = shown(app)
    assert [now[name] for name in gauges] == [1, 9_900, 0, 0]
    assert (now['shop_letters{state="waiting"}'], now['shop_letters{state="uncertain"}']) == (letters + 2, 1)
    assert now["shop_audit_findings"] == 0
    assert_audit_clean()


def test_metrics_count_what_the_last_stored_audit_found(app: Flask) -> None:
    student = a_student(balance=1)
    assert audit.store()["findings"] == 1
    assert shown(app)["shop_audit_findings"] == 1
    with unit_of_work() as session:
        session.execute(update(Account).where(Account.id == student.id).values(balance=0))
    assert audit.store()["findings"] == 0
    assert shown(app)["shop_audit_findings"] == 0


@pytest.mark.only_on("postgresql")  # the plans are its own
def test_the_figures_are_found_by_index(app: Flask) -> None:
    with plans.watched(db.engine) as sent:
        figures.read()
    assert len(sent) == 5
    with db.engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))  # the tables are empty
        found = "".join(
            row[0] for statement, values in sent for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)
        )
    assert "ix_payment_surplus" in found
    assert "ix_mail_unsent" in found


def test_metrics_still_answer_without_a_database(without_database: Flask) -> None:
    answer = without_database.test_client().get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    assert "shop_requests_total" in answer.text
    assert "shop_job" not in answer.text


# ---------------------------------------------------------------- the consumer


@contextmanager
def consumer(environ: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The job runner as ``bin/run`` starts it, with a queue of its own."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    environ = {**kept, **environ, "HUEY_URL": f"sqlite:///{folder / 'queue'}"}
    command = [sys.executable, "-m", "huey.bin.huey_consumer", "shop.jobs.huey", "-w", "4", "-k", "thread"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, env=environ, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_consumer_runs_the_jobs_of_each_minute_and_ends_when_it_is_told(
    alipay: Cashier, environ: dict[str, str], tmp_path: Path
) -> None:
    """Paid at Alipay, and neither notice nor buyer came back: the poller finds it."""
    number = an_unpaid_order(a_student(), a_course())
    pay_unheard(alipay, number)
    alipay.move_clock(120)

    def are_done() -> bool:
        db.session.rollback()
        return EACH_MINUTE <= {job.name for job in job_runs.all_runs() if job.succeeded_time}

    db.session.rollback()
    with consumer(environ, tmp_path) as process:
        until(are_done, seconds=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert {job.error for job in job_runs.all_runs()} == {""}
    assert the_order(number).status is OrderStatus.PAID
    assert_audit_clean()


DUE = """
import json, sys
from datetime import datetime
from shop import jobs
times = map(datetime.fromisoformat, sys.argv[1:])
print(json.dumps([[task.name for task in jobs.huey.read_periodic(time)] for time in times]))
"""
EACH_MINUTE = {"expire_orders", "poll_payments", "send_refunds", "send_mail"}
BESIDES = {
    "2026-11-23T18:00": {"nightly"},  # 02:00 in Shanghai
    "2026-11-23T19:00": {"nightly"},  # for a night that was missed
    "2026-11-23T18:01": set(),
    "2026-11-23T18:10": {"expire_coupons"},
    "2026-11-23T18:20": {"expire_courses"},
    "2026-11-23T00:30": {"close_troubles"},
    "2026-11-23T01:30": {"close_troubles", "remind_of_coupons", "remind_of_courses"},  # 9:30 in Shanghai
    "2026-11-23T18:40": {"reconcile"},
    "2026-11-23T18:50": {"sweep_uploads"},
}


def test_the_schedule(environ: dict[str, str], tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], **environ, "HUEY_URL": f"sqlite:///{tmp_path / 'queue'}"}
    command = [sys.executable, "-c", DUE, *BESIDES]
    done = subprocess.run(command, cwd=PROJECT, env=environ, capture_output=True, text=True, check=True)
    due = [set(names) for names in json.loads(done.stdout)]
    assert dict(zip(BESIDES, due, strict=True)) == {time: EACH_MINUTE | also for time, also in BESIDES.items()}


# ---------------------------------------------------------------- expiry of coupons and of access


def coupon_states(*records: CouponRecord) -> list[CouponStatus]:
    ids = [record.id for record in records]
    db.session.rollback()
    rows = dict(db.session.execute(select(CouponRecord.id, CouponRecord.status)).all())
    return [rows[row_id] for row_id in ids]


def ends(record: CouponRecord, at: datetime) -> CouponRecord:
    with unit_of_work() as session:
        row = CouponRecord
        session.execute(update(row).where(row.id == record.id).values(valid_from=at - DAY, valid_until=at))
    db.session.rollback()
    return record


def test_an_unused_coupon_expires_after_its_last_instant(app: Flask) -> None:
    student, now = a_student(), clock.now()
    over, last = ends(a_claimed(student), now - SECOND), ends(a_claimed(student), now)
    assert coupons.expire_due(now) == {"expired": 1}
    assert coupon_states(over, last) == [CouponStatus.EXPIRED, CouponStatus.UNUSED]
    assert coupons.expire_due(now) == {"expired": 0}
    assert coupons.expire_due(now + SECOND) == {"expired": 1}
    assert_audit_clean()


def test_a_coupon_that_an_order_holds_does_not_expire_with_the_job(app: Flask) -> None:
    student, course = a_student(), a_course(10_000)
    held = a_claimed(student, flat=1_000)
    place(student, course, site=held.id, money_fen=9_000)
    assert coupons.expire_due(clock.now() + 365 * DAY) == {"expired": 0}
    assert coupon_states(held) == [CouponStatus.USED]
    assert_audit_clean()


def test_one_run_expires_so_many_coupons_and_the_next_goes_on(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 2)
    monkeypatch.setattr(batches, "TRANSACTIONS", 2)
    student, now = a_student(), clock.now()
    for _ in range(5):
        ends(a_claimed(student), now - SECOND)
    assert [coupons.expire_due(now)["expired"] for _ in range(3)] == [4, 1, 0]
    assert_audit_clean()


@pytest.mark.only_on("postgresql")  # SQLite locks the whole database
def test_a_coupon_that_somebody_works_on_is_left_for_the_next_run(app: Flask) -> None:
    student, now = a_student(), clock.now()
    busy, free = ends(a_claimed(student), now - SECOND), ends(a_claimed(student), now - SECOND)
    with beside_the_shop() as connection:
        connection.execute(select(CouponRecord.id).where(CouponRecord.id == busy.id).with_for_update())
        db.session.rollback()
        assert coupons.expire_due(now) == {"expired": 1}
        assert coupon_states(busy, free) == [CouponStatus.UNUSED, CouponStatus.EXPIRED]
    assert coupons.expire_due(now) == {"expired": 1}


def a_purchase(student: Account, *, ends: int) -> int:
    """The id of access that was bought and paid for, and ends so many days from today."""
    order = place(student, a_course(), money_fen=10_000)
    pay(order)
    last = today_in_shanghai() + ends * DAY
    row = EnrolledCourse
    with unit_of_work() as session:
        line = session.scalars(select(OrderDetail.id).where(OrderDetail.order_id == order.id)).one()
        access = session.scalars(select(row.id).where(row.order_detail_id == line)).one()
        dates = {"valid_begin_date": last - 30 * DAY, "valid_end_date": last}
        session.execute(update(row).where(row.id == access).values(dates))
    return access


def test_a_purchase_expires_after_its_last_day_unless_it_was_refunded(app: Flask) -> None:
    student, now = a_student(), clock.now()
    over, last_day, refunded = (a_purchase(student, ends=days) for days in (-1, 0, -1))
    with unit_of_work() as session:
        session.execute(update(EnrolledCourse).where(EnrolledCourse.id == refunded).values(closed_time=now))
    assert enrolments.expire_due(now) == {"expired": 1}
    assert enrolments.expire_due(now) == {"expired": 0}
    rows = dict(db.session.execute(select(EnrolledCourse.id, EnrolledCourse.status)).all())
    assert [rows[i] for i in (over, last_day, refunded)] == [
        EnrolmentStatus.EXPIRED,
        EnrolmentStatus.OPEN,
        EnrolmentStatus.OPEN,
    ]


def test_a_day_ends_at_midnight_in_shanghai(app: Flask) -> None:
    a_purchase(a_student(), ends=3)
    last = today_in_shanghai() + 3 * DAY
    assert enrolments.expire_due(clock.end_of_day(last)) == {"expired": 0}
    assert enrolments.expire_due(clock.start_of_day(last + DAY)) == {"expired": 1}
    assert_audit_clean()
