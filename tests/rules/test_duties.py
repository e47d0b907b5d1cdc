"""Until when a duty lasts when leaves interrupt it, what is planned for whom, and what a leave moves."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.rules import leaves
from shop.rules.access import same_day_two_years_later
from shop.rules.duties import Pause, deadline, merged, periods_over, recommended_dates, stands_still

START = datetime(2026, 11, 23, 2, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MINUTES = st.integers(1, 60 * 24 * 30)
GAPS = st.lists(st.tuples(MINUTES, MINUTES), max_size=6)  # time between leaves, and their length
ALLOWED = MINUTES.map(lambda minutes: timedelta(minutes=minutes))


def pauses_of(gaps: Iterable[tuple[int, int]], first: datetime) -> list[Pause]:
    """Leaves that follow each other from an instant on: so many minutes apart, so many minutes long."""
    pauses, at = [], first
    for apart, long in gaps:
        begin = at + timedelta(minutes=apart)
        at = begin + timedelta(minutes=long)
        pauses.append(Pause(begin, at))
    return pauses


def at(hours: float) -> datetime:
    return START + hours * HOUR


# ---------------------------------------------------------------- deadlines


@pytest.mark.parametrize(
    ("pauses", "until"),
    [
        ([], 48),
        ([Pause(at(-9), at(-1))], 48),
        ([Pause(at(-9), at(0))], 48),
        ([Pause(at(-9), at(5))], 53),
        ([Pause(at(10), at(20))], 58),
        ([Pause(at(10), at(10))], 48),
        ([Pause(at(47.5), at(60))], 60.5),
        ([Pause(at(48), at(60))], 48),
        ([Pause(at(10), at(20)), Pause(at(57), at(67))], 68),
        ([Pause(at(10), at(20)), Pause(at(58), at(68))], 58),
        ([Pause(at(57), at(67)), Pause(at(10), at(20))], 68),
        ([Pause(at(10), None)], None),
        ([Pause(at(48), None)], 48),
        ([Pause(at(10), at(20)), Pause(at(57), None)], None),
    ],
    ids=[
        "no leave", "over before", "over at the start", "on leave at the start", "in between", "of no length",
        "half an hour before the end", "at the end itself", "the second one because of the first",
        "the second one comes too late", "in any order", "lasts still", "lasts still but came too late",
        "the second one lasts still",
    ],
)  # fmt: skip
def test_a_deadline_moves_by_the_leaves_that_come_before_it(pauses: list[Pause], until: float | None) -> None:
    assert deadline(START, 48 * HOUR, pauses) == (None if until is None else at(until))


@given(GAPS, ALLOWED, MINUTES)
def test_a_leave_before_all_others_moves_the_deadline_by_exactly_its_length(
    gaps: list[tuple[int, int]], allowed: timedelta, long: int
) -> None:
    length = timedelta(minutes=long)
    until = deadline(START, allowed, pauses_of(gaps, START))
    assert until is not None
    assert deadline(START, allowed, [Pause(START, START + length), *pauses_of(gaps, START + length)]) == until + length


@given(GAPS, ALLOWED, MINUTES)
def test_a_leave_in_the_last_second_moves_the_deadline_by_exactly_its_length(
    gaps: list[tuple[int, int]], allowed: timedelta, long: int
) -> None:
    pauses = pauses_of(gaps, START)
    until = deadline(START, allowed, pauses)
    assert until is not None
    begin, length = until - timedelta(seconds=1), timedelta(minutes=long)
    counted = [pause for pause in pauses if pause.begin < until]
    assert deadline(START, allowed, [*counted, Pause(begin, begin + length)]) == until + length


@given(GAPS, ALLOWED)
def test_between_start_and_deadline_lies_the_time_allowed_and_no_leave_counts(
    gaps: list[tuple[int, int]], allowed: timedelta
) -> None:
    pauses = pauses_of(gaps, START - 5 * DAY)
    until = deadline(START, allowed, pauses)
    assert until is not None
    away = sum(
        (max(timedelta(), min(pause.end, until) - max(pause.begin, START)) for pause in pauses if pause.end),
        timedelta(),
    )
    assert until - START == allowed + away
    assert not any(pause.end and pause.begin < until < pause.end for pause in pauses)


@given(GAPS, st.permutations(range(6)))
def test_the_order_of_the_leaves_does_not_matter(gaps: list[tuple[int, int]], order: list[int]) -> None:
    pauses = pauses_of(gaps, START)
    shuffled = [pauses[i] for i in order if i < len(pauses)]
    assert deadline(START, 9 * DAY, shuffled) == deadline(START, 9 * DAY, pauses)


# ---------------------------------------------------------------- periods


def test_a_period_that_ends_now_is_over() -> None:
    week = 7 * DAY
    assert periods_over(START, week, [], START + week - timedelta(microseconds=1)) == []
    assert periods_over(START, week, [], START + week) == [(1, START + week)]
    assert [number for number, _ in periods_over(START, week, [], START + 3 * week + DAY)] == [1, 2, 3]


def test_while_a_leave_lasts_no_period_ends() -> None:
    leave = Pause(START + 8 * DAY, None)
    assert [number for number, _ in periods_over(START, 7 * DAY, [leave], START + 99 * DAY)] == [1]


@given(GAPS, ALLOWED, st.integers(0, 60 * 24 * 60), st.integers(0, 60 * 24 * 60))
def test_what_is_over_stays_over_and_each_period_ends_after_the_one_before(
    gaps: list[tuple[int, int]], period: timedelta, first: int, more: int
) -> None:
    """Looked at twice, or once and late: the same periods with the same ends."""
    period += HOUR
    pauses = pauses_of(gaps, START)
    early = periods_over(START, period, pauses, START + timedelta(minutes=first))
    late = periods_over(START, period, pauses, START + timedelta(minutes=first + more))
    assert late[: len(early)] == early
    assert [number for number, _ in late] == list(range(1, len(late) + 1))
    assert [end for _, end in late] == sorted({end for _, end in late})


@given(GAPS, ALLOWED, st.integers(1, 60 * 24 * 60))
def test_so_many_periods_are_over_as_fit_into_the_time_without_leaves(
    gaps: list[tuple[int, int]], period: timedelta, minutes: int
) -> None:
    as_of, pauses = START + timedelta(minutes=minutes), pauses_of(gaps, START)
    away = sum((max(timedelta(), min(p.end, as_of) - p.begin) for p in pauses if p.end), timedelta())
    assert len(periods_over(START, period, pauses, as_of)) == (as_of - START - away) // period


# ---------------------------------------------------------------- the plan of a module


def test_the_days_of_each_homework_follow_those_of_the_one_before_over_the_end_of_the_year() -> None:
    assert recommended_dates(date(2026, 12, 20), [7, 7, 0, 14]) == [
        date(2026, 12, 27),
        date(2027, 1, 3),
        date(2027, 1, 3),
        date(2027, 1, 17),
    ]
    assert recommended_dates(date(2028, 2, 20), [9, 1]) == [date(2028, 2, 29), date(2028, 3, 1)]
    assert recommended_dates(date(2026, 12, 20), []) == []


# ---------------------------------------------------------------- leaves

FIRST_DAY = date(2026, 11, 23)
DAYS = st.integers(0, 400)


def test_who_returns_on_the_same_day_has_taken_none() -> None:
    assert leaves.days_away(FIRST_DAY, FIRST_DAY) == 0
    assert leaves.days_away(FIRST_DAY, FIRST_DAY + DAY) == 1
    assert leaves.days_away(date(2026, 12, 30), date(2027, 1, 2)) == 3


def test_what_was_due_before_the_leave_stays_and_the_first_day_of_leave_moves() -> None:
    assert leaves.moved(FIRST_DAY - DAY, FIRST_DAY, 5) == FIRST_DAY - DAY
    assert leaves.moved(FIRST_DAY, FIRST_DAY, 5) == FIRST_DAY + 5 * DAY


def test_no_days_are_left_when_the_limit_was_lowered_below_what_was_taken() -> None:
    assert [leaves.days_left(180, taken) for taken in (0, 179, 180, 181)] == [180, 1, 0, 0]
    assert leaves.return_date(date(2026, 12, 30), 5) == date(2027, 1, 4)


@given(st.dates(date(2026, 1, 1), date(2030, 12, 31)), st.lists(st.tuples(DAYS, DAYS), max_size=8))
def test_after_any_leaves_the_degree_lasts_two_years_and_their_days(begin: date, gaps: list[tuple[int, int]]) -> None:
    until, planned, at, away = same_day_two_years_later(begin), begin + 30 * DAY, begin, 0
    for apart, long in gaps:
        leave_begin = at + apart * DAY
        at = leave_begin + long * DAY
        days = leaves.days_away(leave_begin, at)
        moves = planned >= leave_begin
        before = planned
        planned = leaves.moved(planned, leave_begin, days)
        assert (planned - before).days == (days if moves else 0)
        assert not moves or planned >= at  # nobody comes back to a day that went by during the leave
        until, away = until + days * DAY, away + days
    assert until == same_day_two_years_later(begin) + away * DAY


# ---------------------------------------------------------------- stretches that overlap


HOURS = st.integers(0, 40)
STRETCHES = st.lists(st.tuples(HOURS, st.none() | st.integers(0, 30)), max_size=6)


@given(STRETCHES, st.lists(HOURS.map(lambda hours: hours + 0.5), max_size=8))
def test_merged_stretches_are_the_same_time_without_an_overlap(
    drawn: list[tuple[int, int | None]], moments: list[float]
) -> None:
    pauses = [Pause(at(begin), None if long is None else at(begin + long)) for begin, long in drawn]
    found = merged(pauses)
    for moment in moments:
        assert stands_still(at(moment), found) == stands_still(at(moment), pauses)
    for before, after in pairwise(found):
        assert before.end is not None
        assert before.end < after.begin


@pytest.mark.parametrize(
    ("hours", "stands"), [(9.9, False), (10, True), (19.9, True), (20, False)], ids=["before", "from", "until", "after"]
)
def test_time_stands_still_from_the_beginning_until_the_end(hours: float, stands: bool) -> None:
    assert stands_still(at(hours), [Pause(at(10), at(20))]) is stands
