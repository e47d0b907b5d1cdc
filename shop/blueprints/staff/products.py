"""One course, module or degree: its parts, what it lacks, its preview, and its way before people."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from shop.blueprints import catalogue as public
from shop.enums import ProductStatus
from shop.errors import NotYourTurn, ShopError
from shop.forms.staff_catalogue import PublishForm
from shop.rules.staff_rights import Task
from shop.services import catalogue_export
from shop.services.staff import catalogue_sale, catalogue_sheet, catalogue_words
from shop.services.staff.catalogue_sale import Changed
from shop.services.staff.catalogue_state import Incomplete
from shop.web.errors import note_refusal
from shop.web.staff import staff_actor, staff_may

bp = Blueprint("staff_products", __name__, url_prefix="/staff/catalogue")

PRODUCT = "<int(min=1, max=2147483647):product_id>"

Page = str | Response | tuple[str, int]


@bp.get(f"/products/{PRODUCT}")
@staff_may(Task.CATALOGUE_READ)
def page(product_id: int) -> Page:
    return _page(product_id)


def _page(product_id: int, *, refused: str = "") -> str:
    sheet = catalogue_sheet.sheet(product_id)
    return render_template("staff/catalogue/product.html", sheet=sheet, refused=refused, words=catalogue_words)


@bp.get(f"/products/{PRODUCT}/preview")
@staff_may(Task.CATALOGUE_READ)
def preview(product_id: int) -> Page:
    """A module is seen on the page of its degree."""
    sheet = catalogue_sheet.sheet(product_id)
    if sheet.course is not None and sheet.course.degree_course_id is not None:
        return redirect(url_for(".preview", product_id=sheet.course.degree_course_id), 303)
    response = Response(public.preview(product_id, sheet.product.kind), mimetype="text/html")
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get(f"/products/{PRODUCT}.yaml")
@staff_may(Task.CATALOGUE_READ)
def export(product_id: int) -> Response:
    catalogue_sheet.sheet(product_id)
    return as_file(catalogue_export.export([product_id]), f"product-{product_id}")


def as_file(text: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}.yaml"'}
    return Response(text, content_type="application/yaml; charset=utf-8", headers=headers)


@bp.post(f"/products/{PRODUCT}/publication")
@staff_may(Task.CATALOGUE_EDIT)
def publish(product_id: int) -> Page:
    form = PublishForm()
    if not form.validate():
        abort(422)
    status: ProductStatus = form.to.data
    try:
        catalogue_sale.publish(product_id, status, form.mark.data or "", actor=staff_actor())
    except Incomplete as error:
        return _refused(product_id, error, _("还不能发布，请先补齐下面列出的内容。"))
    except (Changed, NotYourTurn) as error:
        return _refused(product_id, error, error.message)
    flash(_("已发布，访客现在可以看到。"), "ok")
    return redirect(url_for(".page", product_id=product_id), 303)


def _refused(product_id: int, error: ShopError, message: str) -> Page:
    note_refusal(error)
    return _page(product_id, refused=message), error.status
