"""The unmodified SDK cannot tell this cashier from Alipay: every call it has, answered and verified."""

from __future__ import annotations

import io
import urllib.request
import zipfile
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.cashier.parts import APP_ID, SELLER_ID, Cashier, Merchant, fetch, is_genuine


def test_query_before_anybody_scanned_finds_no_trade(cashier: Cashier) -> None:
    assert cashier.ask("N1").status == 302
    answer = cashier.sdk.api_alipay_trade_query(out_trade_no="N1")
    assert (answer["code"], answer["sub_code"]) == ("40004", "ACQ.TRADE_NOT_EXIST")
    assert (answer["out_trade_no"], answer["buyer_pay_amount"]) == ("N1", "0.00")
    assert cashier.sdk.api_alipay_trade_close(out_trade_no="N1")["sub_code"] == "ACQ.TRADE_NOT_EXIST"


def test_query_of_a_waiting_trade_shows_no_money(cashier: Cashier) -> None:
    cashier.ask("Q1")
    cashier.control("login", {"out_trade_no": "Q1"})
    answer = cashier.sdk.api_alipay_trade_query(out_trade_no="Q1")
    assert answer["trade_status"] == "WAIT_BUYER_PAY" and answer["total_amount"] == "431.00"
    assert answer["receipt_amount"] == "0.00" and "send_pay_date" not in answer


def test_query_of_a_paid_trade(cashier: Cashier) -> None:
    cashier.ask("Q2")
    trade = cashier.pay("Q2")["trade"]
    by_own = cashier.sdk.api_alipay_trade_query(out_trade_no="Q2")
    by_theirs = cashier.sdk.api_alipay_trade_query(trade_no=trade["trade_no"], out_trade_no="other")
    assert by_own == by_theirs
    assert (by_own["code"], by_own["trade_status"], by_own["total_amount"]) == ("10000", "TRADE_SUCCESS", "431.00")
    assert by_own["send_pay_date"] == trade["paid_at"] and by_own["buyer_user_id"].startswith("2088")
    more = cashier.sdk.server_api("alipay.trade.query", {"out_trade_no": "Q2", "query_options": ["fund_bill_list"]})
    assert more["fund_bill_list"] == [{"amount": "431.00", "fund_channel": "ALIPAYACCOUNT"}]


def test_trade_number_looks_like_alipays(cashier: Cashier) -> None:
    cashier.ask("T1")
    number = cashier.pay("T1")["trade"]["trade_no"]
    assert len(number) == 28 and number.isdigit() and number[8:13] == "22001"


def test_close_works_once_and_only_while_the_buyer_waits(cashier: Cashier) -> None:
    cashier.ask("C1")
    cashier.control("login", {"out_trade_no": "C1"})
    assert cashier.sdk.api_alipay_trade_close(out_trade_no="C1")["code"] == "10000"
    assert cashier.sdk.api_alipay_trade_close(out_trade_no="C1")["sub_code"] == "ACQ.TRADE_STATUS_ERROR"
    cashier.ask("C2")
    cashier.pay("C2")
    assert cashier.sdk.api_alipay_trade_close(out_trade_no="C2")["sub_code"] == "ACQ.TRADE_STATUS_ERROR"


def test_refunds_add_up_and_a_number_counts_once(cashier: Cashier) -> None:
    cashier.ask("R1", "10.00")
    cashier.pay("R1")
    refund = cashier.sdk.api_alipay_trade_refund
    first = refund("3.00", out_trade_no="R1", out_request_no="a")
    assert (first["fund_change"], first["refund_fee"]) == ("Y", "3.00")
    again = refund("3.00", out_trade_no="R1", out_request_no="a")
    assert (again["code"], again["fund_change"], again["refund_fee"]) == ("10000", "N", "3.00")
    assert refund("2.00", out_trade_no="R1", out_request_no="a")["sub_code"] == "ACQ.DISCORDANT_REPEAT_REQUEST"
    assert refund("7.01", out_trade_no="R1", out_request_no="b")["sub_code"] == "ACQ.REASON_TRADE_REFUND_FEE_ERR"
    assert refund("7.00", out_trade_no="R1")["sub_code"] == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    assert refund("7.00", out_trade_no="R1", out_request_no="b")["refund_fee"] == "10.00"
    assert cashier.sdk.api_alipay_trade_query(out_trade_no="R1")["trade_status"] == "TRADE_CLOSED"
    assert refund("0.01", out_trade_no="R1", out_request_no="c")["sub_code"] == "ACQ.TRADE_STATUS_ERROR"


@pytest.mark.parametrize("state", ["none", "waiting", "finished"])
def test_refund_is_refused_unless_paid_and_in_time(cashier: Cashier, state: str) -> None:
    cashier.ask("R2", "10.00")
    if state == "waiting":
        cashier.control("login", {"out_trade_no": "R2"})
    if state == "finished":
        cashier.pay("R2")
        cashier.move_clock(91 * 86400)
    answer = cashier.sdk.api_alipay_trade_refund("10.00", out_trade_no="R2", out_request_no="r")
    expected = {"none": "TRADE_NOT_EXIST", "waiting": "TRADE_STATUS_ERROR", "finished": "TRADE_HAS_FINISHED"}
    assert answer["sub_code"] == f"ACQ.{expected[state]}"


def test_refund_query_knows_done_refunds_and_says_nothing_of_others(cashier: Cashier) -> None:
    cashier.ask("R3", "10.00")
    cashier.pay("R3")
    cashier.sdk.api_alipay_trade_refund("4.00", out_trade_no="R3", out_request_no="x", refund_reason="不想学了")
    done = cashier.sdk.api_alipay_trade_fastpay_refund_query("x", out_trade_no="R3")
    assert (done["refund_status"], done["refund_amount"], done["total_amount"]) == ("REFUND_SUCCESS", "4.00", "10.00")
    assert done["refund_reason"] == "不想学了"
    assert cashier.sdk.api_alipay_trade_fastpay_refund_query("y", out_trade_no="R3") == {
        "code": "10000",
        "msg": "Success",
    }
    other = cashier.sdk.api_alipay_trade_fastpay_refund_query("x", out_trade_no="R9")
    assert other["sub_code"] == "ACQ.TRADE_NOT_EXIST"


@pytest.mark.parametrize("product", ["page", "wap"])
def test_return_is_signed_and_proves_nothing_by_itself(cashier: Cashier, merchant: Merchant, product: str) -> None:
    cashier.ask("B1", product=product, return_url="http://127.0.0.1:9/alipay/return", notify_url=merchant.url)
    address = urlsplit(cashier.pay("B1")["return_url"])
    params = dict(parse_qsl(address.query, strict_parsing=True))
    names = "app_id auth_app_id charset method out_trade_no seller_id sign sign_type timestamp total_amount"
    assert " ".join(sorted(params)) == f"{names} trade_no version"
    assert (params["app_id"], params["seller_id"], params["total_amount"]) == (APP_ID, SELLER_ID, "431.00")
    assert params["method"] == f"alipay.trade.{product}.pay.return"
    assert is_genuine(params, cashier.public_key)
    sign = params.pop("sign")
    assert cashier.sdk.verify(params, sign)


def test_notification_is_verified_by_the_sdk_and_by_a_second_implementation(
    cashier: Cashier, merchant: Merchant
) -> None:
    cashier.ask("V1", notify_url=merchant.url, body="一段说明 a+b %20", passback_params="id%3D7")
    cashier.pay("V1")
    [fields] = merchant.got
    assert is_genuine(fields, cashier.public_key)
    sign = fields.pop("sign")
    assert cashier.sdk.verify(dict(fields), sign)
    assert not cashier.sdk.verify(fields | {"total_amount": "1.00"}, sign)


def test_wap_pay_takes_the_official_product_code_and_the_sdks(cashier: Cashier) -> None:
    assert cashier.ask("W1", product="wap").status == 302
    assert cashier.ask("W2", product="wap", product_code="QUICK_WAP_WAY", quit_url="http://127.0.0.1:9/q").status == 302


def test_bill_of_yesterday(cashier: Cashier) -> None:
    for number in ("D1", "D2"):
        cashier.ask(number, "10.00")
        cashier.pay(number)
    cashier.sdk.api_alipay_trade_refund("4.00", out_trade_no="D2", out_request_no="re1")
    day = cashier.trade("D1")["paid_at"][:10]
    ask = {"bill_type": "trade", "bill_date": day}
    method = "alipay.data.dataservice.bill.downloadurl.query"
    assert cashier.sdk.server_api(method, ask)["sub_code"] == "INVAILID_ARGUMENTS"  # today's is not ready
    cashier.move_clock(86400)
    url = cashier.sdk.server_api(method, ask)["bill_download_url"]
    with urllib.request.urlopen(url) as response:
        archive = zipfile.ZipFile(io.BytesIO(response.read()), metadata_encoding="gbk")
    summary, detail = archive.namelist()
    assert detail.endswith("_业务明细.csv") and summary.endswith("_业务明细(汇总).csv")
    assert all(not entry.flag_bits & 0x800 for entry in archive.infolist())
    lines = archive.read(detail).decode("gbk").splitlines()
    assert lines[0] == "#支付宝业务明细查询"
    heading = lines[4].split(",")
    rows = [dict(zip(heading, line.split(","), strict=True)) for line in lines[5:8]]
    assert len(heading) == 25
    assert [row["业务类型"] for row in rows] == ["交易\t", "交易\t", "退款\t"]
    assert [row["订单金额（元）"] for row in rows] == ["10.00", "10.00", "-4.00"]
    assert [row["退款批次号/请求号"] for row in rows] == ["\t", "\t", "re1"]
    assert rows[2]["创建时间"] == rows[1]["创建时间"] and rows[0]["商户订单号"] == "D1\t"
    assert lines[9] == "#交易合计：2笔，商家实收共20.00元，商家优惠共0.00元"
    assert lines[10] == "#退款合计：1笔，商家实收退款共-4.00元，商家优惠退款共0.00元"
    cashier.move_clock(31)
    assert fetch(url).status == 410
    assert cashier.sdk.server_api(method, ask | {"bill_date": "2020-01-01"})["sub_code"] == "BILL_NOT_EXIST"
