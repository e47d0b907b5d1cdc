"""Until when a course may be opened, as days in Asia/Shanghai (design 9, domain.md A25)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Period:
    """One living purchase: access from its first day through its last."""

    begin_date: date
    end_date: date
    order_number: str
    is_suspended: bool = False  # while its refund is under way


@dataclass(frozen=True, slots=True)
class Access:
    """What the purchases of one course come to today."""

    until_date: date  # the last day of the unbroken access, or of the last purchase when nothing is open
    order_number: str  # of the purchase that is open today, else of the next or the last one
    is_open: bool
    begin_date: date | None = None  # when it is not open yet
    is_suspended: bool = False  # not open because its refund is under way


def access_of(periods: Iterable[Period], today: date) -> Access | None:
    """What the union of the living purchases gives today; None without any.

    Purchases that follow each other without a free day count as one stretch, so that a renewal prolongs what is open.
    """
    in_order = sorted(periods, key=lambda period: (period.begin_date, period.end_date))
    usable = [period for period in in_order if not period.is_suspended]
    now_open = [period for period in usable if is_within(period.begin_date, period.end_date, today)]
    if now_open:
        until_date = _unbroken_until(usable, today)
        return Access(until_date, now_open[0].order_number, is_open=True)
    resting = [period for period in in_order if period.is_suspended and period.end_date >= today]
    coming = [period for period in usable if period.begin_date > today]
    if resting and (resting[0].begin_date <= today or not coming):
        return Access(resting[0].end_date, resting[0].order_number, is_open=False, is_suspended=True)
    if coming:
        return Access(coming[0].end_date, coming[0].order_number, is_open=False, begin_date=coming[0].begin_date)
    if in_order:
        last = max(in_order, key=lambda period: period.end_date)
        return Access(last.end_date, last.order_number, is_open=False)
    return None


def is_within(begin_date: date, end_date: date, today: date) -> bool:
    """Whether a day lies in a period of access: its first and its last day count whole."""
    return begin_date <= today <= end_date


def same_day_two_years_later(day: date) -> date:
    """The last day of a degree that begins on the given one; 29 February ends on 28 February."""
    try:
        return day.replace(year=day.year + 2)
    except ValueError:
        return day.replace(year=day.year + 2, day=28)


def _unbroken_until(in_order: list[Period], today: date) -> date:
    until_date = today
    for period in in_order:
        if period.begin_date <= until_date + timedelta(days=1):
            until_date = max(until_date, period.end_date)
    return until_date
