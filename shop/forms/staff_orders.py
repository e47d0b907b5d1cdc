"""What staff send about orders."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import SelectMultipleField
from wtforms.validators import Optional, ValidationError

from shop.enums import OrderStatus
from shop.forms import Form, TextField, YuanField, length, required
from shop.forms.staff import DayField, FilterChoice, reason_field
from shop.forms.staff_names import NamedField, PersonField
from shop.services.staff import named
from shop.services.staff.order_list import Snag, Sort, Wanted
from shop.services.staff.order_story import LONGEST_NOTE

LAST_ID = 2**31 - 1


class OrderFilter(Form):
    """Stands in the address."""

    status = FilterChoice(_("状态"), OrderStatus)
    trouble = FilterChoice(_("异常"), Snag)
    person = PersonField(_("学员"), formerly="username")
    since = DayField(_("下单从"))
    until = DayField(_("下单到"))
    least = YuanField(_("实付从（元）"), [Optional()])
    most = YuanField(_("实付到（元）"), [Optional()])
    product = NamedField(_("课程名称或编号"), named.products)
    coupon = NamedField(_("优惠券名称或编号"), named.campaigns)
    sort = FilterChoice(_("排序"), Sort, default=Sort.NEWEST)

    def wanted(self) -> Wanted:
        return Wanted(
            status=self.status.data,
            since=self.since.data,
            until=self.until.data,
            least_fen=_within(self.least.data),
            most_fen=_within(self.most.data),
            product_id=self.product.meant_id,
            coupon_id=self.coupon.meant_id,
            account_id=self.person.meant_id,
            trouble=self.trouble.data,
            sort=self.sort.data,
        )


def _within(fen: int | None) -> int | None:
    """No order costs more than the column holds; PostgreSQL refuses to compare with more."""
    return None if fen is None else min(fen, LAST_ID)


class NoteForm(Form):
    text = TextField(_("备注"), [required(), length(1, LONGEST_NOTE)], render_kw={"rows": 3, "maxlength": LONGEST_NOTE})
    follow_up_date = DayField(_("哪天再看"))

    def __init__(self, today: date, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._today = today

    def validate_follow_up_date(self, field: Any) -> None:
        if field.data is not None and field.data < self._today:
            raise ValidationError(_("请选择今天或以后的日期。"))


class RefundForm(Form):
    """Which lines go back, and why."""

    detail = SelectMultipleField(_("要退的课程"), coerce=lambda text: text, validate_choice=False)
    reason = reason_field()

    def validate_detail(self, field: Any) -> None:
        if not field.data:
            raise ValidationError(_("请选择要退的课程。"))
        if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in field.data):
            raise ValidationError(_("请选择要退的课程。"))

    @property
    def detail_ids(self) -> list[int]:
        return [int(text) for text in self.detail.data or () if text.isascii() and text.isdigit() and len(text) < 10]
