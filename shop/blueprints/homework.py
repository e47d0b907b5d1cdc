"""Homework as its student sees it: the task, handing in, every hand-in with its mark; and files handed in."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop import clock
from shop.extensions import settings
from shop.forms.homework import HandInForm
from shop.services import homework, uploads
from shop.services.homework import HomeworkView, NotNow
from shop.web import handed_in, markdown
from shop.web.errors import note_refusal
from shop.web.upload_limit import takes_files

bp = Blueprint("homework", __name__)

NUMBER = "int(min=1, max=2147483647)"
PAGE = f"/learning/degrees/<{NUMBER}:enrolment_id>/homework/<{NUMBER}:homework_id>"


@bp.get(PAGE)
@login_required
def page(enrolment_id: int, homework_id: int) -> str:
    return _page(_view(enrolment_id, homework_id), HandInForm(formdata=None))


@bp.post(PAGE)
@login_required
@takes_files
def hand_in(enrolment_id: int, homework_id: int) -> Response | tuple[str, int]:
    form = HandInForm()
    view = _view(enrolment_id, homework_id)
    try:
        if view.why_not:
            raise NotNow(reason=view.why_not)  # whatever is in the form
        if not form.validate_on_submit():
            return _page(view, form), 422
        number = homework.hand_in(
            current_user.id, enrolment_id, homework_id, form.content.data, form.files.data, clock.now()
        )
    except NotNow as refusal:
        note_refusal(refusal)
        return _page(_view(enrolment_id, homework_id), form, refusal), refusal.status
    flash(_("第 %(number)s 次提交已收到，等待导师批改。", number=number), "ok")
    return redirect(url_for(".page", enrolment_id=enrolment_id, homework_id=homework_id), 303)


def _view(enrolment_id: int, homework_id: int) -> HomeworkView:
    return homework.page(current_user.id, enrolment_id, homework_id, clock.now())


def _page(view: HomeworkView, form: HandInForm, refusal: NotNow | None = None) -> str:
    return render_template(
        "homework/page.html",
        view=view,
        requirement=markdown.to_html(view.task.requirement),
        threshold=markdown.to_html(view.task.threshold),
        form=form,
        refusal=refusal,
        grading_hours=settings().grading_hours,
        most_files=uploads.MOST_FILES,
        most_megabytes=settings().upload_megabytes,
    )


@bp.get(f"/uploads/<{NUMBER}:upload_id>")
@login_required
def upload(upload_id: int) -> Response:
    return handed_in.attachment(uploads.fetch(current_user.id, upload_id))
