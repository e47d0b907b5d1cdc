"""Pages of the staff, an area a file."""

from __future__ import annotations

from shop.blueprints.staff import (
    accounts,
    audit_log,
    coupon_people,
    coupons,
    desk,
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
    coupons,
    coupon_people,
    accounts,
    audit_log,
    system,
)
