"""Clocks that jump, stand apart or pass midnight (safety.md 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask

from shop import clock
from shop.enums import CouponStatus, OrderStatus, TransactionType
from shop.extensions import db
from shop.models import CouponRecord, EnrolledCourse, Order, TransactionRecord
from shop.services import coupons, orders
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_coupon, a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.faults.purchase import (
    an_unpaid_order,
    balance_of,
    count,
    courses,
    pay_unheard,
    place,
    settle,
    settlements,
    the_order,
)
from tests.person import Person

HOUR, DAY = 3600, 24 * 3600
SetClock = Callable[[float], None]


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def set_clock(app: Flask, instance: Path) -> Iterator[SetClock]:
    """Move the clock of every process, the cashier's too, to so many seconds from the real present."""
    path = instance / "clock_offset"
    yield lambda seconds: path.write_text(str(seconds)) and None
    path.unlink(missing_ok=True)


def set_to(set_clock: SetClock, instant: datetime) -> None:
    set_clock((instant - datetime.now(UTC)).total_seconds())


def shanghai(day: date, hour: int, minute: int, second: int) -> datetime:
    return clock.start_of_day(day) + timedelta(hours=hour, minutes=minute, seconds=second)


def an_order_that_holds_things() -> tuple[int, str]:
    """An unpaid order with a coupon and all the 贝里 of its account: (account, number)."""
    student = a_student(beli=30)
    record = a_claimed(student, flat=1_000)
    [settlement] = settlements(courses(1), site_coupon=record.id)
    return student.id, place(student.id, settlement, 6_000, 30)


# ---------------------------------------------------------------- jumps


@pytest.mark.parametrize("jump", [HOUR, DAY], ids=["an hour", "a day"])
def test_f33_a_jump_forward_times_orders_out_and_releases_once(
    set_clock: SetClock, alipay: Cashier, jump: float
) -> None:
    student_id, number = an_order_that_holds_things()
    assert orders.expire_due() == {"ended": 0, "left": 0}
    set_clock(jump)
    assert orders.expire_due() == {"ended": 1, "left": 0}
    assert orders.expire_due() == {"ended": 0, "left": 0}
    assert the_order(number).status is OrderStatus.TIMED_OUT
    assert balance_of(student_id) == 30
    assert count(CouponRecord, CouponRecord.status == CouponStatus.UNUSED) == 1
    assert count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.REFUND) == 1


def test_f33_a_jump_forward_ends_no_order_that_is_paid_at_alipay(set_clock: SetClock, alipay: Cashier) -> None:
    _, number = an_order_that_holds_things()
    pay_unheard(alipay, number)
    set_clock(DAY)
    orders.expire_due()
    assert the_order(number).status is OrderStatus.PAID
    assert count(EnrolledCourse) == 1


def test_f33_a_jump_forward_ends_settlements_and_sessions(app: Flask, set_clock: SetClock) -> None:
    person = Person(app).sign_in(a_student().username)
    form = settle(person, a_course())
    set_clock(HOUR)
    answer = person.post("/checkout", form)
    assert answer.status_code == 409
    assert 'data-code="1008"' in answer.text
    set_clock(15 * DAY)
    answer = person.get("/orders")
    assert answer.status_code == 303
    assert "/login" in answer.location
    assert count(Order) == 0


@pytest.mark.parametrize("jump", [-HOUR, -DAY], ids=["an hour", "a day"])
def test_f34_a_jump_back_lets_nothing_happen_before_the_order(
    set_clock: SetClock, alipay: Cashier, jump: float
) -> None:
    """Paid and cancelled not before it was placed, whatever the clock says."""
    student = a_student()
    paid, cancelled = an_unpaid_order(student, a_course()), an_unpaid_order(student, a_course())
    back = pay_unheard(alipay, paid)
    set_clock(jump)
    assert fetch(back).status == 200
    orders.cancel(student.id, cancelled)
    order = the_order(paid)
    assert order.status is OrderStatus.PAID
    assert order.pay_time and order.pay_time >= order.date
    order = the_order(cancelled)
    assert order.cancel_time and order.cancel_time >= order.date


def test_f34_a_jump_back_leaves_an_order_payable_and_pages_readable(app: Flask, set_clock: SetClock) -> None:
    student = a_student()
    number = an_unpaid_order(student, a_course())
    person = Person(app).sign_in(student.username)
    set_clock(-HOUR)
    for path in ("/", "/cart", "/orders", f"/orders/{number}", "/account", "/account/coupons", "/account/beli"):
        assert person.get(path).status_code == 200
    assert person.post(f"/orders/{number}/payments").status_code == 303


# ---------------------------------------------------------------- the last day


@pytest.mark.parametrize(
    "last_day",
    [date(2027, 3, 17), date(2027, 4, 30), date(2028, 2, 29), date(2027, 12, 31)],
    ids=["a day", "month end", "29 February", "year end"],
)
def test_f35_a_coupon_counts_until_the_last_second_of_its_day_in_shanghai(
    app: Flask, set_clock: SetClock, last_day: date
) -> None:
    """A09: claimed and used on its last day, which in UTC ended eight hours before."""
    student, [course_id] = a_student(), courses(1)
    window = {"open_date": last_day, "close_date": last_day, "valid_begin_date": last_day, "valid_end_date": last_day}
    coupon = a_coupon(flat=1_000, **window)
    late = a_coupon(flat=1_000, **window)

    set_to(set_clock, shanghai(last_day, 23, 59, 0))
    coupons.claim(student.id, coupon.id, clock.now())
    [record_id] = db.session.query(CouponRecord.id).one()
    [settlement] = settlements([course_id], site_coupon=record_id)
    person = Person(app).sign_in(student.username)
    assert coupon.name in person.get("/account/coupons").text

    set_to(set_clock, shanghai(last_day + timedelta(days=1), 0, 0, 1))
    with pytest.raises(coupons.ClaimRefused):
        coupons.claim(student.id, late.id, clock.now())
    with pytest.raises(Exception, match="SiteCouponNotUsable"):
        place(student.id, settlement, 9_000)

    set_to(set_clock, shanghai(last_day, 23, 59, 30))
    place(student.id, settlement, 9_000)
    assert count(Order) == 1


@pytest.mark.parametrize("last_day", [date(2028, 2, 29), date(2027, 12, 31)], ids=["29 February", "year end"])
def test_f35_access_counts_until_the_last_second_of_its_day_in_shanghai(
    app: Flask, set_clock: SetClock, last_day: date
) -> None:
    student, course = a_student(), a_course(0)
    lesson = course.chapters[0].sections[1].id
    set_to(set_clock, shanghai(last_day - timedelta(days=30), 12, 0, 0))
    place(student.id, settlements([course.id])[0], 0)
    assert db.session.query(EnrolledCourse.valid_end_date).scalar() == last_day
    set_to(set_clock, shanghai(last_day, 23, 59, 30))
    person = Person(app).sign_in(student.username)
    assert person.get(f"/learning/sections/{lesson}").status_code == 200
    set_to(set_clock, shanghai(last_day + timedelta(days=1), 0, 0, 1))
    assert person.get(f"/learning/sections/{lesson}").status_code == 403


# ---------------------------------------------------------------- two machines


@pytest.mark.parametrize("is_paid", [False, True], ids=["unpaid", "paid"])
def test_f36_jobs_on_a_clock_five_minutes_ahead_end_no_order_that_was_paid(
    set_clock: SetClock, alipay: Cashier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_paid: bool
) -> None:
    """Alipay decides: the job asks it first, so that three minutes too early cost no money (O6)."""
    number = an_unpaid_order(a_student(), a_course())
    if is_paid:
        pay_unheard(alipay, number)
    set_clock(13 * 60)  # the buyer has two minutes left
    ahead = tmp_path / "of the job's machine"
    ahead.write_text(str(18 * 60))
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv(clock.OFFSET_FILE, str(ahead))
        orders.expire_due()
    assert the_order(number).status is (OrderStatus.PAID if is_paid else OrderStatus.TIMED_OUT)


def test_f36_jobs_on_a_clock_five_minutes_behind_end_orders_five_minutes_later(
    set_clock: SetClock, alipay: Cashier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = an_unpaid_order(a_student(), a_course())
    behind = tmp_path / "of the job's machine"
    for minutes, ended in ((18, 0), (23, 1)):  # a quarter of an hour, two minutes of grace
        set_clock(minutes * 60)
        behind.write_text(str((minutes - 5) * 60))
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv(clock.OFFSET_FILE, str(behind))
            assert orders.expire_due() == {"ended": ended, "left": 0}
    assert the_order(number).status is OrderStatus.TIMED_OUT
