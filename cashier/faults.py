"""Mischief on order: which kinds there are, which are set, and taking one when its moment comes."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

NOTIFY, RETURN, ANSWER, PAY, BILL = "notify", "return", "answer", "pay", "bill"


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of mischief: when it strikes, its name for people, and its arguments with their defaults."""

    phase: str
    chinese: str
    english: str
    args: dict[str, Any]


def _answer(chinese: str, english: str, **args: Any) -> Kind:
    """``method`` limits it to one call; ``done`` says whether the call takes effect all the same."""
    return Kind(ANSWER, chinese, english, {"method": "", "done": True} | args)


KINDS = {
    # The message itself: what is signed, by whom, and what happens to it afterwards.
    "notify_forged": Kind(NOTIFY, "通知签名是伪造的", "Notification with a made-up signature", {}),
    "notify_wrong_key": Kind(NOTIFY, "通知用别的密钥签名", "Signed by another key", {"private_key_file": ""}),
    "notify_wrong_sign_type": Kind(NOTIFY, "通知的 sign_type 是 RSA", "Says sign_type RSA", {"sign_type": "RSA"}),
    "notify_no_sign": Kind(NOTIFY, "通知没有签名", "Without a signature", {}),
    "notify_truncated_sign": Kind(NOTIFY, "通知签名被截断", "Signature cut off", {}),
    "notify_tampered": Kind(NOTIFY, "通知金额在途中被改", "Amount changed on the way", {"amount": "0.01"}),
    "notify_merged": Kind(
        NOTIFY, "通知参数被合并", "One parameter folded into the one before", {"field": "total_amount"}
    ),
    "notify_cent_less": Kind(NOTIFY, "通知少一分钱", "Notification says a cent less", {}),
    "notify_other_app": Kind(NOTIFY, "通知属于别的应用", "For another app", {"app_id": "2021999999999999"}),
    "notify_other_seller": Kind(NOTIFY, "通知属于别的商户", "For another seller", {"seller_id": "2088999999999999"}),
    "notify_unknown_order": Kind(NOTIFY, "通知的订单号不存在", "For an unknown out_trade_no", {}),
    "notify_extra_field": Kind(NOTIFY, "通知多一个新字段", "With a field nobody knows", {"name": "x_new_field"}),
    "notify_open_id": Kind(NOTIFY, "通知只有 buyer_open_id", "buyer_open_id instead of buyer_id", {}),
    "notify_missing_optional": Kind(NOTIFY, "通知缺可选字段", "Without the optional fields", {}),
    "notify_other_trade_no": Kind(NOTIFY, "再通知一次，交易号不同", "Again, with another trade_no", {"trade_no": ""}),
    # When and how often it is sent.
    "notify_lost": Kind(NOTIFY, "通知丢失", "Notification lost", {}),
    "notify_late": Kind(NOTIFY, "通知迟到", "Notification late", {"seconds": 30.0}),
    "notify_twice": Kind(NOTIFY, "通知发两次", "Notification sent twice", {}),
    "notify_parallel": Kind(NOTIFY, "通知同时发多份", "Parallel copies", {"copies": 10}),
    "notify_reordered": Kind(NOTIFY, "通知排到下一条之后", "Delivered after the next one", {}),
    "notify_after_return": Kind(NOTIFY, "买家返回之后才通知", "Only after the buyer's return", {}),
    # The buyer's way back.
    "return_lost": Kind(RETURN, "买家不返回商户", "The buyer never returns", {}),
    "return_posted": Kind(RETURN, "返回参数被发到通知地址", "Return parameters posted to notify_url", {}),
    "return_tampered": Kind(RETURN, "返回参数被改", "Return with a changed amount", {"amount": "0.01"}),
    # The payment.
    "pay_cent_less": Kind(PAY, "交易少一分钱", "The trade is over a cent less", {}),
    "pay_other": Kind(PAY, "同时付掉另一笔", "Pays another attempt as well", {"also": ""}),
    # Answers to the merchant's calls.
    "answer_slow": _answer("回答很慢", "Slow answer", seconds=8.0),
    "answer_status": _answer("回答 HTTP 错误", "HTTP error", status=500),
    "answer_html": _answer("回答一个网页", "HTML answer"),
    "answer_empty": _answer("回答为空", "Empty answer"),
    "answer_braces": _answer("回答 {}", "Answer {}"),
    "answer_bad_sign": _answer("回答签名错误", "Answer with a bad signature"),
    "answer_no_sign": _answer("回答没有签名", "Answer without a signature"),
    "answer_error_node": _answer("回答未签名的 error_response", "Unsigned error_response"),
    "answer_redirect": _answer("回答 302", "302", location="/healthz"),
    "answer_reset": _answer("连接被重置", "Connection reset"),
    "answer_short": _answer("回答不完整", "Answer cut short"),
    "answer_drip": _answer("回答一字一字地来", "Answer in drips", seconds=10.0),
    "answer_20000": _answer("回答 20000", "20000 service unavailable"),
    "answer_system_error": _answer("回答 ACQ.SYSTEM_ERROR", "ACQ.SYSTEM_ERROR"),
    "answer_business": _answer("回答业务错误", "Any business error", sub_code="ACQ.TRADE_NOT_EXIST", done=False),
    "answer_extra_field": _answer("回答多一个新字段", "A field nobody knows"),
    "answer_braces_in_text": _answer("回答里有花括号和引号", "Braces and quotes inside strings"),
    "refund_refused": _answer(
        "退款被拒", "Refund refused", method="alipay.trade.refund", sub_code="ACQ.SELLER_BALANCE_NOT_ENOUGH", done=False
    ),
    "refund_fund_change_n": _answer("退款回答 fund_change=N", "fund_change N", method="alipay.trade.refund"),
    # The bill.
    "bill_missing": Kind(BILL, "没有对账单", "No bill", {}),
    # ``number`` is the out_trade_no of a payment or the out_request_no of a refund; empty means the first row.
    "bill_row_missing": Kind(BILL, "对账单少一行", "Bill lacks a row", {"number": ""}),
    "bill_row_extra": Kind(BILL, "对账单多一行", "Bill has a row too many", {}),
    "bill_amount_off": Kind(BILL, "对账单金额不符", "Bill is a cent off", {"number": ""}),
    "bill_extra_column": Kind(BILL, "对账单多一列", "Bill has another column", {}),
    "bill_footer_off": Kind(BILL, "对账单合计与明细不符", "The bill's footer counts a payment too many", {}),
    "bill_no_summary": Kind(BILL, "对账单没有汇总文件", "The zip lacks its summary", {}),
    "bill_html": Kind(BILL, "对账单是一个网页", "A web page instead of the zip", {}),
    "bill_bomb": Kind(BILL, "对账单是压缩炸弹", "A zip that unpacks without end", {}),
    "bill_expired": Kind(BILL, "对账单地址已过期", "The address is no longer good", {}),
    "bill_redirect": Kind(BILL, "对账单地址跳转", "The address redirects", {"location": "/healthz"}),
    "bill_other_host": Kind(BILL, "对账单在别的主机", "The address is on another host", {"host": "bill.example"}),
}


class UnknownFault(ValueError):
    """There is no such kind, or it has no such argument."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One that is set: for one order or (empty) for all, ``times`` more times or (None) until it is removed."""

    id: int
    kind: str
    out_trade_no: str
    times: int | None
    args: dict[str, Any]


def add(
    db: sqlite3.Connection, kind: str, args: dict[str, Any], *, out_trade_no: str = "", times: int | None = 1
) -> int:
    """Its id. Raises UnknownFault for a kind or an argument that does not exist, so that a typing error is noticed."""
    if kind not in KINDS:
        raise UnknownFault(f"no such fault: {kind}")
    defaults = KINDS[kind].args
    if unknown := sorted(args.keys() - defaults.keys()):
        raise UnknownFault(f"{kind} has no argument {', '.join(unknown)}")
    row = db.execute(
        "INSERT INTO fault (kind, out_trade_no, times, args_json) VALUES (?, ?, ?, ?) RETURNING id",
        (kind, out_trade_no, times, json.dumps(defaults | args)),
    ).fetchone()
    return int(row["id"])


def remove(db: sqlite3.Connection, fault_id: int | None = None) -> None:
    """One, or all of them."""
    db.execute("DELETE FROM fault WHERE ? IS NULL OR id = ?", (fault_id, fault_id))


def listed(db: sqlite3.Connection) -> list[Fault]:
    return [_fault(row) for row in db.execute("SELECT * FROM fault ORDER BY id")]


def take(
    db: sqlite3.Connection, phase: str, out_trade_no: str, *, method: str = "", kind: str = ""
) -> dict[str, Fault]:
    """The faults that strike now by kind, oldest first; what was set for a number of times is counted down.

    ``method`` is the gateway call that is being answered; ``kind`` takes that one alone.
    """
    struck: dict[str, Fault] = {}
    for fault in listed(db):
        if kind in ("", fault.kind) and _strikes(fault, phase, out_trade_no, method):
            struck.setdefault(fault.kind, fault)
    for fault in struck.values():
        db.execute("UPDATE fault SET times = times - 1 WHERE id = ?", (fault.id,))
    if struck:
        db.execute("DELETE FROM fault WHERE times <= 0")
    return struck


def _strikes(fault: Fault, phase: str, out_trade_no: str, method: str) -> bool:
    return (
        KINDS[fault.kind].phase == phase
        and fault.out_trade_no in ("", out_trade_no)
        and fault.args.get("method", "") in ("", method)
    )


def _fault(row: sqlite3.Row) -> Fault:
    return Fault(row["id"], row["kind"], row["out_trade_no"], row["times"], json.loads(row["args_json"]))
