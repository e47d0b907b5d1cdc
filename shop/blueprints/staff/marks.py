"""One hand-in, and setting its mark right."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop.errors import NotYourTurn
from shop.forms.staff_studies import RemarkForm
from shop.rules.staff_rights import Task
from shop.services import remarking, uploads
from shop.services.staff import hand_in_desk, study_story
from shop.web import handed_in, markdown
from shop.web.errors import note_refusal
from shop.web.staff import confirmed, staff_actor, staff_may

bp = Blueprint("staff_marks", __name__, url_prefix="/staff/studies")

HAND_IN = "<int(min=1, max=2147483647):enrolment_id>/hand-ins/<int(min=1, max=2147483647):submission_id>"

Page = str | Response | tuple[str, int]


@bp.get(f"/{HAND_IN}")
@staff_may(Task.STUDIES_READ)
def page(enrolment_id: int, submission_id: int) -> Page:
    return _page(enrolment_id, submission_id)


def _page(enrolment_id: int, submission_id: int, form: RemarkForm | None = None, refused: str = "") -> str:
    sheet = hand_in_desk.sheet(enrolment_id, submission_id)
    return render_template(
        "staff/studies/hand_in.html",
        sheet=sheet,
        requirement=markdown.to_html(sheet.task.requirement),
        is_own=study_story.is_own(enrolment_id, current_user.id),
        form=form or RemarkForm(None),
        refused=refused,
    )


@bp.get(f"/{HAND_IN}/files/<int(min=1, max=2147483647):upload_id>")
@staff_may(Task.STUDIES_READ)
def file(enrolment_id: int, submission_id: int, upload_id: int) -> Page:
    return handed_in.attachment(uploads.fetch_of_hand_in(enrolment_id, submission_id, upload_id))


@bp.post(f"/{HAND_IN}/mark")
@staff_may(Task.MARK_OVERRIDE)
@confirmed
def remark(enrolment_id: int, submission_id: int) -> Page:
    form = RemarkForm()
    if not form.validate():
        unknown = _("提交的不是这一页上的成绩，请重新打开这一页。") if form.before.errors else ""
        return _page(enrolment_id, submission_id, form, unknown), 422
    hand_in_desk.sheet(enrolment_id, submission_id)  # of this enrolment, or not found
    try:
        done = remarking.remark(
            submission_id,
            form.score.data,
            form.comment.data or "",
            actor=staff_actor(),
            reason=form.reason.data,
            instead_of=form.before.data,
        )
    except NotYourTurn as error:
        note_refusal(error)
        return _page(enrolment_id, submission_id, form, error.message), error.status
    flash(_("已改判为 %(score)s，学员贝里变动 %(beli)s。", score=done.score.label, beli=f"{done.beli:+d}"), "ok")
    if done.has_reopened:
        flash(_("这个模块因此回到在学，学员需要重新提交这份作业。"), "warning")
    return redirect(url_for("staff_marks.page", enrolment_id=enrolment_id, submission_id=submission_id), 303)
