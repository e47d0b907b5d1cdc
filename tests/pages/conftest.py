"""Further shops beside the one under test: on another Redis, another database, in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from shop import create_app
from shop.config import Settings
from shop.extensions import db
from tests.person import Client

AnotherShop = Callable[..., Flask]


@pytest.fixture
def another_shop(app: Flask, settings: Settings) -> Iterator[AnotherShop]:
    """``another_shop(redis_url=...)`` is a shop with the settings of this run but for those given."""
    made: list[Flask] = []

    def make(**changes: Any) -> Flask:
        shop = create_app(replace(settings, **changes))
        shop.test_client_class = Client
        made.append(shop)
        return shop

    yield make
    for shop in made:
        with shop.app_context():
            db.engine.dispose()
        shop.extensions["redis"].close()
