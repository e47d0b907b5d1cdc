"""What Flask and its extensions are told, made from the shop's settings."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from shop.config import Settings

MEGABYTE = 1024 * 1024
# Milliseconds. A request never waits longer for a row than a person would (safety.md F27).
POSTGRES_LIMITS = {"lock_timeout": 4_000, "statement_timeout": 15_000, "idle_in_transaction_session_timeout": 60_000}


def flask_config(settings: Settings) -> dict[str, Any]:
    """The configuration of a shop with these settings, for ``app.config.update``."""
    return {
        "SECRET_KEY": settings.secret_keys[0],
        "SECRET_KEY_FALLBACKS": list(settings.secret_keys[1:]),
        "TRUSTED_HOSTS": _hosts(settings),
        "PREFERRED_URL_SCHEME": "https" if settings.is_https else "http",
        "MAX_CONTENT_LENGTH": MEGABYTE,
        "MAX_FORM_MEMORY_SIZE": 200_000,
        "MAX_FORM_PARTS": 500,
        "PROPAGATE_EXCEPTIONS": False,
        "SESSION_COOKIE_NAME": "__Host-session" if settings.is_https else "session",
        "SESSION_COOKIE_SECURE": settings.is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",  # Strict would lose the log-in on the way back from Alipay
        "WTF_CSRF_TIME_LIMIT": None,  # a token lives as long as the session that it belongs to
        "BABEL_DEFAULT_LOCALE": "zh_Hans_CN",
        "BABEL_DEFAULT_TIMEZONE": "Asia/Shanghai",
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": _engine_options(settings),
    }


def _hosts(settings: Settings) -> list[str]:
    """Names that a request may call us by: our own, and the local ones that health checks use."""
    own = urlsplit(settings.public_url).hostname or ""
    return list(dict.fromkeys([own, "127.0.0.1", "localhost"]))


def _engine_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"hide_parameters": True}  # or a failed statement puts personal data into the log
    if settings.database_url.startswith("postgresql"):
        limits = " ".join(f"-c {name}={value}" for name, value in POSTGRES_LIMITS.items())
        options |= {"pool_timeout": 5, "pool_recycle": 1800}
        options["connect_args"] = {"connect_timeout": 3, "options": limits}
    return options
