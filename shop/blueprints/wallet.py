"""What a person has: coupons and 贝里."""

from __future__ import annotations

from flask import Blueprint, abort, current_app, render_template, request
from flask_login import current_user, login_required

from shop import clock
from shop.services import coupons as coupon_service
from shop.services import wallet
from shop.services.coupons import WalletState

bp = Blueprint("wallet", __name__)


@bp.get("/account/coupons")
@login_required
def coupons() -> str:
    try:
        state = WalletState(request.args.get("state", WalletState.USABLE.value))
    except ValueError:
        abort(404)
    owned = coupon_service.wallet(current_user.id, state, clock.now())
    return render_template("wallet/coupons.html", owned=owned, state=state)


@bp.get("/account/beli")
@login_required
def beli() -> str:
    page = request.args.get("page", 1, type=int)
    statement = wallet.statement(current_user.id, page)
    rate = current_app.extensions["settings"].beli_per_yuan
    return render_template("wallet/beli.html", statement=statement, beli_per_yuan=rate)
