"""Whether everything that must always hold does hold, on the whole database (design 11)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop.services import audit_queries
from shop.services.audit_queries import CHECKS, Broken, Check
from shop.services.orders import GRACE

MOST_NAMED = 20  # rows named per finding; the rest is counted
SWEEP = timedelta(minutes=5)  # the expiry of orders runs more often than this


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


def run(session: Session) -> list[Finding]:
    """What is wrong; nothing when everything holds. One statement per check, however many rows there are."""
    return [finding for _, finding in steps(session) if finding]


def steps(session: Session) -> Iterator[tuple[Check, Finding | None]]:
    """Every check with what it found, as soon as it has."""
    for check in CHECKS:
        yield check, _find(session, check.name, check.table, check.says, check.query())


def notices(session: Session, now: datetime) -> list[Finding]:
    """What breaks no rule but waits for a job or for staff: unpaid orders beyond their time, money without an order."""
    late = audit_queries.orders_waiting_since(now - GRACE - SWEEP)
    found = [
        _find(session, "order_is_late", "orders", "unpaid beyond its deadline; Alipay has not answered yet", late),
        _find(
            session,
            "money_waits_at_the_desk",
            "payment",
            "received, of no use to its order, and not returned yet",
            audit_queries.money_at_the_desk(),
        ),
    ]
    return [finding for finding in found if finding]


def _find(session: Session, name: str, table: str, says: str, broken: Broken) -> Finding | None:
    row = next(iter(broken.subquery().c))
    found = session.execute(select(row, func.count().over()).order_by(row).limit(MOST_NAMED)).all()
    return Finding(name, table, says, tuple(id_ for id_, _ in found), found[0][1]) if found else None
