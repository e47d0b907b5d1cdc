"""Is this request well formed and the merchant's? The checks of alipay.md 6.2, in that order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric import rsa

from cashier import clock, signing
from cashier.refusals import Refused

METHODS = (
    "alipay.trade.page.pay",
    "alipay.trade.wap.pay",
    "alipay.trade.query",
    "alipay.trade.close",
    "alipay.trade.refund",
    "alipay.trade.fastpay.refund.query",
    "alipay.data.dataservice.bill.downloadurl.query",
)
PAGE_PRODUCTS = {"alipay.trade.page.pay": "page", "alipay.trade.wap.pay": "wap"}
# Required public parameters, and how Alipay's codes call them when they are missing.
REQUIRED = {
    "method": "method",
    "charset": "charset",
    "sign_type": "signature-type",
    "sign": "signature",
    "timestamp": "timestamp",
    "version": "version",
    "biz_content": "biz-content",
}
CHARSETS = ("utf-8", "gbk", "gb2312")
LONGEST_URL = 256


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """A request that passed every public check."""

    method: str
    params: dict[str, str]
    biz: dict[str, Any]

    @property
    def charset(self) -> str:
        return self.params["charset"].lower()


def read_params(query: bytes, form: bytes) -> dict[str, str]:
    """Query string and form together, decoded in the charset that the request names. Raises Refused.

    Official SDKs put the common parameters into the query and biz_content into the body; a name given twice is
    refused, as nobody could say which of the two was signed.
    """
    pairs = [pair for part in (query, form) for pair in _byte_pairs(part)]
    raw = dict(pairs)
    if len(raw) != len(pairs):
        raise _invalid("parameter", "参数重复")
    charset = raw.get("charset", "utf-8").lower()
    encoding = charset if charset in CHARSETS else "utf-8"
    try:
        return {_decoded(name, encoding): _decoded(value, encoding) for name, value in raw.items()}
    except UnicodeDecodeError:
        raise _invalid("charset", "参数与 charset 不符") from None


def check(params: dict[str, str], *, app_id: str, merchant_key: rsa.RSAPublicKey) -> GatewayRequest:
    """Raises Refused at the first check that fails."""
    _check_app(params, app_id)
    for name, spoken in REQUIRED.items():
        if not params.get(name):
            raise Refused(f"isv.missing-{spoken}", f"缺少 {name} 参数", code="40001")
    if params["method"] not in METHODS:
        raise _invalid("method", "不存在的方法名")
    _check_form(params)
    _check_signature(params, merchant_key)
    return GatewayRequest(params["method"], params, _biz_content(params["biz_content"]))


def _byte_pairs(encoded: bytes) -> list[tuple[str, str]]:
    """Names and values with one character per byte: which charset they are in is one of the values."""
    return parse_qsl(encoded.decode("latin-1"), keep_blank_values=True, encoding="latin-1")


def _decoded(text: str, encoding: str) -> str:
    return text.encode("latin-1").decode(encoding)


def _check_app(params: dict[str, str], app_id: str) -> None:
    """An unknown app has no key to sign an answer for: these two refusals go out unsigned."""
    if not params.get("app_id"):
        raise Refused("isv.missing-app-id", "缺少 app_id 参数", code="40001", is_signed=False)
    if params["app_id"] != app_id:
        raise Refused("isv.invalid-app-id", "无效的AppID参数", code="40002", is_signed=False)


def _check_form(params: dict[str, str]) -> None:
    if params["version"] != "1.0":
        raise _invalid("version", "version 应为 1.0")
    if params["charset"].lower() not in CHARSETS:
        raise _invalid("charset", "不支持的字符集")
    if params["sign_type"] != "RSA2":
        raise _invalid("signature-type", "应用只支持 RSA2")
    if (params.get("format") or "JSON").upper() != "JSON":
        raise _invalid("format", "format 应为 JSON")
    try:
        clock.parse(params["timestamp"])
    except ValueError:
        raise _invalid("timestamp", "timestamp 格式为 yyyy-MM-dd HH:mm:ss") from None
    for name in ("notify_url", "return_url"):
        url = params.get(name, "")
        if url and (len(url) > LONGEST_URL or not url.startswith(("http://", "https://"))):
            raise _invalid("parameter", f"{name} 应为不超过 {LONGEST_URL} 个字符的 http 或 https 地址")


def _check_signature(params: dict[str, str], merchant_key: rsa.RSAPublicKey) -> None:
    text = signing.plain_text(params)
    if not signing.is_signed(text, params["sign"], merchant_key, params["charset"].lower()):
        raise _invalid(
            "signature", f"验签出错，建议检查签名字符串或签名私钥与应用公钥是否匹配，网关生成的验签字符串为：{text}"
        )


def _biz_content(text: str) -> dict[str, Any]:
    try:
        biz = json.loads(text)
    except (ValueError, RecursionError):
        biz = None
    if not isinstance(biz, dict):
        raise _invalid("parameter", "biz_content 不是 JSON 对象")
    return biz


def _invalid(what: str, detail: str) -> Refused:
    return Refused(f"isv.invalid-{what}", detail, code="40002")
