"""What every page may use, none of it looked up before a template asks."""

from __future__ import annotations

from typing import Any

import redis
from flask import Flask, g
from flask_login import current_user
from werkzeug.local import LocalProxy

from shop.services import cart
from shop.web.locale import html_lang
from shop.web.redirects import this_page
from shop.web.sessions import this_session, visitor_owner


def _count() -> int:
    """Lines in this person's cart; 0 when it cannot be known, for no page fails over its header."""
    if "cart_count" not in g:
        g.cart_count = _look_up()
    return int(g.cart_count)


def _look_up() -> int:
    account_id = current_user.id
    session = this_session()
    if session.unavailable or (session.new and not account_id):
        return 0
    try:
        return cart.count(f"a{account_id}" if account_id else visitor_owner())
    except redis.RedisError:
        return 0


def init_app(app: Flask) -> None:
    cart_count: Any = LocalProxy(_count)

    @app.context_processor
    def every_page() -> dict[str, Any]:
        return {
            "current_user": current_user,
            "cart_count": cart_count,
            "html_lang": html_lang(),
            "this_page": this_page,
        }
