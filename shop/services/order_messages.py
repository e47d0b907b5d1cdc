"""What the owner of an order is told as it is paid or ends, in the caller's transaction (issue 3, item 9)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from shop.enums import MessageType, OrderStatus
from shop.models import Order
from shop.money import to_yuan
from shop.services import messages
from shop.services.delivery import Delivered
from shop.services.messages import Message
from shop.wording import mark as _

ENDED = {
    OrderStatus.CANCELLED: _("订单 %(order)s 已按您的要求取消，占用的优惠券和贝里已退回。"),
    OrderStatus.TIMED_OUT: _("订单 %(order)s 超时未支付，已经取消，占用的优惠券和贝里已退回。"),
}


def paid(session: Session, order: Order, delivered: Sequence[Delivered]) -> None:
    """One letter for the order, one more for each degree, whose form has to be filled in."""
    facts = {
        "order": order.order_number,
        "amount": to_yuan(order.actual_amount_fen),
        "names": "、".join(f"「{line.name}」" for line in delivered),
    }
    text = _("订单 %(order)s 支付成功，实付 %(amount)s 元，已开通：%(names)s。")
    order_message = Message(MessageType.ORDER, text, facts, f"/orders/{order.order_number}")
    messages.tell_all(session, order.account_id, [order_message, *(_opened(line) for line in delivered)])


def _opened(line: Delivered) -> Message:
    if line.enrolment_id is not None:
        text = _("已报名学位课「%(name)s」。请填写报名表，填好后就开通第一个模块。")
        link = f"/degrees/enrolments/{line.enrolment_id}/registration"
        return Message(MessageType.DEGREE_ENROLMENT, text, {"name": line.name}, link)
    text = _("课程「%(name)s」已开通，可以学到%(end_date)s。")
    facts = {"name": line.name, "end_date": line.end_date}
    link = f"/learning/courses/{line.product_id}"
    return Message(MessageType.COURSE_ENROLMENT, text, facts, link, is_mailed=False)  # the order's letter names it


def goes_back(session: Session, order: Order, amount_fen: int, *, is_double: bool) -> None:
    """Money that the order could not use is on its way back; nobody has to ask for it."""
    text = (
        _("订单 %(order)s 收到第二次付款 %(amount)s 元，多付的钱将由支付宝原路退回，不需要申请。")
        if is_double
        else _("订单 %(order)s 结束之后收到付款 %(amount)s 元，订单已不能恢复，这笔钱将由支付宝原路退回，不需要申请。")
    )
    facts = {"order": order.order_number, "amount": to_yuan(amount_fen)}
    message = Message(MessageType.ORDER, text, facts, f"/orders/{order.order_number}")
    messages.tell_all(session, order.account_id, [message])


def ended(session: Session, order: Order) -> None:
    """Cancelled or timed out; whoever cancels sees it on the page, and gets no letter about it."""
    message = Message(
        MessageType.ORDER,
        ENDED[order.status],
        {"order": order.order_number},
        f"/orders/{order.order_number}",
        is_mailed=order.status is OrderStatus.TIMED_OUT,
    )
    messages.tell_all(session, order.account_id, [message])
