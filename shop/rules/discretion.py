"""What a mentor sees of a fee without learning who complained: an upheld complaint costs a fee, but no student's.

Its rows name nobody, and every other figure is shown as it would be without them; the sum of them stands apart. That
holds while the fee waits. What a purse pays out or hands over is what was in it, and is told as that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """One row of a purse; ``balance`` is what the purse held after it."""

    id: int
    score: int
    balance: int
    is_hidden: bool  # of a complaint, or the reversal of such a row
    is_closing: bool  # all that was left went away: to another mentor, or for good


@dataclass(frozen=True, slots=True)
class Shown:
    balances: dict[int, int]  # after each row, by its id; none for those that are hidden
    rest: int  # what the purse holds now
    hidden: int  # what complaints have taken from that, 0 or less


def shown(changes: Iterable[Change], balance: int) -> Shown:
    """A purse as a mentor sees it: its rows, oldest first, and what it holds now. Paying out writes no row."""
    balances: dict[int, int] = {}
    hidden = before = 0
    for change in changes:
        if change.is_closing or change.balance - change.score != before:  # all was paid out: what follows begins anew
            hidden = 0
        if change.is_hidden:
            hidden += change.score
        else:
            balances[change.id] = change.balance - hidden
        before = change.balance
    if balance != before:
        hidden = 0
    return Shown(balances, balance - hidden, hidden)
