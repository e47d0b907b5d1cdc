"""What tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from shop.config import Settings
from tests.faults.crowd import PROCESSES, Crowd
from tests.faults.processes import Web

WEB_THREADS = 8  # in each process


@pytest.fixture(scope="module")
def crowd(shop: Flask, settings: Settings) -> Iterator[Crowd]:
    """Processes on this worker's database and Redis, kept for a module as they take a while to start."""
    people = Crowd(settings)
    yield people
    people.go_home()


@pytest.fixture(scope="module")
def web(shop: Flask, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """The production server on this worker's parts, with several processes."""
    server = Web(environ, tmp_path_factory.mktemp("web") / "log", workers=PROCESSES, threads=WEB_THREADS).start()
    yield server
    server.stop()
