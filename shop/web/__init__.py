"""HTTP plumbing: sessions, headers, logs, metrics, error pages, languages. No rule of the shop lives here."""

from __future__ import annotations

from flask import Flask

from shop.web import (
    assets,
    audit_words,
    context,
    converters,
    errors,
    filters,
    form_errors,
    headers,
    locale,
    logs,
    metrics,
    people,
    sessions,
    staff,
)
from shop.web.flask_config import flask_config

__all__ = ["flask_config", "init_app"]


def init_app(app: Flask) -> None:
    """Bind all of it. Flask runs after_request functions backwards: the log line, bound first, sees everything."""
    words = (locale, filters, form_errors, audit_words)
    for part in (logs, metrics, headers, assets, sessions, people, staff, *words, context, converters, errors):
        part.init_app(app)
