"""Production's own headers, over https, with Alipay's own host names (issue 2, 10; design 12, CSP and Alipay).

Shop and cashier are served with TLS. The browser and Python are told that the hosts of Alipay and of the shop are this
machine, so that the address, the certificate, the cookie and the policy are those of production; nothing leaves here.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask
from playwright.sync_api import Browser
from werkzeug.serving import make_server

import cashier
from cashier.__main__ import QuietHandler
from cashier.config import Config
from shop import create_app, keys
from shop.config import ALIPAY_GATEWAY, Settings
from shop.enums import OrderStatus
from shop.extensions import db
from tests.browser.conftest import browser_path
from tests.browser.rows import only_order, page_of
from tests.browser.visitor import DESKTOP, Visitor

SHOP, GATEWAY = "luffycity.example", "openapi.alipay.com"
FORWARDED, ELSEWHERE = "excashier.alipay.com", "pay.elsewhere.example"
FLASK = "Flask Web 开发实战"


@dataclass(frozen=True)
class Town:
    """Which port of this machine each host name stands for, and the certificate of all of them."""

    ports: dict[str, int]
    certificate: Path
    key: Path

    @property
    def resolver_rules(self) -> str:
        return ", ".join(f"MAP {host}:443 127.0.0.1:{port}" for host, port in self.ports.items())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for all host names, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SHOP)])
    today = datetime.datetime.now(datetime.UTC)
    hosts: list[x509.GeneralName] = [x509.DNSName(host) for host in (SHOP, GATEWAY, FORWARDED, ELSEWHERE)]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([*hosts, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.write_bytes(key.private_bytes(*pem))
    return certificate_file, key_file


@pytest.fixture
def town(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Town:
    """Names that lead here, for Python too: as an entry of the hosts file would, with a port."""
    with socket.create_server(("127.0.0.1", 0)) as shop, socket.create_server(("127.0.0.1", 0)) as pay:
        shop_port, pay_port = shop.getsockname()[1], pay.getsockname()[1]
    ports = {SHOP: shop_port, GATEWAY: pay_port, FORWARDED: pay_port, ELSEWHERE: pay_port}
    resolve = socket.getaddrinfo

    def resolve_here(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host in ports:
            return resolve("127.0.0.1", ports[host], *args, **kwargs)
        return resolve(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    monkeypatch.setenv("NO_PROXY", "*")
    return Town(ports, *certificate)


@pytest.fixture
def production(served: Flask, settings: Settings, town: Town) -> Iterator[Flask]:
    """The shop as in production, on the test's database and Redis."""
    public_url = f"https://{SHOP}"
    shop = create_app(
        replace(settings, env="production", public_url=public_url, alipay_gateway=ALIPAY_GATEWAY, cashier_url="")
    )
    with _served_with_tls(shop, town.ports[SHOP], town):
        yield shop
    with shop.app_context():
        db.engine.dispose()


def test_the_main_job_in_production(
    production: Flask, chromium: Browser, settings: Settings, town: Town, tmp_path: Path
) -> None:
    """Form, 303, gateway, 302 to Alipay's other host, and back: allowed by just the policy that production sends."""
    with _alipay(settings, town, tmp_path, pages=FORWARDED), _visitor(chromium, town) as visitor:
        answer = visitor.open("/")
        policy = answer.headers["content-security-policy"]
        assert "form-action 'self' https://*.alipay.com;" in policy
        assert "unsafe" not in policy
        assert "max-age=31536000" in answer.headers["strict-transport-security"]
        assert answer.headers["referrer-policy"] == "same-origin"

        _luffy_settles(visitor)
        (cookie,) = visitor.context.cookies(f"https://{SHOP}")
        assert cookie["name"] == "__Host-session"
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")

        visitor.press(re.compile("^立即支付"))
        visitor.page.wait_for_url(f"https://{FORWARDED}/cashier/*")
        visitor.pay()
        visitor.sees("支付成功")  # shown to its owner only: the log-in came back with the buyer
        assert only_order().status is OrderStatus.PAID
        visitor.check()


def test_a_host_that_is_not_alipays_gets_no_buyer(
    production: Flask, chromium: Browser, settings: Settings, town: Town, tmp_path: Path
) -> None:
    """The same way, but the gateway forwards to a host outside of the policy: the browser stops there."""
    with _alipay(settings, town, tmp_path, pages=ELSEWHERE), _visitor(chromium, town) as visitor:
        _luffy_settles(visitor)
        with visitor.page.expect_event("console", lambda message: "form-action" in message.text):
            visitor.press(re.compile("^立即支付"))
        assert visitor.path == "/settlement"
        assert not any(ELSEWHERE in page.url for page in visitor.context.pages)
        assert only_order().status is OrderStatus.PENDING


def _luffy_settles(visitor: Visitor) -> None:
    """Every POST on the way is accepted, so Flask-WTF has seen the referrer that it asks for over https."""
    visitor.sign_in("luffy", "sunny-8866")
    visitor.buy_now(page_of(FLASK), "599.00")
    assert visitor.due() == "359.00 元"


@contextmanager
def _visitor(chromium: Browser, town: Town) -> Iterator[Visitor]:
    """In a browser of his own, as names are mapped for a whole browser."""
    arguments = [f"--host-resolver-rules={town.resolver_rules}", "--no-proxy-server"]
    browser = chromium.browser_type.launch(executable_path=browser_path(), args=arguments)
    allowed = (f"https://{GATEWAY}", f"https://{FORWARDED}")
    visitor = Visitor(browser, f"https://{SHOP}", allowed, **DESKTOP, ignore_https_errors=True)
    yield visitor
    browser.close()


@contextmanager
def _alipay(settings: Settings, town: Town, folder: Path, *, pages: str) -> Iterator[None]:
    """The cashier under Alipay's name, with the key that the shop believes; it shows its pages on another host."""
    private = (settings.instance / "cashier" / "gateway_private.pem").read_bytes()
    (folder / "gateway_private.pem").write_bytes(private)
    config = Config(folder, keys.public_of(settings.alipay_app_private_key), page_origin=f"https://{pages}")
    app = cashier.create_app(config)
    try:
        with _served_with_tls(app, town.ports[GATEWAY], town):
            yield
    finally:
        app.extensions["cashier"].sender.stop()


@contextmanager
def _served_with_tls(app: Any, port: int, town: Town) -> Iterator[None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(town.certificate, town.key)
    with ExitStack() as stack:
        server = make_server("127.0.0.1", port, app, threaded=True, request_handler=QuietHandler, ssl_context=context)
        server.daemon_threads = True
        stack.callback(server.server_close)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield
