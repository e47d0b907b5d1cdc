"""The cashier: a local stand-in for Alipay with its own process, data and keys. It imports nothing of the shop.

Made to be indistinguishable for a merchant's SDK, recognisable for a person, and nasty on demand (docs/cashier.md).
"""

from __future__ import annotations

from flask import Flask, Response

from cashier import bill, control, gateway, pages
from cashier.config import Config
from cashier.desk import Desk

# The pages carry no script at all, and no style but the one file; a control page may post to itself only.
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
LARGEST_REQUEST = 512 * 1024


def create_app(config: Config | None = None, *, with_sender: bool = True) -> Flask:
    """The WSGI application; settings come from the environment unless given.

    ``with_sender=False`` leaves out the background thread that sends notifications (several processes may run it).
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    desk = Desk(config or Config.from_env())
    app.extensions["cashier"] = desk
    for part in (gateway, pages, bill, control):
        app.register_blueprint(part.bp)
    pages.add_filters(app)
    app.add_url_rule("/healthz", view_func=lambda: ("ok\n", {"Content-Type": "text/plain"}), endpoint="healthz")
    app.after_request(_secure)
    if with_sender:
        desk.sender.start()
    return app


def _secure(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if not response.cache_control.max_age:
        response.headers.setdefault("Cache-Control", "no-store")
    return response
