"""What every form of the shop shares: strict fields, and words of our own for what is wrong with them."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, ClassVar

from flask import request
from flask_babel import get_locale
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import (
    Field,
    FileField,
    MultipleFileField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    i18n,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, ValidationError
from wtforms.widgets import TextInput

from shop.enums import Choice
from shop.money import from_yuan, to_yuan

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
SEVERAL = (SelectMultipleField, MultipleFileField)  # fields that take more than one value


class Form(FlaskForm):
    """A form of the shop. CSRFProtect has checked the token before any view runs, so forms have none of their own."""

    class Meta:
        csrf = False

        def wrap_formdata(self, form: Any, formdata: Any) -> Any:
            """What was sent; files reach the fields of files only, for no other field can read them."""
            sent = FlaskForm.Meta.wrap_formdata(self, form, formdata)
            if sent is None or formdata is sent or not request.files:
                return sent
            files = [name for name, field in form._fields.items() if isinstance(field, FileField)]
            texts = list(request.form.items(multi=True))
            return MultiDict([*texts, *((n, file) for n, file in request.files.items(multi=True) if n in files)])

        def get_translations(self, form: Any) -> Any:
            return _words_of_wtforms(str(get_locale()))

    def validate(self, extra_validators: Any = None) -> bool:
        """Also refuses a single field that was sent twice: which one counts must never be a matter of luck."""
        is_valid = bool(super().validate(extra_validators))
        for field in self:
            if not isinstance(field, SEVERAL) and len(field.raw_data or ()) > 1:
                field.errors = [*field.errors, _("这一项只能填一次。")]
                is_valid = False
        return is_valid


@cache
def _words_of_wtforms(language: str) -> Any:
    """WTForms' own messages, read once per process: Flask-WTF reads the file again for every field of every form."""
    return i18n.get_translations([language])


def required() -> InputRequired:
    return InputRequired(_("请填写这一项。"))


class Conditional:
    """Says that other answers decide whether a field is needed: it is marked neither so nor so, its hint tells when."""

    field_flags: ClassVar = {"conditional": True}

    def __call__(self, form: Any, field: Any) -> None:
        """Nothing to check: the form does."""


def conditional() -> Conditional:
    return Conditional()


def length(least: int, most: int) -> Length:
    return Length(least, most, _("长度应为 %(min)d 到 %(max)d 个字符。"))


class LineField(StringField):
    """One line of text without surrounding blanks; control characters are refused, as PostgreSQL refuses NUL."""

    refused = CONTROL

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist:
            self.data = valuelist[0].strip()

    def pre_validate(self, form: Any) -> None:
        if self.data and self.refused.search(self.data):
            raise ValidationError(_("包含不能使用的字符。"))


class TextField(LineField, TextAreaField):
    """Several lines of text. A line end counts as one character, as in the browser, which sends two."""

    refused = CONTROL_BUT_LINES

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata([text.replace("\r\n", "\n") for text in valuelist])


class ChoiceField(SelectField):
    """One of an enum's choices by its number; ``data`` is the member. Without a default it asks to choose."""

    def __init__(self, label: Any, kind: type[Choice], *, default: Choice | None = None, **kwargs: Any) -> None:
        members = {str(int(member)): member for member in kind}  # as we write them: no other script, no sign, no blank
        asking = [] if default is not None else [SelectChoice("", _("请选择"))]

        def coerce(value: Any) -> Choice | None:
            if isinstance(value, kind):
                return value
            if value == "":
                return None
            if value not in members:
                raise ValueError(value)
            return members[value]

        super().__init__(
            label,
            [required()],
            coerce=coerce,
            # made for each request: labels are in its language
            choices=lambda: [*asking, *(SelectChoice(number, member.label) for number, member in members.items())],
            default=default,
            **kwargs,
        )


class StrictInteger(Field):
    """A whole number in plain ASCII digits within a range: no sign, blank, underscore or other script's digits.

    ``data`` is None when nothing was sent; give ``default`` for a field that may be left out.
    """

    widget = TextInput()

    def __init__(
        self, label: Any = None, validators: Any = None, *, least: int = 0, most: int = 2**31 - 1, **kwargs: Any
    ) -> None:
        super().__init__(label, validators, **kwargs)
        self.least, self.most = least, most

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else str(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        self.data = None
        text = valuelist[0]
        number = int(text) if DIGITS.fullmatch(text) else -1
        if not self.least <= number <= self.most:
            raise ValueError(_("请填写 %(least)s 到 %(most)s 之间的整数。", least=self.least, most=self.most))
        self.data = number


class YuanField(Field):
    """An amount in yuan text ("431.00"); ``data`` is fen, or None when nothing was sent."""

    widget = TextInput()

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else to_yuan(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist:
            return
        self.data = None
        try:
            self.data = from_yuan(valuelist[0])
        except ValueError as error:
            raise ValueError(_("请填写金额，例如 431.00。")) from error
