"""The 02:00 job (domain.md 4.3): what becomes due overnight, night by night, and then the audit.

A night is named by its Shanghai day and worked off as of 02:00 of that day, however late that happens. Each step
commits for itself and may run twice; the night's row tells which are done, so that a killed run is continued.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, cast

import structlog
from sqlalchemy import Table, func, or_, select, update

from shop import clock
from shop.extensions import db, insert_into, unit_of_work
from shop.models import NightlyRun
from shop.services import audit, coupons, enrolments, maturity, neglect, orders, retention, study_end

HOUR = time(2)  # in Shanghai
MOST_NIGHTS = 31  # worked off in one run; more of them wait for the next
LEASE = timedelta(minutes=30)  # longer than any step; a night whose process was killed is free again after that

Counts = dict[str, int]
_TABLE = cast(Table, NightlyRun.__table__)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do as of an instant, harmless when it is done twice, late, or by two at once. ``run`` counts it."""

    name: str
    run: Callable[[datetime], Counts]


@dataclass(frozen=True, slots=True)
class Done:
    """One step of one night that has just been done."""

    night: date
    step: str
    counts: Counts


class Elsewhere(RuntimeError):
    """Another process is at work on this night, or has just finished it."""


def _whole(some: Callable[[datetime], Counts]) -> Callable[[datetime], Counts]:
    """All of what ``some`` does in bounded runs."""

    def run(now: datetime) -> Counts:
        total = 0
        while expired := some(now)["expired"]:
            total += expired
        return {"expired": total}

    return run


# In the order of domain.md 4.3, (a) to (i).
STEPS: tuple[Step, ...] = (
    Step("expire_orders", lambda _: orders.expire_due()),
    Step("expire_coupons", _whole(coupons.expire_due)),
    Step("expire_courses", _whole(enrolments.expire_due)),
    Step("end_degrees", study_end.end_due),
    Step("late_homework", neglect.fine_late_homework),
    Step("late_grading", neglect.fine_late_grading),
    Step("missing_follow_up", neglect.fine_missing_follow_up),
    Step("late_answers", neglect.fine_late_answers),
    Step("mature", maturity.settle_due),
    Step("retention", retention.let_go),  # safety.md 7.2
)
AUDIT = Step("audit", lambda _: audit.store())  # once, after the last of the nights: it looks at the present


def run_due() -> Counts:
    """Work off the nights that are due; how many steps that took. Nothing while another process is at it."""
    try:
        return {"steps": run(latest_night())}
    except Elsewhere:
        return {"steps": 0}


def run(through: date, tell: Callable[[Done], None] = lambda _: None) -> int:
    """Work off the nights up to this one that are not finished, in their order; how many steps that took.

    ``tell`` hears of each. Raises ValueError for a night that has not come, Elsewhere, and what a step raises.
    """
    if through > latest_night():
        raise ValueError(f"The night of {through} has not come yet.")
    nights = _unfinished(through)
    return sum(_work_off(night, STEPS if night < nights[-1] else (*STEPS, AUDIT), tell) for night in nights)


def latest_night() -> date:
    """The last night whose 02:00 has passed."""
    now = clock.local(clock.now())
    return now.date() if now.time() >= HOUR else now.date() - timedelta(days=1)


def _unfinished(through: date) -> list[date]:
    """Nights without a finished row since the first that was ever begun; oldest first."""
    begun = db.session.scalar(select(func.min(NightlyRun.night))) or through
    finished = set(db.session.scalars(select(NightlyRun.night).where(NightlyRun.finished_time.is_not(None))))
    first = min(begun, through)
    nights = (first + timedelta(days=n) for n in range((through - first).days + 1))
    return [night for night in nights if night not in finished][:MOST_NIGHTS]


def _work_off(night: date, steps: Sequence[Step], tell: Callable[[Done], None]) -> int:
    lease, done = _claim(night)
    left = [step for step in steps if step.name not in done]
    try:
        for step in left:
            done[step.name] = counts = step.run(datetime.combine(night, HOUR, clock.SHANGHAI))
            lease = _keep(night, lease, steps=done, leased_until=clock.now() + LEASE)
            log.info("nightly", night=str(night), step=step.name, counts=counts)
            tell(Done(night, step.name, counts))
    except Elsewhere:
        raise
    except BaseException:
        _keep(night, lease, leased_until=None)  # the next run need not wait
        raise
    _keep(night, lease, leased_until=None, finished_time=clock.now())
    return len(left)


def _claim(night: date) -> tuple[datetime, dict[str, Any]]:
    """Until when this process has the night to itself, and the steps that were done before. Raises Elsewhere."""
    now = clock.now()
    is_free = or_(NightlyRun.leased_until.is_(None), NightlyRun.leased_until < now)
    with unit_of_work() as session:
        begin = insert_into(session, NightlyRun).on_conflict_do_nothing(index_elements=["night"])
        session.execute(begin, {"night": night, "started_time": now, "steps": {}})
        done = session.scalar(
            update(NightlyRun)
            .where(NightlyRun.night == night, NightlyRun.finished_time.is_(None), is_free)
            .values(leased_until=now + LEASE)
            .returning(NightlyRun.steps)
        )
        if done is None:
            raise Elsewhere
        return now + LEASE, dict(done)


def _keep(night: date, lease: datetime, **values: Any) -> datetime:
    """Write down how far it is; until when the night is ours now. Raises Elsewhere when it took us too long."""
    with unit_of_work() as session:
        kept = session.execute(
            update(_TABLE).where(_TABLE.c.night == night, _TABLE.c.leased_until == lease).values(values)
        )
        if not kept.rowcount:  # type: ignore[attr-defined]
            raise Elsewhere
    return values["leased_until"] or lease
