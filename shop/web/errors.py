"""Every way a request can fail, each with a page that needs neither database nor Redis."""

from __future__ import annotations

import redis
import structlog
from flask import Flask, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from werkzeug.exceptions import HTTPException, SecurityError
from werkzeug.wrappers import Response as AnyResponse

from shop.errors import RedisDown, ShopError
from shop.extensions import db
from shop.web import metrics
from shop.web.people import as_visitor

Answer = tuple[str, int, dict[str, str]]
NO_DATABASE = (OperationalError, InterfaceError, PoolExhausted)  # down, locked, deadlocked, out of connections
RETRY_SECONDS = 15
FOREIGN_TOKEN = "The CSRF tokens do not match."
PLAIN = "<!doctype html><html lang=zh-CN><meta charset=utf-8><title>路飞学城</title><p>请求没有成功。 Request failed."
OPEN_TO_ALL = {
    "account.login",
    "account.register",
    "account.language",
    "password_reset.ask",
    "password_reset.choose",
}

log = structlog.get_logger("shop.errors")


def note_refusal(error: ShopError) -> None:
    """Log and count a refusal; for views that answer it themselves, with the form."""
    log.info("refused", refusal=type(error).__name__, code=error.code, facts=error.facts)
    metrics.refused(error.code)


def refused(error: ShopError) -> Answer:
    """The one page for every refusal; its number and facts go to the log."""
    note_refusal(error)
    page = _render("errors/refused.html", error.status, {"error": error})
    return page, error.status, _retry_after(error.status, error.facts.get("seconds"))


def http_error(error: HTTPException) -> Answer | HTTPException:
    """Flask's own refusals (404, 405, 413 …) in our dress; redirects pass."""
    status = error.code or 500
    if status < 400:
        return error
    if isinstance(error, SecurityError):  # a Host that is not ours: no page can be rendered for it
        return PLAIN, status, {}
    headers = {"Allow": ", ".join(sorted(error.valid_methods or ()))} if status == 405 else {}  # type: ignore[attr-defined]
    return _page(status, headers)


def csrf_failed(error: CSRFError) -> Answer | AnyResponse:
    """400; but a page left open while another tab logged out leads to the log-in (safety.md F64)."""
    log.info("csrf refused", reason=error.description)
    is_left_open = error.description == FOREIGN_TOKEN and request.endpoint not in OPEN_TO_ALL
    if is_left_open and not current_user.is_authenticated:
        flash(_("您已经退出登录，这次操作没有执行。请重新登录。"), "warning")
        return redirect(url_for("account.login"), 303)
    return _page(400)


def database_failed(error: Exception) -> Answer:
    log.error("database failed", exc_info=error)
    db.session.remove()
    return _page(503)


def redis_failed(error: redis.RedisError) -> Answer:
    log.error("redis failed", error=type(error).__name__, detail=str(error))
    return refused(RedisDown())


def unexpected(error: Exception) -> Answer:
    log.error("unexpected error", exc_info=error)
    return _page(500)


def _page(status: int, headers: dict[str, str] | None = None) -> Answer:
    return _render("errors/page.html", status, {"status": status}), status, _retry_after(status) | (headers or {})


def _render(template: str, status: int, values: dict[str, object]) -> str:
    """The page; as for a visitor when the shop itself failed, or when looking up the person fails now."""
    if status >= 500:
        as_visitor()
    try:
        return render_template(template, **values)
    except (*NO_DATABASE, redis.RedisError):
        as_visitor()
        return render_template(template, **values)
    except Exception as broken:  # the last resort: an error page must not fail
        log.error("error page failed", exc_info=broken)
        return PLAIN


def _retry_after(status: int, seconds: object = None) -> dict[str, str]:
    return {"Retry-After": str(seconds or RETRY_SECONDS)} if status in (429, 503) else {}


def init_app(app: Flask) -> None:
    app.register_error_handler(ShopError, refused)
    app.register_error_handler(CSRFError, csrf_failed)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(redis.RedisError, redis_failed)
    for kind in NO_DATABASE:
        app.register_error_handler(kind, database_failed)
    app.register_error_handler(Exception, unexpected)
