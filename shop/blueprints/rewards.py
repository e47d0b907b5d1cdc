"""What a degree has earned its student, and when it matures."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Response, render_template
from flask_babel import gettext as _
from flask_login import current_user, login_required

from shop import clock
from shop.blueprints import score_words
from shop.services import earnings, score_rows
from shop.services.score_rows import Line
from shop.web import csv_files
from shop.web.paging import asked_page

bp = Blueprint("rewards", __name__, url_prefix="/learning/degrees")

ENROLMENT = "<int(min=1, max=2147483647):enrolment_id>"


@bp.get(f"/{ENROLMENT}/rewards")
@login_required
def page(enrolment_id: int) -> str:
    own = earnings.of_student(current_user.id, enrolment_id, clock.now())
    wanted = score_rows.of_student(current_user.id, enrolment_id)
    return render_template(
        "rewards/page.html", own=own, statement=score_rows.page(wanted, asked_page()), words=score_words
    )


@bp.get(f"/{ENROLMENT}/rewards.csv")
@login_required
def csv(enrolment_id: int) -> Response:
    head = [_("日期"), _("规则"), _("说明"), _("规则版本"), _("变动"), _("余额"), _("已到账"), _("状态")]
    wanted = score_rows.of_student(current_user.id, enrolment_id)
    return csv_files.download("rewards", head, map(_cells, score_rows.everything(wanted)))


def _cells(line: Line) -> Sequence[object]:
    return [
        f"{clock.local(line.time):%Y-%m-%d %H:%M:%S}",
        score_words.rule(line),
        _("；").join(score_words.about(line)),
        line.version,
        line.amount,
        "" if line.balance is None else line.balance,
        line.received,
        _("已撤销") if line.is_reversed else "",
    ]
