"""A process that dies at a chosen place of a use case: before a write, before a commit, or just after one."""

from __future__ import annotations

import threading
from typing import Any

from sqlalchemy import Engine, event

WRITES = ("INSERT", "UPDATE", "DELETE")
BEFORE_WRITE, BEFORE_COMMIT, AFTER_COMMIT = "before write", "before commit", "after commit"


class Crash(Exception):
    """The process is gone. Nothing in the shop catches this."""


class Crashes:
    """Strikes once at the n-th place of its kind after it is armed, in whichever thread gets there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._place, self._left = "", 0
        self.writes = 0  # statements that changed something, ever
        event.listen(engine, "before_cursor_execute", self._write)
        event.listen(engine, "commit", self._commit)

    def remove(self) -> None:
        event.remove(self._engine, "before_cursor_execute", self._write)
        event.remove(self._engine, "commit", self._commit)

    def arm(self, place: str, number: int) -> None:
        """``number`` counts from 0."""
        with self._lock:
            self._place, self._left = place, number

    def disarm(self) -> None:
        self.arm("", 0)

    def _write(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.lstrip().upper().startswith(WRITES):
            return
        if self._strikes(BEFORE_WRITE):
            raise Crash(statement)
        self.writes += 1

    def _commit(self, connection: Any) -> None:
        if self._strikes(BEFORE_COMMIT):
            raise Crash(BEFORE_COMMIT)
        if self._strikes(AFTER_COMMIT):
            driver = connection.connection.driver_connection
            if connection.dialect.name == "sqlite":
                driver.execute("COMMIT")
            else:
                driver.commit()
            raise Crash(AFTER_COMMIT)

    def _strikes(self, place: str) -> bool:
        with self._lock:
            if self._place != place:
                return False
            self._left -= 1
            if self._left >= 0:
                return False
            self._place = ""
            return True
