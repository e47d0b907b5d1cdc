"""领券中心: what can be claimed, claiming it, and turning a code into a coupon."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.wrappers import Response

from shop import clock
from shop.errors import ClaimRefused, CodeRefused
from shop.forms.coupons import CodeForm
from shop.services import coupons
from shop.web import redirects, throttle
from shop.web.people import address, buyer_required

bp = Blueprint("coupons", __name__)


@bp.get("/coupons")
def center() -> str:
    return _center(CodeForm())


@bp.post("/coupons/<int:coupon_id>/claims")
@buyer_required
def claim(coupon_id: int) -> Response | tuple[str, int]:
    """Claim one and go back to the page the button was on; a refusal is told by the 领券中心 with its way back."""
    back = redirects.inside(request.form.get("next"), url_for("coupons.center"))
    try:
        name = coupons.claim(current_user.id, coupon_id, clock.now())
    except ClaimRefused as refusal:
        return _center(CodeForm(formdata=None), refusal, back), refusal.status
    flash(_("已领取「%(name)s」，结算时可以使用。", name=name), "ok")
    return redirect(back, 303)


@bp.post("/coupons/codes")
@buyer_required
def claim_by_code() -> Response | tuple[str, int]:
    """Every try is counted before it is looked at, so that many at once learn no more than a few."""
    form = CodeForm()
    if not form.validate_on_submit():
        return _center(form), 422
    throttle.hit("coupon_code", "account", current_user.id)
    throttle.hit("coupon_code_address", address())
    try:
        name = coupons.claim_by_code(current_user.id, form.code.data, clock.now())
    except (CodeRefused, ClaimRefused) as refusal:
        form.code.errors = [refusal.message]
        return _center(form), refusal.status
    throttle.forget("coupon_code", "account", current_user.id)
    flash(_("已兑换「%(name)s」，结算时可以使用。", name=name), "ok")
    return redirect(url_for("wallet.coupons"), 303)


def _center(form: CodeForm, refusal: ClaimRefused | None = None, back: str = "") -> str:
    offers = coupons.centre(current_user.id, clock.now())
    return render_template("coupons/center.html", offers=offers, form=form, refusal=refusal, back=back)
