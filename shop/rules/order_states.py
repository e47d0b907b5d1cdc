"""The life of an order as one table (design 8). What is not in it cannot happen."""

from __future__ import annotations

from enum import StrEnum

from shop.enums import OrderStatus
from shop.errors import NotYourTurn


class Action(StrEnum):
    PAY = "pay"  # money arrived in time, or nothing was due
    CANCEL = "cancel"
    TIME_OUT = "time out"
    PAY_LATE = "pay late"  # money for an ended order, when everything in it can still be had
    ASK_REFUND = "ask refund"
    REFUSE_REFUND = "refuse refund"  # by staff, or withdrawn by the student
    REFUND_PART = "refund part"  # an unrefunded line is left
    REFUND_ALL = "refund all"  # none is left


NEXT: dict[tuple[OrderStatus, Action], OrderStatus] = {
    (OrderStatus.PENDING, Action.PAY): OrderStatus.PAID,
    (OrderStatus.PENDING, Action.CANCEL): OrderStatus.CANCELLED,
    (OrderStatus.PENDING, Action.TIME_OUT): OrderStatus.TIMED_OUT,
    (OrderStatus.CANCELLED, Action.PAY_LATE): OrderStatus.PAID,
    (OrderStatus.TIMED_OUT, Action.PAY_LATE): OrderStatus.PAID,
    (OrderStatus.PAID, Action.ASK_REFUND): OrderStatus.REFUND_REQUESTED,
    (OrderStatus.REFUND_REQUESTED, Action.REFUSE_REFUND): OrderStatus.PAID,
    (OrderStatus.REFUND_REQUESTED, Action.REFUND_PART): OrderStatus.PAID,
    (OrderStatus.REFUND_REQUESTED, Action.REFUND_ALL): OrderStatus.REFUNDED,
}


def after(status: OrderStatus, action: Action) -> OrderStatus:
    """The status an order has after an action. Raises NotYourTurn when the table has no such change."""
    try:
        return NEXT[status, action]
    except KeyError:
        raise NotYourTurn(status=int(status), action=action.value) from None


def is_allowed(status: OrderStatus, action: Action) -> bool:
    return (status, action) in NEXT
