"""Pages of the staff, an area a file."""

from __future__ import annotations

from shop.blueprints.staff import (
    accounts,
    audit_log,
    desk,
    gifts,
    money,
    orders,
    reconciliation,
    refunds,
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
    gifts,
    accounts,
    audit_log,
    system,
)
