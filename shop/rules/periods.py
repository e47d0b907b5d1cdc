"""Stretches of days that reports tell of, and what is counted in them: pure, so that every number can be checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from shop.enums import Preset

MOST_DAYS = 400
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, the first and the last included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """As many days, right before these."""
        return Period(self.first - timedelta(days=self.days), self.first - DAY)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range(self.days))

    def months(self) -> list[Period]:
        """The same days, cut where a month begins."""
        parts, first = [], self.first
        while first <= self.last:
            after = (first.replace(day=1) + timedelta(days=31)).replace(day=1)
            parts.append(Period(first, min(after - DAY, self.last)))
            first = after
        return parts


def of_preset(preset: Preset, today: date) -> Period:
    start = today.replace(day=1)
    if preset is Preset.THIS_MONTH:
        return Period(start, today)
    if preset is Preset.LAST_MONTH:
        return Period((start - DAY).replace(day=1), start - DAY)
    return Period(today - timedelta(days=int(preset) - 1), today)


def permille(part: int, whole: int) -> int | None:
    """A share in thousandths, rounded half up; None of nothing."""
    return (part * 2_000 + whole) // (whole * 2) if whole > 0 else None


def percentile(counts: Mapping[int, int], percent: int) -> int | None:
    """The smallest value that at least so many percent do not exceed (nearest rank), of counts by value."""
    total, reached = sum(counts.values()), 0
    for value in sorted(counts):
        reached += counts[value]
        if reached * 100 >= total * percent and total:
            return value
    return None
