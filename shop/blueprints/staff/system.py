"""Jobs, audits and letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from shop import clock
from shop.forms.staff import ReasonForm
from shop.rules.staff_rights import Task
from shop.services.staff import system
from shop.web.staff import confirmed, may, staff_actor, staff_may

bp = Blueprint("staff_system", __name__, url_prefix="/staff/system")

LETTER = "<int(min=1, max=2147483647):letter_id>"

Page = str | Response | tuple[str, int]


@bp.get("")
@staff_may(Task.AUDIT_FINDINGS)
def index() -> Page:
    return _page()


def _page(*, form: ReasonForm | None = None, about: int | None = None) -> str:
    is_all = may(Task.SYSTEM)
    return render_template(
        "staff/system/index.html",
        audit=system.last_audit(),
        jobs=system.jobs() if is_all else [],
        nights=system.nights() if is_all else [],
        letters=system.letters() if is_all else [],
        form=form or ReasonForm(None),
        about=about,
        now=clock.now(),
    )


@bp.post("/jobs/<string(maxlength=64):name>/runs")
@staff_may(Task.SYSTEM)
@confirmed
def run_job(name: str) -> Page:
    if system.run_job(name, actor=staff_actor()):
        flash(_("任务 %(name)s 已运行完。", name=name), "ok")
    else:
        flash(_("任务 %(name)s 又失败了，错误见下表。", name=name), "warning")
    return redirect(url_for("staff_system.index"), 303)


@bp.post("/audits")
@staff_may(Task.AUDIT_FINDINGS)
def audit_now() -> Page:
    left = system.audit_now(actor=staff_actor())
    flash(
        ngettext("审计完成：还有 %(num)s 项发现。", "审计完成：还有 %(num)s 项发现。", left)
        if left
        else _("审计完成：全部成立。"),
        "warning" if left else "ok",
    )
    return redirect(url_for("staff_system.index"), 303)


@bp.post(f"/letters/{LETTER}/sending")
@staff_may(Task.SYSTEM)
def send_again(letter_id: int) -> Page:
    return _mend(letter_id, system.send_again, _("已放回待发送，一分钟内会再次发送。"))


@bp.post(f"/letters/{LETTER}/delete")
@staff_may(Task.SYSTEM)
def give_up(letter_id: int) -> Page:
    return _mend(letter_id, system.give_up, _("已放弃这封邮件。"))


def _mend(letter_id: int, mend: Callable[..., Any], done: str) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(form=form, about=letter_id), 422
    mend(letter_id, actor=staff_actor(), reason=form.reason.data)
    flash(done, "ok")
    return redirect(url_for("staff_system.index"), 303)
