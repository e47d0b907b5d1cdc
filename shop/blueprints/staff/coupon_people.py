"""How the coupons of a campaign come to people: codes, gifts by name, and the records that they have."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from shop.blueprints.staff.coupons import COUPON, Page
from shop.errors import ClaimRefused, ShopError
from shop.forms.staff_coupons import CodeFilter, CodesForm, GiveForm, NamesForm, RecordFilter
from shop.rules.staff_rights import Task
from shop.services.staff import campaign_list, coupon_codes, coupon_gifts, coupon_records
from shop.services.staff.coupon_codes import NotEnoughLeft, NotRunning
from shop.services.staff.coupon_gifts import MOST_A_DAY, DayIsFull, Plan, UnknownNames
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked, asked_cursor, kept_filters
from shop.web.staff import confirmed, person_name, staff_actor, staff_may

bp = Blueprint("staff_coupon_people", __name__, url_prefix="/staff")


# ---------------------------------------------------------------- codes


@bp.get(f"/coupons/{COUPON}/codes")
@staff_may(Task.COUPON_GIVE)
def codes(coupon_id: int) -> Page:
    form = CodeFilter(request.args)
    if not form.validate():
        return _codes(coupon_id, form, CodesForm(None)), 422
    return _codes(coupon_id, form, CodesForm(None))


def _codes(coupon_id: int, form: CodeFilter, new: CodesForm, refused: str = "") -> str:
    window = None if form.errors else coupon_codes.listed(coupon_id, form.wanted(), asked_cursor())
    return render_template(
        "staff/coupons/codes.html",
        campaign=campaign_list.heading(coupon_id),
        open_codes=coupon_codes.open_count(coupon_id),
        form=form,
        window=window,
        kept=kept_filters(form),
        batches=coupon_codes.batches(coupon_id),
        new=new,
        refused=refused,
    )


@bp.get(f"/coupons/{COUPON}/codes.csv")
@staff_may(Task.COUPON_GIVE)
def codes_csv(coupon_id: int) -> Response:
    form = asked(CodeFilter)
    campaign_list.found(coupon_id)
    head = [_("优惠码"), _("生成时间"), _("已被谁使用"), _("留给谁")]
    return csv_files.download(
        f"coupon-{coupon_id}-codes", head, map(_code_cells, coupon_codes.everything(coupon_id, form.wanted()))
    )


def _code_cells(line: coupon_codes.Line) -> Sequence[object]:
    made = csv_files.moment(line.created_time)
    return [line.code, made, line.used_by or "", line.reserved_for or ""]


@bp.post(f"/coupons/{COUPON}/codes")
@staff_may(Task.COUPON_GIVE)
@confirmed
def generate(coupon_id: int) -> Page:
    form = CodesForm()
    if not form.validate():
        return _codes(coupon_id, CodeFilter(None), form), 422
    try:
        batch = coupon_codes.generate(coupon_id, form.count.data, actor=staff_actor(), reason=form.reason.data)
    except NotEnoughLeft as error:
        form.count.errors = [error.message]
        return _codes(coupon_id, CodeFilter(None), form), error.status
    except NotRunning as error:
        note_refusal(error)
        return _codes(coupon_id, CodeFilter(None), form, error.message), error.status
    flash(
        ngettext("已生成 %(num)s 个优惠码，可以下载 CSV。", "已生成 %(num)s 个优惠码，可以下载 CSV。", form.count.data),
        "ok",
    )
    return redirect(url_for("staff_coupon_people.codes", coupon_id=coupon_id, batch=batch), 303)


# ---------------------------------------------------------------- gifts


@bp.get(f"/coupons/{COUPON}/gifts")
@staff_may(Task.COUPON_GIVE)
@confirmed  # before the list is pasted, not after
def gifts(coupon_id: int) -> Page:
    return _gifts(coupon_id, GiveForm(None))


@bp.post(f"/coupons/{COUPON}/gifts/check")
@staff_may(Task.COUPON_GIVE)
def check(coupon_id: int) -> Page:
    """Who of the list would get one; nothing is given."""
    names = NamesForm()
    if not names.validate():
        form = GiveForm(None, data={"names": names.names.data})
        form.names.errors = names.names.errors
        return _gifts(coupon_id, form), 422
    form = GiveForm(None, data={"names": names.names.data})
    return _gifts(coupon_id, form, _plan(coupon_id, names))


def _plan(coupon_id: int, form: NamesForm) -> Plan:
    return coupon_gifts.dry_run(coupon_id, coupon_gifts.names_in(form.names.data), actor=staff_actor())


@bp.post(f"/coupons/{COUPON}/gifts")
@staff_may(Task.COUPON_GIVE)
@confirmed
def give(coupon_id: int) -> Page:
    form = GiveForm()
    if not form.validate():
        plan = None if form.names.errors else _plan(coupon_id, form)
        return _gifts(coupon_id, form, plan), 422
    names = coupon_gifts.names_in(form.names.data)
    try:
        plan = coupon_gifts.give(coupon_id, names, actor=staff_actor(), reason=form.reason.data)
    except (UnknownNames, NotEnoughLeft, DayIsFull, NotRunning, ClaimRefused) as error:
        return _not_given(coupon_id, form, error)
    flash(_("已发给 %(count)s 人，并通知了他们。", count=len(plan.gets)), "ok")
    return redirect(url_for("staff_coupons.page", coupon_id=coupon_id), 303)


def _not_given(coupon_id: int, form: GiveForm, error: ShopError) -> Page:
    note_refusal(error)
    return _gifts(coupon_id, form, _plan(coupon_id, form), error.message), error.status


def _gifts(coupon_id: int, form: GiveForm, plan: Plan | None = None, refused: str = "") -> str:
    return render_template(
        "staff/coupons/gifts.html",
        campaign=campaign_list.heading(coupon_id),
        form=form,
        plan=plan,
        most=MOST_A_DAY,
        refused=refused,
    )


# ---------------------------------------------------------------- records


@bp.get(f"/coupons/{COUPON}/records")
@staff_may(Task.COUPONS_READ)
def records(coupon_id: int) -> Page:
    form = RecordFilter(request.args)
    is_right = form.validate()
    coupon, _product = campaign_list.found(coupon_id)
    window = coupon_records.listed(coupon_id, form.wanted(), asked_cursor()) if is_right else None
    page = render_template(
        "staff/coupons/records.html",
        coupon_id=coupon_id,
        name=coupon.name,
        form=form,
        window=window,
        kept=kept_filters(form),
    )
    return page if is_right else (page, 422)


@bp.get(f"/coupons/{COUPON}/records.csv")
@staff_may(Task.COUPONS_READ)
def records_csv(coupon_id: int) -> Response:
    form = asked(RecordFilter)
    campaign_list.found(coupon_id)
    head = [_("券号"), _("学员"), _("状态"), _("领取时间"), _("可用从"), _("可用到"), _("使用时间"), _("订单号")]
    return csv_files.download(
        f"coupon-{coupon_id}-records", head, map(_record_cells, coupon_records.everything(coupon_id, form.wanted()))
    )


def _record_cells(record: coupon_records.Record) -> Sequence[object]:
    times = (record.get_time, record.valid_from, record.valid_until, record.used_time)
    shown = [csv_files.moment(when) for when in times]
    return [record.number, person_name(record.username), record.state.label, *shown, record.order_number or ""]
