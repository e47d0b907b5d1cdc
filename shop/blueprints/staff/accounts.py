"""Accounts, roles and sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop.enums import StaffRole
from shop.errors import NotYourself, ShopError
from shop.extensions import settings
from shop.forms import Form
from shop.forms.staff import ReasonForm
from shop.forms.staff_accounts import AccountFilter, NewAccountForm, NewKind, RolesForm
from shop.rules.staff_rights import Task
from shop.services import data_export, erasure, second_factor
from shop.services.accounts import UsernameTaken
from shop.services.erasure import NotDeletable
from shop.services.staff import accounts
from shop.services.staff.accounts import Kind, LastAdministrator, Line, NoAddress
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked, asked_cursor
from shop.web.staff import confirmed, staff_actor, staff_may

bp = Blueprint("staff_accounts", __name__, url_prefix="/staff")

ACCOUNT = "<int(min=1, max=2147483647):account_id>"

Page = str | Response | tuple[str, int]


@bp.get("/accounts")
@staff_may(Task.ACCOUNTS)
def index() -> Page:
    form = asked(AccountFilter)
    window = accounts.listed(form.kind.data, form.username.data or "", asked_cursor())
    kept = {"kind": int(form.kind.data), "username": form.username.data}
    return render_template("staff/accounts/index.html", form=form, window=window, kept=kept)


@bp.get("/accounts/new")
@staff_may(Task.ACCOUNTS)
@confirmed  # before the form is filled in, not after
def new() -> Page:
    return render_template("staff/accounts/new.html", form=NewAccountForm(None))


@bp.get("/accounts.csv")
@staff_may(Task.ACCOUNTS)
def csv() -> Response:
    form = asked(AccountFilter)
    head = [_("用户名"), _("身份"), _("角色"), _("状态"), _("两步验证"), _("注册时间")]
    lines = accounts.everything(form.kind.data, form.username.data or "")
    return csv_files.download("accounts", head, map(_cells, lines))


def _cells(line: Line) -> Sequence[object]:
    factor = (_("已设置") if line.has_factor else _("下次登录时设置")) if line.is_staff else ""
    return [
        *(line.username, _("员工") if line.is_staff else line.role.label),
        _("、").join(role.label for role in line.roles),
        *(_("正常") if line.is_active else _("已停用"), factor, csv_files.moment(line.date_joined)),
    ]


@bp.post("/accounts")
@staff_may(Task.ACCOUNTS)
@confirmed
def create() -> Page:
    form = NewAccountForm()
    if form.validate():
        try:
            account_id, token = accounts.create(
                form.username.data,
                form.roles.data,
                is_mentor=form.kind.data is NewKind.MENTOR,
                actor=staff_actor(),
                reason=form.reason.data,
            )
            return _page(account_id, token=token, is_new=True)
        except UsernameTaken as error:
            form.username.errors = [error.message]
    return render_template("staff/accounts/new.html", form=form), 422


@bp.get(f"/accounts/{ACCOUNT}")
@staff_may(Task.ACCOUNTS)
def page(account_id: int) -> Page:
    return _page(account_id)


def _page(account_id: int, *, token: str = "", is_new: bool = False, refused: str = "", **forms: Form) -> str:
    """The page of an account; ``token`` is of a link that is told this once, ``is_new`` says that it was just made."""
    sheet = accounts.sheet(account_id)
    return render_template(
        "staff/accounts/page.html",
        sheet=sheet,
        is_me=account_id == current_user.id,
        obstacles=list(dict.fromkeys(one.kind for one in erasure.obstacles(account_id))),
        link=f"{settings().public_url}/password/reset/{token}" if token else "",
        roles_form=forms.get("roles", RolesForm(None, roles=sheet.line.roles)),
        reason_form=forms.get("reason", ReasonForm(None)),
        is_new=is_new,
        kind=Kind.STAFF if sheet.line.is_staff else Kind.MENTORS,
        refused=refused,
    )


@bp.post(f"/accounts/{ACCOUNT}/roles")
@staff_may(Task.ACCOUNTS)
@confirmed
def set_roles(account_id: int) -> Page:
    form = RolesForm()
    if not form.validate():
        return _page(account_id, roles=form), 422
    roles: list[StaffRole] = form.roles.data
    try:
        accounts.set_roles(account_id, roles, actor=staff_actor(), reason=form.reason.data)
    except (LastAdministrator, NotYourself) as error:
        return _refused(account_id, error)
    return _done(account_id, _("角色已更新，从对方的下一次操作起生效。"))


@bp.post(f"/accounts/{ACCOUNT}/disabling")
@staff_may(Task.ACCOUNTS)
@confirmed
def disable(account_id: int) -> Page:
    return _with_reason(account_id, accounts.disable, _("账户已停用，所有登录已失效。"))


@bp.post(f"/accounts/{ACCOUNT}/enabling")
@staff_may(Task.ACCOUNTS)
@confirmed
def enable(account_id: int) -> Page:
    return _with_reason(account_id, accounts.enable, _("账户已恢复，可以重新登录。"))


@bp.post(f"/accounts/{ACCOUNT}/sessions/ending")
@staff_may(Task.ACCOUNTS)
@confirmed
def end_sessions(account_id: int) -> Page:
    return _with_reason(account_id, accounts.end_sessions, _("所有登录已失效。"))


@bp.post(f"/accounts/{ACCOUNT}/second-factor/delete")
@staff_may(Task.ACCOUNTS)
@confirmed
def drop_second_factor(account_id: int) -> Page:
    return _with_reason(account_id, second_factor.drop, _("两步验证已清除，对方下次登录时重新设置。"))


@bp.post(f"/accounts/{ACCOUNT}/password-link")
@staff_may(Task.ACCOUNTS)
@confirmed
def password_link(account_id: int) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(account_id, reason=form), 422
    try:
        token = accounts.password_link(account_id, actor=staff_actor(), reason=form.reason.data)
    except (NotYourself, NoAddress) as error:
        return _refused(account_id, error)
    return _page(account_id, token=token) if token else _done(account_id, _("重设密码的链接已用邮件发给本人。"))


@bp.post(f"/accounts/{ACCOUNT}/exports")
@staff_may(Task.ACCOUNTS)
@confirmed
def export(account_id: int) -> Page:
    """The link goes to the person; nobody here sees it."""
    return _with_reason(account_id, data_export.start, _("下载链接已发给本人，24 小时内有效。"))


@bp.post(f"/accounts/{ACCOUNT}/deletion")
@staff_may(Task.ACCOUNTS)
@confirmed
def delete(account_id: int) -> Page:
    return _with_reason(account_id, erasure.delete_for, _("账户已注销，个人数据已删除，交易记录已脱离姓名。"))


def _with_reason(account_id: int, change: Callable[..., Any], done: str) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(account_id, reason=form), 422
    try:
        change(account_id, actor=staff_actor(), reason=form.reason.data)
    except (LastAdministrator, NotYourself, NotDeletable) as error:
        return _refused(account_id, error)
    return _done(account_id, done)


def _refused(account_id: int, error: ShopError) -> Page:
    note_refusal(error)
    return _page(account_id, refused=error.message), error.status


def _done(account_id: int, message: str) -> Response:
    flash(message, "ok")
    return redirect(url_for("staff_accounts.page", account_id=account_id), 303)
