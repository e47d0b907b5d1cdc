"""What staff type to show that it is they."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import HiddenField, PasswordField

from shop.forms import Form, LineField, length, required
from shop.services import passwords


class CodeForm(Form):
    code = LineField(
        _("验证码"),
        [required(), length(1, 32)],
        render_kw={"autocomplete": "one-time-code", "maxlength": 32, "autofocus": True},
    )


class ConfirmForm(Form):
    password = PasswordField(
        _("密码"), [required(), length(1, passwords.LONGEST)], render_kw={"autocomplete": "current-password"}
    )
    code = LineField(
        _("验证码"), [required(), length(1, 32)], render_kw={"autocomplete": "one-time-code", "maxlength": 32}
    )
    next = HiddenField()
