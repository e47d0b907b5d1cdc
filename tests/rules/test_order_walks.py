"""Every ordering of up to five events on the pure states of an order and its attempts (``tests.walks`` has the rules).

The real parts walk the same in ``tests/services/test_payment_orderings.py``, up to three events.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from shop.enums import OrderStatus
from shop.rules.order_states import Action, after, is_allowed
from tests.walks import AFTER, ALWAYS, AT_LAST, DUE, Event, Moment, Walk, broken, orderings

FIRST, SECOND = 1, 2


@dataclass
class Model:
    """An order with its attempts: what Alipay holds, what the shop knows, and whether the time to pay is over."""

    status: OrderStatus = OrderStatus.PENDING
    paid: set[int] = field(default_factory=set)
    known: set[int] = field(default_factory=set)
    back: set[int] = field(default_factory=set)
    is_first_replaced: bool = False
    is_over: bool = False

    def do(self, event: Event) -> None:
        match event:
            case Event.PAY:
                self.pay(FIRST)
            case Event.NOTIFY | Event.RETURN:
                self.hear(FIRST, SECOND)
            case Event.QUERY:
                self.ask()
            case Event.EXPIRE:
                self.is_over = True
                self.end(Action.TIME_OUT)
            case Event.CANCEL:
                self.end(Action.CANCEL)
            case Event.SECOND:
                self.pay_second()
            case Event.REFUND:
                self.refund()

    def pay(self, attempt: int) -> None:
        if not self.is_over:
            self.paid.add(attempt)

    def hear(self, *attempts: int) -> None:
        for attempt in attempts:
            if attempt in self.paid - self.known:
                self.known.add(attempt)
                self.book(attempt)

    def book(self, attempt: int) -> None:
        for action in (Action.PAY, Action.PAY_LATE):
            if is_allowed(self.status, action):
                self.status = after(self.status, action)
                return
        self.back.add(attempt)  # the order has no use for it

    def ask(self) -> None:
        """About the attempt that the shop believes in."""
        self.hear(SECOND if self.is_first_replaced else FIRST)

    def end(self, action: Action) -> None:
        if self.status is not OrderStatus.PENDING:
            return
        self.ask()
        if is_allowed(self.status, action):
            self.status = after(self.status, action)

    def pay_second(self) -> None:
        if self.status is OrderStatus.PENDING and not self.is_over:
            self.is_first_replaced = True
            self.pay(SECOND)
            self.hear(SECOND)

    def refund(self) -> None:
        if is_allowed(self.status, Action.ASK_REFUND):
            self.status = after(after(self.status, Action.ASK_REFUND), Action.REFUND_ALL)
            self.back = set(self.known)

    def at_last(self) -> None:
        """The time passes, the jobs run, and Alipay's last notice comes through."""
        self.do(Event.EXPIRE)
        self.do(Event.QUERY)
        if self.is_first_replaced:
            self.do(Event.NOTIFY)

    def moment(self) -> Moment:
        is_paid = self.status is OrderStatus.PAID
        return Moment(
            status=self.status,
            came=DUE * len(self.paid),
            back=DUE * len(self.back),
            known=DUE * len(self.known),
            is_open=is_paid,
            holds=is_paid or self.status is OrderStatus.PENDING,
        )


def faults_of(walk: Walk) -> list[str]:
    model = Model()
    for event in walk:
        model.do(event)
    faults = broken(ALWAYS | AFTER.get(walk[-1], {}), walk, model.moment())
    model.at_last()
    return faults + broken(ALWAYS | AT_LAST, walk, model.moment())


@pytest.mark.parametrize("first", Event)
def test_every_ordering_of_five_events_ends_as_the_rules_say(first: Event) -> None:
    walks = [walk for walk in orderings(5) if walk[0] is first]
    assert len(walks) > 1_000
    assert [fault for walk in walks for fault in faults_of(walk)] == []


def test_the_walks_reach_every_end_and_both_kinds_of_surplus() -> None:
    """Else the rules above would hold for want of anything to hold for."""
    ends = set()
    for walk in orderings(4):
        model = Model()
        for event in walk:
            model.do(event)
        model.at_last()
        ends.add((model.status, len(model.paid), len(model.back)))
    assert ends == {
        (OrderStatus.CANCELLED, 0, 0),
        (OrderStatus.TIMED_OUT, 0, 0),
        (OrderStatus.PAID, 1, 0),
        (OrderStatus.PAID, 2, 1),
        (OrderStatus.REFUNDED, 1, 1),
        (OrderStatus.REFUNDED, 2, 2),
    }
