"""Forms of the messages page."""

from __future__ import annotations

from shop.forms import Form, StrictInteger, required


class ReadAllForm(Form):
    newest = StrictInteger(validators=[required()], least=1)  # id of the newest message that the page showed
