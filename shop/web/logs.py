"""One JSON line per request on stderr, with a request id; no query strings, no secrets, no personal data."""

from __future__ import annotations

import logging
import re
import sys
import time
import uuid
from typing import Any, TextIO

import structlog
from flask import Flask, Response, g, request, request_started
from structlog.contextvars import bind_contextvars, clear_contextvars

from shop.config import Settings

REQUEST_ID = "X-Request-ID"
GOOD_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)
QUIET = {"operations.health", "operations.ready", "operations.metrics"}

log = structlog.get_logger("shop.request")


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is now: tests replace it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def bind(**facts: Any) -> None:
    """Add facts (``order=...``) to every further line of this request. Never anything personal."""
    bind_contextvars(**facts)


def configure(level: str) -> None:
    """Send everything that any library logs through one JSON handler."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared[:2], structlog.stdlib.ExtraAdder(), *shared[2:]],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )
    root = logging.getLogger()
    if not any(isinstance(handler, StderrHandler) for handler in root.handlers):
        root.addHandler(StderrHandler())
    for handler in root.handlers:
        if isinstance(handler, StderrHandler):
            handler.setFormatter(formatter)
    root.setLevel(level)


def _begin(app: Flask, **_extra: Any) -> None:
    given = request.headers.get(REQUEST_ID, "")
    g.request_id = given if GOOD_ID.fullmatch(given) else uuid.uuid4().hex
    g.started = time.perf_counter()
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def seconds() -> float:
    """How long this request has taken so far."""
    return time.perf_counter() - g.get("started", time.perf_counter())


def rule() -> str:
    """The URL rule and never the path, which may hold an order's number; "" for unknown addresses."""
    return request.url_rule.rule if request.url_rule else ""


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["settings"]
    configure(settings.log_level)
    request_started.connect(_begin, app)  # before every before_request, so that a refusal there is logged too

    @app.after_request
    def line(response: Response) -> Response:
        response.headers[REQUEST_ID] = g.request_id
        if request.endpoint not in QUIET:
            milliseconds = round(seconds() * 1000, 1)
            log.info("request", method=request.method, rule=rule(), status=response.status_code, ms=milliseconds)
        return response
