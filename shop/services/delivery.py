"""What a paid order opens: access to courses, enrolment in degrees (domain.md 3.8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop.clock import local_date
from shop.enums import ProductKind
from shop.models import Course, EnrolledCourse, EnrolledDegreeCourse, Order, OrderDetail, Product, StudyRecord
from shop.rules.renewal import next_period


def deliver(session: Session, order: Order, *, now: datetime) -> None:
    """Open every line of the order, in the caller's transaction, which holds the account's lock."""
    lines = session.execute(
        select(OrderDetail.id, OrderDetail.product_id, OrderDetail.valid_period, Product.kind)
        .join(Product, Product.id == OrderDetail.product_id)
        .where(OrderDetail.order_id == order.id)
        .order_by(OrderDetail.id)
    ).all()
    courses = [line for line in lines if line.kind is ProductKind.COURSE]
    degrees = [line for line in lines if line.kind is ProductKind.DEGREE]
    if courses:
        _open_courses(session, order.account_id, courses, now)
    if degrees:
        _enrol_in_degrees(session, order.account_id, degrees, now)


def _open_courses(session: Session, account_id: int, lines: Sequence[Any], now: datetime) -> None:
    today = local_date(now)
    last_days = _last_days(session, account_id, [line.product_id for line in lines], today)
    for line in lines:
        begin, end = next_period(today, last_days.get(line.product_id), timedelta(days=line.valid_period))
        session.add(
            EnrolledCourse(
                account_id=account_id,
                course_id=line.product_id,
                enrolled_date=now,
                valid_begin_date=begin,
                valid_end_date=end,
                order_detail_id=line.id,
            )
        )


def _last_days(session: Session, account_id: int, course_ids: Collection[int], today: date) -> dict[int, date]:
    """Until when the account's running or waiting periods of these courses last."""
    rows = session.execute(
        select(EnrolledCourse.course_id, func.max(EnrolledCourse.valid_end_date))
        .where(
            EnrolledCourse.account_id == account_id,
            EnrolledCourse.course_id.in_(course_ids),
            EnrolledCourse.closed_time.is_(None),
            EnrolledCourse.valid_end_date >= today,
        )
        .group_by(EnrolledCourse.course_id)
    )
    return dict(rows.all())


def _enrol_in_degrees(session: Session, account_id: int, lines: Sequence[Any], now: datetime) -> None:
    """Each degree waits for its registration form; each of its modules gets a record, still locked (A17)."""
    modules: dict[int | None, list[int]] = {}
    rows = session.execute(
        select(Course.degree_course_id, Course.id)
        .where(Course.degree_course_id.in_([line.product_id for line in lines]))
        .order_by(Course.order, Course.id)
    )
    for degree_id, module_id in rows:
        modules.setdefault(degree_id, []).append(module_id)
    for line in lines:
        session.add(
            EnrolledDegreeCourse(
                account_id=account_id,
                degree_course_id=line.product_id,
                enrolled_date=now,
                order_detail_id=line.id,
                study_records=[StudyRecord(course_module_id=module) for module in modules.get(line.product_id, [])],
            )
        )
