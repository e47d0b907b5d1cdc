"""Reports: the pages with their plots and tables, and the tables as files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, render_template, request
from werkzeug.wrappers import Response

from shop import clock
from shop.enums import Preset
from shop.forms.staff_reports import PeriodForm
from shop.rules.staff_rights import Task
from shop.services.staff.reports.sheet import Row, Table
from shop.services.staff.reports.shelf import REPORTS, Report
from shop.web import csv_files, plots, report_cells
from shop.web.staff import may, staff_may

bp = Blueprint("staff_reports", __name__, url_prefix="/staff/reports")

Page = str | Response | tuple[str, int]


@bp.get("")
@staff_may(Task.REPORTS)
def index() -> str:
    return render_template("staff/reports/index.html", reports=_visible())


def _visible() -> list[Report]:
    return [report for report in REPORTS if may(report.task)]


def _form() -> PeriodForm:
    return PeriodForm(clock.local_date(clock.now()), request.args)


def _page(report: Report) -> Callable[[], Page]:
    def page() -> Page:
        form = _form()
        period = form.period if form.validate() else None
        chosen = form.preset.data if period and not form.has_days else None
        if period:
            form.show(period)
        sheet = report.make(period) if period else None
        body = render_template(
            "staff/reports/page.html",
            report=report,
            reports=_visible(),
            form=form,
            presets=Preset,
            chosen=chosen,
            period=period,
            sheet=sheet,
            pictures={table.name: plots.draw(table) for table in sheet.tables} if sheet else {},
            cells=report_cells,
            kept=_kept(),
        )
        return body if period else (body, 422)

    return page


def _kept() -> dict[str, str]:
    """The period in the address, for the links to other reports and to files."""
    return {name: value for name in ("preset", "since", "until") if (value := request.args.get(name, ""))}


def _file(report: Report) -> Callable[[], Response]:
    def csv() -> Response:
        form = _form()
        if not form.validate():
            abort(422)
        table = report.make(form.period).table(request.args.get("table", ""))
        if table is None:
            abort(404)
        lines = [_cells(table, row) for row in table.rows]
        return csv_files.download(f"{report.name}-{table.name}", [*map(report_cells.head, table.columns)], lines)

    return csv


def _cells(table: Table, row: Row) -> list[Any]:
    return [report_cells.cell(value, column.unit) for value, column in zip(row.cells, table.columns, strict=True)]


for each in REPORTS:  # an address each, so that each has a right of its own
    bp.add_url_rule(f"/{each.name}", each.name, staff_may(each.task)(_page(each)), methods=["GET"])
    bp.add_url_rule(f"/{each.name}.csv", f"{each.name}_csv", staff_may(each.task)(_file(each)), methods=["GET"])
