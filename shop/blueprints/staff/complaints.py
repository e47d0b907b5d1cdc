"""Complaints of students about mentors: read, and decided."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.enums import ComplaintState
from shop.errors import NotYourTurn
from shop.forms.staff import ReasonForm
from shop.forms.staff_studies import DisputeFilter
from shop.models import Complaint
from shop.rules.staff_rights import Task
from shop.services import complaints
from shop.services.staff import dispute_desk
from shop.services.staff.dispute_desk import Line
from shop.services.study_cases import OwnStudy
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked, asked_cursor
from shop.web.staff import confirmed, may, person_name, staff_actor, staff_may

bp = Blueprint("staff_complaints", __name__, url_prefix="/staff")

COMPLAINT = "<int(min=1, max=2147483647):complaint_id>"

Page = str | Response | tuple[str, int]


@bp.get("/complaints")
@staff_may(Task.COMPLAINTS_READ)
def index() -> Page:
    form = asked(DisputeFilter)
    state: ComplaintState = form.state.data
    return render_template(
        "staff/disputes/complaints.html",
        state=state,
        states=list(ComplaintState),
        counts=dispute_desk.counts(Complaint, current_user.id),
        window=dispute_desk.complaints(state, asked_cursor(), current_user.id),
        now=clock.now(),
    )


@bp.get("/complaints.csv")
@staff_may(Task.COMPLAINTS_READ)
def csv() -> Response:
    form = asked(DisputeFilter)
    head = [
        *(_("编号"), _("提交时间"), _("学员"), _("姓名"), _("报名编号"), _("学位课"), _("导师"), _("状态")),
        _("处理时间"),
    ]
    lines = dispute_desk.every_complaint(form.state.data, current_user.id)
    return csv_files.download("complaints", head, map(_cells, lines))


def _cells(line: Line) -> Sequence[object]:
    return [
        *(line.id, csv_files.moment(line.date)),
        line.student if may(Task.STUDIES_READ) else person_name(line.student),
        *(line.student_name, line.enrolment_id, line.degree, line.mentor, line.state.label),
        csv_files.moment(line.decided_time),
    ]


@bp.get(f"/complaints/{COMPLAINT}")
@staff_may(Task.COMPLAINTS_READ)
def page(complaint_id: int) -> Page:
    return _page(complaint_id)


def _page(complaint_id: int, *, form: ReasonForm | None = None, about: str = "", refused: str = "") -> str:
    sheet = dispute_desk.complaint(complaint_id, current_user.id)
    return render_template(
        "staff/disputes/complaint.html",
        sheet=sheet,
        line=sheet.line,
        is_own=sheet.is_own,
        form=form,
        reason_form=ReasonForm(None),
        about=about,
        refused=refused,
        now=clock.now(),
    )


@bp.post(f"/complaints/{COMPLAINT}/upholding")
@staff_may(Task.COMPLAINTS_DECIDE)
@confirmed
def uphold(complaint_id: int) -> Page:
    return _decide(complaint_id, _("投诉成立，已按规则处理，双方已收到通知。"), "upholding", upheld=True)


@bp.post(f"/complaints/{COMPLAINT}/dismissal")
@staff_may(Task.COMPLAINTS_DECIDE)
@confirmed
def dismiss(complaint_id: int) -> Page:
    return _decide(complaint_id, _("投诉不成立，学员已收到通知。"), "dismissal", upheld=False)


def _decide(complaint_id: int, done: str, about: str, *, upheld: bool) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(complaint_id, form=form, about=about), 422
    try:
        complaints.decide(complaint_id, upheld=upheld, actor=staff_actor(), reason=form.reason.data)
    except OwnStudy as error:
        note_refusal(error)
        return _page(complaint_id, refused=error.message), error.status
    except NotYourTurn as error:
        note_refusal(error)
        return _page(complaint_id, refused=_("这份投诉刚刚已被处理，没有重复执行。下面是处理结果。")), error.status
    flash(done, "ok")
    return redirect(url_for("staff_complaints.page", complaint_id=complaint_id), 303)
