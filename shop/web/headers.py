"""Headers of every answer (safety.md 5): what a page may load, where its forms may lead, who may keep it."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

from shop.config import Settings

YEAR = 365 * 24 * 3600
FIXED = {
    "Referrer-Policy": "same-origin",  # no-referrer would make Flask-WTF refuse every POST over https
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def content_security_policy(settings: Settings) -> str:
    """Everything from here, except lesson video and the redirect to whoever takes the money.

    Chromium applies form-action to every redirect after a POST, and Alipay forwards the buyer to another of
    its hosts (design 12).
    """
    if settings.is_production:
        pay = ["https://*.alipay.com"]
    else:
        pay = [_origin(url) for url in (settings.alipay_gateway, settings.cashier_url) if url]
    return "; ".join(
        [
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            " ".join(["media-src 'self'", *settings.media_origins]),
            " ".join(["form-action 'self'", *pay]),
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["settings"]
    fixed = FIXED | {"Content-Security-Policy": content_security_policy(settings)}
    if settings.is_https:
        fixed["Strict-Transport-Security"] = f"max-age={YEAR}; includeSubDomains"
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in fixed.items():
            response.headers.setdefault(name, value)
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store" if _is_private() else "private, no-cache"
            response.vary.update(("Cookie", "Accept-Language"))
        return response


def _is_private() -> bool:
    """Whether the page shows what is somebody's own, or answers a form."""
    person = g.get("_login_user")
    return bool(g.get("is_private") or (person and person.is_authenticated) or request.method not in ("GET", "HEAD"))
