"""The registration form of a degree (学位课程报名表): filed once, by the student who bought it."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop import clock
from shop.forms.degree import DegreeRegistrationEntry
from shop.services import degree
from shop.services.degree import AlreadyFiled

bp = Blueprint("degree", __name__, url_prefix="/degrees/enrolments")


@bp.get("/<int(min=1, max=2147483647):enrolment_id>/registration")
@login_required
def registration(enrolment_id: int) -> str:
    return _page(enrolment_id, DegreeRegistrationEntry())


@bp.post("/<int(min=1, max=2147483647):enrolment_id>/registration")
@login_required
def file_registration(enrolment_id: int) -> Response | tuple[str, int]:
    form = DegreeRegistrationEntry()
    if not form.validate_on_submit():
        return _page(enrolment_id, form), 422
    try:
        degree.file_registration(current_user.id, enrolment_id, form.answers(), clock.now())
        flash(_("报名表已提交。"), "ok")
    except AlreadyFiled:
        flash(_("报名表已经提交过，以第一次提交的为准。"), "warning")
    return redirect(url_for("learning.degree", enrolment_id=enrolment_id), 303)


def _page(enrolment_id: int, form: DegreeRegistrationEntry) -> str:
    return render_template(
        "degree/registration.html", form=form, registration=degree.registration(current_user.id, enrolment_id)
    )
