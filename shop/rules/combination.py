"""Exact search: one option from every line so that the savings fit a window at the least weight.

Knows nothing of coupons. A set of sums is one Python integer (bit n is set when a saving of n fen can be had): adding a
line is one shift per option, however many combinations lie behind it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

NARROW, WIDE = 1_000, 60_000  # sums followed at once; 10 lines and 20 coupons make at most 3^10 = 59,049


@dataclass(frozen=True, slots=True)
class Option:
    """What a line may take. A line that may take nothing offers Option(0, 0)."""

    saving: int
    weight: int


@dataclass(frozen=True, slots=True)
class Pick:
    """The lightest combination found: its weight and the index of the option taken on each line."""

    weight: int
    indexes: tuple[int, ...]


Lines = Sequence[Sequence[Option]]
States = dict[int, Pick]


def reachable(lines: Lines) -> int:
    """Bit set of every total saving that one option per line can make."""
    sums = 1
    for options in lines:
        sums = _union(sums << option.saving for option in options)
    return sums


def largest_within(sums: int, limit: int) -> int:
    """The largest member of the bit set that is at most limit; the set holds 0 and limit is not negative."""
    return (sums & _up_to(limit)).bit_length() - 1


def lightest(lines: Lines, low: int, high: int) -> Pick:
    """The combination of least total weight among those that save low to high, both included.

    Takes at least one line. Where more than WIDE sums lead into the window, the least weight is that among the lightest
    of them only; that the saving is in the window holds at any size. Raises ValueError when no combination saves that.
    """
    search = _Search.of(lines, low, high)
    first, is_complete = search.run(NARROW, None)
    return first if is_complete else search.run(WIDE, first.weight)[0]


@dataclass(frozen=True, slots=True)
class _Search:
    """Line by line, the sums made so far, each with its lightest pick."""

    lines: Lines
    low: int
    is_open_above: bool  # saving more does no harm
    aims: list[bytes]
    needs: list[_Need]

    @classmethod
    def of(cls, lines: Lines, low: int, high: int) -> _Search:
        most = sum(max(option.saving for option in options) for options in lines)
        needs = [_Need.of(lines[i + 1 :]) for i in range(len(lines))]
        return cls(lines, low, high >= most, _aims(lines, low, high), needs)

    def run(self, width: int, bound: int | None) -> tuple[Pick, bool]:
        """The lightest pick found, and whether nothing was cut off for width. Picks above bound are not followed."""
        states: States = {0: Pick(0, ())}
        is_complete = True
        for options, aim, need in zip(self.lines, self.aims, self.needs, strict=True):
            states = _extended(states, options, aim)
            if self.is_open_above:
                states = _undominated(states)
            if bound is not None:
                states = {d: pick for d, pick in states.items() if pick.weight + need.weight(self.low - d) <= bound}
            if len(states) > width:
                is_complete = False
                ranked = sorted(states.items(), key=lambda item: item[1].weight + need.weight(self.low - item[0]))
                states = dict(ranked[:width])
        if not states:
            raise ValueError("no combination saves that")
        return min(states.values(), key=lambda pick: pick.weight), is_complete


@dataclass(frozen=True, slots=True)
class _Need:
    """What the lines still to come must weigh at least to save a given amount."""

    tops: list[int]  # the most that 0, 1, 2, … of these lines can save
    least_weight: int

    @classmethod
    def of(cls, lines: Lines) -> _Need:
        savings = sorted((max(option.saving for option in options) for options in lines), reverse=True)
        weights = [option.weight for options in lines for option in options if option.saving]
        return cls([0, *accumulate(savings)], min(weights, default=0))

    def weight(self, saving: int) -> int:
        return bisect_left(self.tops, saving) * self.least_weight


def _aims(lines: Lines, low: int, high: int) -> list[bytes]:
    """For each line, the sums after it from which the rest of the lines can still reach the window.

    As bytes, because looking at one bit of a long integer copies all of it.
    """
    aim = _up_to(high) & ~_up_to(low - 1)
    aims = [aim]
    for options in reversed(lines[1:]):
        aim = _union(aim >> option.saving for option in options)
        aims.append(aim)
    return [aim.to_bytes(high // 8 + 1, "little") for aim in reversed(aims)]


def _extended(states: States, options: Sequence[Option], aim: bytes) -> States:
    """The sums that one more line can make, each with its lightest pick, as far as they lead into the window."""
    extended: States = {}
    end = len(aim) * 8
    for saved, pick in states.items():
        for index, option in enumerate(options):
            total = saved + option.saving
            if total >= end or not aim[total >> 3] >> (total & 7) & 1:
                continue
            weight = pick.weight + option.weight
            if total not in extended or weight < extended[total].weight:
                extended[total] = Pick(weight, (*pick.indexes, index))
    return extended


def _undominated(states: States) -> States:
    """Without the sums that save no more than a lighter one: they cannot win where saving more does no harm."""
    kept: States = {}
    lightest_weight: int | None = None
    for saved, pick in sorted(states.items(), reverse=True, key=lambda item: item[0]):
        if lightest_weight is None or pick.weight < lightest_weight:
            kept[saved] = pick
            lightest_weight = pick.weight
    return kept


def _up_to(limit: int) -> int:
    """The bit set {0 … limit}; empty for -1."""
    return (1 << (limit + 1)) - 1


def _union(sets: Iterator[int]) -> int:
    union = 0
    for one in sets:
        union |= one
    return union
