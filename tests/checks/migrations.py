"""Whether the migrations lead to one head and to exactly the tables of ``shop/models.py``. Part of ``bin/check``."""

from __future__ import annotations

import tempfile

import flask_migrate
from alembic.script import ScriptDirectory

from shop import create_app
from shop.config import Settings


def check(folder: str) -> None:
    """Raises, or exits with 1, on the first fault; ``folder`` gets a database of its own."""
    environ = {"INSTANCE_DIR": folder, "LOG_LEVEL": "WARNING"}
    settings = Settings.from_env(environ)
    ScriptDirectory(str(settings.migrations)).get_current_head()  # raises when there are several
    with create_app(settings).app_context():
        flask_migrate.upgrade()
        flask_migrate.check()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        check(place)
