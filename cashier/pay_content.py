"""What a page or wap payment asks for: ``biz_content`` within the limits of alipay.md 1.2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cashier import clock
from cashier.money import from_yuan
from cashier.refusals import Refused, invalid_parameter

# The SDK's own default for wap pay is the older QUICK_WAP_PAY, which the gateway still takes.
PRODUCT_CODES = {"page": ("FAST_INSTANT_TRADE_PAY",), "wap": ("QUICK_WAP_WAY", "QUICK_WAP_PAY")}
OUT_TRADE_NO = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
TIMEOUT = re.compile(r"(\d{1,5})([mhd])", re.ASCII)
SECONDS = {"m": 60, "h": 3600, "d": 86400}
SHORTEST, LONGEST = 60, 15 * 86400
SHORTEST_WAP = 5 * 60  # a shorter timeout_express is taken for this one
MOST_FEN = 100_000_000 * 100
TEXT_LIMITS = {"body": 128, "passback_params": 512, "quit_url": 400}
FORBIDDEN_IN_SUBJECT = "/=&"


@dataclass(frozen=True, slots=True)
class PayContent:
    """A checked payment request; the expiry is an instant, or seconds after the first request."""

    product: str
    out_trade_no: str
    total_fen: int
    subject: str
    body: str
    passback_params: str
    quit_url: str
    expires: float | None
    timeout: float
    until_midnight: bool

    def expires_at(self, first_seen: float) -> float:
        if self.expires is not None:
            return self.expires
        if self.until_midnight:
            return clock.start_of_day(clock.day(first_seen) + timedelta(days=1))
        return first_seen + self.timeout


def read(product: str, biz: dict[str, Any], now: float) -> PayContent:
    """Raises Refused (ACQ.INVALID_PARAMETER, ACQ.TOTAL_FEE_EXCEED) naming the first field that is wrong."""
    out_trade_no = read_out_trade_no(biz)
    if biz.get("product_code") not in PRODUCT_CODES[product]:
        raise invalid_parameter(f"product_code 应为 {PRODUCT_CODES[product][0]}")
    texts = {name: _text(biz, name, limit) for name, limit in TEXT_LIMITS.items()}
    if str(biz.get("goods_type", "0")) not in ("0", "1"):
        raise invalid_parameter("goods_type")
    if biz.get("enable_pay_channels") and biz.get("disable_pay_channels"):
        raise invalid_parameter("enable_pay_channels 与 disable_pay_channels 不能同时使用")
    timeout, until_midnight = _timeout(product, biz)
    return PayContent(
        product=product,
        out_trade_no=out_trade_no,
        total_fen=_amount(biz),
        subject=_subject(biz),
        expires=_time_expire(biz, now),
        timeout=timeout,
        until_midnight=until_midnight,
        **texts,
    )


def read_out_trade_no(biz: dict[str, Any]) -> str:
    value = biz.get("out_trade_no")
    if not isinstance(value, str) or not OUT_TRADE_NO.fullmatch(value):
        raise invalid_parameter("out_trade_no 为 1 到 64 位字母、数字或下划线")
    return value


def _amount(biz: dict[str, Any]) -> int:
    try:
        fen = from_yuan(biz.get("total_amount"))
    except ValueError:
        raise invalid_parameter("total_amount 为最多两位小数的金额") from None
    if fen > MOST_FEN:
        raise Refused("ACQ.TOTAL_FEE_EXCEED", "订单总金额超过限额")
    if fen < 1:
        raise invalid_parameter("total_amount 最小为 0.01")
    return fen


def _subject(biz: dict[str, Any]) -> str:
    subject = _text(biz, "subject", 256)
    if not subject.strip() or any(mark in subject for mark in FORBIDDEN_IN_SUBJECT):
        raise invalid_parameter("subject 不可为空，不可含有 / = & 等特殊字符")
    return subject


def _text(biz: dict[str, Any], name: str, limit: int) -> str:
    value = biz.get(name) or ""
    if not isinstance(value, str) or len(value) > limit:
        raise invalid_parameter(f"{name} 最长 {limit} 个字符")
    return value


def _time_expire(biz: dict[str, Any], now: float) -> float | None:
    value = biz.get("time_expire")
    if not value:
        return None
    try:
        expires = clock.parse(str(value))
    except ValueError:
        raise invalid_parameter("time_expire 格式为 yyyy-MM-dd HH:mm:ss") from None
    # The text has whole seconds only: "one minute ahead" must not fail for the fraction that was cut off.
    if not SHORTEST <= expires - int(now) or expires - now > LONGEST:
        raise invalid_parameter("time_expire 应在 1 分钟到 15 天之内")
    return expires


def _timeout(product: str, biz: dict[str, Any]) -> tuple[float, bool]:
    """Seconds, and whether the payment ends at midnight instead (``1c``)."""
    value = biz.get("timeout_express") or "15d"
    if value == "1c":
        return 0.0, True
    match = TIMEOUT.fullmatch(str(value))
    seconds = int(match[1]) * SECONDS[match[2]] if match else 0
    if not SHORTEST <= seconds <= LONGEST:
        raise invalid_parameter("timeout_express 取值 1m 到 15d")
    return float(max(seconds, SHORTEST_WAP) if product == "wap" else seconds), False
