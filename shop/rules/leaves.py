"""休学: how many days a leave takes, until when it may last, and which days move by it (design 9).

A leave is counted in midnights: who returns on the day of leaving has taken none, and nothing moves.
"""

from __future__ import annotations

from datetime import date, timedelta


def days_away(begin_date: date, end_date: date) -> int:
    """How many days there are between leaving and returning."""
    return (end_date - begin_date).days


def days_left(allowed: int, taken: int) -> int:
    """Days that may still be taken; none when the limit was lowered below what was taken before."""
    return max(0, allowed - taken)


def return_date(begin_date: date, left: int) -> date:
    """The day on which study goes on by itself, when a leave has used up all that was left."""
    return begin_date + timedelta(days=left)


def moved(day: date, begin_date: date, days: int) -> date:
    """A planned day after so many days of leave: what was due before the leave began stays where it was."""
    return day + timedelta(days=days) if day >= begin_date else day
