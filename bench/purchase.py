"""The requests that are measured, as a browser and Alipay send them."""

from __future__ import annotations

import json
import secrets
import time
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask

from bench.load import Browser, hidden_fields
from bench.people import PASSWORD, Buyer, Shelf
from cashier import notices, signing, trades
from cashier.notices import Seller
from cashier.trades import Trade
from shop.config import Settings, cashier_key_file


class Alipay:
    """Says that orders are paid, as the real one says it: signed."""

    def __init__(self, app: Flask) -> None:
        settings: Settings = app.extensions["settings"]
        key = serialization.load_pem_private_key(cashier_key_file(settings.instance).read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key = key
        self._seller = Seller(settings.alipay_app_id, settings.alipay_seller_id)

    def paid(self, pay_url: str) -> tuple[dict[str, str], dict[str, str]]:
        """The notice and the parameters of the return for what a buyer was sent to pay."""
        asked = json.loads(parse_qs(urlsplit(pay_url).query)["biz_content"][0])
        now = time.time()
        trade = Trade(
            trade_no=f"2026{secrets.randbelow(10**24):024d}",
            out_trade_no=asked["out_trade_no"],
            product="page",
            total_fen=round(float(asked["total_amount"]) * 100),
            refunded_fen=0,
            status=trades.SUCCESS,
            subject=asked["subject"],
            body="",
            passback_params="",
            notify_url="",
            charset="utf-8",
            buyer="A",
            asked_fen=0,
            expires_at=now + 900,
            created_at=now,
            paid_at=now,
            refunded_at=None,
            closed_at=None,
        )
        notice = {**notices.notification(trade, self._seller, now), "notify_time": "2026-01-01 00:00:00"}
        return self._signed({**notice, "sign_type": "RSA2"}), self._signed(notices.returned(trade, self._seller, now))

    def sign(self, text: str) -> str:
        return signing.sign(text, self._key)

    def _signed(self, fields: dict[str, str]) -> dict[str, str]:
        return {**fields, "sign": self.sign(signing.plain_text(fields, without=("sign", "sign_type")))}


def whole_purchase(buyer: Buyer, shelf: Shelf, alipay: Alipay, browser: Browser) -> None:
    """From the first page to the lesson: a visitor finds a plan, logs in, settles with a coupon, pays, learns."""
    product_id, policy_id = shelf.plans[0]
    browser.get("/")
    browser.get("/courses")
    page = browser.get(f"/courses/{product_id}")
    browser.post("/cart/items", {"csrf_token": token(page.text), "product": product_id, "policy": policy_id})
    page = browser.get("/cart")
    wanted = {"product": product_id}
    login = browser.post("/settlement", {"csrf_token": token(page.text), **wanted}).location
    page = browser.get(login)
    who = {"username": buyer.username, "password": PASSWORD, "next": "/cart"}
    browser.post("/login", {"csrf_token": token(page.text), **who})
    page = browser.get("/cart")
    csrf = token(page.text)
    browser.post("/settlement", {"csrf_token": csrf, **wanted})
    page = browser.get("/settlement")
    browser.post("/settlement/choices", {"csrf_token": csrf, "use": "all_beli", **chosen(page.text)})
    page = browser.get("/settlement")
    notice, returned = alipay.paid(check_out(browser, page.text))
    notify(Browser(browser.port, connection=browser.connection, answers=browser.answers), notice)
    confirmation = follow_return(browser, returned)
    lesson = confirmation.split('href="/learning/sections/')[1].split('"')[0]
    browser.get(f"/learning/sections/{lesson}")


def token(page: str) -> str:
    return page.split('name="csrf_token" value="')[1].split('"')[0]


def chosen(page: str) -> dict[str, str]:
    """The coupons that the settlement's page has selected."""
    found = {}
    for select in page.split("<select ")[1:]:
        name = select.split('name="')[1].split('"')[0]
        options = select.split("</select>")[0].split("<option ")
        found[name] = next((o.split('value="')[1].split('"')[0] for o in options if " selected" in o), "0")
    return found


def check_out(browser: Browser, page: str) -> str:
    """Press 立即支付; where at Alipay it leads."""
    url = browser.post("/checkout", hidden_fields(page, "checkout")).location
    assert "biz_content" in url, url
    return url


def notify(browser: Browser, notice: dict[str, str]) -> None:
    browser.post("/alipay/notify", notice, status=200)


def follow_return(browser: Browser, returned: dict[str, str]) -> str:
    """The confirmation page behind the return."""
    answer = browser.get(f"/alipay/return?{urlencode(returned)}", status=302)
    return browser.get(answer.location).text
