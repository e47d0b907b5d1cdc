"""Money and 贝里 on their way back: asked for, decided, sent to Alipay, and booked (design 8).

A refund's number is committed before Alipay is called and reused for ever; one call at a time per trade. It counts from
the moment its state is DONE: in that same transaction access ends, 贝里 and coupons return, the order moves on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from shop.enums import RefundCause
from shop.models import Payment, Refund, Trouble


@dataclass(frozen=True, slots=True)
class CouponBack:
    """A coupon that returns with a refund; ``is_expired`` when its time is over, so that it returns as expired."""

    record_id: int
    name: str
    valid_until: datetime
    is_expired: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order as the refund page offers it; ``why_not`` is empty when it can be asked for."""

    detail_id: int
    name: str
    amount_fen: int
    beli: int
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """What exactly comes back for some lines; what is executed later equals it to the fen."""

    lines: tuple[Line, ...]
    amount_fen: int
    beli: int
    coupons: tuple[CouponBack, ...]


@dataclass(frozen=True, slots=True)
class Options:
    """What the owner of an order may ask for now. ``why_not`` says why nothing can be asked for, else it is empty."""

    lines: tuple[Line, ...]
    why_not: str
    deadline: datetime | None  # until when the order's lines can be asked for


def options(account_id: int, order_number: str) -> Options:
    """The lines of one's own order and which of them can be asked for. Raises NotFound."""
    raise NotImplementedError


def preview(account_id: int, order_number: str, detail_ids: Collection[int]) -> Preview:
    """What asking for these lines would bring back. Raises NotFound, NotRefundable."""
    raise NotImplementedError


def ask(account_id: int, order_number: str, detail_ids: Collection[int], reason: str) -> Refund:
    """A student's request for some lines; access to them rests while it waits. Raises NotFound, NotRefundable."""
    raise NotImplementedError


def withdraw(account_id: int, out_request_no: str) -> None:
    """Take one's own request back while nobody has decided. Raises NotFound, NotYourTurn."""
    raise NotImplementedError


def approve(out_request_no: str, *, actor: str, reason: str, handler_id: int | None = None) -> Refund:
    """Send the money back. One without cash is done at once. Raises NotFound, NotYourTurn."""
    raise NotImplementedError


def refuse(out_request_no: str, *, actor: str, reason: str, handler_id: int | None = None) -> Refund:
    """Say no: access is back, the order is paid as before. Raises NotFound, NotYourTurn."""
    raise NotImplementedError


def retry(out_request_no: str, *, actor: str) -> None:
    """Send a failed refund again, with its own number. Raises NotFound, NotYourTurn."""
    raise NotImplementedError


def give_back(
    session: Session,
    payment: Payment,
    *,
    cause: RefundCause,
    amount_fen: int,
    reason: str,
    now: datetime,
    trouble: Trouble | None = None,
) -> Refund:
    """Return money that its order cannot use, without anybody asking, in the caller's transaction.

    Approved from the start; its number follows from the attempt (``R…LATE``, ``R…DOUBLE``, ``R…WRONG``), so that it
    exists once however often the money is heard of: the same call again returns the row that is there.
    """
    raise NotImplementedError


def note_from_gateway(session: Session, payment: Payment, out_request_no: str, now: datetime) -> None:
    """Alipay speaks of a refund of this payment: have our own asked about now, record one that is not ours."""
    raise NotImplementedError


def send_due() -> dict[str, int]:
    """The job "refunds in transit": call or ask Alipay for every refund whose time has come; counts by outcome."""
    raise NotImplementedError
