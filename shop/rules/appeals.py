"""Which rows of a fee a mentor may appeal against, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from shop.enums import Rule, ScoreType

APPEAL_DAYS = 30


class WhyNot(StrEnum):
    NO_PENALTY = "no_penalty"
    REVERSED = "reversed"
    APPEALED = "appealed"
    NOT_ASSIGNED = "not_assigned"
    REFUNDED = "refunded"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Row:
    """A score record of a mentor's, as far as an appeal asks about it."""

    rule: Rule
    kind: ScoreType
    score: int
    day: date
    is_reversed: bool
    is_appealed: bool
    is_assigned: bool  # its mentor still has the student
    is_refunded: bool  # the degree


def last_day(day: date) -> date:
    """The last day on which a row of this day can be appealed against."""
    return day + timedelta(days=APPEAL_DAYS)


def why_not(row: Row, today: date) -> WhyNot | None:
    """The first thing that stands against an appeal, None when it may be made.

    What is left of a fee that moves on or is let go of (rule 6) is no fine, and a fine that found nothing took nothing.
    """
    obstacles = {
        WhyNot.NO_PENALTY: row.score >= 0 or row.kind is not ScoreType.PENALTY or row.rule is Rule.MENTOR,
        WhyNot.REVERSED: row.is_reversed,
        WhyNot.APPEALED: row.is_appealed,
        WhyNot.REFUNDED: row.is_refunded,
        WhyNot.NOT_ASSIGNED: not row.is_assigned,
        WhyNot.LATE: today > last_day(row.day),
    }
    return next((why for why, is_so in obstacles.items() if is_so), None)
