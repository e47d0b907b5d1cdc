"""Money that fits nothing."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from shop import clock
from shop.blueprints.staff.refunds import tell_outcome
from shop.errors import NotYourTurn, OwnCase, ShopError
from shop.extensions import settings
from shop.forms.staff import ReasonForm
from shop.money import to_yuan
from shop.rules.staff_rights import Task
from shop.services import troubles
from shop.services.payment import Answer
from shop.services.staff import money_desk
from shop.services.staff.money_desk import Case
from shop.web import csv_files
from shop.web.errors import note_refusal
from shop.web.staff import confirmed, staff_actor, staff_may

bp = Blueprint("staff_money", __name__, url_prefix="/staff")

TROUBLE = "<int(min=1, max=2147483647):trouble_id>"

Page = str | Response | tuple[str, int]


@bp.get("/money")
@staff_may(Task.MONEY_READ)
def index() -> Page:
    return _page()


def _page(*, form: ReasonForm | None = None, about: int | None = None, refused: str = "") -> str:
    return render_template(
        "staff/money/index.html",
        cases=money_desk.cases(),
        surplus=money_desk.surplus(),
        limit_fen=settings().refund_two_persons_fen,
        form=form or ReasonForm(None),
        about=about,
        refused=refused,
        now=clock.now(),
    )


@bp.get("/money.csv")
@staff_may(Task.MONEY_READ)
def csv() -> Response:
    """What people have to decide about; what goes back by itself is among the refunds."""
    head = [_("种类"), _("发现时间"), _("付款号"), _("支付宝交易号"), _("订单"), _("金额"), _("负责人"), _("退款号")]
    return csv_files.download("money", head, map(_cells, money_desk.every_case()))


def _cells(case: Case) -> Sequence[object]:
    return [
        *(case.kind.label, csv_files.moment(case.found_time), case.out_trade_no, case.trade_no, case.order_number),
        *(to_yuan(case.amount_fen), case.owner, case.refund_number),
    ]


@bp.post(f"/money/{TROUBLE}/owner")
@staff_may(Task.MONEY_SETTLE)
def take(trouble_id: int) -> Page:
    troubles.take(trouble_id, actor=staff_actor())
    flash(_("已由您负责。"), "ok")
    return redirect(url_for("staff_money.index"), 303)


@bp.post(f"/money/{TROUBLE}/inquiry")
@staff_may(Task.MONEY_SETTLE)
def inquire(trouble_id: int) -> Page:
    """Ask Alipay about the attempt once more: whatever it says is booked by the rules that book everything."""
    flash(*said(money_desk.ask_gateway(trouble_id, actor=staff_actor())))
    return redirect(url_for("staff_money.index"), 303)


def said(answer: Answer) -> tuple[str, str]:
    """What Alipay's answer means, for a flash."""
    says = {
        Answer.PAID: (_("支付宝：已付款。已按规则入账，能恢复的订单已恢复，不能恢复的会原路退回。"), "ok"),
        Answer.UNKNOWN: (_("支付宝没有给出可信的回答，什么都没有改变。请稍后再试。"), "warning"),
    }
    return says.get(answer) or (_("支付宝：这笔交易没有付款。什么都没有改变。"), "ok")


@bp.post(f"/money/{TROUBLE}/refund")
@staff_may(Task.MONEY_SETTLE)
@confirmed
def send_back(trouble_id: int) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(form=form, about=trouble_id), 422
    try:
        refund = troubles.send_back(trouble_id, actor=staff_actor(), reason=form.reason.data)
    except OwnCase as error:
        return _refused(trouble_id, error, error.message)
    except NotYourTurn as error:
        return _refused(trouble_id, error, _("这笔款项已在退回途中，或者不能由这里退回。"))
    tell_outcome(refund.out_request_no)
    return redirect(url_for("staff_refunds.page", out_request_no=refund.out_request_no), 303)


@bp.post(f"/money/{TROUBLE}/closing")
@staff_may(Task.MONEY_SETTLE)
@confirmed
def close(trouble_id: int) -> Page:
    form = ReasonForm()
    if not form.validate():
        return _page(form=form, about=trouble_id), 422
    try:
        troubles.close(trouble_id, actor=staff_actor(), reason=form.reason.data)
    except OwnCase as error:
        return _refused(trouble_id, error, error.message)
    except NotYourTurn as error:
        return _refused(trouble_id, error, _("这笔款项正在原路退回，退款完成后自动结案。"))
    flash(_("已结案，没有动用资金。"), "ok")
    return redirect(url_for("staff_money.index"), 303)


def _refused(trouble_id: int, error: ShopError, why: str) -> Page:
    note_refusal(error)
    return _page(about=trouble_id, refused=why), error.status
