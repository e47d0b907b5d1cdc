"""休学: what rests, what moves, how long it may last, and that its days count neither for nor against anybody."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from threading import Thread

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from shop import clock, wording
from shop.enums import ModuleStatus, Score, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db
from shop.models import AuditLog, EnrolledDegreeCourse, Mail, Notification, ScoreRecord, StudyLeave
from shop.rules.access import same_day_two_years_later
from shop.services import learning, leave, modules, study_end
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mark, a_registered, a_studying, fresh, homework_in
from tests.purchases import today
from tests.services.test_modules import at, plan, statuses, told
from tests.services.test_nightly import set_clock

DAY = timedelta(days=1)
WHY = "家里有事，需要照顾家人"


@pytest.fixture
def first_day(app: Flask, instance: Path) -> date:
    """Noon of a day near the end of the year: leaves cross it."""
    set_clock(instance, clock.start_of_day(date(clock.now().year + 1, 12, 20)) + timedelta(hours=12))
    return today()


def begin(enrolment: EnrolledDegreeCourse) -> None:
    leave.begin(enrolment.account_id, enrolment.id, WHY)


def end(enrolment: EnrolledDegreeCourse) -> int:
    return leave.end(enrolment.account_id, enrolment.id)


def away(enrolment: EnrolledDegreeCourse, instance: Path, days: float) -> int:
    """A leave from now on, of so many days; how many it counted."""
    begin(enrolment)
    at(instance, days)
    return end(enrolment)


def in_words(day: date) -> str:
    return wording.day(day, "zh")


def rows(enrolment: EnrolledDegreeCourse) -> list[tuple[date, date | None]]:
    db.session.rollback()
    found = db.session.scalars(
        select(StudyLeave).where(StudyLeave.enrolled_degree_course_id == enrolment.id).order_by(StudyLeave.id)
    )
    return [
        (clock.local_date(row.begin_time), clock.local_date(row.end_time) if row.end_time else None) for row in found
    ]


# ---------------------------------------------------------------- what rests and what moves


def test_a_leave_moves_the_last_day_and_the_days_of_what_is_not_passed(first_day: date, instance: Path) -> None:
    enrolment = a_studying(course=a_degree_with_homework(modules=1, homework=3))
    assert plan(enrolment) == [first_day + days * DAY for days in (7, 14, 21)]
    at(instance, 3)
    a_mark(enrolment, homework_in(enrolment)[1])  # the second one, before its day
    at(instance, 5)  # the day after the first one was due
    assert away(enrolment, instance, 20) == 20
    enrolment = fresh(enrolment)
    assert plan(enrolment) == [first_day + days * DAY for days in (7, 14, 41)]
    assert enrolment.valid_end_date == same_day_two_years_later(first_day) + 20 * DAY
    assert (enrolment.study_status, rows(enrolment)) == (
        StudyStatus.STUDYING,
        [(first_day + 8 * DAY, first_day + 28 * DAY)],
    )
    assert_audit_clean()


def test_what_is_due_on_the_first_day_of_leave_moves(first_day: date, instance: Path) -> None:
    enrolment = a_studying(course=a_degree_with_homework(modules=1, homework=1))
    at(instance, 7)
    assert plan(enrolment) == [today()]
    away(enrolment, instance, 3)
    assert plan(enrolment) == [today()]


def test_what_was_handed_in_and_did_not_pass_moves_too(first_day: date, instance: Path) -> None:
    enrolment = a_studying()
    a_mark(enrolment, homework_in(enrolment)[0], Score.C)
    away(enrolment, instance, 2)
    assert plan(enrolment) == [first_day + days * DAY for days in (9, 16)]


def test_who_returns_on_the_same_day_moves_nothing(first_day: date, instance: Path) -> None:
    enrolment = a_studying()
    before = (fresh(enrolment).valid_end_date, plan(enrolment))
    begin(enrolment)
    set_clock(instance, clock.end_of_day(today()) - timedelta(minutes=1))
    assert end(enrolment) == 0
    assert (fresh(enrolment).valid_end_date, plan(enrolment)) == before


def test_a_leave_of_minutes_over_midnight_is_a_day(first_day: date, instance: Path) -> None:
    enrolment = a_studying()
    set_clock(instance, clock.end_of_day(first_day) - timedelta(minutes=5))
    begin(enrolment)
    set_clock(instance, clock.start_of_day(first_day + DAY) + timedelta(minutes=5))
    assert end(enrolment) == 1
    assert fresh(enrolment).valid_end_date == same_day_two_years_later(first_day) + DAY


def test_any_leaves_make_two_years_and_their_days(first_day: date, instance: Path) -> None:
    enrolment = a_studying()
    total = 0
    for study, rest in ((0, 3), (1, 0), (0, 30), (9, 1), (200, 80), (0, 66)):
        at(instance, study)
        total += away(enrolment, instance, rest)
        enrolment = fresh(enrolment)
        assert enrolment.valid_begin_date == first_day
        assert enrolment.valid_end_date == same_day_two_years_later(first_day) + total * DAY
    assert total == 180
    assert modules.studied_days(db.session(), enrolment, today()) == (today() - first_day).days + 1 - 180
    assert_audit_clean()


def test_lessons_are_closed_during_a_leave_and_open_after_it(first_day: date, instance: Path) -> None:
    enrolment = a_studying()
    module = enrolment.degree_course.modules[0]
    assert learning.may_open(enrolment.account_id, module, today())
    begin(enrolment)
    assert not learning.may_open(enrolment.account_id, module, today())
    end(enrolment)
    assert learning.may_open(enrolment.account_id, module, today())


# ---------------------------------------------------------------- marks during a leave


def test_a_module_that_opens_during_a_leave_is_planned_from_the_return(first_day: date, instance: Path) -> None:
    """A mark of what was handed in before: the next module opens on the fifth day of ten."""
    enrolment = a_studying()
    a_mark(enrolment, homework_in(enrolment)[0])
    begin(enrolment)
    at(instance, 5)
    a_mark(enrolment, homework_in(enrolment)[1])
    assert statuses(enrolment) == [ModuleStatus.DONE, ModuleStatus.STUDYING]
    assert fresh(enrolment).study_status is StudyStatus.ON_LEAVE
    at(instance, 5)
    assert end(enrolment) == 10
    assert plan(enrolment)[2:] == [today() + 7 * DAY, today() + 14 * DAY]
    assert_audit_clean()


def test_the_last_mark_during_a_leave_ends_it_and_graduates(first_day: date, instance: Path) -> None:
    enrolment = a_studying(course=a_degree_with_homework(modules=1, homework=1))
    at(instance, 10)
    begin(enrolment)
    at(instance, 30)
    enrolment = a_mark(enrolment, homework_in(enrolment)[0])
    assert (enrolment.study_status, rows(enrolment)) == (
        StudyStatus.GRADUATED,
        [(first_day + 10 * DAY, first_day + 40 * DAY)],
    )
    booked = db.session.scalars(select(ScoreRecord).where(ScoreRecord.event == f"graduation:{enrolment.id}")).one()
    assert booked.facts["days"] == 11  # 41 days, 30 of them away
    assert enrolment.valid_end_date == same_day_two_years_later(first_day) + 30 * DAY
    assert_audit_clean()


# ---------------------------------------------------------------- how long


def test_a_leave_ends_by_itself_when_its_days_are_used_up(first_day: date, instance: Path) -> None:
    enrolment = a_studying()
    away(enrolment, instance, 100)
    at(instance, 10)
    begin(enrolment)
    last = today() + 80 * DAY
    night = clock.start_of_day(last) + timedelta(hours=2)
    set_clock(instance, night)
    assert study_end.end_due(night - DAY) == {"returned": 0, "passed": 0, "ended": 0}
    assert study_end.end_due(night) == {"returned": 1, "passed": 0, "ended": 0}
    assert study_end.end_due(night) == {"returned": 0, "passed": 0, "ended": 0}
    assert rows(enrolment)[1] == (last - 80 * DAY, last)
    assert fresh(enrolment).valid_end_date == same_day_two_years_later(first_day) + 180 * DAY
    with pytest.raises(NotYourTurn) as refused:
        begin(enrolment)
    assert refused.value.facts == {"why": "days"}
    assert "已复学，休学 80 天" in told(enrolment.account_id)[-1]
    assert "已复学，休学 80 天" in told(enrolment.mentor_id)[-1]
    assert_audit_clean()


@pytest.mark.parametrize("how", ["by the night", "by the student", "by staff", "by graduating"])
def test_however_late_it_is_ended_it_took_the_days_it_had(first_day: date, instance: Path, how: str) -> None:
    enrolment = a_studying(course=a_degree_with_homework(modules=1, homework=1))
    begin(enrolment)
    now = at(instance, 190)
    if how == "by the night":
        study_end.end_due(now)
    elif how == "by the student":
        assert end(enrolment) == 180
    elif how == "by staff":
        assert leave.end_by_staff(enrolment.id, actor=STAFF, reason="忘了复学") == 180
    else:
        a_mark(enrolment, homework_in(enrolment)[0])
    assert rows(enrolment) == [(first_day, first_day + 180 * DAY)]
    ended = db.session.scalars(select(StudyLeave.end_time)).one()
    assert ended == clock.start_of_day(first_day + 180 * DAY)
    assert fresh(enrolment).valid_end_date == same_day_two_years_later(first_day) + 180 * DAY
    assert_audit_clean()


# ---------------------------------------------------------------- who may, and when


def test_a_leave_begins_only_while_one_studies(first_day: date, instance: Path) -> None:
    unopened, studying = a_registered(open_module=False), a_studying()
    over = a_studying()
    with pytest.raises(NotYourTurn) as refused:
        begin(unopened)
    assert refused.value.facts == {"why": "state"}
    begin(studying)
    with pytest.raises(NotYourTurn):
        begin(studying)
    end(studying)
    with pytest.raises(NotYourTurn):
        end(studying)
    assert over.valid_end_date is not None
    set_clock(instance, clock.end_of_day(over.valid_end_date) - timedelta(minutes=1))
    begin(over)
    end(over)
    set_clock(instance, clock.end_of_day(over.valid_end_date) + timedelta(seconds=1))
    with pytest.raises(NotYourTurn) as refused:
        begin(over)
    assert refused.value.facts == {"why": "over"}
    assert_audit_clean()


def test_the_leave_of_somebody_else_is_not_found(first_day: date) -> None:
    enrolment, stranger = a_studying(), a_student()
    for act in (
        lambda: leave.page(stranger.id, enrolment.id, today()),
        lambda: leave.begin(stranger.id, enrolment.id, WHY),
        lambda: leave.end(stranger.id, enrolment.id),
        lambda: leave.begin(enrolment.mentor_id or 0, enrolment.id, WHY),
    ):
        with pytest.raises(NotFound):
            act()
    assert fresh(enrolment).study_status is StudyStatus.STUDYING


@pytest.mark.parametrize("reason", ["", "  ", "长" * 256])
def test_a_leave_needs_a_reason_of_1_to_255_characters(first_day: date, reason: str) -> None:
    enrolment = a_studying()
    with pytest.raises(ValueError, match="1 to 255"):
        leave.begin(enrolment.account_id, enrolment.id, reason)
    assert rows(enrolment) == []


def test_two_at_once_begin_one_leave(first_day: date, app: Flask) -> None:
    enrolment = a_studying()
    account_id, enrolment_id = enrolment.account_id, enrolment.id
    db.session.rollback()
    refused: list[object] = []

    def press() -> None:
        with app.app_context():
            try:
                leave.begin(account_id, enrolment_id, WHY)
            except NotYourTurn as error:
                refused.append(error.facts["why"])

    presses = [Thread(target=press) for _ in range(6)]
    for one in presses:
        one.start()
    for one in presses:
        one.join()
    assert (refused, rows(enrolment)) == (["state"] * 5, [(first_day, None)])
    assert_audit_clean()


# ---------------------------------------------------------------- who hears of it


def test_student_and_mentor_are_told_and_the_mentor_not_why(first_day: date, instance: Path) -> None:
    enrolment = a_studying()
    away(enrolment, instance, 12)
    degree, name = enrolment.degree_course.name, enrolment.account.username
    last, until = in_words(first_day + 180 * DAY), in_words(same_day_two_years_later(first_day) + 12 * DAY)
    assert told(enrolment.account_id)[1:] == [
        f"「{degree}」已休学，最晚到 {last}。期间课时关闭，不计违规；复学时有效期和作业日期顺延。",
        f"「{degree}」已复学，休学 12 天。有效期顺延到 {until}。",
    ]
    assert told(enrolment.mentor_id) == [
        f"学员 {name}（「{degree}」）从现在起休学，最晚到 {last}，期间不计时限。",
        f"学员 {name}（「{degree}」）已复学，休学 12 天。",
    ]
    for table in (Notification, Mail, AuditLog):
        for row in db.session.scalars(select(table)):
            assert "家人" not in repr(vars(row))


def test_a_student_without_a_mentor_may_leave(first_day: date, instance: Path) -> None:
    enrolment = a_registered()
    assert away(enrolment, instance, 4) == 4
    assert len(told(enrolment.account_id)) == 3


# ---------------------------------------------------------------- staff


def degrees(app: Flask, *words: object) -> Result:
    return app.test_cli_runner().invoke(args=["degrees", *map(str, words)])


def test_staff_begin_and_end_a_leave_with_a_reason(first_day: date, instance: Path, app: Flask) -> None:
    enrolment = a_studying()
    result = degrees(app, "leave", enrolment.id, "--reason", "学员住院，家属来电")
    assert (result.exit_code, result.output) == (0, f"Enrolment {enrolment.id}: on leave.\n")
    at(instance, 5)
    result = degrees(app, "return", enrolment.id, "--reason", "出院")
    assert (result.exit_code, result.output) == (0, f"Enrolment {enrolment.id}: back after 5 days.\n")
    logs = db.session.scalars(select(AuditLog).where(AuditLog.action.startswith("study_leave")).order_by(AuditLog.id))
    leave_id = db.session.scalars(select(StudyLeave.id)).one()
    assert [(log.action, log.subject_id, log.after, log.reason) for log in logs] == [
        ("study_leave begin", leave_id, {"enrolment": enrolment.id}, "学员住院，家属来电"),
        ("study_leave end", leave_id, {"enrolment": enrolment.id, "days": 5}, "出院"),
    ]
    assert_audit_clean()


def test_staff_are_told_why_not(first_day: date, app: Flask) -> None:
    enrolment = a_studying()
    said = {
        "does not allow": degrees(app, "return", enrolment.id, "--reason", "x"),
        "no enrolment 99999": degrees(app, "leave", 99999, "--reason", "x"),
        "1 to 255": degrees(app, "leave", enrolment.id, "--reason", "x" * 256),
        "a reason has": degrees(app, "leave", enrolment.id, "--reason", " "),
    }
    assert [why for why, result in said.items() if result.exit_code != 1 or why not in result.output] == []
    assert rows(enrolment) == []


# ---------------------------------------------------------------- the page's figures


def test_the_page_counts_the_days(first_day: date, instance: Path) -> None:
    enrolment = a_studying()
    away(enrolment, instance, 30)
    begin(enrolment)
    at(instance, 10)
    view = leave.page(enrolment.account_id, enrolment.id, today())
    assert (view.allowed_days, view.taken_days, view.left_days, view.may_begin) == (180, 30, 150, False)
    assert view.present is not None
    assert (view.present.begin_date, view.present.return_date) == (first_day + 30 * DAY, first_day + 180 * DAY)
    end(enrolment)
    view = leave.page(enrolment.account_id, enrolment.id, today())
    assert (view.taken_days, view.left_days, view.may_begin, view.present) == (40, 140, True, None)
