"""Pages of the staff, an area a file."""

from __future__ import annotations

from shop.blueprints.staff import (
    accounts,
    audit_log,
    desk,
    gifts,
    money,
    orders,
    people,
    reconciliation,
    refunds,
    reports,
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
    reports,
    gifts,
    people,
    accounts,
    audit_log,
    system,
)
