"""What each rule of rewards and penalties is worth, and what it was worth before."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from shop.errors import NotYourTurn
from shop.forms.staff_studies import RuleForm
from shop.models import ScoreRule
from shop.rules.rewards import CHANGEABLE, FIRST_SCORES
from shop.rules.staff_rights import Task
from shop.services import rule_book
from shop.web.errors import note_refusal
from shop.web.staff import confirmed, staff_actor, staff_may

bp = Blueprint("staff_rules", __name__, url_prefix="/staff/rules")

Page = str | Response | tuple[str, int]


@bp.get("")
@staff_may(Task.STUDIES_READ)
def index() -> Page:
    return _page()


def _page(form: RuleForm | None = None, refused: str = "") -> str:
    return render_template(
        "staff/rules/index.html",
        rules=rule_book.every_version(),
        first=FIRST_SCORES,
        changeable=CHANGEABLE,
        form=form or RuleForm(None),
        about=(form.rule.data, form.kind.data) if form else None,
        refused=refused,
    )


@bp.post("")
@staff_may(Task.STUDIES_RUN)
@confirmed
def change() -> Page:
    form = RuleForm()
    if not form.validate() or form.score.data is None:
        hidden = form.rule.errors or form.kind.errors or form.version.errors
        return _page(form, _("提交的不是这一页的规则，请重新打开这一页。") if hidden else ""), 422
    if (form.rule.data, form.kind.data) not in CHANGEABLE:
        return _page(form, _("这条规则没有可以在这里改的数。")), 422
    try:
        made = rule_book.change(
            form.rule.data,
            form.kind.data,
            form.score.data,
            actor=staff_actor(),
            reason=form.reason.data,
            instead_of=form.version.data,
        )
    except NotYourTurn as error:
        note_refusal(error)
        says = {"same": _("这条规则已经是这个数。"), "changed": _("刚刚有同事改了这条规则，请看下面现在的数，再决定。")}
        return _page(form, says[str(error.facts["why"])]), error.status
    flash(_("新版本已生效：%(rule)s，%(beli)s 贝里（第 %(n)s 版）。已经记账的不变。", **_facts(made)), "ok")
    return redirect(url_for("staff_rules.index"), 303)


def _facts(made: ScoreRule) -> dict[str, object]:
    return {"rule": made.rule.label, "beli": made.score, "n": made.version}
