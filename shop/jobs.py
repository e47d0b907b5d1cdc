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


@huey.periodic_task(crontab())
def expire_orders() -> None:
    """Each minute: end unpaid orders whose time is over."""
    with app.app_context():
        ended, left = orders.expire_due()
    log.info("job", job="expire_orders", ended=ended, left=left)
