"""Work on many rows, so much at a time that neither a selling shop nor the next job feels it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import InstrumentedAttribute

from shop.extensions import Model, unit_of_work

ROWS = 1_000  # in one transaction
TRANSACTIONS = 20  # in one run
LONGEST_RUN = 30.0  # seconds, for what talks with others, who may be slow
Item = TypeVar("Item")


def in_time(items: Iterable[Item]) -> Iterator[Item]:
    """As many of the items as one run of a job has time for; the rest is due in the next run."""
    end = time.monotonic() + LONGEST_RUN
    for item in items:
        yield item
        if time.monotonic() > end:
            return


def change_due(
    model: type[Model], is_due: ColumnElement[bool], by: InstrumentedAttribute[object], **values: object
) -> int:
    """Give these values to the rows that are due, in the order of a column; returns to how many.

    At most ``ROWS * TRANSACTIONS`` a run; the values must make a row no longer due. Rows that somebody holds are left
    for the next run: this waits for nobody while it holds many, so that nobody waits in a ring.
    """
    changed = 0
    for _ in range(TRANSACTIONS):
        found = _change_some(model, is_due, by, values)
        changed += found
        if found < ROWS:
            break
    return changed


def _change_some(
    model: type[Model], is_due: ColumnElement[bool], by: InstrumentedAttribute[object], values: dict[str, object]
) -> int:
    row_id = model.__table__.c.id
    with unit_of_work() as session:
        due = session.scalars(
            select(row_id).where(is_due).order_by(by, row_id).limit(ROWS).with_for_update(skip_locked=True)
        ).all()
        if due:
            session.execute(
                update(model).where(row_id.in_(due), is_due).values(values),
                execution_options={"synchronize_session": False},
            )
    return len(due)
