"""Pages of an account: register, log in and out, own data, password, and the language of the shop."""

from __future__ import annotations

import structlog
from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop.blueprints import second_factor
from shop.forms.account import LoginForm, PasswordForm, RegisterForm
from shop.services import accounts, cart, mail
from shop.web import locale, login_guard, redirects, throttle
from shop.web.people import address, address_tag, log_in, log_out
from shop.web.sessions import require_store, this_session, visitor_owner
from shop.web.staff import roles

bp = Blueprint("account", __name__)
log = structlog.get_logger("shop.accounts")

Page = str | Response | tuple[str, int]


@bp.route("/register", methods=["GET", "POST"])
def register() -> Page:
    form = RegisterForm(next=redirects.inside(request.args.get("next")))
    if current_user.is_authenticated:
        return redirect(redirects.inside(form.next.data), 303)
    if request.method == "GET":
        require_store()
        return render_template("account/register.html", form=form)
    if not form.validate():
        return render_template("account/register.html", form=form), 422
    throttle.hit("registration", address())
    try:
        person = accounts.register(form.username.data, form.email.data, form.password.data)
    except accounts.UsernameTaken as error:
        form.username.errors = [error.message]
        return render_template("account/register.html", form=form), 422
    log.info("registered", account=person.id)
    return _enter(person, form.next.data, _("欢迎来到路飞学城，%(name)s。", name=person.username))


@bp.route("/login", methods=["GET", "POST"])
def login() -> Page:
    form = LoginForm(next=redirects.inside(request.args.get("next")))
    if current_user.is_authenticated:
        return redirect(redirects.inside(form.next.data), 303)
    if request.method == "GET":
        require_store()
        return _login_page(form)
    if not form.validate():
        return _login_page(form), 422
    person = _authenticate(form.username.data, form.password.data)
    if person is None:
        form.password.errors = [_("用户名或密码不对。")]
        return _login_page(form), 422
    if person.is_staff:
        return second_factor.begin(person, form.next.data)
    log.info("logged in", account=person.id)
    return _enter(person, form.next.data, _("欢迎回来，%(name)s。", name=person.username))


def _login_page(form: LoginForm) -> str:
    return render_template("account/login.html", form=form, can_reset=mail.is_on())


def _authenticate(username: str, password: str) -> accounts.Person | None:
    """The person if name and password fit. Raises TooManyTries after too many failures (docs/operations.md)."""
    name = accounts.normal_username(username)
    login_guard.before_try(name, address())
    person = accounts.authenticate(name, password)
    if person is None:
        login_guard.failed(name, address())
        log.warning("log-in failed", address=address_tag())
        return None
    login_guard.succeeded(name, address())
    return person


def _enter(person: accounts.Person, target: str | None, greeting: str) -> Response:
    """Log in, bring the visitor's cart along and go where the person wanted to go."""
    visitor = visitor_owner()
    had_cookie = not this_session().new
    log_in(person)
    flash(greeting, "ok")
    for message in cart.merge_at_login(visitor, person.id) if had_cookie else ():
        flash(message.text, message.category)
    return redirect(redirects.inside(target), 303)


@bp.post("/logout")
def logout() -> Response:
    """End the session on this device. A second press, or one after the session ended, is no error."""
    if current_user.is_authenticated:
        log.info("logged out", account=current_user.id)
    return _leave(_("您已退出登录。"))


@bp.post("/account/logout-everywhere")
@login_required
def logout_everywhere() -> Response:
    accounts.end_sessions(current_user.id)
    log.info("logged out everywhere", account=current_user.id)
    return _leave(_("您已在所有设备上退出登录。"))


def _leave(message: str) -> Response:
    log_out()
    flash(message, "ok")
    response = redirect("/", 303)
    # Pages that the browser keeps (back button on a shared computer) go too; cookies stay: the new session's is one.
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@bp.get("/account")
@login_required
def overview() -> Page:
    return _overview(PasswordForm(current_user.username))


def _overview(form: PasswordForm) -> str:
    return render_template(
        "account/overview.html", account=accounts.view(current_user.id), staff_roles=sorted(roles()), form=form
    )


@bp.post("/account/password")
@login_required
def change_password() -> Page:
    form = PasswordForm(current_user.username)
    if not form.validate():
        return _overview(form), 422
    throttle.hit("password_change", current_user.id)
    try:
        person = accounts.change_password(current_user.id, form.current.data, form.new.data)
    except accounts.WrongPassword as error:
        form.current.errors = [error.message]
        return _overview(form), 422
    throttle.forget("password_change", current_user.id)
    log.info("password changed", account=person.id)
    log_in(person)
    flash(_("密码已修改，其他设备上的登录已经失效。"), "ok")
    return redirect(url_for("account.overview"), 303)


@bp.post("/language")
def language() -> Response:
    chosen = request.form.get("language", "")
    response = redirect(redirects.inside(request.form.get("next")), 303)
    if chosen in locale.LOCALES:
        locale.remember(response, chosen, current_app.extensions["settings"])
    return response
