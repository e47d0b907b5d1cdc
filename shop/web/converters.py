"""What an address holds fits the database, or there is no such page: ids in plain ASCII digits, texts without NUL."""

from __future__ import annotations

import re

from flask import Flask
from werkzeug.routing import IntegerConverter, Map, UnicodeConverter, ValidationError

LARGEST_ID = 2**31 - 1
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class IdConverter(IntegerConverter):
    """``<int:…>`` everywhere: Werkzeug's takes other scripts' digits, and numbers that end as a database error."""

    regex = "[1-9][0-9]{0,9}"

    def __init__(self, url_map: Map, min: int = 1, max: int = LARGEST_ID) -> None:
        super().__init__(url_map, min=min, max=max)


class TextConverter(UnicodeConverter):
    """``<string:…>`` everywhere: asking PostgreSQL for a text with NUL is an error, not "no such row"."""

    def to_python(self, value: str) -> str:
        if CONTROL.search(value):
            raise ValidationError
        return super().to_python(value)


def init_app(app: Flask) -> None:
    app.url_map.converters.update(int=IdConverter, string=TextConverter)
