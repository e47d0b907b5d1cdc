"""When what a degree has earned matures: at graduation, which is expected by the plan (domain.md 4.2, A14)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from shop.enums import StudyStatus
from shop.rules.rewards import Tier


class When(StrEnum):
    PLANNED = "planned"  # on a day, if everything is passed as planned
    NOT_BEGUN = "not_begun"  # no module is open yet
    ON_LEAVE = "on_leave"  # the plan stands still
    DUE = "due"  # the study has ended; the coming night pays, once nothing is left to decide
    NEVER = "never"  # the study has ended without graduation


@dataclass(frozen=True, slots=True)
class Expectation:
    when: When
    day: date | None = None  # of the graduation, when it is planned


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a scholarship tier asks for, seen from today."""

    value: int  # 贝里
    days: int  # of study, at most
    days_left: int  # after today; below 0: missed
    last_day: date | None  # none while no time runs: not begun, or on leave


def expected(
    status: StudyStatus, planned: date | None, locked_days: int, today: date, *, overtime_pays: bool
) -> Expectation:
    """When the purses of an enrolment should mature.

    ``planned`` is the last recommended day of the open module (None: no module was opened), ``locked_days`` what the
    homework of the locked ones takes. Late work moves nothing: a plan that is over means today.
    """
    if status is StudyStatus.GRADUATED or (status is StudyStatus.OVERTIME and overtime_pays):
        return Expectation(When.DUE)
    if status is StudyStatus.OVERTIME:
        return Expectation(When.NEVER)
    if status is StudyStatus.ON_LEAVE:
        return Expectation(When.ON_LEAVE)
    if planned is None:
        return Expectation(When.NOT_BEGUN)
    return Expectation(When.PLANNED, max(today, planned + timedelta(days=locked_days)))


def outlooks(
    tiers: Iterable[Tier], studied_days: int, period_days: int, today: date, *, is_running: bool
) -> list[Outlook]:
    """The tiers of a degree, quickest first; today is one of the ``studied_days``, unless no time runs."""
    found = []
    for tier in sorted(tiers, key=lambda tier: tier.time_percent):
        days = tier.time_percent * period_days // 100
        left = days - studied_days
        found.append(Outlook(tier.value, days, left, today + timedelta(days=left) if is_running else None))
    return found
