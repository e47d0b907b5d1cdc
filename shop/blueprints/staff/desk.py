"""What waits for somebody, and the one search box."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response

from shop import clock
from shop.forms.staff_desk import SearchForm
from shop.rules.staff_rights import Task
from shop.services.staff import desk, search
from shop.web.staff import roles, staff_may

bp = Blueprint("staff_desk", __name__, url_prefix="/staff")

Page = str | Response | tuple[str, int]


@bp.get("/")
@staff_may(Task.DESK)
def index() -> Page:
    found = desk.queues(roles())
    return render_template(
        "staff/desk/index.html",
        waiting=[queue for queue in found if queue.count],
        quiet=[queue for queue in found if not queue.count],
        now=clock.now(),
    )


@bp.post("/search")
@staff_may(Task.DESK)
def find() -> Page:
    """A post, for phone numbers and addresses have no place in a URL (safety.md 14.2.1). One hit is opened at once."""
    form = SearchForm()
    if not form.validate():
        return _results(form, search.NOTHING), 422
    found = search.find(form.q.data, roles())
    if len(found.hits) == 1 and not found.cut:
        return redirect(found.hits[0].href, 303)
    return _results(form, found)


def _results(form: SearchForm, found: search.Found) -> str:
    searched = (form.q.data or "")[: search.LONGEST]
    return render_template("staff/desk/search.html", form=form, searched=searched, found=found, most=search.MOST)
