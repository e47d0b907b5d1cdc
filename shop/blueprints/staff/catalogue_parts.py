"""The parts of the catalogue: a form for each kind of thing, made, changed, moved and deleted alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from shop.enums import ValidPeriod
from shop.errors import ShopError
from shop.forms.staff_catalogue import FORMS, DegreePlanForm, IdField, IdsField, MoveForm, ParentForm, PartForm
from shop.money import to_yuan
from shop.rules.staff_rights import Task
from shop.services.staff import catalogue_edit, catalogue_list, catalogue_part, catalogue_words
from shop.services.staff.catalogue_edit import Stale, Taken, Unfit, Wanted
from shop.services.staff.catalogue_kinds import KINDS, Kind, Values, mark_of
from shop.services.staff.catalogue_part import Part
from shop.services.staff.catalogue_state import Incomplete
from shop.web.errors import note_refusal
from shop.web.staff import confirmed, may, staff_actor, staff_may
from shop.web.upload_limit import takes_texts

bp = Blueprint("staff_parts", __name__, url_prefix="/staff/catalogue")

KIND = f"<any({', '.join(repr(key) for key in KINDS)}):kind>"
PRODUCTS = ("courses", "degrees", "modules")  # kinds that are no part of a page but have one
ITEM = "<int(min=1, max=2147483647):item_id>"

Page = str | Response | tuple[str, int]


def _confirmed_price(view: Callable[..., Page]) -> Callable[..., Page]:
    """``confirmed`` for plans alone, of all the parts they are prices; whoever only reads them is not asked."""
    fresh = confirmed(view)

    @wraps(view)
    def guarded(kind: str, **item: int) -> Page:
        is_asked = kind == "plans" and may(Task.CATALOGUE_EDIT)
        return (fresh if is_asked else view)(kind, **item)

    return guarded


# ---------------------------------------------------------------- categories and teachers, which belong to no product


@bp.get("/categories")
@staff_may(Task.CATALOGUE_READ)
def categories() -> Page:
    return render_template("staff/catalogue/categories.html", shelves=catalogue_list.shelves())


@bp.get("/teachers")
@staff_may(Task.CATALOGUE_READ)
def teachers() -> Page:
    return render_template("staff/catalogue/teachers.html", teachers=catalogue_list.all_teachers())


# ---------------------------------------------------------------- one part


@bp.get(f"/{KIND}/new")
@staff_may(Task.CATALOGUE_EDIT)
@_confirmed_price
def new(kind: str) -> Page:
    part = _place(KINDS[kind])
    return _page(part, _form(part, None))


@bp.post(f"/{KIND}/new")
@staff_may(Task.CATALOGUE_EDIT)
@_confirmed_price
@takes_texts
def create(kind: str) -> Page:
    part = _place(KINDS[kind])
    form = _form(part, request.form)
    if not form.validate():
        return _page(part, form), 422
    try:
        row_id = catalogue_edit.create(part.kind, part.parent_id, form.values(), actor=staff_actor())
    except (Taken, Unfit) as error:
        return _refused(part, form, error)
    flash(_("已新增%(kind)s。", kind=_(part.kind.title)), "ok")
    if part.kind.key in PRODUCTS:
        return redirect(url_for("staff_products.page", product_id=row_id), 303)
    return _back(part)


@bp.get(f"/{KIND}/{ITEM}")
@staff_may(Task.CATALOGUE_READ)
@_confirmed_price
def page(kind: str, item_id: int) -> Page:
    part = catalogue_part.find(KINDS[kind], item_id)
    return _page(part, _form(part, None))


@bp.post(f"/{KIND}/{ITEM}")
@staff_may(Task.CATALOGUE_EDIT)
@_confirmed_price
@takes_texts
def save(kind: str, item_id: int) -> Page:
    part = catalogue_part.find(KINDS[kind], item_id)
    form = _form(part, request.form)
    if not form.validate():
        return _page(part, form), 422
    if (price := _price_change(part, form)) is not None and request.form.get("agreed") != price.seal:
        return _page(part, form, price=price)
    try:
        is_new = catalogue_edit.save(part.kind, item_id, form.values(), form.mark.data or "", actor=staff_actor())
    except Stale as error:
        note_refusal(error)
        form.mark.data, form.mark.raw_data = mark_of(error.current), None
        return _page(part, form, refused=error.message, current=_differing(form, error.current)), error.status
    except (Taken, Unfit, Incomplete) as error:
        return _refused(part, form, error)
    flash(_("已保存。") if is_new else _("没有改动。"), "ok" if is_new else "info")
    if price is not None and is_new:
        flash(_("价格已从 %(old)s 元改为 %(new)s 元。", old=to_yuan(price.old_fen), new=to_yuan(price.new_fen)), "info")
    return _back(part)


@bp.post(f"/{KIND}/{ITEM}/move")
@staff_may(Task.CATALOGUE_EDIT)
def move(kind: str, item_id: int) -> Page:
    part = catalogue_part.find(KINDS[kind], item_id)
    form = MoveForm()
    if not form.validate():
        abort(422)
    catalogue_edit.move(part.kind, item_id, upwards=form.up.data == 1, actor=staff_actor())
    return _back(part)


@bp.post(f"/{KIND}/{ITEM}/delete")
@staff_may(Task.CATALOGUE_EDIT)
def delete(kind: str, item_id: int) -> Page:
    part = catalogue_part.find(KINDS[kind], item_id)
    try:
        name = catalogue_edit.delete(part.kind, item_id, actor=staff_actor())
    except (Wanted, Incomplete) as error:
        return _refused(part, _form(part, None), error)
    flash(_("已删除「%(name)s」。", name=name), "ok")
    if part.id == part.product_id and part.kind.key != "modules":
        return redirect(url_for("staff_catalogue.index"), 303)
    return _back(part)


# ---------------------------------------------------------------- shared


def _place(kind: Kind) -> Part:
    form = ParentForm(request.args)
    if not form.validate():
        abort(404)
    return catalogue_part.place(kind, form.of.data)


def _form(part: Part, sent: Any) -> PartForm:
    make = DegreePlanForm if part.kind.key == "plans" and part.is_degree else FORMS[part.kind.key]
    defaults = {"valid_period": ValidPeriod.TWO_YEARS} if make is DegreePlanForm else {}
    form = make(sent, data={**defaults, **part.values, "mark": part.mark})
    for field in form:
        if isinstance(field, IdField):
            field.offer(catalogue_list.sub_categories(), asks=_("请选择"))
        elif isinstance(field, IdsField):
            field.offer(catalogue_list.teachers() if field.name == "teachers" else _others(part))
    return form


def _others(part: Part) -> Sequence[tuple[int, str]]:
    """Every other course, those that are chosen first: the list scrolls."""
    chosen = part.values.get("recommended", ())
    others = [course for course in catalogue_list.courses_alone() if course[0] != part.id]
    return sorted(others, key=lambda course: course[0] not in chosen)


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A price that people see becomes another one, in fen."""

    old_fen: int
    new_fen: int

    @property
    def seal(self) -> str:
        """What an agreement is about: to no other change of price."""
        return f"{self.old_fen}-{self.new_fen}"


def _price_change(part: Part, form: PartForm) -> PriceChange | None:
    """None where nobody sees the price, or where the page was shown before a change of somebody else's."""
    if part.kind.key != "plans" or not part.is_published or form.mark.data != part.mark:
        return None
    old, new = part.values["price_fen"], form.values()["price_fen"]
    return PriceChange(old, new) if old != new else None


def _page(
    part: Part,
    form: PartForm,
    *,
    refused: str = "",
    current: Sequence[tuple[str, str]] = (),
    price: PriceChange | None = None,
) -> str:
    return render_template(
        "staff/catalogue/part.html",
        part=part,
        form=form,
        refused=refused,
        current=current,
        price=price,
        back=_back_to(part),
    )


def _differing(form: PartForm, current: Values) -> list[tuple[str, str]]:
    """What stands in the database where the form says something else."""
    sent = form.values()
    columns = [column for column, value in current.items() if value != sent[column]]
    return [(catalogue_words.column(column), catalogue_words.shown(column, current[column])) for column in columns]


def _refused(part: Part, form: PartForm, error: ShopError) -> Page:
    note_refusal(error)
    if isinstance(error, Taken) and error.column in form:
        form[error.column].errors = [error.message]
        return _page(part, form), error.status
    return _page(part, form, refused=error.message), error.status


def _back_to(part: Part) -> str:
    if part.product_id is not None:
        return url_for("staff_products.page", product_id=part.product_id)
    if part.kind.key in ("categories", "sub-categories"):
        return url_for(".categories")
    return url_for(".teachers") if part.kind.key == "teachers" else url_for("staff_catalogue.index")


def _back(part: Part) -> Response:
    if part.product_id is not None and part.kind.key not in PRODUCTS:
        return redirect(f"{_back_to(part)}#{part.kind.key}", 303)
    return redirect(_back_to(part), 303)
