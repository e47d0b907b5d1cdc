"""The headers of safety.md 5 on every kind of answer, in the demo and in production."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.config import Settings
from shop.services import accounts
from shop.web.flask_config import flask_config
from tests.pages.conftest import AnotherShop
from tests.person import PASSWORD, Person

EVERY_KIND = ["/login", "/account", "/nothing", "/healthz", "/readyz", "/cart", "/metrics"]


@pytest.fixture
def member(app: Flask) -> accounts.Person:
    return accounts.register("luffy", "luffy@example.com", PASSWORD)


@pytest.fixture
def production(another_shop: AnotherShop) -> Flask:
    """The same shop as it runs behind a TLS proxy."""
    return another_shop(
        env="production",
        public_url="https://shop.example",
        alipay_gateway="https://openapi.alipay.com/gateway.do",
        cashier_url="",
        media_origins=("https://media.example",),
        trusted_proxies=1,
    )


def policy(csp: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for words in (part.split() for part in csp.split(";"))}


@pytest.mark.parametrize("path", EVERY_KIND)
def test_every_answer_carries_the_headers(person: Person, path: str) -> None:
    headers = person.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Request-ID"]
    assert "charset=utf-8" in headers["Content-Type"]
    assert "Access-Control-Allow-Origin" not in headers
    csp = policy(headers["Content-Security-Policy"])
    assert csp["default-src"] == csp["script-src"] == csp["style-src"] == ["'self'"]
    assert csp["object-src"] == csp["base-uri"] == csp["frame-ancestors"] == ["'none'"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_the_demos_forms_may_lead_to_the_local_cashier_only(person: Person, settings: Settings) -> None:
    csp = policy(person.get("/login").headers["Content-Security-Policy"])
    gateway = settings.alipay_gateway.removesuffix("/gateway.do")
    assert csp["form-action"] == ["'self'", gateway, settings.cashier_url]
    assert csp["media-src"] == ["'self'"]


def test_in_production_forms_may_lead_to_alipay_only(production: Flask) -> None:
    headers = Person(production).get("/login", base_url="https://shop.example").headers
    csp = policy(headers["Content-Security-Policy"])
    assert csp["form-action"] == ["'self'", "https://*.alipay.com"]
    assert csp["media-src"] == ["'self'", "https://media.example"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_without_https_no_hsts(person: Person) -> None:
    assert "Strict-Transport-Security" not in person.get("/login").headers


def test_the_session_cookie_in_production(production: Flask) -> None:
    cookie = Person(production).get("/login", base_url="https://shop.example").headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert part in cookie
    assert "Domain" not in cookie


def test_the_session_cookie_in_the_demo(person: Person) -> None:
    cookie = person.get("/login").headers["Set-Cookie"]
    assert cookie.startswith("session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


def test_a_form_posted_over_https_needs_our_own_referrer(production: Flask, member: accounts.Person) -> None:
    """Referrer-Policy same-origin sends it; no-referrer would make every POST a 400."""
    person, base = Person(production), "https://shop.example"
    person.get("/login", base_url=base)
    form = {"username": "luffy", "password": PASSWORD}
    assert person.post("/login", form, base_url=base).status_code == 400
    evil = {"Referer": "https://evil.example/login"}
    assert person.post("/login", form, base_url=base, headers=evil).status_code == 400
    own = {"Referer": "https://shop.example/login"}
    assert person.post("/login", form, base_url=base, headers=own).status_code == 303


@pytest.mark.parametrize("path", ["/account", "/account/coupons", "/cart"])
def test_private_pages_are_stored_nowhere(app: Flask, member: accounts.Person, path: str) -> None:
    headers = Person(app).sign_in("luffy").get(path).headers
    assert headers["Cache-Control"] == "no-store"
    assert "Cookie" in headers["Vary"]


def test_a_visitors_page_may_be_kept_by_the_visitors_browser_only(person: Person) -> None:
    headers = person.get("/register").headers
    assert headers["Cache-Control"] == "private, no-cache"
    assert {"Cookie", "Accept-Language"} <= set(headers["Vary"].split(", "))


def test_the_visitors_own_cart_is_stored_nowhere(person: Person) -> None:
    assert person.get("/cart").headers["Cache-Control"] == "no-store"


def test_a_host_that_is_not_ours_is_refused(app: Flask, production: Flask) -> None:
    for shop in (app, production):
        answer = Person(shop).client.get("/login", headers={"Host": "evil.example"})
        assert answer.status_code == 400
        assert "evil" not in answer.text
    assert Person(production).client.get("/healthz", headers={"Host": "127.0.0.1:8000"}).status_code == 200


def test_forwarded_headers_count_behind_a_proxy_of_our_own_only(app: Flask, production: Flask) -> None:
    forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "203.0.113.9"}
    assert Person(app).client.get("/login", headers=forged).status_code == 200
    assert Person(production).client.get("/login", headers=forged).status_code == 400
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
    assert Person(production).client.get("/login", headers=forwarded).status_code == 200


def test_methods_that_no_page_has_are_refused(person: Person) -> None:
    answer = person.client.put("/login")
    assert answer.status_code in (400, 405)  # without a token it is not even asked what it wanted
    answer = person.client.open("/logout", method="GET")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert person.client.open("/login", method="TRACE").status_code == 405


def test_too_large_a_form_is_refused_kindly(person: Person) -> None:
    in_parts = {"data": {"username": "x" * 300_000}, "content_type": "multipart/form-data"}
    for options in ({"data": {"username": "x" * 1_100_000}}, in_parts):
        answer = person.client.post("/login", **options)
        assert answer.status_code == 413
        assert "太大" in answer.text


def test_a_form_in_a_broken_encoding_is_a_bad_request(person: Person) -> None:
    answer = person.client.post("/login", data=b"username=\xff", content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400


def test_an_id_that_no_database_holds_is_a_page_that_does_not_exist(person: Person) -> None:
    for path in ("/courses/99999999999999999999", "/courses/2147483648", "/courses/٣", "/courses/-1", "/courses/007"):
        assert person.get(path).status_code == 404


def test_limits_of_flask_are_set(settings: Settings) -> None:
    config = flask_config(settings)
    assert config["MAX_CONTENT_LENGTH"] == 1024 * 1024
    assert config["MAX_FORM_MEMORY_SIZE"] < 500_000
    assert config["MAX_FORM_PARTS"] < 1000
    assert config["PROPAGATE_EXCEPTIONS"] is False
