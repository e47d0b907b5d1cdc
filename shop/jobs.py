"""When what runs without anybody asking: the one place that knows the schedule; what runs is ``services.job_list``.

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

from shop import create_app
from shop.config import Settings
from shop.services import job_runs
from shop.services.job_list import BY_DAY, JOBS
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
DAYTIME = crontab(minute="30", hour="1-12")  # 9:30 to 20:30 in Shanghai: nobody is reminded at night
SCHEDULE: dict[str, When] = {
    "expire_orders": EACH_MINUTE,
    "poll_payments": EACH_MINUTE,
    "send_refunds": EACH_MINUTE,
    "send_mail": EACH_MINUTE,
    "nightly": hourly(0),  # at 02:00 in Shanghai; in the other hours for a night that was missed
    "expire_coupons": hourly(10),
    "expire_courses": hourly(20),
    "close_troubles": hourly(30),
    "sweep_uploads": hourly(50),
    "count_visits": hourly(5),
    "reconcile": hourly(40),  # it knows when a bill is ready
    **dict.fromkeys(BY_DAY, DAYTIME),
}


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


for job_name, due in SCHEDULE.items():
    _schedule(job_name, due, JOBS[job_name])
