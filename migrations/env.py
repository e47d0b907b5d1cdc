"""How Alembic finds the shop's tables and database; one revision serves SQLite and PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from shop.extensions import EnumNumber, Instant, db

PLAIN = {EnumNumber: "sa.SmallInteger()", Instant: "sa.DateTime(timezone=True)"}


def render_item(kind: str, item: Any, _autogenerate: Any) -> str | bool:
    """Revisions name plain column types, so that an old one does not depend on today's code."""
    return PLAIN.get(type(item), False) if kind == "type" else False


def is_ours(_item: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    """The job queue makes its own tables beside ours."""
    return not (kind == "table" and (name or "").startswith("huey"))


def skip_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """A comparison without a difference writes no revision."""
    if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        directives[:] = []


@contextmanager
def rebuilt_tables_keep_their_rows(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by copying it, and dropping the old one would break what points at it."""
    raw = connection.connection.driver_connection
    if connection.dialect.name != "sqlite" or raw is None:
        yield
        return
    raw.execute("PRAGMA foreign_keys=OFF")  # on the bare connection: it does nothing inside a transaction
    try:
        yield
        connection.commit()
        if broken := raw.execute("PRAGMA foreign_key_check").fetchall():
            raise RuntimeError(f"rows point at nothing after the migration: {broken[:5]}")
    finally:
        connection.rollback()
        raw.execute("PRAGMA foreign_keys=ON")


def run() -> None:
    options = {
        **current_app.extensions["migrate"].configure_args,
        "render_item": render_item,
        "include_object": is_ours,
    }
    options.setdefault("process_revision_directives", skip_empty)
    with db.engine.connect() as connection, rebuilt_tables_keep_their_rows(connection):
        context.configure(connection=connection, target_metadata=db.metadata, **options)
        with context.begin_transaction():
            context.run_migrations()


run()
