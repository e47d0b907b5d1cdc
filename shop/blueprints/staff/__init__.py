"""Pages of the staff, an area a file."""

from __future__ import annotations

from shop.blueprints.staff import (
    accounts,
    audit_log,
    catalogue,
    catalogue_import,
    catalogue_parts,
    desk,
    money,
    orders,
    products,
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
    catalogue,
    products,
    catalogue_parts,
    catalogue_import,
    accounts,
    audit_log,
    system,
)
