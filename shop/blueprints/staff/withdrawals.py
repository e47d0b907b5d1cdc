"""贝里 that leave the shop: one person approves, another one pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.errors import NotYourTurn, StaffOnly
from shop.forms.staff import ReasonForm
from shop.forms.staff_money import PaymentForm, WithdrawalFilter
from shop.money import to_yuan
from shop.rules.staff_rights import Task
from shop.services import withdrawals
from shop.services.staff import withdrawal_desk
from shop.services.staff.withdrawal_desk import Line, Payee, Queue
from shop.services.withdrawals import NumberTaken
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked, asked_cursor
from shop.web.staff import confirmed, staff_actor, staff_may

bp = Blueprint("staff_withdrawals", __name__, url_prefix="/staff")

WITHDRAWAL = "<int(min=1, max=2147483647):withdrawal_id>"

Page = str | Response | tuple[str, int]


@bp.get("/withdrawals")
@staff_may(Task.WITHDRAWALS)
def index() -> Page:
    form = asked(WithdrawalFilter)
    queue: Queue = form.queue.data
    return render_template(
        "staff/money/withdrawals.html",
        queue=queue,
        queues=list(Queue),
        counts=withdrawal_desk.counts(),
        window=withdrawal_desk.listed(queue, asked_cursor()),
        now=clock.now(),
    )


@bp.get("/withdrawals.csv")
@staff_may(Task.WITHDRAWALS)
def csv() -> Response:
    """The payees stay masked in it."""
    form = asked(WithdrawalFilter)
    head = [_("编号"), _("申请时间"), _("申请人"), _("收款账号"), _("状态"), _("贝里"), _("金额")]
    return csv_files.download("withdrawals", head, map(_cells, withdrawal_desk.everything(form.queue.data)))


def _cells(line: Line) -> Sequence[object]:
    when = csv_files.moment(line.requested_time)
    return [line.id, when, line.username, line.payee, str(line.state.label), line.amount, to_yuan(line.amount_fen)]


@bp.get(f"/withdrawals/{WITHDRAWAL}")
@staff_may(Task.WITHDRAWALS)
def page(withdrawal_id: int) -> Page:
    return _page(withdrawal_id)


def _page(
    withdrawal_id: int,
    *,
    reason: ReasonForm | None = None,
    payment: PaymentForm | None = None,
    payee: Payee | None = None,
    refused: str = "",
) -> str:
    whole = withdrawal_desk.whole(withdrawal_id)
    return render_template(
        "staff/money/withdrawal.html",
        whole=whole,
        is_own=whole.line.account_id == current_user.id,
        has_approved=whole.handler_id == current_user.id,
        reason_form=reason or ReasonForm(None),
        payment_form=payment or PaymentForm(None),
        payee=payee,
        refused=refused,
        now=clock.now(),
    )


@bp.post(f"/withdrawals/{WITHDRAWAL}/payee")
@staff_may(Task.WITHDRAWALS)
@confirmed
def show_payee(withdrawal_id: int) -> Page:
    """The page with the payee on it, for this answer only."""
    form = ReasonForm()
    if not form.validate():
        return _page(withdrawal_id, reason=form), 422
    payee = withdrawal_desk.show_payee(withdrawal_id, actor=staff_actor(), reason=form.reason.data)
    return _page(withdrawal_id, payee=payee)


@bp.post(f"/withdrawals/{WITHDRAWAL}/approval")
@staff_may(Task.WITHDRAWALS)
@confirmed
def approve(withdrawal_id: int) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(withdrawal_id, reason=form), 422
    return _step(withdrawal_id, withdrawals.approve, _("已同意，请另一位财务同事打款。"), reason=form.reason.data)


@bp.post(f"/withdrawals/{WITHDRAWAL}/refusal")
@staff_may(Task.WITHDRAWALS)
@confirmed
def refuse(withdrawal_id: int) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(withdrawal_id, reason=form), 422
    return _step(withdrawal_id, withdrawals.refuse, _("已驳回，贝里已退回。"), reason=form.reason.data)


@bp.post(f"/withdrawals/{WITHDRAWAL}/payment")
@staff_may(Task.WITHDRAWALS)
@confirmed
def pay(withdrawal_id: int) -> Page:
    form = PaymentForm()
    if not form.validate():
        return _page(withdrawal_id, payment=form), 422
    try:
        return _step(withdrawal_id, withdrawals.pay, _("已记录打款。"), payment_number=form.payment_number.data)
    except NumberTaken as error:
        form.payment_number.errors = [error.message]
        return _page(withdrawal_id, payment=form), error.status


def _step(withdrawal_id: int, step: Callable[..., Any], done: str, **how: Any) -> Page:
    try:
        step(withdrawal_id, actor=staff_actor(), **how)
    except NotYourTurn as error:
        if error.facts.get("why") == "staff":
            raise StaffOnly from error
        note_refusal(error)
        return _page(withdrawal_id, refused=_why_not(str(error.facts.get("why")))), error.status
    flash(done, "ok")
    return redirect(url_for("staff_withdrawals.page", withdrawal_id=withdrawal_id), 303)


def _why_not(why: str) -> str:
    return {
        "own": _("这是您自己的提现，请让另一位同事处理。"),
        "same": _("同意和打款要由两个人完成：您已经同意过，请让另一位财务同事打款。"),
    }.get(why) or _("这笔提现刚刚已被处理，没有重复执行。下面是现在的状态。")
