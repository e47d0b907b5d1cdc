"""A mark that the registry sets right: booked beside the old one, and undone as it was earned."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import (
    HomeworkStatus,
    ModuleStatus,
    Purse,
    RewardStatus,
    Rule,
    Score,
    StaffRole,
)
from shop.extensions import db, unit_of_work
from shop.models import (
    EnrolledDegreeCourse,
    HomeworkSubmission,
    ScoreRecord,
)
from shop.services import (
    enrolled_degrees,
    grading,
    homework,
    modules,
    purses,
)
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.degrees import (
    a_hand_in,
    a_studying,
    fresh,
    homework_in,
)
from tests.person import Person
from tests.registry import last_row, somebody, the_hand_in


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def clerk(app: Flask) -> Person:
    return somebody(app, StaffRole.REGISTRY)


def graded(score: Score = Score.A, *, homework: int = 0) -> tuple[EnrolledDegreeCourse, int]:
    """A first hand-in, on time, marked by its mentor: (enrolment, hand-in)."""
    enrolment = a_studying()
    submission = a_hand_in(enrolment, homework)
    with unit_of_work() as session:
        session.get_one(HomeworkSubmission, submission.id).record.reward_status = RewardStatus.ON_TIME
    mentor_id = fresh(enrolment).mentor_id
    assert mentor_id is not None
    grading.grade(mentor_id, submission.id, score, "看过", clock.now())
    return fresh(enrolment), submission.id


def remark(clerk: Person, enrolment: EnrolledDegreeCourse, hand_in: int, before: str, score: Score) -> TestResponse:
    fields = {"before": before, "score": int(score), "comment": "请看踩分点", "reason": "复核"}
    return clerk.post(f"/staff/studies/{enrolment.id}/hand-ins/{hand_in}/mark", fields)


def purse(enrolment: EnrolledDegreeCourse) -> list[int]:
    db.session.rollback()
    mine = ScoreRecord.enrolled_degree_course_id == enrolment.id, ScoreRecord.purse == Purse.REWARDS
    return list(db.session.scalars(select(ScoreRecord.score).where(*mine).order_by(ScoreRecord.id)))


@pytest.mark.parametrize(
    ("first", "then", "booked"),
    [
        (Score.A, Score.B_MINUS, [90, 5, 70, -90]),
        (Score.B_MINUS, Score.A_PLUS, [70, 5, 100, -70]),
        (Score.A, Score.C, [90, 5, -90, -5]),
        (Score.A, Score.COPY, [90, 5, -90, -5, 0]),
        (Score.C, Score.A, [90, 5]),
        (Score.COPY, Score.A, [0, 0, 90, 5]),
        (Score.COPY, Score.C, [0, 0]),
    ],
    ids=lambda value: value.name if isinstance(value, Score) else "",
)
def test_another_mark_is_booked_beside_the_old_one(clerk: Person, first: Score, then: Score, booked: list[int]) -> None:
    enrolment, hand_in = graded(first)
    assert remark(clerk, enrolment, hand_in, str(int(first)), then).status_code == 303
    assert purse(enrolment) == booked
    assert fresh(enrolment).reward_balance == sum(booked)
    row = the_hand_in(hand_in)
    assert (row.score, row.record.score) == (then, then)
    assert row.record.status is (HomeworkStatus.PASSED if then >= 60 else HomeworkStatus.FAILED)
    kept = last_row("homework_submission remark")
    assert (kept.before, kept.after and kept.after["score"]) == ({"score": first.chinese}, then.chinese)
    assert kept.reason == "复核"


def test_a_mark_goes_there_and_back_and_there_again(clerk: Person) -> None:
    enrolment, hand_in = graded(Score.A)
    for before, then in ((90, Score.COPY), (-100, Score.A), (90, Score.C), (50, Score.A), (90, Score.B)):
        assert remark(clerk, enrolment, hand_in, str(before), then).status_code == 303
    assert fresh(enrolment).reward_balance == 85
    assert purse(enrolment) == [90, 5, -90, -5, 0, 0, 90, 5, -90, -5, 90, 5, 80, -90]


def test_a_fine_for_copying_is_taken_from_what_is_there_and_given_back(clerk: Person) -> None:
    enrolment, _first = graded(Score.A)
    second = a_hand_in(enrolment, 1)
    grading.grade(enrolment.mentor_id or 0, second.id, Score.COPY, "抄的", clock.now())
    assert fresh(enrolment).reward_balance == 45
    assert remark(clerk, enrolment, second.id, "-100", Score.A).status_code == 303
    assert (fresh(enrolment).reward_balance, purse(enrolment)) == (185, [90, 5, -50, 50, 90])


def test_what_is_spent_by_fines_cannot_be_undone_and_nothing_is_changed(clerk: Person) -> None:
    enrolment, hand_in = graded(Score.A)
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        for number in range(4):
            purses.fine(session, locked, Purse.REWARDS, Rule.LATE_HOMEWORK, Cause(f"late {number}"), clock.now())
    before = purse(enrolment)
    refused = remark(clerk, enrolment, hand_in, "90", Score.C)
    assert (refused.status_code, "只剩 15 贝里" in refused.text) == (409, True)
    assert purse(enrolment) == before
    assert the_hand_in(hand_in).score is Score.A
    assert remark(clerk, enrolment, hand_in, "90", Score.A_PLUS).status_code == 303  # 10 more is no matter
    assert fresh(enrolment).reward_balance == 25


def test_a_mark_that_no_longer_passes_opens_the_module_again(clerk: Person) -> None:
    enrolment, first = graded(Score.A)
    second = a_hand_in(enrolment, 1)
    grading.grade(enrolment.mentor_id or 0, second.id, Score.A, "好", clock.now())
    assert states(enrolment) == [ModuleStatus.DONE, ModuleStatus.STUDYING]
    answer = clerk.follow(remark(clerk, enrolment, first, "90", Score.D))
    assert "回到在学" in answer.text
    assert states(enrolment) == [ModuleStatus.STUDYING, ModuleStatus.STUDYING]
    assert remark(clerk, enrolment, first, "-1", Score.B).status_code == 303
    assert states(enrolment) == [ModuleStatus.DONE, ModuleStatus.STUDYING]


def states(enrolment: EnrolledDegreeCourse) -> list[ModuleStatus]:
    db.session.rollback()
    return [record.status for record in modules.in_order(db.session(), enrolment.id)]


def test_who_hands_in_again_after_that_is_rewarded_as_before(clerk: Person) -> None:
    enrolment, first = graded(Score.A)
    remark(clerk, enrolment, first, "90", Score.C)
    db.session.rollback()
    homework.hand_in(enrolment.account_id, enrolment.id, homework_in(enrolment)[0], "又一次", (), clock.now())
    second = db.session.scalars(select(func.max(HomeworkSubmission.id))).one()
    late = remark(clerk, enrolment, first, "50", Score.A)
    assert (late.status_code, "只能改判最后一次" in late.text) == (409, True)
    grading.grade(enrolment.mentor_id or 0, second, Score.B, "好", clock.now())
    assert purse(enrolment) == [90, 5, -90, -5, 80, 5]


def test_a_mark_that_came_in_time_stays_in_time(clerk: Person) -> None:
    """Or the night would fine its mentor for what the registry did."""
    enrolment, hand_in = graded(Score.A)
    checked = the_hand_in(hand_in).checked_time
    remark(clerk, enrolment, hand_in, "90", Score.B)
    assert the_hand_in(hand_in).checked_time == checked


def test_the_second_of_two_who_remark_is_told_and_an_ended_study_keeps_its_marks(app: Flask, clerk: Person) -> None:
    enrolment, hand_in = graded(Score.A)
    other = somebody(app, StaffRole.REGISTRY)
    assert remark(clerk, enrolment, hand_in, "90", Score.B).status_code == 303
    late = remark(other, enrolment, hand_in, "90", Score.C)
    assert (late.status_code, "成绩刚刚变了" in late.text) == (409, True)
    assert remark(clerk, enrolment, hand_in, "80", Score.B).status_code == 409
    with unit_of_work() as session:
        session.get_one(EnrolledDegreeCourse, enrolment.id).valid_end_date -= timedelta(days=1_000)  # type: ignore[operator]
        session.get_one(EnrolledDegreeCourse, enrolment.id).valid_begin_date -= timedelta(days=1_000)  # type: ignore[operator]
    over = remark(clerk, enrolment, hand_in, "80", Score.A)
    assert (over.status_code, "学习已经结束" in over.text) == (409, True)


NO_MARKS: tuple[dict[str, Any], ...] = (
    *({"score": value} for value in ("", "99", "９０", "9" * 400, ["90", "80"])),
    *({"before": "x"}, {"reason": ""}, {"reason": "\x00"}, {"comment": "x" * 5_001}, {"score": "50", "comment": ""}),
)


def test_a_mark_that_is_none_is_told(clerk: Person) -> None:
    enrolment, hand_in = graded(Score.A)
    good = {"before": "90", "score": "80", "comment": "", "reason": "复核"}
    there = f"/staff/studies/{enrolment.id}/hand-ins/{hand_in}"
    for fields in NO_MARKS:
        answer = clerk.post(f"{there}/mark", {**good, **fields})
        assert (answer.status_code, 'role="alert"' in answer.text) == (422, True), str(fields)[:40]
    assert clerk.get(f"/staff/studies/{a_studying().id}/hand-ins/{hand_in}").status_code == 404
    assert clerk.post(f"/staff/studies/{enrolment.id + 1}/hand-ins/{hand_in}/mark", good).status_code == 404
    assert purse(enrolment) == [90, 5]
