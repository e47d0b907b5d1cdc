"""The road of a degree on its pages: what is next and by when, what is late in words, leave and return, and the end."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from shop import clock, wording
from shop.enums import ModuleStatus, Purse, Rule, Score, StudyStatus
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    EnrolledDegreeCourse,
    Homework,
    HomeworkRecord,
    HomeworkSubmission,
    Refund,
    RefundDetail,
    StudyLeave,
)
from shop.rules.access import same_day_two_years_later
from shop.services import enrolled_degrees, leave, purses, road, study_end
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import a_degree_with_homework, a_mark, a_mentor, a_registered, a_studying, fresh, homework_in
from tests.pages.test_english import english, translate_data
from tests.pages.test_orders import words
from tests.person import Person
from tests.purchases import enrolled_in_degree, saved, today
from tests.services.test_modules import at, module_ids, statuses
from tests.services.test_study_end import night_of
from tests.statements import counted

DAY = timedelta(days=1)
STATEMENTS = 9  # of the page's own; the person and the unread messages come on top


@pytest.fixture
def robin(app: Flask) -> Account:
    return a_student(username="robin", name="罗宾")


@pytest.fixture
def student(person: Person, robin: Account) -> Person:
    return person.sign_in("robin")


def of(enrolment: EnrolledDegreeCourse, rest: str = "") -> str:
    return f"/learning/degrees/{enrolment.id}{rest}"


def day(when: date) -> str:
    return wording.day(when, "zh")


def primary(page: str) -> list[str]:
    """The words of the primary buttons: at most one a page."""
    return [unescape(text) for text in re.findall(r'class="button button--primary"[^>]*>([^<]*)<', page)]


def picture(page: str) -> str:
    """The chart with what it says of itself."""
    return re.findall(r'<svg class="chart".*?</svg>', page, re.DOTALL)[0]


def buoys(page: str) -> list[str]:
    return re.findall(r'class="buoy buoy--(\w+)"', picture(page))


def asked_back(enrolment: EnrolledDegreeCourse) -> Refund:
    line = enrolment.order_detail
    part = RefundDetail(order_detail_id=line.id, amount_fen=0, beli=0)
    return saved(Refund(order_id=line.order_id, out_request_no=f"R{line.id}", amount_fen=0, details=[part]))


def waiting(enrolment: EnrolledDegreeCourse, homework_id: int) -> None:
    saved(
        HomeworkRecord(
            homework_id=homework_id,
            student_id=enrolment.id,
            submit_num=1,
            date=clock.now(),
            submissions=[HomeworkSubmission(number=1, content="交作业", submitted_time=clock.now())],
        )
    )


# ---------------------------------------------------------------- before the first module


def test_before_the_form_the_form_is_next(student: Person, robin: Account) -> None:
    enrolment = enrolled_in_degree(robin, a_degree_with_homework())
    page = student.get(of(enrolment)).text
    assert primary(page) == ["填写报名表"]
    assert f"/degrees/enrolments/{enrolment.id}/registration" in page
    text = words(page)
    assert "状态 未开始" in text
    assert "导师 等待分配导师" in text
    assert "2 份作业，其中 1 次模块通关考核" in text
    assert set(buoys(page)) == {"locked"}
    assert of(enrolment, "/questions") not in page
    assert of(enrolment, "/homework/") not in page


def test_the_student_opens_the_first_module(student: Person, robin: Account) -> None:
    enrolment = a_registered(robin, open_module=False)
    first, second = module_ids(enrolment)
    page = student.get(of(enrolment))
    assert primary(page.text) == ["开通第一个模块"]
    assert f'action="{of(enrolment)}/modules/{first}"' in page.text
    assert student.post(of(enrolment, f"/modules/{second}")).status_code == 409
    page = student.follow(student.post(of(enrolment, f"/modules/{first}")))
    assert "第一个模块已开通，两年有效期从今天开始。" in page.text
    assert statuses(enrolment) == [ModuleStatus.STUDYING, ModuleStatus.LOCKED]
    again = student.follow(student.post(of(enrolment, f"/modules/{first}")))
    assert "第一个模块已开通" not in again.text
    assert primary(again.text) == ["去交作业"]
    for wrong in (99999, 2147483647):
        assert student.post(of(enrolment, f"/modules/{wrong}")).status_code == 404
    assert_audit_clean()


# ---------------------------------------------------------------- under way


def test_what_is_next_and_by_when(student: Person, robin: Account, instance: Path) -> None:
    enrolment = a_studying(robin)
    first, second = homework_in(enrolment)
    due = today() + 7 * DAY
    page = student.get(of(enrolment)).text
    assert "下一步：交「作业1」" in page
    assert f"建议 {day(due)} 前交，还有 7 天。" in page
    assert f'href="{of(enrolment)}/homework/{first}">去交作业' in page
    assert "导师 沈舟" in words(page)
    assert f"到 {day(same_day_two_years_later(today()))}" in page
    assert "没有逾期的作业" in page
    at(instance, 7)
    student.sign_in("robin")
    assert "建议今天交。" in student.get(of(enrolment)).text
    a_mark(enrolment, first)
    page = student.get(of(enrolment)).text
    assert "下一步：交「作业2」" in page
    assert "模块通关考核" in page
    assert f'href="{of(enrolment)}/homework/{second}">去交作业' in page
    assert buoys(page) == ["passed", "todo", "locked", "locked"]


def test_late_work_is_late_in_words_and_in_shape(student: Person, robin: Account, instance: Path) -> None:
    enrolment = a_studying(robin)
    opened = today()
    at(instance, 17)
    student.sign_in("robin")
    page = student.get(of(enrolment)).text
    text = words(page)
    assert f"建议 {day(opened + 7 * DAY)} 交，已经晚了 10 天。" in text
    assert "晚了 3 天" in text
    assert text.count("逾期未交") >= 3
    assert "2 份逾期未交 （应交 2 份，已交 0 份）" in text
    assert "逾期未交 2 份" in picture(page)
    assert buoys(page) == ["late", "late", "locked", "locked"]
    assert "state--bad" in page
    a_mark(enrolment, homework_in(enrolment)[0])
    text = words(student.get(of(enrolment)).text)
    assert f"{day(today())} 交 ， 晚了 10 天" in text.replace("，", " ， ").replace("  ", " ")
    assert "已通过 A" in text


def test_what_did_not_pass_is_handed_in_again(student: Person, robin: Account) -> None:
    enrolment = a_studying(robin)
    a_mark(enrolment, homework_in(enrolment)[0], Score.C)
    page = student.get(of(enrolment)).text
    assert "下一步：重交「作业1」" in page
    assert "上次成绩 C，没有通过" in page
    assert f"建议 {day(today() + 7 * DAY)} 前交" in page
    assert "不合格 C" in page
    assert primary(page) == ["去重交作业"]
    assert buoys(page)[:2] == ["failed", "todo"]


def test_when_all_is_handed_in_the_mark_is_waited_for(student: Person, robin: Account) -> None:
    enrolment = a_studying(robin)
    for homework in homework_in(enrolment):
        waiting(enrolment, homework)
    page = student.get(of(enrolment)).text
    assert "2 份作业等导师批改" in page
    assert primary(page) == ["查看交了的作业"]
    assert buoys(page)[:2] == ["waiting", "waiting"]
    assert "比计划快 2 份" in page


def test_a_module_without_homework_says_who_opens_the_next_one(student: Person, robin: Account) -> None:
    enrolment = a_studying(robin, a_degree_with_homework(homework=0))
    page = student.get(of(enrolment)).text
    assert "这个模块没有作业。学完以后请告诉导师，由教务开通下一步。" in page
    assert primary(page) == ["告诉导师"]


def test_later_homework_has_no_day_and_homework_switched_off_is_gone(student: Person, robin: Account) -> None:
    enrolment = a_studying(robin)
    first, second = homework_in(enrolment)
    chapter = db.session.get_one(Homework, first).chapter_id
    saved(Homework(chapter_id=chapter, title="后来的作业", order=9))
    db.session.get_one(Homework, second).enabled = False
    db.session.commit()
    a_mark(enrolment, first)
    page = student.get(of(enrolment)).text
    assert "下一步：交「后来的作业」" in page
    assert "它没有建议日期，完成了就可以交。" in page
    assert "作业2" not in page.split('id="voyage"')[1].split("stage--locked")[0]
    a_mark(enrolment, homework_in(enrolment)[1])
    assert statuses(enrolment) == [ModuleStatus.DONE, ModuleStatus.STUDYING]
    saved(Homework(chapter_id=chapter, title="太晚的作业", order=10))
    assert "太晚的作业" not in student.get(of(enrolment)).text  # its module is done


def test_when_all_that_counts_is_passed_the_night_goes_on(student: Person, robin: Account) -> None:
    enrolment = a_studying(robin)
    first, second = homework_in(enrolment)
    a_mark(enrolment, first)
    db.session.get_one(Homework, second).enabled = False
    db.session.commit()
    page = student.get(of(enrolment)).text
    assert "的作业已全部通过" in page
    assert primary(page) == []
    study_end.end_due(clock.now())
    assert "state--ok" not in student.get(of(enrolment)).text


def test_the_best_scholarship_that_can_still_be_reached_is_named_with_its_day(
    student: Person, robin: Account, instance: Path
) -> None:
    enrolment = a_studying(robin)
    begin = today()
    assert f"{day(begin + 49 * DAY)} 前毕业可得 2000 贝里" in words(student.get(of(enrolment)).text)
    at(instance, 50)
    student.sign_in("robin")
    assert f"{day(begin + 99 * DAY)} 前毕业可得 300 贝里" in words(student.get(of(enrolment)).text)
    at(instance, 50)
    student.sign_in("robin")
    assert "前毕业可得" not in student.get(of(enrolment)).text


def test_a_refund_under_way_rests_everything(student: Person, robin: Account) -> None:
    enrolment = a_studying(robin)
    asked_back(enrolment)
    page = student.get(of(enrolment)).text
    assert "退费处理中，暂停学习" in page
    assert primary(page) == []
    assert "lesson__name" not in page
    assert student.post(of(enrolment, "/leave"), {"reason": "x"}).status_code == 409
    assert "退费处理中，现在不能休学。" in student.get(of(enrolment, "/leave")).text
    assert fresh(enrolment).study_status is StudyStatus.STUDYING


# ---------------------------------------------------------------- leave and return


def test_leave_and_return(student: Person, robin: Account, instance: Path) -> None:
    enrolment = a_studying(robin)
    page = student.get(of(enrolment, "/leave"))
    assert "一个学位一共可以休学 180 天" in page.text
    assert "已休学 0 天，还可以休学 180 天。" in page.text
    assert primary(page.text) == ["从现在起休学"]
    page = student.follow(
        student.post(of(enrolment, "/leave"), {**student.form(page, "leave"), "reason": " 照顾家人 "})
    )
    assert "已开始休学" in page.text
    assert f"最晚 {day(today() + 180 * DAY)} 自动复学" in page.text
    assert "照顾家人" not in page.text
    assert "lesson__name" not in page.text
    assert "照顾家人" in student.get(of(enrolment, "/leave")).text
    at(instance, 10)
    student.sign_in("robin")
    assert "没有逾期的作业" in student.get(of(enrolment)).text  # though seven days have gone by
    page = student.follow(student.post(of(enrolment, "/leave/return")))
    assert "欢迎回来！休学 10 天" in page.text
    assert f"建议 {day(today() + 7 * DAY)} 前交" in page.text
    assert student.follow(student.post(of(enrolment, "/leave/return"))).status_code == 200
    assert "已休学 10 天，还可以休学 170 天。" in student.get(of(enrolment, "/leave")).text
    db.session.rollback()
    assert db.session.query(StudyLeave).one().reason == "照顾家人"
    assert_audit_clean()


def test_what_was_late_before_a_leave_stays_late_and_gets_no_later(
    student: Person, robin: Account, instance: Path
) -> None:
    enrolment = a_studying(robin)
    at(instance, 9)
    leave.begin(robin.id, enrolment.id, "考试")
    at(instance, 20)
    student.sign_in("robin")
    text = words(student.get(of(enrolment)).text)
    assert "晚了 2 天" in text
    assert "1 份逾期未交 （应交 1 份，已交 0 份）" in text


@pytest.mark.parametrize(
    "reason",
    [
        "",
        "   ",
        "\r\n\r\n",
        "长" * 256,
        "a\x00b",
        "a\x1bb",
        "\x7f",
        ["一", "二"],
        None,
    ],
    ids=["empty", "blank", "only lines", "too long", "NUL", "escape", "delete", "twice", "missing"],
)
def test_a_reason_that_cannot_be_one_is_told_on_the_form(student: Person, robin: Account, reason: Any) -> None:
    enrolment = a_studying(robin)
    answer = student.post(of(enrolment, "/leave"), {} if reason is None else {"reason": reason})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'id="leave"' in answer.text
    db.session.rollback()
    assert db.session.query(StudyLeave).count() == 0
    assert fresh(enrolment).study_status is StudyStatus.STUDYING


@pytest.mark.parametrize(
    "reason", ["<script>alert(1)</script>", "长" * 255, "=1+1", "１２３", "a\r\nb", b"\xed\xa0\x80"]
)
def test_a_strange_reason_is_kept_as_it_is(student: Person, robin: Account, reason: Any) -> None:
    enrolment = a_studying(robin)
    assert student.post(of(enrolment, "/leave"), {"reason": reason}).status_code == 303
    page = student.get(of(enrolment, "/leave"))
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    db.session.rollback()
    assert len(db.session.query(StudyLeave).one().reason) in range(1, 256)


def test_why_there_is_no_leave(student: Person, robin: Account, instance: Path) -> None:
    enrolment = a_registered(robin, open_module=False)
    assert "有效期没有开始计算，不需要休学" in student.get(of(enrolment, "/leave")).text
    answer = student.post(of(enrolment, "/leave"), {"reason": "x"})
    assert (answer.status_code, "不需要休学" in answer.text) == (409, True)
    student.post(of(enrolment, f"/modules/{module_ids(enrolment)[0]}"))
    leave.begin(robin.id, enrolment.id, "全部用完")
    at(instance, 181)
    leave.end(robin.id, enrolment.id)
    student.sign_in("robin")
    assert "可以休学的天数已经用完。" in student.get(of(enrolment, "/leave")).text
    answer = student.post(of(enrolment, "/leave"), {"reason": "再来"})
    assert (answer.status_code, "已经用完" in answer.text) == (409, True)
    db.session.rollback()
    assert db.session.query(StudyLeave).count() == 1


# ---------------------------------------------------------------- the end


def test_the_road_of_a_graduate(student: Person, robin: Account, instance: Path) -> None:
    enrolment = a_studying(robin, a_degree_with_homework(modules=1, homework=1))
    until = same_day_two_years_later(today())
    at(instance, 20)
    student.sign_in("robin")
    enrolment = a_mark(enrolment, homework_in(enrolment)[0])
    page = student.get(of(enrolment)).text
    text = words(page)
    assert f"{day(today())} 毕业" in text
    assert "您用 21 天完成了全部模块（推荐 100 天）。 在推荐天数的 50% 以内，毕业奖学金 2000 贝里" in text
    assert f"课时可以看到 {day(until)}。 2000 贝里 在毕业后的第一个凌晨到账" in text
    assert primary(page) == ["查看奖惩记录"]
    assert "lesson__name" in page
    assert of(enrolment, "/leave") not in page
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        purses.pay_out(session, locked, Purse.REWARDS, today(), clock.now())
    assert "奖励都已结算。" in student.get(of(enrolment)).text
    assert_audit_clean()


def test_the_road_of_a_slow_graduate(student: Person, robin: Account, instance: Path) -> None:
    enrolment = a_studying(robin, a_degree_with_homework(modules=1, homework=1))
    at(instance, 200)
    student.sign_in("robin")
    a_mark(enrolment, homework_in(enrolment)[0])
    assert "超过了奖学金的天数，没有毕业奖学金。" in student.get(of(enrolment)).text


def test_the_road_of_who_ran_out_of_time(student: Person, robin: Account, instance: Path) -> None:
    enrolment = a_studying(robin)
    a_mark(enrolment, homework_in(enrolment)[0])
    last = same_day_two_years_later(today())
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        purses.gain(session, locked, Purse.REWARDS, Rule.HOMEWORK_SCORE, Cause("x"), clock.now(), amount=90)
    at(instance, (last - today()).days + 3)
    study_end.end_due(night_of(last + DAY))
    student.sign_in("robin")
    page = student.get(of(enrolment)).text
    text = words(page)
    assert "超时结业" in text
    assert f"两年有效期到 {day(last)} 为止" in text
    assert "90 贝里 没有到账的奖励不再发放。" in text
    assert "lesson__name" not in page
    assert "已通过 A" in text  # what was reached stays to be seen
    assert of(enrolment, f"/homework/{homework_in(enrolment)[0]}") in page
    assert "学习已经结束，不能休学。" in student.get(of(enrolment, "/leave")).text
    assert_audit_clean()


# ---------------------------------------------------------------- the picture and the page


def test_the_picture_says_what_the_words_say(student: Person, robin: Account, instance: Path) -> None:
    enrolment = a_studying(robin, a_degree_with_homework(modules=3, homework=3))
    first, second, third = homework_in(enrolment)
    at(instance, 15)
    student.sign_in("robin")
    a_mark(enrolment, first)
    a_mark(enrolment, second, Score.D)
    waiting(enrolment, third)
    page = student.get(of(enrolment)).text
    chart = picture(page)
    assert "共 3 个模块，完成 0 个；9 份作业，通过 1 份，待批改 1 份，不合格 1 份，逾期未交 0 份。" in chart
    assert 'role="img" aria-labelledby="chart-title chart-words"' in chart
    assert buoys(page) == ["passed", "failed", "waiting"] + ["locked"] * 6
    assert re.findall(r'class="port port--(\w+)"', chart) == ["here", "locked", "locked"]
    assert " style=" not in page
    assert page.count("<h1>") == 1


@pytest.mark.parametrize("modules", [0, 1, 7, 24])
def test_roads_of_any_length_are_drawn_within_the_picture(
    student: Person, robin: Account, instance: Path, modules: int
) -> None:
    course = a_degree_with_homework(modules=modules, homework=4)
    enrolment = a_studying(robin, course) if modules else a_registered(robin, course, open_module=False)
    page = student.get(of(enrolment))
    assert page.status_code == 200
    xs = [float(x) for x in re.findall(r"translate\(([\d.]+) ", picture(page.text))]
    assert all(0 <= x <= 480 for x in xs)
    assert f"完成 0 / {modules} 个" in page.text


def test_the_page_costs_the_same_however_long_the_road_is(app: Flask, robin: Account) -> None:
    sizes = []
    for modules, homework in ((1, 1), (6, 8)):
        enrolment = a_studying(robin, a_degree_with_homework(modules=modules, homework=homework))
        for piece in homework_in(enrolment):
            waiting(enrolment, piece)
        leave.begin(robin.id, enrolment.id, "x")
        leave.end(robin.id, enrolment.id)
        db.session.rollback()
        with counted() as sent:
            view = road.page(robin.id, enrolment.id, today())
        assert len(view.stages[0].tasks) == homework
        sizes.append(len(sent))
    assert sizes[0] == sizes[1] <= STATEMENTS


def test_only_its_owner_sees_the_road(app: Flask, robin: Account) -> None:
    mentor = a_mentor(username="shen")
    enrolment = a_studying(robin, mentor=mentor)
    a_student(username="nosy")
    form = {"reason": "x"}
    for name in ("nosy", "shen"):
        other = Person(app).sign_in(name)
        answers = [
            other.get(of(enrolment)),
            other.get(of(enrolment, "/leave")),
            other.post(of(enrolment, "/leave"), form),
            other.post(of(enrolment, "/leave"), {}),
            other.post(of(enrolment, "/leave/return")),
            other.post(of(enrolment, f"/modules/{module_ids(enrolment)[0]}")),
        ]
        assert [answer.status_code for answer in answers] == [404] * 6
    assert Person(app).get(of(enrolment)).location == f"/login?next={of(enrolment)}"
    assert fresh(enrolment).study_status is StudyStatus.STUDYING


def test_a_post_without_its_token_changes_nothing(app: Flask, robin: Account, student: Person) -> None:
    enrolment = a_studying(robin)
    for path in ("/leave", "/leave/return", f"/modules/{module_ids(enrolment)[1]}"):
        answer = student.client.post(of(enrolment, path), data={"reason": "x"})
        assert answer.status_code == 400
    assert fresh(enrolment).study_status is StudyStatus.STUDYING


# ---------------------------------------------------------------- in English

Make = Callable[[Account, Path], EnrolledDegreeCourse]


def _late(robin: Account, instance: Path) -> EnrolledDegreeCourse:
    enrolment = a_studying(robin)
    at(instance, 20)
    return enrolment


def _failed(robin: Account, instance: Path) -> EnrolledDegreeCourse:
    enrolment = a_studying(robin)
    return a_mark(enrolment, homework_in(enrolment)[0], Score.COPY)


def _waiting(robin: Account, instance: Path) -> EnrolledDegreeCourse:
    enrolment = a_studying(robin)
    for homework in homework_in(enrolment):
        waiting(enrolment, homework)
    return enrolment


def _resting(robin: Account, instance: Path) -> EnrolledDegreeCourse:
    enrolment = a_studying(robin)
    leave.begin(robin.id, enrolment.id, "x")
    return enrolment


def _graduated(robin: Account, instance: Path) -> EnrolledDegreeCourse:
    enrolment = a_studying(robin, a_degree_with_homework(modules=1, homework=1))
    return a_mark(enrolment, homework_in(enrolment)[0])


def _slow(robin: Account, instance: Path) -> EnrolledDegreeCourse:
    enrolment = a_studying(robin, a_degree_with_homework(modules=1, homework=1))
    at(instance, 200)
    return a_mark(enrolment, homework_in(enrolment)[0])


def _over(robin: Account, instance: Path) -> EnrolledDegreeCourse:
    enrolment = a_studying(robin)
    at(instance, 732)
    study_end.end_due(clock.now())
    return enrolment


def _refunding(robin: Account, instance: Path) -> EnrolledDegreeCourse:
    enrolment = a_studying(robin)
    asked_back(enrolment)
    return enrolment


def _ahead(robin: Account, instance: Path) -> EnrolledDegreeCourse:
    enrolment = a_studying(robin)
    first, second = homework_in(enrolment)
    db.session.get_one(Homework, second).enabled = False
    db.session.commit()
    return a_mark(enrolment, first)


STATES: dict[str, Make] = {
    "before the form": lambda robin, _: enrolled_in_degree(robin, a_degree_with_homework()),
    "not opened": lambda robin, _: a_registered(robin, open_module=False),
    "no modules": lambda robin, _: a_registered(robin, a_degree_with_homework(modules=0), open_module=False),
    "studying": lambda robin, _: a_studying(robin),
    "no homework": lambda robin, _: a_studying(robin, a_degree_with_homework(homework=0)),
    "late": _late,
    "failed": _failed,
    "waiting": _waiting,
    "all passed": _ahead,
    "on leave": _resting,
    "graduated": _graduated,
    "graduated slowly": _slow,
    "out of time": _over,
    "refund": _refunding,
}


@pytest.mark.parametrize("make", STATES.values(), ids=list(STATES))
def test_every_state_has_its_page_in_english_too(person: Person, robin: Account, instance: Path, make: Make) -> None:
    enrolment = make(robin, instance)
    translate_data()
    person.post("/language", {"language": "en"})
    person.sign_in("robin")
    for path in ("", "/leave"):
        page = english(person.get(of(enrolment, path))).text
        assert len(primary(page)) <= 1
        assert page.count("<h1>") == 1
    english(person.get("/learning"))


def test_leaving_and_returning_is_english(person: Person, robin: Account) -> None:
    enrolment = a_studying(robin)
    translate_data()
    person.post("/language", {"language": "en"})
    person.sign_in("robin")
    english(person.post(of(enrolment, "/leave"), {"reason": ""}), 422)
    english(person.follow(person.post(of(enrolment, "/leave"), {"reason": "x"})))
    english(person.post(of(enrolment, "/leave"), {"reason": "x"}), 409)
    english(person.get(of(enrolment, "/leave")))
    english(person.follow(person.post(of(enrolment, "/leave/return"))))
