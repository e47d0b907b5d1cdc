"""What is shown on a line of its own: the password hash of a log-in, and RSA of a checkout and of a notice."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask

from bench.people import PASSWORD
from bench.purchase import Alipay
from shop.config import Settings
from shop.gateways import alipay
from shop.services import passwords

RUNS = 50


@dataclass(frozen=True)
class Apart:
    """CPU milliseconds of each, once."""

    password_ms: float
    sign_ms: float
    verify_ms: float


def measure(app: Flask) -> Apart:
    settings: Settings = app.extensions["settings"]
    client = alipay.Alipay(settings).client
    stored = passwords.make_hash(PASSWORD)
    text = "a=1&b=2" * 80
    signed = Alipay(app).sign(text)
    return Apart(
        password_ms=_milliseconds(lambda: passwords.matches(PASSWORD, stored)),
        sign_ms=_milliseconds(lambda: client._sign(text)),
        verify_ms=_milliseconds(lambda: client._verify(text, signed)),
    )


def _milliseconds(work: Callable[[], object]) -> float:
    work()
    started = time.process_time()
    for _ in range(RUNS):
        work()
    return (time.process_time() - started) * 1000 / RUNS
