"""The merchant's server calls: business content in, answer fields out. Each raises Refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from cashier import bill, clock, outbox, trades
from cashier.desk import Desk
from cashier.money import from_yuan, to_yuan
from cashier.refusals import Refused, invalid_parameter
from cashier.trades import Trade

Answer = dict[str, Any]
NO_AMOUNTS = dict.fromkeys(("buyer_pay_amount", "invoice_amount", "point_amount", "receipt_amount"), "0.00")
OK = {"code": "10000", "msg": "Success"}


def answer(desk: Desk, db: sqlite3.Connection, method: str, biz: dict[str, Any], host_url: str) -> Answer:
    """The node of the answer, refusals included."""
    try:
        if method == "alipay.data.dataservice.bill.downloadurl.query":
            return OK | {"bill_download_url": bill.download_url(desk, db, biz, host_url)}
        return OK | TRADE_CALLS[method](desk, db, biz)
    except Refused as refusal:
        return refusal.node() | _failure_extras(method, biz)


def query(desk: Desk, db: sqlite3.Connection, biz: dict[str, Any]) -> Answer:
    """alipay.md 4.2. Unpaid trades carry zero amounts and no send_pay_date."""
    trade = _trade(db, biz)
    fields = {
        "buyer_logon_id": trade.person.logon_id,
        "buyer_user_id": trade.person.user_id,
        "buyer_user_type": "PRIVATE",
        "out_trade_no": trade.out_trade_no,
        "total_amount": to_yuan(trade.total_fen),
        "trade_no": trade.trade_no,
        "trade_status": trade.status,
        **NO_AMOUNTS,
    }
    if trade.passback_params:
        fields["passback_params"] = trade.passback_params
    if trade.paid_at is not None:
        total = to_yuan(trade.total_fen)
        fields |= {"buyer_pay_amount": total, "invoice_amount": total, "receipt_amount": total}
        fields["send_pay_date"] = clock.text(trade.paid_at)
        if "fund_bill_list" in _options(biz):
            return fields | {"fund_bill_list": [{"amount": total, "fund_channel": "ALIPAYACCOUNT"}]}
    return fields


def close(desk: Desk, db: sqlite3.Connection, biz: dict[str, Any]) -> Answer:
    """alipay.md 4.3. Page pay does not tell anybody, wap pay sends TRADE_CLOSED."""
    now = desk.now()
    closed = trades.close(db, _trade(db, biz), now)
    outbox.announce(db, closed, desk.seller, now)
    return {"out_trade_no": closed.out_trade_no, "trade_no": closed.trade_no}


def refund(desk: Desk, db: sqlite3.Connection, biz: dict[str, Any]) -> Answer:
    """alipay.md 4.5: refund_fee is cumulative, fund_change says whether money moved now."""
    trade, now = _trade(db, biz), desk.now()
    try:
        amount_fen = from_yuan(biz.get("refund_amount"))
    except ValueError:
        raise invalid_parameter("refund_amount 为最多两位小数的金额") from None
    number = _text(biz, "out_request_no", 64)
    after, done = trades.refund(db, trade, amount_fen, number, _text(biz, "refund_reason", 256), now)
    if done is not None:
        outbox.announce(db, after, desk.seller, now, done)
    return {
        "buyer_logon_id": after.person.logon_id,
        "buyer_user_id": after.person.user_id,
        "fund_change": "N" if done is None else "Y",
        "gmt_refund_pay": clock.text(after.refunded_at or now),
        "out_trade_no": after.out_trade_no,
        "refund_fee": to_yuan(after.refunded_fen),
        "send_back_fee": "0.00",
        "trade_no": after.trade_no,
    }


def refund_query(desk: Desk, db: sqlite3.Connection, biz: dict[str, Any]) -> Answer:
    """alipay.md 4.6: success without these fields means "not received", not "refused"."""
    trade = _trade(db, biz)
    number = _text(biz, "out_request_no", 64)
    if not number:
        raise invalid_parameter("out_request_no 不可为空")
    done = trades.find_refund(db, trade, number)
    if done is None:
        return {}
    fields = {
        "out_request_no": done.out_request_no,
        "out_trade_no": trade.out_trade_no,
        "refund_amount": to_yuan(done.amount_fen),
        "refund_reason": done.reason,
        "refund_status": "REFUND_SUCCESS",
        "total_amount": to_yuan(trade.total_fen),
        "trade_no": trade.trade_no,
    }
    if "gmt_refund_pay" in _options(biz):
        fields["gmt_refund_pay"] = clock.text(done.done_at)
    return {name: value for name, value in fields.items() if value}


TRADE_CALLS: dict[str, Callable[[Desk, sqlite3.Connection, dict[str, Any]], Answer]] = {
    "alipay.trade.query": query,
    "alipay.trade.close": close,
    "alipay.trade.refund": refund,
    "alipay.trade.fastpay.refund.query": refund_query,
}


def order_number(db: sqlite3.Connection, biz: dict[str, Any]) -> str:
    """The out_trade_no that a call is about, for faults that concern one order; empty if none can be found."""
    trade_no, out_trade_no = biz.get("trade_no"), biz.get("out_trade_no")
    if isinstance(trade_no, str) and trade_no:
        trade = trades.find(db, trade_no=trade_no)
        return trade.out_trade_no if trade else ""
    return out_trade_no if isinstance(out_trade_no, str) else ""


def _trade(db: sqlite3.Connection, biz: dict[str, Any]) -> Trade:
    trade_no, out_trade_no = _text(biz, "trade_no", 64), _text(biz, "out_trade_no", 64)
    if not trade_no and not out_trade_no:
        raise invalid_parameter("out_trade_no 与 trade_no 不能同时为空")
    return trades.get(db, trade_no=trade_no, out_trade_no=out_trade_no)


def _text(biz: dict[str, Any], name: str, limit: int) -> str:
    value = biz.get(name) or ""
    if not isinstance(value, str) or len(value) > limit:
        raise invalid_parameter(f"{name} 最长 {limit} 个字符")
    return value


def _options(biz: dict[str, Any]) -> list[Any]:
    options = biz.get("query_options")
    return options if isinstance(options, list) else []


def _failure_extras(method: str, biz: dict[str, Any]) -> Answer:
    """A failed query still carries the number asked for and zero amounts, as the real one does."""
    if method != "alipay.trade.query":
        return {}
    asked = {name: biz[name] for name in ("out_trade_no", "trade_no") if isinstance(biz.get(name), str) and biz[name]}
    return NO_AMOUNTS | asked
