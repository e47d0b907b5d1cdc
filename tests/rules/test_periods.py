"""Stretches of days, and what is counted in them."""

from __future__ import annotations

from datetime import date
from random import Random
from statistics import quantiles

import pytest

from shop.enums import Preset
from shop.rules.periods import Period, of_preset, percentile, permille

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("preset", "first", "last"),
    [
        (Preset.WEEK, date(2026, 3, 25), TODAY),
        (Preset.MONTH, date(2026, 3, 2), TODAY),
        (Preset.QUARTER, date(2026, 1, 1), TODAY),
        (Preset.THIS_MONTH, date(2026, 3, 1), TODAY),
        (Preset.LAST_MONTH, date(2026, 2, 1), date(2026, 2, 28)),
    ],
)
def test_presets_end_today_or_with_the_last_month(preset: Preset, first: date, last: date) -> None:
    assert of_preset(preset, TODAY) == Period(first, last)


def test_the_last_month_of_january_is_december() -> None:
    assert of_preset(Preset.LAST_MONTH, date(2026, 1, 31)) == Period(date(2025, 12, 1), date(2025, 12, 31))


def test_the_period_before_is_as_long_and_ends_the_day_before() -> None:
    period = Period(date(2026, 3, 1), date(2026, 3, 10))
    assert period.before == Period(date(2026, 2, 19), date(2026, 2, 28))
    assert period.before.days == period.days == len(list(period)) == 10
    assert date(2026, 3, 10) in period and date(2026, 3, 11) not in period


def test_months_are_cut_at_their_first_days() -> None:
    parts = Period(date(2025, 12, 31), date(2026, 2, 3)).months()
    assert [(part.first, part.last) for part in parts] == [
        (date(2025, 12, 31), date(2025, 12, 31)),
        (date(2026, 1, 1), date(2026, 1, 31)),
        (date(2026, 2, 1), date(2026, 2, 3)),
    ]
    assert Period(TODAY, TODAY).months() == [Period(TODAY, TODAY)]


@pytest.mark.parametrize(
    ("part", "whole", "share"), [(1, 3, 333), (2, 3, 667), (1, 2000, 1), (1, 2001, 0), (5, 4, 1250)]
)
def test_shares_are_rounded_half_up(part: int, whole: int, share: int) -> None:
    assert permille(part, whole) == share


def test_a_share_of_nothing_is_none() -> None:
    assert permille(0, 0) is None and permille(1, 0) is None


@pytest.mark.parametrize("percent", [50, 90])
def test_a_percentile_is_the_nearest_rank(percent: int) -> None:
    dice = Random(1)
    for size in (1, 2, 3, 9, 10, 11, 100):
        values = sorted(dice.randrange(50) for _ in range(size))
        counts = {value: values.count(value) for value in values}
        found = percentile(counts, percent)
        assert found is not None
        assert sum(value <= found for value in values) * 100 >= size * percent
        assert sum(value < found for value in values) * 100 < size * percent
    assert percentile({}, percent) is None
    assert abs(quantiles(range(1001), n=10)[8] - (percentile(dict.fromkeys(range(1001), 1), 90) or 0)) <= 1
