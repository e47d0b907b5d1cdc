"""The only look at the wall clock, and the way between instants (UTC) and days (Asia/Shanghai)."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFSET_FILE = "SHOP_CLOCK_OFFSET_FILE"


def offset() -> timedelta:
    """How far the tests have moved the clock: a file of seconds that all processes share, absent in real life.

    ``shop.config`` refuses the variable in production.
    """
    path = os.environ.get(OFFSET_FILE)
    if not path:
        return timedelta()
    try:
        return timedelta(seconds=float(Path(path).read_text() or 0))
    except FileNotFoundError:
        return timedelta()


def now() -> datetime:
    """This instant, in UTC, to the microsecond."""
    return datetime.now(UTC) + offset()


def local(instant: datetime) -> datetime:
    """The same instant as people in Shanghai read it."""
    return instant.astimezone(SHANGHAI)


def local_date(instant: datetime) -> date:
    return local(instant).date()


def start_of_day(day: date) -> datetime:
    """The first instant of a Shanghai day, in UTC."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def end_of_day(day: date) -> datetime:
    """The last instant of a Shanghai day, in UTC: the last day of a window counts whole (A09)."""
    return start_of_day(day + timedelta(days=1)) - timedelta(microseconds=1)
