"""Notifications: what they say, when they come, what counts as taken, and that a restart forgets none."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Response

from cashier import clock, outbox
from tests.cashier.parts import APP_ID, SELLER_ID, Cashier, Merchant, fetch, is_genuine, sdk, until

# What every notification carries, whatever it is about.
IDS = {"app_id", "auth_app_id", "seller_id", "buyer_id", "trade_no", "out_trade_no", "notify_id"}
FORM = {"notify_time", "notify_type", "charset", "version", "sign_type", "sign"}
ORDER = {"trade_status", "subject", "total_amount", "gmt_create", "gmt_payment"}
MONEY = {"fund_bill_list", "receipt_amount", "buyer_pay_amount", "invoice_amount", "point_amount"}
REFUND = {"gmt_refund", "refund_fee", "out_biz_no"}


def paid(cashier: Cashier, merchant: Merchant, number: str, product: str = "page", **more: Any) -> None:
    cashier.ask(number, "10.00", product=product, notify_url=merchant.url)
    cashier.pay(number, **more)


def test_a_payment_is_told_once_and_at_once(cashier: Cashier, merchant: Merchant) -> None:
    paid(cashier, merchant, "S1")
    [fields] = merchant.got
    assert set(fields) == IDS | FORM | ORDER | MONEY
    assert (fields["notify_type"], fields["trade_status"]) == ("trade_status_sync", "TRADE_SUCCESS")
    assert (fields["app_id"], fields["seller_id"], fields["total_amount"]) == (APP_ID, SELLER_ID, "10.00")
    assert fields["fund_bill_list"] == '[{"amount":"10.00","fundChannel":"ALIPAYACCOUNT"}]'
    assert fields["notify_id"].isdigit() and "" not in fields.values()
    assert merchant.headers[0]["Content-Type"] == "application/x-www-form-urlencoded; text/html; charset=utf-8"
    assert cashier.messages("S1")[0]["state"] == "done"


def test_page_pay_tells_of_a_partial_refund_as_another_success(cashier: Cashier, merchant: Merchant) -> None:
    paid(cashier, merchant, "S2")
    for number, amount in (("r1", "3.00"), ("r2", "2.50")):
        cashier.sdk.api_alipay_trade_refund(amount, out_trade_no="S2", out_request_no=number)
        until(lambda number=number: any(fields.get("out_biz_no") == number for fields in merchant.got))
    first, second, third = merchant.got
    assert [fields["trade_status"] for fields in merchant.got] == ["TRADE_SUCCESS"] * 3
    assert [second["refund_fee"], third["refund_fee"]] == ["3.00", "5.50"]  # cumulative
    assert len({fields["notify_id"] for fields in merchant.got}) == 3
    assert first["trade_no"] == third["trade_no"]


def test_full_refund_of_wap_pay_has_the_layout_of_a_real_one(cashier: Cashier, merchant: Merchant) -> None:
    paid(cashier, merchant, "S3", "wap")
    cashier.sdk.api_alipay_trade_refund("10.00", out_trade_no="S3")
    fields = until(lambda: next((got for got in merchant.got if "gmt_refund" in got), None))
    assert set(fields) == IDS | FORM | ORDER | REFUND | {"gmt_close", "buyer_logon_id", "seller_email"}
    assert not MONEY & set(fields)
    assert (fields["trade_status"], fields["refund_fee"], fields["total_amount"]) == ("TRADE_CLOSED", "10.00", "10.00")
    assert fields["out_biz_no"] == fields["trade_no"]  # no out_request_no was given
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", fields["gmt_refund"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", fields["gmt_close"])
    assert is_genuine(fields, cashier.public_key)


@pytest.mark.parametrize("end", ["close", "expiry", "full refund"])
@pytest.mark.parametrize("product", ["page", "wap"])
def test_only_wap_pay_tells_of_a_close(cashier: Cashier, merchant: Merchant, product: str, end: str) -> None:
    cashier.ask("S4", "10.00", product=product, notify_url=merchant.url)
    if end == "full refund":
        cashier.pay("S4")
        cashier.sdk.api_alipay_trade_refund("10.00", out_trade_no="S4", out_request_no="r")
    else:
        cashier.control("login", {"out_trade_no": "S4"})
    if end == "close":
        cashier.sdk.api_alipay_trade_close(out_trade_no="S4")
    if end == "expiry":
        cashier.move_clock(901)
    until(lambda: cashier.trade("S4")["status"] == "TRADE_CLOSED")
    told = [message["fields"]["trade_status"] for message in cashier.messages("S4")]
    assert told.count("TRADE_CLOSED") == (1 if product == "wap" else 0)
    assert (
        ("refund_fee" in cashier.messages("S4")[-1]["fields"]) == (end == "full refund") if product == "wap" else True
    )


ANSWERS = {
    "a newline": ("success\n", 200),
    "capitals": ("SUCCESS", 200),
    "a page": ("<p>success</p>", 200),
    "nothing": ("", 200),
    "another status": ("success", 201),
    "an error": ("success", 500),
    "a redirect": ("success", 302),
}


@pytest.mark.parametrize(("text", "status"), ANSWERS.values(), ids=ANSWERS)
def test_anything_but_success_is_a_failure(cashier: Cashier, merchant: Merchant, text: str, status: int) -> None:
    merchant.says(text, status, Location=merchant.url)
    paid(cashier, merchant, "S5")
    [message] = cashier.messages("S5")
    assert (message["state"], message["attempts"], len(merchant.got)) == ("pending", 1, 1)
    assert (message["deliveries"][0]["http_status"], message["deliveries"][0]["answer"]) == (status, text)


def test_an_answer_that_takes_too_long_is_a_failure(tmp_path: Path, merchant_keys: Path, merchant: Merchant) -> None:
    (tmp_path / "offset").write_text("0")
    hasty = Cashier(tmp_path, merchant_keys, tmp_path / "offset", notify_timeout=0.3)
    gate = threading.Event()
    merchant.answer = lambda fields: Response("success" if gate.wait(20) else "late")
    try:
        paid(hasty, merchant, "S6")
        assert "timed out" in hasty.messages("S6")[0]["deliveries"][0]["error"]
    finally:
        gate.set()
        hasty.stop()


def test_no_answer_is_a_failure(cashier: Cashier) -> None:
    cashier.ask("S7", notify_url="http://127.0.0.1:9/closed")
    cashier.pay("S7")
    assert "ConnectionRefused" in cashier.messages("S7")[0]["deliveries"][0]["error"]


def test_eight_attempts_on_the_real_schedule_with_one_notify_id(cashier: Cashier, merchant: Merchant) -> None:
    merchant.says("fail")
    paid(cashier, merchant, "S8")
    for sends, minutes in enumerate((4, 10, 10, 60, 120, 360, 900), start=2):
        planned = cashier.messages("S8")[0]["next_at"] - cashier.messages("S8")[0]["deliveries"][-1]["at"]
        assert abs(planned - minutes * 60) < 30
        cashier.move_clock(minutes * 60)
        until(lambda sends=sends: cashier.messages("S8")[0]["attempts"] == sends)
    [message] = cashier.messages("S8")
    assert message["state"] == "given_up" and len(merchant.got) == 8
    assert len({fields["notify_id"] for fields in merchant.got}) == 1
    assert len({fields["notify_time"] for fields in merchant.got}) == 8
    assert all(is_genuine(fields, cashier.public_key) for fields in merchant.got)
    assert {frozenset(fields) for fields in merchant.got} == {frozenset(merchant.got[0])}


def test_success_ends_the_retries(cashier: Cashier, merchant: Merchant) -> None:
    merchant.says("fail")
    paid(cashier, merchant, "S9")
    merchant.says("success")
    cashier.move_clock(241)
    until(lambda: cashier.messages("S9")[0]["state"] == "done")
    cashier.move_clock(86400 * 2)
    cashier.sdk.api_alipay_trade_query(out_trade_no="S9")
    assert len(merchant.got) == 2


class Process:
    """``python -m cashier`` in a process of its own."""

    def __init__(self, directory: Path, merchant_keys: Path, clock_file: Path, **environ: str) -> None:
        names = {
            "MERCHANT_PUBLIC_KEY_FILE": str(merchant_keys / "app_public.pem"),
            "APP_ID": APP_ID,
            "SELLER_ID": SELLER_ID,
            "SHOP_CLOCK_OFFSET_FILE": str(clock_file),
        }
        command = [sys.executable, "-m", "cashier", "--port", "0", "--dir", str(directory)]
        self.process = subprocess.Popen(command, env=os.environ | names | environ, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().split()[-1]
        self.sdk = sdk(self.url, merchant_keys, directory / "gateway_public.pem")

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        code = self.process.wait(10)
        assert self.process.stdout
        self.process.stdout.close()
        return code


def test_trades_and_unsent_notifications_survive_a_kill(
    tmp_path: Path, merchant_keys: Path, merchant: Merchant
) -> None:
    clock_file = tmp_path / "offset"
    clock_file.write_text("0")
    merchant.says("fail")
    first = Process(tmp_path, merchant_keys, clock_file)
    expires = clock.text(clock.now(clock_file) + 900)
    query = first.sdk.api_alipay_trade_page_pay(
        "订单", "K1", "10.00", notify_url=merchant.url, return_url="http://127.0.0.1:9/r", time_expire=expires
    )
    assert fetch(f"{first.url}/gateway.do?{query}").headers["Location"].startswith("http://localhost:")
    fetch(f"{first.url}/_control/pay", data={"out_trade_no": "K1"})
    assert len(merchant.got) == 1
    first.end(signal.SIGKILL)

    merchant.says("success")
    second = Process(tmp_path, merchant_keys, clock_file, CASHIER_SPEED="1")
    answer = second.sdk.api_alipay_trade_query(out_trade_no="K1")  # signed by the same key
    assert (answer["trade_status"], answer["total_amount"]) == ("TRADE_SUCCESS", "10.00")
    clock_file.write_text("241")
    until(lambda: len(merchant.got) == 2)
    assert merchant.got[0]["notify_id"] == merchant.got[1]["notify_id"]
    assert second.end(signal.SIGTERM) == 0


def test_a_message_is_claimed_by_one_sender_until_the_claim_runs_out(cashier: Cashier, merchant: Merchant) -> None:
    cashier.fault("notify_late", seconds=3600)
    paid(cashier, merchant, "K3")
    number = cashier.messages("K3")[0]["id"]
    due = clock.now(cashier.clock_file) + 3700
    with cashier.app.extensions["cashier"].store.write() as db:
        claims = [outbox.claim(db, number, due, real_now, 10.0) for real_now in (1000.0, 1001.0, 1011.0)]
    assert [claim is not None for claim in claims] == [True, False, True]


def test_several_senders_on_one_database_send_each_attempt_once(
    tmp_path: Path, merchant_keys: Path, merchant: Merchant
) -> None:
    clock_file = tmp_path / "offset"
    clock_file.write_text("0")
    both = [Cashier(tmp_path, merchant_keys, clock_file, speed=1000.0) for _ in range(2)]
    try:
        taken = threading.Event()
        merchant.answer = lambda fields: Response("success" if taken.wait(1) else "fail")  # both look meanwhile
        paid(both[0], merchant, "K2")
        assert len(merchant.got) == 1
        taken.set()
        until(lambda: both[1].messages("K2")[0]["state"] == "done")  # 0.24 s later: a thousand times faster
        assert len(merchant.got) == len(both[1].messages("K2")[0]["deliveries"]) == 2
    finally:
        for one in both:
            one.stop()
