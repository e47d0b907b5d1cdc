"""Purchases of courses whose time is over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_

from shop import clock
from shop.enums import EnrolmentStatus
from shop.models import EnrolledCourse
from shop.services import batches


def expire_due(now: datetime) -> dict[str, int]:
    """Mark purchases as 已过期 whose last day is over, so many a run; access ends by the date all the same."""
    row = EnrolledCourse
    is_over = and_(
        row.status == EnrolmentStatus.OPEN,
        row.valid_end_date < clock.local_date(now),
        row.closed_time.is_(None),
    )
    return {"expired": batches.change_due(row, is_over, row.valid_end_date, status=EnrolmentStatus.EXPIRED)}
