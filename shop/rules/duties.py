"""Until when something has to be done, when time may stand still in between (domain.md 4.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Pause:
    """A stretch of time that does not count: a leave, a refund under way. Without an end it still lasts."""

    begin: datetime
    end: datetime | None


def merged(pauses: Iterable[Pause]) -> list[Pause]:
    """The same time as stretches that neither overlap nor touch, in their order."""
    found: list[Pause] = []
    for pause in sorted(pauses, key=lambda pause: pause.begin):
        last = found[-1] if found else None
        if last is None or (last.end is not None and last.end < pause.begin):
            found.append(pause)
        elif last.end is not None and (pause.end is None or pause.end > last.end):
            found[-1] = Pause(last.begin, pause.end)
    return found


def stands_still(moment: datetime, pauses: Iterable[Pause]) -> bool:
    """Whether this moment lies in a stretch that does not count."""
    return any(pause.begin <= moment and (pause.end is None or moment < pause.end) for pause in pauses)


def deadline(start: datetime, allowed: timedelta, pauses: Iterable[Pause]) -> datetime | None:
    """The instant until which ``allowed`` lasts from ``start`` on; None while time stands still before it.

    Pauses do not overlap. One that begins at the deadline itself comes too late to move it.
    """
    until = start + allowed
    for pause in sorted(pauses, key=lambda pause: pause.begin):
        if pause.end is not None and pause.end <= start:
            continue
        if pause.begin >= until:
            break
        if pause.end is None:
            return None
        until += pause.end - max(pause.begin, start)
    return until


def periods_over(
    start: datetime, period: timedelta, pauses: Sequence[Pause], as_of: datetime
) -> list[tuple[int, datetime]]:
    """The periods after ``start`` that are over at ``as_of``: their numbers from 1 on, each with its end."""
    over = []
    number = 1
    while (end := deadline(start, period * number, pauses)) is not None and end <= as_of:
        over.append((number, end))
        number += 1
    return over


def recommended_dates(open_date: date, periods: Iterable[int]) -> list[date]:
    """When each homework of a module should be handed in: its days follow those of the one before."""
    dates = []
    for days in periods:
        open_date += timedelta(days=days)
        dates.append(open_date)
    return dates
