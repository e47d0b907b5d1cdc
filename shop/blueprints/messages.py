"""站内消息: what the shop has told one, and what of it is unread. Opening one is a POST, for a GET changes nothing."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop.forms.messages import ReadAllForm
from shop.services import messages
from shop.web import redirects

bp = Blueprint("messages", __name__)


@bp.get("/messages")
@login_required
def index() -> str:
    page = request.args.get("page", "1")
    if not (page.isascii() and page.isdigit() and len(page) < 7):
        abort(404)
    return render_template("messages/index.html", found=messages.index(current_user.id, int(page)))


@bp.post("/messages/<int:message_id>/reading")
@login_required
def read(message_id: int) -> Response:
    """Mark it as read and go where it leads; back to the list when it leads nowhere."""
    link = messages.read(current_user.id, message_id)
    return redirect(redirects.inside(link, url_for("messages.index")), 303)


@bp.post("/messages/reading")
@login_required
def read_all() -> Response:
    form = ReadAllForm()
    if not form.validate() or form.newest.data is None:
        abort(422)
    messages.read_all(current_user.id, form.newest.data)
    flash(_("消息已全部标为已读。"), "ok")
    return redirect(url_for("messages.index"), 303)
