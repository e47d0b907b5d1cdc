"""The mentor's queue of hand-ins by age, and grading one."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.enums import Score
from shop.extensions import settings
from shop.forms.homework import CHANGE, CHECK, GradeForm
from shop.rules.rewards import is_passed
from shop.services import grading
from shop.services.grading import AlreadyGraded, Graded, NotNow
from shop.web import markdown
from shop.web.errors import note_refusal
from shop.web.paging import asked_page
from shop.web.people import mentor_required

bp = Blueprint("grading", __name__, url_prefix="/mentor/homework")

PAGE = "/<int(min=1, max=2147483647):submission_id>"


@bp.get("")
@mentor_required
def queue() -> str:
    return render_template("grading/queue.html", queue=grading.queue(current_user.id, asked_page(), clock.now()))


@bp.get(PAGE)
@mentor_required
def page(submission_id: int) -> str:
    return _page(submission_id, GradeForm(formdata=None))


@bp.post(PAGE)
@mentor_required
def grade(submission_id: int) -> Response | str | tuple[str, int]:
    """The button decides: look at the mark before it counts, change it again, or let it count and go on to the next."""
    form = GradeForm()
    if form.step.data == CHANGE:
        return _page(submission_id, form)
    if not form.validate_on_submit():
        return _page(submission_id, form), 422
    if form.step.data == CHECK:
        return _check(submission_id, form)
    try:
        graded = grading.grade(current_user.id, submission_id, form.score.data, form.comment.data or "", clock.now())
    except (AlreadyGraded, NotNow) as refusal:
        note_refusal(refusal)
        return _page(submission_id, form, refusal), refusal.status
    flash(_told(graded), "ok")
    if graded.next_id is None:
        return redirect(url_for(".queue"), 303)
    return redirect(url_for(".page", submission_id=graded.next_id), 303)


def _page(submission_id: int, form: GradeForm, refusal: AlreadyGraded | NotNow | None = None) -> str:
    view = grading.page(current_user.id, submission_id, clock.now())
    return render_template(
        "grading/page.html",
        view=view,
        requirement=markdown.to_html(view.task.requirement),
        threshold=markdown.to_html(view.task.threshold),
        form=form,
        refusal=refusal,
        passing=[score for score in Score if is_passed(score)],
        failing=[score for score in Score if not is_passed(score)],
        hours=settings().grading_hours,
    )


def _check(submission_id: int, form: GradeForm) -> str | tuple[str, int]:
    """What the mark would do, before it does. What cannot be graded says so at once."""
    view = grading.page(current_user.id, submission_id, clock.now())
    if view.why_not or view.hand_in.score is not None:
        return _page(submission_id, form), 409
    effect = grading.effect(view, form.score.data)
    return render_template("grading/check.html", view=view, form=form, effect=effect)


def _told(graded: Graded) -> str:
    facts = {"student": graded.student, "homework": graded.title, "score": graded.score.label, "beli": abs(graded.beli)}
    if graded.beli > 0:
        return str(_("已批改：%(student)s「%(homework)s」%(score)s，通过，获得 %(beli)s 贝里。", **facts))
    if graded.is_passed:
        return str(_("已批改：%(student)s「%(homework)s」%(score)s，通过。", **facts))
    if graded.beli < 0:
        return str(_("已批改：%(student)s「%(homework)s」%(score)s，没有通过，扣除 %(beli)s 贝里。", **facts))
    return str(_("已批改：%(student)s「%(homework)s」%(score)s，没有通过。", **facts))
