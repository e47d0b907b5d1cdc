"""Pages for whoever has forgotten the password. They answer alike for addresses with and without an account."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from shop.errors import TooManyTries
from shop.forms.account import NewPasswordForm, ResetRequestForm
from shop.services import mail, password_reset
from shop.services.accounts import normal_username
from shop.services.password_reset import LinkGone, Owner
from shop.web import login_guard, throttle
from shop.web.errors import note_refusal
from shop.web.people import address, address_tag

bp = Blueprint("password_reset", __name__)
log = structlog.get_logger("shop.accounts")

Page = str | AnyResponse | tuple[str, int]


@bp.before_request
def only_with_mail() -> None:
    g.is_private = True  # kept by no browser
    if not mail.is_on():
        abort(404)


@bp.after_request
def keep_the_token(response: Response) -> Response:
    """Not even our own pages hear of the token by the Referer; the origin alone is what the CSRF check needs."""
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


@bp.route("/password/reset", methods=["GET", "POST"])
def ask() -> Page:
    form = ResetRequestForm()
    if request.method != "POST":
        return _page(form, is_sent="sent" in request.args)
    if not form.validate():
        return _page(form), 422
    throttle.hit("reset_address", address())
    _write_to(form.email.data)
    return redirect(url_for("password_reset.ask", sent=1), 303)


def _page(form: ResetRequestForm, *, is_sent: bool = False, gone: LinkGone | None = None) -> str:
    return render_template("account/reset.html", form=form, is_sent=is_sent, gone=gone, has_outbox=mail.is_kept())


def _write_to(email: str) -> None:
    """No more than a few letters in the life of a link. Nobody is locked out by that: the last one is still good."""
    try:
        throttle.hit("reset_account", email)
    except TooManyTries as error:
        note_refusal(error)
        return
    password_reset.ask(email)
    log.info("password reset asked for", address=address_tag())


@bp.route("/password/reset/<string(length=43):token>", methods=["GET", "POST"])
def choose(token: str) -> Page:
    try:
        owner = password_reset.owner_of(token)
        form = NewPasswordForm(owner.username, owner.email)
        if request.method != "POST":
            return _new_password_page(form, token, owner)
        if not form.validate():
            return _new_password_page(form, token, owner), 422
        password_reset.choose(token, form.new.data)
    except LinkGone as error:
        note_refusal(error)
        return _page(ResetRequestForm(formdata=None), gone=error), error.status
    login_guard.succeeded(normal_username(owner.username), address())  # wrong guesses before must not keep them out
    log.info("password reset", account=owner.account_id)
    flash(_("密码已设好，请用新密码登录。"), "ok")
    return redirect(url_for("account.login"), 303)


def _new_password_page(form: NewPasswordForm, token: str, owner: Owner) -> str:
    return render_template("account/new_password.html", form=form, token=token, username=owner.username)
