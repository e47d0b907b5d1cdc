"""What operations send about campaigns: rules in words, at the field that they concern (B40)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import HiddenField, SelectField
from wtforms.validators import Optional, ValidationError

from shop.enums import Choice, CouponKind
from shop.forms import ChoiceField, Form, LineField, StrictInteger, TextField, YuanField, conditional, length, required
from shop.forms.staff import DayField, FilterChoice, reason_field
from shop.forms.staff_names import NamedField
from shop.rules import campaigns
from shop.rules.campaigns import Draft, Fault, meant_percent
from shop.services.catalogue_format import HIGHEST_PRICE_FEN
from shop.services.staff import campaign_list, coupon_codes, coupon_records, named
from shop.services.staff.campaign_list import State
from shop.services.staff.campaigns import Terms
from shop.services.staff.coupon_codes import MOST_AT_ONCE, CodeState
from shop.services.staff.coupon_gifts import MOST_A_DAY, names_in
from shop.services.staff.coupon_records import RecordState
from shop.services.staff.rehearsal import DEFAULT_ORDERS, MOST_ORDERS
from shop.wording import mark

MOST_COUPONS = 10_000_000
MOST_DAYS = 3_650
LONGEST_BRIEF = 2_000
LONGEST_LIST = 20_000

FAULTS: Mapping[Fault, Any] = {
    Fault.MISSING: _("这种券要填写这一项。"),
    Fault.MEANINGLESS: _("这种券没有这一项，请留空。"),
    Fault.ZERO: _("必须大于 0。"),
    Fault.CLAIM_WINDOW: _("领取结束日期早于开始日期；同一天可以。"),
    Fault.ONE_DATE: _("可用的第一天和最后一天要么都填，要么都不填。"),
    Fault.NO_USE_WINDOW: _("没有说能用多久：请填写固定日期，或者领取后的天数。"),
    Fault.USE_WINDOW: _("最后一天早于第一天；同一天可以。"),
    Fault.CLAIM_AFTER_USE: _("领取结束日期晚于最后可用的日期，最后领到的人用不上。"),
    Fault.DAYS_TOO_SHORT: _("第一天领到的人，天数用完时还没到可用的第一天。"),
}


class Way(Choice):
    """How people come by a coupon."""

    PUBLIC = 1, mark("公开：在领券中心领取")
    CLOSED = 0, mark("不公开：只凭优惠码，或由员工发放")


class PercentField(StrictInteger):
    """The percent that is still paid. Who writes 7.9 or 790 is told what the field means."""

    def __init__(self, label: Any, validators: Any = None, **kwargs: Any) -> None:
        super().__init__(label, validators, least=1, most=99, **kwargs)

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            meant = meant_percent(valuelist[0][:20])
            if meant is None:
                raise ValueError(_("请填写学员付百分之几，1 到 99 的整数：79 = 7.9 折，学员付 79%。")) from error
            said = _(
                "这里写学员付百分之几。您是不是想写 %(meant)s（%(fold)s 折，学员付 %(meant)s%%）？",
                meant=meant,
                fold=f"{meant / 10:g}",
            )
            raise ValueError(said) from error


def _amount(label: Any) -> YuanField:
    checks = [conditional(), Optional(), _within_reason]
    return YuanField(label, checks, render_kw={"inputmode": "decimal", "maxlength": 12})


def _within_reason(form: Any, field: Any) -> None:
    if field.data is not None and field.data > HIGHEST_PRICE_FEN:
        raise ValidationError(_("最多 %(most)s 元。", most=HIGHEST_PRICE_FEN // 100))


class CampaignForm(Form):
    """A draft. The names of its fields are those of the catalogue's file format."""

    name = LineField(_("活动名称"), [required(), length(1, 64)], render_kw={"maxlength": 64})
    brief = TextField(_("说明"), [length(0, LONGEST_BRIEF)], render_kw={"rows": 2, "maxlength": LONGEST_BRIEF})
    type = ChoiceField(_("种类"), CouponKind, default=CouponKind.FLAT)
    amount = _amount(_("减多少（元）"))
    minimum = _amount(_("最低消费（元）"))
    pay_percent = PercentField(_("学员付百分之几"), [conditional(), Optional()], render_kw={"maxlength": 12})
    product = SelectField(_("用在哪里"), coerce=str)
    quantity: Any = StrictInteger(
        _("数量"), [required()], least=1, most=MOST_COUPONS, render_kw={"inputmode": "numeric"}
    )
    open_date: Any = DayField(_("领取开始"), [required()])
    close_date: Any = DayField(_("领取结束"), [required()])
    valid_begin_date = DayField(_("可用的第一天"), [conditional()])
    valid_end_date = DayField(_("可用的最后一天"), [conditional()])
    valid_days = StrictInteger(
        _("领取后可用几天"), [conditional(), Optional()], least=1, most=MOST_DAYS, render_kw={"inputmode": "numeric"}
    )
    is_public = ChoiceField(_("怎么领"), Way, default=Way.PUBLIC)

    def __init__(self, products: Sequence[tuple[int, str]], formdata: Any = None, terms: Terms | None = None) -> None:
        super().__init__(formdata, data=_filled(terms) if terms else None)
        self.product.choices = [
            ("", _("全站：减在整单合计上")),
            *((str(product_id), name) for product_id, name in products),
        ]

    def validate(self, extra_validators: Any = None) -> bool:
        is_valid = super().validate(extra_validators)
        given = {field.name for field in self if field.raw_data and str(field.raw_data[0]).strip()}
        values = {field.name: field.data for field in self if field.data is not None and not field.errors}
        for key, fault in campaigns.faults(Draft(values.get("type"), values, given)):
            self[key].errors = [*self[key].errors, FAULTS[fault]]
            is_valid = False
        return is_valid

    @property
    def terms(self) -> Terms:
        """Of a form that is valid."""
        return Terms(
            name=self.name.data,
            brief=self.brief.data or None,
            kind=self.type.data,
            face_fen=self.amount.data or 0,
            pay_percent=self.pay_percent.data,
            minimum_fen=self.minimum.data or 0,
            product_id=int(self.product.data) if self.product.data else None,
            quantity=self.quantity.data,
            open_date=self.open_date.data,
            close_date=self.close_date.data,
            valid_begin_date=self.valid_begin_date.data,
            valid_end_date=self.valid_end_date.data,
            valid_days=self.valid_days.data,
            is_public=self.is_public.data is Way.PUBLIC,
        )


def _filled(terms: Terms) -> dict[str, Any]:
    """What stands in the fields of a draft that is opened again."""
    return {
        "name": terms.name,
        "brief": terms.brief,
        "type": terms.kind,
        "amount": terms.face_fen or None,
        "minimum": terms.minimum_fen or None,
        "pay_percent": terms.pay_percent,
        "product": "" if terms.product_id is None else str(terms.product_id),
        "quantity": terms.quantity,
        "open_date": terms.open_date,
        "close_date": terms.close_date,
        "valid_begin_date": terms.valid_begin_date,
        "valid_end_date": terms.valid_end_date,
        "valid_days": terms.valid_days,
        "is_public": Way.PUBLIC if terms.is_public else Way.CLOSED,
    }


class CampaignFilter(Form):
    """Stands in the address."""

    state = FilterChoice(_("状态"), State)
    type = FilterChoice(_("种类"), CouponKind)
    name = LineField(_("名称里有"), [length(0, 64)], render_kw={"maxlength": 64})
    product = NamedField(_("课程名称或编号"), named.products)

    def wanted(self) -> campaign_list.Wanted:
        return campaign_list.Wanted(self.state.data, self.type.data, self.name.data or "", self.product.meant_id)


class RehearsalForm(Form):
    """Stands in the address."""

    orders = StrictInteger(
        _("对照最近多少张已付款的订单"), [Optional()], least=1, most=MOST_ORDERS, default=DEFAULT_ORDERS
    )


class PublishForm(Form):
    seal = HiddenField(validators=[required(), length(1, 64)])
    reason = reason_field()


class ExtendForm(Form):
    quantity: Any = StrictInteger(
        _("数量"), [required()], least=1, most=MOST_COUPONS, render_kw={"inputmode": "numeric"}
    )
    close_date: Any = DayField(_("领取结束"), [required()])
    reason = reason_field()


class CodesForm(Form):
    count: Any = StrictInteger(
        _("生成多少个"), [required()], least=1, most=MOST_AT_ONCE, render_kw={"inputmode": "numeric"}
    )
    reason = reason_field()


class CodeFilter(Form):
    """Stands in the address."""

    state = FilterChoice(_("状态"), CodeState)
    batch = StrictInteger(_("批次"), [Optional()], least=1, most=10**17)  # an instant before the year 5138

    def wanted(self) -> coupon_codes.Wanted:
        return coupon_codes.Wanted(self.state.data, self.batch.data)


class RecordFilter(Form):
    """Stands in the address."""

    state = FilterChoice(_("状态"), RecordState)
    username = LineField(_("学员用户名"), [length(0, 64)], render_kw={"maxlength": 64})

    def wanted(self) -> coupon_records.Wanted:
        return coupon_records.Wanted(self.state.data, self.username.data or "")


class NamesForm(Form):
    """A list of user names, as it is pasted."""

    names = TextField(
        _("用户名"), [required(), length(1, LONGEST_LIST)], render_kw={"rows": 5, "maxlength": LONGEST_LIST}
    )

    def validate_names(self, field: Any) -> None:
        names = names_in(field.data)
        if not names:
            raise ValidationError(_("请至少写一个用户名。"))
        if len(names) > MOST_A_DAY:
            raise ValidationError(_("一次最多 %(most)s 人，这里有 %(count)s 人。", most=MOST_A_DAY, count=len(names)))
        if any(len(name) > 64 for name in names):
            raise ValidationError(_("有的用户名太长：请用空格、逗号或换行分开。"))


class GiveForm(NamesForm):
    reason = reason_field()
