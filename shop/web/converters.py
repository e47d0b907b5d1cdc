"""Ids in addresses: plain ASCII digits that fit the database, or there is no such page."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

LARGEST_ID = 2**31 - 1


class IdConverter(IntegerConverter):
    """``<int:…>`` everywhere: Werkzeug's takes other scripts' digits, and numbers that end as a database error."""

    regex = "[1-9][0-9]{0,9}"

    def __init__(self, url_map: Map, min: int = 1, max: int = LARGEST_ID) -> None:
        super().__init__(url_map, min=min, max=max)


def init_app(app: Flask) -> None:
    app.url_map.converters["int"] = IdConverter
