"""What ends soon is told once, to whoever it concerns."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask

from shop import clock
from shop.enums import CouponStatus, MessageType
from shop.extensions import db
from shop.models import Account, CouponRecord, EnrolledCourse
from shop.services import reminders
from tests.builders import a_claimed, a_course, a_student, today_in_shanghai
from tests.purchases import enrolled
from tests.services.test_messages import letters, told

DAY = timedelta(days=1)


def a_coupon_that_ends(days: int, claimed_days_ago: int = 2) -> CouponRecord:
    today = today_in_shanghai()
    record = a_claimed(a_student(), valid_begin_date=today - 2 * DAY, valid_end_date=today + days * DAY)
    record.get_time = clock.now() - claimed_days_ago * DAY
    db.session.commit()
    return record


def test_a_coupon_is_told_of_once_three_days_before_it_ends(app: Flask) -> None:
    record = a_coupon_that_ends(10)
    name, owner, end = record.coupon.name, record.account_id, record.valid_until
    assert reminders.of_coupons(end - 3 * DAY - timedelta(seconds=1)) == {"told": 0}
    assert reminders.of_coupons(end - 3 * DAY) == {"told": 1}
    assert reminders.of_coupons(end - DAY) == {"told": 0}
    (message,) = told(owner)
    assert (message.msg_type, message.link) == (MessageType.COUPON, "/account/coupons")
    (letter,) = letters()
    local = clock.local(end)
    assert f"优惠券「{name}」将在{local.month}月{local.day}日 23:59到期" in letter.body
    assert f"“{name}” ends on {local.day} " in letter.body


def test_a_coupon_that_is_used_over_or_just_claimed_is_not_told_of(app: Flask) -> None:
    used, over, fresh = a_coupon_that_ends(1), a_coupon_that_ends(0), a_coupon_that_ends(1, claimed_days_ago=0)
    used.status, over.valid_until = CouponStatus.EXPIRED, clock.now() - timedelta(seconds=1)
    db.session.commit()
    assert reminders.of_coupons(clock.now()) == {"told": 0}
    assert told(fresh.account_id) == []


def test_many_coupons_are_told_of_in_several_transactions(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders, "BATCH", 2)
    owners = [a_coupon_that_ends(1).account_id for _number in range(5)]
    assert reminders.of_coupons(clock.now()) == {"told": 5}
    assert [len(told(owner)) for owner in owners] == [1] * 5


def test_two_runners_tell_once(app: Flask) -> None:
    owners = [a_coupon_that_ends(1).account_id for _number in range(4)]
    db.session.remove()
    now, both_ready = clock.now(), threading.Barrier(2)

    def run() -> None:
        with app.app_context():
            both_ready.wait()
            reminders.of_coupons(now)

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(told(owner)) for owner in owners] == [1] * 4
    assert len(letters()) == 4


def a_course_that_ends(days: int, bought_days_ago: int = 20) -> EnrolledCourse:
    return enrolled(a_student(), a_course(), -bought_days_ago, days, enrolled_date=clock.now() - bought_days_ago * DAY)


def test_access_is_told_of_a_week_before_it_ends_and_when_it_has_ended(app: Flask) -> None:
    row = a_course_that_ends(8)
    owner, course, end = row.account_id, row.course, row.valid_end_date
    name, link = course.name, f"/courses/{course.id}"
    now = clock.now()
    assert reminders.of_courses(now) == {"ending": 0, "ended": 0}
    assert reminders.of_courses(now + DAY) == {"ending": 1, "ended": 0}
    assert reminders.of_courses(now + 8 * DAY) == {"ending": 0, "ended": 0}
    assert reminders.of_courses(now + 9 * DAY) == {"ending": 0, "ended": 1}
    assert reminders.of_courses(now + 10 * DAY) == {"ending": 0, "ended": 0}
    before, after = told(owner)
    assert (before.msg_type, before.link) == (after.msg_type, after.link) == (MessageType.COURSE_EXPIRY, link)
    (letter,) = letters()  # that it has ended is no letter's news
    assert f"课程「{name}」可以学到{end.month}月{end.day}日" in letter.body.replace(f"{end.year}年", "")


@pytest.mark.parametrize("days", [3, -1])
def test_access_that_goes_on_or_was_refunded_or_was_just_bought_is_not_told_of(app: Flask, days: int) -> None:
    renewed, refunded = a_course_that_ends(days), a_course_that_ends(days)
    enrolled(db.session.get_one(Account, renewed.account_id), renewed.course, days + 1, days + 30)
    refunded.closed_time = clock.now()
    db.session.commit()
    if days > 0:
        a_course_that_ends(days, bought_days_ago=1)
    assert reminders.of_courses(clock.now()) == {"ending": 0, "ended": 0}


def test_an_end_long_ago_is_no_news(app: Flask) -> None:
    a_course_that_ends(-8)
    assert reminders.of_courses(clock.now()) == {"ending": 0, "ended": 0}
