"""Where a person may be sent: only to pages of this shop that a GET can open."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from flask import current_app, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

CONTROL_OR_SPACE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")
LONGEST = 2000
NOT_A_DESTINATION = {"static", "operations.metrics"}


def inside(target: str | None, otherwise: str = "/") -> str:
    """The path and query of target if it is a page of this shop, else ``otherwise``.

    Browsers and Werkzeug drop tabs and newlines, which turns "/<TAB>/evil.example" into another host; so
    these go first, and what is left must match our own URL map (safety.md 1.1).
    """
    cleaned = CONTROL_OR_SPACE.sub("", target or "")
    if not cleaned.startswith("/") or cleaned.startswith("//") or "\\" in cleaned or len(cleaned) > LONGEST:
        return otherwise
    try:
        parts = urlsplit(cleaned)
    except ValueError:
        return otherwise
    if parts.scheme or parts.netloc or not _is_page(unquote(parts.path)):
        return otherwise
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def sent_from() -> str:
    """Path and query of the page whose form or link led here, "" when the browser does not say."""
    try:
        parts = urlsplit(request.referrer or "")
    except ValueError:
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def this_page() -> str:
    """Where a GET shows this page again; of an answer to a POST, where its form was, else its address, else home."""
    if request.method in ("GET", "HEAD"):
        return request.full_path.rstrip("?")
    return inside(sent_from(), inside(request.path))


def _is_page(path: str) -> bool:
    try:
        endpoint, _values = current_app.create_url_adapter(request).match(path, method="GET")  # type: ignore[union-attr]
    except (HTTPException, RequestRedirect):
        return False
    return endpoint not in NOT_A_DESTINATION
