"""Which statements a piece of work sends to PostgreSQL, and how PostgreSQL would find their rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

WHOLE_TABLE = re.compile(r"Seq Scan on \"?(\w+)")
EXPLAINED = ("SELECT", "UPDATE", "DELETE")

Sent = list[tuple[str, Any]]


@contextmanager
def watched(engine: Engine) -> Iterator[Sent]:
    """The statements sent inside the block, with their parameters."""
    sent: Sent = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith((*EXPLAINED, "INSERT")):
            sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def read_whole(engine: Engine, sent: Sent, tables: set[str]) -> dict[str, str]:
    """Plan by statement, for those that would read one of the tables from end to end."""
    plans = {}
    with engine.connect() as connection:
        for statement, parameters in sent:
            if statement.startswith(EXPLAINED):
                rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                plans[statement] = "\n".join(row[0] for row in rows)
    return {statement: plan for statement, plan in plans.items() if tables & set(WHOLE_TABLE.findall(plan))}
