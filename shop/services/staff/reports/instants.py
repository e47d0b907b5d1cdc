"""Days and lengths of time as SQL that both databases read alike, to the last microsecond of a day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from shop import clock
from shop.extensions import db
from shop.rules.periods import DAY, Period

EPOCH_DAY = date(1970, 1, 1).toordinal()
# Written out, not bound: PostgreSQL takes two parameters for two expressions, and would not group by one of them.
SECONDS_A_MINUTE = literal_column("60", BigInteger)


class epoch_seconds(FunctionElement[int]):  # a function of SQL
    """Whole seconds since 1970 of an instant, cut and not rounded."""

    type = BigInteger()
    inherit_cache = True


@compiles(epoch_seconds, "postgresql")
def _on_postgresql(element: epoch_seconds, compiler: Any, **options: Any) -> str:
    return f"CAST(floor(extract(epoch FROM {compiler.process(element.clauses, **options)})) AS BIGINT)"


@compiles(epoch_seconds, "sqlite")
def _on_sqlite(element: epoch_seconds, compiler: Any, **options: Any) -> str:
    # newer SQLites round 23:59:59.999999 up to the next day: the fraction is cut off as text
    return f"CAST(strftime('%s', substr({compiler.process(element.clauses, **options)}, 1, 19)) AS INTEGER)"


class shanghai_day(FunctionElement[int]):
    """Days since 1970 of an instant in Shanghai: eight hours ahead of UTC, without summer time since 1991."""

    type = BigInteger()
    inherit_cache = True


@compiles(shanghai_day, "postgresql")
def _day_on_postgresql(element: shanghai_day, compiler: Any, **options: Any) -> str:
    # two thirds of the time that arithmetic on seconds takes there, which are NUMERIC
    local = f"{compiler.process(element.clauses, **options)} AT TIME ZONE INTERVAL '8 hours'"
    return f"(CAST({local} AS DATE) - DATE '1970-01-01')"


@compiles(shanghai_day, "sqlite")
def _day_on_sqlite(element: shanghai_day, compiler: Any, **options: Any) -> str:
    return f"(({compiler.process(epoch_seconds(*element.clauses), **options)} + 28800) / 86400)"


def day_number(instant: Any) -> ColumnElement[int]:
    """The Shanghai day of an instant, to group by; ``day_of`` reads it."""
    return shanghai_day(instant)


def day_of(number: int) -> date:
    return date.fromordinal(EPOCH_DAY + int(number))


def minutes_between(begin: Any, end: Any) -> ColumnElement[int]:
    """Minutes from one instant to a later one, a begun one counted whole: more than a limit is more in minutes, too."""
    seconds = epoch_seconds(end) - epoch_seconds(begin)
    minutes: ColumnElement[int] = (seconds + literal_column("59", BigInteger)) // SECONDS_A_MINUTE
    return minutes


def within(instant: Any, period: Period) -> ColumnElement[bool]:
    """Whether an instant lies in the period; a range that an index is walked for."""
    begin, end = bounds(period)
    return and_(instant >= begin, instant < end)


def bounds(period: Period) -> tuple[datetime, datetime]:
    """The first instant of a period, and the first one after it."""
    return clock.start_of_day(period.first), clock.start_of_day(period.last + DAY)


def counted_by_day(count: Select[int], when: Any, period: Period) -> dict[date, int]:
    """What ``count`` selects, by the day of an instant; every day of the period is there. One statement."""
    day = day_number(when)
    rows = db.session.execute(count.add_columns(day).where(within(when, period)).group_by(day))
    return dict.fromkeys(period, 0) | {day_of(number): found for found, number in rows}
