"""The demo's post office: letters that a shop with a mail server would have sent. Not there in production."""

from __future__ import annotations

from flask import Blueprint, abort, g, render_template, request
from markupsafe import Markup, escape

from shop.extensions import settings
from shop.services import mail

bp = Blueprint("outbox", __name__)
LOCAL = ("127.0.0.1", "::1")


@bp.get("/outbox")
def index() -> str:
    """The newest letters to anybody, links that set passwords among them: for eyes at this machine only."""
    if not mail.is_kept() or request.remote_addr not in LOCAL:
        abort(404)
    g.is_private = True
    return render_template("account/outbox.html", letters=mail.newest(), linked=linked)


def linked(body: str) -> Markup:
    """A letter's text, its own lines that are addresses of this shop as links."""
    home = f"{settings().public_url}/"
    lines = [
        Markup('<a href="{0}">{0}</a>').format(line) if line.startswith(home) else escape(line)
        for line in body.splitlines()
    ]
    return Markup("\n").join(lines)
