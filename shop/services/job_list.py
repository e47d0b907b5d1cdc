"""What runs without anybody asking, by name. Every job does a bounded part of what is due, and may run twice and on two
machines at once: the rows it works on decide what is left. So staff may run one by hand, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shop import clock
from shop.services import (
    coupons,
    enrolments,
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

JOBS: Mapping[str, Callable[[], Counts]] = {
    "expire_orders": orders.expire_due,
    "poll_payments": polling.poll_due,
    "send_refunds": refunds.send_due,
    "send_mail": mail.send_due,
    "nightly": nightly.run_due,
    "expire_coupons": lambda: coupons.expire_due(clock.now()),
    "expire_courses": lambda: enrolments.expire_due(clock.now()),
    "remind_of_coupons": lambda: reminders.of_coupons(clock.now()),
    "remind_of_courses": lambda: reminders.of_courses(clock.now()),
    "close_troubles": troubles.close_found,
    "sweep_uploads": lambda: uploads.sweep_orphans(clock.now()),
    "count_visits": lambda: visits.keep_counts(clock.now()),
    "reconcile": lambda: reconciliation.reconcile_due(clock.now()),
}
BY_DAY = frozenset(("remind_of_coupons", "remind_of_courses"))  # these rest at night
