"""我的数据: what the shop keeps about a person, to take along, and the way out of it (safety.md 7.3)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import IO

import structlog
from flask import Blueprint, Response, flash, g, redirect, render_template, stream_template, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response as AnyResponse

from shop import clock
from shop.enums import Choice
from shop.forms.account import DeletionForm, OwnerForm
from shop.money import to_yuan
from shop.services import data_export, erasure, own_data, uploads
from shop.services.accounts import normal_username
from shop.services.data_export import ExportGone
from shop.services.erasure import NotDeletable
from shop.services.own_data import Part
from shop.services.own_data_words import COLUMNS
from shop.web import login_guard, throttle, zip_files
from shop.web.errors import note_refusal
from shop.web.people import address, log_out
from shop.web.zip_files import File

bp = Blueprint("own_data", __name__, url_prefix="/account/data")

TOKEN = "<string(length=43):token>"
CHUNK = 256 * 1024

log = structlog.get_logger("shop.accounts")

Page = str | AnyResponse | tuple[str, int]


@bp.after_request
def keep_the_token(response: Response) -> Response:
    """Not even our own pages hear of the token by the Referer; the origin alone is what the CSRF check needs."""
    response.headers["Referrer-Policy"] = "strict-origin"
    return response


@bp.get("")
@login_required
def page() -> Page:
    return _page(DeletionForm(None))


def _page(form: DeletionForm, gone: ExportGone | None = None) -> str:
    return render_template(
        "account/data.html",
        obstacles=erasure.obstacles(current_user.id),
        exports=data_export.latest(current_user.id),
        now=clock.now(),
        form=form,
        gone=gone,
    )


# ---------------------------------------------------------------- taking it along


@bp.post("/exports")
@login_required
def ask() -> Page:
    throttle.hit("data_export", current_user.id)
    token = data_export.ask(current_user.id)
    return redirect(url_for("own_data.export_page", token=token), 303)


@bp.get(f"/exports/{TOKEN}")
@login_required
def export_page(token: str) -> Page:
    try:
        data_export.check(current_user.id, token)
    except ExportGone as error:
        return _gone(error)
    return render_template("account/export.html", form=OwnerForm(None), token=token)


@bp.post(f"/exports/{TOKEN}")
@login_required
def download(token: str) -> Page:
    """The archive, once. The password is asked for here, where the data leave, whoever has asked for the link."""
    form = OwnerForm()
    try:
        data_export.check(current_user.id, token)
        if not _is_owner(form):
            return render_template("account/export.html", form=form, token=token), 422
        data_export.use(current_user.id, token)
    except ExportGone as error:
        return _gone(error)
    log.info("own data exported", account=current_user.id)
    g.is_private = True
    return zip_files.download("my-data", _files(current_user.id))


def _gone(error: ExportGone) -> Page:
    note_refusal(error)
    return _page(DeletionForm(None), gone=error), error.status


def _is_owner(form: OwnerForm) -> bool:
    """Raises TooManyTries."""
    if not form.validate():
        return False
    if login_guard.is_owner(current_user.username, form.password.data, address()):
        return True
    form.password.errors = [_("密码不对。")]
    return False


def _files(account_id: int) -> Iterator[File]:
    locale = get_locale()
    parts = list(own_data.parts(account_id, "en" if locale is not None and locale.language == "en" else "zh"))
    yield "data.json", _as_json(parts)
    template = stream_template("account/archive.html", parts=parts, column=_column, shown=_shown, made=clock.now())
    yield "index.html", (piece.encode() for piece in template)
    for upload_id, name, stream in uploads.own(account_id):
        yield f"files/{upload_id}-{name}", _pieces(stream)


def _pieces(stream: IO[bytes]) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(CHUNK):
            yield piece


def _as_json(parts: Sequence[Part]) -> Iterator[bytes]:
    whole = {
        "made_time": clock.now().isoformat(),
        **{
            part.name: [{name: own_data.plain(value) for name, value in row.items()} for row in part.rows]
            for part in parts
        },
    }
    yield from (piece.encode() for piece in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(whole))


def _column(name: str) -> str:
    return _(COLUMNS[name])


def _shown(name: str, value: object) -> str:
    """A value in the words of the page: choices by their labels, money in yuan, instants in Shanghai's time."""
    if value is None:
        return ""
    if isinstance(value, Choice):
        return value.label
    if isinstance(value, bool):
        return _("是") if value else _("否")
    if isinstance(value, datetime):
        return f"{clock.local(value):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    if name.endswith("_fen") and isinstance(value, int):
        return _("%(amount)s 元", amount=to_yuan(value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


# ---------------------------------------------------------------- leaving


@bp.post("/deletion")
@login_required
def delete() -> Page:
    form = DeletionForm()
    if not _is_owner(form):
        return _page(form), 422
    name = normal_username(current_user.username)
    try:
        erasure.delete_own(current_user.id, gives_up=form.gives_up.data, beli=form.beli.data or 0)
    except NotDeletable as error:
        note_refusal(error)
        return _page(form), error.status
    login_guard.forget(name)
    log_out()
    flash(_("账户已经注销，个人数据已经删除。订单等交易记录按法律规定保留，不再与您的姓名关联。"), "ok")
    response = redirect("/", 303)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
