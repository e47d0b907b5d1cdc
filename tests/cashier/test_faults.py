"""Each mischief does what its name says, for the order it was set for, as often as was asked."""

from __future__ import annotations

import binascii
import http.client
import io
import json
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from alipay.exceptions import AliPayException, AliPayValidationError

from cashier import faults
from tests.cashier.parts import APP_ID, SELLER_ID, Cashier, Merchant, fetch, is_genuine, until

BACK = "http://127.0.0.1:9/alipay/return"
Fields = dict[str, str]


def pay(cashier: Cashier, merchant: Merchant, number: str, **more: Any) -> Any:
    cashier.ask(number, "10.00", notify_url=merchant.url, return_url=BACK)
    return cashier.pay(number, **more)


# --- the message: signed and wrong, or not validly signed -----------------------------------------------------------

VALID_LIES: dict[str, Callable[[Fields], bool]] = {
    "notify_cent_less": lambda got: got["total_amount"] == got["receipt_amount"] == "9.99",
    "notify_other_app": lambda got: got["app_id"] == got["auth_app_id"] != APP_ID,
    "notify_other_seller": lambda got: got["seller_id"] != SELLER_ID,
    "notify_unknown_order": lambda got: got["out_trade_no"] == "F1X",
    "notify_extra_field": lambda got: "x_new_field" in got,
    "notify_open_id": lambda got: "buyer_open_id" in got and "buyer_id" not in got,
    "notify_missing_optional": lambda got: "fund_bill_list" not in got and "total_amount" in got,
}


@pytest.mark.parametrize("kind", VALID_LIES)
def test_a_lie_is_validly_signed(cashier: Cashier, merchant: Merchant, kind: str) -> None:
    cashier.fault(kind, out_trade_no="F1")
    pay(cashier, merchant, "F1")
    [fields] = merchant.got
    assert is_genuine(fields, cashier.public_key) and VALID_LIES[kind](fields)


FORGERIES: dict[str, Callable[[Fields], bool]] = {
    "notify_forged": lambda got: len(got["sign"]) == 344,
    "notify_wrong_key": lambda got: len(got["sign"]) == 344,
    "notify_tampered": lambda got: got["total_amount"] == "0.01",
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_forgery_is_not_validly_signed(cashier: Cashier, merchant: Merchant, kind: str) -> None:
    cashier.fault(kind)
    pay(cashier, merchant, "F2")
    [fields] = merchant.got
    assert not is_genuine(fields, cashier.public_key) and FORGERIES[kind](fields)


def test_signed_with_the_apps_own_key(cashier: Cashier, merchant: Merchant, merchant_keys: Path) -> None:
    cashier.fault("notify_wrong_key", private_key_file=str(merchant_keys / "app_private.pem"))
    pay(cashier, merchant, "F3")
    assert is_genuine(merchant.got[0], merchant_keys / "app_public.pem")
    assert not is_genuine(merchant.got[0], cashier.public_key)


def test_missing_cut_off_and_misnamed_signatures(cashier: Cashier, merchant: Merchant) -> None:
    for kind in ("notify_no_sign", "notify_truncated_sign", "notify_wrong_sign_type"):
        cashier.fault(kind, out_trade_no=f"F4{kind}")
        pay(cashier, merchant, f"F4{kind}")
    without, cut, misnamed = merchant.got
    assert "sign" not in without and misnamed["sign_type"] == "RSA"
    sign = cut.pop("sign")
    with pytest.raises(binascii.Error):
        cashier.sdk.verify(cut, sign)


def test_merged_parameters_keep_a_valid_signature(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_merged", field="total_amount")
    pay(cashier, merchant, "F5")
    [fields] = merchant.got
    assert "total_amount" not in fields and fields["subject"] == "订单 F5&total_amount=10.00"
    assert is_genuine(fields, cashier.public_key)


def test_another_trade_no_follows_the_genuine_message(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_other_trade_no")
    pay(cashier, merchant, "F6")
    cashier.move_clock(2)
    first, second = until(lambda: merchant.got if len(merchant.got) == 2 else None)
    assert first["trade_no"] != second["trade_no"] and first["notify_id"] != second["notify_id"]
    assert all(is_genuine(fields, cashier.public_key) for fields in merchant.got)


# --- when, and how often --------------------------------------------------------------------------------------------


def test_lost_is_never_sent_but_can_be_by_hand(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_lost")
    [message] = pay(cashier, merchant, "G1")["messages"]
    cashier.move_clock(2 * 86400)
    time.sleep(0.3)
    assert merchant.got == [] and message["state"] == "lost"
    sent = cashier.control(f"messages/{message['id']}/send", {})
    assert sent["deliveries"][0]["answer"] == "success" and len(merchant.got) == 1


def test_late(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_late", seconds=3600)
    pay(cashier, merchant, "G2")
    cashier.move_clock(3500)
    time.sleep(0.3)
    assert merchant.got == []
    cashier.move_clock(101)
    until(lambda: merchant.got)


def test_twice_although_the_first_was_taken(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_twice")
    pay(cashier, merchant, "G3")
    until(lambda: len(merchant.got) == 2)
    assert len({fields["notify_id"] for fields in merchant.got}) == 1


def test_parallel_copies_come_at_the_same_time(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_parallel", copies=30)
    pay(cashier, merchant, "G4")
    until(lambda: len(merchant.got) == 30)
    assert len({fields["notify_id"] for fields in merchant.got}) == 1


def test_reordered_comes_after_the_refunds(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_reordered")
    pay(cashier, merchant, "G5")
    assert merchant.got == []
    cashier.sdk.api_alipay_trade_refund("1.00", out_trade_no="G5", out_request_no="r")
    until(lambda: len(merchant.got) == 2)
    assert ["refund_fee" in fields for fields in merchant.got] == [True, False]


def test_faults_of_one_order_leave_others_alone_and_count_down(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_lost", out_trade_no="G7")
    pay(cashier, merchant, "G6")
    pay(cashier, merchant, "G7")
    assert [fields["out_trade_no"] for fields in merchant.got] == ["G6"]
    assert cashier.control("faults")["active"] == []
    cashier.fault("notify_lost", times=None)
    pay(cashier, merchant, "G8")
    pay(cashier, merchant, "G9")
    assert len(merchant.got) == 1 and len(cashier.control("faults")["active"]) == 1
    cashier.control("faults", method="DELETE")
    pay(cashier, merchant, "G10")
    assert len(merchant.got) == 2


# --- the way back, and the payment ----------------------------------------------------------------------------------


def test_the_return_may_be_lost_tampered_or_posted(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("return_lost", out_trade_no="H1")
    assert pay(cashier, merchant, "H1")["return_url"] == ""
    cashier.fault("return_tampered", out_trade_no="H2")
    params = dict(parse_qsl(urlsplit(pay(cashier, merchant, "H2")["return_url"]).query))
    assert params["total_amount"] == "0.01" and not is_genuine(params, cashier.public_key)
    merchant.got.clear()
    cashier.fault("return_posted", out_trade_no="H3")
    params = dict(parse_qsl(urlsplit(pay(cashier, merchant, "H3")["return_url"]).query))
    until(lambda: len(merchant.got) == 2)
    assert merchant.got[1] == params and "notify_type" not in params


def test_a_trade_over_a_cent_less_is_so_everywhere(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("pay_cent_less")
    back = pay(cashier, merchant, "H4")["return_url"]
    assert merchant.got[0]["total_amount"] == "9.99" and "total_amount=9.99" in back
    assert cashier.sdk.api_alipay_trade_query(out_trade_no="H4")["total_amount"] == "9.99"
    pay(cashier, merchant, "H5", amount="12.34")
    assert cashier.trade("H5")["total_amount"] == "12.34"


def test_paying_twice_pays_another_attempt_as_well(cashier: Cashier, merchant: Merchant) -> None:
    cashier.ask("H6", "10.00", notify_url=merchant.url)
    cashier.fault("pay_other", out_trade_no="H7", also="H6")
    pay(cashier, merchant, "H7")
    until(lambda: len(merchant.got) == 2)
    assert {fields["out_trade_no"] for fields in merchant.got} == {"H6", "H7"}
    assert {trade["status"] for trade in cashier.control("trades")} == {"TRADE_SUCCESS"}


# --- answers to the merchant's calls --------------------------------------------------------------------------------

BROKEN: dict[str, type[Exception]] = {
    "answer_status": urllib.error.HTTPError,
    "answer_html": json.JSONDecodeError,
    "answer_empty": json.JSONDecodeError,
    "answer_braces": AttributeError,
    "answer_bad_sign": AliPayValidationError,
    "answer_no_sign": AliPayException,
    "answer_error_node": AliPayException,
    "answer_redirect": json.JSONDecodeError,  # followed silently
    "answer_reset": http.client.RemoteDisconnected,
    "answer_short": http.client.IncompleteRead,
    "answer_braces_in_text": AliPayValidationError,  # the SDK's own fault (alipay.md 0.9)
}


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("kind", [kind for kind in BROKEN if kind != "answer_braces_in_text"])
def test_a_broken_answer_takes_effect_or_not(cashier: Cashier, merchant: Merchant, kind: str, done: bool) -> None:
    pay(cashier, merchant, "J1")
    cashier.fault(kind, method="alipay.trade.refund", done=done)
    assert cashier.sdk.api_alipay_trade_query(out_trade_no="J1")["code"] == "10000"  # another method
    with pytest.raises(BROKEN[kind]) as caught:
        cashier.sdk.api_alipay_trade_refund("1.00", out_trade_no="J1", out_request_no="r")
    if isinstance(caught.value, urllib.error.HTTPError):
        caught.value.close()
    assert cashier.trade("J1")["refunded_amount"] == ("1.00" if done else "0.00")
    assert cashier.sdk.api_alipay_trade_refund("1.00", out_trade_no="J1", out_request_no="r")["refund_fee"] == "1.00"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_http_errors(cashier: Cashier, status: int) -> None:
    cashier.fault("answer_status", status=status)
    assert fetch(f"{cashier.url}/gateway.do?{_query(cashier, 'J2')}").status == status


def test_odd_text_in_an_answer_is_validly_signed_over_the_raw_node(cashier: Cashier) -> None:
    cashier.fault("answer_braces_in_text", times=2)
    with pytest.raises(BROKEN["answer_braces_in_text"]):
        cashier.sdk.api_alipay_trade_query(out_trade_no="J3")
    answer = fetch(f"{cashier.url}/gateway.do?{_query(cashier, 'J3')}")
    start = answer.text.index("{", 1)
    end = json.JSONDecoder().raw_decode(answer.text, start)[1]
    assert cashier.sdk._verify(answer.text[start:end], answer.json["sign"])


@pytest.mark.parametrize("kind", ["answer_slow", "answer_drip"])
def test_slow_answers(cashier: Cashier, kind: str) -> None:
    cashier.fault(kind, seconds=0.6)
    begun = time.monotonic()
    assert cashier.sdk.api_alipay_trade_query(out_trade_no="J4")["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert time.monotonic() - begun >= 0.6


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize(
    ("kind", "code"), [("answer_20000", "20000 isp.unknow-error"), ("answer_system_error", "40004 ACQ.SYSTEM_ERROR")]
)
def test_unknown_results(cashier: Cashier, merchant: Merchant, kind: str, code: str, done: bool) -> None:
    pay(cashier, merchant, "J5")
    cashier.fault(kind, done=done)
    answer = cashier.sdk.api_alipay_trade_refund("10.00", out_trade_no="J5", out_request_no="r")
    assert f"{answer['code']} {answer['sub_code']}" == code
    assert cashier.trade("J5")["refunded_amount"] == ("10.00" if done else "0.00")


def test_trade_not_exist_first_and_success_later(cashier: Cashier, merchant: Merchant) -> None:
    pay(cashier, merchant, "J6")
    cashier.fault("answer_business", method="alipay.trade.query", sub_code="ACQ.TRADE_NOT_EXIST", out_trade_no="J6")
    assert cashier.sdk.api_alipay_trade_query(out_trade_no="J6")["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert cashier.sdk.api_alipay_trade_query(out_trade_no="J6")["trade_status"] == "TRADE_SUCCESS"


def test_refund_refused_for_want_of_money_moves_nothing(cashier: Cashier, merchant: Merchant) -> None:
    pay(cashier, merchant, "J7")
    cashier.fault("refund_refused")
    answer = cashier.sdk.api_alipay_trade_refund("10.00", out_trade_no="J7", out_request_no="r")
    assert answer["sub_code"] == "ACQ.SELLER_BALANCE_NOT_ENOUGH"
    assert cashier.trade("J7")["status"] == "TRADE_SUCCESS"


@pytest.mark.parametrize("done", [True, False])
def test_fund_change_n_with_and_without_the_money(cashier: Cashier, merchant: Merchant, done: bool) -> None:
    pay(cashier, merchant, "J8")
    cashier.fault("refund_fund_change_n", done=done)
    answer = cashier.sdk.api_alipay_trade_refund("4.00", out_trade_no="J8", out_request_no="r")
    assert (answer["code"], answer["fund_change"]) == ("10000", "N")
    found = cashier.sdk.api_alipay_trade_fastpay_refund_query("r", out_trade_no="J8")
    assert ("refund_status" in found) == done


def test_a_new_field_in_an_answer(cashier: Cashier) -> None:
    cashier.fault("answer_extra_field")
    assert cashier.sdk.api_alipay_trade_query(out_trade_no="J9")["x_new_field"] == "new"


# --- the bill -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "amounts", "columns"),
    [
        ("bill_row_missing", ["10.00"], 25),
        ("bill_row_extra", ["10.00", "10.00", "10.00"], 25),
        ("bill_amount_off", ["10.01", "10.00"], 25),
        ("bill_extra_column", ["10.00", "10.00"], 26),
    ],
)
def test_bills_that_differ(cashier: Cashier, merchant: Merchant, kind: str, amounts: list[str], columns: int) -> None:
    for number in ("L1", "L2"):
        pay(cashier, merchant, number)
    ask = {"bill_type": "trade", "bill_date": cashier.trade("L1")["paid_at"][:10]}
    cashier.move_clock(86400)
    cashier.fault(kind)
    url = cashier.sdk.server_api("alipay.data.dataservice.bill.downloadurl.query", ask)["bill_download_url"]
    with urllib.request.urlopen(url) as response:
        archive = zipfile.ZipFile(io.BytesIO(response.read()))
    lines = archive.read(archive.infolist()[1]).decode("gbk").splitlines()
    rows = [line.split(",") for line in lines[5:] if not line.startswith("#")]
    assert [row[11] for row in rows] == amounts
    assert {len(row) for row in rows} == {columns} == {len(lines[4].split(","))}
    cashier.fault("bill_missing")
    answer = cashier.sdk.server_api("alipay.data.dataservice.bill.downloadurl.query", ask)
    assert answer["sub_code"] == "BILL_NOT_EXIST"


def test_bill_rows_by_their_number(cashier: Cashier, merchant: Merchant) -> None:
    """The second row is off or missing, or the footer alone is."""
    for number in ("L1", "L2"):
        pay(cashier, merchant, number)
    day = cashier.trade("L1")["paid_at"][:10]
    cashier.move_clock(86400)
    cashier.fault("bill_amount_off", number="L2")
    assert "L2\t,交易" in bill_text(cashier, day).split("10.01,10.01")[0]
    cashier.fault("bill_row_missing", number="L2")
    text = bill_text(cashier, day)
    assert "L1" in text and "L2" not in text
    assert "#交易合计：1笔，商家实收共10.00元" in text
    cashier.fault("bill_footer_off")
    assert "#交易合计：3笔，商家实收共20.00元" in bill_text(cashier, day)


def test_bills_that_are_none(cashier: Cashier, merchant: Merchant) -> None:
    pay(cashier, merchant, "L1")
    day = cashier.trade("L1")["paid_at"][:10]
    cashier.move_clock(86400)
    cashier.fault("bill_html")
    assert fetch(bill_url(cashier, day)).headers["Content-Type"].startswith("text/html")
    cashier.fault("bill_expired")
    assert fetch(bill_url(cashier, day)).status == 410
    cashier.fault("bill_redirect")
    assert fetch(bill_url(cashier, day)).headers["Location"] == "/healthz"
    cashier.fault("bill_other_host")
    assert bill_url(cashier, day).startswith("http://bill.example/bill/download?")
    cashier.fault("bill_bomb")
    [packed] = bill_files(cashier, day).infolist()
    assert packed.file_size > 500 * packed.compress_size
    cashier.fault("bill_no_summary")
    assert len(bill_files(cashier, day).infolist()) == 1


def bill_url(cashier: Cashier, day: str) -> str:
    ask = {"bill_type": "trade", "bill_date": day}
    url: str = cashier.sdk.server_api("alipay.data.dataservice.bill.downloadurl.query", ask)["bill_download_url"]
    return url


def bill_files(cashier: Cashier, day: str) -> zipfile.ZipFile:
    with urllib.request.urlopen(bill_url(cashier, day)) as response:
        return zipfile.ZipFile(io.BytesIO(response.read()))


def bill_text(cashier: Cashier, day: str) -> str:
    """The detail file."""
    archive = bill_files(cashier, day)
    return archive.read(archive.infolist()[1]).decode("gbk")


# --- control --------------------------------------------------------------------------------------------------------


def test_hand_made_messages(cashier: Cashier, merchant: Merchant) -> None:
    pay(cashier, merchant, "M1")
    cashier.control(
        "messages",
        {"out_trade_no": "M1", "set": {"trade_status": "TRADE_FINISHED", "total_amount": "NaN"}, "drop": ["seller_id"]},
    )
    assert (merchant.got[1]["trade_status"], merchant.got[1]["total_amount"]) == ("TRADE_FINISHED", "NaN")
    assert "seller_id" not in merchant.got[1] and is_genuine(merchant.got[1], cashier.public_key)
    cashier.control("messages", {"out_trade_no": "M1", "recipes": {"notify_forged": {}}, "copies": 3})
    assert len(merchant.got) == 5 and not is_genuine(merchant.got[4], cashier.public_key)
    cashier.ask("M2", notify_url=merchant.url)
    cashier.control("messages", {"out_trade_no": "M2", "fields": {"notify_type": "x", "sign": "y"}})
    assert merchant.got[5] == {"notify_type": "x", "sign": "y"}


def test_a_spoilt_message_can_be_sent_again_as_it_should_have_been(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_forged")
    [message] = pay(cashier, merchant, "M3")["messages"]
    cashier.control(f"messages/{message['id']}/send", {})
    cashier.control(f"messages/{message['id']}/send", {"genuine": True})
    assert [is_genuine(fields, cashier.public_key) for fields in merchant.got] == [False, False, True]


def test_the_control_page_sets_clears_and_sends(cashier: Cashier, merchant: Merchant) -> None:
    pay(cashier, merchant, "M4")
    page = fetch(f"{cashier.url}/_control/").text
    token = page.split('name="page_token" value="')[1].split('"')[0]
    post = {"page_token": token, "action": "set", "kind": "notify_lost", "out_trade_no": "M5"}
    assert fetch(f"{cashier.url}/_control/page", form=post).status == 303
    assert "通知丢失</span> M5" in fetch(f"{cashier.url}/_control/").text
    message = cashier.messages("M4")[0]["id"]
    fetch(f"{cashier.url}/_control/page", form={"page_token": token, "action": "send", "message": str(message)})
    assert len(merchant.got) == 2
    fetch(f"{cashier.url}/_control/page", form={"page_token": token, "action": "clear"})
    assert cashier.control("faults")["active"] == []
    assert fetch(f"{cashier.url}/_control/page", form=post | {"page_token": "other"}).status == 403


@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=x"}, {"Host": "evil.example"}]
)
def test_control_is_for_this_machine_only(cashier: Cashier, headers: dict[str, str]) -> None:
    assert fetch(f"{cashier.url}/_control/trades", headers=headers).status == 403
    strange = cashier.app.test_client().get("/_control/trades", environ_base={"REMOTE_ADDR": "10.0.0.1"})
    assert strange.status_code == 403


def test_control_takes_json_only_and_names_what_it_does_not_know(cashier: Cashier) -> None:
    assert fetch(f"{cashier.url}/_control/pay", form={"out_trade_no": "M6"}).status == 415
    assert fetch(f"{cashier.url}/_control/faults", data={"kind": "notify_lots"}).status == 400
    unknown = fetch(f"{cashier.url}/_control/faults", data={"kind": "notify_lost", "second": 1})
    assert unknown.status == 400 and "second" in unknown.text
    assert fetch(f"{cashier.url}/_control/pay", data={"out_trade_no": "M6"}).status == 409
    assert fetch(f"{cashier.url}/_control/messages/99999/send", data={}).status == 404


def test_the_clock_can_be_moved_for_everybody(cashier: Cashier) -> None:
    before = cashier.control("clock")["now"]
    assert cashier.control("clock", {"offset": 86400})["offset"] == 86400
    assert cashier.control("clock")["now"][:10] > before[:10] and cashier.clock_file.read_text() == "86400.0"


def test_every_kind_of_mischief_has_a_test(cashier: Cashier) -> None:
    here = Path(__file__).read_text() + (Path(__file__).parent / "test_pages.py").read_text()
    assert [kind for kind in faults.KINDS if kind not in here] == []


def _query(cashier: Cashier, number: str) -> str:
    query: str = cashier.sdk.client_api("alipay.trade.query", {"out_trade_no": number})
    return query
