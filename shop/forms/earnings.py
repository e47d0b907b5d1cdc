"""What the mentors' pages about 贝里 send: filters, appeals, withdrawals."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms.validators import Email, Optional, ValidationError

from shop.errors import NotEnoughBeli
from shop.forms import Form, LineField, StrictInteger, TextField, length, required
from shop.forms.account import password_again
from shop.services import appeals
from shop.services.withdrawals import MOST_AT_ONCE

MONTH = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])", re.ASCII)
MOBILE = re.compile(r"1[3-9][0-9]{9}", re.ASCII)
LONGEST_PAYEE = 100
TOKEN = re.compile(r"[0-9a-f]{32}", re.ASCII)


class MonthField(LineField):
    """A month as "2026-11"; ``day`` is its first one, None when nothing was sent."""

    day: date | None = None

    def pre_validate(self, form: Any) -> None:
        found = MONTH.fullmatch(self.data or "")
        if found is None:
            raise ValidationError(_("请填写月份，例如 2026-11。"))
        self.day = date(int(found[1]), int(found[2]), 1)


class EarningsFilter(Form):
    """``student`` is an enrolment's id."""

    student = StrictInteger(_("学员"), [Optional()], least=1)
    month = MonthField(_("月份"), [Optional()])


class AppealForm(Form):
    content = TextField(
        _("申诉理由"),
        [required(), length(appeals.SHORTEST, appeals.LONGEST)],
        render_kw={"maxlength": appeals.LONGEST, "rows": 6},
    )


class AmountForm(Form):
    amount = StrictInteger(
        _("提现贝里"),
        [required()],
        least=1,
        most=MOST_AT_ONCE,
        render_kw={"inputmode": "numeric", "autocomplete": "off", "maxlength": 8},
    )


class WithdrawalForm(AmountForm):
    """A request of somebody with this balance (贝里)."""

    payee_account = LineField(
        _("收款支付宝账号"),
        [required(), length(1, LONGEST_PAYEE)],
        render_kw={"maxlength": LONGEST_PAYEE, "autocomplete": "off", "spellcheck": "false"},
    )
    payee_name = LineField(
        _("支付宝实名"), [required(), length(1, 64)], render_kw={"maxlength": 64, "autocomplete": "off"}
    )
    password = password_again()
    token = LineField()

    def __init__(self, balance: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._balance = balance

    def validate_amount(self, field: Any) -> None:
        if field.data is not None and field.data > self._balance:  # told with what else is wrong; the row decides
            raise ValidationError(NotEnoughBeli(wanted=field.data, balance=self._balance).message)

    def validate_payee_account(self, field: Any) -> None:
        if not field.data.isascii() or not (MOBILE.fullmatch(field.data) or _is_email(self, field)):
            raise ValidationError(_("请填写支付宝账号：邮箱，或中国大陆手机号。"))

    def validate_payee_name(self, field: Any) -> None:
        if not field.data.isprintable():  # staff read it on a terminal: nothing there may steer it, or look like more
            raise ValidationError(_("包含不能使用的字符。"))

    def validate_token(self, field: Any) -> None:
        if field.data and not TOKEN.fullmatch(field.data):
            raise ValidationError(_("页面已过期，请重新填写。"))

    def usable_token(self) -> str:
        """The page's token, "" for what cannot be one."""
        return self.token.data if TOKEN.fullmatch(self.token.data or "") else ""


def _is_email(form: Form, field: Any) -> bool:
    try:
        Email()(form, field)
    except ValidationError:
        return False
    return True
