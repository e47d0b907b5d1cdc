"""What a campaign has to say before anybody may have its coupons (domain.md 1.3, B40).

One set of rules for the file format and for the staff pages: each says in its own words what is wrong, and where.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from shop.enums import CouponKind

NEEDED: Mapping[CouponKind, Set[str]] = {
    CouponKind.FLAT: {"amount"},
    CouponKind.THRESHOLD: {"amount", "minimum"},
    CouponKind.PERCENT: {"pay_percent"},
}
VALUES = ("amount", "minimum", "pay_percent")
NUMBER = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,4})?)\s*(?:折|%|％)?", re.ASCII)


class Fault(Enum):
    """One rule that a campaign breaks."""

    MISSING = "missing"  # a value that its kind needs
    MEANINGLESS = "meaningless"  # a value that its kind does not have
    ZERO = "zero"
    CLAIM_WINDOW = "claim window"  # ends before it begins
    ONE_DATE = "one date"  # a first day of use without a last one, or the other way round
    NO_USE_WINDOW = "no use window"
    USE_WINDOW = "use window"  # ends before it begins
    CLAIM_AFTER_USE = "claim after use"  # claimed on a day on which it is over already
    DAYS_TOO_SHORT = "days too short"  # the first who claim it could never use it


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written: the values that could be read, and the names of all that stand there, readable or not.

    Names are those of the file format: amount, minimum, pay_percent, open_date, close_date, valid_begin_date,
    valid_end_date, valid_days. Whatever is unreadable has been complained about and is let be.
    """

    kind: CouponKind | None
    values: Mapping[str, Any]
    given: Set[str]


def faults(draft: Draft) -> Iterator[tuple[str, Fault]]:
    """Every rule that is broken, with the value that it is told at."""
    yield from _value_faults(draft)
    yield from _window_faults(draft)


def _value_faults(draft: Draft) -> Iterator[tuple[str, Fault]]:
    if draft.kind is None:
        return
    for key in VALUES:
        is_needed, is_there = key in NEEDED[draft.kind], key in draft.given
        if is_needed and not is_there:
            yield key, Fault.MISSING
        elif is_there and not is_needed:
            yield key, Fault.MEANINGLESS
        elif draft.values.get(key) == 0:
            yield key, Fault.ZERO


def _window_faults(draft: Draft) -> Iterator[tuple[str, Fault]]:
    opens, closes = _days(draft, "open_date", "close_date")
    begins, ends = _days(draft, "valid_begin_date", "valid_end_date")
    valid_days = draft.values.get("valid_days")
    written = [key for key in ("valid_begin_date", "valid_end_date") if key in draft.given]
    if opens and closes and closes < opens:
        yield "close_date", Fault.CLAIM_WINDOW
    if len(written) == 1:
        yield written[0], Fault.ONE_DATE
    if not written and "valid_days" not in draft.given:
        yield "valid_days", Fault.NO_USE_WINDOW
    if begins and ends and ends < begins:
        yield "valid_end_date", Fault.USE_WINDOW
    if closes and ends and closes > ends:
        yield "close_date", Fault.CLAIM_AFTER_USE
    if begins and opens and valid_days and opens + timedelta(days=valid_days) < begins:
        yield "valid_days", Fault.DAYS_TOO_SHORT


def _days(draft: Draft, first: str, last: str) -> tuple[date | None, date | None]:
    return draft.values.get(first), draft.values.get(last)


def meant_percent(text: str) -> int | None:
    """The percent that is probably meant by a text that is none: 79 by "7.9", "0.79", "790", "7.9折" and "79%"."""
    found = NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    number = Decimal(found[1])
    if number < 1:
        number *= 100
    elif number < 10:
        number *= 10
    while number >= 100:
        number /= 10
    return int(number) if number == int(number) and number >= 1 else None


def days_of_use(
    *, opens: date, closes: date, begins: date | None, ends: date | None, valid_days: int | None
) -> tuple[date, date]:
    """The first and the last day on which anybody could use one; the last may lie before the first."""
    lasts = [] if ends is None else [ends]
    if valid_days is not None:
        lasts.append(closes + timedelta(days=valid_days))
    return max(opens, begins or opens), min(lasts, default=closes)
