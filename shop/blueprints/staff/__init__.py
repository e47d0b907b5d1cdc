"""Pages of the staff, an area a file."""

from __future__ import annotations

from shop.blueprints.staff import (
    accounts,
    audit_log,
    desk,
    money,
    orders,
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
    accounts,
    audit_log,
    system,
)
