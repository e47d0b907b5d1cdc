"""What a refund changes in the books: from the moment it is done, and not before (design 8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from shop.enums import RefundState, TransactionType, TroubleKind
from shop.models import CouponRecord, Order, OrderDetail, Payment, Refund, RefundDetail, Trouble
from shop.rules import order_states
from shop.rules.order_states import Action
from shop.rules.refund_states import OF_LINES
from shop.services import degree_closing, delivery, refund_messages, reservation, wallet
from shop.services.refund_messages import Step

log = structlog.get_logger()


def book_done(session: Session, order: Order, refund: Refund, now: datetime) -> None:
    """The money has moved, or none was to move: everything that hangs on it, in the caller's transaction.

    The caller holds the locks of account and order, and knows that the refund is not done yet.
    """
    refund.state, refund.done_time = RefundState.DONE, now
    refund.next_try_time, refund.error = None, ""
    if refund.cause in OF_LINES:
        _return_lines(session, order, refund, now)
    if refund.trouble_id is not None:
        _close_trouble(session, refund, now)
    session.flush()
    refund_messages.tell(session, order, refund, Step.DONE if refund.transfer_number is None else Step.TRANSFERRED)
    log.info("refund done", refund=refund.out_request_no, amount_fen=refund.amount_fen, beli=refund.beli)


def _return_lines(session: Session, order: Order, refund: Refund, now: datetime) -> None:
    session.flush()
    line_ids = [line.order_detail_id for line in refund.details]
    delivery.close(session, order.account_id, line_ids, now=now)
    degree_closing.close(session, line_ids, now)
    if refund.beli:
        wallet.move_beli(
            session,
            order.account_id,
            TransactionType.REFUND,
            refund.beli,
            order_id=order.id,
            refund_id=refund.id,
        )
    if coupons := coupons_back(session, order.id, line_ids):
        reservation.return_coupons(session, CouponRecord.id.in_([record.id for record in coupons]), now=now)
    is_last = not _unrefunded(session, order.id, line_ids)
    order.status = order_states.after(order.status, Action.REFUND_ALL if is_last else Action.REFUND_PART)


def _close_trouble(session: Session, refund: Refund, now: datetime) -> None:
    """Money that fitted nothing is with its payer again: nobody has to look at it any more."""
    trouble = session.get_one(Trouble, refund.trouble_id)
    if trouble.resolved_time is None:
        trouble.resolved_time, trouble.resolution = now, refund.out_request_no


def refunded_lines(session: Session, order_id: int) -> set[int]:
    """The ids of the order's lines whose refund is done."""
    rows = session.scalars(
        select(RefundDetail.order_detail_id)
        .join(Refund, Refund.id == RefundDetail.refund_id)
        .where(Refund.order_id == order_id, Refund.state == RefundState.DONE)
    )
    return set(rows)


def coupons_back(session: Session, order_id: int, line_ids: Collection[int]) -> Sequence[CouponRecord]:
    """The coupons that the order gives up when these lines are refunded beside those that are refunded already.

    A coupon returns when no unrefunded line is left that it served (safety.md C3).
    """
    served = {
        record_id
        for line in _unrefunded(session, order_id, line_ids)
        for record_id in (line.coupon_record_id, line.site_coupon_record_id)
    }
    held = session.scalars(
        select(CouponRecord)
        .where(CouponRecord.order_id == order_id)
        .order_by(CouponRecord.id)
        .options(joinedload(CouponRecord.coupon))
        .execution_options(populate_existing=True)
    )
    return [record for record in held if record.id not in served]


def _unrefunded(session: Session, order_id: int, line_ids: Collection[int]) -> list[OrderDetail]:
    """The order's lines that stay paid when these are refunded too."""
    gone = refunded_lines(session, order_id) | set(line_ids)
    lines = session.scalars(select(OrderDetail).where(OrderDetail.order_id == order_id))
    return [line for line in lines if line.id not in gone]


# ---------------------------------------------------------------- begun at Alipay


def note_foreign(session: Session, payment: Payment, out_request_no: str, amount_fen: int, now: datetime) -> None:
    """Let staff see, once, a refund that the shop has not sent; its amount is 0 until Alipay has told it."""
    trade_no = payment.trade_no or ""
    known = session.scalars(
        select(Trouble).where(
            Trouble.kind == TroubleKind.FOREIGN_REFUND,
            Trouble.out_trade_no == payment.out_trade_no,
            or_(Trouble.trade_no == trade_no, Trouble.trade_no == ""),
            Trouble.out_request_no == out_request_no,
        )
    ).first()
    if known is not None:
        known.amount_fen = amount_fen or known.amount_fen
        return
    session.add(
        Trouble(
            kind=TroubleKind.FOREIGN_REFUND,
            payment_id=payment.id,
            out_trade_no=payment.out_trade_no,
            trade_no=trade_no,
            out_request_no=out_request_no,
            amount_fen=amount_fen,
            found_by="notice",
            found_time=now,
        )
    )
    log.warning("refund begun at Alipay", out_trade_no=payment.out_trade_no, refund=out_request_no)
