"""Refunds: what waits, and the decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.enums import RefundState
from shop.errors import AnotherPerson, NotRefundable, NotYourTurn, OwnCase
from shop.extensions import settings
from shop.forms.staff import ReasonForm
from shop.forms.staff_money import RefundFilter, TransferForm
from shop.money import to_yuan
from shop.rules.staff_rights import Task
from shop.services import refund_decisions, refund_transfers, refunds
from shop.services.refund_sending import Outcome
from shop.services.refund_transfers import MovedAtAlipay, TransferTaken
from shop.services.staff import refund_desk
from shop.services.staff.refund_desk import Line, Queue, Whole
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.paging import asked, asked_cursor
from shop.web.staff import confirmed, may, person_name, staff_actor, staff_may

bp = Blueprint("staff_refunds", __name__, url_prefix="/staff")

NUMBER = "<string(maxlength=64):out_request_no>"

Page = str | Response | tuple[str, int]


@bp.get("/refunds")
@staff_may(Task.REFUND_PROPOSE)
def index() -> Page:
    form = asked(RefundFilter)
    queue: Queue = form.queue.data
    return render_template(
        "staff/money/refunds.html",
        queue=queue,
        queues=list(Queue),
        counts=refund_desk.counts(),
        window=refund_desk.listed(queue, asked_cursor()),
        now=clock.now(),
    )


@bp.get("/refunds.csv")
@staff_may(Task.REFUND_PROPOSE)
def csv() -> Response:
    form = asked(RefundFilter)
    head = [_("退款号"), _("订单"), _("学员"), _("来由"), _("状态"), _("申请时间"), _("贝里"), _("金额"), _("原因")]
    return csv_files.download("refunds", head, map(_cells, refund_desk.everything(form.queue.data)))


def _cells(line: Line) -> Sequence[object]:
    return [
        *(line.number, line.order_number, person_name(line.username), str(line.cause.label), str(line.state.label)),
        *(csv_files.moment(line.requested_time), line.beli, to_yuan(line.amount_fen), line.reason),
    ]


@bp.get(f"/refunds/{NUMBER}")
@staff_may(Task.REFUND_PROPOSE)
def page(out_request_no: str) -> Page:
    return _page(out_request_no)


def _page(
    out_request_no: str, *, form: ReasonForm | None = None, transfer: TransferForm | None = None, refused: str = ""
) -> str:
    whole = refund_desk.whole(out_request_no)
    return render_template(
        "staff/money/refund.html",
        whole=whole,
        may_approve=_may_approve(whole),
        is_own=whole.owner_id == current_user.id,
        limit_fen=settings().refund_two_persons_fen,
        form=form or ReasonForm(None),
        transfer_form=transfer or TransferForm(None),
        may_withdraw=whole.asked_by_id == current_user.id and whole.line.state is RefundState.REQUESTED,
        has_transferred=whole.transfer_by_id == current_user.id,
        refused=refused,
        now=clock.now(),
    )


def _may_approve(whole: Whole) -> bool:
    """Whether the button is offered; the service decides."""
    is_free = current_user.id not in whole.persons and current_user.id != whole.owner_id
    return is_free and whole.line.state is RefundState.REQUESTED and may(Task.REFUND_DECIDE)


@bp.post(f"/refunds/{NUMBER}/approval")
@staff_may(Task.REFUND_DECIDE)
@confirmed
def approve(out_request_no: str) -> Page:
    return _step(out_request_no, refund_decisions.approve)


@bp.post(f"/refunds/{NUMBER}/refusal")
@staff_may(Task.REFUND_DECIDE)
@confirmed
def refuse(out_request_no: str) -> Page:
    return _step(out_request_no, refund_decisions.refuse)


@bp.post(f"/refunds/{NUMBER}/withdrawal")
@staff_may(Task.REFUND_PROPOSE)
@confirmed
def withdraw(out_request_no: str) -> Page:
    return _step(out_request_no, refund_decisions.withdraw)


@bp.post(f"/refunds/{NUMBER}/retry")
@staff_may(Task.REFUND_DECIDE)
@confirmed
def retry(out_request_no: str) -> Page:
    return _step(out_request_no, refund_decisions.retry)


@bp.post(f"/refunds/{NUMBER}/sending")
@staff_may(Task.MONEY_SETTLE)
@confirmed
def send(out_request_no: str) -> Page:
    """What the job would do within the minute, now; beside the job it is sent once."""
    try:
        refund_decisions.hurry(out_request_no, actor=staff_actor())
    except NotYourTurn as error:
        note_refusal(error)
        says = error.message if isinstance(error, OwnCase) else _("这笔退款现在不需要发送。下面是现在的状态。")
        return _page(out_request_no, refused=says), error.status
    flash(*_sent(refunds.send(out_request_no), refund_desk.whole(out_request_no).line))
    return redirect(url_for("staff_refunds.page", out_request_no=out_request_no), 303)


def _sent(outcome: Outcome, line: Line) -> tuple[str, str]:
    """What one try came to, for a flash."""
    says = {
        Outcome.DONE: (_("退款已完成：%(amount)s 元已原路退回。", amount=to_yuan(line.amount_fen)), "ok"),
        Outcome.FAILED: (_("支付宝拒绝了这笔退款，原因见本页。"), "warning"),
        Outcome.LATER: (_("已发送。支付宝还没有确认到账，系统会继续查询。"), "ok"),
        Outcome.SKIPPED: (_("刚刚已经发送过一次，没有重复发送，系统会继续处理。"), "ok"),
    }
    return says[outcome]


# ---------------------------------------------------------------- returned by a transfer


@bp.post(f"/refunds/{NUMBER}/transfer")
@staff_may(Task.REFUND_DECIDE)
@confirmed
def transfer(out_request_no: str) -> Page:
    form = TransferForm()
    if not form.validate():
        return _page(out_request_no, transfer=form), 422
    number, reason = form.transfer_number.data, form.reason.data
    try:
        refund = refund_transfers.record(out_request_no, transfer_number=number, actor=staff_actor(), reason=reason)
    except TransferTaken as error:
        form.transfer_number.errors = [error.message]
        return _page(out_request_no, transfer=form), error.status
    except NotYourTurn as error:
        return _not_now(out_request_no, error)
    if refund.state is RefundState.DONE:
        return _said(out_request_no, _("已记录转账，退款完成。"))
    return _said(out_request_no, _("已记录转账。金额超过限额，还需要另一位财务同事确认。"))


@bp.post(f"/refunds/{NUMBER}/transfer/confirmation")
@staff_may(Task.REFUND_DECIDE)
@confirmed
def confirm_transfer(out_request_no: str) -> Page:
    return _step(out_request_no, refund_transfers.confirm, _("已确认转账，退款完成。"))


@bp.post(f"/refunds/{NUMBER}/transfer/deletion")
@staff_may(Task.REFUND_DECIDE)
@confirmed
def drop_transfer(out_request_no: str) -> Page:
    return _step(out_request_no, refund_transfers.drop, _("已取消转账记录，退款仍是失败状态。"))


def _said(out_request_no: str, text: str) -> Response:
    flash(text, "ok")
    return redirect(url_for("staff_refunds.page", out_request_no=out_request_no), 303)


def _not_now(out_request_no: str, error: NotYourTurn) -> Page:
    """What stands in the way, on the page with the present state."""
    note_refusal(error)
    has_words = isinstance(error, OwnCase | AnotherPerson | MovedAtAlipay)
    says = error.message if has_words else _("这笔退款刚刚已被处理，没有重复执行。下面是现在的状态。")
    return _page(out_request_no, refused=says), error.status


# ---------------------------------------------------------------- decided


def _step(out_request_no: str, decide: Callable[..., Any], done: str = "") -> Page:
    """Decide with the reason that was sent; ``done`` is what the next page says, else what has become of the money."""
    form = ReasonForm()
    if not form.validate():
        return _page(out_request_no, form=form), 422
    try:
        decide(out_request_no, actor=staff_actor(), reason=form.reason.data)
    except NotRefundable as error:
        note_refusal(error)
        return _page(out_request_no, refused=error.message), error.status
    except NotYourTurn as error:
        return _not_now(out_request_no, error)
    if done:
        return _said(out_request_no, done)
    tell_outcome(out_request_no)
    return redirect(url_for("staff_refunds.page", out_request_no=out_request_no), 303)


def tell_outcome(out_request_no: str) -> None:
    """Send what is approved now, and say on the next page what has become of it."""
    whole = refund_desk.whole(out_request_no)
    line = whole.line
    if line.state is RefundState.APPROVED:
        outcome = refunds.send(out_request_no)
        line = refund_desk.whole(out_request_no).line
        if outcome is Outcome.LATER:
            flash(_("已同意。支付宝还没有确认到账，系统会继续查询。"), "ok")
            return
    waits = (
        _("已记录。金额超过限额，还需要另一位财务同事同意。") if whole.first_approver else _("已提出，等待财务审核。")
    )
    stays = _("已拒绝，学员可以继续学习。") if whole.is_of_lines else _("已拒绝，款项仍在待认领款项里。")
    says = {
        RefundState.REQUESTED: waits,
        RefundState.APPROVED: _("已同意，正在发往支付宝。"),
        RefundState.IN_TRANSIT: _("已同意。支付宝还没有确认到账，系统会继续查询。"),
        RefundState.DONE: _("退款已完成：%(amount)s 元已原路退回。", amount=to_yuan(line.amount_fen)),
        RefundState.FAILED: _("支付宝拒绝了这笔退款，原因见本页。"),
        RefundState.REFUSED: stays,
        RefundState.WITHDRAWN: _("已撤回，什么都没有退。"),
    }
    flash(says[line.state], "warning" if line.state is RefundState.FAILED else "ok")
