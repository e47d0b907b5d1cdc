"""One's own orders: the list, and the page of each, which is also the confirmation of its payment."""

from __future__ import annotations

import re

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop import clock
from shop.blueprints.order_timeline import timeline
from shop.enums import OrderStatus
from shop.errors import NotYourTurn
from shop.services import cart, order_views, orders
from shop.services.payment import Answer
from shop.web import logs, metrics
from shop.web.sessions import cart_owner

bp = Blueprint("orders", __name__)
NUMBER = "<string(maxlength=32):order_number>"
WELL_FORMED = re.compile(r"[0-9A-Z]{20}", re.ASCII)
TABS = (
    OrderStatus.PENDING,
    OrderStatus.PAID,
    OrderStatus.REFUND_REQUESTED,
    OrderStatus.REFUNDED,
    OrderStatus.CANCELLED,
    OrderStatus.TIMED_OUT,
)
STATUSES = {str(int(status)): status for status in TABS}
LONGEST_SEARCH = 100
UNSEARCHABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


@bp.before_request
def note_order() -> None:
    """The order's number on every log line of a request about it."""
    number = (request.view_args or {}).get("order_number", "")
    if WELL_FORMED.fullmatch(number):
        logs.bind(order=number)


@bp.get("/orders")
@login_required
def index() -> str:
    status = request.args.get("status", "")
    page = request.args.get("page", "1")
    if (status and status not in STATUSES) or not (page.isascii() and page.isdigit() and len(page) < 7):
        abort(404)
    q = " ".join(UNSEARCHABLE.sub(" ", request.args.get("q", "")).split())[:LONGEST_SEARCH]
    found = order_views.index(current_user.id, status=STATUSES.get(status), page=int(page), q=q)
    now = clock.now()
    return render_template(
        "orders/index.html",
        found=found,
        status=STATUSES.get(status),
        tabs=TABS,
        q=q,
        payable={order.id for order in found.orders if order_views.may_be_paid(order, now)},
        seconds_left={order.id: int((order.expires_at - now).total_seconds()) for order in found.orders},
    )


@bp.get(f"/orders/{NUMBER}")
@login_required
def page(order_number: str) -> str:
    """Paid, waiting, being confirmed or ended. ``returned`` says that the buyer comes from Alipay."""
    view = order_views.view(current_user.id, order_number)
    return render_template(
        "orders/page.html",
        view=view,
        order=view.order,
        events=timeline(view),
        is_being_confirmed=view.is_pending and "returned" in request.args,
        seconds_left=int((view.order.expires_at - clock.now()).total_seconds()),
    )


@bp.get(f"/orders/{NUMBER}/receipt")
@login_required
def receipt(order_number: str) -> str:
    """For printing; 404 while nothing is paid."""
    view = order_views.view(current_user.id, order_number)
    if view.order.pay_time is None:
        abort(404)
    return render_template("orders/receipt.html", view=view, order=view.order)


@bp.post(f"/orders/{NUMBER}/payments")
@login_required
def pay(order_number: str) -> Response:
    """To Alipay; or back to the order when it turns out to be paid already."""
    at_alipay = orders.pay_again(current_user.id, order_number)
    return redirect(at_alipay or url_for("orders.page", order_number=order_number), 303)


@bp.post(f"/orders/{NUMBER}/inquiry")
@login_required
def inquire(order_number: str) -> Response:
    """Ask Alipay now: for the buyer who has paid while neither notice nor return has come."""
    answer = orders.inquire(current_user.id, order_number)
    if answer is Answer.PAID:
        metrics.payment("found_on_inquiry")
    if answer in (Answer.UNPAID, Answer.NOT_EXIST):  # nothing is being confirmed then
        flash(_("支付宝还没有收到这笔付款。"), "info")
        return redirect(url_for("orders.page", order_number=order_number), 303)
    if answer is Answer.UNKNOWN:
        flash(_("暂时查不到付款结果，请稍后再试。付款不会丢失。"), "warning")
    return redirect(url_for("orders.page", order_number=order_number, returned=1), 303)


@bp.post(f"/orders/{NUMBER}/cancellation")
@login_required
def cancel(order_number: str) -> Response:
    """Back to the order, also when Alipay has told meanwhile that it is paid."""
    try:
        orders.cancel(current_user.id, order_number)
    except NotYourTurn:
        if order_views.view(current_user.id, order_number).order.pay_time is None:
            raise
        flash(_("这个订单已经付款，没有取消。"), "warning")
    else:
        flash(_("订单已取消，占用的优惠券和贝里已退回。"), "ok")
    return redirect(url_for("orders.page", order_number=order_number), 303)


@bp.post(f"/orders/{NUMBER}/cart")
@login_required
def buy_again(order_number: str) -> Response:
    for message in cart.add_order(cart_owner(), current_user.id, order_number):
        flash(message.text, message.category)
    return redirect(url_for("cart.page"), 303)
