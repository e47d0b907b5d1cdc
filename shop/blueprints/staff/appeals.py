"""Appeals of mentors against penalties: read with their evidence, and decided."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.blueprints import score_words
from shop.enums import ComplaintState
from shop.errors import NotYourTurn
from shop.forms.staff import ReasonForm
from shop.forms.staff_studies import DisputeFilter
from shop.models import Appeal
from shop.rules.staff_rights import Task
from shop.services import appeals
from shop.services.staff import dispute_desk
from shop.services.staff.dispute_desk import AppealLine
from shop.services.study_cases import OwnStudy
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked, asked_cursor
from shop.web.staff import confirmed, staff_actor, staff_may

bp = Blueprint("staff_appeals", __name__, url_prefix="/staff")

APPEAL = "<int(min=1, max=2147483647):appeal_id>"

Page = str | Response | tuple[str, int]


@bp.get("/appeals")
@staff_may(Task.STUDIES_READ)
def index() -> Page:
    form = asked(DisputeFilter)
    state: ComplaintState = form.state.data
    return render_template(
        "staff/disputes/appeals.html",
        state=state,
        states=list(ComplaintState),
        counts=dispute_desk.counts(Appeal, current_user.id),
        window=dispute_desk.appeals(state, asked_cursor(), current_user.id),
        now=clock.now(),
    )


@bp.get("/appeals.csv")
@staff_may(Task.STUDIES_READ)
def csv() -> Response:
    form = asked(DisputeFilter)
    head = [
        *(_("编号"), _("提交时间"), _("导师"), _("报名编号"), _("学位课"), _("对哪笔扣款"), _("扣款时间"), _("贝里")),
        *(_("状态"), _("处理时间")),
    ]
    lines = dispute_desk.every_appeal(form.state.data, current_user.id)
    return csv_files.download("appeals", head, map(_cells, lines))


def _cells(item: AppealLine) -> Sequence[object]:
    line = item.line
    return [
        *(line.id, csv_files.moment(line.date), line.mentor, line.enrolment_id, line.degree),
        *(item.rule.label, csv_files.moment(item.row_time), item.score),
        *(line.state.label, csv_files.moment(line.decided_time)),
    ]


@bp.get(f"/appeals/{APPEAL}")
@staff_may(Task.STUDIES_READ)
def page(appeal_id: int) -> Page:
    return _page(appeal_id)


def _page(appeal_id: int, *, form: ReasonForm | None = None, about: str = "", refused: str = "") -> str:
    sheet = dispute_desk.appeal(appeal_id, current_user.id)
    return render_template(
        "staff/disputes/appeal.html",
        sheet=sheet,
        line=sheet.line,
        is_own=sheet.is_own,
        words=score_words,
        form=form,
        reason_form=ReasonForm(None),
        about=about,
        refused=refused,
        now=clock.now(),
    )


@bp.post(f"/appeals/{APPEAL}/upholding")
@staff_may(Task.COMPLAINTS_DECIDE)
@confirmed
def uphold(appeal_id: int) -> Page:
    return _decide(appeal_id, _("申诉成立，扣款已撤销，导师已收到通知。"), "upholding", upheld=True)


@bp.post(f"/appeals/{APPEAL}/dismissal")
@staff_may(Task.COMPLAINTS_DECIDE)
@confirmed
def dismiss(appeal_id: int) -> Page:
    return _decide(appeal_id, _("申诉不成立，导师已收到通知。"), "dismissal", upheld=False)


def _decide(appeal_id: int, done: str, about: str, *, upheld: bool) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(appeal_id, form=form, about=about), 422
    try:
        appeals.decide(appeal_id, upheld=upheld, actor=staff_actor(), reason=form.reason.data)
    except OwnStudy as error:
        note_refusal(error)
        return _page(appeal_id, refused=error.message), error.status
    except NotYourTurn as error:
        note_refusal(error)
        return _page(appeal_id, refused=_("这份申诉刚刚已被处理，没有重复执行。下面是处理结果。")), error.status
    flash(done, "ok")
    return redirect(url_for("staff_appeals.page", appeal_id=appeal_id), 303)
