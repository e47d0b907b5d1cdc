"""When a coupon may be claimed and used, and why one is not used in a settlement (design 6, domain.md A09-A11).

Instants are in UTC. Days are Shanghai days: the caller turns them into instants (``shop.clock``), as rules read no
clock and know no time zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from shop.enums import Month, WhyNot
from shop.errors import CouponBelowMinimum
from shop.money import to_yuan
from shop.rules.pricing import Choice, Coupon, Line, price, reaches_minimum


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a coupon is not used: one kind with its numbers (amounts as yuan text, the month as a Month)."""

    kind: WhyNot
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence for the buyer, in the reader's language: 还差 200.00 元."""
        return self.kind.label % {
            name: fact.label if isinstance(fact, Month) else fact for name, fact in self.facts.items()
        }


@dataclass(frozen=True, slots=True)
class _Settlement:
    """The choice that the reasons are measured against, and what it comes to before 贝里."""

    lines: Mapping[int, Line]
    coupons: Mapping[int, Coupon]
    choice: Choice
    subtotal_fen: int
    total_fen: int


def claim_window_open(open_date: date, close_date: date, today: date) -> bool:
    """Whether a coupon may be claimed today; the first and the last day count."""
    return open_date <= today <= close_date


def use_window(
    claimed_time: datetime, *, begins: datetime | None, ends: datetime | None, valid_days: int | None
) -> tuple[datetime, datetime]:
    """The first and the last instant at which a coupon claimed now may be used, fixed for good at the claim.

    begins and ends are the first instant of the first and the last instant of the last day of fixed dates (A09);
    valid_days counts whole days of 24 hours from the claim (A10). With both the earlier end holds.
    Raises ValueError when nothing says when the coupon ends.
    """
    window_ends = [] if ends is None else [ends]
    if valid_days is not None:
        window_ends.append(claimed_time + timedelta(days=valid_days))
    if not window_ends:
        raise ValueError("a coupon needs fixed dates or days after the claim")
    return (claimed_time if begins is None else begins), min(window_ends)


def is_valid_at(valid_from: datetime, valid_until: datetime, now: datetime) -> bool:
    """Whether a use window is open: its last instant still counts."""
    return valid_from <= now <= valid_until


def why_not(
    lines: Sequence[Line],
    wallet: Iterable[Coupon],
    choice: Choice,
    *,
    now: datetime,
    local_date: Callable[[datetime], date],
    held: Mapping[int, str] | None = None,
) -> dict[int, Reason]:
    """One reason by record id for every coupon of the wallet that the choice does not use.

    held gives the number of the unpaid order that holds a coupon. What stands in the way comes first; a coupon that
    could be used takes its place in the choice, all else left as chosen, and the difference of the totals is told.
    Raises what ``price`` raises when the choice itself is not legal.
    """
    coupons = {coupon.record_id: coupon for coupon in wallet}
    quote = price(lines, coupons, choice, beli=0, beli_per_yuan=1)
    by_product = {line.product_id: line for line in lines}
    settlement = _Settlement(by_product, coupons, choice, quote.subtotal_fen, quote.after_coupons_fen)
    used = set(choice.record_ids)
    return {
        coupon.record_id: _not_now(coupon, now, local_date, held or {}) or _not_here(coupon, settlement)
        for coupon in coupons.values()
        if coupon.record_id not in used
    }


def _not_now(
    coupon: Coupon, now: datetime, local_date: Callable[[datetime], date], held: Mapping[int, str]
) -> Reason | None:
    if coupon.record_id in held:
        return Reason(WhyNot.HELD, {"order": held[coupon.record_id]})
    if is_valid_at(coupon.valid_from, coupon.valid_until, now):
        return None
    is_over = now > coupon.valid_until
    day = local_date(coupon.valid_until if is_over else coupon.valid_from)
    return Reason(WhyNot.EXPIRED if is_over else WhyNot.STARTS_LATER, {"month": Month(day.month), "day": day.day})


def _not_here(coupon: Coupon, settlement: _Settlement) -> Reason:
    """What keeps a coupon that is valid now out of this settlement."""
    amount_fen = settlement.subtotal_fen
    if coupon.product_id is not None:
        line = settlement.lines.get(coupon.product_id)
        if line is None:
            return Reason(WhyNot.OTHER_PRODUCT)
        if line.list_fen == 0:
            return Reason(WhyNot.FREE_LINE)
        amount_fen = line.list_fen
    if not reaches_minimum(amount_fen, coupon.terms):
        return Reason(WhyNot.BELOW_MINIMUM, {"missing": to_yuan(coupon.terms.minimum_fen - amount_fen)})
    return _compared(coupon, settlement)


def _compared(coupon: Coupon, settlement: _Settlement) -> Reason:
    """What the total would be with this coupon in its place, against the total as chosen."""
    exchanged, is_place_empty = _exchanged(coupon, settlement.choice)
    try:
        quote = price(list(settlement.lines.values()), settlement.coupons, exchanged, beli=0, beli_per_yuan=1)
    except CouponBelowMinimum as error:  # this coupon's own minimum was looked at before: it is the site coupon's
        return Reason(WhyNot.BREAKS_SITE_MINIMUM, {"site": error.facts["coupon"], "missing": error.facts["missing"]})
    difference_fen = quote.after_coupons_fen - settlement.total_fen
    if difference_fen < 0:
        return Reason(WhyNot.SAVES_MORE, {"more": to_yuan(-difference_fen)})
    if difference_fen > 0:
        return Reason(WhyNot.SAVES_LESS, {"less": to_yuan(difference_fen)})
    return Reason(WhyNot.SAVES_NOTHING if is_place_empty else WhyNot.SAVES_SAME)


def _exchanged(coupon: Coupon, choice: Choice) -> tuple[Choice, bool]:
    """The choice with this coupon in its place, and whether that place was empty."""
    if coupon.product_id is None:
        return replace(choice, site_coupon=coupon.record_id), choice.site_coupon is None
    bound = {**choice.line_coupons, coupon.product_id: coupon.record_id}
    return replace(choice, line_coupons=bound), coupon.product_id not in choice.line_coupons
