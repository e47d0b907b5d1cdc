"""The parts that the whole shop shares, unbound until ``create_app`` binds them; and the one way to write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from flask import current_app
from flask_babel import Babel
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from flask_wtf import CSRFProtect
from sqlalchemy import DateTime, Engine, MetaData, SmallInteger, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect, ExceptionContext
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from shop.enums import Choice

if TYPE_CHECKING:
    from redis import Redis

    from shop.config import Settings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class ReadingSession(FlaskSession):
    """On PostgreSQL it reads without a transaction: no BEGIN and no ROLLBACK around a page. ``unit_of_work`` has one.

    Nothing is lost: the shop runs at READ COMMITTED, where every statement sees its own moment anyway.
    """

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        bind = super().get_bind(*args, **kwargs)
        is_postgresql = isinstance(bind, Engine) and bind.dialect.name == "postgresql"
        return _without_transactions(bind) if is_postgresql else bind


@lru_cache(maxsize=8)
def _without_transactions(engine: Engine) -> Engine:
    return engine.execution_options(isolation_level="AUTOCOMMIT")


db = SQLAlchemy(model_class=Base, session_options={"class_": ReadingSession})
migrate = Migrate()
csrf = CSRFProtect()
babel = Babel()
login_manager = LoginManager()

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model


class EnumNumber(TypeDecorator[Choice]):
    """A choice stored as its number; ``shop.models`` adds a CHECK for the numbers allowed."""

    impl = SmallInteger
    cache_ok = True

    def __init__(self, choices: type[Choice]) -> None:
        super().__init__()
        self.choices = choices

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else int(self.choices(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Choice | None:
        return None if value is None else self.choices(value)


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored in UTC. SQLite has no zones, so it keeps the bare UTC value."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: Any, record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=4000"):
            connection.execute(f"PRAGMA {pragma}")


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    """SQLite forgets FOR UPDATE; a writer takes the write lock first, or updates are lost (parts.md 3)."""
    if connection.dialect.name == "sqlite":
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")


@event.listens_for(Engine, "handle_error")
def _leave_out_the_row(context: ExceptionContext) -> None:
    """PostgreSQL tells with a broken constraint the whole row, which an error in the log would spread (safety.md 7)."""
    diagnosis = getattr(context.original_exception, "diag", None)
    if diagnosis is None or not diagnosis.message_detail:
        return
    told, original = str(context.original_exception), context.original_exception
    original.args = (diagnosis.message_primary, *original.args[1:])
    if (error := context.sqlalchemy_exception) is not None:
        error.args = (str(error.args[0]).replace(told, diagnosis.message_primary), *error.args[1:])


_WRITE_TRANSACTION = {
    "postgresql": {"isolation_level": "READ COMMITTED"},
    "sqlite": {"sqlite_begin": "IMMEDIATE"},
}


@contextmanager
def unit_of_work() -> Iterator[Session]:
    """One use case, one transaction: committed at the end, undone whole on any exception.

    What was read before (the logged-in account, say) is let go first: a snapshot that began as a
    read must not become a write.
    """
    session = db.session()
    session.rollback()
    try:
        session.connection(execution_options=_WRITE_TRANSACTION[session.get_bind().dialect.name])
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


_INSERTS = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def insert_into(session: Session, model: type[Base]) -> Any:
    """An INSERT that can be told what to do ON CONFLICT; both databases can, SQLAlchemy knows it by dialect only."""
    return _INSERTS[session.get_bind().dialect.name](cast(Table, model.__table__))


def settings() -> Settings:
    """The settings of the shop that answers this request or runs this command."""
    return current_app.extensions["settings"]


def redis() -> Redis:
    return current_app.extensions["redis"]
