"""What Alipay tells a merchant: the parameters of a notification and of the buyer's return (alipay.md 2, 3)."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from cashier import clock, trades
from cashier.money import to_yuan
from cashier.trades import Refund, Trade

SELLER_EMAIL = "sho***@example.com"


@dataclass(frozen=True, slots=True)
class Seller:
    """The merchant as messages name him."""

    app_id: str
    seller_id: str


def is_sent(trade: Trade, refund: Refund | None) -> bool:
    """Whether Alipay sends a message about this state: the table of alipay.md 3.3.

    Page pay tells of success only (again at each partial refund), never of a close; wap pay tells of both.
    """
    if trade.status == trades.SUCCESS:
        return True
    return trade.status == trades.CLOSED and trade.product == "wap"


def notification(trade: Trade, seller: Seller, now: float, refund: Refund | None = None) -> dict[str, str]:
    """All fields but ``notify_time``, ``sign_type`` and ``sign``, which belong to the attempt. Never an empty value.

    A refund's message has its own times and sums and lacks those of the payment (the layout of a real one, 3.4).
    """
    fields = {
        "notify_id": new_notify_id(now),
        "notify_type": "trade_status_sync",
        "charset": trade.charset,
        "version": "1.0",
        "app_id": seller.app_id,
        "auth_app_id": seller.app_id,
        "seller_id": seller.seller_id,
        "buyer_id": trade.person.user_id,
        "trade_no": trade.trade_no,
        "out_trade_no": trade.out_trade_no,
        "trade_status": trade.status,
        "subject": trade.subject,
        "body": trade.body,
        "passback_params": trade.passback_params,
        "total_amount": to_yuan(trade.total_fen),
        "gmt_create": clock.text(trade.created_at),
        "gmt_payment": _text(trade.paid_at),
        "gmt_close": _text(trade.closed_at),
    }
    if trade.product == "wap":
        fields |= {"buyer_logon_id": trade.person.logon_id, "seller_email": SELLER_EMAIL}
    if refund is not None:
        fields |= _refund_fields(trade, refund)
    elif trade.is_paid:
        fields |= _payment_fields(trade)
    return {name: value for name, value in fields.items() if value}


def returned(trade: Trade, seller: Seller, now: float) -> dict[str, str]:
    """Parameters of the buyer's return, without ``sign``: no status, no buyer, no notify_id."""
    return {
        "app_id": seller.app_id,
        "auth_app_id": seller.app_id,
        "charset": trade.charset,
        "method": f"alipay.trade.{trade.product}.pay.return",
        "out_trade_no": trade.out_trade_no,
        "seller_id": seller.seller_id,
        "sign_type": "RSA2",
        "timestamp": clock.text(now),
        "total_amount": to_yuan(trade.total_fen),
        "trade_no": trade.trade_no,
        "version": "1.0",
    }


def new_notify_id(now: float) -> str:
    """34 digits, as they look today: date, 00222, time, then what makes it unique."""
    moment = datetime.fromtimestamp(now, clock.BEIJING)
    return f"{moment:%Y%m%d}00222{moment:%H%M%S}{secrets.randbelow(10**15):015d}"


def _payment_fields(trade: Trade) -> dict[str, str]:
    total = to_yuan(trade.total_fen)
    bills = [{"amount": total, "fundChannel": "ALIPAYACCOUNT"}]
    return {
        "receipt_amount": total,
        "buyer_pay_amount": total,
        "invoice_amount": total,
        "point_amount": "0.00",
        "fund_bill_list": json.dumps(bills, separators=(",", ":")),
    }


def _refund_fields(trade: Trade, refund: Refund) -> dict[str, str]:
    return {
        "gmt_refund": clock.text_ms(refund.done_at),
        "refund_fee": to_yuan(trade.refunded_fen),  # all refunds so far, not this one alone
        "out_biz_no": refund.out_request_no if refund.is_named else trade.trade_no,
    }


def _text(instant: float | None) -> str:
    return "" if instant is None else clock.text(instant)
