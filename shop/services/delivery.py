"""What a paid order opens: access to courses, enrolment in degrees (domain.md 3.8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from shop.clock import local_date
from shop.enums import ProductKind
from shop.models import Course, EnrolledCourse, EnrolledDegreeCourse, Order, OrderDetail, Product, StudyRecord
from shop.rules.renewal import next_period

_detail = OrderDetail.__table__.c
_product = Product.__table__.c
_enrolled = EnrolledCourse.__table__.c
_LINES = (
    select(_detail.id, _detail.product_id, _detail.valid_period, _product.kind)
    .where(_detail.order_id == bindparam("order_id"), _product.id == _detail.product_id)
    .order_by(_detail.id)
)
_LAST_DAYS = (
    select(_enrolled.course_id, func.max(_enrolled.valid_end_date))
    .where(
        _enrolled.account_id == bindparam("account_id"),
        _enrolled.course_id.in_(bindparam("course_ids", expanding=True)),
        _enrolled.closed_time.is_(None),
        _enrolled.valid_end_date >= bindparam("today"),
    )
    .group_by(_enrolled.course_id)
)


def deliver(session: Session, order: Order, *, now: datetime) -> None:
    """Open every line of the order, in the caller's transaction, which holds the account's lock."""
    lines = session.execute(_LINES, {"order_id": order.id}).all()
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
    rows = session.execute(_LAST_DAYS, {"account_id": account_id, "course_ids": list(course_ids), "today": today})
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


def close(session: Session, account_id: int, line_ids: Collection[int], *, now: datetime) -> None:
    """End what these order lines opened, as their refund is done; the caller holds the account's lock.

    Later periods of the same courses move up, so that a renewal that waited for a refunded period starts today.
    """
    for enrolled in (EnrolledCourse, EnrolledDegreeCourse):
        session.execute(
            update(enrolled)
            .where(enrolled.order_detail_id.in_(line_ids), enrolled.closed_time.is_(None))
            .values(closed_time=now),
            execution_options={"synchronize_session": False},
        )
    course_ids = session.scalars(
        select(EnrolledCourse.course_id).where(EnrolledCourse.order_detail_id.in_(line_ids))
    ).all()
    for course_id in course_ids:
        _move_up(session, account_id, course_id, local_date(now))


def _move_up(session: Session, account_id: int, course_id: int, today: date) -> None:
    """Let the account's waiting periods of a course follow each other from today on, each as long as it was."""
    periods = session.scalars(
        select(EnrolledCourse)
        .where(
            EnrolledCourse.account_id == account_id,
            EnrolledCourse.course_id == course_id,
            EnrolledCourse.closed_time.is_(None),
            EnrolledCourse.valid_end_date >= today,
        )
        .order_by(EnrolledCourse.valid_begin_date, EnrolledCourse.id)
        .execution_options(populate_existing=True)
    )
    last_day: date | None = None
    for period in periods:
        if period.valid_begin_date > today:
            length = period.valid_end_date - period.valid_begin_date
            period.valid_begin_date, period.valid_end_date = next_period(today, last_day, length)
        last_day = period.valid_end_date if last_day is None else max(last_day, period.valid_end_date)
