"""The second half of a staff log-in: setting the factor up the first time, showing it, and showing it again."""

from __future__ import annotations

from dataclasses import dataclass

import segno
import structlog
from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop import clock
from shop.extensions import settings
from shop.forms.second_factor import CodeForm, ConfirmForm
from shop.rules.staff_rights import Task
from shop.services import accounts, second_factor
from shop.services.accounts import Person
from shop.services.second_factor import WrongCode
from shop.web import login_guard, redirects, throttle
from shop.web.people import address, log_in
from shop.web.staff import note_confirmation, require

bp = Blueprint("second_factor", __name__)
log = structlog.get_logger("shop.accounts")

PENDING = "half logged in"
PENDING_SECONDS = 600

Page = str | Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Half:
    """Somebody of the staff whose password was right, and where they wanted to go."""

    person: Person
    target: str
    secret: str  # of a factor that is being set up


def begin(person: Person, target: str) -> Response:
    """After the right password: on to the code, or to setting the factor up the first time."""
    is_first = not second_factor.has_one(person.id)
    session[PENDING] = {
        "person": [person.id, person.session_epoch],
        "target": target,
        "secret": second_factor.new_secret() if is_first else "",
        "since": clock.now().timestamp(),
    }
    return redirect(url_for("second_factor.enrol" if is_first else "second_factor.ask"), 303)


def _half() -> Half | None:
    """Who is half logged in here, for ten minutes, while the account is what it was."""
    kept = session.get(PENDING)
    if not isinstance(kept, dict) or clock.now().timestamp() - kept["since"] > PENDING_SECONDS:
        return None
    person = accounts.person(*kept["person"])
    return Half(person, kept["target"], kept["secret"]) if person else None


def _start_again() -> Response:
    flash(_("登录已超时，请重新输入用户名和密码。"), "warning")
    return redirect(url_for("account.login"), 303)


@bp.route("/login/second-factor", methods=["GET", "POST"])
def ask() -> Page:
    half = _half()
    if half is None or half.secret:
        return _start_again()
    form = CodeForm()
    if request.method == "GET":
        return _code_page(form, half)
    if not form.validate():
        return _code_page(form, half), 422
    try:
        _check(half.person.id, form.code.data)
    except WrongCode as error:
        form.code.errors = [error.message]
        return _code_page(form, half), error.status
    _log_in(half, _("欢迎回来，%(name)s。", name=half.person.username))
    return redirect(_destination(half), 303)


def _code_page(form: CodeForm, half: Half) -> str:
    return render_template("account/second_factor.html", form=form, demo_code=_demo_code(half.person.id))


def _check(account_id: int, code: str) -> None:
    """Raises WrongCode, TooManyTries."""
    throttle.hit("second_factor", account_id)
    try:
        second_factor.check(account_id, code, clock.now())
    except WrongCode:
        log.warning("second factor refused", account=account_id)
        raise
    throttle.forget("second_factor", account_id)


def _demo_code(account_id: int) -> str:
    """The code itself, in the demo only: nobody who tries the shop out has its staff in an app."""
    if settings().is_production:
        return ""
    secret = second_factor.demo_secret(account_id)
    return second_factor.code_now(secret, clock.now()) if secret else ""


def _log_in(half: Half, greeting: str) -> None:
    log_in(half.person)
    note_confirmation()
    log.info("logged in", account=half.person.id)
    flash(greeting, "ok")


@bp.route("/login/second-factor/new", methods=["GET", "POST"])
def enrol() -> Page:
    half = _half()
    if half is None or not half.secret:
        return _start_again()
    form = CodeForm()
    if request.method == "GET":
        return _enrol_page(form, half)
    if not form.validate():
        return _enrol_page(form, half), 422
    try:
        throttle.hit("second_factor", half.person.id)
        codes = second_factor.enrol(half.person.id, half.secret, form.code.data, clock.now())
    except WrongCode as error:
        form.code.errors = [error.message]
        return _enrol_page(form, half), error.status
    throttle.forget("second_factor", half.person.id)
    _log_in(half, _("欢迎，%(name)s。", name=half.person.username))
    return render_template("account/recovery_codes.html", codes=codes, target=_destination(half))


def _destination(half: Half) -> str:
    """Where they were on the way to; the desk for those who only logged in."""
    target = redirects.inside(half.target)
    return "/staff/" if target == "/" else target


def _enrol_page(form: CodeForm, half: Half) -> str:
    uri = second_factor.address(half.person.username, half.secret)
    code = "" if settings().is_production else second_factor.code_now(half.secret, clock.now())
    return render_template(
        "account/second_factor_new.html", form=form, qr=_squares(uri), secret=half.secret, demo_code=code
    )


def _squares(uri: str) -> tuple[int, str]:
    """The QR code: how many squares wide it is with its margin, and the dark ones as an SVG path."""
    rows = list(segno.make(uri, error="m", micro=False).matrix_iter(border=4))
    dark = (f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, is_dark in enumerate(row) if is_dark)
    return len(rows), "".join(dark)


@bp.route("/staff/confirm", methods=["GET", "POST"])
@login_required
def confirm() -> Page:
    """Password and code once more, before money moves."""
    require(Task.DESK)
    form = ConfirmForm(next=redirects.inside(request.args.get("next"), "/staff/"))
    if request.method == "GET":
        return _confirm_page(form)
    if not form.validate():
        return _confirm_page(form), 422
    try:
        _check_password(form.password.data)
        _check(current_user.id, form.code.data)
    except WrongCode as error:
        form.code.errors = [error.message]
        return _confirm_page(form), error.status
    except accounts.WrongPassword as error:
        form.password.errors = [error.message]
        return _confirm_page(form), error.status
    note_confirmation()
    flash(_("已确认身份，请继续。"), "ok")
    return redirect(redirects.inside(form.next.data, "/staff/"), 303)


def _confirm_page(form: ConfirmForm) -> str:
    return render_template("account/confirm.html", form=form, demo_code=_demo_code(current_user.id))


def _check_password(password: str) -> None:
    """Raises WrongPassword, TooManyTries."""
    if not login_guard.is_owner(current_user.username, password, address()):
        raise accounts.WrongPassword
