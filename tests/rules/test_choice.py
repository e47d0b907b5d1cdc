"""The shop's own choice of coupons, held against every legal assignment there is (design 6 and 12)."""

from __future__ import annotations

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shop.enums import CouponKind
from shop.errors import CouponBelowMinimum
from shop.rules import combination
from shop.rules.combination import Option
from shop.rules.pricing import Choice, Coupon, choose
from tests.rules.carts import Cart, carts, coupon, flat, line, percent, threshold


def pay(amount_fen: int, one: Coupon | None) -> int | None:
    """After one coupon by the words of design 6, None below the minimum; written apart from the code it checks."""
    if one is None:
        return amount_fen
    if one.terms.kind is CouponKind.THRESHOLD and amount_fen < one.terms.minimum_fen:
        return None
    if one.terms.kind is CouponKind.PERCENT:
        whole, rest = divmod(amount_fen * one.terms.pay_percent, 100)
        return whole + (1 if rest >= 50 else 0)
    return amount_fen - min(amount_fen, one.terms.face_fen)


def rank(due_fen: int, used: list[Coupon]) -> tuple[object, ...]:
    """Smaller is better: due, number of coupons, expiries with the soonest first, record ids."""
    expiries = sorted(one.valid_until for one in used)
    return due_fen, len(used), expiries, sorted(one.record_id for one in used)


def brute_force(cart: Cart) -> tuple[Choice, int]:
    """The best of all legal assignments, and its due."""
    bound = [[None, *(c for c in cart.coupons if c.product_id == one.product_id)] for one in cart.lines]
    sites = [None, *(c for c in cart.coupons if c.product_id is None)]
    ranked = []
    for *on_lines, site in product(*bound, sites):
        amounts = [pay(one.list_fen, taken) for one, taken in zip(cart.lines, on_lines, strict=True)]
        if None in amounts:
            continue
        due_fen = pay(sum(amount for amount in amounts if amount is not None), site)
        if due_fen is not None:
            used = [taken for taken in (*on_lines, site) if taken]
            ranked.append((rank(due_fen, used), used, due_fen))
    _, used, due_fen = min(ranked, key=lambda entry: entry[0])
    by_product = {one.product_id: one.record_id for one in used}
    site_coupon = by_product.pop(None, None)
    return Choice({product_id: number for product_id, number in by_product.items() if product_id}, site_coupon), due_fen


@settings(max_examples=1000)
@given(carts())
def test_the_choice_equals_brute_force_over_all_legal_assignments_ties_included(cart: Cart) -> None:
    best, due_fen = brute_force(cart)
    chosen = choose(cart.lines, cart.coupons)
    assert chosen == best
    assert cart.quote(chosen).due_fen == due_fen


@pytest.mark.parametrize("seed", range(40))
def test_the_choice_equals_brute_force_where_minimums_are_tight(seed: int) -> None:
    """Site coupons whose minimum some but not all bound coupons leave reached: where taking the best per line fails."""
    rng = random.Random(seed)
    for _ in range(10):
        step = rng.choice([1, 100])
        lines = [line(number, rng.randrange(20, 60) * step) for number in range(1, 6)]
        list_fen = sum(one.list_fen for one in lines)
        coupons = [
            coupon(number, flat(rng.randrange(1, 12) * step), rng.randrange(1, 6), rng.randrange(1, 4))
            for number in range(1, 9)
        ]
        for number in (9, 10, 11):
            minimum_fen = list_fen - rng.randrange(0, 40) * step
            coupons.append(
                coupon(number, threshold(minimum_fen, rng.randrange(10, 60) * step), days=rng.randrange(1, 4))
            )
        cart = Cart(lines, coupons)
        assert choose(cart.lines, cart.coupons) == brute_force(cart)[0]


@settings(max_examples=300)
@given(carts(), st.randoms(use_true_random=False))
def test_the_order_of_lines_and_coupons_changes_neither_choice_nor_due(cart: Cart, rng: random.Random) -> None:
    shuffled = Cart(rng.sample(cart.lines, len(cart.lines)), rng.sample(cart.coupons, len(cart.coupons)))
    chosen = choose(cart.lines, cart.coupons)
    assert choose(shuffled.lines, shuffled.coupons) == chosen
    assert shuffled.quote(chosen).due_fen == cart.quote(chosen).due_fen


@settings(max_examples=300)
@given(carts())
def test_every_chosen_coupon_saves_something(cart: Cart) -> None:
    chosen = choose(cart.lines, cart.coupons)
    due_fen = cart.quote(chosen).due_fen
    for product_id in chosen.line_coupons:
        rest = {other: number for other, number in chosen.line_coupons.items() if other != product_id}
        assert cart.quote(Choice(rest, chosen.site_coupon)).due_fen > due_fen
    if chosen.site_coupon:
        assert cart.quote(Choice(chosen.line_coupons)).due_fen > due_fen


def test_a_course_coupon_is_left_out_where_it_would_break_a_better_minimum() -> None:
    cart = Cart([line(1, 50_000)], [coupon(1, flat(1_000), product_id=1), coupon(2, threshold(50_000, 20_000))])
    with pytest.raises(CouponBelowMinimum):
        cart.quote(Choice({1: 1}, 2))
    assert choose(cart.lines, cart.coupons) == Choice({}, 2)


def test_a_smaller_course_coupon_is_taken_where_it_keeps_the_minimum_reached() -> None:
    bound = [coupon(1, flat(3_000), product_id=1), coupon(2, flat(1_000), product_id=1)]
    cart = Cart([line(1, 51_000)], [*bound, coupon(3, threshold(50_000, 20_000))])
    assert choose(cart.lines, cart.coupons) == Choice({1: 2}, 3)


@pytest.mark.parametrize(
    ("coupons", "chosen"),
    [
        ([coupon(1, flat(500), days=9), coupon(2, flat(500), days=2)], 2),
        ([coupon(8, flat(500)), coupon(7, flat(500))], 7),
        ([coupon(1, flat(500), days=1), coupon(2, flat(501), days=9)], 2),
    ],
    ids=["expires first", "lowest id", "a fen more"],
)
def test_ties_go_to_the_coupon_that_expires_first_then_to_the_lowest_id(coupons: list[Coupon], chosen: int) -> None:
    assert choose([line(1, 10_000)], coupons) == Choice(site_coupon=chosen)


def test_fewer_coupons_win_over_an_earlier_expiry() -> None:
    two = [coupon(1, flat(5_000), 1, days=1), coupon(2, flat(5_000), 2, days=1)]
    assert choose([line(1, 5_000), line(2, 5_000)], [*two, coupon(3, flat(10_000), days=9)]) == Choice(site_coupon=3)


@pytest.mark.parametrize(
    "idle",
    [flat(0), percent(100), threshold(0, 0), threshold(10_001, 9_000)],
    ids=["nothing off", "all to pay", "no face", "too high"],
)
@pytest.mark.parametrize("place", [1, 2, None], ids=["line", "absent", "site"])
def test_a_coupon_that_saves_nothing_is_never_chosen(idle: object, place: int | None) -> None:
    assert choose([line(1, 10_000)], [coupon(1, idle, place)]) == Choice()  # type: ignore[arg-type]


def test_no_coupon_is_burnt_on_what_is_free() -> None:
    """A21."""
    assert choose([line(1, 0)], [coupon(1, flat(100), 1), coupon(2, flat(100)), coupon(3, percent(50))]) == Choice()


def test_a_cart_without_coupons_has_nothing_to_choose() -> None:
    assert choose([line(1, 100)], []) == choose([], [coupon(1, flat(5))]) == Choice()


def test_a_search_wider_than_the_limit_still_saves_exactly_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only ties may be settled less finely in a huge cart, never the amount."""
    rng = random.Random(7)
    lines = [line(number, rng.randrange(9_900, 99_900)) for number in range(1, 9)]
    coupons = [coupon(number, flat(rng.randrange(100, 9_000)), number % 8 + 1) for number in range(1, 17)]
    site = coupon(99, threshold(sum(one.list_fen for one in lines) - 20_000, 50_000))
    cart = Cart(lines, [*coupons, site])
    monkeypatch.setattr(combination, "NARROW", 2)
    monkeypatch.setattr(combination, "WIDE", 3)
    assert cart.quote(choose(cart.lines, cart.coupons)).due_fen == brute_force(cart)[1]


def test_the_exact_search_is_used_when_the_narrow_one_had_to_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combination, "NARROW", 1)
    rng = random.Random(3)
    for _ in range(200):
        lines = [
            [Option(0, 0), *(Option(rng.randrange(1, 9), rng.randrange(1, 99)) for _ in range(2))] for _ in range(5)
        ]
        made = [(sum(o.saving for o in taken), sum(o.weight for o in taken)) for taken in product(*lines)]
        low = rng.choice(made)[0]
        high = low + rng.randrange(0, 4)
        assert combination.lightest(lines, low, high).weight == min(w for saved, w in made if low <= saved <= high)


def test_a_window_that_no_combination_reaches_is_an_error() -> None:
    with pytest.raises(ValueError, match="no combination"):
        combination.lightest([[Option(0, 0), Option(5, 1)]], 2, 4)
