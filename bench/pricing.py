"""How long the shop takes to choose coupons: median and worst milliseconds of ``choose`` per kind of settlement.

    python -m bench.pricing

The promise (docs/pricing.md) is 10 lines × 20 coupons in under 100 ms, tight 满减 included.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median

from shop.enums import CouponKind
from shop.rules.pricing import Coupon, CouponTerms, Line, choose

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNS = 20

CartMaker = Callable[[random.Random], tuple[list[Line], list[Coupon]]]


def lines_of(rng: random.Random, count: int) -> list[Line]:
    return [Line(number, f"课程{number}", rng.randrange(9_900, 99_900)) for number in range(1, count + 1)]


def coupon(rng: random.Random, record_id: int, product_id: int | None, terms: CouponTerms) -> Coupon:
    until = START + timedelta(days=rng.randrange(1, 90))
    return Coupon(record_id, f"券{record_id}", product_id, terms, START, until)


def bound_terms(rng: random.Random) -> CouponTerms:
    if rng.random() < 0.5:
        return CouponTerms(CouponKind.PERCENT, pay_percent=rng.randrange(50, 99))
    return CouponTerms(CouponKind.FLAT, face_fen=rng.randrange(100, 9_000))


def tight_terms(rng: random.Random, list_fen: int) -> CouponTerms:
    """满减 that some but not all of the bound coupons leave in reach: where the choice is hard."""
    minimum_fen = list_fen * rng.randrange(80, 98) // 100
    return CouponTerms(CouponKind.THRESHOLD, face_fen=list_fen // 4, minimum_fen=minimum_fen)


def cart(rng: random.Random, line_count: int, bound_count: int, site_count: int) -> tuple[list[Line], list[Coupon]]:
    lines = lines_of(rng, line_count)
    list_fen = sum(line.list_fen for line in lines)
    coupons = [
        coupon(rng, number, lines[number % line_count].product_id, bound_terms(rng)) for number in range(bound_count)
    ]
    for number in range(bound_count, bound_count + site_count):
        coupons.append(coupon(rng, number, None, tight_terms(rng, list_fen)))
    return lines, coupons


def covered(rng: random.Random) -> tuple[list[Line], list[Coupon]]:
    """A site coupon worth half the cart: thousands of ways to come to nothing, one of them with the fewest coupons."""
    lines, coupons = cart(rng, 10, 19, 0)
    terms = CouponTerms(CouponKind.FLAT, face_fen=sum(line.list_fen for line in lines) * 4 // 5)
    return lines, [*coupons, coupon(rng, 19, None, terms)]


def alike(rng: random.Random) -> tuple[list[Line], list[Coupon]]:
    """Equal prices and equal coupons: every choice is a tie."""
    lines = [Line(number, f"课程{number}", 10_000) for number in range(1, 11)]
    flat = CouponTerms(CouponKind.FLAT, face_fen=1_000)
    threshold = CouponTerms(CouponKind.THRESHOLD, face_fen=30_000, minimum_fen=95_000)
    bound = [coupon(rng, number, number % 10 + 1, flat) for number in range(18)]
    return lines, [*bound, coupon(rng, 18, None, threshold), coupon(rng, 19, None, threshold)]


CARTS: dict[str, CartMaker] = {
    "3 lines, 5 coupons": lambda rng: cart(rng, 3, 3, 2),
    "10 lines, 20 coupons, 1 tight": lambda rng: cart(rng, 10, 19, 1),
    "10 lines, 20 coupons, 5 tight": lambda rng: cart(rng, 10, 15, 5),
    "10 lines, 20 coupons, 10 tight": lambda rng: cart(rng, 10, 10, 10),
    "10 lines, 20 coupons, nothing due": covered,
    "10 lines, 20 coupons, all alike": alike,
    "10 lines, 50 coupons, 5 tight": lambda rng: cart(rng, 10, 45, 5),
    "40 lines, 45 coupons, 5 tight": lambda rng: cart(rng, 40, 40, 5),
    "10 lines, 20 coupons each, 5 tight": lambda rng: cart(rng, 10, 200, 5),
}


def milliseconds(make: CartMaker, runs: int = RUNS) -> list[float]:
    taken = []
    for seed in range(runs):
        lines, coupons = make(random.Random(seed))
        started = time.perf_counter()
        choose(lines, coupons)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def main() -> None:
    print(f"{'choose()':<38}{'median ms':>12}{'worst ms':>12}")
    for name, make in CARTS.items():
        taken = milliseconds(make)
        print(f"{name:<38}{median(taken):>12.2f}{max(taken):>12.2f}", flush=True)


if __name__ == "__main__":
    main()
