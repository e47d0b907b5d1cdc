"""Pages of the staff, an area a file."""

from __future__ import annotations

from shop.blueprints.staff import (
    accounts,
    appeals,
    audit_log,
    complaints,
    coupon_people,
    coupons,
    desk,
    gifts,
    marks,
    mentors,
    money,
    orders,
    people,
    reconciliation,
    refunds,
    reports,
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
    reports,
    gifts,
    people,
    coupons,
    coupon_people,
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
