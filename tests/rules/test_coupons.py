from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from shop.enums import WhyNot
from shop.rules.coupons import Reason, claim_window_open, is_valid_at, use_window, why_not
from shop.rules.pricing import Choice, Coupon, Line, choose
from tests.rules.carts import START, Cart, carts, coupon, flat, line, percent, threshold

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = START + timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
BEGINS = datetime(2026, 11, 11, tzinfo=SHANGHAI)
ENDS = datetime(2026, 11, 13, tzinfo=SHANGHAI) - MICROSECOND


def shanghai_date(instant: datetime) -> date:
    return instant.astimezone(SHANGHAI).date()


def reasons(
    lines: list[Line], wallet: list[Coupon], choice: Choice, held: dict[int, str] | None = None
) -> dict[int, Reason]:
    return why_not(lines, wallet, choice, now=NOW, local_date=shanghai_date, held=held)


def reason(lines: list[Line], wallet: list[Coupon], choice: Choice) -> str:
    """The text for the first coupon of the wallet."""
    return reasons(lines, wallet, choice)[wallet[0].record_id].text


@pytest.mark.parametrize(
    ("instant", "is_open"),
    [(BEGINS - MICROSECOND, False), (BEGINS, True), (ENDS, True), (ENDS + MICROSECOND, False)],
    ids=["before", "first instant", "last instant", "after"],
)
def test_b29_the_last_instant_of_a_use_window_counts(instant: datetime, is_open: bool) -> None:
    assert is_valid_at(BEGINS, ENDS, instant.astimezone(UTC)) is is_open


def test_fixed_dates_are_the_use_window() -> None:
    assert use_window(NOW, begins=BEGINS, ends=ENDS, valid_days=None) == (BEGINS, ENDS)


def test_days_after_the_claim_are_whole_days_of_24_hours() -> None:
    assert use_window(NOW, begins=None, ends=None, valid_days=3) == (NOW, NOW + timedelta(hours=72))


@pytest.mark.parametrize(("valid_days", "ends"), [(3, NOW + timedelta(days=3)), (300, ENDS)])
def test_of_fixed_dates_and_days_after_the_claim_the_earlier_end_holds(valid_days: int, ends: datetime) -> None:
    assert use_window(NOW, begins=START, ends=ENDS, valid_days=valid_days) == (START, ends)


def test_b40_a_coupon_without_any_end_has_no_use_window() -> None:
    with pytest.raises(ValueError, match="fixed dates or days"):
        use_window(NOW, begins=BEGINS, ends=None, valid_days=None)


@pytest.mark.parametrize(("day", "is_open"), [(10, False), (11, True), (12, True), (13, False)])
def test_a_coupon_can_be_claimed_from_the_first_day_to_the_last(day: int, is_open: bool) -> None:
    assert claim_window_open(date(2026, 11, 11), date(2026, 11, 12), date(2026, 11, day)) is is_open


def test_a_minimum_not_reached_says_what_is_missing() -> None:
    site = coupon(1, threshold(100_000, 5_000))
    assert reason([line(1, 80_000)], [site], Choice()) == "还差 200.00 元"


def test_the_minimum_of_a_site_coupon_is_told_from_the_sum_after_the_chosen_course_coupons() -> None:
    wallet = [coupon(1, threshold(80_000, 500)), coupon(2, flat(1_000), product_id=1)]
    assert reason([line(1, 80_000)], wallet, Choice({1: 2})) == "还差 10.00 元"


def test_a_coupon_that_starts_later_says_from_which_shanghai_day() -> None:
    begins = datetime(2026, 11, 30, tzinfo=SHANGHAI).astimezone(UTC)
    later = Coupon(1, "早鸟券", None, flat(100), begins, begins + timedelta(days=1))
    assert reason([line(1, 80_000)], [later], Choice()) == "11月30日起可用"


def test_an_expired_coupon_says_since_which_shanghai_day() -> None:
    until = datetime(2026, 10, 31, tzinfo=SHANGHAI) + timedelta(days=1) - MICROSECOND
    over = Coupon(1, "旧券", None, flat(100), START - timedelta(days=9), until.astimezone(UTC))
    assert reason([line(1, 80_000)], [over], Choice()) == "已于10月31日过期"


def test_a_coupon_that_an_unpaid_order_holds_names_that_order() -> None:
    held = reasons([line(1, 80_000)], [coupon(1, flat(100))], Choice(), {1: "20261101X"})
    assert held[1].text == "已被待支付的订单 20261101X 占用"


def test_a_coupon_of_a_product_that_is_not_settled_says_so() -> None:
    assert reason([line(1, 80_000)], [coupon(1, flat(100), product_id=2)], Choice()) == "所属课程不在本次结算中"


def test_a_coupon_of_a_free_course_is_not_needed() -> None:
    assert reason([line(1, 0), line(2, 5)], [coupon(1, flat(100), product_id=1)], Choice()) == "课程免费，不需要用券"


@pytest.mark.parametrize("place", [1, None], ids=["course", "site"])
@pytest.mark.parametrize(
    ("mine_fen", "chosen_fen", "text"),
    [
        (700, 1_000, "比已选的少省 3.00 元"),
        (1_300, 1_000, "比已选的多省 3.00 元"),
        (1_000, 1_000, "与已选的省得一样多"),
    ],
)
def test_a_coupon_is_measured_against_the_chosen_one(
    mine_fen: int, chosen_fen: int, text: str, place: int | None
) -> None:
    wallet = [coupon(1, flat(mine_fen), place), coupon(2, flat(chosen_fen), place)]
    assert reason([line(1, 80_000)], wallet, Choice({1: 2}) if place else Choice(site_coupon=2)) == text


def test_the_difference_told_is_that_of_the_totals_not_of_the_lines() -> None:
    wallet = [coupon(1, flat(700), 1), coupon(2, flat(1_000), 1), coupon(3, percent(50))]
    assert reason([line(1, 80_000)], wallet, Choice({1: 2}, 3)) == "比已选的少省 1.50 元"


def test_a_coupon_that_the_student_left_out_says_what_it_would_save() -> None:
    assert reason([line(1, 80_000)], [coupon(1, flat(700), 1)], Choice()) == "比已选的多省 7.00 元"


def test_a_coupon_that_takes_nothing_off_says_so() -> None:
    assert reason([line(1, 80_000)], [coupon(1, percent(100), 1)], Choice()) == "用了也不会更便宜"
    wallet = [coupon(1, flat(700), 1), coupon(2, flat(90_000))]
    assert reason([line(1, 80_000)], wallet, Choice(site_coupon=2)) == "用了也不会更便宜"


def test_a_coupon_that_would_break_the_minimum_of_the_site_coupon_says_by_how_much() -> None:
    wallet = [coupon(1, flat(700), 1), coupon(2, threshold(79_500, 20_000))]
    assert reason([line(1, 80_000)], wallet, Choice(site_coupon=2)) == "用了它，全站券「券2」还差 2.00 元"


@settings(max_examples=300)
@given(carts())
def test_every_unused_coupon_has_one_reason_and_none_beats_the_shops_choice(cart: Cart) -> None:
    chosen = choose(cart.lines, cart.coupons)
    told = reasons(cart.lines, cart.coupons, chosen)
    assert set(told) == set(cart.by_id) - set(chosen.record_ids)
    assert WhyNot.SAVES_MORE not in {one.kind for one in told.values()}
    assert all(one.text and "%(" not in one.text for one in told.values())
