"""Whether everything that must always hold does hold, on the whole database (design 11)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import structlog
from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from shop import clock
from shop.extensions import db, unit_of_work
from shop.models import AuditRun
from shop.services.attempts import GRACE
from shop.services.audit_queries import CHECKS, Broken, Check, degrees, waiting

MOST_NAMED = 20  # rows named per finding; the rest is counted
PAYS_WITHIN = timedelta(days=2)  # of the end of a study
SWEEP = timedelta(minutes=5)  # the expiry of orders runs more often than this
# Checks read whole tables: that takes longer than a request may, and joins want memory. One process does it: helpers
# would each group the whole table for themselves, on the cores that the shop sells with.
_POSTGRESQL_LIMITS = {"statement_timeout": "10min", "work_mem": "64MB", "max_parallel_workers_per_gather": "0"}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows of a table that break a rule: how many, and the ids of the first of them."""

    name: str
    table: str
    says: str
    ids: tuple[int, ...]
    count: int

    @property
    def rows(self) -> str:
        """The rows in words: "orders 3, 5, 8 and 12 more"."""
        more = f" and {self.count - len(self.ids)} more" if self.count > len(self.ids) else ""
        return f"{self.table} {', '.join(map(str, self.ids))}{more}"


@contextmanager
def reading() -> Iterator[Session]:
    """A session that only reads, and may take its time over it."""
    with Session(db.engine) as session:
        if session.get_bind().dialect.name == "postgresql":
            for name, value in _POSTGRESQL_LIMITS.items():
                session.execute(text(f"SET LOCAL {name} = '{value}'"))
        yield session


def run(session: Session) -> list[Finding]:
    """What is wrong; nothing when everything holds. One statement per check, however many rows there are."""
    return [finding for _, finding in steps(session) if finding]


def steps(session: Session) -> Iterator[tuple[Check, Finding | None]]:
    """Every check with what it found, as soon as it has."""
    for check in CHECKS:
        yield check, _find(session, check.name, check.table, check.says, _unchanging(check.query))


def notices(session: Session, now: datetime) -> list[Finding]:
    """What breaks no rule but waits: for a job, for Alipay, or for a person."""
    late = waiting.orders_waiting_since(now - GRACE - SWEEP)
    asked = [
        ("order_is_late", "orders", "unpaid beyond its deadline; Alipay has not answered yet", late),
        (
            "money_waits_at_the_desk",
            "payment",
            "received, of no use to its order, and not returned yet",
            waiting.money_at_the_desk(),
        ),
        ("refund_has_failed", "refund", "refused by Alipay", waiting.failed_refunds()),
        (
            "purse_waits",
            "enrolled_degree_course",
            "ended two days ago and not paid out: an appeal or a complaint waits, or the night does not come",
            degrees.purses_waiting_since(now - PAYS_WITHIN),
        ),
        ("trouble_is_open", "trouble", "money that fits no order, undecided", waiting.open_troubles()),
    ]
    found = [_find(session, name, table, says, _first_rows(broken)) for name, table, says, broken in asked]
    return [finding for finding in found if finding]


def store() -> dict[str, int]:
    """Run the whole audit and keep what it found; how many checks, findings and notices."""
    started, began = clock.now(), time.monotonic()
    with reading() as session:
        findings, noted = run(session), notices(session, started)
    for finding in findings:
        log.error("audit", check=finding.name, rows=finding.rows)
    with unit_of_work() as session:
        session.add(
            AuditRun(
                started_time=started,
                seconds=round(time.monotonic() - began, 3),
                checks=len(CHECKS),
                findings=[asdict(finding) for finding in findings],
                notices=[asdict(notice) for notice in noted],
            )
        )
    return {"checks": len(CHECKS), "findings": len(findings), "notices": len(noted)}


def _find(session: Session, name: str, table: str, says: str, first_rows: Select[Any]) -> Finding | None:
    found = session.execute(first_rows).all()
    return Finding(name, table, says, tuple(id_ for id_, _ in found), found[0][1]) if found else None


def _first_rows(broken: Broken) -> Select[Any]:
    """Which rows are named, and how many there are in all."""
    row = next(iter(broken.subquery().c))
    return select(row, func.count().over()).order_by(row).limit(MOST_NAMED)


@cache  # to write the statements down takes longer than a small shop's database needs to answer them
def _unchanging(query: Callable[[], Broken]) -> Select[Any]:
    return _first_rows(query())
