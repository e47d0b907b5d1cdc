"""Who changed what."""

from __future__ import annotations

import json
from collections.abc import Sequence

from flask import Blueprint, render_template, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from shop.forms.staff_desk import AuditFilter
from shop.models import AuditLog
from shop.rules.staff_rights import Task
from shop.services.staff import audit_trail
from shop.services.staff.audit_trail import Wanted
from shop.web import csv_files
from shop.web.audit_changes import changes
from shop.web.paging import asked, asked_cursor, kept_filters
from shop.web.staff import may, staff_may

bp = Blueprint("staff_audit_log", __name__, url_prefix="/staff")

Page = str | Response | tuple[str, int]


@bp.get("/audit-log")
@staff_may(Task.AUDIT_LOG_MONEY)
def index() -> Page:
    form = AuditFilter(request.args)
    if not may(Task.AUDIT_LOG):
        form.action.offer(audit_trail.SUBJECTS_OF_MONEY)
    if not form.validate():
        return render_template("staff/audit_log/index.html", form=form, window=None, kept={}), 422
    window = audit_trail.listed(_wanted(form), asked_cursor())
    return render_template(
        "staff/audit_log/index.html", form=form, window=window, kept=kept_filters(form), changes=changes
    )


def _wanted(form: AuditFilter) -> Wanted:
    return form.wanted(is_money_only=not may(Task.AUDIT_LOG))


@bp.get("/audit-log.csv")
@staff_may(Task.AUDIT_LOG_MONEY)
def csv() -> Response:
    form = asked(AuditFilter)
    head = [_("时间"), _("操作人"), _("操作"), _("对象"), _("之前"), _("之后"), _("原因")]
    return csv_files.download("audit-log", head, map(_cells, audit_trail.everything(_wanted(form))))


def _cells(row: AuditLog) -> Sequence[object]:
    return [
        csv_files.moment(row.date),
        row.actor,
        row.action,
        f"{row.subject_table} {row.subject_id}",
        json.dumps(row.before, ensure_ascii=False) if row.before else "",
        json.dumps(row.after, ensure_ascii=False) if row.after else "",
        row.reason,
    ]
