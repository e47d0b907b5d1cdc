"""One person: what they bought, have and were told."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_login import current_user
from werkzeug.wrappers import Response

from shop.forms.staff import ReasonForm
from shop.rules.staff_rights import Task
from shop.services.staff import people
from shop.services.staff.people import Contact
from shop.web.staff import confirmed, roles, staff_actor, staff_may

bp = Blueprint("staff_people", __name__, url_prefix="/staff/people")

PERSON = "<int(min=1, max=2147483647):account_id>"

Page = str | Response | tuple[str, int]


@bp.get(f"/{PERSON}")
@staff_may(Task.PEOPLE_FIND)
def page(account_id: int) -> Page:
    return _page(account_id)


def _page(account_id: int, *, form: ReasonForm | None = None, contact: Contact | None = None) -> str:
    return render_template(
        "staff/people/page.html",
        sheet=people.sheet(account_id, roles(), contact),
        is_me=account_id == current_user.id,
        form=form or ReasonForm(None),
    )


@bp.post(f"/{PERSON}/contact")
@staff_may(Task.PEOPLE_PLAIN)
@confirmed
def show_contact(account_id: int) -> Page:
    """The page with name, phone and e-mail address on it, for this answer only."""
    form = ReasonForm()
    if not form.validate():
        return _page(account_id, form=form), 422
    contact = people.show_contact(account_id, actor=staff_actor(), reason=form.reason.data)
    return _page(account_id, contact=contact)
