"""The catalogue: find products, put many on and off sale, take them home as a file."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from shop import clock
from shop.blueprints.staff.products import as_file
from shop.forms.staff_catalogue import CatalogueFilter, SaleForm
from shop.money import to_yuan
from shop.rules.staff_rights import Task
from shop.services import catalogue_export
from shop.services.staff import catalogue_list, catalogue_sale
from shop.services.staff.catalogue_list import Line
from shop.services.staff.catalogue_sale import Changed
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked_cursor, kept_filters
from shop.web.staff import staff_actor, staff_may

bp = Blueprint("staff_catalogue", __name__, url_prefix="/staff")

Page = str | Response | tuple[str, int]


@bp.get("/catalogue")
@staff_may(Task.CATALOGUE_READ)
def index() -> Page:
    form = _filter()
    if not form.validate():
        return render_template("staff/catalogue/index.html", form=form, window=None, kept={}), 422
    window = catalogue_list.listed(form.wanted(), asked_cursor())
    return render_template("staff/catalogue/index.html", form=form, window=window, kept=kept_filters(form))


def _filter() -> CatalogueFilter:
    form = CatalogueFilter(request.args)
    form.category.offer(catalogue_list.categories(), asks=_("全部"))
    return form


@bp.get("/catalogue.csv")
@staff_may(Task.CATALOGUE_READ)
def csv() -> Response:
    form = _filter()
    if not form.validate():
        abort(422)
    head = [
        *(_("编号"), _("名称"), _("种类"), _("状态"), _("课程大类"), _("所属学位课"), _("最低价（元）")),
        *(_("价格方案"), _("课时"), _("发布时间")),
    ]
    return csv_files.download("catalogue", head, map(_cells, catalogue_list.everything(form.wanted())))


def _cells(line: Line) -> Sequence[object]:
    return [
        line.id,
        line.name,
        line.sort.label,
        line.showing.label,
        line.category,
        line.degree,
        "" if line.from_fen is None else to_yuan(line.from_fen),
        line.plans,
        line.lessons,
        csv_files.moment(line.published_time),
    ]


@bp.get("/catalogue.yaml")
@staff_may(Task.CATALOGUE_READ)
def export() -> Response:
    """What the filters leave, as the import reads it; everything, without filters."""
    form = _filter()
    if not form.validate():
        abort(422)
    wanted = form.wanted()
    is_all = wanted == catalogue_list.Wanted()
    ids = None if is_all else [line.id for line in catalogue_list.everything(wanted)]
    return as_file(catalogue_export.export(ids), f"catalogue-{clock.local_date(clock.now()):%Y%m%d}")


# ---------------------------------------------------------------- on and off sale


@bp.get("/catalogue/sale")
@staff_may(Task.CATALOGUE_EDIT)
def sale() -> Page:
    """What a change would do; nothing happens yet."""
    form = SaleForm(request.args)
    if not form.validate():
        return _sale_page(form), 422
    return _sale_page(form)


@bp.post("/catalogue/sale")
@staff_may(Task.CATALOGUE_EDIT)
def change_sale() -> Page:
    form = SaleForm()
    if not form.validate():
        return _sale_page(form), 422
    try:
        count = catalogue_sale.apply(form.ids, form.to.data, form.mark.data or "", actor=staff_actor())
    except Changed as error:
        note_refusal(error)
        return _sale_page(form, refused=error.message), error.status
    flash(ngettext("已更改 %(num)s 门课程的状态。", "已更改 %(num)s 门课程的状态。", count), "ok")
    return redirect(url_for(".index"), 303)


def _sale_page(form: SaleForm, *, refused: str = "") -> str:
    plan = None if form.errors else catalogue_sale.plan(form.ids, form.to.data)
    return render_template("staff/catalogue/sale.html", plan=plan, form=form, refused=refused)
