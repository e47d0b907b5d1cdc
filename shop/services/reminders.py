"""What ends soon, or has ended, and whose owner is told once (issue 3, item 9)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, literal, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from shop.clock import local_date
from shop.enums import MessageType
from shop.extensions import db, unit_of_work
from shop.models import Coupon, CouponRecord, EnrolledCourse, Notification, Product
from shop.services import batches, messages
from shop.wording import mark as _

COUPON_NOTICE = timedelta(days=3)
COUPON_REST = timedelta(days=1)  # whoever has just claimed a coupon knows when it ends
COURSE_NOTICE = timedelta(days=7)  # and as long after buying, for the same reason
NEWS = timedelta(days=7)  # an end that lies further back is told no more
BATCH = 100  # in one transaction


def of_coupons(now: datetime) -> dict[str, int]:
    """The job "remind of coupons": tell of unused coupons three days before they end."""
    query = (
        select(CouponRecord.id, CouponRecord.account_id, CouponRecord.valid_until, Coupon.name)
        .join(CouponRecord.coupon)
        .where(
            CouponRecord.status == literal_column("0"),
            CouponRecord.valid_until >= now,
            CouponRecord.valid_until <= now + COUPON_NOTICE,
            CouponRecord.get_time <= now - COUPON_REST,
            _is_untold("coupon-ends", CouponRecord.id),
        )
        .order_by(CouponRecord.valid_until)
    )

    def tell(session: Session, row: Any) -> None:
        messages.tell(
            session,
            row.account_id,
            MessageType.COUPON,
            _("优惠券「%(name)s」将在%(end_time)s到期，还没有使用。"),
            {"name": row.name, "end_time": row.valid_until},
            link="/account/coupons",
            event=f"coupon-ends-{row.id}",
        )

    return {"told": _tell_all(query, tell)}


def of_courses(now: datetime) -> dict[str, int]:
    """The job "remind of courses": tell of access that ends within a week, and of access that has ended."""
    today = local_date(now)
    ends = _courses(
        "course-ends",
        EnrolledCourse.valid_end_date >= today,
        EnrolledCourse.valid_end_date <= today + COURSE_NOTICE,
        EnrolledCourse.enrolled_date <= now - COURSE_NOTICE,
    )
    ended = _courses(
        "course-ended", EnrolledCourse.valid_end_date < today, EnrolledCourse.valid_end_date >= today - NEWS
    )

    def tell_of_end(session: Session, row: Any) -> None:
        _tell_of_course(session, row, _("课程「%(name)s」可以学到%(end_date)s。"), "course-ends")

    def tell_that_ended(session: Session, row: Any) -> None:
        text = _("课程「%(name)s」的学习期限已在%(end_date)s结束。")
        _tell_of_course(session, row, text, "course-ended", is_mailed=False)

    return {"ending": _tell_all(ends, tell_of_end), "ended": _tell_all(ended, tell_that_ended)}


def _courses(event: str, *when: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Periods of access that end then, with no later one of the same course, and of which nobody has been told."""
    later = aliased(EnrolledCourse)
    goes_on = (
        select(later.id)
        .where(
            later.account_id == EnrolledCourse.account_id,
            later.course_id == EnrolledCourse.course_id,
            later.closed_time.is_(None),
            later.valid_end_date > EnrolledCourse.valid_end_date,
        )
        .exists()
    )
    return (
        select(
            *(EnrolledCourse.id, EnrolledCourse.account_id, EnrolledCourse.course_id, EnrolledCourse.valid_end_date),
            Product.name,
        )
        .join(Product, Product.id == EnrolledCourse.course_id)
        .where(*when, EnrolledCourse.closed_time.is_(None), ~goes_on, _is_untold(event, EnrolledCourse.id))
        .order_by(EnrolledCourse.valid_end_date)
    )


def _tell_of_course(session: Session, row: Any, text: str, event: str, *, is_mailed: bool = True) -> None:
    messages.tell(
        session,
        row.account_id,
        MessageType.COURSE_EXPIRY,
        text,
        {"name": row.name, "end_date": row.valid_end_date},
        link=f"/courses/{row.course_id}",
        event=f"{event}-{row.id}",
        is_mailed=is_mailed,
    )


def _is_untold(event: str, row_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    told = literal(f"{event}-") + cast(row_id, String)
    return ~select(Notification.id).where(Notification.event == told).exists()


def _tell_all(query: Select[*tuple[Any, ...]], tell: Callable[[Session, Any], None]) -> int:
    """Tell of every row, a few in each transaction, until none is left or the time is over; how many were told."""
    count = 0
    for rows in batches.in_time(iter(lambda: db.session.execute(query.limit(BATCH)).all(), [])):
        with unit_of_work() as session:
            for row in rows:
                tell(session, row)
        count += len(rows)
    return count
