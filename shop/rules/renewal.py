"""When a bought course begins and ends (design 7, domain.md A25)."""

from __future__ import annotations

from datetime import date, timedelta


def next_period(today: date, last_day: date | None, length: timedelta) -> tuple[date, date]:
    """First and last day of access for a purchase paid today, in Asia/Shanghai.

    It starts today, or the day after ``last_day`` of what the student has already: a renewal loses no day.
    The end is the start plus the plan's days, and access goes through that day.
    """
    begin = today if last_day is None else max(today, last_day + timedelta(days=1))
    return begin, begin + length
