"""The registration form of a degree (学位课程报名表): drafted, filed once, by the student who bought the degree."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop import clock
from shop.forms.degree import DegreeRegistrationEntry
from shop.services import registration as registrations
from shop.services.registration import AlreadyFiled, Registration

bp = Blueprint(
    "degree", __name__, url_prefix="/degrees/enrolments/<int(min=1, max=2147483647):enrolment_id>/registration"
)


@bp.get("")
@login_required
def registration(enrolment_id: int) -> str:
    found = registrations.registration(current_user.id, enrolment_id)
    return _page(found, _form_of(found))


@bp.post("")
@login_required
def file_registration(enrolment_id: int) -> Response | tuple[str, int]:
    form = DegreeRegistrationEntry()
    if not form.validate_on_submit():
        return _page(registrations.registration(current_user.id, enrolment_id), form), 422
    try:
        registrations.file_registration(current_user.id, enrolment_id, form.answers(), clock.now())
    except AlreadyFiled:
        return _filed_already(enrolment_id)
    flash(_("报名表已提交。"), "ok")
    return redirect(url_for("road.degree", enrolment_id=enrolment_id), 303)


@bp.post("/draft")
@login_required
def save_draft(enrolment_id: int) -> Response:
    draft = DegreeRegistrationEntry().draft()
    try:
        registrations.save_draft(current_user.id, enrolment_id, draft, clock.now())
    except AlreadyFiled:
        return _filed_already(enrolment_id)
    flash(_("草稿已保存。没有勾选同意，月薪没有保存。") if _left_out(draft) else _("草稿已保存。"), "ok")
    return redirect(url_for(".registration", enrolment_id=enrolment_id), 303)


@bp.post("/salary/delete")
@login_required
def forget_salary(enrolment_id: int) -> Response:
    registrations.forget_salary(current_user.id, enrolment_id)
    flash(_("同意已撤回，月薪已删除。"), "ok")
    return redirect(url_for(".registration", enrolment_id=enrolment_id), 303)


def _filed_already(enrolment_id: int) -> Response:
    """To what was filed: it is what counts."""
    flash(_("报名表已经提交过，以第一次提交的为准。"), "warning")
    return redirect(url_for(".registration", enrolment_id=enrolment_id), 303)


def _left_out(draft: dict[str, str]) -> bool:
    return bool(draft.get("current_salary")) and not draft.get("salary_consent")


def _form_of(found: Registration) -> DegreeRegistrationEntry:
    """The draft when there is one, else what was filed before the form was reopened."""
    if found.draft is not None:
        return DegreeRegistrationEntry.of_draft(found.draft)
    return DegreeRegistrationEntry(data=asdict(found.filed.answers) if found.filed else None)


def _page(found: Registration, form: DegreeRegistrationEntry) -> str:
    return render_template("degree/registration.html", form=form, registration=found)
