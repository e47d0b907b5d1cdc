"""The buyer's pages: order, log-in, password, result. Plain forms, one state machine behind them, no scripts."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request, url_for
from jinja2 import StrictUndefined
from werkzeug.wrappers import Response as AnyResponse

from cashier import clock, faults, guard, outbox, trades, visits
from cashier.desk import current
from cashier.money import to_yuan
from cashier.refusals import Refused
from cashier.trades import BUYERS, Trade
from cashier.visits import Visit

bp = Blueprint("pages", __name__, url_prefix="/cashier")
# One click in the fold of a page; the rest is on the control page. Each strikes once, this order only.
FOLD = (
    "notify_lost",
    "notify_late",
    "notify_twice",
    "notify_parallel",
    "notify_after_return",
    "notify_forged",
    "notify_cent_less",
    "notify_other_app",
    "notify_other_seller",
    "pay_cent_less",
    "notify_other_trade_no",
    "return_lost",
)


def add_filters(app: Flask) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= {"yuan": to_yuan, "beijing": clock.text}


@bp.get("/<token>")
def show(token: str) -> str:
    """Whatever this page's payment has come to."""
    desk = current()
    with desk.work() as db:
        visit = _visit(visits.by_token(db, token))
        trade = trades.find(db, out_trade_no=visit.out_trade_no)
    if trade is not None and trade.is_paid:
        return _paid_page(visit, trade)
    if (trade is not None and trade.status == trades.CLOSED) or desk.now() >= visit.expires_at:
        return render_template("closed.html", visit=visit, home=_home(visit))
    if trade is not None and visit.buyer:
        return _page("password.html", visit, buyer=BUYERS[visit.buyer], problem="")
    return _page("order.html", visit, buyers=BUYERS.values())


@bp.post("/<token>/login")
def log_in(token: str) -> AnyResponse:
    """The scan: the trade comes into being, bound to this buyer."""
    desk = current()
    buyer = request.form.get("buyer", "")
    if buyer not in BUYERS:
        abort(400)
    try:
        with desk.work() as db:
            visit = _visit(visits.by_token(db, token), posted=True)
            desk.log_in(db, visit, buyer)
    except Refused as refusal:
        return _refused(refusal)
    return redirect(url_for(".show", token=token), code=303)


@bp.post("/<token>/pay")
def pay(token: str) -> AnyResponse:
    """Any six digits are the right password; ``outcome=short`` plays a buyer without enough money."""
    desk = current()
    with desk.store.read() as db:
        visit = _visit(visits.by_token(db, token), posted=True)
    if visit.buyer not in BUYERS:
        abort(400)
    password = request.form.get("password", "")
    problem = "" if password.isascii() and password.isdigit() and len(password) == 6 else "password"
    if request.form.get("outcome") == "short":
        problem = "balance"
    if problem:
        return Response(_page("password.html", visit, buyer=BUYERS[visit.buyer], problem=problem), 422)
    try:
        desk.pay(visit, visit.buyer)
    except Refused as refusal:
        return _refused(refusal)
    return redirect(url_for(".show", token=token), code=303)


@bp.get("/<token>/back")
def back(token: str) -> AnyResponse:
    """The way back to the merchant; notifications that wait for it follow."""
    desk = current()
    with desk.work() as db:
        visit = _visit(visits.by_token(db, token))
        outbox.release_held(db, visit.out_trade_no, desk.now())
    if not visit.back_url:
        abort(404)
    return redirect(visit.back_url, code=302)


@bp.post("/<token>/mischief")
def mischief(token: str) -> AnyResponse:
    guard.require_local()
    desk = current()
    kind = request.form.get("kind", "")
    if kind not in FOLD:
        abort(400)
    with desk.store.write() as db:
        visit = _visit(visits.by_token(db, token), posted=True)
        faults.add(db, kind, {}, out_trade_no=visit.out_trade_no)
    return redirect(url_for(".show", token=token), code=303)


def _visit(visit: Visit | None, *, posted: bool = False) -> Visit:
    """404 without one; 403 for a form that this page did not hand out."""
    if visit is None:
        abort(404)
    if posted and not hmac.compare_digest(visit.form_token.encode(), request.form.get("form_token", "").encode()):
        abort(403)
    return visit


def _page(template: str, visit: Visit, **facts: object) -> str:
    with current().store.read() as db:
        active = [fault for fault in faults.listed(db) if fault.out_trade_no in ("", visit.out_trade_no)]
    return render_template(
        template,
        visit=visit,
        home=_home(visit),
        kinds=faults.KINDS,
        fold=FOLD if guard.is_local() else (),
        active=active,
        **facts,
    )


def _paid_page(visit: Visit, trade: Trade) -> str:
    """With the signed way back, which is the same at every reload."""
    desk = current()
    address = desk.back_url(visit, trade)
    with desk.store.read() as db:
        is_held = any(message.state == "held" for message in outbox.listed(db, visit.out_trade_no))
    link = url_for(".back", token=visit.token) if is_held and address else address
    return render_template("paid.html", visit=visit, trade=trade, link=link)


def _home(visit: Visit) -> str:
    """Where "leave" goes: the merchant's quit_url (wap), else the front page of the site that sent the buyer."""
    parts = urlsplit(visit.return_url)
    return visit.quit_url or (f"{parts.scheme}://{parts.netloc}/" if parts.netloc else "")


def _refused(refusal: Refused) -> Response:
    return Response(render_template("refused.html", refusal=refusal), 409)
