"""What is no fault, but waits for a job, for Alipay or for a person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, func, select

from shop.enums import OrderStatus, PaymentState, RefundState
from shop.models import Order, Payment, Refund, Trouble
from shop.services.audit_queries.check import Broken, or_zero


def orders_waiting_since(deadline: datetime) -> Broken:
    """Unpaid orders that should have ended before this instant (O6). Alipay may not be there to be asked (design 8)."""
    return select(Order.id).where(Order.status == OrderStatus.PENDING, Order.expires_at < deadline)


def money_at_the_desk() -> Broken:
    """Payments that no order could use and that are not refunded in full yet."""
    done = and_(Refund.payment_id == Payment.id, Refund.state == RefundState.DONE, Refund.trouble_id.is_(None))
    return (
        select(Payment.id)
        .outerjoin(Refund, done)
        .where(Payment.state == PaymentState.SURPLUS)
        .group_by(Payment.id)
        .having(Payment.amount_fen > or_zero(func.sum(Refund.amount_fen)))
    )


def failed_refunds() -> Broken:
    """Refunds that Alipay has refused; some are sent again by themselves."""
    return select(Refund.id).where(Refund.state == RefundState.FAILED)


def open_troubles() -> Broken:
    """Money that fits no order, and about which nobody has decided."""
    return select(Trouble.id).where(Trouble.resolved_time.is_(None))
