"""What a settlement costs, and which coupons make it cost least (design 6, domain.md 3.2).

The order of the steps is the whole rule: per line the plan's price less at most one bound coupon; the sum less at most
one site coupon; then 贝里; the rest is due in cash. Each step stops at zero. Whether a coupon is usable today is for
``coupons`` and the services to say: whatever is handed in here is taken as usable.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shop.enums import CouponKind
from shop.errors import CouponBelowMinimum, CourseCouponNotUsable, MoreBeliThanDue, SiteCouponNotUsable
from shop.money import beli_to_fen, beli_worth, percent_of, spread, to_yuan
from shop.rules import combination
from shop.rules.combination import Option


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """What a coupon does to an amount, apart from who owns it and until when."""

    kind: CouponKind
    face_fen: int = 0  # 立减, 满减: amount taken off
    pay_percent: int = 100  # 折扣: percent still paid, 79 means 7.9 折
    minimum_fen: int = 0  # 满减: amount it starts to apply at

    def __post_init__(self) -> None:
        if self.face_fen < 0 or self.minimum_fen < 0 or not 0 <= self.pay_percent <= 100:
            raise ValueError(f"a coupon that could raise a price: {self}")


@dataclass(frozen=True, slots=True)
class Coupon:
    """One coupon in the buyer's hands, with what it does and when; the last instant of the window is usable."""

    record_id: int
    name: str
    product_id: int | None  # None: a site coupon
    terms: CouponTerms
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One product of the settlement at its plan's price. A product occurs once."""

    product_id: int
    name: str
    list_fen: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The coupons to use, by record id: at most one per product and one on the sum."""

    line_coupons: Mapping[int, int] = field(default_factory=dict)  # product id -> record id
    site_coupon: int | None = None

    @property
    def record_ids(self) -> tuple[int, ...]:
        """Every coupon chosen, bound ones first."""
        site = () if self.site_coupon is None else (self.site_coupon,)
        return (*self.line_coupons.values(), *site)


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line's way from list price to cash: due = price − share of the site discount − share of the 贝里."""

    product_id: int
    list_fen: int
    price_fen: int  # after its own coupon
    coupon_record_id: int | None
    site_share_fen: int
    beli_share_fen: int
    beli_share: int  # the same share counted in whole 贝里, for giving them back
    due_fen: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A settlement's way from list price to cash; every total is the exact sum of its lines."""

    lines: tuple[PricedLine, ...]
    list_fen: int
    course_discount_fen: int
    subtotal_fen: int
    site_discount_fen: int
    after_coupons_fen: int
    beli: int
    beli_fen: int
    due_fen: int
    saved_fen: int  # by all coupons; 贝里 are money spent, not saved
    most_beli: int  # what the amount can take, whatever the account holds


def reaches_minimum(amount_fen: int, terms: CouponTerms) -> bool:
    """Whether a coupon may be applied: 满减 from exactly its minimum on (A02); the other kinds have none (A18)."""
    return terms.kind is not CouponKind.THRESHOLD or amount_fen >= terms.minimum_fen


def after_coupon(amount_fen: int, coupon: Coupon | None) -> int:
    """Fen left to pay after one coupon, never below zero.

    Face value beyond the amount is lost, not paid back (支付规则: 没有返现).
    Raises CouponBelowMinimum when 满减 is not reached.
    """
    if coupon is None:
        return amount_fen
    terms = coupon.terms
    if not reaches_minimum(amount_fen, terms):
        missing = to_yuan(terms.minimum_fen - amount_fen)
        raise CouponBelowMinimum(coupon=coupon.name, minimum=to_yuan(terms.minimum_fen), missing=missing)
    return after_terms(amount_fen, terms)


def after_terms(amount_fen: int, terms: CouponTerms) -> int:
    """Fen left to pay under terms whose minimum is reached, never below zero."""
    if terms.kind is CouponKind.PERCENT:
        return percent_of(amount_fen, terms.pay_percent)
    return max(0, amount_fen - terms.face_fen)


def price(
    lines: Sequence[Line],
    coupons: Mapping[int, Coupon],
    choice: Choice,
    *,
    beli: int,
    beli_per_yuan: int,
) -> Quote:
    """The quote for these lines with the chosen coupons (looked up by record id) and 贝里; lines stay in their order.

    Raises CourseCouponNotUsable or SiteCouponNotUsable for a coupon that is not there or in the wrong place,
    CouponBelowMinimum, MoreBeliThanDue, and ValueError for negative 贝里 (a form refuses them before).
    """
    bound = _bound_coupons(lines, coupons, choice)
    site = _site_coupon(coupons, choice)
    prices = [after_coupon(line.list_fen, bound.get(line.product_id)) for line in lines]
    subtotal_fen = sum(prices)
    after_coupons_fen = after_coupon(subtotal_fen, site)
    most_beli = beli_worth(after_coupons_fen, beli_per_yuan)
    if beli < 0:
        raise ValueError(f"negative 贝里: {beli}")
    if beli > most_beli:
        raise MoreBeliThanDue(most=most_beli, wanted=beli)
    beli_fen = beli_to_fen(beli, beli_per_yuan)
    list_fen = sum(line.list_fen for line in lines)
    return Quote(
        lines=_shared_out(lines, choice, prices, subtotal_fen - after_coupons_fen, beli, beli_fen),
        list_fen=list_fen,
        course_discount_fen=list_fen - subtotal_fen,
        subtotal_fen=subtotal_fen,
        site_discount_fen=subtotal_fen - after_coupons_fen,
        after_coupons_fen=after_coupons_fen,
        beli=beli,
        beli_fen=beli_fen,
        due_fen=after_coupons_fen - beli_fen,
        saved_fen=list_fen - after_coupons_fen,
        most_beli=most_beli,
    )


def choose(lines: Sequence[Line], coupons: Iterable[Coupon]) -> Choice:
    """The cheapest legal choice among coupons that are all usable now, whatever order lines and coupons come in.

    Lowest due before 贝里; then fewest coupons, earliest expiries (the soonest compared first), lowest record ids. So a
    coupon that saves nothing is never chosen. A 满减 on the sum may make a dearer line the better choice: all
    combinations count, see docs/pricing.md for how that stays quick.
    """
    list_fen = sum(line.list_fen for line in lines)
    useful = [coupon for coupon in coupons if _could_save(coupon, lines, list_fen)]
    if not useful:
        return Choice()
    weights = _tie_weights(useful, most_at_once=len(lines) + 1)
    menus = [_menu(line, useful, weights) for line in lines]
    options = [[option for option, _ in menu] for menu in menus]
    candidates = _site_candidates(options, list_fen, [None, *(c for c in useful if c.product_id is None)])
    found = [(site, combination.lightest(options, low, high)) for site, low, high in candidates]
    site, pick = min(found, key=lambda one: one[1].weight + (weights[one[0].record_id] if one[0] else 0))
    taken = [menu[index][1] for menu, index in zip(menus, pick.indexes, strict=True)]
    bound = {coupon.product_id: coupon.record_id for coupon in taken if coupon and coupon.product_id is not None}
    return Choice(bound, site.record_id if site else None)


def _bound_coupons(lines: Sequence[Line], coupons: Mapping[int, Coupon], choice: Choice) -> dict[int, Coupon]:
    products = {line.product_id for line in lines}
    bound = {}
    for product_id, record_id in choice.line_coupons.items():
        coupon = coupons.get(record_id)
        if coupon is None or coupon.product_id != product_id or product_id not in products:
            raise CourseCouponNotUsable(coupon=coupon.name if coupon else record_id)
        bound[product_id] = coupon
    return bound


def _site_coupon(coupons: Mapping[int, Coupon], choice: Choice) -> Coupon | None:
    if choice.site_coupon is None:
        return None
    coupon = coupons.get(choice.site_coupon)
    if coupon is None or coupon.product_id is not None:
        raise SiteCouponNotUsable(coupon=coupon.name if coupon else choice.site_coupon)
    return coupon


def _shared_out(
    lines: Sequence[Line], choice: Choice, prices: list[int], site_discount_fen: int, beli: int, beli_fen: int
) -> tuple[PricedLine, ...]:
    """Site discount and 贝里 over the lines, each by what its own step finds on them."""
    site_shares = spread(site_discount_fen, prices)
    left = [price_fen - share for price_fen, share in zip(prices, site_shares, strict=True)]
    beli_shares_fen = spread(beli_fen, left)
    beli_shares = spread(beli, left)
    return tuple(
        PricedLine(
            product_id=line.product_id,
            list_fen=line.list_fen,
            price_fen=prices[i],
            coupon_record_id=choice.line_coupons.get(line.product_id),
            site_share_fen=site_shares[i],
            beli_share_fen=beli_shares_fen[i],
            beli_share=beli_shares[i],
            due_fen=left[i] - beli_shares_fen[i],
        )
        for i, line in enumerate(lines)
    )


def _could_save(coupon: Coupon, lines: Sequence[Line], list_fen: int) -> bool:
    """Whether a coupon takes something off the amount it would meet if no other coupon came first."""
    if coupon.product_id is None:
        amount_fen = list_fen
    else:
        amount_fen = next((line.list_fen for line in lines if line.product_id == coupon.product_id), 0)
    return reaches_minimum(amount_fen, coupon.terms) and after_coupon(amount_fen, coupon) < amount_fen


def _menu(line: Line, coupons: list[Coupon], weights: dict[int, int]) -> list[tuple[Option, Coupon | None]]:
    """What a line may take: nothing, or a bound coupon, of those that save the same only the one that ties prefer."""
    by_saving: dict[int, tuple[Option, Coupon | None]] = {0: (Option(0, 0), None)}
    for coupon in coupons:
        if coupon.product_id != line.product_id:
            continue
        option = Option(line.list_fen - after_coupon(line.list_fen, coupon), weights[coupon.record_id])
        rival = by_saving.get(option.saving)
        if rival is None or option.weight < rival[0].weight:
            by_saving[option.saving] = (option, coupon)
    return list(by_saving.values())


def _site_candidates(
    options: Sequence[Sequence[Option]], list_fen: int, sites: Sequence[Coupon | None]
) -> list[tuple[Coupon | None, int, int]]:
    """The site coupons that reach the lowest due, each with the least and most that the lines may save for it.

    A smaller sum never costs more after the same coupon, so saving the most that leaves the minimum reached gives the
    lowest due; saving less may come to the same due without some needless coupon.
    """
    sums = combination.reachable(options)
    offers = []
    for site in sites:
        minimum_fen = site.terms.minimum_fen if site and site.terms.kind is CouponKind.THRESHOLD else 0
        most = combination.largest_within(sums, list_fen - minimum_fen)
        offers.append((after_coupon(list_fen - most, site), most, site))
    lowest_fen = min(due_fen for due_fen, _, _ in offers)
    return [
        (site, _least_saving(list_fen, site, most, lowest_fen), most)
        for due_fen, most, site in offers
        if due_fen == lowest_fen
    ]


def _least_saving(list_fen: int, site: Coupon | None, most: int, due_fen: int) -> int:
    """The least that the lines may save and still come to this due after the site coupon, as saving the most does."""
    return bisect_left(range(most + 1), -due_fen, key=lambda saved: -after_coupon(list_fen - saved, site))


def _tie_weights(coupons: Sequence[Coupon], most_at_once: int) -> dict[int, int]:
    """One whole number per coupon, such that of two sets with the same due the one with the smaller sum is preferred.

    Read as digits: the number of coupons, then how many expire at the soonest instant, at the next one, …, then one bit
    per record id. No digit can overflow into the next, as at most ``most_at_once`` coupons are used.
    """
    by_id = sorted(coupons, key=lambda coupon: coupon.record_id)
    expiries = sorted({coupon.valid_until for coupon in coupons})
    rank = {expiry: len(expiries) - 1 - i for i, expiry in enumerate(expiries)}
    base, bits = most_at_once + 1, len(by_id)
    one_coupon = base ** len(expiries) << bits
    return {
        coupon.record_id: one_coupon - (base ** rank[coupon.valid_until] << bits) - (1 << (bits - 1 - i))
        for i, coupon in enumerate(by_id)
    }
