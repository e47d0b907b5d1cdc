"""What staff send about gifts."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from shop.forms import Form, StrictInteger, required
from shop.forms.staff import FilterChoice, reason_field
from shop.forms.staff_names import NamedField, ReceiverField
from shop.services.staff import named
from shop.services.staff.gifts import MOST_BELI, Queue


class GiftFilter(Form):
    """Stands in the address."""

    queue = FilterChoice(_("队列"), Queue)


def _receiver(field_id: str) -> ReceiverField:
    return ReceiverField(_("学员：用户名、手机号、邮箱或编号"), [required()], id=field_id)


class _ProposalForm(Form):
    """To whom; of a form that is valid, ``receiver`` is the user name."""

    @property
    def receiver(self) -> str:
        return self["username"].meant.name if self["username"].meant else ""


class BeliForm(_ProposalForm):
    username = _receiver("beli-username")
    beli = StrictInteger(_("贝里"), [required()], least=1, most=MOST_BELI, render_kw={"inputmode": "numeric"})
    reason = reason_field("beli-reason")


class CouponForm(_ProposalForm):
    username = _receiver("coupon-username")
    coupon = NamedField(_("优惠券名称或编号"), named.campaigns, [required()])
    reason = reason_field("coupon-reason")
