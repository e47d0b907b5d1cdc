"""Mentors: loads, what is overdue, and their statements."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from shop import clock
from shop.blueprints import score_words
from shop.forms.staff_studies import StatementFilter
from shop.rules.staff_rights import Task
from shop.services.score_rows import Line
from shop.services.staff import mentor_desk
from shop.services.staff.mentor_desk import Mentor
from shop.web import csv_files
from shop.web.paging import asked, asked_page
from shop.web.staff import staff_may

bp = Blueprint("staff_mentors", __name__, url_prefix="/staff")

MENTOR = "<int(min=1, max=2147483647):mentor_id>"

Page = str | Response | tuple[str, int]


@bp.get("/mentors")
@staff_may(Task.MENTOR_FEES_READ)
def index() -> Page:
    return render_template("staff/mentors/index.html", mentors=mentor_desk.listed())


@bp.get("/mentors.csv")
@staff_may(Task.MENTOR_FEES_READ)
def csv() -> Response:
    head = [_("导师"), _("姓名"), _("在带学员"), _("其中休学"), _("超时批改"), _("超时回复")]
    head += [_("投诉"), _("待处理投诉"), _("成立投诉"), _("待成熟贝里")]
    return csv_files.download("mentors", head, map(_figures, mentor_desk.listed()))


def _figures(mentor: Mentor) -> Sequence[object]:
    return [
        *(mentor.username, mentor.name, mentor.students, mentor.away, mentor.late_gradings, mentor.late_answers),
        *(mentor.complaints, mentor.waiting_complaints, mentor.upheld, mentor.fee),
    ]


@bp.get(f"/mentors/{MENTOR}")
@staff_may(Task.MENTOR_FEES_READ)
def page(mentor_id: int) -> Page:
    form = StatementFilter(request.args)
    is_valid = form.validate()
    sheet = mentor_desk.sheet(mentor_id)
    month = form.month.day if is_valid else None
    answer = render_template(
        "staff/mentors/page.html",
        sheet=sheet,
        statement=mentor_desk.statement(mentor_id, month, asked_page()),
        form=form,
        chosen=f"{month:%Y-%m}" if month else "",
        months=mentor_desk.months(sheet.since, clock.now()),
        words=score_words,
    )
    return answer if is_valid else (answer, 422)


@bp.get(f"/mentors/{MENTOR}/statement.csv")
@staff_may(Task.MENTOR_FEES_READ)
def statement(mentor_id: int) -> Response:
    form = asked(StatementFilter)
    mentor = mentor_desk.sheet(mentor_id).mentor
    head = [_("日期"), _("报名编号"), _("姓名"), _("学位课"), _("规则"), _("说明"), _("规则版本"), _("变动"), _("余额")]
    rows = mentor_desk.statement_rows(mentor_id, form.month.day)
    return csv_files.download(f"mentor-{mentor.id}", head, map(_cells, rows))


def _cells(line: Line) -> Sequence[object]:
    student = line.student
    return [
        csv_files.moment(line.time),
        student.enrolment_id if student else "",
        student.name if student else "",
        student.degree if student else "",
        score_words.rule(line),
        _("；").join(score_words.about(line)),
        line.version,
        line.amount,
        "" if line.balance is None else line.balance,
    ]
