"""What the cart's page sends."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import SelectMultipleField, StringField
from wtforms.validators import AnyOf, Optional

from shop.forms import DIGITS, Form, StrictInteger, required
from shop.gateways.cart_store import LARGEST_ID

MOST_IDS = 500  # well above the cart's 200 lines


class IdList(SelectMultipleField):
    """Ids sent under one repeated name, each in plain ASCII digits; ``data`` has each once, in the order sent."""

    def __init__(self, label: Any = None, **kwargs: Any) -> None:
        super().__init__(label, choices=[], **kwargs)

    def process_data(self, value: Any) -> None:
        self.data: list[int] = []

    def process_formdata(self, valuelist: list[str]) -> None:
        numbers = [int(text) if DIGITS.fullmatch(text) else 0 for text in valuelist[: MOST_IDS + 1]]
        if len(numbers) > MOST_IDS or any(not 1 <= number <= LARGEST_ID for number in numbers):
            raise ValueError(_("课程编号不正确。"))
        self.data = list(dict.fromkeys(numbers))

    def pre_validate(self, form: Any) -> None:
        """There is no list of choices to be in: the services know what exists."""


class AddForm(Form):
    product: Any = StrictInteger(validators=[required()], least=1)
    policy: Any = StrictInteger(validators=[required()], least=1)


class PolicyForm(Form):
    policy: Any = StrictInteger(validators=[required()], least=1)


class SelectionForm(Form):
    """Either everything at once (choice), or the products ticked among those that the page showed."""

    choice = StringField(validators=[Optional(), AnyOf(("all", "none"))])
    shown = IdList()
    product = IdList()
