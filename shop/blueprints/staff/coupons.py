"""Campaigns: drafts, the rehearsal before they are published, and what may change afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from shop import clock
from shop.errors import ShopError
from shop.forms import Form
from shop.forms.staff import ReasonForm
from shop.forms.staff_coupons import CampaignFilter, CampaignForm, ExtendForm, PublishForm, RehearsalForm
from shop.money import to_yuan
from shop.rules.staff_rights import Task
from shop.services.keyset import Window
from shop.services.staff import campaign_list, campaigns, named, rehearsal
from shop.services.staff.campaign_list import Line
from shop.services.staff.campaigns import AlreadyChanged, NameTaken, NoSuchProduct, Terms, TermsChanged
from shop.services.staff.rehearsal import DEFAULT_ORDERS
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked, asked_cursor, kept_filters
from shop.web.staff import confirmed, staff_actor, staff_may

bp = Blueprint("staff_coupons", __name__, url_prefix="/staff")

COUPON = "<int(min=1, max=2147483647):coupon_id>"

Page = str | Response | tuple[str, int]


# ---------------------------------------------------------------- the list


@bp.get("/coupons")
@staff_may(Task.COUPONS_READ)
def index() -> Page:
    form = CampaignFilter(request.args)
    if not form.validate():
        return _list(form, None), 422
    return _list(form, campaign_list.listed(form.wanted(), asked_cursor()))


def _list(form: CampaignFilter, window: Window[Line] | None) -> str:
    form.product.offer(named.all_products())
    return render_template("staff/coupons/index.html", form=form, window=window, kept=kept_filters(form))


@bp.get("/coupons.csv")
@staff_may(Task.COUPONS_READ)
def csv() -> Response:
    form = asked(CampaignFilter)
    head = [
        *(_("编号"), _("活动名称"), _("状态"), _("种类"), _("减多少（元）"), _("学员付百分之几"), _("最低消费（元）")),
        *(_("用在哪里"), _("数量"), _("已领取"), _("已使用"), _("领取开始"), _("领取结束")),
        *(_("可用的第一天"), _("可用的最后一天"), _("领取后可用几天")),
    ]
    return csv_files.download("coupons", head, map(_cells, campaign_list.everything(form.wanted())))


def _cells(line: Line) -> Sequence[object]:
    terms = line.terms
    return [
        *(line.id, terms.name, line.state.label, terms.kind.label, to_yuan(terms.face_fen), terms.pay_percent or ""),
        *(to_yuan(terms.minimum_fen), line.product_name or _("全站"), terms.quantity, line.claimed, line.used),
        *(terms.open_date, terms.close_date, terms.valid_begin_date or "", terms.valid_end_date or ""),
        terms.valid_days or "",
    ]


# ---------------------------------------------------------------- drafts


@bp.get("/coupons/new")
@staff_may(Task.COUPONS_EDIT)
def new() -> Page:
    return _form_page(CampaignForm(campaign_list.products()))


@bp.post("/coupons")
@staff_may(Task.COUPONS_EDIT)
def create() -> Page:
    """Save a draft; or, by the other button, only say in words what it would be."""
    form = CampaignForm(campaign_list.products(), request.form)
    return _saved(form, lambda terms: campaigns.create(terms, actor=staff_actor()))


@bp.get(f"/coupons/{COUPON}/edit")
@staff_may(Task.COUPONS_EDIT)
def edit_page(coupon_id: int) -> Page:
    coupon, _name = campaign_list.found(coupon_id)
    if coupon.published_time is not None:
        return _back(coupon_id)
    form = CampaignForm(campaign_list.products(), terms=campaigns.terms_of(coupon))
    return _form_page(form, coupon_id)


@bp.post(f"/coupons/{COUPON}")
@staff_may(Task.COUPONS_EDIT)
def edit(coupon_id: int) -> Page:
    def save(terms: Terms) -> int:
        campaigns.edit(coupon_id, terms, actor=staff_actor())
        return coupon_id

    campaign_list.found(coupon_id)
    return _saved(CampaignForm(campaign_list.products(), request.form), save, coupon_id)


def _saved(form: CampaignForm, save: Callable[[Terms], int], coupon_id: int | None = None) -> Page:
    if not form.validate():
        return _form_page(form, coupon_id), 422
    if request.form.get("step") == "preview":
        return _form_page(form, coupon_id, form.terms)
    try:
        saved_id = save(form.terms)
    except NameTaken as error:
        form.name.errors = [error.message]
        return _form_page(form, coupon_id), error.status
    except NoSuchProduct as error:
        form.product.errors = [error.message]
        return _form_page(form, coupon_id), error.status
    flash(_("草稿已保存，学员还看不到。下一步：预演，然后发布。"), "ok")
    return _back(saved_id)


def _form_page(form: CampaignForm, coupon_id: int | None = None, terms: Terms | None = None) -> str:
    """The form of a draft; with terms also the sentence that they make."""
    names = {value: str(label) for value, label in form.product.choices}
    return render_template(
        "staff/coupons/form.html",
        form=form,
        coupon_id=coupon_id,
        terms=terms,
        product_name=names.get(form.product.data) if form.product.data else None,
        example=campaign_list.example(terms) if terms else None,
    )


@bp.post(f"/coupons/{COUPON}/delete")
@staff_may(Task.COUPONS_EDIT)
def delete(coupon_id: int) -> Page:
    name = campaigns.delete(coupon_id, actor=staff_actor())
    flash(_("草稿「%(name)s」已删除。", name=name), "ok")
    return redirect(url_for("staff_coupons.index"), 303)


# ---------------------------------------------------------------- publishing


@bp.get(f"/coupons/{COUPON}/publication")
@staff_may(Task.COUPONS_EDIT)
@confirmed  # before the reason is written, not after
def publication(coupon_id: int) -> Page:
    """The rehearsal: what the campaign would have done, before anybody may have it."""
    coupon, _name = campaign_list.found(coupon_id)
    if coupon.published_time is not None:
        return _back(coupon_id)
    asked = RehearsalForm(request.args)
    if not asked.validate():
        return _publication(coupon_id, asked, PublishForm(None)), 422
    return _publication(coupon_id, asked, PublishForm(None))


@bp.post(f"/coupons/{COUPON}/publication")
@staff_may(Task.COUPONS_EDIT)
@confirmed
def publish(coupon_id: int) -> Page:
    form = PublishForm()
    coupon, _name = campaign_list.found(coupon_id)
    if coupon.published_time is not None:
        flash(campaigns.AlreadyPublished().message, "warning")
        return _back(coupon_id)
    if not form.validate():
        return _publication(coupon_id, RehearsalForm(None), form), 422
    try:
        name = campaigns.publish(coupon_id, form.seal.data, actor=staff_actor(), reason=form.reason.data)
    except TermsChanged as error:
        note_refusal(error)
        return _publication(coupon_id, RehearsalForm(None), form, error.message), error.status
    flash(_("「%(name)s」已发布。", name=name), "ok")
    return _back(coupon_id)


def _publication(coupon_id: int, asked: RehearsalForm, form: PublishForm, refused: str = "") -> str:
    coupon, product_name = campaign_list.found(coupon_id)
    terms = campaigns.terms_of(coupon)
    orders = DEFAULT_ORDERS if asked.errors else asked.orders.data or DEFAULT_ORDERS
    return render_template(
        "staff/coupons/publication.html",
        coupon_id=coupon_id,
        terms=terms,
        today=clock.local_date(clock.now()),
        product_name=product_name,
        example=campaign_list.example(terms),
        rehearsal=rehearsal.rehearse(coupon_id, terms, orders),
        asked=asked,
        form=form,
        refused=refused,
    )


# ---------------------------------------------------------------- one of them


@bp.get(f"/coupons/{COUPON}")
@staff_may(Task.COUPONS_READ)
def page(coupon_id: int) -> Page:
    return _page(coupon_id)


def _page(coupon_id: int, *, refused: str = "", **forms: Form) -> str:
    sheet = campaign_list.sheet(coupon_id)
    filled = {"quantity": sheet.terms.quantity, "close_date": sheet.terms.close_date}
    return render_template(
        "staff/coupons/page.html",
        sheet=sheet,
        extend_form=forms.get("extend", ExtendForm(None, data=filled)),
        reason_form=forms.get("reason", ReasonForm(None)),
        refused=refused,
        now=clock.now(),
    )


@bp.post(f"/coupons/{COUPON}/stopping")
@staff_may(Task.COUPONS_EDIT)
def stop(coupon_id: int) -> Page:
    return _with_reason(coupon_id, campaigns.stop, _("活动已停用：不能再领，已领的也暂时不能用。"))


@bp.post(f"/coupons/{COUPON}/resuming")
@staff_may(Task.COUPONS_EDIT)
def resume(coupon_id: int) -> Page:
    return _with_reason(coupon_id, campaigns.resume, _("活动已恢复。"))


def _with_reason(coupon_id: int, change: Callable[..., None], done: str) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(coupon_id, reason=form), 422
    try:
        change(coupon_id, actor=staff_actor(), reason=form.reason.data)
    except AlreadyChanged as error:
        note_refusal(error)
        return _page(coupon_id, refused=error.message), error.status
    flash(done, "ok")
    return _back(coupon_id)


@bp.post(f"/coupons/{COUPON}/extension")
@staff_may(Task.COUPONS_EDIT)
@confirmed
def extend(coupon_id: int) -> Page:
    form = ExtendForm()
    if not form.validate():
        return _page(coupon_id, extend=form), 422
    try:
        campaigns.extend(
            coupon_id, form.quantity.data, form.close_date.data, actor=staff_actor(), reason=form.reason.data
        )
    except (campaigns.QuantityTooSmall, campaigns.ClosesEarlier, campaigns.ClosesAfterUse) as error:
        return _told_at(form, error, coupon_id)
    flash(_("已更改。"), "ok")
    return _back(coupon_id)


def _told_at(form: ExtendForm, error: ShopError, coupon_id: int) -> Page:
    field = form.quantity if isinstance(error, campaigns.QuantityTooSmall) else form.close_date
    field.errors = [error.message]
    return _page(coupon_id, extend=form), error.status


def _back(coupon_id: int) -> Response:
    return redirect(url_for("staff_coupons.page", coupon_id=coupon_id), 303)
