"""How the scheduled jobs fare: each is run here, counted in its row of ``job_run``, and never ends its runner."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import structlog
from sqlalchemy import Table, select, update
from sqlalchemy.exc import SQLAlchemyError

from shop import clock
from shop.extensions import db, insert_into, unit_of_work
from shop.models import JobRun

Counts = dict[str, int]

_TABLE = cast(Table, JobRun.__table__)
_ERROR_LENGTH = 255


log = structlog.get_logger()


def run(name: str, job: Callable[[], Counts]) -> bool:
    """Run a job once and keep what came of it; whether it was good.

    An exception of the job, or of the database it works on, is counted and logged, and the caller goes on.
    """
    began = time.monotonic()
    try:
        _begin(name)
        counts = job()
        _end(name, began, succeeded_time=clock.now(), counts=counts, error="")
    except Exception as error:
        log.exception("job failed", job=name, seconds=_since(began))
        _count_failure(name, began, error)
        return False
    log.info("job", job=name, seconds=_since(began), counts=counts)
    return True


def all_runs() -> Sequence[JobRun]:
    """Every job that has ever run here, by name."""
    return db.session.scalars(select(JobRun).order_by(JobRun.name)).all()


def _begin(name: str) -> None:
    """A job's row, or one run more in the row that it has."""
    first = {"runs": 1, "failures": 0, "seconds": 0.0, "counts": {}, "error": ""}
    with unit_of_work() as session:
        insert = insert_into(session, JobRun)
        again = {"started_time": insert.excluded.started_time, "runs": _TABLE.c.runs + 1}
        begin = insert.on_conflict_do_update(index_elements=["name"], set_=again)
        session.execute(begin, {"name": name, "started_time": clock.now(), **first})


def _end(name: str, began: float, **values: Any) -> None:
    with unit_of_work() as session:
        session.execute(update(_TABLE).where(_TABLE.c.name == name).values(seconds=_since(began), **values))


def _count_failure(name: str, began: float, error: Exception) -> None:
    text = f"{type(error).__name__}: {error}".replace("\0", "")[:_ERROR_LENGTH]
    try:
        _end(name, began, failures=_TABLE.c.failures + 1, error=text)
    except SQLAlchemyError as another:
        log.error("job failure not counted", job=name, error=type(another).__name__)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)
