"""The cart's page and what can be done on it."""

from __future__ import annotations

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop.forms.cart import AddForm, PolicyForm, SelectionForm
from shop.services import cart
from shop.web.sessions import cart_owner

bp = Blueprint("cart", __name__)


@bp.get("/cart")
def page() -> str:
    return render_template("cart/page.html", cart=cart.view(cart_owner(), current_user.id))


@bp.post("/cart/items")
def add() -> Response:
    form = AddForm()
    if not form.validate_on_submit():
        abort(422)
    name = cart.add(cart_owner(), form.product.data, form.policy.data, current_user.id)
    flash(_("「%(name)s」已放进购物车。", name=name), "ok")
    return _to_cart()


@bp.post("/cart/items/<int:product_id>/policy")
def change_policy(product_id: int) -> Response:
    form = PolicyForm()
    if not form.validate_on_submit():
        abort(422)
    cart.change_policy(cart_owner(), product_id, form.policy.data)
    return _to_cart()


@bp.post("/cart/items/<int:product_id>/delete")
def remove(product_id: int) -> Response:
    cart.remove(cart_owner(), product_id)
    return _to_cart()


@bp.post("/cart/selection")
def select() -> Response:
    form = SelectionForm()
    if not form.validate_on_submit():
        abort(422)
    if form.choice.data:
        cart.select_all(cart_owner(), is_selected=form.choice.data == "all")
    else:
        cart.select_lines(cart_owner(), shown=form.shown.data, ticked=form.product.data)
    return _to_cart()


def _to_cart() -> Response:
    return redirect(url_for("cart.page"), 303)
