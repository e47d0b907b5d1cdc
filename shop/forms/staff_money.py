"""What finance sends about refunds, money without a home and withdrawals."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from wtforms.validators import ValidationError

from shop.forms import Form, LineField, length, required
from shop.forms.staff import FilterChoice, ReasonForm
from shop.services.staff import withdrawal_desk
from shop.services.staff.refund_desk import Queue
from shop.services.withdrawals import PAYMENT_NUMBER


class RefundFilter(Form):
    queue = FilterChoice(_("队列"), Queue, default=Queue.ASKED)


class WithdrawalFilter(Form):
    queue = FilterChoice(_("队列"), withdrawal_desk.Queue, default=withdrawal_desk.Queue.WAITING)


def _number(_form: Form, field: Any) -> None:
    if not PAYMENT_NUMBER.fullmatch(field.data):
        raise ValidationError(_("流水号由 1 到 64 个字母、数字、连字符或下划线组成。"))


class PaymentForm(Form):
    payment_number = LineField(_("支付宝转账流水号"), [required(), length(1, 64), _number], render_kw={"maxlength": 64})


class TransferForm(ReasonForm):
    transfer_number = LineField(_("转账流水号"), [required(), length(1, 64), _number], render_kw={"maxlength": 64})
