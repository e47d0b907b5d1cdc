"""立即支付: from the settlement's page to Alipay, or back to the page with the reason."""

from __future__ import annotations

import re

import structlog
from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user
from redis.exceptions import RedisError
from werkzeug.wrappers import Response

from shop.blueprints.settlement_page import problems, render
from shop.enums import PaymentMethod
from shop.errors import SettlementGone, ShopError
from shop.forms.settlement import CheckoutForm, seen_amounts
from shop.gateways.settlement_store import Settlement
from shop.services import attempts, cart, checkout, settlement
from shop.services.checkout import Placed
from shop.web import logs, metrics
from shop.web.errors import note_refusal
from shop.web.people import buyer_required
from shop.web.sessions import cart_owner

bp = Blueprint("checkout", __name__)
PHONE = re.compile(r"Mobile|Android|iPhone", re.ASCII)
log = structlog.get_logger()


@bp.post("/checkout")
@buyer_required
def place_order() -> Response | tuple[str, int]:
    form = CheckoutForm()
    if not form.validate_on_submit():
        return _refused(None, status=422, problem=problems(form), shown_fen=form.money.data)
    try:
        placed = _place(form)
    except ShopError as refusal:
        note_refusal(refusal)
        return _refused(refusal, status=refusal.status, shown_fen=form.money.data)
    return redirect(_next_url(placed), 303)


def _place(form: CheckoutForm) -> Placed:
    account_id = current_user.id
    token = form.token.data or ""
    settled = settlement.current(account_id, token)
    if settled is None:
        return checkout.already_placed(account_id, token)
    placed = checkout.place_order(
        account_id,
        settled,
        money_fen=form.money.data,
        beli=form.balance.data,
        method=payment_method(),
    )
    if placed.is_new:
        metrics.order_placed()
        if not placed.is_due:
            metrics.payment("nothing_due")
    logs.bind(order=placed.order_number)
    _forget(settled)
    return placed


def _forget(settled: Settlement) -> None:
    """Out of settlement and cart with what is an order now. With Redis gone it stays, and the order stands (F18)."""
    try:
        settlement.clear(current_user.id, settled)
        cart.remove_bought(cart_owner(), [pick.product_id for pick in settled.picks])
    except RedisError as error:
        log.warning("cart not cleared", error=type(error).__name__)


def _next_url(placed: Placed) -> str:
    if placed.asked:
        return attempts.url_of(placed.asked)
    pay_url = attempts.pay_url(placed.order_number) if placed.is_due else None
    return pay_url or url_for("orders.page", order_number=placed.order_number)


def payment_method() -> PaymentMethod:
    """Alipay's page for this device; frozen with the attempt."""
    return PaymentMethod.WAP if PHONE.search(request.user_agent.string) else PaymentMethod.PAGE


def _refused(
    refusal: ShopError | None, *, status: int, problem: str = "", shown_fen: int | None = None
) -> tuple[str, int]:
    """The same page with what changed marked and a button that works; without a settlement, the way to the cart."""
    try:
        view = settlement.view(current_user.id)
        if view.is_choice_stale:  # only then: a new version ends the page that another tab may show
            settlement.refresh(current_user.id)
            view = settlement.view(current_user.id)
    except SettlementGone as gone:
        return render_template("errors/refused.html", error=refusal or gone), status
    seen = seen_amounts(request.form.items())
    return render(view, refusal=refusal, problem=problem, seen=seen, shown_fen=shown_fen), status
