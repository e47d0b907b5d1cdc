"""Questions about a degree and their answers; complaints."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop import clock
from shop.blueprints.settlement_page import problems
from shop.forms.mentoring import AnswerForm, AskForm, ComplaintForm
from shop.services import complaints, questions
from shop.web.paging import asked_page
from shop.web.people import mentor_required

bp = Blueprint("questions", __name__)

DEGREE = "/learning/degrees/<int(min=1, max=2147483647):enrolment_id>"
QUESTION = "<int(min=1, max=2147483647):question_id>"


@dataclass(frozen=True)
class Wrong:
    """What was wrong with something said to a question, and what it was: shown where it was typed."""

    question_id: int
    text: str
    problem: str


# ---------------------------------------------------------------- the student


@bp.get(f"{DEGREE}/questions")
@login_required
def index(enrolment_id: int) -> str:
    return _index(enrolment_id)


@bp.post(f"{DEGREE}/questions")
@login_required
def ask(enrolment_id: int) -> Response | str | tuple[str, int]:
    form = AskForm()
    if not form.validate_on_submit():
        return _index(enrolment_id, form=form), 422
    question = questions.ask(current_user.id, enrolment_id, form.title.data, form.content.data)
    flash(_("问题已提交。导师回复以后，您会收到消息。"), "ok")
    return redirect(url_for(".index", enrolment_id=enrolment_id, _anchor=f"question-{question.id}"), 303)


@bp.post(f"{DEGREE}/questions/{QUESTION}/answers")
@login_required
def ask_on(enrolment_id: int, question_id: int) -> Response | str | tuple[str, int]:
    form = AnswerForm()
    if not form.validate_on_submit():
        return _index(enrolment_id, wrong=_wrong(question_id, form)), 422
    questions.ask_on(current_user.id, enrolment_id, question_id, form.content.data)
    flash(_("追问已提交。"), "ok")
    return redirect(url_for(".index", enrolment_id=enrolment_id, _anchor=f"question-{question_id}"), 303)


@bp.post(f"{DEGREE}/questions/{QUESTION}/closing")
@login_required
def close(enrolment_id: int, question_id: int) -> Response:
    questions.close(current_user.id, enrolment_id, question_id)
    flash(_("问题已关闭。"), "ok")
    return redirect(url_for(".index", enrolment_id=enrolment_id, _anchor=f"question-{question_id}"), 303)


def _index(enrolment_id: int, *, form: AskForm | None = None, wrong: Wrong | None = None) -> str:
    return render_template(
        "questions/student.html",
        view=questions.of_student(current_user.id, enrolment_id, asked_page()),
        form=form or AskForm(formdata=None),
        wrong=wrong,
        longest=questions.LONGEST,
    )


def _wrong(question_id: int, form: AnswerForm) -> Wrong:
    return Wrong(question_id, form.content.data or "", problems(form))


# ---------------------------------------------------------------- the mentor


@bp.get("/mentor/questions")
@mentor_required
def desk() -> str:
    return _desk()


@bp.post(f"/mentor/questions/{QUESTION}/answers")
@mentor_required
def answer(question_id: int) -> Response | str | tuple[str, int]:
    form = AnswerForm()
    if not form.validate_on_submit():
        return _desk(_wrong(question_id, form)), 422
    questions.answer(current_user.id, question_id, form.content.data)
    flash(_("回复已发给学员。"), "ok")
    return redirect(url_for(".desk"), 303)


def _desk(wrong: Wrong | None = None) -> str:
    view = questions.of_mentor(current_user.id, asked_page(), clock.now())
    return render_template("questions/mentor.html", view=view, wrong=wrong, longest=questions.LONGEST)


# ---------------------------------------------------------------- complaints


@bp.get(f"{DEGREE}/complaints")
@login_required
def complaint_page(enrolment_id: int) -> str:
    return _complaints(enrolment_id, ComplaintForm(formdata=None))


@bp.post(f"{DEGREE}/complaints")
@login_required
def complain(enrolment_id: int) -> Response | str | tuple[str, int]:
    form = ComplaintForm()
    if not form.validate_on_submit():
        return _complaints(enrolment_id, form), 422
    complaints.file(current_user.id, enrolment_id, form.content.data)
    flash(_("投诉已提交。教务会核实，结果会以消息告诉您。"), "ok")
    return redirect(url_for(".complaint_page", enrolment_id=enrolment_id), 303)


def _complaints(enrolment_id: int, form: ComplaintForm) -> str:
    view = complaints.index(current_user.id, enrolment_id, asked_page())
    return render_template("complaints/page.html", view=view, form=form)
