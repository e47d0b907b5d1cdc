"""What a person has: coupons and 贝里."""

from __future__ import annotations

from flask import Blueprint, Response, abort, current_app, render_template, request
from flask_babel import gettext as _
from flask_login import current_user, login_required

from shop import clock
from shop.enums import TransactionType
from shop.services import cart, wallet
from shop.services import coupons as coupon_service
from shop.services.coupons import WalletState
from shop.services.wallet import Move
from shop.web import csv_files
from shop.web.sessions import cart_owner

bp = Blueprint("wallet", __name__)

KINDS = {str(int(kind)): kind for kind in TransactionType}


@bp.get("/account/coupons")
@login_required
def coupons() -> str:
    try:
        state = WalletState(request.args.get("state", WalletState.USABLE.value))
    except ValueError:
        abort(404)
    now = clock.now()
    ticked = cart.view(cart_owner(), current_user.id).selected if state is WalletState.USABLE else ()
    in_cart = {line.product_id: line.price_fen or 0 for line in ticked}
    return render_template(
        "wallet/coupons.html",
        owned=coupon_service.wallet(current_user.id, state, now, in_cart),
        counts=coupon_service.count_wallet(current_user.id, now),
        state=state,
        has_cart=bool(in_cart),
    )


@bp.get("/account/beli")
@login_required
def beli() -> str:
    page = request.args.get("page", 1, type=int)
    statement = wallet.statement(current_user.id, page, _kind())
    rate = current_app.extensions["settings"].beli_per_yuan
    return render_template("wallet/beli.html", statement=statement, kinds=tuple(TransactionType), beli_per_yuan=rate)


@bp.get("/account/beli.csv")
@login_required
def beli_csv() -> Response:
    head = [_("时间"), _("类型"), _("说明"), _("变动"), _("余额"), _("订单号"), _("流水号")]
    return csv_files.download("beli", head, map(_cells, wallet.all_moves(current_user.id, _kind())))


def _kind() -> TransactionType | None:
    kind = request.args.get("type", "")
    if kind and kind not in KINDS:
        abort(404)
    return KINDS.get(kind)


def _cells(move: Move) -> list[object]:
    time = f"{clock.local(move.time):%Y-%m-%d %H:%M:%S}"
    told = [time, move.kind.label, move.memo]
    return [*told, move.amount, move.balance_after, move.order_number or "", move.number]
