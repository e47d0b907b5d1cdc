"""Money that Alipay has and the shop cannot book: noted once, listed until a person has decided."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.enums import TroubleKind
from shop.gateways.alipay import Trade
from shop.models import Trouble


def note(
    session: Session,
    kind: TroubleKind,
    trade: Trade,
    *,
    found_by: str,
    now: datetime,
    payment_id: int | None = None,
) -> Trouble:
    """The row about this trade, in the caller's transaction; noted once, however often it is heard of."""
    known = session.scalars(
        select(Trouble).where(
            Trouble.kind == kind,
            Trouble.out_trade_no == trade.out_trade_no,
            Trouble.trade_no == trade.trade_no,
            Trouble.out_request_no == trade.refund_no,
        )
    ).first()
    if known:
        return known
    trouble = Trouble(
        kind=kind,
        payment_id=payment_id,
        out_trade_no=trade.out_trade_no,
        trade_no=trade.trade_no,
        out_request_no=trade.refund_no,
        amount_fen=trade.amount_fen,
        found_by=found_by,
        found_time=now,
    )
    session.add(trouble)
    session.flush()
    return trouble
