"""Slips that a campaign is searched for, what is meant by a percent that is none, and campaigns beside each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from shop.enums import Slip
from shop.rules.campaigns import days_of_use, meant_percent
from shop.rules.pricing import CouponTerms
from shop.rules.rehearsal import Basket, Plan, Running, Slips, overlaps, rehearse
from tests.rules.carts import coupon, flat, line, percent, threshold

TODAY = date(2026, 12, 1)
FINE = Slips(
    terms=flat(1_000),
    quantity=10,
    product_name="Flask",
    is_on_sale=True,
    cheapest=Plan("Flask", 10_000),
    dearest=Plan("Flask", 50_000),
    last_claim=TODAY,
    last_use=TODAY,
    today=TODAY,
)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("7.9", 79), ("790", 79), ("0.79", 79), ("7.9折", 79), ("79%", 79), ("8.5 折", 85), ("1000", 10), ("9", 90)],
)
def test_what_is_meant_by_a_percent_that_is_none(typed: str, meant: int) -> None:
    assert meant_percent(typed) == meant


@pytest.mark.parametrize("typed", ["", "x", "7.95", "0", "-79", "７.９", "1e3", "795", "7.9.9", "9" * 40])
def test_nothing_is_guessed_where_nothing_can_be_meant(typed: str) -> None:
    assert meant_percent(typed) is None


PLANTED: list[tuple[dict[str, Any], set[Slip]]] = [
    ({}, set()),
    ({"terms": percent(79)}, set()),
    ({"terms": percent(50)}, set()),
    ({"terms": percent(8)}, {Slip.TENTH}),
    ({"terms": percent(49)}, {Slip.BELOW_HALF}),
    ({"terms": flat(9_999)}, set()),
    ({"terms": flat(10_000)}, {Slip.FACE_OVER_PRICE}),
    ({"terms": flat(10_000), "cheapest": None}, set()),
    ({"terms": threshold(20_000, 15_000)}, set()),  # the cheapest plan does not reach it
    ({"terms": threshold(20_000, 20_000)}, {Slip.MINIMUM_WITHIN_FACE}),
    ({"terms": threshold(9_000, 20_000)}, {Slip.MINIMUM_WITHIN_FACE, Slip.FACE_OVER_PRICE}),
    ({"terms": threshold(50_000, 1_000)}, set()),
    ({"terms": threshold(50_001, 1_000)}, {Slip.OUT_OF_REACH}),
    ({"terms": threshold(50_001, 1_000), "product_name": ""}, set()),  # a whole cart may reach it
    ({"quantity": 10_000}, set()),
    ({"quantity": 10_001}, {Slip.LARGE}),
    ({"terms": percent(80), "quantity": 1_000}, set()),
    ({"terms": percent(80), "quantity": 1_001}, {Slip.LARGE}),
    ({"last_claim": date(2026, 11, 30)}, {Slip.CLAIM_OVER}),
    ({"last_use": date(2026, 11, 30)}, {Slip.USE_OVER}),
    ({"is_on_sale": False}, {Slip.OFF_SALE}),
]


@pytest.mark.parametrize(("planted", "found"), PLANTED, ids=[str(n) for n in range(len(PLANTED))])
def test_each_planted_slip_is_found_and_nothing_else(planted: dict[str, Any], found: set[Slip]) -> None:
    cautions = list(replace(FINE, **planted).found())
    assert {caution.slip for caution in cautions} == found
    assert all("%(" not in caution.slip.chinese % caution.facts for caution in cautions)


def test_campaigns_meet_on_the_same_purchase_at_the_same_time() -> None:
    mine = Running(1, "mine", 5, date(2026, 12, 1), date(2026, 12, 31))
    others = {
        "same product": Running(2, "", 5, date(2026, 12, 31), date(2027, 1, 31)),
        "site": Running(3, "", None, date(2026, 1, 1), date(2026, 12, 1)),
        "before": Running(4, "", 5, date(2026, 1, 1), date(2026, 11, 30)),
        "after": Running(5, "", 5, date(2027, 1, 1), date(2027, 1, 2)),
        "another product": Running(6, "", 6, date(2026, 12, 1), date(2026, 12, 31)),
    }
    found = {each.other.coupon_id: each for each in overlaps(mine, others.values())}
    assert found.keys() == {2, 3}
    assert (found[2].is_same_place, found[2].first, found[2].last) == (True, date(2026, 12, 31), date(2026, 12, 31))
    assert found[3].is_same_place is False
    whole_shop = replace(mine, product_id=None)
    assert {each.other.coupon_id for each in overlaps(whole_shop, others.values())} == {2, 3, 6}


def test_the_days_of_use_reach_from_the_first_claim_to_the_last_use() -> None:
    opens, closes = date(2026, 12, 1), date(2026, 12, 10)
    fixed = {"begins": date(2026, 12, 5), "ends": date(2026, 12, 20)}
    assert days_of_use(opens=opens, closes=closes, **fixed, valid_days=None) == (fixed["begins"], fixed["ends"])
    none = {"begins": None, "ends": None}
    assert days_of_use(opens=opens, closes=closes, **none, valid_days=3) == (opens, date(2026, 12, 13))
    assert days_of_use(opens=opens, closes=closes, **fixed, valid_days=3) == (fixed["begins"], date(2026, 12, 13))


def on(terms: CouponTerms, product_id: int | None = None) -> Any:
    return coupon(0, terms, product_id)


def test_a_buyer_has_one_and_there_are_only_so_many() -> None:
    """Two orders of one person, one of another: 10, 30 and 20 come off, of which two people can have 30 and 20."""
    prices = {"a": (1, 1_000), "b": (1, 3_000), "c": (2, 2_000)}
    baskets = [Basket(number, owner, (line(1, fen),), ()) for number, (owner, fen) in prices.items()]
    outcome = rehearse(on(flat(5_000), 1), 9, baskets)
    assert (outcome.looked_at, outcome.total_fen, outcome.most_fen) == (3, 6_000, 5_000)
    assert rehearse(on(flat(5_000), 1), 1, baskets).most_fen == 3_000
    assert outcome.worst is not None and outcome.worst.number == "b"
    assert [number for number, _name in outcome.freed] == ["a", "b", "c"]


def test_a_coupon_that_a_better_one_leaves_no_room_for_changes_nothing() -> None:
    basket = Basket("a", 1, (line(1, 10_000),), (coupon(7, flat(3_000), 1),))
    assert rehearse(on(flat(2_000), 1), 9, [basket]).effects == ()
    (effect,) = rehearse(on(flat(4_000), 1), 9, [basket]).effects
    assert (effect.before_fen, effect.after_fen, effect.saved_fen, effect.freed) == (7_000, 6_000, 1_000, ())


def test_a_minimum_is_measured_against_what_the_other_coupons_leave() -> None:
    basket = Basket("a", 1, (line(1, 10_000),), (coupon(7, flat(1), 1),))
    assert rehearse(on(threshold(10_000, 100)), 9, [basket]).total_fen == 99  # without the other one
    assert rehearse(on(threshold(9_999, 100)), 9, [basket]).total_fen == 100
