"""Figures of the database in Prometheus' words: the jobs, and what waits for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shop.models import JobRun
from shop.services.figures import AuditResult, Figures


class Gauges(Collector):
    """Collects figures that were read a moment ago."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        now = self._figures
        yield from _jobs(now.jobs)
        yield _gauge("shop_desk_payments", "Payments that no order could use, not returned yet", now.payments_at_desk)
        yield _gauge("shop_desk_fen", "Their money, in fen", now.fen_at_desk)
        yield _gauge("shop_refunds_failed", "Refunds that Alipay has refused", now.refunds_failed)
        yield _gauge("shop_troubles_open", "Money that fits no order, undecided", now.troubles_open)
        letters = GaugeMetricFamily("shop_letters", "Letters that are not sent, by state", labels=["state"])
        for state, count in now.letters.items():
            letters.add_metric([state.name.lower()], count)
        yield letters
        if now.audit:
            yield from _audit(now.audit)


def _jobs(jobs: Sequence[JobRun]) -> Iterator[Metric]:
    last = GaugeMetricFamily("shop_job_last_success_timestamp_seconds", "When the job last was good", labels=["job"])
    seconds = GaugeMetricFamily("shop_job_last_duration_seconds", "How long its last run took", labels=["job"])
    runs = CounterMetricFamily("shop_job_runs", "Runs begun", labels=["job"])
    failures = CounterMetricFamily("shop_job_failures", "Runs that ended in an exception", labels=["job"])
    for job in jobs:
        if job.succeeded_time:
            last.add_metric([job.name], job.succeeded_time.timestamp())
        seconds.add_metric([job.name], job.seconds)
        runs.add_metric([job.name], job.runs)
        failures.add_metric([job.name], job.failures)
    yield from (last, seconds, runs, failures)


def _audit(audit: AuditResult) -> Iterator[Metric]:
    yield _gauge("shop_audit_findings", "Rules that the last nightly audit found broken", audit.findings)
    yield _gauge("shop_audit_timestamp_seconds", "When that audit began", audit.time.timestamp())


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value=value)
