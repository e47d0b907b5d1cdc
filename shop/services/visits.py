"""How many different people take a step of a visit on a day, and never who: sketches in Redis (HyperLogLog, about one
percent wrong), copied to the database by the hour.

Losing Redis costs that day's count. Whoever counts is in the middle of something that matters more: nothing that goes
wrong here is told to anybody.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta

from redis.exceptions import RedisError, ResponseError

from shop import clock
from shop.enums import VisitStep
from shop.extensions import insert_into, redis, unit_of_work
from shop.models import VisitCount

KEPT_SECONDS = 3 * 24 * 3600


def note(step: VisitStep, owner: str) -> None:
    """Somebody took this step just now. ``owner`` is that of a cart; the sketch keeps neither it nor its digest."""
    key = _key(clock.local_date(clock.now()), step)
    with suppress(RedisError):
        pipeline = redis().pipeline(transaction=False)
        pipeline.pfadd(key, owner)
        pipeline.expire(key, KEPT_SECONDS)
        pipeline.execute()


def keep_counts(now: datetime) -> dict[str, int]:
    """Copy the counts of today and yesterday, whose last hour nobody has copied yet. What is kept never shrinks.

    A day on which Redis was lost keeps what was copied before; one that was not counted has no row. Raises RedisError.
    """
    today = clock.local_date(now)
    counts = {(day, step): _count(day, step) for day in (today - timedelta(days=1), today) for step in VisitStep}
    found = {place: people for place, people in counts.items() if people or place[0] == today}
    with unit_of_work() as session:
        insert = insert_into(session, VisitCount)
        session.execute(
            insert.on_conflict_do_update(
                index_elements=["day", "step"],
                set_={"people": insert.excluded.people},
                where=VisitCount.people < insert.excluded.people,
            ),
            [{"day": day, "step": step, "people": people} for (day, step), people in found.items()],
        )
    return {"counts": len(found)}


def _count(day: date, step: VisitStep) -> int:
    try:
        return int(redis().pfcount(_key(day, step)))
    except ResponseError:  # something else lies under the key
        return 0


def _key(day: date, step: VisitStep) -> str:
    return f"visits:{{{day:%Y%m%d}}}:{int(step)}"
