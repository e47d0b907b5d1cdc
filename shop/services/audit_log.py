"""Who changed what, when, from what to what, and why: the one place that writes the audit log (design 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from shop import clock
from shop.extensions import Model
from shop.models import AuditLog

LONGEST_REASON = 255


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: a person by account, or a job or a command without one."""

    name: str
    account_id: int | None = None


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject: Model,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """Add one row about ``subject`` in the caller's transaction; ``action`` is "table verb".

    The subject has its id; a job, which has a name alone, goes by 0 and is named in ``after``.

    ``before`` and ``after`` hold what changed, as JSON keeps it, and never sensitive data (safety.md 7).
    """
    session.add(
        AuditLog(
            account_id=actor.account_id,
            actor=actor.name,
            action=action,
            subject_table=subject.__tablename__,
            subject_id=getattr(subject, "id", 0),
            before=dict(before) if before is not None else None,
            after=dict(after) if after is not None else None,
            reason=reason[:LONGEST_REASON],
            date=clock.now(),
        )
    )


def checked_reason(reason: str) -> str:
    """A reason without surrounding blanks. Raises ValueError unless it has 1 to 255 characters."""
    reason = reason.strip()
    if not 1 <= len(reason) <= LONGEST_REASON:
        raise ValueError(f"a reason has 1 to {LONGEST_REASON} characters")
    return reason
