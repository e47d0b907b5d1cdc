"""What must be true of the database before the shop serves anybody. Looks at it without loading the shop."""

from __future__ import annotations

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from shop.config import ConfigError, Settings


def check(settings: Settings) -> None:
    """Raises ConfigError unless the database answers and has exactly the revision that this code was written for."""
    present, needed = _revisions(settings), _newest(settings)
    if present != needed:
        found, wanted = (", ".join(sorted(names)) or "no tables" for names in (present, needed))
        raise ConfigError([f"The database is at {found}, the code needs {wanted}: run flask --app wsgi db upgrade."])


def is_current(settings: Settings) -> bool:
    """Whether ``check`` is content. Raises ConfigError when the database cannot be reached."""
    return _revisions(settings) == _newest(settings)


def is_empty(settings: Settings) -> bool:
    """Whether nobody has an account yet, in a database that is current."""
    with create_engine(settings.database_url, poolclass=NullPool).connect() as connection:
        return connection.execute(text("SELECT 1 FROM account LIMIT 1")).first() is None


def _newest(settings: Settings) -> set[str]:
    return set(ScriptDirectory(str(settings.migrations)).get_heads())


def _revisions(settings: Settings) -> set[str]:
    try:
        with create_engine(settings.database_url, poolclass=NullPool).connect() as connection:
            return set(MigrationContext.configure(connection).get_current_heads())
    except SQLAlchemyError as error:
        # Only the class: the driver's text may repeat the URL.
        cause = type(getattr(error, "orig", None) or error).__name__
        raise ConfigError([f"DATABASE_URL: the database cannot be reached ({cause})."]) from None
