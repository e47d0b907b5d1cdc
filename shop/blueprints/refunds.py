"""Asking for one's money back: pick lines, see what returns, ask; and take the request back (design 4 and 8)."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop.blueprints.orders import NUMBER, note_order
from shop.blueprints.settlement_page import problems
from shop.errors import NotRefundable
from shop.forms.refunds import AskForm, PickForm
from shop.services import order_views, refunds

bp = Blueprint("refunds", __name__)
bp.before_request(note_order)


@bp.get(f"/orders/{NUMBER}/refunds")
@login_required
def page(order_number: str) -> str | tuple[str, int]:
    """With ``detail`` in the address: what these lines would bring back. Nothing is changed by looking."""
    form = PickForm(request.args)
    if not form.validate():
        return _page(order_number, [], problem=_("课程的选择不正确，请重新选择。")), 422
    return _answer(order_number, form.detail.data)


@bp.post(f"/orders/{NUMBER}/refunds")
@login_required
def ask(order_number: str) -> Response | str | tuple[str, int]:
    form = AskForm()
    if not form.validate_on_submit():
        picked = [] if form.detail.errors else form.detail.data
        return _page(order_number, picked, form=form, problem=problems(form)), 422
    try:
        refunds.ask(current_user.id, order_number, form.detail.data, form.reason.data)
    except NotRefundable as refusal:
        return _page(order_number, [], form=form, refusal=refusal), refusal.status
    flash(_("退费申请已提交，所选课程暂停学习，等待审核。"), "ok")
    return redirect(url_for("orders.page", order_number=order_number), 303)


@bp.post(f"/orders/{NUMBER}/refunds/<string(maxlength=64):out_request_no>/withdrawal")
@login_required
def withdraw(order_number: str, out_request_no: str) -> Response:
    order_views.check_refund(current_user.id, order_number, out_request_no)
    refunds.withdraw(current_user.id, out_request_no)
    flash(_("退费申请已撤回，课程恢复学习。"), "ok")
    return redirect(url_for("orders.page", order_number=order_number), 303)


def _answer(order_number: str, picked: list[int]) -> str | tuple[str, int]:
    try:
        return _page(order_number, picked)
    except NotRefundable as refusal:
        return _page(order_number, [], refusal=refusal), refusal.status


def _page(
    order_number: str,
    picked: list[int],
    *,
    form: AskForm | None = None,
    refusal: NotRefundable | None = None,
    problem: str = "",
) -> str:
    """The page with a preview of the lines picked, or of the only one that there is to pick. Raises NotRefundable."""
    offered = refunds.options(current_user.id, order_number)
    open_lines = [line.detail_id for line in offered.lines if not line.why_not]
    if not picked and len(open_lines) == 1 and not offered.why_not:
        picked = open_lines
    preview = refunds.preview(current_user.id, order_number, picked) if picked else None
    returning = {coupon.record_id for coupon in preview.coupons} if preview else set()
    served = order_views.coupons_of(current_user.id, order_number, picked) if picked else {}
    return render_template(
        "refunds/page.html",
        order_number=order_number,
        offered=offered,
        picked=frozenset(picked),
        preview=preview,
        kept=[name for record_id, name in served.items() if record_id not in returning],
        form=form or AskForm(formdata=None),
        refusal=refusal,
        problem=problem,
    )
