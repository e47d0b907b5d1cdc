"""What runs without anybody asking, and when: the one place that knows the schedule.

``python -m huey.bin.huey_consumer shop.jobs.huey`` runs it; further consumers take ``--no-periodic``. Every job does a
bounded part of what is due, and may run twice and on two machines at once: the rows it works on decide what is left.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

import structlog
from huey import PostgresHuey, RedisHuey, SqliteHuey, crontab
from huey.api import Huey
from huey.serializer import SignedSerializer
from sqlalchemy.engine import make_url

from shop import clock, create_app
from shop.config import Settings
from shop.services import (
    coupons,
    enrolments,
    job_runs,
    mail,
    nightly,
    orders,
    polling,
    reconciliation,
    refunds,
    reminders,
    troubles,
    uploads,
    visits,
)
from shop.services.job_runs import Counts

When = Callable[[datetime], bool]
EXPIRES = 55  # seconds: a run of each minute that could not begin by then is left to the next

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


def hourly(minute: int) -> When:
    return crontab(minute=str(minute))


EACH_MINUTE = crontab()
BY_DAY = crontab(minute="30", hour="1-12")  # 9:30 to 20:30 in Shanghai: nobody is reminded at night
SCHEDULE: tuple[tuple[str, When, Callable[[], Counts]], ...] = (
    ("expire_orders", EACH_MINUTE, orders.expire_due),
    ("poll_payments", EACH_MINUTE, polling.poll_due),
    ("send_refunds", EACH_MINUTE, refunds.send_due),
    ("send_mail", EACH_MINUTE, mail.send_due),
    ("nightly", hourly(0), nightly.run_due),  # at 02:00 in Shanghai; in the other hours for a night that was missed
    ("count_visits", hourly(5), lambda: visits.keep_counts(clock.now())),
    ("expire_coupons", hourly(10), lambda: coupons.expire_due(clock.now())),
    ("expire_courses", hourly(20), lambda: enrolments.expire_due(clock.now())),
    ("remind_of_coupons", BY_DAY, lambda: reminders.of_coupons(clock.now())),
    ("remind_of_courses", BY_DAY, lambda: reminders.of_courses(clock.now())),
    ("close_troubles", hourly(30), troubles.close_found),
    ("sweep_uploads", hourly(50), lambda: uploads.sweep_orphans(clock.now())),
    ("reconcile", hourly(40), lambda: reconciliation.reconcile_due(clock.now())),  # it knows when a bill is ready
)


def _schedule(name: str, when: When, job: Callable[[], Counts]) -> None:
    """Have the consumer run a job, one at a time: what lasts longer than its interval is not begun beside itself."""
    at_work = threading.Lock()

    @huey.periodic_task(when, name=name, expires=EXPIRES if when is EACH_MINUTE else None)
    def run() -> None:
        if not at_work.acquire(blocking=False):
            log.info("job still runs", job=name)
            return
        try:
            with app.app_context():
                job_runs.run(name, job)
        finally:
            at_work.release()


for line in SCHEDULE:
    _schedule(*line)
