"""What the cashier's tests talk with: a running cashier, a merchant that takes notifications, and plain HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from alipay import AliPay
from alipay.utils import AliPayConfig
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from cashier import clock, create_app
from cashier.__main__ import QuietHandler
from cashier.config import Config

APP_ID, SELLER_ID = "2021000000000001", "2088000000000001"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def fetch(
    url: str,
    *,
    form: dict[str, str] | None = None,
    data: Any = None,
    method: str = "",
    headers: dict[str, str] | None = None,
) -> Answer:
    """One request, no redirect followed: a GET, a form POST, or (``data``) a JSON POST."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=15)
    body, kind = None, {}
    if form is not None:
        body, kind = urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"}
    if data is not None:
        body, kind = json.dumps(data), {"Content-Type": "application/json"}
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method or ("POST" if body is not None else "GET"), path, body, kind | (headers or {}))
        response = connection.getresponse()
        charset = response.headers.get_content_charset("utf-8")
        return Answer(response.status, dict(response.getheaders()), response.read().decode(charset))
    finally:
        connection.close()


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first truthy value of the condition, asked again and again; patient, as machines may be busy."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError("did not happen in time")
        time.sleep(0.02)
    return value


def is_genuine(params: dict[str, str], public_key: Path) -> bool:
    """The rule of returns and notifications (alipay.md 3.2), written a second time with another library's tools."""
    rest = {name: value for name, value in params.items() if name not in ("sign", "sign_type")}
    text = "&".join("=".join(pair) for pair in sorted(rest.items()))
    return is_signed(text, params["sign"], public_key)


def is_signed(text: str, sign: str, public_key: Path) -> bool:
    key = serialization.load_pem_public_key(public_key.read_bytes())
    try:
        key.verify(base64.b64decode(sign), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


class Served:
    """A WSGI application on a port of its own, in a thread of this process."""

    def __init__(self, make_app: Callable[[int], Any], port: int = 0) -> None:
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = listener.getsockname()[1]
        self.app = make_app(self.port)
        self._server = make_server(
            "127.0.0.1", self.port, self.app, threaded=True, request_handler=QuietHandler, fd=listener.detach()
        )
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass
class Merchant:
    """Takes notifications: ``got`` holds them in order; ``answer`` is what it says to the next ones."""

    got: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[dict[str, str]], Response] = lambda fields: Response("success")
    url: str = ""

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = Request(environ)
        fields = dict(parse_qsl(request.get_data().decode(), keep_blank_values=True, strict_parsing=True))
        self.got.append(fields)
        self.headers.append(dict(request.headers))
        return self.answer(fields)(environ, start_response)

    def says(self, text: str, status: int = 200, **headers: str) -> None:
        self.answer = lambda fields: Response(text, status, headers)


class Cashier:
    """A running cashier seen from outside: its addresses, its control calls and the unmodified SDK."""

    def __init__(self, directory: Path, merchant_keys: Path, clock_file: Path, port: int = 0, **settings: Any) -> None:
        self.directory, self.clock_file = directory, clock_file
        public = (merchant_keys / "app_public.pem").read_text()

        def make_app(port: int) -> Any:
            origin = f"http://localhost:{port}"
            config = Config(directory, public, page_origin=origin, clock_offset_file=clock_file, **settings)
            return create_app(config)

        self._served = Served(make_app, port)
        self.url = f"http://127.0.0.1:{self._served.port}"
        self.page_origin = f"http://localhost:{self._served.port}"
        self.public_key = directory / "gateway_public.pem"
        self.sdk = sdk(self.url, merchant_keys, self.public_key)

    @property
    def app(self) -> Any:
        return self._served.app

    def stop(self) -> None:
        self._served.stop()
        self.app.extensions["cashier"].sender.stop()

    def control(self, path: str, data: Any = None, *, method: str = "") -> Any:
        answer = fetch(f"{self.url}/_control/{path}", data=data, method=method)
        assert answer.status < 300, answer.text
        return answer.json

    def fault(self, kind: str, **args: Any) -> None:
        self.control("faults", {"kind": kind, **args})

    def messages(self, out_trade_no: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control(f"messages?out_trade_no={out_trade_no}")
        return found

    def trade(self, out_trade_no: str) -> dict[str, Any]:
        return next(trade for trade in self.control("trades") if trade["out_trade_no"] == out_trade_no)

    def move_clock(self, seconds: float) -> None:
        moved = float(self.clock_file.read_text() or 0) if self.clock_file.exists() else 0.0
        self.clock_file.write_text(str(moved + seconds))

    def open_page(self, query: str) -> Answer:
        return fetch(f"{self.url}/gateway.do?{query}")

    def ask(self, out_trade_no: str, amount: str = "431.00", *, product: str = "page", **more: str) -> Answer:
        """The merchant sends a buyer here: ``notify_url``, ``return_url`` and business fields in ``more``."""
        call = getattr(self.sdk, f"api_alipay_trade_{product}_pay")
        expires = clock.text(clock.now(self.clock_file) + 900)
        fields = {"subject": f"订单 {out_trade_no}", "time_expire": expires} | more
        return self.open_page(call(out_trade_no=out_trade_no, total_amount=amount, **fields))

    def pay(self, out_trade_no: str, **more: Any) -> Any:
        return self.control("pay", {"out_trade_no": out_trade_no, **more})


def sdk(url: str, merchant_keys: Path, gateway_key: Path, app_id: str = APP_ID) -> AliPay:
    """The SDK as published; only its address is ours."""
    client = AliPay(
        appid=app_id,
        app_private_key_string=(merchant_keys / "app_private.pem").read_text(),
        alipay_public_key_string=gateway_key.read_text(),
        config=AliPayConfig(timeout=15),
    )
    client._gateway = f"{url}/gateway.do"
    return client


@dataclass
class Page:
    """A buyer's browser on one cashier page: follows redirects, posts the form that it was shown."""

    url: str
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def load(self) -> Page:
        answer = fetch(self.url)
        self.text, self.headers = answer.text, answer.headers
        return self

    def submit(self, step: str, **fields: str) -> Answer:
        token = re.search(r'name="form_token" value="([^"]+)"', self.text)
        assert token, self.text
        answer = fetch(f"{self.url}/{step}", form={"form_token": token[1]} | fields)
        if answer.status == 303:
            self.load()
        return answer

    def link(self) -> str:
        """Where "back to the merchant" leads; empty without such a link."""
        match = re.search(r'href="([^"]+)" id="back"', self.text)
        return match[1].replace("&amp;", "&") if match else ""
