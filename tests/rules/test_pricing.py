from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shop.errors import CouponBelowMinimum, CourseCouponNotUsable, MoreBeliThanDue, SiteCouponNotUsable
from shop.rules.pricing import Choice, CouponTerms, Quote, after_coupon, choose
from tests.rules.carts import Cart, carts, coupon, flat, line, percent, threshold

LINE, SITE = 1, None
FORTY_OFF_A = coupon(11, flat(4_000), product_id=1)
SITE_500_200 = coupon(12, threshold(50_000, 20_000))
WORKED = Cart([line(1, 59_900), line(2, 12_200)], [FORTY_OFF_A, SITE_500_200])
WORKED_CHOICE = Choice({1: 11}, 12)


def prices(quote: Quote) -> list[int]:
    return [one.price_fen for one in quote.lines]


def one_line(list_fen: int, terms: CouponTerms, product_id: int | None) -> Quote:
    """A line of this price with this coupon, on the line or on the sum."""
    cart = Cart([line(1, list_fen)], [coupon(9, terms, product_id)])
    return cart.quote(Choice({1: 9}) if product_id else Choice(site_coupon=9))


def test_the_worked_settlement_of_domain_3_3() -> None:
    quote = WORKED.quote(WORKED_CHOICE, beli=50)
    assert prices(quote) == [55_900, 12_200]
    assert [one.site_share_fen for one in quote.lines] == [16_417, 3_583]
    assert [one.beli_share_fen for one in quote.lines] == [4_104, 896]
    assert [one.due_fen for one in quote.lines] == [35_379, 7_721]
    assert (quote.list_fen, quote.course_discount_fen, quote.subtotal_fen) == (72_100, 4_000, 68_100)
    assert (quote.site_discount_fen, quote.after_coupons_fen, quote.saved_fen) == (20_000, 48_100, 24_000)


def test_b15_beli_are_taken_off_the_amount() -> None:
    quote = WORKED.quote(WORKED_CHOICE, beli=50)
    assert (quote.after_coupons_fen, quote.beli_fen, quote.due_fen) == (48_100, 5_000, 43_100)


@pytest.mark.parametrize("place", [LINE, SITE], ids=["course", "site"])
@pytest.mark.parametrize(
    ("terms", "left_fen"),
    [(flat(4_000), 55_900), (threshold(50_000, 20_000), 39_900), (percent(79), 47_321)],
    ids=["flat", "threshold", "percent"],
)
def test_b16_each_kind_of_coupon_does_its_own_arithmetic(terms: CouponTerms, left_fen: int, place: int | None) -> None:
    assert one_line(59_900, terms, place).after_coupons_fen == left_fen


def test_b17_each_line_has_its_own_price_not_the_running_total() -> None:
    eighty = coupon(12, percent(80), product_id=3)
    cart = Cart([line(1, 59_900), line(2, 12_200), line(3, 10_000)], [FORTY_OFF_A, eighty])
    assert prices(cart.quote(Choice({1: 11, 3: 12}))) == [55_900, 12_200, 8_000]


def test_b18_a_line_without_a_coupon_costs_its_list_price() -> None:
    second = WORKED.quote(WORKED_CHOICE).lines[1]
    assert (second.price_fen, second.coupon_record_id) == (12_200, None)


def test_b19_a_coupon_worth_more_than_its_line_makes_no_other_line_cheaper() -> None:
    cart = Cart([line(1, 3_000), line(2, 12_200)], [coupon(9, flat(10_000), product_id=1)])
    quote = cart.quote(Choice({1: 9}))
    assert (prices(quote), quote.due_fen) == ([0, 12_200], 12_200)


@pytest.mark.parametrize("place", [LINE, SITE], ids=["course", "site"])
def test_b20_exactly_the_minimum_is_enough(place: int | None) -> None:
    assert one_line(100_000, threshold(100_000, 10_000), place).due_fen == 90_000


@pytest.mark.parametrize("place", [LINE, SITE], ids=["course", "site"])
def test_b21_a_minimum_not_reached_is_refused_with_what_is_missing(place: int | None) -> None:
    with pytest.raises(CouponBelowMinimum) as refusal:
        one_line(99_999, threshold(100_000, 10_000), place)
    assert refusal.value.facts == {"coupon": "券9", "minimum": "1000.00", "missing": "0.01"}


def test_the_minimum_of_a_site_coupon_looks_at_the_sum_after_course_coupons() -> None:
    cart = Cart([line(1, 50_000)], [coupon(11, flat(1), product_id=1), SITE_500_200])
    assert cart.quote(Choice(site_coupon=12)).due_fen == 30_000
    with pytest.raises(CouponBelowMinimum):
        cart.quote(Choice({1: 11}, 12))


def test_only_threshold_coupons_have_a_minimum() -> None:
    """A18: a minimum left on another kind is ignored."""
    assert after_coupon(100, coupon(9, CouponTerms(percent(50).kind, pay_percent=50, minimum_fen=10_000))) == 50


@pytest.mark.parametrize("place", [LINE, SITE], ids=["course", "site"])
@pytest.mark.parametrize(
    ("list_fen", "pay_percent", "due_fen"), [(9_999, 79, 7_899), (1_010, 85, 859), (3_335, 85, 2_835)]
)
def test_b23_discounts_are_exact_to_the_fen(list_fen: int, pay_percent: int, due_fen: int, place: int | None) -> None:
    assert one_line(list_fen, percent(pay_percent), place).due_fen == due_fen


def test_b23_a_discount_is_rounded_once_per_line_and_once_on_the_sum() -> None:
    half = [coupon(1, percent(50), product_id=1), coupon(2, percent(50), product_id=2)]
    cart = Cart([line(1, 10), line(2, 21)], [*half, coupon(3, percent(90))])
    assert cart.quote(Choice({1: 1, 2: 2})).due_fen == 5 + 11
    assert cart.quote(Choice({1: 1, 2: 2}, 3)).due_fen == 14  # 14.4, not 4.5 and 9.9 rounded apart (15)


def test_b23_ten_and_twenty_fen_make_thirty() -> None:
    assert Cart([line(1, 10), line(2, 20)], []).quote(Choice()).due_fen == 30


def test_b25_the_lines_add_up_to_what_is_paid() -> None:
    quote = WORKED.quote(WORKED_CHOICE, beli=50)
    assert sum(one.due_fen for one in quote.lines) == quote.due_fen == 43_100


def test_b25_beli_are_spread_over_what_the_site_coupon_left_on_each_line() -> None:
    """By price the 贝里 would go to the first line, where the site coupon left nothing: a share below zero."""
    cart = Cart([line(1, 1), line(2, 1)], [coupon(9, flat(1))])
    lines = cart.quote(Choice(site_coupon=9), beli=1, beli_per_yuan=100).lines
    assert [(one.site_share_fen, one.beli_share_fen, one.beli_share, one.due_fen) for one in lines] == [
        (1, 0, 0, 0),
        (0, 1, 1, 0),
    ]


def test_b30_a_course_coupon_is_refused_in_the_site_slot_even_when_its_line_uses_it() -> None:
    for choice in (Choice(site_coupon=11), Choice({1: 11}, 11)):
        with pytest.raises(SiteCouponNotUsable):
            WORKED.quote(choice)


@pytest.mark.parametrize(
    "choice",
    [Choice({2: 11}), Choice({1: 12}), Choice({1: 404}), Choice({3: 11})],
    ids=["other", "site", "none", "gone"],
)
def test_b28_a_coupon_serves_only_the_product_it_is_bound_to(choice: Choice) -> None:
    with pytest.raises(CourseCouponNotUsable):
        WORKED.quote(choice)


def test_an_unknown_site_coupon_is_refused() -> None:
    with pytest.raises(SiteCouponNotUsable):
        WORKED.quote(Choice(site_coupon=404))


@pytest.mark.parametrize(("rate", "most", "left_fen"), [(1, 99, 50), (10, 995, 0)])
def test_beli_stop_at_the_floor_of_what_is_left(rate: int, most: int, left_fen: int) -> None:
    cart = Cart([line(1, 9_950)], [])
    assert cart.quote(Choice(), most, rate).due_fen == left_fen
    assert cart.quote(Choice(), 0, rate).most_beli == most
    with pytest.raises(MoreBeliThanDue) as refusal:
        cart.quote(Choice(), most + 1, rate)
    assert refusal.value.facts == {"most": most, "wanted": most + 1}


def test_a_minimum_not_reached_is_refused_before_too_many_beli() -> None:
    """design 12: 1011 comes before 1012."""
    with pytest.raises(CouponBelowMinimum):
        Cart([line(1, 100)], [SITE_500_200]).quote(Choice(site_coupon=12), beli=999)


def test_b13_negative_beli_are_never_priced() -> None:
    with pytest.raises(ValueError, match="negative"):
        WORKED.quote(Choice(), beli=-1)


@pytest.mark.parametrize("bad", [{"face_fen": -1}, {"minimum_fen": -1}, {"pay_percent": 101}, {"pay_percent": -1}])
def test_a_coupon_that_could_raise_a_price_cannot_be_made(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="raise a price"):
        CouponTerms(flat(0).kind, **bad)


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    """Priced carts with the shop's choice or some of its coupons left out, and any 贝里 that fit."""
    cart = draw(carts(most_lines=6, most_coupons=10))
    best = choose(cart.lines, cart.coupons)
    keep_site = draw(st.booleans())
    bound = best.line_coupons if keep_site else {p: r for p, r in best.line_coupons.items() if draw(st.booleans())}
    choice = Choice(bound, best.site_coupon if keep_site else None)
    rate = draw(st.sampled_from([1, 10, 100]))
    beli = draw(st.integers(0, cart.quote(choice, 0, rate).most_beli))
    return cart.quote(choice, beli, rate)


@settings(max_examples=500)
@given(quotes())
def test_no_line_is_negative_or_dearer_than_its_list_price(quote: Quote) -> None:
    for one in quote.lines:
        assert 0 <= one.due_fen <= one.price_fen <= one.list_fen
        assert 0 <= one.site_share_fen <= one.price_fen
        assert 0 <= one.beli_share_fen <= one.price_fen - one.site_share_fen
        assert one.due_fen == one.price_fen - one.site_share_fen - one.beli_share_fen
        assert one.beli_share >= 0


@settings(max_examples=500)
@given(quotes())
def test_lines_add_up_to_every_total_and_the_steps_to_the_due(quote: Quote) -> None:
    lines = quote.lines
    assert sum(one.list_fen for one in lines) == quote.list_fen
    assert sum(one.price_fen for one in lines) == quote.subtotal_fen == quote.list_fen - quote.course_discount_fen
    assert sum(one.site_share_fen for one in lines) == quote.site_discount_fen
    assert sum(one.beli_share_fen for one in lines) == quote.beli_fen
    assert sum(one.beli_share for one in lines) == quote.beli
    assert sum(one.due_fen for one in lines) == quote.due_fen
    assert quote.subtotal_fen - quote.site_discount_fen == quote.after_coupons_fen == quote.list_fen - quote.saved_fen
    assert quote.after_coupons_fen - quote.beli_fen == quote.due_fen >= 0
