"""``/_control``: faults, trades, messages and payments without a browser, for tests, and one page for people.

JSON in and out; only from this machine. A JSON body makes browsers ask before they let another site's page post here.
"""

from __future__ import annotations

import dataclasses
import hmac
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from cashier import clock, faults, guard, notices, outbox, recipes, trades, visits
from cashier.desk import Desk, current
from cashier.faults import UnknownFault
from cashier.money import from_yuan, to_yuan
from cashier.outbox import Message, MessageGone
from cashier.recipes import RecipeList
from cashier.refusals import Refused, trade_not_exist
from cashier.trades import BUYERS, Trade
from cashier.visits import Visit

bp = Blueprint("control", __name__, url_prefix="/_control")
bp.before_request(guard.require_local)
TABLES = ("delivery", "message", "refund", "trade", "visit", "exchange", "fault", "bill_ticket")
MOST_COPIES = 100


@bp.errorhandler(Refused)
def refused(error: Refused) -> tuple[Response, int]:
    return jsonify(error.node()), 409


@bp.errorhandler(MessageGone)
def gone(error: MessageGone) -> tuple[Response, int]:
    return jsonify(error=f"no message {error}"), 404


@bp.errorhandler(UnknownFault)
def unknown(error: UnknownFault) -> tuple[Response, int]:
    return jsonify(error=str(error)), 400


@bp.get("/")
def page() -> str:
    desk = current()
    with desk.work() as db:
        return render_template(
            "control.html",
            kinds=faults.KINDS,
            active=faults.listed(db),
            trades=trades.recent(db, 30),
            visits=visits.recent(db, 30),
            messages=[
                (message, outbox.deliveries(db, message.id)) for message in reversed(outbox.listed(db, limit=30))
            ],
            page_token=desk.page_token,
        )


@bp.post("/page")
def page_action() -> AnyResponse:
    """The page's own buttons: set a fault once, remove all, send a message again."""
    desk = current()
    if not hmac.compare_digest(request.form.get("page_token", "").encode(), desk.page_token.encode()):
        abort(403)
    action = request.form.get("action", "")
    with desk.store.write() as db:
        if action == "set":
            faults.add(db, request.form.get("kind", ""), {}, out_trade_no=request.form.get("out_trade_no", "").strip())
        elif action == "clear":
            faults.remove(db)
    if action == "send":
        with desk.store.read() as db:
            message = outbox.get(db, request.form.get("message", 0, type=int))
        desk.sender.deliver(message, [])
    return redirect(url_for(".page"), code=303)


@bp.get("/faults")
def list_faults() -> Response:
    with current().store.read() as db:
        active = [dataclasses.asdict(fault) for fault in faults.listed(db)]
    kinds = {name: dataclasses.asdict(kind) for name, kind in faults.KINDS.items()}
    return jsonify(active=active, kinds=kinds)


@bp.post("/faults")
def add_fault() -> tuple[Response, int]:
    """``kind``; optional ``out_trade_no`` (else all), ``times`` (1; null until removed), the kind's arguments."""
    wanted = _json()
    kind, out_trade_no = str(wanted.pop("kind", "")), str(wanted.pop("out_trade_no", ""))
    times = wanted.pop("times", 1)
    with current().store.write() as db:
        number = faults.add(db, kind, wanted, out_trade_no=out_trade_no, times=None if times is None else int(times))
    return jsonify(id=number), 201


@bp.delete("/faults")
def remove_faults() -> Response:
    with current().store.write() as db:
        faults.remove(db)
    return jsonify()


@bp.delete("/faults/<int:number>")
def remove_fault(number: int) -> Response:
    with current().store.write() as db:
        faults.remove(db, number)
    return jsonify()


@bp.get("/trades")
def list_trades() -> Response:
    """Newest first; amounts in yuan text, times in Beijing's."""
    with current().work() as db:
        return jsonify([_trade_facts(trade) for trade in trades.recent(db)])


@bp.get("/visits")
def list_visits() -> Response:
    """Payment requests that were let in, newest first."""
    hidden = {"token", "form_token"}
    with current().store.read() as db:
        found = visits.recent(db)
    return jsonify([{k: v for k, v in dataclasses.asdict(visit).items() if k not in hidden} for visit in found])


@bp.get("/messages")
def list_messages() -> Response:
    """Notifications, oldest first, each with its deliveries; ``?out_trade_no=`` for one order's."""
    with current().store.read() as db:
        return jsonify(
            [_message_facts(db, message) for message in outbox.listed(db, request.args.get("out_trade_no", ""))]
        )


@bp.get("/exchanges")
def list_exchanges() -> Response:
    """The last 200 calls of the gateway, newest first."""
    with current().store.read() as db:
        rows = db.execute("SELECT * FROM exchange ORDER BY id DESC LIMIT 200").fetchall()
    return jsonify([dict(row) for row in rows])


@bp.post("/login")
def log_in() -> Response:
    """``out_trade_no``, ``buyer`` (A): the scan alone, which leaves the trade waiting."""
    desk, wanted = current(), _json()
    with desk.work() as db:
        trade = desk.log_in(db, _visit(db, wanted), _buyer(wanted), amount_fen=_amount(wanted))
    return jsonify(_trade_facts(trade))


@bp.post("/pay")
def pay() -> Response:
    """``out_trade_no``, ``buyer`` (A), ``amount`` (for a wrong one): scan and pay without a browser.

    Gives the trade, its messages so far and the signed ``return_url`` (empty when there is none or it is lost).
    """
    desk, wanted = current(), _json()
    with desk.store.read() as db:
        visit = _visit(db, wanted)
    trade = desk.pay(visit, _buyer(wanted), amount_fen=_amount(wanted))
    back = desk.back_url(visit, trade)
    with desk.store.read() as db:
        messages = [_message_facts(db, message) for message in outbox.listed(db, trade.out_trade_no)]
    return jsonify(trade=_trade_facts(trade), return_url=back, messages=messages)


@bp.post("/messages/<int:number>/send")
def send_again(number: int) -> Response:
    """Deliver a stored message now, in whatever state: ``genuine`` (else as spoilt as before), ``copies`` at once."""
    desk, wanted = current(), _json()
    with desk.store.read() as db:
        message = outbox.get(db, number)
    return jsonify(_deliver(desk, message, [] if wanted.get("genuine") else message.recipes, wanted))


@bp.post("/messages")
def send_made() -> Response:
    """Make a message and deliver it now: by default the notification of the trade with this ``out_trade_no``.

    ``set`` and ``drop`` change fields before it is signed, ``recipes`` ({kind: arguments}) spoil it, ``url`` sends it
    elsewhere, ``copies`` at once. ``fields`` are sent as they stand instead, and need no trade, only a page.
    """
    desk, wanted = current(), _json()
    recipe_list = [(str(kind), _recipe_args(str(kind), args)) for kind, args in dict(wanted.get("recipes", {})).items()]
    with desk.work() as db:
        about: Trade | Visit
        if "fields" in wanted:
            about = _visit(db, wanted)
            fields = dict(wanted["fields"])
        else:
            about = trades.get(db, out_trade_no=str(wanted.get("out_trade_no", "")))
            fields = notices.notification(about, desk.seller, desk.now()) | dict(wanted.get("set", {}))
        fields = {str(name): str(value) for name, value in fields.items() if name not in wanted.get("drop", [])}
        url = str(wanted.get("url", ""))
        number = outbox.add(db, about, fields, desk.now(), recipe_list=recipe_list, state="manual", url=url)
        message = outbox.get(db, number)
    return jsonify(_deliver(desk, message, recipe_list, wanted, is_raw="fields" in wanted))


@bp.get("/clock")
def show_clock() -> Response:
    desk = current()
    return jsonify(now=clock.text(desk.now()), offset=clock.offset(desk.config.clock_offset_file))


@bp.post("/clock")
def move_clock() -> Response:
    """``offset``: seconds, written into the file that all processes share (409 when there is none)."""
    path = current().config.clock_offset_file
    if path is None:
        abort(409)
    path.write_text(str(float(_json()["offset"])))
    current().sender.wake()
    return show_clock()


@bp.post("/reset")
def reset() -> Response:
    """Forget everything."""
    with current().store.write() as db:
        for table in TABLES:
            db.execute(f"DELETE FROM {table}")  # noqa: S608  fixed names
    return jsonify()


def _json() -> dict[str, Any]:
    wanted = request.get_json()
    if not isinstance(wanted, dict):
        abort(400)
    return dict(wanted)


def _visit(db: sqlite3.Connection, wanted: dict[str, Any]) -> Visit:
    visit = visits.latest(db, str(wanted.get("out_trade_no", "")))
    if visit is None:
        raise trade_not_exist()
    return visit


def _buyer(wanted: dict[str, Any]) -> str:
    buyer = str(wanted.get("buyer", "A"))
    if buyer not in BUYERS:
        abort(400)
    return buyer


def _amount(wanted: dict[str, Any]) -> int | None:
    return from_yuan(wanted["amount"]) if wanted.get("amount") else None


def _recipe_args(kind: str, args: object) -> dict[str, Any]:
    if kind not in recipes.RECIPES or not isinstance(args, dict):
        raise UnknownFault(f"no such recipe: {kind}")
    return faults.KINDS[kind].args | args


def _deliver(
    desk: Desk,
    message: Message,
    recipe_list: RecipeList,
    wanted: dict[str, Any],
    *,
    is_raw: bool = False,
) -> dict[str, Any]:
    """Send now, ``copies`` in parallel; every delivery of the message so far."""
    copies = min(int(wanted.get("copies", 1)), MOST_COPIES)
    with ThreadPoolExecutor(max_workers=copies) as pool:
        for sent in [pool.submit(desk.sender.deliver, message, recipe_list, is_raw=is_raw) for _ in range(copies)]:
            sent.result()
    with desk.store.read() as db:
        return _message_facts(db, message)


def _trade_facts(trade: Trade) -> dict[str, Any]:
    facts = dataclasses.asdict(trade)
    for name in ("total", "refunded", "asked"):
        facts[f"{name}_amount"] = to_yuan(facts.pop(f"{name}_fen"))
    for name in ("created_at", "paid_at", "refunded_at", "closed_at", "expires_at"):
        facts[name] = clock.text(facts[name]) if facts[name] is not None else None
    return facts


def _message_facts(db: sqlite3.Connection, message: Message) -> dict[str, Any]:
    return dataclasses.asdict(message) | {"deliveries": outbox.deliveries(db, message.id)}
