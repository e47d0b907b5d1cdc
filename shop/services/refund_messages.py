"""What the owner of an order is told about a refund of it, once for each step (issue 3, items 6 and 9)."""

from __future__ import annotations

from enum import Enum

from sqlalchemy.orm import Session

from shop.enums import MessageType
from shop.models import Order, Refund
from shop.money import to_yuan
from shop.rules.refund_states import OF_LINES
from shop.services import messages
from shop.wording import mark as _


class Step(Enum):
    ASKED = _("订单 %(order)s 的退费申请已提交：%(amount)s 元，%(beli)s 贝里。审核期间，申请退费的课程暂停学习。")
    PROPOSED = _(
        "客服为订单 %(order)s 提出了退费：%(amount)s 元，%(beli)s 贝里，等待审核。审核期间，要退的课程暂停学习。"
    )
    GRANTED = _(
        "客服正在为订单 %(order)s 退费：%(amount)s 元将由支付宝原路退回，%(beli)s 贝里将退回账户。所退课程暂停学习。"
    )
    APPROVED = _("订单 %(order)s 的退费申请已通过：%(amount)s 元将由支付宝原路退回。")
    REFUSED = _("订单 %(order)s 的退费申请没有通过：%(decision)s。课程可以继续学习。")
    WITHDRAWN = _("客服撤回了为订单 %(order)s 提出的退费。课程可以继续学习。")
    DONE = _("订单 %(order)s 的退款已完成：%(amount)s 元已由支付宝原路退回，%(beli)s 贝里已退回账户。")
    TRANSFERRED = _(
        "订单 %(order)s 的退款已完成：%(amount)s 元已另行转账给您（流水号 %(number)s），%(beli)s 贝里已退回账户。"
    )
    FAILED = _("订单 %(order)s 的退款 %(amount)s 元暂时没有成功，客服正在处理，不需要重新申请。")


def tell(session: Session, order: Order, refund: Refund, step: Step) -> None:
    """Tell the order's owner, in the caller's transaction; the same step of the same refund only once.

    Of money that no line was bought with, nobody has asked: only what became of it is told.
    """
    if refund.cause not in OF_LINES and step not in (Step.DONE, Step.TRANSFERRED, Step.FAILED):
        return
    facts = {
        "order": order.order_number,
        "amount": to_yuan(refund.amount_fen),
        "beli": refund.beli,
        "decision": refund.decision,
    }
    if refund.transfer_number is not None:
        facts["number"] = refund.transfer_number
    messages.tell(
        session,
        order.account_id,
        MessageType.ORDER,
        step.value,
        facts,
        link=f"/orders/{order.order_number}",
        event=f"refund-{refund.out_request_no}-{step.name.lower()}",
    )
