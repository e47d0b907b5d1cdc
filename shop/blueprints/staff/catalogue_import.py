"""A file for the catalogue: looked at first, applied only as it was shown."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import ngettext
from werkzeug.wrappers import Response

from shop.extensions import settings
from shop.forms.staff_catalogue import ApplyForm, ImportForm
from shop.rules.staff_rights import Task
from shop.services.staff import catalogue_import_desk, catalogue_words
from shop.services.staff.catalogue_import_desk import FileGone, OtherOutcome, Rehearsal
from shop.web.errors import note_refusal
from shop.web.staff import confirmed, staff_actor, staff_may
from shop.web.upload_limit import takes_files

bp = Blueprint("staff_catalogue_import", __name__, url_prefix="/staff/catalogue")

Page = str | Response | tuple[str, int]
LONGEST_NAME = 64  # of a file, as faults and the audit log repeat it


@bp.get("/import")
@staff_may(Task.CATALOGUE_EDIT)
def page() -> Page:
    return _page(ImportForm(None))


@bp.post("/import")
@staff_may(Task.CATALOGUE_EDIT)
@takes_files
def rehearse() -> Page:
    form = ImportForm()
    if not form.validate():
        return _page(form), 422
    actor = staff_actor()
    assert actor.account_id is not None
    name = "".join(letter for letter in form.file.data.filename if letter.isprintable())[:LONGEST_NAME]
    rehearsal = catalogue_import_desk.rehearse(
        name, form.content, account_id=actor.account_id, media_origins=settings().media_origins
    )
    return _page(form, rehearsal), 422 if rehearsal.faults else 200


@bp.post("/import/application")
@staff_may(Task.CATALOGUE_EDIT)
@confirmed
def apply() -> Page:
    form = ApplyForm()
    if not form.validate():
        return _page(ImportForm(None), refused=FileGone().message), 422
    try:
        done = catalogue_import_desk.apply(form.token.data, actor=staff_actor(), media_origins=settings().media_origins)
    except OtherOutcome as error:
        note_refusal(error)
        return _page(ImportForm(None), error.rehearsal, refused=error.message), error.status
    except FileGone as error:
        note_refusal(error)
        return _page(ImportForm(None), refused=error.message), error.status
    flash(
        ngettext(
            "已导入「%(name)s」：%(num)s 处改动。",
            "已导入「%(name)s」：%(num)s 处改动。",
            len(done.differences),
            name=done.name,
        ),
        "ok",
    )
    return redirect(url_for("staff_catalogue.index"), 303)


def _page(form: ImportForm, rehearsal: Rehearsal | None = None, *, refused: str = "") -> str:
    return render_template(
        "staff/catalogue/import.html", form=form, rehearsal=rehearsal, refused=refused, words=catalogue_words
    )
