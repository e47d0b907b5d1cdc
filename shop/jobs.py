"""What runs without anybody asking, and when: the one place that knows the schedule.

``python -m huey.bin.huey_consumer shop.jobs.huey`` runs it; further consumers take ``--no-periodic``. Every job may run
twice and on two machines at once: the rows it works on decide what is left to do.
"""

from __future__ import annotations

import structlog
from huey import PostgresHuey, RedisHuey, SqliteHuey, crontab
from huey.api import Huey
from huey.serializer import SignedSerializer
from sqlalchemy.engine import make_url

from shop import create_app
from shop.config import Settings
from shop.services import orders

log = structlog.get_logger()


def _queue(settings: Settings) -> Huey:
    """The job queue: where ``HUEY_URL`` says, else in the shop's own database. Only ids go through it, signed."""
    options = {"name": "shop", "utc": True, "serializer": SignedSerializer(secret=settings.secret_keys[0])}
    url = settings.huey_url or settings.database_url
    if url.startswith(("redis:", "rediss:", "unix:")):
        return RedisHuey(url=url, **options)
    place = make_url(url)
    if place.drivername.startswith("sqlite"):
        # a file of its own: the queue's polling must not hold the shop's write lock
        return SqliteHuey(filename=f"{place.database}-jobs", **options)
    return PostgresHuey(dsn=place.set(drivername="postgresql").render_as_string(hide_password=False), **options)


app = create_app()
huey = _queue(app.extensions["settings"])


# ---------------------------------------------------------------- the schedule

EACH_MINUTE = crontab()
MINUTE = 55  # seconds: a run that could not begin by then is left to the next one


def hourly(minute: int) -> Callable[[datetime], bool]:
    return crontab(minute=str(minute))


def daily(hour: int, minute: int) -> Callable[[datetime], bool]:
    """Each day at this time in Shanghai, which is eight hours ahead of the queue's clock all year."""
    return crontab(minute=str(minute), hour=str((hour - 8) % 24))


SCHEDULE: tuple[tuple[str, Callable[[datetime], bool], Callable[[], Counts]], ...] = (
    ("expire_orders", EACH_MINUTE, orders.expire_due),
    ("poll_payments", EACH_MINUTE, polling.poll_due),
    ("send_refunds", EACH_MINUTE, refund_sending.send_due),
    ("nightly", hourly(0), nightly.run_due),  # at 02:00; at the other hours a night that was missed
    ("expire_coupons", hourly(10), lambda: coupons.expire_due(clock.now())),
    ("expire_courses", hourly(20), lambda: enrolments.expire_due(clock.now())),
    ("reconcile_morning", daily(10, 5), lambda: reconciliation.reconcile_due(clock.now())),
)
