"""Time as the protocol writes it: Beijing, without a zone. Inside, an instant is seconds since 1970 (float)."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

BEIJING = timezone(timedelta(hours=8))
TEXT = "%Y-%m-%d %H:%M:%S"


def now(offset_file: Path | None) -> float:
    """This instant, moved by the seconds in the file that tests share between all processes."""
    return time.time() + offset(offset_file)


def offset(offset_file: Path | None) -> float:
    if offset_file is None:
        return 0.0
    try:
        return float(offset_file.read_text() or 0)
    except FileNotFoundError:
        return 0.0


def text(instant: float) -> str:
    """``2026-03-01 12:00:00``."""
    return datetime.fromtimestamp(instant, BEIJING).strftime(TEXT)


def text_ms(instant: float) -> str:
    """With milliseconds, as ``gmt_refund`` has it."""
    moment = datetime.fromtimestamp(instant, BEIJING)
    return f"{moment.strftime(TEXT)}.{moment.microsecond // 1000:03d}"


def parse(value: str) -> float:
    """Instant of ``yyyy-MM-dd HH:mm:ss``, exactly so. Raises ValueError."""
    moment = datetime.strptime(value, TEXT).replace(tzinfo=BEIJING)
    if moment.strftime(TEXT) != value:  # strptime lets one-digit months and extra blanks pass
        raise ValueError(value)
    return moment.timestamp()


def day(instant: float) -> date:
    return datetime.fromtimestamp(instant, BEIJING).date()


def start_of_day(value: date) -> float:
    return datetime(value.year, value.month, value.day, tzinfo=BEIJING).timestamp()
