"""Who is asking: the logged-in person, loaded with one statement when something wants to know."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, current_app, g, redirect, request, url_for
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop.enums import Role
from shop.errors import MentorsOnly, RedisDown, StaffDoNotBuy
from shop.extensions import login_manager
from shop.services import accounts
from shop.services.accounts import Person
from shop.web import redirects
from shop.web.sessions import this_session

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Nobody:
    """A visitor who is not logged in."""

    id: None = None
    username: str = ""
    role: None = None
    is_staff: bool = False
    unread: int = 0
    is_authenticated: bool = False
    is_active: bool = False
    is_anonymous: bool = True

    def get_id(self) -> None:
        return None


NOBODY = Nobody()
PERSON_ID = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})", re.ASCII)  # what Person.get_id makes


def log_in(person: Person) -> None:
    """Make this browser's session the person's, under a new id. Raises RedisError."""
    this_session().begin(person.get_id(), strict=person.is_staff)
    g._login_user = person


def log_out() -> None:
    """End this browser's session on the server. Raises RedisError."""
    this_session().end()
    g._login_user = NOBODY


def as_visitor() -> None:
    """For the rest of this request nobody is logged in: an error page must need no session and no database."""
    g._login_user = NOBODY
    g.cart_count = 0


def address() -> str:
    return request.remote_addr or "unknown"


def address_tag() -> str:
    """Tells addresses apart in the log without naming them."""
    key = str(current_app.secret_key).encode()
    return hmac.new(key, address().encode(), hashlib.sha256).hexdigest()[:12]


def _load(user_id: object) -> Person | None:
    found = PERSON_ID.fullmatch(user_id) if isinstance(user_id, str) else None  # garbage is nobody (safety.md F16)
    return accounts.person(int(found[1]), int(found[2])) if found else None


def ask_to_log_in() -> Response:
    """To the log-in page, and back afterwards: to this page, or to the one that a form was on."""
    if this_session().unavailable:
        raise RedisDown
    back = request.full_path if request.method in ("GET", "HEAD") else redirects.sent_from().partition("?")[0]
    return redirect(url_for("account.login", next=redirects.inside(back)), 303)


def buyer_required(view: Callable[P, R]) -> Callable[P, R]:
    """For what only buyers do: visitors are asked to log in, staff are refused (StaffDoNotBuy)."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if current_user.is_staff:
            raise StaffDoNotBuy
        return view(*args, **kwargs)

    return login_required(guarded)


def mentor_required(view: Callable[P, R]) -> Callable[P, R]:
    """For the mentors' desk: visitors are asked to log in, everybody else is refused (MentorsOnly)."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if current_user.role is not Role.MENTOR or current_user.is_staff:
            raise MentorsOnly
        return view(*args, **kwargs)

    return login_required(guarded)


def init_app(app: Flask) -> None:
    # Not login_manager.init_app: its after_request asks the session about a remember-me cookie on every
    # answer, health checks included, and its context processor loads the person even for an error page.
    app.login_manager = login_manager  # type: ignore[attr-defined]
    login_manager.session_protection = None  # a phone changes its address; the cookie is HttpOnly and signed
    login_manager.anonymous_user = lambda: NOBODY
    login_manager.user_loader(_load)
    login_manager.unauthorized_handler(ask_to_log_in)
