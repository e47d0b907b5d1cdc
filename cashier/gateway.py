"""``/gateway.do``: checks a request, then forwards the buyer to a cashier page or answers the merchant's server."""

from __future__ import annotations

import json
import sqlite3

from flask import Blueprint, Response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from cashier import answers, calls, faults, pay_content, request_checks, trades, visits
from cashier.desk import Desk, current
from cashier.refusals import Refused
from cashier.request_checks import PAGE_PRODUCTS, GatewayRequest

bp = Blueprint("gateway", __name__)
KEPT_EXCHANGES = 20_000
EXCHANGE_LIMIT = 8_000  # characters of one answer that are kept


@bp.route("/gateway.do", methods=["GET", "POST"])
def gateway() -> AnyResponse:
    desk = current()
    params: dict[str, str] = {}
    try:
        params = request_checks.read_params(request.query_string, _form_bytes())
        checked = request_checks.check(params, app_id=desk.config.app_id, merchant_key=desk.merchant_key)
        if checked.method in PAGE_PRODUCTS:
            return _open_page(desk, checked)
    except Refused as refusal:
        return _refuse(desk, params, refusal)
    return _serve(desk, checked)


def _form_bytes() -> bytes:
    return request.get_data() if request.mimetype == "application/x-www-form-urlencoded" else b""


def _open_page(desk: Desk, checked: GatewayRequest) -> AnyResponse:
    """Forward the buyer to the pages' own origin, as Alipay does. No trade yet: that takes a log-in. Raises Refused."""
    now = desk.now()
    content = pay_content.read(PAGE_PRODUCTS[checked.method], checked.biz, now)
    with desk.work() as db:
        trade = trades.find(db, out_trade_no=content.out_trade_no)
        trades.check_request(trade, product=content.product, total_fen=content.total_fen, subject=content.subject)
        visit = visits.add(
            db,
            content,
            notify_url=checked.params.get("notify_url", ""),
            return_url=checked.params.get("return_url", ""),
            charset=checked.charset,
            now=now,
        )
        _log(db, now, checked.params, 302, "", "")
    return redirect(f"{desk.config.page_origin}/cashier/{visit.token}", code=302)


def _serve(desk: Desk, checked: GatewayRequest) -> Response:
    """Carry out a server call and sign the answer, under whatever faults are set for it."""
    with desk.work() as db:
        struck = faults.take(db, faults.ANSWER, calls.order_number(db, checked.biz), method=checked.method)
        node = {"code": "10000", "msg": "Success"}
        if all(fault.args["done"] for fault in struck.values()):
            node = calls.answer(desk, db, checked.method, checked.biz, request.host_url)
        node = answers.spoil_node(node, struck)
        _log(db, desk.now(), checked.params, 200, answers.node_text(node), ",".join(struck))
    desk.sender.wake()
    return answers.response(answers.node_name(checked.method), node, desk.gateway_key, checked.charset, struck)


def _refuse(desk: Desk, params: dict[str, str], refusal: Refused) -> AnyResponse:
    """A page for the buyer where the method is a page, else the method's node; the merchant's server learns no more."""
    method = params.get("method", "")
    with desk.store.write() as db:
        _log(db, desk.now(), params, 200, answers.node_text(refusal.node()), "")
    if method in PAGE_PRODUCTS:
        return Response(render_template("refused.html", refusal=refusal))
    name = answers.node_name(method) if method in request_checks.METHODS else "error_response"
    key = desk.gateway_key if refusal.is_signed else None
    return Response(answers.body(name, refusal.node(), key, "utf-8"), content_type="application/json;charset=utf-8")


def _log(db: sqlite3.Connection, now: float, params: dict[str, str], status: int, answer: str, fault: str) -> None:
    """Keep what was asked and answered; signatures are left out, and old entries go."""
    kept = {name: value[:EXCHANGE_LIMIT] for name, value in params.items() if name != "sign"}
    row = db.execute(
        "INSERT INTO exchange (at, method, request_json, http_status, answer, fault) VALUES (?, ?, ?, ?, ?, ?) "
        "RETURNING id",
        (now, params.get("method", ""), json.dumps(kept, ensure_ascii=False), status, answer[:EXCHANGE_LIMIT], fault),
    ).fetchone()
    db.execute("DELETE FROM exchange WHERE id <= ?", (row["id"] - KEPT_EXCHANGES,))
