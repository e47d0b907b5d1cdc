"""What the settlement's page sends: what to settle, which coupons and 贝里 to use, and the press on 立即支付."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import HiddenField
from wtforms.validators import Regexp

from shop.forms import DIGITS, Form, StrictInteger, YuanField, required
from shop.forms.cart import IdList
from shop.money import from_yuan

TOKEN = re.compile(r"[0-9A-Za-z_-]{1,64}\Z", re.ASCII)
COUPON_FIELD = re.compile(r"coupon-([1-9][0-9]{0,9})", re.ASCII)
SEEN_FIELD = re.compile(r"seen-(list|price)-([1-9][0-9]{0,9})", re.ASCII)


class SettleForm(Form):
    """The lines of the cart to settle; with a policy it is "buy now" for the one product."""

    product = IdList()
    policy: Any = StrictInteger(least=1)


class ChoicesForm(Form):
    """The student's own choice: coupon record ids (0 = none), whole 贝里; ``coupon-<product>`` fields beside."""

    site_coupon: Any = StrictInteger(default=0)
    balance: Any = StrictInteger(default=0)
    use = HiddenField()  # the button pressed: "all_beli", "cheapest", or nothing


class SignedYuanField(YuanField):
    """An amount that may carry a minus: below zero is a refusal with a number of its own (1001), not a typing slip."""

    def process_formdata(self, valuelist: list[str]) -> None:
        is_negative = bool(valuelist) and valuelist[0].startswith("-")
        super().process_formdata([valuelist[0][1:], *valuelist[1:]] if is_negative else valuelist)
        if is_negative and self.data is not None:
            self.data = -self.data


class CheckoutForm(Form):
    """What 立即支付 posts: which settlement the page showed, the 贝里 to use and the amount shown."""

    token = HiddenField(validators=[required(), Regexp(TOKEN, message=_("包含不能使用的字符。"))])
    balance: Any = StrictInteger(_("使用贝里"), validators=[required()])
    money: Any = SignedYuanField(_("应付金额"), validators=[required()])


def line_coupons(fields: Iterable[tuple[str, str]]) -> dict[int, int] | None:
    """Coupon record by product from the ``coupon-<product>`` fields; None when one is malformed or was sent twice."""
    chosen: dict[int, int] = {}
    for name, value in fields:
        match = COUPON_FIELD.fullmatch(name)
        if match is None:
            continue
        if not DIGITS.fullmatch(value) or int(match[1]) in chosen:
            return None
        chosen[int(match[1])] = int(value)
    return {product_id: record_id for product_id, record_id in chosen.items() if record_id}


def seen_amounts(fields: Iterable[tuple[str, str]]) -> dict[int, dict[str, int]]:
    """What the page had shown for each product (``list``, ``price``; fen), to say what changed. Decides nothing."""
    seen: dict[int, dict[str, int]] = {}
    for name, value in fields:
        match = SEEN_FIELD.fullmatch(name)
        if match is None:
            continue
        try:
            seen.setdefault(int(match[2]), {})[match[1]] = from_yuan(value)
        except ValueError:
            continue
    return {product: amounts for product, amounts in seen.items() if len(amounts) == 2}
