"""What a person has: coupons and 贝里."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from flask import Blueprint, Response, abort, current_app, render_template, request, stream_with_context
from flask_babel import gettext as _
from flask_login import current_user, login_required

from shop import clock
from shop.enums import TransactionType
from shop.services import cart, wallet
from shop.services import coupons as coupon_service
from shop.services.coupons import WalletState
from shop.services.wallet import Move
from shop.web.sessions import cart_owner

bp = Blueprint("wallet", __name__)

KINDS = {str(int(kind)): kind for kind in TransactionType}
BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets read Chinese as something else
FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
    rows = _csv(wallet.all_moves(current_user.id, _kind()))
    name = f"beli-{clock.local_date(clock.now()):%Y%m%d}.csv"
    return Response(
        stream_with_context(rows),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _kind() -> TransactionType | None:
    kind = request.args.get("type", "")
    if kind and kind not in KINDS:
        abort(404)
    return KINDS.get(kind)


def _csv(moves: Iterator[Move]) -> Iterator[str]:
    yield BYTE_ORDER_MARK + _line([_("时间"), _("类型"), _("说明"), _("变动"), _("余额"), _("订单号"), _("流水号")])
    for move in moves:
        time = f"{clock.local(move.time):%Y-%m-%d %H:%M:%S}"
        told = [time, move.kind.label, _safe(move.memo)]
        yield _line([*told, move.amount, move.balance_after, move.order_number or "", _safe(move.number)])


def _line(cells: list[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()


def _safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
