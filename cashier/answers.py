"""Signed answers, and how faults spoil them. A node's text is built once and signed as it stands (alipay.md 6.4)."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Response

from cashier import signing
from cashier.faults import Fault
from cashier.refusals import Refused

JSON_TYPE = "application/json;charset={charset}"
# The node is replaced by a refusal; the call's effect happens or not as the fault's ``done`` says.
SAYS_NO = {
    "answer_20000": lambda args: Refused("isp.unknow-error", "系统繁忙", code="20000"),
    "answer_system_error": lambda args: Refused("ACQ.SYSTEM_ERROR", "系统异常"),
    "answer_business": lambda args: Refused(args["sub_code"], "业务处理失败"),
    "refund_refused": lambda args: Refused(args["sub_code"], "商户余额不足"),
}
ODD_TEXT = '买家 {甲} "乙" \\ / }{ <b>&amp;'


def node_text(node: dict[str, Any]) -> str:
    """Compact JSON with slashes escaped, as Alipay writes it."""
    return json.dumps(node, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")


def body(name: str, node: dict[str, Any], key: rsa.RSAPrivateKey | None, charset: str) -> bytes:
    """``{"<name>":<node>,"sign":"..."}`` in bytes; without ``key`` unsigned."""
    text = node_text(node)
    signature = f',"sign":"{signing.sign(text, key, charset)}"' if key else ""
    return f'{{"{name}":{text}{signature}}}'.encode(charset)


def node_name(method: str) -> str:
    return method.replace(".", "_") + "_response"


def spoil_node(node: dict[str, Any], struck: dict[str, Fault]) -> dict[str, Any]:
    """What the answer says under these faults; it will be validly signed."""
    for kind, fault in struck.items():
        if kind in SAYS_NO:
            node = SAYS_NO[kind](fault.args).node()
    if "refund_fund_change_n" in struck and node.get("code") == "10000":
        node = node | {"fund_change": "N"}
    if "answer_extra_field" in struck:
        node = node | {"x_new_field": "new"}
    if "answer_braces_in_text" in struck:
        node = node | {"store_name": ODD_TEXT}
    return node


def response(
    name: str, node: dict[str, Any], key: rsa.RSAPrivateKey, charset: str, struck: dict[str, Fault]
) -> Response:
    """The HTTP answer, spoilt below the level of what it says."""
    if "answer_slow" in struck:
        time.sleep(float(struck["answer_slow"].args["seconds"]))
    genuine = body(name, node, key, charset)
    if "answer_bad_sign" in struck:
        cut = genuine.rindex(b'"sign"')
        genuine = genuine[:cut] + b'"sign":"' + base64.b64encode(secrets.token_bytes(256)) + b'"}'
    if "answer_no_sign" in struck:
        genuine = body(name, node, None, charset)
    if "answer_error_node" in struck:
        genuine = body("error_response", Refused("isp.unknow-error", "系统繁忙", code="20000").node(), None, charset)
    return _transport(genuine, charset, struck)


def _transport(genuine: bytes, charset: str, struck: dict[str, Fault]) -> Response:
    """HTTP itself misbehaving; else the answer with status 200, as also for failures."""
    if "answer_status" in struck:
        return Response("<h1>Error</h1>", int(struck["answer_status"].args["status"]), content_type="text/html")
    if "answer_html" in struck:
        return Response("<!doctype html><title>系统维护中</title>", content_type="text/html; charset=utf-8")
    if "answer_empty" in struck:
        return Response(b"", content_type=JSON_TYPE.format(charset=charset))
    if "answer_braces" in struck:
        return Response(b"{}", content_type=JSON_TYPE.format(charset=charset))
    if "answer_redirect" in struck:
        return Response(b"", 302, {"Location": struck["answer_redirect"].args["location"]})
    answer = Response(genuine, content_type=JSON_TYPE.format(charset=charset))
    if "answer_reset" in struck:
        answer.response = iter(_hang_up, b"")
    if "answer_drip" in struck:
        answer.response = _drip(genuine, float(struck["answer_drip"].args["seconds"]))
    if "answer_short" in struck:
        answer.response = [genuine[: len(genuine) // 2]]
        answer.headers["Content-Length"] = str(len(genuine))
    return answer


def _drip(content: bytes, seconds: float) -> Iterator[bytes]:
    size = len(content) // 20 + 1
    starts = range(0, len(content), size)
    for start in starts:
        time.sleep(seconds / len(starts))
        yield content[start : start + size]


def _hang_up() -> bytes:
    """Raised instead of the first byte, this makes the server close the connection without an answer."""
    raise ConnectionResetError
