"""What forms of the staff area share."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import Field, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.widgets import DateInput

from shop.enums import Choice
from shop.forms import Form, TextField, length, required
from shop.services.audit_log import LONGEST_REASON

DAY = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}", re.ASCII)  # no other script's digits, and no year that overflows


def reason_field(field_id: str = "reason") -> TextField:
    """``field_id`` is for pages with several forms, so that each label belongs to its own control."""
    return TextField(
        _("原因"),
        [required(), length(1, LONGEST_REASON)],
        id=field_id,
        render_kw={"rows": 2, "maxlength": LONGEST_REASON},
    )


class ReasonForm(Form):
    """Why something is done; it is kept in the audit log, and the person whom it concerns may read it."""

    reason = reason_field()


class DayField(Field):
    """A day as browsers send it, "2026-11-30"; ``data`` is None when nothing was sent."""

    widget = DateInput()

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return self.data.isoformat() if self.data else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        if not valuelist or not valuelist[0]:
            return
        try:
            if not DAY.fullmatch(valuelist[0]):
                raise ValueError
            self.data = date.fromisoformat(valuelist[0])
        except ValueError as error:
            raise ValueError(_("请填写日期，例如 2026-11-30。")) from error


class FilterChoice(SelectField):
    """One of an enum's choices, or all of them, in a form whose fields stand in the address; ``data`` may be None."""

    def __init__(self, label: Any, kind: type[Choice], *, default: Choice | None = None, **kwargs: Any) -> None:
        members = {str(int(member)): member for member in kind}

        def coerce(value: Any) -> Choice | None:
            if value is None or isinstance(value, kind):
                return value
            if value == "":
                return default
            if value not in members:
                raise ValueError(value)
            return members[value]

        super().__init__(
            label,
            coerce=coerce,
            choices=lambda: [
                *([] if default is not None else [SelectChoice("", _("全部"))]),
                *(SelectChoice(number, member.label) for number, member in members.items()),
            ],
            default=default,
            **kwargs,
        )

    def process_formdata(self, valuelist: list[str]) -> None:
        """A field that the address leaves out keeps its default."""
        if valuelist:
            super().process_formdata(valuelist)
        else:
            self.data = self.default
