"""A request is checked in the order of alipay.md 6.2; whatever fails first is what the merchant hears."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest

from cashier import clock, keys, signing
from tests.cashier.parts import APP_ID, Answer, Cashier, fetch, is_signed

QUERY = {"out_trade_no": "X1"}


@pytest.fixture
def sign_with(merchant_keys: Path) -> Any:
    key = keys.load_private((merchant_keys / "app_private.pem").read_text())
    return lambda params: params | {"sign": signing.sign(signing.plain_text(params), key)}


def public(method: str = "alipay.trade.query", biz: Any = QUERY, **changes: str | None) -> dict[str, str]:
    params: dict[str, str | None] = {
        "app_id": APP_ID,
        "method": method,
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": "2026-03-01 12:00:00",
        "version": "1.0",
        "biz_content": biz if isinstance(biz, str) else json.dumps(biz),
    } | changes
    return {name: value for name, value in params.items() if value is not None}


def call(cashier: Cashier, params: dict[str, str]) -> Answer:
    return fetch(f"{cashier.url}/gateway.do?{urlencode(params)}")


def node_of(answer: Answer) -> dict[str, str]:
    assert answer.status == 200
    return next(value for name, value in answer.json.items() if name != "sign")


@pytest.mark.parametrize(
    ("changes", "code", "sub_code"),
    [
        ({"app_id": None}, "40001", "isv.missing-app-id"),
        ({"app_id": "1"}, "40002", "isv.invalid-app-id"),
        ({"method": None}, "40001", "isv.missing-method"),
        ({"charset": None}, "40001", "isv.missing-charset"),
        ({"sign_type": None}, "40001", "isv.missing-signature-type"),
        ({"timestamp": None}, "40001", "isv.missing-timestamp"),
        ({"version": None}, "40001", "isv.missing-version"),
        ({"biz_content": None}, "40001", "isv.missing-biz-content"),
        ({"method": "alipay.trade.nothing"}, "40002", "isv.invalid-method"),
        ({"version": "2.0"}, "40002", "isv.invalid-version"),
        ({"charset": "utf-16"}, "40002", "isv.invalid-charset"),
        ({"sign_type": "RSA"}, "40002", "isv.invalid-signature-type"),
        ({"timestamp": "2026-3-1 12:00:00"}, "40002", "isv.invalid-timestamp"),
        ({"notify_url": "ftp://a"}, "40002", "isv.invalid-parameter"),
        ({"biz_content": "[1]"}, "40002", "isv.invalid-parameter"),
        ({"biz_content": "{"}, "40002", "isv.invalid-parameter"),
        ({"biz_content": "{}"}, "40004", "ACQ.INVALID_PARAMETER"),
    ],
)
def test_each_public_parameter_is_checked(
    cashier: Cashier, sign_with: Any, changes: dict[str, str | None], code: str, sub_code: str
) -> None:
    node = node_of(call(cashier, sign_with(public(**changes))))
    assert (node["code"], node["sub_code"]) == (code, sub_code)


def test_the_earlier_check_is_the_one_that_answers(cashier: Cashier) -> None:
    wrong = {"app_id": "1", "version": "2.0", "timestamp": "never", "sign": "xx", "biz_content": "["}
    order = ["isv.invalid-app-id", "isv.invalid-version", "isv.invalid-timestamp", "isv.invalid-signature"]
    right = {"app_id": APP_ID, "version": "1.0", "timestamp": "2026-03-01 12:00:00"}
    for sub_code, name in zip(order, ["app_id", "version", "timestamp", "sign"], strict=True):
        assert node_of(call(cashier, public() | wrong))["sub_code"] == sub_code
        wrong |= {name: right[name]} if name in right else {}


def test_a_missing_signature_is_named(cashier: Cashier) -> None:
    assert node_of(call(cashier, public()))["sub_code"] == "isv.missing-signature"


def test_invalid_signature_shows_the_string_it_computed_and_is_signed(cashier: Cashier, sign_with: Any) -> None:
    params = sign_with(public()) | {"timestamp": "2026-03-01 12:00:01"}
    answer = call(cashier, params)
    node = node_of(answer)
    assert node["sub_code"] == "isv.invalid-signature"
    assert node["sub_msg"].endswith(signing.plain_text(params)) and '"sign":' in answer.text


def test_an_unknown_app_is_answered_unsigned(cashier: Cashier) -> None:
    answer = call(cashier, public(app_id="1", sign="x"))
    assert set(answer.json) == {"alipay_trade_query_response"}


def test_answers_are_signed_over_the_raw_node_with_slashes_escaped(cashier: Cashier, sign_with: Any) -> None:
    answer = call(cashier, sign_with(public(biz={"out_trade_no": 'a/b"}{\\中'})))
    start = answer.text.index("{", 1)
    text = answer.text[start : answer.text.rindex(',"sign"')]
    assert "a\\/b" in text
    assert is_signed(text, answer.json["sign"], cashier.public_key)


def test_empty_parameters_are_no_part_of_the_signed_string(cashier: Cashier, sign_with: Any) -> None:
    assert node_of(call(cashier, sign_with(public()) | {"format": ""}))["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_raw_chinese_is_read_as_utf_8(cashier: Cashier, sign_with: Any) -> None:
    assert node_of(call(cashier, sign_with(public(biz='{"out_trade_no":"订单"}'))))["out_trade_no"] == "订单"
    broken = urlencode(sign_with(public())) + "&x=%ff"
    assert node_of(fetch(f"{cashier.url}/gateway.do?{broken}"))["sub_code"] == "isv.invalid-charset"


def test_post_may_split_parameters_between_query_and_body(cashier: Cashier, sign_with: Any) -> None:
    params = sign_with(public())
    body = {"biz_content": params.pop("biz_content")}
    for query, form in ((params, body), ({}, params | body)):
        answer = fetch(f"{cashier.url}/gateway.do?{urlencode(query)}", form=form)
        assert node_of(answer)["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_a_parameter_given_twice_is_refused(cashier: Cashier, sign_with: Any) -> None:
    params = sign_with(public())
    answer = fetch(f"{cashier.url}/gateway.do?{urlencode(params)}", form={"biz_content": '{"out_trade_no":"other"}'})
    assert node_of(answer)["sub_code"] == "isv.invalid-parameter"


def test_a_gbk_request_is_read_signed_and_answered_in_gbk(cashier: Cashier, merchant_keys: Path) -> None:
    key = keys.load_private((merchant_keys / "app_private.pem").read_text())
    params = public(biz='{"out_trade_no":"订单"}', charset="GBK")
    params["sign"] = signing.sign(signing.plain_text(params), key, "gbk")
    query = "&".join(f"{name}={quote_plus(value, encoding='gbk')}" for name, value in params.items())
    answer = fetch(f"{cashier.url}/gateway.do?{query}")
    assert answer.headers["Content-Type"].endswith("charset=gbk")
    assert node_of(answer)["out_trade_no"] == "订单"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("out_trade_no", "有中文"),
        ("out_trade_no", "a" * 65),
        ("total_amount", "0.00"),
        ("total_amount", "0.30000000000000004"),
        ("total_amount", "１.00"),
        ("total_amount", "-1"),
        ("total_amount", "100000000.01"),
        ("subject", ""),
        ("subject", "a/b"),
        ("subject", "x" * 257),
        ("body", "x" * 129),
        ("product_code", "OTHER"),
        ("time_expire", "2026-03-01"),
        ("time_expire", "2020-01-01 00:00:00"),
        ("timeout_express", "90"),
        ("timeout_express", "16d"),
        ("goods_type", "2"),
        ("passback_params", "x" * 513),
    ],
)
def test_page_pay_keeps_to_its_field_limits(cashier: Cashier, field: str, value: str) -> None:
    biz = {"out_trade_no": "L1", "total_amount": "1.00", "subject": "订单", "product_code": "FAST_INSTANT_TRADE_PAY"}
    answer = cashier.open_page(cashier.sdk.client_api("alipay.trade.page.pay", biz | {field: value}))
    assert answer.status == 200
    assert "ACQ.INVALID_PARAMETER" in answer.text or "ACQ.TOTAL_FEE_EXCEED" in answer.text
    assert cashier.control("visits") == []


@pytest.mark.parametrize(("seconds", "status"), [(58, 200), (75, 302), (15 * 86400 - 5, 302), (15 * 86400 + 60, 200)])
def test_time_expire_is_one_minute_to_fifteen_days_ahead(cashier: Cashier, seconds: int, status: int) -> None:
    expires = clock.text(clock.now(None) + seconds)
    assert cashier.ask("L2", time_expire=expires).status == status


def test_errors_of_a_page_call_are_a_page_for_the_buyer(cashier: Cashier) -> None:
    query = cashier.sdk.client_api("alipay.trade.page.pay", {"out_trade_no": "L3"}).replace("L3", "L4")
    answer = cashier.open_page(query)
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "isv.invalid-signature" in answer.text and "验签字符串" in answer.text and "没有扣款" in answer.text


def test_exchanges_are_kept_without_signatures(cashier: Cashier) -> None:
    cashier.sdk.api_alipay_trade_query(out_trade_no="L5")
    [exchange] = cashier.control("exchanges")
    assert exchange["method"] == "alipay.trade.query" and "ACQ.TRADE_NOT_EXIST" in exchange["answer"]
    assert '"sign"' not in exchange["request_json"] and "L5" in exchange["request_json"]
