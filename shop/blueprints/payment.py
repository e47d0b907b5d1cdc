"""Where Alipay speaks to the shop: the buyer's return, which proves nothing, and the notice, which is signed."""

from __future__ import annotations

import structlog
from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from shop.errors import BadNotice
from shop.extensions import csrf
from shop.services import payment
from shop.services.attempts import alipay
from shop.web import logs, metrics

bp = Blueprint("payment", __name__)
log = structlog.get_logger()


@bp.get("/alipay/return")
def alipay_return() -> Response | tuple[str, int]:
    """To the order for its owner, who is still logged in; a neutral page for anybody else."""
    try:
        out_trade_no = alipay().read_return(request.args.to_dict())
    except BadNotice as error:
        log.warning("return refused", reason=str(error))
        return render_template("payment/returned.html"), 200
    logs.bind(out_trade_no=out_trade_no)
    returned = payment.returned_from(out_trade_no)
    if returned and returned.is_unpaid:
        payment.ask(out_trade_no)
    if returned and returned.account_id == current_user.id:
        return redirect(url_for("orders.page", order_number=returned.order_number, returned=1))
    return render_template("payment/returned.html"), 200


@bp.post("/alipay/notify")
@csrf.exempt  # its signature authenticates it
def alipay_notify() -> tuple[str, int, dict[str, str]]:
    """``success`` after the commit only; anything else makes Alipay send it again for a day."""
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    try:
        notice = alipay().read_notice(_fields())
    except BadNotice as error:
        metrics.payment("bad_notice")
        log.warning("notice refused", reason=str(error))
        return "fail", 400, plain
    logs.bind(out_trade_no=notice.field("out_trade_no", 64))
    ruling = payment.receive(notice)
    outcome = ruling.verdict.name.lower()
    metrics.payment(outcome)
    log.info("notice", verdict=outcome, reason=ruling.reason, payment_id=ruling.payment_id)
    return ("success", 200, plain) if ruling.is_acknowledged else ("fail", 400, plain)


def _fields() -> dict[str, str]:
    """The posted fields, each once: which of two would count must not be a matter of luck."""
    if any(len(values) > 1 for _, values in request.form.lists()):
        raise BadNotice("a field came twice")
    return request.form.to_dict()
