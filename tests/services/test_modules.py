"""Modules of a degree: opened one by one with their plan, passed with their homework, or moved along by staff."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import HomeworkType, MessageType, ModuleStatus, Score, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import (
    AuditLog,
    Course,
    CourseChapter,
    CourseSchedule,
    DegreeCourse,
    EnrolledDegreeCourse,
    Homework,
    Notification,
    OrderDetail,
    ScoreRecord,
    StudyRecord,
)
from shop.rules.access import same_day_two_years_later
from shop.services import degree_closing, delivery, learning, leave, modules, study_end
from shop.services.catalogue_import import import_catalogue
from shop.wording import say
from tests.audit import assert_audit_clean
from tests.builders import a_degree, a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mark, a_registered, a_studying, fresh, homework_in
from tests.faults.barrier import until_waiting
from tests.purchases import a_paid_line, enrolled_in_degree, saved, today
from tests.services.test_catalogue_import import SCHOOL, imported
from tests.services.test_nightly import set_clock

DAY = timedelta(days=1)
DONE, LOCKED, OPEN = ModuleStatus.DONE, ModuleStatus.LOCKED, ModuleStatus.STUDYING


def at(instance: Path, days: float) -> datetime:
    """Noon, so many days from today; the clock stands there now."""
    moment = clock.start_of_day(today()) + timedelta(days=days, hours=12)
    set_clock(instance, moment)
    return moment


def statuses(enrolment: EnrolledDegreeCourse) -> list[ModuleStatus]:
    db.session.rollback()
    return [record.status for record in modules.in_order(db.session(), enrolment.id)]


def module_ids(enrolment: EnrolledDegreeCourse) -> list[int]:
    return [record.course_module_id for record in modules.in_order(db.session(), enrolment.id)]


def plan(enrolment: EnrolledDegreeCourse) -> list[date]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(CourseSchedule.recommend_date)
            .join(StudyRecord, StudyRecord.id == CourseSchedule.study_record_id)
            .where(StudyRecord.enrolled_degree_course_id == enrolment.id)
            .order_by(CourseSchedule.id)
        )
    )


def told(account_id: int | None, kind: MessageType = MessageType.STUDY) -> list[str]:
    db.session.rollback()
    rows = db.session.scalars(
        select(Notification)
        .where(Notification.account_id == account_id, Notification.msg_type == kind)
        .order_by(Notification.id)
    )
    return [say(row.content, "zh", row.facts) for row in rows]


def without_homework(course: DegreeCourse, module: int) -> None:
    course.modules[module].chapters[0].homework = []
    db.session.commit()


# ---------------------------------------------------------------- the plan


def test_a_plan_runs_through_the_chapters_and_over_the_end_of_the_year(app: Flask, instance: Path) -> None:
    """Chapters by their number, homework by its order; what is switched off has no day."""
    set_clock(instance, clock.start_of_day(date(clock.now().year + 1, 12, 24)) + timedelta(hours=12))
    course = a_degree_with_homework(modules=1, homework=1)
    second = CourseChapter(chapter=2, name="第二章", course_id=course.modules[0].id)
    second.homework = [
        Homework(title="后", order=9, recommend_period=3),
        Homework(title="停用", order=2, recommend_period=5, enabled=False),
        Homework(title="先", order=1, recommend_period=10, homework_type=HomeworkType.FINAL),
    ]
    saved(second)
    enrolment = a_registered(course=course)
    assert plan(enrolment) == [today() + days * DAY for days in (7, 17, 20)]
    assert {day.year for day in plan(enrolment)} == {today().year, today().year + 1}
    assert (enrolment.valid_begin_date, enrolment.valid_end_date) == (today(), same_day_two_years_later(today()))


def test_the_next_module_is_planned_from_the_day_it_opens(app: Flask, instance: Path) -> None:
    enrolment = a_studying()
    first = today()
    at(instance, 3)
    a_mark(enrolment, homework_in(enrolment)[0])
    at(instance, 2)
    a_mark(enrolment, homework_in(enrolment)[1])
    assert plan(enrolment) == [first + days * DAY for days in (7, 14, 5 + 7, 5 + 14)]
    assert statuses(enrolment) == [DONE, OPEN]
    assert fresh(enrolment).valid_end_date == same_day_two_years_later(first)  # the first opening alone begins them


def test_homework_that_comes_later_has_no_day_and_must_be_passed_all_the_same(app: Flask) -> None:
    enrolment = a_studying()
    chapter = enrolment.degree_course.modules[0].chapters[0]
    saved(Homework(chapter_id=chapter.id, title="新增", order=9))
    for homework in homework_in(enrolment)[:2]:
        a_mark(enrolment, homework)
    assert statuses(enrolment) == [OPEN, LOCKED]
    assert len(plan(enrolment)) == 2
    a_mark(enrolment, homework_in(enrolment)[2])
    assert statuses(enrolment) == [DONE, OPEN]
    assert_audit_clean()


# ---------------------------------------------------------------- the way to graduation


def test_two_modules_to_graduation(app: Flask, instance: Path) -> None:
    """20 days of 100 are within 50 %: the best scholarship. Student and mentor are told at every turn."""
    enrolment = a_studying()
    degree = enrolment.degree_course.name
    names = [module.name for module in enrolment.degree_course.modules]
    for days, module, homework in ((5, 0, 0), (5, 0, 1), (5, 1, 0), (4, 1, 1)):
        assert fresh(enrolment).study_status is StudyStatus.STUDYING
        at(instance, days)
        enrolment = a_mark(enrolment, homework_in(enrolment, module)[homework], Score.C_PLUS)
    assert enrolment.study_status is StudyStatus.GRADUATED
    assert enrolment.ended_time is not None and clock.local_date(enrolment.ended_time) == today()
    assert statuses(enrolment) == [DONE, DONE]
    (booked,) = db.session.scalars(select(ScoreRecord).where(ScoreRecord.event == f"graduation:{enrolment.id}"))
    assert (booked.score, booked.facts) == (2000, {"days": 20, "period": 100, "percent": 50})
    assert told(enrolment.account_id) == [
        f"「{degree}」的模块「{names[0]}」已开通。",
        f"「{degree}」的模块「{names[0]}」已通过，下一个模块「{names[1]}」已开通。",
        f"恭喜！您用 20 天完成了「{degree}」的全部模块，已毕业，毕业奖学金 2000 贝里。",
    ]
    student = fresh(enrolment).account.username
    assert told(enrolment.mentor_id) == [f"您的学员 {student} 已从「{degree}」毕业。"]
    assert_audit_clean()


@pytest.mark.parametrize(("days", "value"), [(49, 2000), (50, 300), (99, 300), (100, 0)])
def test_the_speed_decides_the_scholarship_to_the_day(app: Flask, instance: Path, days: int, value: int) -> None:
    """Both ends count: opened today and passed in 49 days is 50 days of study, 50 % of the 100."""
    enrolment = a_studying(course=a_degree_with_homework(modules=1, homework=1))
    at(instance, days)
    enrolment = a_mark(enrolment, homework_in(enrolment)[0])
    assert (enrolment.study_status, enrolment.reward_balance) == (StudyStatus.GRADUATED, value)
    assert ("毕业奖学金" in told(enrolment.account_id)[-1]) is bool(value)
    assert_audit_clean()


def test_a_mark_that_does_not_pass_ends_nothing(app: Flask) -> None:
    enrolment = a_studying(course=a_degree_with_homework(modules=1, homework=1))
    a_mark(enrolment, homework_in(enrolment)[0], Score.C)
    assert statuses(enrolment) == [OPEN]
    assert fresh(enrolment).study_status is StudyStatus.STUDYING


def test_a_mark_after_the_last_day_ends_nothing_though_the_night_has_not_come(app: Flask, instance: Path) -> None:
    """The night runs late or in time: the same comes out (domain.md 4.3)."""
    enrolment = a_studying(course=a_degree_with_homework(modules=1, homework=1))
    assert enrolment.valid_end_date is not None
    set_clock(instance, clock.end_of_day(enrolment.valid_end_date) + timedelta(seconds=1))
    enrolment = a_mark(enrolment, homework_in(enrolment)[0])
    assert (enrolment.study_status, statuses(enrolment)) == (StudyStatus.STUDYING, [OPEN])


def test_a_mark_on_the_last_day_graduates(app: Flask, instance: Path) -> None:
    enrolment = a_studying(course=a_degree_with_homework(modules=1, homework=1))
    assert enrolment.valid_end_date is not None
    set_clock(instance, clock.end_of_day(enrolment.valid_end_date) - timedelta(minutes=1))
    assert a_mark(enrolment, homework_in(enrolment)[0]).study_status is StudyStatus.GRADUATED


# ---------------------------------------------------------------- the student opens the first module


def test_the_student_opens_the_first_module_which_starts_the_two_years(app: Flask) -> None:
    enrolment = a_registered(open_module=False)
    first, second = module_ids(enrolment)
    assert (enrolment.study_status, enrolment.valid_begin_date) == (StudyStatus.NOT_STARTED, None)
    with pytest.raises(NotYourTurn):
        modules.open_first(enrolment.account_id, enrolment.id, second)
    assert modules.open_first(enrolment.account_id, enrolment.id, first)
    assert not modules.open_first(enrolment.account_id, enrolment.id, first)
    enrolment = fresh(enrolment)
    assert (enrolment.study_status, enrolment.valid_begin_date) == (StudyStatus.STUDYING, today())
    assert (statuses(enrolment), len(plan(enrolment))) == ([OPEN, LOCKED], 2)
    assert len(told(enrolment.account_id)) == 1


def test_no_module_opens_before_the_form_for_a_stranger_or_by_a_foreign_id(app: Flask) -> None:
    enrolment, other = a_registered(open_module=False), a_degree()
    unfiled = enrolled_in_degree(a_student(), other)
    first = module_ids(enrolment)[0]
    with pytest.raises(NotYourTurn):
        modules.open_first(unfiled.account_id, unfiled.id, other.modules[0].id)
    with pytest.raises(NotFound):
        modules.open_first(unfiled.account_id, enrolment.id, first)
    with pytest.raises(NotFound):
        modules.open_first(enrolment.account_id, enrolment.id, other.modules[0].id)
    assert statuses(enrolment) == statuses(unfiled) == [LOCKED, LOCKED]


# ---------------------------------------------------------------- staff


def degrees(app: Flask, *words: object) -> Result:
    return app.test_cli_runner().invoke(args=["degrees", *map(str, words)])


def test_staff_open_a_module_before_the_one_before_is_passed(app: Flask) -> None:
    enrolment = a_studying()
    second = module_ids(enrolment)[1]
    result = degrees(app, "open", enrolment.id, second, "--reason", "  免修第一个模块的作业  ")
    assert (result.exit_code, result.output) == (
        0,
        f"Enrolment {enrolment.id}: module {second} is open since {today()}.\n",
    )
    assert (statuses(enrolment), len(plan(enrolment))) == ([OPEN, OPEN], 4)
    log = db.session.scalars(select(AuditLog).where(AuditLog.action == "study_record open")).one()
    assert (log.actor, log.reason, log.after) == ("command line", "免修第一个模块的作业", {"status": 2, "ended": []})
    assert "已开通" in told(enrolment.account_id)[-1]
    for homework in homework_in(enrolment, 1):
        a_mark(enrolment, homework)
    assert (statuses(enrolment), fresh(enrolment).study_status) == ([OPEN, DONE], StudyStatus.STUDYING)
    for homework in homework_in(enrolment, 0):
        a_mark(enrolment, homework)
    assert fresh(enrolment).study_status is StudyStatus.GRADUATED  # it was still to be passed
    assert_audit_clean()


def test_what_staff_left_out_opens_when_nothing_else_is_studied(app: Flask) -> None:
    enrolment = a_studying(course=a_degree_with_homework(modules=4, homework=1))
    ids = module_ids(enrolment)
    modules.open_by_staff(enrolment.id, ids[3], actor=STAFF, reason="先学这个")
    a_mark(enrolment, homework_in(enrolment, 3)[0])
    assert statuses(enrolment) == [OPEN, LOCKED, LOCKED, DONE]
    a_mark(enrolment, homework_in(enrolment, 0)[0])
    assert statuses(enrolment) == [DONE, OPEN, LOCKED, DONE]
    modules.open_by_staff(enrolment.id, ids[2], actor=STAFF, reason="一起学")
    a_mark(enrolment, homework_in(enrolment, 1)[0])
    assert statuses(enrolment) == [DONE, DONE, OPEN, DONE]
    a_mark(enrolment, homework_in(enrolment, 2)[0])
    assert fresh(enrolment).study_status is StudyStatus.GRADUATED
    assert_audit_clean()


def test_a_module_that_was_skipped_opens_after_the_last_one(app: Flask) -> None:
    enrolment = a_registered(course=a_degree_with_homework(modules=2, homework=1), open_module=False)
    modules.open_by_staff(enrolment.id, module_ids(enrolment)[1], actor=STAFF, reason="先学第二个")
    assert fresh(enrolment).valid_begin_date == today()
    a_mark(enrolment, homework_in(enrolment, 1)[0])
    assert statuses(enrolment) == [OPEN, DONE]


def test_a_module_without_homework_is_ended_by_opening_the_next_one(app: Flask) -> None:
    course = a_degree_with_homework(modules=3, homework=1)
    without_homework(course, 1)
    enrolment = a_studying(course=course)
    ids = module_ids(enrolment)
    a_mark(enrolment, homework_in(enrolment, 0)[0])
    assert statuses(enrolment) == [DONE, OPEN, LOCKED]
    modules.open_by_staff(enrolment.id, ids[2], actor=STAFF, reason="学完了")
    assert statuses(enrolment) == [DONE, DONE, OPEN]
    log = db.session.scalars(select(AuditLog).where(AuditLog.action == "study_record open")).one()
    assert log.after == {"status": 2, "ended": [ids[1]]}
    assert a_mark(enrolment, homework_in(enrolment, 2)[0]).study_status is StudyStatus.GRADUATED
    assert_audit_clean()


def test_a_skipped_module_without_homework_can_be_read_and_holds_nobody_up(app: Flask) -> None:
    course = a_degree_with_homework(modules=3, homework=1)
    without_homework(course, 1)
    enrolment = a_studying(course=course)
    modules.open_by_staff(enrolment.id, module_ids(enrolment)[2], actor=STAFF, reason="跳过")
    assert statuses(enrolment) == [OPEN, DONE, OPEN]
    assert learning.may_open(enrolment.account_id, course.modules[1], today())
    for module in (0, 2):
        a_mark(enrolment, homework_in(enrolment, module)[0])
    assert fresh(enrolment).study_status is StudyStatus.GRADUATED
    assert_audit_clean()


def test_a_module_without_homework_is_never_passed_by_itself(app: Flask) -> None:
    course = a_degree_with_homework(modules=2, homework=1)
    without_homework(course, 0)
    enrolment = a_studying(course=course)
    with unit_of_work() as session:
        modules.go_on(session, fresh(enrolment), module_ids(enrolment)[0], clock.now())
    assert study_end.end_due(clock.now())["passed"] == 0
    assert statuses(enrolment) == [OPEN, LOCKED]


def test_staff_end_the_last_module_when_it_has_no_homework(app: Flask) -> None:
    course = a_degree_with_homework(modules=2, homework=1)
    without_homework(course, 1)
    enrolment = a_studying(course=course)
    a_mark(enrolment, homework_in(enrolment, 0)[0])
    last = module_ids(enrolment)[1]
    result = degrees(app, "pass", enrolment.id, last, "--reason", "面试通过")
    assert (result.exit_code, result.output) == (
        0,
        f"Enrolment {enrolment.id}: module {last} is done since {today()}; graduated.\n",
    )
    assert fresh(enrolment).study_status is StudyStatus.GRADUATED
    log = db.session.scalars(select(AuditLog).where(AuditLog.action == "study_record pass")).one()
    assert (log.before, log.after, log.reason) == ({"status": 2}, {"status": 0, "study_status": 2}, "面试通过")
    assert_audit_clean()


def test_staff_pass_no_module_whose_homework_is_not_passed(app: Flask) -> None:
    enrolment = a_studying()
    first, second = module_ids(enrolment)
    a_mark(enrolment, homework_in(enrolment)[0])
    for module, why in ((first, "homework"), (second, "locked")):
        with pytest.raises(NotYourTurn) as refused:
            modules.pass_by_staff(enrolment.id, module, actor=STAFF, reason="试试")
        assert refused.value.facts == {"why": why}
    assert statuses(enrolment) == [OPEN, LOCKED]


def test_staff_are_told_why_a_module_does_not_open(app: Flask, instance: Path) -> None:
    unfiled = enrolled_in_degree(a_student(), a_degree())
    studying, resting, over = a_studying(), a_studying(), a_studying()
    leave.begin(resting.account_id, resting.id, "考试")
    assert over.valid_end_date is not None
    said = {
        "form": degrees(app, "open", unfiled.id, module_ids(unfiled)[0], "--reason", "x"),
        "open already": degrees(app, "open", studying.id, module_ids(studying)[0], "--reason", "x"),
        "on leave": degrees(app, "open", resting.id, module_ids(resting)[1], "--reason", "x"),
        "no such module": degrees(app, "open", studying.id, 99999, "--reason", "x"),
        "no enrolment": degrees(app, "open", 99999, 1, "--reason", "x"),
        "a reason has": degrees(app, "open", studying.id, module_ids(studying)[1], "--reason", " "),
        "1 to 255": degrees(app, "open", studying.id, module_ids(studying)[1], "--reason", "x" * 256),
    }
    set_clock(instance, clock.end_of_day(over.valid_end_date) + DAY)
    said["has ended"] = degrees(app, "open", over.id, module_ids(over)[1], "--reason", "x")
    assert [why for why, result in said.items() if result.exit_code != 1 or why not in result.output] == []
    assert statuses(studying) == [OPEN, LOCKED]
    assert db.session.query(AuditLog).filter(AuditLog.action.startswith("study_record")).count() == 0


def test_staff_see_the_road(app: Flask) -> None:
    enrolment = a_studying()
    a_mark(enrolment, homework_in(enrolment)[0])
    result = degrees(app, "show", enrolment.id)
    first, second = module_ids(enrolment)
    assert f"{enrolment.id}  {enrolment.degree_course.name}  studying  {today()} to " in result.output
    assert f"  {first}  studying  {enrolment.degree_course.modules[0].name}  1 of 2 homework passed" in result.output
    assert f"  {second}  locked" in result.output
    leave.begin(enrolment.account_id, enrolment.id, "个人原因，保密")
    shown = degrees(app, "show", enrolment.id).output
    assert f"on leave since {today()}" in shown
    assert "保密" not in shown
    assert degrees(app, "show", 99999).exit_code == 1


# ---------------------------------------------------------------- what counts changes on the way


def test_homework_that_is_switched_off_counts_no_more_from_the_coming_night(app: Flask) -> None:
    enrolment = a_studying()
    a_mark(enrolment, homework_in(enrolment)[0])
    assert study_end.end_due(clock.now()) == {"returned": 0, "passed": 0, "ended": 0}
    db.session.get_one(Homework, homework_in(enrolment)[1]).enabled = False
    db.session.commit()
    night = clock.now()
    assert study_end.end_due(night - DAY)["passed"] == 0  # the mark came after that night
    assert study_end.end_due(night) == {"returned": 0, "passed": 1, "ended": 0}
    assert study_end.end_due(night) == {"returned": 0, "passed": 0, "ended": 0}
    assert statuses(enrolment) == [DONE, OPEN]
    assert_audit_clean()


def test_staff_need_not_wait_for_the_night(app: Flask) -> None:
    enrolment = a_studying()
    a_mark(enrolment, homework_in(enrolment)[0])
    db.session.get_one(Homework, homework_in(enrolment)[1]).enabled = False
    db.session.commit()
    modules.pass_by_staff(enrolment.id, module_ids(enrolment)[0], actor=STAFF, reason="停用了一份作业")
    assert statuses(enrolment) == [DONE, OPEN]


def test_a_module_added_to_the_degree_is_part_of_the_road(app: Flask, tmp_path: Path) -> None:
    imported(tmp_path, SCHOOL)
    course = db.session.scalars(select(DegreeCourse)).one()
    enrolment = a_registered(course=course)
    more = "      - {name: 模块二, category: 编程, sub_category: 语言, brief: 再进一步}\ncoupons:\n"
    imported(tmp_path, SCHOOL.replace("coupons:\n", more))
    a_mark(enrolment, homework_in(enrolment)[0])
    assert (statuses(enrolment), fresh(enrolment).study_status) == ([DONE, OPEN], StudyStatus.STUDYING)
    assert_audit_clean()


def test_a_module_added_after_graduation_takes_nothing_back(app: Flask, tmp_path: Path) -> None:
    imported(tmp_path, SCHOOL)
    enrolment = a_registered(course=db.session.scalars(select(DegreeCourse)).one())
    a_mark(enrolment, homework_in(enrolment)[0])
    more = "      - {name: 模块二, category: 编程, sub_category: 语言, brief: 再进一步}\ncoupons:\n"
    imported(tmp_path, SCHOOL.replace("coupons:\n", more))
    assert (statuses(enrolment), fresh(enrolment).study_status) == ([DONE, LOCKED], StudyStatus.GRADUATED)
    with pytest.raises(NotYourTurn):
        modules.open_by_staff(enrolment.id, module_ids(enrolment)[1], actor=STAFF, reason="x")
    assert_audit_clean()


@pytest.mark.only_on("postgresql")
def test_a_module_that_is_added_while_its_degree_is_delivered_reaches_the_student(app: Flask, tmp_path: Path) -> None:
    """The import waits for the delivery, and then sees its enrolment."""
    imported(tmp_path, SCHOOL)
    line = a_paid_line(a_student(), db.session.scalars(select(DegreeCourse)).one())
    more = "      - {name: 模块二, category: 编程, sub_category: 语言, brief: 再进一步}\ncoupons:\n"
    file = tmp_path / "more.yaml"
    file.write_text(SCHOOL.replace("coupons:\n", more), encoding="utf-8")

    def add_the_module() -> None:
        with app.app_context():
            import_catalogue(file, today=today())

    importing = Thread(target=add_the_module)
    with unit_of_work() as session:
        delivery.deliver(session, line.order, now=clock.now())
        importing.start()
        until_waiting(1)
    importing.join()
    names = [record.course_module.name for record in db.session.scalars(select(StudyRecord).order_by(StudyRecord.id))]
    assert names == ["模块一", "模块二"]
    assert_audit_clean()


@pytest.mark.only_on("postgresql")
def test_a_degree_that_is_delivered_while_a_module_is_added_has_it(app: Flask, tmp_path: Path) -> None:
    """The delivery waits for the import, and then sees its module."""
    imported(tmp_path, SCHOOL)
    course = db.session.scalars(select(DegreeCourse)).one()
    line_id = a_paid_line(a_student(), course).id
    category = course.modules[0].sub_category_id

    def deliver() -> None:
        with app.app_context(), unit_of_work() as session:
            line = session.get_one(OrderDetail, line_id)
            delivery.deliver(session, line.order, now=clock.now())

    delivering = Thread(target=deliver)
    with unit_of_work() as session:
        column = DegreeCourse.__table__.c.id
        session.execute(select(column).where(column == course.id).with_for_update())  # as the import does
        session.add(
            Course(
                name="模块二", brief="", course_type=2, degree_course_id=course.id, order=2, sub_category_id=category
            )
        )
        delivering.start()
        until_waiting(1)
    delivering.join()
    assert db.session.query(StudyRecord).count() == 2


# ---------------------------------------------------------------- refunds


def test_nothing_moves_on_a_refunded_degree(app: Flask) -> None:
    enrolment = a_studying()
    first = module_ids(enrolment)[0]
    with unit_of_work() as session:
        degree_closing.close(session, [enrolment.order_detail_id], now=clock.now())
    for act in (
        lambda: modules.open_first(enrolment.account_id, enrolment.id, first),
        lambda: leave.begin(enrolment.account_id, enrolment.id, "x"),
        lambda: leave.end(enrolment.account_id, enrolment.id),
    ):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(NotYourTurn):
        modules.open_by_staff(enrolment.id, module_ids(enrolment)[1], actor=STAFF, reason="x")
    assert statuses(enrolment) == [OPEN, LOCKED]
