"""What tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from shop.config import Settings
from tests.faults.crowd import Crowd


@pytest.fixture(scope="module")
def crowd(shop: Flask, settings: Settings) -> Iterator[Crowd]:
    """Processes on this worker's database and Redis, kept for a module as they take a while to start."""
    people = Crowd(settings)
    yield people
    people.go_home()
