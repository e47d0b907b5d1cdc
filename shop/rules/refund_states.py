"""What a refund's causes and states mean together; who asks about one of these asks here."""

from __future__ import annotations

from shop.enums import RefundCause, RefundState

OF_LINES = (RefundCause.STUDENT, RefundCause.STAFF)  # the causes that concern lines of the order
BY_PEOPLE = (*OF_LINES, RefundCause.WRONG_AMOUNT)  # the causes that somebody has to say yes to
SENT = (RefundState.APPROVED, RefundState.IN_TRANSIT, RefundState.FAILED)  # money is to move, or may have moved
UNDER_WAY = (RefundState.REQUESTED, *SENT)  # nobody has said no yet, and it is not done: access rests
NOTHING_MOVES = (RefundState.REFUSED, RefundState.WITHDRAWN)
