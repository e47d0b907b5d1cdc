"""What happened to an order and what comes next, as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from shop.enums import OrderStatus
from shop.models import Order
from shop.services.order_views import OrderView
from shop.web.filters import isotime, localtime


@dataclass(frozen=True, slots=True)
class Event:
    """For the macro ``timeline``: state is "done", "now" or "next"; time and iso are "" where nothing has a time."""

    text: str
    state: str
    time: str = ""
    iso: str = ""


def timeline(view: OrderView) -> list[Event]:
    """Oldest first."""
    order = view.order
    return [_at(order.date, _("已下单")), *_payment(order), *_outcome(order)]


def _payment(order: Order) -> list[Event]:
    if order.pay_time:
        return [_at(order.pay_time, _("已付款") if order.actual_amount_fen else _("已确认，无需付款"))]
    if order.status is OrderStatus.PENDING:
        return [_at(order.expires_at, _("等待付款，截止"), "now"), Event(_("付款后开通课程"), "next")]
    return []


def _outcome(order: Order) -> list[Event]:
    if order.status is OrderStatus.PAID and order.pay_time:
        return [_at(order.pay_time, _("课程已开通"))]
    if order.status is OrderStatus.REFUND_REQUESTED:
        return [Event(order.status.label, "now")]
    if order.status is OrderStatus.REFUNDED:
        return [Event(order.status.label, "done")]
    if order.cancel_time:
        return [_at(order.cancel_time, str(order.status.label)), _at(order.cancel_time, _("优惠券和贝里已退回"))]
    return []


def _at(moment: datetime, text: str, state: str = "done") -> Event:
    return Event(text, state, localtime(moment), isotime(moment))
