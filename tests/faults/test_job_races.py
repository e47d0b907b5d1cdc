"""P16: each job in two processes at once has the effect of one run. Both have read what is due before either writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from shop import clock
from shop.enums import CouponStatus, OrderStatus, RefundState, TransactionType
from shop.extensions import db, unit_of_work
from shop.models import AuditRun, CouponRecord, EnrolledCourse, NightlyRun, Order, Refund, TransactionRecord
from shop.services import coupons, nightly, orders, polling, refunds
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student
from tests.cashier.parts import Cashier
from tests.faults.crowd import Crowd
from tests.faults.purchase import an_unpaid_order, balance_of, count, pay_unheard
from tests.refunding import approved, at_alipay, bought, calls, placed

EACH = 4


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def run(name: str) -> None:
    """One run of a job, in a process of the crowd."""
    jobs = {
        "expire": orders.expire_due,
        "poll": polling.poll_due,
        "refunds": refunds.send_due,
        "coupons": lambda: coupons.expire_due(clock.now()),
        "nightly": nightly.run_due,
    }
    jobs[name]()


def in_two_processes(crowd: Crowd, name: str, table: str) -> None:
    db.session.remove()
    assert crowd.outcomes(table, run, [(name,), (name,)], waiting=2) == {"done": 2}


def states() -> Counter[OrderStatus]:
    db.session.rollback()
    return Counter(db.session.scalars(select(Order.status)))


def test_orders_end_once(alipay: Cashier, crowd: Crowd) -> None:
    student = a_student(beli=40)
    student_id = student.id
    for _ in range(EACH):
        placed(student, [a_course()], site_coupon=a_claimed(student, flat=1_000).id, beli=10)
    alipay.move_clock(18 * 60)
    in_two_processes(crowd, "expire", "payment")
    assert states() == {OrderStatus.TIMED_OUT: EACH}
    assert balance_of(student_id) == 40
    assert count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.REFUND) == EACH
    assert count(CouponRecord, CouponRecord.status == CouponStatus.UNUSED) == EACH


def test_payments_are_asked_about_and_booked_once(alipay: Cashier, crowd: Crowd) -> None:
    for _ in range(EACH):
        pay_unheard(alipay, an_unpaid_order(a_student(), a_course()))
    alipay.move_clock(120)
    asked = len(alipay.control("exchanges"))
    in_two_processes(crowd, "poll", "payment")
    assert states() == {OrderStatus.PAID: EACH}
    assert count(EnrolledCourse) == EACH
    assert len(alipay.control("exchanges")) - asked == EACH


def test_refunds_are_sent_once(alipay: Cashier, crowd: Crowd) -> None:
    numbers = []
    for _ in range(EACH):
        student = a_student(beli=10)
        numbers.append(bought(alipay, student, [a_course(10_000)], beli=10))
        approved(student, numbers[-1])
    in_two_processes(crowd, "refunds", "refund")
    assert states() == {OrderStatus.REFUNDED: EACH}
    assert count(Refund, Refund.state == RefundState.DONE) == EACH
    assert calls(alipay) == ["refund"] * EACH
    assert {at_alipay(alipay, number) for number in numbers} == {9_000}
    assert count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.REFUND) == EACH


def test_coupons_expire_once(app: Flask, crowd: Crowd) -> None:
    student = a_student()
    for _ in range(EACH):
        a_claimed(student)
    over = clock.now() - timedelta(seconds=1)
    with unit_of_work() as session:
        session.execute(update(CouponRecord).values(valid_from=over - timedelta(days=1), valid_until=over))
    db.session.remove()
    # One takes the rows, the other leaves them to it: on PostgreSQL only one waits.
    waiting = 1 if db.engine.dialect.name == "postgresql" else 2
    assert crowd.outcomes("coupon_record", run, [("coupons",), ("coupons",)], waiting=waiting) == {"done": 2}
    assert count(CouponRecord, CouponRecord.status == CouponStatus.EXPIRED) == EACH


def test_f38_a_night_is_worked_off_once(app: Flask, crowd: Crowd) -> None:
    in_two_processes(crowd, "nightly", "nightly_run")
    assert count(NightlyRun, NightlyRun.finished_time.is_not(None)) == 1
    assert count(AuditRun) == 1
    db.session.rollback()
    steps = db.session.scalars(select(NightlyRun.steps)).one()
    assert list(steps) == [*(step.name for step in nightly.STEPS), "audit"]
