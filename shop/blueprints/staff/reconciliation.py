"""Alipay's bill of a day beside the books."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from shop import clock
from shop.forms.staff import DAY as DAY_TEXT
from shop.forms.staff import ReasonForm
from shop.rules.staff_rights import Task
from shop.services.reconciliation import NoBill, NotOver
from shop.services.staff import money_desk
from shop.web.staff import staff_actor, staff_may

bp = Blueprint("staff_reconciliation", __name__, url_prefix="/staff/reconciliation")

DAY = "<string(length=10):day>"
DIFFERENCE = "<int(min=1, max=2147483647):difference_id>"

Page = str | Response | tuple[str, int]


@bp.get("")
@staff_may(Task.MONEY_READ)
def index() -> Page:
    return render_template(
        "staff/money/reconciliations.html", days=money_desk.days(), today=clock.local_date(clock.now())
    )


@bp.get(f"/{DAY}")
@staff_may(Task.MONEY_READ)
def page(day: str) -> Page:
    return _page(_day(day))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text if DAY_TEXT.fullmatch(text) else "")
    except ValueError:
        abort(404)


def _page(day: date, *, form: ReasonForm | None = None, about: int | None = None) -> str:
    row, differences, history = money_desk.day(day)
    return render_template(
        "staff/money/reconciliation.html",
        row=row,
        differences=differences,
        history=history,
        form=form or ReasonForm(None),
        about=about,
        now=clock.now(),
    )


@bp.post(f"/{DAY}/runs")
@staff_may(Task.MONEY_SETTLE)
def run(day: str) -> Page:
    """Compare the day again; what is safe heals by itself."""
    when = _day(day)
    try:
        left = money_desk.compare_again(when, actor=staff_actor())
    except NotOver:
        flash(_("这一天还没有结束，支付宝还没有账单。"), "warning")
        return redirect(url_for("staff_reconciliation.index"), 303)
    except NoBill:
        flash(_("现在拿不到这一天的账单，什么都没有改变。请稍后再试。"), "warning")
        return redirect(url_for("staff_reconciliation.index"), 303)
    flash(
        ngettext("已重新对账：还有 %(num)s 处差异需要人处理。", "已重新对账：还有 %(num)s 处差异需要人处理。", left),
        "ok" if not left else "warning",
    )
    return redirect(url_for("staff_reconciliation.page", day=day), 303)


@bp.post(f"/differences/{DIFFERENCE}/owner")
@staff_may(Task.MONEY_SETTLE)
def take(difference_id: int) -> Page:
    day = money_desk.take_difference(difference_id, actor=staff_actor())
    flash(_("已由您负责。"), "ok")
    return redirect(url_for("staff_reconciliation.page", day=f"{day:%Y-%m-%d}"), 303)


@bp.post(f"/differences/{DIFFERENCE}/resolution")
@staff_may(Task.MONEY_SETTLE)
def resolve(difference_id: int) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(money_desk.day_of(difference_id), form=form, about=difference_id), 422
    day = money_desk.resolve_difference(difference_id, actor=staff_actor(), reason=form.reason.data)
    flash(_("已记录处理结果。"), "ok")
    return redirect(url_for("staff_reconciliation.page", day=f"{day:%Y-%m-%d}"), 303)
