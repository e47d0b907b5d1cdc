"""What may happen to one order, in any order of events, and how it must end (design 8).

The rules follow from what the buyer and Alipay did. They know nothing of how the shop finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from shop.enums import OrderStatus

DUE = 7_000  # fen that the order costs in cash


class Event(StrEnum):
    PAY = "pay"  # on the page that the checkout led to, and nobody tells the shop
    NOTIFY = "notify"  # Alipay tells of every payment there was
    RETURN = "return"  # the buyer comes back from every page they paid on
    QUERY = "query"  # a minute later the poller asks
    EXPIRE = "expire"  # the time to pay passes, and the sweep comes
    CANCEL = "cancel"
    SECOND = "second payment"  # Alipay calls the first attempt closed, the buyer pays the next, and the shop hears it
    REFUND = "refund"  # of everything, asked for, approved and sent


Walk = tuple[Event, ...]
MOST_NOTICES = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """How it stands with the order. Money in fen, as Alipay counts it."""

    status: OrderStatus
    came: int  # what the buyer paid for the order
    back: int  # what went back to them
    known: int  # how much of what came the shop knows of
    is_open: bool  # whether the course is open
    holds: bool  # whether coupon and 贝里 are with the order

    @property
    def is_paid(self) -> bool:
        return self.status is OrderStatus.PAID


Says = Callable[[Walk, Moment], bool]

ALWAYS: dict[str, Says] = {
    "a course is open exactly while its order is paid": lambda w, m: m.is_open == m.is_paid,
    "coupon and 贝里 are with an order that is paid or may be": lambda w, m: (
        m.holds == (m.status in (OrderStatus.PAID, OrderStatus.PENDING))
    ),
    "no order is paid without money": lambda w, m: not m.is_paid or m.known >= DUE,
    "no more goes back than came": lambda w, m: m.back <= m.known <= m.came,
}
# after an event of this kind
AFTER: dict[Event, dict[str, Says]] = {
    Event.NOTIFY: {"a notice leaves no payment unknown": lambda w, m: m.known == m.came},
    Event.RETURN: {"a return leaves no payment unknown": lambda w, m: m.known == m.came},
    Event.QUERY: {
        "the poller leaves no payment unknown, but one that Alipay has denied": lambda w, m: (
            m.known == m.came or Event.SECOND in w
        )
    },
    Event.EXPIRE: {"no order waits beyond its time": lambda w, m: m.status is not OrderStatus.PENDING},
    Event.CANCEL: {
        "a cancel ends the order, or finds it paid": lambda w, m: m.status is not OrderStatus.PENDING,
    },
    Event.REFUND: {"what is refunded is not paid any more": lambda w, m: not m.is_paid},
}
# when the last message has come through and the jobs have run
AT_LAST: dict[str, Says] = {
    "every payment is known": lambda w, m: m.known == m.came,
    "Alipay keeps what the order costs if it is paid, else nothing": lambda w, m: (
        m.came - m.back == (DUE if m.is_paid else 0)
    ),
    "money that came has paid the order, unless it was refunded": lambda w, m: (
        not m.came or m.is_paid or (m.status is OrderStatus.REFUNDED and Event.REFUND in w)
    ),
    "without money it has ended as it was cancelled or timed out, whichever was first": lambda w, m: (
        bool(m.came) or m.status is _ended(w)
    ),
}


def _ended(walk: Walk) -> OrderStatus:
    first = next((event for event in walk if event in (Event.CANCEL, Event.EXPIRE)), Event.EXPIRE)
    return OrderStatus.CANCELLED if first is Event.CANCEL else OrderStatus.TIMED_OUT


def broken(rules: dict[str, Says], walk: Walk, moment: Moment) -> list[str]:
    """The rules that do not hold, with the walk that broke them."""
    return [f"{' → '.join(walk)}: {rule} ({moment})" for rule, holds in rules.items() if not holds(walk, moment)]


def orderings(longest: int) -> Iterator[Walk]:
    """Every sequence of up to so many events in which nothing happens twice but notices, which come up to three times.

    What comes after every event but the last is looked at by the shorter ones.
    """
    for length in range(1, longest + 1):
        for walk in product(Event, repeat=length):
            if all(walk.count(event) <= (MOST_NOTICES if event is Event.NOTIFY else 1) for event in set(walk)):
                yield walk
