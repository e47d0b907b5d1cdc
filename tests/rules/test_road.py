"""What comes next on the road of a degree, what is late on it, and until when a scholarship can be reached."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.enums import HomeworkStatus, HomeworkType, StudyStatus
from shop.rules.rewards import Tier, scholarship_of
from shop.rules.road import Step, Task, late_days, next_step, next_task, planned, reach

DAY = date(2026, 12, 31)
WAITING, PASSED, FAILED = HomeworkStatus.WAITING, HomeworkStatus.PASSED, HomeworkStatus.FAILED
STUDYING = StudyStatus.STUDYING


def task(number: int, status: HomeworkStatus | None = None, due: int | None = 0, **values: int) -> Task:
    day = None if due is None else DAY + timedelta(days=due)
    return Task(number, f"作业{number}", HomeworkType.HOMEWORK, day, status, **values)


@pytest.mark.parametrize(
    ("due", "handed_in", "days"),
    [(None, None, 0), (0, None, 0), (1, None, 0), (-1, None, 1), (-1, -1, 0), (-9, -7, 2), (-9, -12, 0), (3, 5, 2)],
)
def test_the_planned_day_itself_is_in_time(due: int | None, handed_in: int | None, days: int) -> None:
    at = [None if day is None else DAY + timedelta(days=day) for day in (due, handed_in)]
    assert late_days(at[0], at[1], DAY) == days


def test_overdue_is_what_is_not_there_and_not_what_came_late() -> None:
    assert task(1, None, -3, late_days=3).is_overdue
    assert not task(1, PASSED, -3, late_days=3).is_overdue
    assert not task(1, None, 0, late_days=0).is_overdue


@pytest.mark.parametrize(
    ("status", "registered", "suspended", "step"),
    [
        (StudyStatus.NOT_STARTED, False, False, Step.REGISTER),
        (StudyStatus.NOT_STARTED, True, False, Step.OPEN),
        (StudyStatus.NOT_STARTED, False, True, Step.NOTHING),
        (StudyStatus.ON_LEAVE, True, False, Step.RETURN),
        (StudyStatus.ON_LEAVE, True, True, Step.NOTHING),
        (StudyStatus.GRADUATED, True, False, Step.NOTHING),
        (StudyStatus.OVERTIME, True, False, Step.NOTHING),
        (STUDYING, True, True, Step.NOTHING),
        (STUDYING, True, False, Step.HAND_IN),
    ],
)
def test_the_state_decides_first(status: StudyStatus, registered: bool, suspended: bool, step: Step) -> None:
    found = next_step(status, is_registered=registered, is_suspended=suspended, open_modules=[[task(1)]])
    assert found[0] is step


@pytest.mark.parametrize(
    ("modules", "step", "number"),
    [
        ([[task(1, PASSED), task(2, None), task(3, None, 7)]], Step.HAND_IN, 2),
        ([[task(1, FAILED), task(2, None, 7)]], Step.REDO, 1),
        ([[task(1, FAILED, 9), task(2, None, 7)]], Step.HAND_IN, 2),
        ([[task(1, None, None), task(2, None, 7)]], Step.HAND_IN, 2),
        ([[task(1, WAITING), task(2, None, None)]], Step.HAND_IN, 2),
        ([[task(1, WAITING), task(2, PASSED)]], Step.WAIT, 1),
        ([[task(1, PASSED)], [task(2, WAITING)]], Step.WAIT, 2),
        ([[], [task(2)]], Step.HAND_IN, 2),
        ([[task(1, PASSED)]], Step.GO_ON, None),
        ([[]], Step.LEARN, None),
        ([], Step.LEARN, None),
    ],
    ids=[
        "the next by plan", "what failed", "what is due first", "what has no day comes last", "no day at all",
        "for a mark", "for a mark in the second module", "a module without homework beside another",
        "all passed, moves on tonight", "no homework", "no open module",
    ],
)  # fmt: skip
def test_one_thing_comes_next(modules: list[list[Task]], step: Step, number: int | None) -> None:
    found, its_task = next_step(STUDYING, is_registered=True, is_suspended=False, open_modules=modules)
    assert (found, its_task.id if its_task else None) == (step, number)


def test_nothing_to_hand_in_is_no_task() -> None:
    assert next_task([task(1, PASSED), task(2, WAITING)]) is None


def test_what_is_due_today_need_not_be_there_yet() -> None:
    tasks = [task(1, PASSED, -9), task(2, None, -1), task(3, None, 0), task(4, None, None)]
    assert planned(tasks, DAY) == 2


@given(st.integers(1, 200), st.integers(1, 900), st.integers(0, 180))
def test_a_tier_is_reached_until_its_day_and_missed_the_day_after(percent: int, period: int, away: int) -> None:
    """``reach`` says the same as the rule that books the scholarship (``modules.studied_days`` counts both ends)."""
    tier = Tier(percent, 1000)
    last = reach(tier, period, DAY, away)
    days = (last - DAY).days + 1 - away
    assert days == 0 or scholarship_of([tier], days, period) is tier
    assert scholarship_of([tier], days + 1, period) is None
