"""A campaign tried out on purchases that were made or are being made: what would it have cost?

What is compared, basket by basket:

* A basket is the lines of one paid order at the plan prices it was bought at, with the coupons that served it; or the
  lines of one open settlement at the prices of today, with the coupons chosen in it that can be used now.
* ``before`` is the cheapest legal combination of the basket's own coupons, as the settlement chooses it.
* ``after`` is the same with one coupon of the campaign added, whatever its windows and its claims say. That is the rule
  of the checkout itself: at most one bound coupon a line, then at most one on the sum, each step not below zero; the
  campaign may displace a coupon that saves less.
* Both are counted before 贝里: those are money, and are paid for what is left.

A basket counts as served when ``after`` is lower. A line becomes free when nothing is left to pay on it after its own
coupon and its share of the site discount, and something was before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from shop.enums import CouponKind, Slip
from shop.money import to_yuan
from shop.rules import pricing
from shop.rules.pricing import Choice, Coupon, CouponTerms, Line, Quote

LARGE_FEN = 100_000_00  # a campaign that may cost more than this is worth a second look
NEWCOMER = 0  # the record id of the coupon that is tried out: no real record has it


@dataclass(frozen=True, slots=True)
class Basket:
    """One purchase with the coupons that its buyer used or chose."""

    number: str  # of the order; empty for a settlement
    owner: int
    lines: tuple[Line, ...]
    coupons: tuple[Coupon, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """What the campaign would have done to a basket that it serves; amounts after coupons, before 贝里."""

    number: str
    owner: int
    before_fen: int
    after_fen: int
    freed: tuple[str, ...]  # products with nothing left to pay

    @property
    def saved_fen(self) -> int:
        return self.before_fen - self.after_fen


@dataclass(frozen=True, slots=True)
class Outcome:
    """A campaign against many baskets, in their order."""

    looked_at: int
    effects: tuple[Effect, ...]  # of those that it serves
    most_fen: int  # the most it could have cost these people: one coupon each, no more than there are

    @property
    def total_fen(self) -> int:
        """What comes off when every basket that it serves has one."""
        return sum(effect.saved_fen for effect in self.effects)

    @property
    def worst(self) -> Effect | None:
        """Where most comes off, the first of several; none where it serves nobody."""
        return max(self.effects, key=lambda effect: effect.saved_fen, default=None)

    @property
    def freed(self) -> tuple[tuple[str, str], ...]:
        """(order number, product) of every line that would become free."""
        return tuple((effect.number, name) for effect in self.effects for name in effect.freed)


def rehearse(coupon: Coupon, quantity: int, baskets: Iterable[Basket]) -> Outcome:
    """The campaign whose coupon this is, with so many to give, against all the baskets."""
    looked_at, effects = 0, []
    for basket in baskets:
        looked_at += 1
        if (found := effect_on(basket, coupon)) is not None:
            effects.append(found)
    best: dict[int, int] = {}
    for each in effects:
        best[each.owner] = max(best.get(each.owner, 0), each.saved_fen)
    return Outcome(looked_at, tuple(effects), sum(sorted(best.values(), reverse=True)[:quantity]))


def effect_on(basket: Basket, coupon: Coupon) -> Effect | None:
    """What one coupon more would have done; none when the basket would have cost the same."""
    if coupon.product_id is not None and all(line.product_id != coupon.product_id for line in basket.lines):
        return None
    choice = pricing.choose(basket.lines, (*basket.coupons, coupon))
    if coupon.record_id not in choice.record_ids:  # so it is the combination that there was
        return None
    after = _priced(basket.lines, (*basket.coupons, coupon), choice)
    before = _priced(basket.lines, basket.coupons, pricing.choose(basket.lines, basket.coupons))
    if after.after_coupons_fen >= before.after_coupons_fen:
        return None
    freed = tuple(
        line.name
        for line, was, now in zip(basket.lines, before.lines, after.lines, strict=True)
        if now.due_fen == 0 < was.due_fen
    )
    return Effect(basket.number, basket.owner, before.after_coupons_fen, after.after_coupons_fen, freed)


def _priced(lines: Sequence[Line], coupons: Sequence[Coupon], choice: Choice) -> Quote:
    by_id = {coupon.record_id: coupon for coupon in coupons}
    return pricing.price(lines, by_id, choice, beli=0, beli_per_yuan=1)


# ---------------------------------------------------------------- other campaigns


@dataclass(frozen=True, slots=True)
class Running:
    """A campaign with the days on which its coupons can be used."""

    coupon_id: int
    name: str
    product_id: int | None
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another campaign for the same purchases at the same time."""

    other: Running
    first: date
    last: date
    is_same_place: bool  # a buyer uses one of the two; otherwise both come off


def overlaps(mine: Running, others: Iterable[Running]) -> Iterator[Overlap]:
    """Those of the others that are for the same product, or where one of the two is for the whole shop."""
    for other in others:
        is_same_place = other.product_id == mine.product_id
        first, last = max(mine.first, other.first), min(mine.last, other.last)
        if first <= last and (is_same_place or None in (mine.product_id, other.product_id)):
            yield Overlap(other, first, last, is_same_place)


# ---------------------------------------------------------------- what may have been a slip


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan of what the coupon is for."""

    name: str  # of its product
    price_fen: int


@dataclass(frozen=True, slots=True)
class Caution:
    """Something to look at twice; ``text`` is the sentence, in the reader's language."""

    slip: Slip
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.slip.label % self.facts


@dataclass(frozen=True, slots=True)
class Slips:
    """What the search for slips looks at."""

    terms: CouponTerms
    quantity: int
    product_name: str  # empty: the whole shop
    is_on_sale: bool
    cheapest: Plan | None  # of the plans that cost something
    dearest: Plan | None
    last_claim: date
    last_use: date
    today: date

    def found(self) -> Iterator[Caution]:
        yield from self._of_the_value()
        yield from self._of_the_sum()
        if self.last_claim < self.today:
            yield Caution(Slip.CLAIM_OVER, {"day": self.last_claim.isoformat()})
        if self.last_use < self.today:
            yield Caution(Slip.USE_OVER, {"day": self.last_use.isoformat()})
        if self.product_name and not self.is_on_sale:
            yield Caution(Slip.OFF_SALE, {"name": self.product_name})

    def _of_the_value(self) -> Iterator[Caution]:
        terms, percent = self.terms, self.terms.pay_percent
        if terms.kind is CouponKind.PERCENT:
            if percent < 10:
                facts = {"percent": percent, "fold": f"{percent / 10:g}", "tenfold": percent * 10}
                yield Caution(Slip.TENTH, facts)
            elif percent < 50:
                yield Caution(Slip.BELOW_HALF, {"percent": percent})
            return
        plan = self.cheapest
        if plan and pricing.reaches_minimum(plan.price_fen, terms) and terms.face_fen >= plan.price_fen:
            facts = {"face": to_yuan(terms.face_fen), "name": plan.name, "price": to_yuan(plan.price_fen)}
            yield Caution(Slip.FACE_OVER_PRICE, facts)
        if terms.kind is CouponKind.THRESHOLD and terms.minimum_fen <= terms.face_fen:
            facts = {"minimum": to_yuan(terms.minimum_fen), "face": to_yuan(terms.face_fen)}
            yield Caution(Slip.MINIMUM_WITHIN_FACE, facts)

    def _of_the_sum(self) -> Iterator[Caution]:
        terms, plan = self.terms, self.dearest
        if terms.kind is CouponKind.PERCENT:
            each_fen = plan.price_fen - pricing.after_terms(plan.price_fen, terms) if plan else 0
        else:
            each_fen = terms.face_fen
        if each_fen * self.quantity > LARGE_FEN:
            yield Caution(Slip.LARGE, {"quantity": self.quantity, "amount": to_yuan(each_fen * self.quantity)})
        if plan and self.product_name and not pricing.reaches_minimum(plan.price_fen, terms):
            facts = {"minimum": to_yuan(terms.minimum_fen), "name": plan.name, "price": to_yuan(plan.price_fen)}
            yield Caution(Slip.OUT_OF_REACH, facts)
