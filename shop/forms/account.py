"""Forms of the account pages."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import BooleanField, HiddenField, PasswordField
from wtforms.validators import Email, EqualTo, Length, ValidationError

from shop.forms import Form, LineField, StrictInteger, length, required
from shop.services import passwords
from shop.services.accounts import USERNAME, normal_username


def long_enough() -> Length:
    return length(passwords.SHORTEST, passwords.LONGEST)


def _refuse_easy(password: str, *names: str) -> None:
    if passwords.is_easy(password, *names):
        raise ValidationError(_("这个密码太常见，很容易被猜中，请换一个。"))


class LoginForm(Form):
    username = LineField(
        _("用户名"), [required(), length(1, 64)], render_kw={"autocomplete": "username", "maxlength": 64}
    )
    password = PasswordField(
        _("密码"), [required(), length(1, passwords.LONGEST)], render_kw={"autocomplete": "current-password"}
    )
    next = HiddenField()


def email_field() -> LineField:
    return LineField(
        _("邮箱"),
        [required(), Length(max=254), Email(_("请填写有效的邮箱地址。"))],
        filters=[lambda text: text.lower() if text else text],  # one spelling, so that the unique index means something
        render_kw={"autocomplete": "email", "type": "email"},
    )


class RegisterForm(Form):
    username = LineField(_("用户名"), [required()], render_kw={"autocomplete": "username", "maxlength": 32})
    email = email_field()
    password = PasswordField(_("密码"), [required(), long_enough()], render_kw={"autocomplete": "new-password"})
    next = HiddenField()

    def validate_username(self, field: Any) -> None:
        field.data = normal_username(field.data)
        if not USERNAME.fullmatch(field.data):
            raise ValidationError(_("用户名由 2 到 32 个汉字、字母、数字或下划线组成。"))

    def validate_password(self, field: Any) -> None:
        _refuse_easy(field.data, self.username.data or "", self.email.data or "")


class ResetRequestForm(Form):
    email = email_field()


class NewPasswordForm(Form):
    """A new password for somebody with these names, which it must not be."""

    new = PasswordField(_("新密码"), [required(), long_enough()], render_kw={"autocomplete": "new-password"})
    again = PasswordField(
        _("再输入一次新密码"),
        [required(), EqualTo("new", _("两次输入的新密码不一样。"))],
        render_kw={"autocomplete": "new-password"},
    )

    def __init__(self, *names: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._names = names

    def validate_new(self, field: Any) -> None:
        _refuse_easy(field.data, *self._names)


class PasswordForm(NewPasswordForm):
    current = PasswordField(_("当前密码"), [required()], render_kw={"autocomplete": "current-password"})


def password_again() -> PasswordField:
    return PasswordField(
        _("登录密码"),
        [required(), length(1, passwords.LONGEST)],
        render_kw={"autocomplete": "current-password"},
    )


class OwnerForm(Form):
    """Somebody shows that it is they."""

    password = password_again()


class DeletionForm(OwnerForm):
    gives_up = BooleanField(_("我放弃还在学习中的学位课和没有到账的奖学金"))
    beli = StrictInteger(_("放弃的贝里"), default=0)  # as many as the page has shown, so that no others are lost
