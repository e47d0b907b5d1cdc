"""Money is integer fen everywhere; yuan exists only as text on pages, in forms and on the wire."""

from __future__ import annotations

import re

YUAN_TEXT = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,2})?", re.ASCII)


def to_yuan(fen: int) -> str:
    """Yuan text with two decimals: 43100 becomes "431.00"; a discount may be negative."""
    sign, fen = ("-", -fen) if fen < 0 else ("", fen)
    return f"{sign}{fen // 100}.{fen % 100:02d}"


def from_yuan(text: str) -> int:
    """Fen from yuan text such as "431", "431.5" or "431.00".

    Raises ValueError for everything else: signs, spaces, exponents, NaN, other scripts' digits,
    more than two decimals or nine digits before the point.
    """
    if not YUAN_TEXT.fullmatch(text):
        raise ValueError(f"not an amount in yuan: {text[:40]!r}")
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or 0)


def percent_of(amount_fen: int, percent: int) -> int:
    """percent % of a non-negative amount, rounded half up to a whole fen."""
    return (amount_fen * percent + 50) // 100


def beli_to_fen(beli: int, beli_per_yuan: int) -> int:
    """What whole 贝里 pay for, in fen (floor, so that 贝里 never pay more than they are worth)."""
    return beli * 100 // beli_per_yuan


def beli_worth(amount_fen: int, beli_per_yuan: int) -> int:
    """The most 贝里 that an amount can take: floor, so that none is spent on nothing."""
    return amount_fen * beli_per_yuan // 100


def spread(total: int, weights: list[int]) -> list[int]:
    """Split fen or 贝里 over the weights: floor first, then one each to the largest remainders, ties to the earlier.

    The parts add up to total exactly, and no part exceeds its weight while total <= sum(weights).
    Raises ValueError for a negative amount, and when something is to be split but nothing weighs anything.
    """
    whole = sum(weights)
    if total < 0 or min(weights, default=0) < 0 or (total > 0 and whole == 0):
        raise ValueError(f"cannot spread {total} over {weights}")
    if total == 0:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts
