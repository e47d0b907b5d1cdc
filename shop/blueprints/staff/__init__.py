"""Pages of the staff, an area a file."""

from __future__ import annotations

from shop.blueprints.staff import (
    accounts,
    appeals,
    audit_log,
    complaints,
    desk,
    marks,
    mentors,
    money,
    orders,
    reconciliation,
    refunds,
    rules,
    studies,
    system,
    withdrawals,
)

AREAS = (
    desk,
    orders,
    refunds,
    money,
    reconciliation,
    withdrawals,
    studies,
    marks,
    mentors,
    complaints,
    appeals,
    rules,
    accounts,
    audit_log,
    system,
)
