"""Pages of the staff, an area a file."""

from __future__ import annotations

from shop.blueprints.staff import (
    accounts,
    audit_log,
    coupon_people,
    coupons,
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
    coupons,
    coupon_people,
    accounts,
    audit_log,
    system,
)
