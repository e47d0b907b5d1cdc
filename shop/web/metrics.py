"""What Prometheus reads: requests and their latency, orders, payments by outcome, refusals by code, and the gauges.

Several worker processes add up when PROMETHEUS_MULTIPROC_DIR names a folder (emptied at start).
"""

from __future__ import annotations

import os

from flask import Flask, Response, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from shop.services.figures import Figures
from shop.web import logs
from shop.web.gauges import Gauges

METHODS = ("GET", "HEAD", "POST")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

_requests = Counter("shop_requests", "Requests answered", ["rule", "method", "status"])
_latency = Histogram("shop_request_seconds", "Time to answer", ["rule"], buckets=SECONDS)
_orders = Counter("shop_orders_placed", "Orders placed")
_payments = Counter("shop_payments", "What Alipay's messages and queries led to", ["outcome"])
_refusals = Counter("shop_refusals", "Refusals by their number", ["code"])


def order_placed() -> None:
    _orders.inc()


def payment(outcome: str) -> None:
    """Count a payment's outcome: a short word from the code, such as "paid", "repeated", "bad_signature"."""
    _payments.labels(outcome).inc()


def refused(code: int) -> None:
    _refusals.labels(str(code)).inc()


def exposition(figures: Figures | None) -> bytes:
    """All counters of all worker processes in Prometheus' text format; then the figures, if the database gave any."""
    return _counters() + (generate_latest(Gauges(figures)) if figures else b"")


def _counters() -> bytes:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)


def init_app(app: Flask) -> None:
    @app.after_request
    def count(response: Response) -> Response:
        # Rules and known methods only: what a stranger can invent must not become a time series.
        rule = logs.rule() or "none"
        method = request.method if request.method in METHODS else "other"
        _requests.labels(rule, method, f"{response.status_code // 100}xx").inc()
        _latency.labels(rule).observe(logs.seconds())
        return response
