"""Step (d) of the night: the last day of a degree, leaves that are used up; late, twice, at once, in any order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import permutations
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import ModuleStatus, RefundState, StudyStatus
from shop.errors import NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import EnrolledDegreeCourse, Notification, Refund, RefundDetail, StudyLeave, StudyRecord
from shop.rules.access import same_day_two_years_later
from shop.services import degree_closing, learning, leave, modules, study_end
from shop.services.enrolled_degrees import AskedBack
from tests.audit import assert_audit_clean
from tests.conftest import empty
from tests.degrees import STAFF, a_degree_with_homework, a_mark, a_studying, fresh, homework_in
from tests.purchases import saved, today
from tests.services.test_modules import at, told
from tests.services.test_nightly import set_clock
from tests.statements import counted

DAY = timedelta(days=1)
NOTHING = {"returned": 0, "passed": 0, "ended": 0}


def night_of(day: date) -> datetime:
    """02:00 of a Shanghai day: the night is named by it."""
    return clock.start_of_day(day) + timedelta(hours=2)


def stand() -> list[tuple[Any, ...]]:
    """Everything that the step may change, as it is: rows without their ids, instants to the minute."""
    db.session.rollback()
    degree, pause, record = EnrolledDegreeCourse, StudyLeave, StudyRecord
    asked = (
        select(degree.study_status, degree.valid_end_date, degree.ended_time).order_by(degree.id),
        select(pause.begin_time, pause.end_time).order_by(pause.id),
        select(record.status, record.open_date, record.end_date).order_by(record.id),
        select(Notification.content, Notification.msg_type).order_by(Notification.content, Notification.id),
    )
    return [tuple(map(_rough, row)) for one in asked for row in db.session.execute(one)]


def _rough(value: Any) -> Any:
    return value.replace(second=0, microsecond=0) if isinstance(value, datetime) else value


# ---------------------------------------------------------------- the last day


def test_a_degree_ends_after_its_last_day_and_not_on_it(app: Flask, instance: Path) -> None:
    enrolment = a_studying()
    last = same_day_two_years_later(today())
    set_clock(instance, night_of(last + DAY))
    assert study_end.end_due(night_of(last)) == NOTHING
    assert study_end.end_due(night_of(last + DAY)) == {**NOTHING, "ended": 1}
    enrolment = fresh(enrolment)
    assert (enrolment.study_status, enrolment.valid_end_date) == (StudyStatus.OVERTIME, last)
    assert enrolment.ended_time == clock.start_of_day(last + DAY)
    assert (len(told(enrolment.account_id)), len(told(enrolment.mentor_id))) == (2, 1)
    assert "超时结业" in told(enrolment.account_id)[-1]
    assert "超时结业" in told(enrolment.mentor_id)[-1]
    assert_audit_clean()


def test_lessons_are_open_through_the_last_day(app: Flask) -> None:
    enrolment = a_studying()
    last = same_day_two_years_later(today())
    module = enrolment.degree_course.modules[0]
    assert learning.may_open(enrolment.account_id, module, last)
    assert not learning.may_open(enrolment.account_id, module, last + DAY)


def test_the_time_of_the_end_is_that_of_the_day_and_not_of_the_run(app: Flask, instance: Path) -> None:
    enrolment = a_studying()
    last = same_day_two_years_later(today())
    set_clock(instance, night_of(last + 9 * DAY))
    assert study_end.end_due(night_of(last + 4 * DAY)) == {**NOTHING, "ended": 1}
    assert fresh(enrolment).ended_time == clock.start_of_day(last + DAY)
    assert study_end.end_due(night_of(last + 9 * DAY)) == NOTHING
    assert_audit_clean()


def test_who_has_not_begun_graduated_or_been_refunded_does_not_run_out_of_time(app: Flask, instance: Path) -> None:
    short = a_degree_with_homework(modules=1, homework=1)
    graduated, refunded = a_studying(course=short), a_studying()
    graduated = a_mark(graduated, homework_in(graduated)[0])
    with unit_of_work() as session:
        degree_closing.close(session, [refunded.order_detail_id], now=clock.now())
    ended_time = fresh(graduated).ended_time
    last = same_day_two_years_later(today())
    set_clock(instance, night_of(last + DAY))
    assert study_end.end_due(night_of(last + DAY)) == NOTHING
    assert fresh(graduated).study_status is StudyStatus.GRADUATED
    assert fresh(graduated).ended_time == ended_time
    assert fresh(refunded).study_status is StudyStatus.STUDYING


def asked_back(enrolment: EnrolledDegreeCourse) -> Refund:
    line = enrolment.order_detail
    part = RefundDetail(order_detail_id=line.id, amount_fen=0, beli=0)
    return saved(Refund(order_id=line.order_id, out_request_no=f"R{line.id}", amount_fen=0, details=[part]))


def test_nothing_ends_while_a_refund_is_decided_and_then_as_of_its_own_day(app: Flask, instance: Path) -> None:
    over, resting = a_studying(), a_studying()
    leave.begin(resting.account_id, resting.id, "考试")
    first, last = today(), same_day_two_years_later(today())
    refunds = [asked_back(over), asked_back(resting)]
    for act in (
        lambda: leave.begin(over.account_id, over.id, "x"),
        lambda: leave.end(resting.account_id, resting.id),
        lambda: modules.open_by_staff(over.id, over.study_records[1].course_module_id, actor=STAFF, reason="x"),
    ):
        with pytest.raises(AskedBack):
            act()
    night = night_of(last + 5 * DAY)
    assert study_end.end_due(night) == NOTHING
    for refund in refunds:
        refund.state, refund.decided_time = RefundState.REFUSED, clock.now()
        saved(refund)
    assert study_end.end_due(night) == {"returned": 1, "passed": 0, "ended": 1}
    assert fresh(over).ended_time == clock.start_of_day(last + DAY)
    assert db.session.scalars(select(StudyLeave.end_time)).one() == clock.start_of_day(first + 180 * DAY)


# ---------------------------------------------------------------- leaves


def test_a_leave_over_the_last_day_keeps_the_degree_alive(app: Flask, instance: Path) -> None:
    """Ten days before the end the student leaves for 180: ten days are left after the return."""
    enrolment = a_studying()
    last = same_day_two_years_later(today())
    set_clock(instance, clock.start_of_day(last - 10 * DAY))
    leave.begin(enrolment.account_id, enrolment.id, "出国")
    back = last + 170 * DAY
    assert study_end.end_due(night_of(last + 60 * DAY)) == NOTHING
    assert study_end.end_due(night_of(back)) == {**NOTHING, "returned": 1}
    assert fresh(enrolment).valid_end_date == last + 180 * DAY
    assert study_end.end_due(night_of(back + 10 * DAY)) == NOTHING
    assert study_end.end_due(night_of(back + 11 * DAY)) == {**NOTHING, "ended": 1}
    assert fresh(enrolment).ended_time == clock.start_of_day(last + 181 * DAY)
    assert_audit_clean()


def test_one_late_night_returns_and_ends(app: Flask, instance: Path) -> None:
    """Both became due while the job did not run: each as of its own day."""
    enrolment = a_studying()
    last = same_day_two_years_later(today())
    begin = last - 10 * DAY
    set_clock(instance, clock.start_of_day(begin))
    leave.begin(enrolment.account_id, enrolment.id, "出国")
    assert study_end.end_due(night_of(last + 400 * DAY)) == {"returned": 1, "passed": 0, "ended": 1}
    assert db.session.scalars(select(StudyLeave.end_time)).one() == clock.start_of_day(begin + 180 * DAY)
    assert fresh(enrolment).ended_time == clock.start_of_day(last + 181 * DAY)
    assert_audit_clean()


def test_the_leave_of_a_refunded_degree_is_left_alone(app: Flask, instance: Path) -> None:
    enrolment = a_studying()
    leave.begin(enrolment.account_id, enrolment.id, "考试")
    with unit_of_work() as session:
        degree_closing.close(session, [enrolment.order_detail_id], now=clock.now())
    before = stand()
    assert study_end.end_due(night_of(today() + 1000 * DAY)) == NOTHING
    assert stand() == before


# ---------------------------------------------------------------- late, twice, at once, in any order


def a_fleet(instance: Path) -> None:
    """Six students: one runs out of time, one returns, one does both, one sails on, one rests on, one graduated."""
    set_clock(instance, clock.start_of_day(today()) + timedelta(hours=12))
    six = [a_studying(course=a_degree_with_homework(modules=1, homework=1)) for _ in range(6)]
    over, returns, both, _sails, rests, graduated = six
    a_mark(graduated, homework_in(graduated)[0])
    for enrolment, ends, since in ((over, 100, 0), (both, 40, 10), (returns, 700, 10), (rests, 700, 150)):
        with unit_of_work() as session:
            row = session.get_one(EnrolledDegreeCourse, enrolment.id)
            row.valid_end_date = today() + ends * DAY
        if since:
            set_clock(instance, clock.start_of_day(today()) + since * DAY + timedelta(hours=3))
            leave.begin(enrolment.account_id, enrolment.id, "休息")
            at(instance, -since)


FLEET_ENDS = 230  # days: over after 100, both back after 190 and over after 220


def test_one_late_night_leaves_what_every_single_night_leaves(app: Flask, instance: Path) -> None:
    a_fleet(instance)
    first = today()
    fleet = stand()
    counts = [study_end.end_due(night_of(first + days * DAY)) for days in range(1, FLEET_ENDS)]
    assert {key: sum(count[key] for count in counts) for key in NOTHING} == {"returned": 2, "passed": 0, "ended": 2}
    night_by_night = stand()
    assert_audit_clean()

    empty(app)
    at(instance, (first - today()).days)
    a_fleet(instance)
    assert stand() == fleet
    assert study_end.end_due(night_of(first + (FLEET_ENDS - 1) * DAY)) == {"returned": 2, "passed": 0, "ended": 2}
    assert stand() == night_by_night
    assert_audit_clean()


@pytest.mark.parametrize("order", list(permutations((100, 190, 229))), ids=str)
def test_nights_in_any_order_end_the_same(app: Flask, instance: Path, order: tuple[int, ...]) -> None:
    a_fleet(instance)
    first = today()
    for days in order:
        study_end.end_due(night_of(first + days * DAY))
    statuses = [row.study_status for row in db.session.scalars(select(EnrolledDegreeCourse).order_by("id"))]
    ended = [row.ended_time for row in db.session.scalars(select(EnrolledDegreeCourse).order_by("id"))]
    assert statuses == [
        StudyStatus.OVERTIME,
        StudyStatus.STUDYING,
        StudyStatus.OVERTIME,
        StudyStatus.STUDYING,
        StudyStatus.ON_LEAVE,
        StudyStatus.GRADUATED,
    ]
    assert ended[0] == clock.start_of_day(first + 101 * DAY)
    assert ended[2] == clock.start_of_day(first + 221 * DAY)
    assert_audit_clean()


def test_three_processes_at_once_end_everything_once(app: Flask, instance: Path) -> None:
    a_fleet(instance)
    night = night_of(today() + (FLEET_ENDS - 1) * DAY)
    db.session.rollback()
    counts: list[dict[str, int]] = []

    def run() -> None:
        with app.app_context():
            counts.append(study_end.end_due(night))

    runs = [Thread(target=run) for _ in range(3)]
    for one in runs:
        one.start()
    for one in runs:
        one.join()
    assert {key: sum(count[key] for count in counts) for key in NOTHING} == {"returned": 2, "passed": 0, "ended": 2}
    assert db.session.query(Notification).filter(Notification.content.contains("超时结业")).count() == 4
    assert_audit_clean()


def test_it_goes_on_after_the_first_batch(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_end, "BATCH", 2)
    course = a_degree_with_homework()
    for _ in range(5):
        a_studying(course=course)
    assert study_end.end_due(night_of(same_day_two_years_later(today()) + DAY)) == {**NOTHING, "ended": 5}


def test_looking_costs_the_same_however_many_sail_on(app: Flask) -> None:
    course = a_degree_with_homework()
    sizes = []
    for _ in range(2):
        a_studying(course=course)
        with counted() as sent:
            study_end.end_due(clock.now())
        sizes.append(len(sent))
    assert sizes == [3, 3]


# ---------------------------------------------------------------- what the state closes


@pytest.mark.parametrize(
    "act",
    [
        lambda enrolment: leave.begin(enrolment.account_id, enrolment.id, "x"),
        lambda enrolment: leave.end(enrolment.account_id, enrolment.id),
        lambda enrolment: modules.open_first(
            enrolment.account_id, enrolment.id, modules.in_order(db.session(), enrolment.id)[1].course_module_id
        ),
    ],
    ids=["leave", "return", "open"],
)
def test_nothing_begins_after_the_end(app: Flask, instance: Path, act: Callable[[EnrolledDegreeCourse], Any]) -> None:
    enrolment = a_studying()
    last = same_day_two_years_later(today())
    set_clock(instance, night_of(last + DAY))
    study_end.end_due(clock.now())
    before = stand()
    with pytest.raises(NotYourTurn):
        act(enrolment)
    a_mark(enrolment, homework_in(enrolment)[0])
    a_mark(enrolment, homework_in(enrolment)[1])
    assert stand() == before
    assert [record.status for record in modules.in_order(db.session(), enrolment.id)][1] is ModuleStatus.LOCKED
