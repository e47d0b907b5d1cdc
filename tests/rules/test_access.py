"""Access while a refund is under way: what is asked back rests, all else stays (design 8)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from shop.rules.access import Access, Period, access_of

DAY = date(2026, 11, 30)


def on(days: int) -> date:
    return DAY + timedelta(days=days)


def bought(first: int, last: int, order: str) -> Period:
    return Period(on(first), on(last), order)


def asked_back(first: int, last: int, order: str) -> Period:
    return Period(on(first), on(last), order, is_suspended=True)


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        ([asked_back(-9, 5, "A")], Access(on(5), "A", is_open=False, is_suspended=True)),
        ([asked_back(-9, -1, "A")], Access(on(-1), "A", is_open=False)),
        ([asked_back(-9, 5, "A"), bought(-2, 3, "B")], Access(on(3), "B", is_open=True)),
        ([bought(-9, 5, "A"), asked_back(6, 36, "B")], Access(on(5), "A", is_open=True)),
        ([bought(-9, 5, "A"), asked_back(6, 36, "B"), bought(37, 67, "C")], Access(on(5), "A", is_open=True)),
        ([asked_back(-9, 5, "A"), bought(6, 36, "B")], Access(on(5), "A", is_open=False, is_suspended=True)),
        ([asked_back(6, 36, "B")], Access(on(36), "B", is_open=False, is_suspended=True)),
        ([bought(6, 36, "B"), asked_back(37, 67, "C")], Access(on(36), "B", is_open=False, begin_date=on(6))),
    ],
    ids=[
        "the only one rests",
        "over anyway",
        "another one is open",
        "its renewal rests",
        "the one between rests",
        "its renewal waits",
        "nothing but a renewal",
        "the later of two that wait",
    ],
)
def test_what_is_asked_back_opens_nothing(periods: list[Period], expected: Access) -> None:
    assert access_of(periods, DAY) == expected
