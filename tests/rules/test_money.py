from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop.money import beli_to_fen, beli_worth, from_yuan, percent_of, spread, to_yuan

AMOUNTS = st.integers(0, 10_000_000)


@pytest.mark.parametrize(("fen", "text"), [(0, "0.00"), (5, "0.05"), (43_100, "431.00"), (-20_000, "-200.00")])
def test_yuan_text_has_two_decimals(fen: int, text: str) -> None:
    assert to_yuan(fen) == text


@pytest.mark.parametrize(("text", "fen"), [("431", 43_100), ("431.5", 43_150), ("431.00", 43_100), ("0.01", 1)])
def test_yuan_text_is_read_to_the_fen(text: str, fen: int) -> None:
    assert from_yuan(text) == fen


@given(AMOUNTS)
def test_yuan_text_reads_back_as_the_same_fen(fen: int) -> None:
    assert from_yuan(to_yuan(fen)) == fen


@pytest.mark.parametrize(
    "text",
    [
        *("", " 1", "1 ", "1\n", "+1", "-1", "-0", "1.", ".5", "01", "1.234", "1e3", "1_000", "1,000"),
        *("NaN", "sNaN", "Infinity", "１２", "٣", "²", "1" * 10, "1" * 5000),
    ],
)
def test_text_that_python_would_take_for_a_number_is_no_amount(text: str) -> None:
    """safety.md 1.3: int() and Decimal() accept far more than a form may."""
    with pytest.raises(ValueError, match="not an amount"):
        from_yuan(text)


@pytest.mark.parametrize(
    ("amount_fen", "percent", "left_fen"),
    [
        (9_999, 79, 7_899),
        (1_010, 85, 859),
        (3_335, 85, 2_835),
        (1, 50, 1),
        (1, 49, 0),
        (9_999, 100, 9_999),
        (9_999, 0, 0),
    ],
)
def test_b23_a_percentage_is_rounded_half_up_to_a_fen(amount_fen: int, percent: int, left_fen: int) -> None:
    assert percent_of(amount_fen, percent) == left_fen


def test_the_worked_discount_of_200_is_spread_by_price() -> None:
    assert spread(20_000, [55_900, 12_200]) == [16_417, 3_583]


def test_the_worked_50_beli_are_spread_by_what_is_left() -> None:
    assert spread(5_000, [55_900 - 16_417, 12_200 - 3_583]) == [4_104, 896]


def test_equal_remainders_go_to_the_earlier_line() -> None:
    assert spread(2, [1, 1, 1]) == [1, 1, 0]


@given(st.lists(AMOUNTS, max_size=12), st.data())
def test_spread_parts_add_up_and_stay_within_their_weights(weights: list[int], data: st.DataObject) -> None:
    total = data.draw(st.integers(0, sum(weights)))
    parts = spread(total, weights)
    assert sum(parts) == total
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))


@given(st.lists(AMOUNTS, min_size=1, max_size=12), st.integers(0, 1000))
def test_a_spread_part_is_less_than_one_away_from_its_exact_share(weights: list[int], total: int) -> None:
    weights[0] += 1
    for part, weight in zip(spread(total, weights), weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)


@pytest.mark.parametrize(("total", "weights"), [(1, []), (1, [0, 0]), (-1, [5]), (1, [2, -1])])
def test_money_is_never_lost_in_a_spread(total: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot spread"):
        spread(total, weights)


@pytest.mark.parametrize(("rate", "most"), [(1, 99), (10, 995), (100, 9950)])
def test_beli_are_capped_at_the_floor_of_the_amount(rate: int, most: int) -> None:
    assert beli_worth(9_950, rate) == most


@given(AMOUNTS, st.sampled_from([1, 2, 3, 7, 10, 100]))
def test_the_most_beli_never_pay_more_than_the_amount_and_one_more_would(amount_fen: int, rate: int) -> None:
    most = beli_worth(amount_fen, rate)
    assert beli_to_fen(most, rate) <= amount_fen
    assert (most + 1) * 100 > amount_fen * rate
