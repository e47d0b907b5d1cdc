"""The road of a degree: its modules, what is next, what is late; opening the first module; leave and return."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop import clock
from shop.errors import NotYourTurn
from shop.forms.road import LeaveForm
from shop.services import leave, modules, road
from shop.services.enrolled_degrees import AskedBack
from shop.web import voyage

bp = Blueprint("road", __name__, url_prefix="/learning/degrees")
NUMBER = "int(min=1, max=2147483647)"
DEGREE = f"/<{NUMBER}:enrolment_id>"


@bp.get(DEGREE)
@login_required
def degree(enrolment_id: int) -> str:
    view = road.page(current_user.id, enrolment_id, clock.local_date(clock.now()))
    return render_template("road/page.html", view=view, chart=voyage.draw(view))


@bp.post(f"{DEGREE}/modules/<{NUMBER}:course_id>")
@login_required
def open_module(enrolment_id: int, course_id: int) -> Response:
    if modules.open_first(current_user.id, enrolment_id, course_id):
        flash(_("第一个模块已开通，两年有效期从今天开始。"), "ok")
    return redirect(url_for(".degree", enrolment_id=enrolment_id), 303)


# ---------------------------------------------------------------- leave


@bp.get(f"{DEGREE}/leave")
@login_required
def leave_page(enrolment_id: int) -> str:
    return _leave_page(enrolment_id, LeaveForm(formdata=None))


@bp.post(f"{DEGREE}/leave")
@login_required
def begin_leave(enrolment_id: int) -> Response | tuple[str, int]:
    form = LeaveForm()
    if not form.validate_on_submit():
        return _leave_page(enrolment_id, form), 422
    try:
        leave.begin(current_user.id, enrolment_id, form.reason.data)
    except NotYourTurn as refusal:
        return _leave_page(enrolment_id, form), refusal.status  # the page says why not
    flash(_("已开始休学。想回来时，在这一页点「复学」。"), "ok")
    return redirect(url_for(".degree", enrolment_id=enrolment_id), 303)


@bp.post(f"{DEGREE}/leave/return")
@login_required
def end_leave(enrolment_id: int) -> Response:
    try:
        days = leave.end(current_user.id, enrolment_id)
    except AskedBack:
        raise
    except NotYourTurn:  # pressed twice, or it ended by itself: the road shows it
        return redirect(url_for(".degree", enrolment_id=enrolment_id), 303)
    flash(
        ngettext(
            "欢迎回来！休学 %(num)s 天，有效期和作业日期已顺延。",
            "欢迎回来！休学 %(num)s 天，有效期和作业日期已顺延。",
            days,
        ),
        "ok",
    )
    return redirect(url_for(".degree", enrolment_id=enrolment_id), 303)


def _leave_page(enrolment_id: int, form: LeaveForm) -> str:
    view = leave.page(current_user.id, enrolment_id, clock.local_date(clock.now()))
    return render_template("road/leave.html", view=view, form=form)
