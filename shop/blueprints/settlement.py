"""结算中心: what is being bought, what it costs and why, and what may be chosen."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user, login_required
from werkzeug.wrappers import Response

from shop.blueprints.settlement_page import problems, render
from shop.errors import SettlementGone
from shop.forms.settlement import ChoicesForm, SettleForm, line_coupons
from shop.services import cart, settlement
from shop.web.people import buyer_required
from shop.web.sessions import cart_owner

bp = Blueprint("settlement", __name__)


@bp.post("/settlement")
def create() -> Response:
    form = SettleForm()
    if not form.validate_on_submit():
        abort(422)
    products = form.product.data
    if form.policy.data and len(products) == 1:  # buy now: into the cart, then settle that line alone
        cart.add(cart_owner(), products[0], form.policy.data, current_user.id)
    if not current_user.is_authenticated:
        return redirect(url_for("account.login", next=url_for("cart.page")), 303)
    settlement.create(current_user.id, cart_owner(), products)
    return redirect(url_for("settlement.page"), 303)


@bp.get("/settlement")
@login_required
def page() -> Response | tuple[str, int]:
    try:
        return render(settlement.view(current_user.id)), 200
    except SettlementGone:
        return redirect(url_for("cart.page"))


@bp.post("/settlement/choices")
@buyer_required
def choose() -> Response | tuple[str, int]:
    form = ChoicesForm()
    coupons = line_coupons(request.form.items(multi=True))
    if not form.validate_on_submit() or coupons is None:
        problem = problems(form) or _("优惠券的选择不完整，请重新选择。")
        return render(settlement.view(current_user.id), problem=problem), 422
    settlement.change(
        current_user.id,
        line_coupons=coupons,
        site_coupon=form.site_coupon.data or None,
        beli=settlement.ALL_BELI if form.use.data == "all_beli" else form.balance.data,
        is_cheapest=form.use.data == "cheapest",
    )
    return redirect(url_for("settlement.page"), 303)
