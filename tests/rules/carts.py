"""Lines, coupons and whole carts for the rules' tests: builders that take only what a test is about, and strategies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from shop.enums import CouponKind
from shop.rules.pricing import Choice, Coupon, CouponTerms, Line, Quote, price

START = datetime(2026, 11, 1, tzinfo=UTC)


def flat(face_fen: int) -> CouponTerms:
    return CouponTerms(CouponKind.FLAT, face_fen=face_fen)


def threshold(minimum_fen: int, face_fen: int) -> CouponTerms:
    return CouponTerms(CouponKind.THRESHOLD, face_fen=face_fen, minimum_fen=minimum_fen)


def percent(pay_percent: int) -> CouponTerms:
    return CouponTerms(CouponKind.PERCENT, pay_percent=pay_percent)


def line(product_id: int, list_fen: int) -> Line:
    return Line(product_id, f"课程{product_id}", list_fen)


def coupon(record_id: int, terms: CouponTerms, product_id: int | None = None, days: int = 30) -> Coupon:
    """A coupon usable from START for some days; without a product a site coupon."""
    return Coupon(record_id, f"券{record_id}", product_id, terms, START, START + timedelta(days=days))


@dataclass(frozen=True)
class Cart:
    lines: list[Line]
    coupons: list[Coupon]

    @property
    def by_id(self) -> dict[int, Coupon]:
        return {one.record_id: one for one in self.coupons}

    def quote(self, choice: Choice, beli: int = 0, beli_per_yuan: int = 1) -> Quote:
        return price(self.lines, self.by_id, choice, beli=beli, beli_per_yuan=beli_per_yuan)


def terms(amounts: st.SearchStrategy[int]) -> st.SearchStrategy[CouponTerms]:
    return st.one_of(
        st.builds(flat, amounts),
        st.builds(threshold, amounts, amounts),
        st.builds(percent, st.integers(0, 100)),
    )


@st.composite
def carts(draw: st.DrawFn, most_lines: int = 4, most_coupons: int = 7) -> Cart:
    """Carts small enough to try every assignment, with few different amounts and days, so that ties are common."""
    amounts = draw(
        st.sampled_from([st.integers(0, 12), st.integers(0, 60_000), st.integers(0, 6).map(lambda n: n * 1000)])
    )
    line_count = draw(st.integers(1, most_lines))
    lines = [line(product_id, draw(amounts)) for product_id in draw(st.permutations(range(1, line_count + 1)))]
    ids = draw(st.lists(st.integers(1, 99), max_size=most_coupons, unique=True))
    # One product beyond the cart: its coupons must be left alone.
    places = st.one_of(st.none(), st.integers(1, line_count + 1))
    days = st.integers(1, 4)
    return Cart(lines, [coupon(number, draw(terms(amounts)), draw(places), draw(days)) for number in ids])
