"""The schema goes up, down and up again on either database, and the models ask for nothing beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import check, downgrade, upgrade
from sqlalchemy.engine import make_url

from shop import create_app
from shop.config import Settings
from shop.extensions import db


@pytest.fixture
def empty(settings: Settings, tmp_path: Path) -> Iterator[Flask]:
    """A shop on a database without any table."""
    url = make_url(settings.database_url)
    if url.drivername.startswith("sqlite"):
        yield _shop(settings, f"sqlite:///{tmp_path / 'empty.sqlite3'}")
        return
    name = f"{url.database}_empty"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    yield _shop(settings, url.set(database=name).render_as_string(hide_password=False))
    with engine.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


def _shop(settings: Settings, url: str) -> Flask:
    return create_app(replace(settings, database_url=url))


def tables() -> set[str]:
    return set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_up_down_and_up_again_leaves_the_schema_of_the_models(empty: Flask) -> None:
    with empty.app_context():
        upgrade()
        assert tables() == set(db.metadata.tables)
        check()
        downgrade(revision="base")
        assert tables() == set()
        upgrade()
        check()
        db.engine.dispose()


def test_every_constraint_has_a_name_of_our_own(empty: Flask) -> None:
    unnamed = [
        f"{table.name}: {constraint}"
        for table in db.metadata.tables.values()
        for constraint in table.constraints
        if not constraint.name
    ]
    assert unnamed == []
