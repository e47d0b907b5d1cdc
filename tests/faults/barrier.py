"""Holding the shop between two chosen statements (safety.md, "Write barrier")."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from shop.extensions import db

SECONDS = 30  # until everybody must have come
WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""


@contextmanager
def beside_the_shop(**options: Any) -> Iterator[Connection]:
    """A connection that shares nothing with the shop's."""
    engine = sa.create_engine(db.engine.url, **options)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def barrier(table: str) -> Iterator[None]:
    """Reads of the table go on, writes wait until the end of the block. On SQLite every write waits."""
    with beside_the_shop() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(f'LOCK TABLE "{table}" IN SHARE MODE'))
        else:
            connection.rollback()
            connection = connection.execution_options(sqlite_begin="IMMEDIATE")
            connection.execute(sa.text("SELECT 1"))
        yield
        connection.rollback()


def until_waiting(count: int) -> list[int]:
    """The backends that wait for a lock, once there are as many. SQLite has no such list, and gets a second."""
    if db.engine.dialect.name != "postgresql":
        time.sleep(1)
        return []
    end = time.monotonic() + SECONDS
    with beside_the_shop(isolation_level="AUTOCOMMIT") as connection:
        while len(pids := list(connection.execute(sa.text(WAITING)).scalars())) < count:
            assert time.monotonic() < end, f"only {len(pids)} of {count} reached the barrier"
            time.sleep(0.02)
    return pids
