"""``wsgi:app`` for a server that is held up or killed on purpose.

It waits longer for a lock than people do, as a barrier on a busy machine takes its time. And it dies, as by kill -9,
where the file named in ``DIE_AT_FILE`` says: before a write to the table named there, or after a commit ("commit"; the
third is "commit commit commit").
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from shop.web.flask_config import POSTGRES_LIMITS
from tests.faults.barrier import SECONDS

POSTGRES_LIMITS.update(lock_timeout=2_000 * SECONDS, statement_timeout=2_000 * SECONDS)

from wsgi import app  # noqa: E402, F401  after the limits

_file = Path(os.environ["DIE_AT_FILE"])


@event.listens_for(Engine, "before_cursor_execute")
def _before(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
    written = re.match(r'(?:INSERT INTO|UPDATE) "?(\w+)', statement)
    if written:
        _die_at(written[1])


@event.listens_for(Session, "after_commit")
def _after(_session: Session) -> None:
    _die_at("commit")
    if _file.exists() and _file.read_text().startswith("commit "):
        _file.write_text(_file.read_text().removeprefix("commit "))


def _die_at(place: str) -> None:
    if _file.exists() and _file.read_text() == place:
        _file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
