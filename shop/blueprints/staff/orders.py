"""Orders: find one, and its whole story."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.blueprints import order_timeline
from shop.blueprints.staff.money import said
from shop.blueprints.staff.refunds import tell_outcome
from shop.errors import AnotherPerson, NotRefundable, NotYourTurn, OwnCase
from shop.extensions import settings
from shop.forms.staff import ReasonForm
from shop.forms.staff_names import PRIVATE
from shop.forms.staff_orders import NoteForm, OrderFilter, RefundForm
from shop.money import to_yuan
from shop.rules.staff_rights import Task
from shop.services import refund_decisions
from shop.services.keyset import Window
from shop.services.refunds import Preview
from shop.services.staff import named, order_list, order_mail, order_story
from shop.services.staff.order_list import Line
from shop.web import csv_files, throttle
from shop.web.errors import note_refusal
from shop.web.paging import asked, asked_cursor, kept_filters
from shop.web.staff import confirmed, person_name, staff_actor, staff_may

bp = Blueprint("staff_orders", __name__, url_prefix="/staff")

ORDER = "<string(maxlength=32):order_number>"
NOTE = "<int(min=1, max=2147483647):note_id>"
MESSAGE = "<int(min=1, max=2147483647):message_id>"

Page = str | Response | tuple[str, int]


@bp.get("/orders")
@staff_may(Task.ORDERS_READ)
def index() -> Page:
    form = OrderFilter(request.args)
    if form.person.is_private:
        flash(str(PRIVATE), "warning")
        kept: dict[str, Any] = {**kept_filters(form), "person": None}
        return redirect(url_for("staff_orders.index", **kept), 303)
    if not form.validate():
        return _list(form, None), 422
    return _list(form, order_list.listed(form.wanted(), asked_cursor()))


def _list(form: OrderFilter, window: Window[Line] | None) -> str:
    form.product.offer(named.all_products())
    form.coupon.offer(named.latest_campaigns())
    return render_template("staff/orders/index.html", form=form, window=window, kept=kept_filters(form))


@bp.get("/orders.csv")
@staff_may(Task.ORDERS_READ)
def csv() -> Response:
    form = asked(OrderFilter)
    head = [
        *(_("订单号"), _("学员"), _("状态"), _("下单时间"), _("付款时间")),
        *(_("原价"), _("贝里"), _("实付"), _("已退（元）")),
    ]
    return csv_files.download("orders", head, map(_cells, order_list.everything(form.wanted())))


def _cells(line: Line) -> Sequence[object]:
    return [
        line.order_number,
        person_name(line.username),
        line.status.label,
        csv_files.moment(line.date),
        csv_files.moment(line.pay_time),
        to_yuan(line.list_amount_fen),
        line.beli,
        to_yuan(line.actual_amount_fen),
        to_yuan(line.returned_fen),
    ]


@bp.get(f"/orders/{ORDER}")
@staff_may(Task.ORDERS_READ)
def page(order_number: str) -> Page:
    return _page(order_number)


def _page(order_number: str, *, note: NoteForm | None = None, delivery: ReasonForm | None = None) -> str:
    story = order_story.whole(order_number)
    now = clock.now()
    return render_template(
        "staff/orders/page.html",
        story=story,
        order=story.view.order,
        view=story.view,
        events=order_timeline.timeline(story.view),
        note_form=note or _note_form(None),
        delivery_form=delivery or ReasonForm(None),
        is_own=story.owner_id == current_user.id,
        now=now,
    )


def _note_form(formdata: Any) -> NoteForm:
    return NoteForm(clock.local_date(clock.now()), formdata)


@bp.post(f"/orders/{ORDER}/notes")
@staff_may(Task.ORDER_NOTE)
def add_note(order_number: str) -> Page:
    form = _note_form(request.form)
    if not form.validate():
        return _page(order_number, note=form), 422
    order_story.add_note(order_number, form.text.data, form.follow_up_date.data, actor=staff_actor())
    flash(_("备注已保存。"), "ok")
    return _back(order_number)


@bp.post(f"/orders/{ORDER}/notes/{NOTE}/done")
@staff_may(Task.ORDER_NOTE)
def finish_note(order_number: str, note_id: int) -> Page:
    order_story.finish_note(order_number, note_id, actor=staff_actor())
    flash(_("备注已完成。"), "ok")
    return _back(order_number)


@bp.post(f"/orders/{ORDER}/messages/{MESSAGE}/sending")
@staff_may(Task.ORDER_NOTE)
def send_message(order_number: str, message_id: int) -> Page:
    throttle.hit("order_message", order_number)
    order_mail.send_again(order_number, message_id, actor=staff_actor())
    flash(_("已再次发给买家。"), "ok")
    return _back(order_number)


@bp.post(f"/orders/{ORDER}/inquiry")
@staff_may(Task.ORDER_ASK)
def inquire(order_number: str) -> Page:
    flash(*said(order_story.ask_gateway(order_number, actor=staff_actor())))
    return _back(order_number)


@bp.post(f"/orders/{ORDER}/delivery")
@staff_may(Task.ORDER_ASK)
@confirmed
def deliver(order_number: str) -> Page:
    """Open what is paid for and not open; whether it is paid for stays Alipay's word."""
    form = ReasonForm()
    if not form.validate():
        return _page(order_number, delivery=form), 422
    try:
        order_story.deliver_again(order_number, actor=staff_actor(), reason=form.reason.data)
    except NotYourTurn as error:
        note_refusal(error)
        flash(_("没有要补开通的课程：刚刚已有人处理。"), "warning")
    else:
        flash(_("已按订单开通，并通知了学员。"), "ok")
    return _back(order_number)


def _back(order_number: str) -> Response:
    return redirect(url_for("staff_orders.page", order_number=order_number), 303)


# ---------------------------------------------------------------- a refund that staff open


@bp.get(f"/orders/{ORDER}/refunds")
@staff_may(Task.REFUND_PROPOSE)
@confirmed  # before the form is filled in, not after
def refund_page(order_number: str) -> Page:
    """Without lines chosen: which there are. With them in the address: what exactly would come back."""
    form = RefundForm(None)
    chosen = request.args.getlist("detail")
    if not chosen:
        return _refund_page(order_number, form, refused=_("请先勾选要退的课程。") if "step" in request.args else "")
    form.detail.data = chosen
    try:
        preview = refund_decisions.preview(order_number, form.detail_ids)
    except NotRefundable as error:
        return _refund_page(order_number, form, refused=error.message), error.status
    return _refund_page(order_number, form, preview)


def _refund_page(order_number: str, form: RefundForm, preview: Preview | None = None, refused: str = "") -> str:
    return render_template(
        "staff/orders/refund.html",
        number=order_number,
        options=refund_decisions.options(order_number),
        form=form,
        preview=preview,
        refused=refused,
        limit_fen=settings().refund_two_persons_fen,
    )


@bp.post(f"/orders/{ORDER}/refunds")
@staff_may(Task.REFUND_PROPOSE)
@confirmed
def refund(order_number: str) -> Page:
    form = RefundForm()
    is_valid = form.validate()
    try:
        preview = refund_decisions.preview(order_number, form.detail_ids) if form.detail_ids else None
        if not is_valid:
            return _refund_page(order_number, form, preview), 422
        opened = refund_decisions.open_by_staff(
            order_number, form.detail_ids, actor=staff_actor(), reason=form.reason.data
        )
    except (NotRefundable, OwnCase, AnotherPerson) as error:
        note_refusal(error)
        return _refund_page(order_number, form, refused=error.message), error.status
    tell_outcome(opened.out_request_no)
    return redirect(url_for("staff_refunds.page", out_request_no=opened.out_request_no), 303)
