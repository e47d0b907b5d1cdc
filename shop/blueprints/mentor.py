"""The mentor's desk: own students, what waits, follow-up records."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.extensions import settings
from shop.forms.mentoring import FollowUpForm
from shop.services import mentored, mentoring, registration
from shop.web.paging import asked_page
from shop.web.people import mentor_required
from shop.web.upload_limit import takes_files

bp = Blueprint("mentor", __name__, url_prefix="/mentor")

STUDENT = "/students/<int(min=1, max=2147483647):enrolment_id>"


@bp.get("")
@mentor_required
def home() -> str:
    state = request.args.get("state", "")
    if state not in ("", "ended"):
        abort(404)
    view = mentoring.desk(current_user.id, asked_page(), clock.now(), shows_ended=state == "ended")
    return render_template("mentor/home.html", view=view, state=state)


@bp.get(STUDENT)
@mentor_required
def student(enrolment_id: int) -> str:
    return _student(enrolment_id, FollowUpForm(formdata=None), asked_page())


@bp.post(f"{STUDENT}/follow-ups")
@takes_files
@mentor_required
def follow_up(enrolment_id: int) -> Response | str | tuple[str, int]:
    form = FollowUpForm()
    if not form.validate_on_submit():
        return _student(enrolment_id, form, 1), 422
    mentored.follow_up(
        current_user.id, enrolment_id, form.tool.data, form.record.data, form.attachment.data, clock.now()
    )
    flash(_("跟进记录已保存。"), "ok")
    return redirect(url_for(".student", enrolment_id=enrolment_id), 303)


def _student(enrolment_id: int, form: FollowUpForm, page: int) -> str:
    return render_template(
        "mentor/student.html",
        view=mentored.student(current_user.id, enrolment_id, page, clock.now()),
        registration=registration.for_mentor(enrolment_id),
        form=form,
        follow_up_days=settings().follow_up_days,
        megabytes=settings().upload_megabytes,
    )
