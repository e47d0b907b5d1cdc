"""What must be true of the database before the shop serves anybody, and how ``bin/run`` makes it so."""

from __future__ import annotations

import subprocess
import sys

import flask_migrate
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from shop.config import PROJECT, ConfigError
from shop.extensions import db
from shop.models import Account


class DemoError(RuntimeError):
    """The demo data did not load; the command has said why."""


def migrate(app: Flask, *, with_demo: bool) -> None:
    """Bring the tables to the newest revision; with_demo fills a database that has no account yet.

    Raises ConfigError when the database cannot be reached, DemoError.
    """
    with app.app_context():
        if _revisions() != _needed(app):
            flask_migrate.upgrade()
        is_empty = db.session.scalar(select(Account.id).limit(1)) is None
        db.session.remove()
        db.engine.dispose()
    if with_demo and is_empty:
        # The command of the same name, with its progress bar.
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "demo", "load"]
        if subprocess.run(command, cwd=PROJECT, check=False).returncode != 0:
            raise DemoError("The demo data did not load.")


def check(app: Flask) -> None:
    """Raises ConfigError unless the database answers and has exactly the revision that this code was written for."""
    with app.app_context():
        present, needed = _revisions(), _needed(app)
    if present != needed:
        found, wanted = (", ".join(sorted(names)) or "no tables" for names in (present, needed))
        raise ConfigError([f"The database is at {found}, the code needs {wanted}: run flask --app wsgi db upgrade."])


def _needed(app: Flask) -> set[str]:
    return set(ScriptDirectory(str(app.extensions["settings"].migrations)).get_heads())


def _revisions() -> set[str]:
    try:
        with db.engine.connect() as connection:
            return set(MigrationContext.configure(connection).get_current_heads())
    except SQLAlchemyError as error:
        # Only the class: the driver's text may repeat the URL.
        cause = type(getattr(error, "orig", None) or error).__name__
        raise ConfigError([f"DATABASE_URL: the database cannot be reached ({cause})."]) from None
