"""Students of degrees: find an enrolment, its whole story, and what the registry does about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.blueprints import score_words
from shop.errors import NotYourTurn, ShopError
from shop.forms import Form
from shop.forms.staff import ReasonForm
from shop.forms.staff_studies import AssignForm, StudyFilter
from shop.rules.staff_rights import Task
from shop.rules.study_states import LIVING
from shop.services import assignment, leave, modules, registration
from shop.services.registration import Answers
from shop.services.staff import study_list, study_story
from shop.services.staff.study_list import Line
from shop.services.staff.study_story import Person
from shop.services.study_cases import OwnStudy
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked_cursor, kept_filters
from shop.web.staff import confirmed, staff_actor, staff_may

bp = Blueprint("staff_studies", __name__, url_prefix="/staff")

STUDY = "<int(min=1, max=2147483647):enrolment_id>"
MODULE = "<int(min=1, max=2147483647):module_id>"

Page = str | Response | tuple[str, int]


# ---------------------------------------------------------------- the list


def _filter() -> StudyFilter:
    return StudyFilter(request.args, degrees=study_list.degrees(), mentors=study_list.mentors())


@bp.get("/studies")
@staff_may(Task.STUDIES_READ)
def index() -> Page:
    form = _filter()
    if not form.validate():
        return render_template("staff/studies/index.html", form=form, window=None, kept={}), 422
    window = study_list.listed(form.wanted(), asked_cursor())
    return render_template(
        "staff/studies/index.html", form=form, window=window, kept=kept_filters(form), now=clock.now()
    )


@bp.get("/studies.csv")
@staff_may(Task.STUDIES_READ)
def csv() -> Response:
    form = _filter()
    if not form.validate():
        abort(422)
    head = [_("编号"), _("学员"), _("姓名"), _("学位课"), _("状态"), _("导师"), _("报名表"), _("提交时间")]
    head += [_("报名时间"), _("到期"), _("在学模块"), _("待批改"), _("待回复")]
    return csv_files.download("studies", head, map(_cells, study_list.everything(form.wanted())))


def _cells(line: Line) -> Sequence[object]:
    return [
        line.id,
        line.username,
        line.name,
        line.degree,
        _("已退费") if line.is_refunded else line.status.label,
        line.mentor,
        line.form.label,
        csv_files.moment(line.filed_time),
        csv_files.moment(line.enrolled_date),
        line.until_date.isoformat() if line.until_date else "",
        line.module,
        line.to_grade,
        line.to_answer,
    ]


# ---------------------------------------------------------------- one enrolment


@bp.get(f"/studies/{STUDY}")
@staff_may(Task.STUDIES_READ)
def page(enrolment_id: int) -> Page:
    return _page(enrolment_id)


def _page(
    enrolment_id: int,
    *,
    form: Form | None = None,
    about: str = "",
    refused: str = "",
    answers: Answers | None = None,
    person: Person | None = None,
) -> str:
    """The page; ``form`` is the one that was refused, of the action named by ``about``."""
    now = clock.now()
    story = study_story.whole(enrolment_id, now, current_user.id)
    return render_template(
        "staff/studies/page.html",
        story=story,
        enrolment=story.enrolment,
        is_living=story.enrolment.closed_time is None and story.enrolment.study_status in LIVING,
        is_own=study_story.is_own(enrolment_id, current_user.id),
        words=score_words,
        reason_form=ReasonForm(None),
        form=form,
        about=about,
        refused=refused,
        answers=answers,
        person=person,
        now=now,
    )


@bp.post(f"/studies/{STUDY}/form/reading")
@staff_may(Task.FORM_READ)
@confirmed
def read_form(enrolment_id: int) -> Page:
    """The page with the whole form on it, for this answer only."""
    form = ReasonForm()
    if not form.validate():
        return _page(enrolment_id, form=form, about="reading"), 422
    try:
        answers = registration.read_whole(enrolment_id, actor=staff_actor(), reason=form.reason.data)
    except OwnStudy as error:
        return _refused(enrolment_id, error)
    return _page(enrolment_id, answers=answers)


@bp.post(f"/studies/{STUDY}/person")
@staff_may(Task.PEOPLE_PLAIN)
@confirmed
def show_person(enrolment_id: int) -> Page:
    """The page with name and phone number on it, for this answer only."""
    form = ReasonForm()
    if not form.validate():
        return _page(enrolment_id, form=form, about="person"), 422
    return _page(
        enrolment_id, person=study_story.show_person(enrolment_id, actor=staff_actor(), reason=form.reason.data)
    )


@bp.post(f"/studies/{STUDY}/form/reopening")
@staff_may(Task.STUDIES_RUN)
def reopen_form(enrolment_id: int) -> Page:
    return _step(enrolment_id, "reopening", registration.reopen, _("报名表已重新打开，学员已收到通知。"))


@bp.post(f"/studies/{STUDY}/leave")
@staff_may(Task.STUDIES_RUN)
def begin_leave(enrolment_id: int) -> Page:
    return _step(enrolment_id, "leave", leave.begin_by_staff, _("已记录休学，学员和导师已收到通知。"))


@bp.post(f"/studies/{STUDY}/leave/return")
@staff_may(Task.STUDIES_RUN)
def end_leave(enrolment_id: int) -> Page:
    return _step(enrolment_id, "return", leave.end_by_staff, _("已复学，有效期和作业日期已顺延。"))


@bp.post(f"/studies/{STUDY}/modules/{MODULE}/opening")
@staff_may(Task.STUDIES_RUN)
def open_module(enrolment_id: int, module_id: int) -> Page:
    return _step(enrolment_id, f"opening {module_id}", modules.open_by_staff, _("模块已开通。"), module_id)


@bp.post(f"/studies/{STUDY}/modules/{MODULE}/passing")
@staff_may(Task.STUDIES_RUN)
@confirmed
def pass_module(enrolment_id: int, module_id: int) -> Page:
    """The last one graduates, which books the scholarship."""
    step = modules.pass_by_staff
    return _step(enrolment_id, f"passing {module_id}", step, _("模块已通过，学习继续到下一步。"), module_id)


def _step(enrolment_id: int, about: str, step: Callable[..., Any], done: str, *what: int) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(enrolment_id, form=form, about=about), 422
    try:
        step(enrolment_id, *what, actor=staff_actor(), reason=form.reason.data)
    except NotYourTurn as error:
        return _refused(enrolment_id, error)
    flash(done, "ok")
    return redirect(url_for("staff_studies.page", enrolment_id=enrolment_id), 303)


def _refused(enrolment_id: int, error: ShopError) -> Page:
    note_refusal(error)
    return _page(enrolment_id, refused=_why_not(error)), error.status


def _why_not(error: ShopError) -> str:
    """In words: what the state of the study does not allow; a reason of the error's own is kept."""
    says = {
        "form": _("报名表还没有提交。"),
        "leave": _("学员正在休学，复学以后再操作。"),
        "ended": _("学习已经结束，或者退费正在处理。"),
        "open": _("这个模块刚刚已经开通，没有重复执行。"),
        "locked": _("这个模块现在不在学习中。下面是现在的状态。"),
        "homework": _("这个模块还有作业没有通过。"),
        "state": _("现在的学习状态不允许这样做。下面是现在的状态。"),
        "over": _("学习期限已经结束。"),
        "days": _("休学天数已经用完。"),
        "self": _("学员不能做自己的导师。"),
        "same": _("这位导师已经负责这份报名。"),
        "changed": _("刚刚有同事改了导师，没有重复执行。请看下面现在的导师，再决定。"),
        "frozen": _("关于这份导师费用的投诉或申诉还在等待处理：请先处理，再换导师。"),
    }
    return says.get(str(error.facts.get("why"))) or error.message


# ---------------------------------------------------------------- the mentor


@bp.get(f"/studies/{STUDY}/mentor")
@staff_may(Task.STUDIES_RUN)
@confirmed  # before somebody is chosen, not after
def mentor_page(enrolment_id: int) -> Page:
    return _mentor_page(enrolment_id, AssignForm(None))


def _mentor_page(enrolment_id: int, form: AssignForm, refused: str = "") -> str:
    now = clock.now()
    story = study_story.whole(enrolment_id, now, current_user.id)
    mentors = assignment.mentors()
    return render_template(
        "staff/studies/mentor.html",
        story=story,
        enrolment=story.enrolment,
        mentors=mentors,
        wished=assignment.wished_for(story.form.view.stu_specified_mentor if story.form.view else None, mentors),
        form=form,
        chosen=form.mentor.data,
        refused=refused,
        now=now,
    )


@bp.post(f"/studies/{STUDY}/mentor")
@staff_may(Task.STUDIES_RUN)
@confirmed
def assign(enrolment_id: int) -> Page:
    form = AssignForm()
    if not form.validate() or form.mentor.data is None:
        return _mentor_page(enrolment_id, form), 422
    try:
        enrolment = assignment.assign(
            enrolment_id,
            form.mentor.data,
            actor=staff_actor(),
            reason=form.reason.data or "",
            instead_of=form.before.data or None,
        )
    except NotYourTurn as error:
        note_refusal(error)
        return _mentor_page(enrolment_id, form, _why_not(error)), error.status
    name = enrolment.mentor.username if enrolment.mentor else ""
    flash(_("已分配导师 %(mentor)s，学员和导师已收到通知。", mentor=name), "ok")
    return redirect(url_for("staff_studies.page", enrolment_id=enrolment_id), 303)
