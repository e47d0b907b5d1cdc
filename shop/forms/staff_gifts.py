"""What staff send about gifts."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from shop.forms import Form, LineField, StrictInteger, length, required
from shop.forms.staff import FilterChoice, reason_field
from shop.services.staff.gifts import MOST_BELI, Queue


class GiftFilter(Form):
    """Stands in the address."""

    queue = FilterChoice(_("队列"), Queue)


def _receiver(field_id: str) -> LineField:
    return LineField(
        _("学员用户名"),
        [required(), length(1, 64)],
        id=field_id,
        render_kw={"maxlength": 64, "autocomplete": "off"},
    )


class BeliForm(Form):
    username = _receiver("beli-username")
    beli = StrictInteger(_("贝里"), [required()], least=1, most=MOST_BELI, render_kw={"inputmode": "numeric"})
    reason = reason_field("beli-reason")


class CouponForm(Form):
    username = _receiver("coupon-username")
    coupon = StrictInteger(_("优惠券编号"), [required()], least=1, render_kw={"inputmode": "numeric"})
    reason = reason_field("coupon-reason")
