"""What happened to an order and what comes next, as its page tells it in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from shop.enums import OrderStatus, PaymentMethod, RefundCause, RefundState, TroubleKind
from shop.models import Refund
from shop.money import to_yuan
from shop.rules.refund_states import NOTHING_MOVES, OF_LINES, SENT
from shop.services.order_views import OrderView
from shop.web.filters import isotime, localtime


@dataclass(frozen=True, slots=True)
class Event:
    """For the macro ``timeline``: state is "done", "now" or "next"; time and iso are "" where nothing has a time."""

    text: str
    state: str
    time: str = ""
    iso: str = ""


Told = tuple[datetime, str]


def timeline(view: OrderView) -> list[Event]:
    """Oldest first; what waits now and what comes next last."""
    told = [*_placed(view), *_payments(view), *_ended(view), *_opened(view), *_odd_money(view), *_refunds(view)]
    return [*(_at(moment, text) for moment, text in sorted(told, key=lambda event: event[0])), *_next(view)]


def _placed(view: OrderView) -> Iterator[Told]:
    yield view.order.date, _("已下单")
    for number, attempt in enumerate(view.payments):
        if number:
            yield attempt.created_time, _("重新发起付款")
        elif attempt.method is PaymentMethod.WAP:
            yield attempt.created_time, _("转到支付宝手机网站付款")
        else:
            yield attempt.created_time, _("转到支付宝付款")
    for moment in view.heard:
        yield moment, _("收到支付宝的付款通知")


def _payments(view: OrderView) -> Iterator[Told]:
    order = view.order
    if order.pay_time is None:
        return
    if not order.actual_amount_fen:
        yield order.pay_time, _("已确认，无需付款")
    elif order.cancel_time:
        yield order.pay_time, _("已付款，订单恢复，优惠券和贝里重新用上")
    else:
        yield order.pay_time, _("已付款")


def _ended(view: OrderView) -> Iterator[Told]:
    order = view.order
    if order.cancel_time is None:
        return
    is_over = order.status in (OrderStatus.CANCELLED, OrderStatus.TIMED_OUT)  # else late money has revived it since
    yield order.cancel_time, str(order.status.label) if is_over else _("订单取消")
    yield order.cancel_time, _("优惠券和贝里已退回")


def _opened(view: OrderView) -> Iterator[Told]:
    if view.opened:
        yield min(opened.opened_time for opened in view.opened.values()), _("课程已开通")


def _odd_money(view: OrderView) -> Iterator[Told]:
    for payment, _refund in view.surplus:
        amount = to_yuan(payment.amount_fen)
        text = _("重复付款 %(amount)s 元，没有用上") if view.is_double else _("订单结束后收到 %(amount)s 元，没有用上")
        yield payment.paid_time or payment.created_time, text % {"amount": amount}
    for trouble, _refund in view.wrong:
        amount = to_yuan(trouble.amount_fen)
        is_wrong = trouble.kind is TroubleKind.WRONG_AMOUNT
        text = _("收到 %(amount)s 元，与应付金额不符") if is_wrong else _("同一笔付款又收到 %(amount)s 元")
        yield trouble.found_time, text % {"amount": amount}
    for refund in view.refunds:
        if refund.cause in OF_LINES or refund.done_time is None:
            continue
        is_foreign = refund.cause is RefundCause.GATEWAY
        text = _("支付宝侧退回 %(amount)s 元") if is_foreign else _("没有用上的 %(amount)s 元已原路退回")
        if refund.transfer_number:
            text = _("没有用上的 %(amount)s 元已另行转账退回")
        yield refund.done_time, text % {"amount": to_yuan(refund.amount_fen)}


def _refunds(view: OrderView) -> Iterator[Told]:
    names = view.names
    for refund in view.line_refunds:
        about = _("、").join(_("「%(name)s」", name=names[line.order_detail_id]) for line in refund.details)
        asked = _("申请退费：%(names)s") if refund.cause is RefundCause.STUDENT else _("客服发起退费：%(names)s")
        yield refund.requested_time, asked % {"names": about}
        if refund.cause is RefundCause.STUDENT or refund.state in NOTHING_MOVES:
            yield from _decided(refund)
        if refund.done_time:
            yield refund.done_time, _("退费完成：%(what)s", what=what_comes_back(refund))


def _decided(refund: Refund) -> Iterator[Told]:
    if refund.decided_time is None:
        return
    if refund.state is RefundState.WITHDRAWN:
        yield refund.decided_time, _("已撤回退费申请，课程恢复学习")
    elif refund.state is RefundState.REFUSED:
        yield refund.decided_time, _("退费申请未通过，课程恢复学习")
    elif refund.amount_fen:
        yield refund.decided_time, _("退费申请已通过，退款提交给支付宝")
    else:
        yield refund.decided_time, _("退费申请已通过")


def what_comes_back(refund: Refund) -> str:
    """ "431.00 元、50 贝里", or either."""
    parts = [_("%(amount)s 元", amount=to_yuan(refund.amount_fen))] if refund.amount_fen or not refund.beli else []
    if refund.beli:
        parts.append(_("%(n)s 贝里", n=refund.beli))
    return str(_("、")).join(parts)


def _next(view: OrderView) -> Iterator[Event]:
    if view.is_pending:
        yield _at(view.order.expires_at, _("等待付款，截止"), "now")
        yield Event(_("付款后开通课程"), "next")
    for refund in view.refunds:
        if refund.cause not in OF_LINES and refund.state in SENT and refund.amount_fen:
            yield Event(_("没有用上的 %(amount)s 元正在退回", amount=to_yuan(refund.amount_fen)), "now")
    running = view.running
    if running is None:
        return
    if running.state is RefundState.REQUESTED:
        yield Event(_("等待审核"), "now")
        yield Event(_("审核通过后退款，未通过则恢复学习"), "next")
    elif running.state is RefundState.FAILED:
        yield Event(_("退款遇到问题，客服正在处理"), "now")
    else:
        yield Event(_("退款正在路上"), "now")
        yield Event(_("支付宝确认后，优惠券和贝里随即退回"), "next")


def _at(moment: datetime, text: str, state: str = "done") -> Event:
    return Event(text, state, localtime(moment), isotime(moment))
