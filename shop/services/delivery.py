"""What a paid order opens: access to courses, enrolment in degrees (domain.md 3.8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, exists, func, insert, or_, select, update
from sqlalchemy.orm import Session

from shop.clock import local_date
from shop.enums import ProductKind, RefundState
from shop.models import (
    Course,
    DegreeCourse,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Product,
    Refund,
    RefundDetail,
    StudyRecord,
)
from shop.rules.renewal import next_period

_detail = OrderDetail.__table__.c
_degree = DegreeCourse.__table__.c
_product = Product.__table__.c
_enrolled = EnrolledCourse.__table__.c
_OPEN_COURSES = insert(cast(Table, EnrolledCourse.__table__))
_LAST_DAY = (  # of the account's running or waiting periods of a course
    select(func.max(_enrolled.valid_end_date))
    .where(
        _enrolled.account_id == bindparam("account_id"),
        _enrolled.course_id == _detail.product_id,
        _enrolled.closed_time.is_(None),
        _enrolled.valid_end_date >= bindparam("today"),
    )
    .scalar_subquery()
)
_enrolled_degree = EnrolledDegreeCourse.__table__.c
_IS_OPEN = or_(
    exists().where(_enrolled.order_detail_id == _detail.id),
    exists().where(_enrolled_degree.order_detail_id == _detail.id),
)
_IS_REFUNDED = exists().where(
    RefundDetail.order_detail_id == _detail.id, Refund.id == RefundDetail.refund_id, Refund.state == RefundState.DONE
)
_LINES = (
    select(
        *(_detail.id, _detail.product_id, _detail.valid_period, _product.kind, _product.name),
        _LAST_DAY.label("last_day"),
    )
    .where(_detail.order_id == bindparam("order_id"), _product.id == _detail.product_id)
    .where(~_IS_OPEN, ~_IS_REFUNDED)
    .order_by(_detail.id)
)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one line of an order opened: a course until a day, or a degree, whose form is filled in next."""

    product_id: int
    name: str
    end_date: date | None = None
    enrolment_id: int | None = None


def deliver(session: Session, order: Order, *, now: datetime) -> list[Delivered]:
    """Open every line of the order that never was and was not given back, in the caller's transaction.

    The caller holds the account's lock.
    """
    places = {"order_id": order.id, "account_id": order.account_id, "today": local_date(now)}
    lines = session.execute(_LINES, places).all()
    courses = [line for line in lines if line.kind is ProductKind.COURSE]
    degrees = [line for line in lines if line.kind is ProductKind.DEGREE]
    return [
        *(_open_courses(session, order.account_id, courses, now) if courses else ()),
        *(_enrol_in_degrees(session, order.account_id, degrees, now) if degrees else ()),
    ]


def _open_courses(session: Session, account_id: int, lines: Sequence[Any], now: datetime) -> list[Delivered]:
    today = local_date(now)
    rows, delivered = [], []
    for line in lines:
        begin, end = next_period(today, line.last_day, timedelta(days=line.valid_period))
        delivered.append(Delivered(line.product_id, line.name, end))
        rows.append(
            {
                "account_id": account_id,
                "course_id": line.product_id,
                "enrolled_date": now,
                "valid_begin_date": begin,
                "valid_end_date": end,
                "order_detail_id": line.id,
            }
        )
    session.execute(_OPEN_COURSES, rows)
    return delivered


def _enrol_in_degrees(session: Session, account_id: int, lines: Sequence[Any], now: datetime) -> list[Delivered]:
    """Each degree waits for its registration form; each of its modules gets a record, still locked (A17)."""
    modules: dict[int | None, list[int]] = {}
    degree_ids = [line.product_id for line in lines]
    # An import that adds a module to one of them waits for us, or we for it: else neither would see the other's rows.
    session.execute(
        select(_degree.id)
        .where(_degree.id.in_(degree_ids))
        .order_by(_degree.id)
        .with_for_update(read=True, key_share=True)
    )
    rows = session.execute(
        select(Course.degree_course_id, Course.id)
        .where(Course.degree_course_id.in_(degree_ids), Course.published_time.is_not(None))
        .order_by(Course.order, Course.id)
    )
    for degree_id, module_id in rows:
        modules.setdefault(degree_id, []).append(module_id)
    enrolments = [
        EnrolledDegreeCourse(
            account_id=account_id,
            degree_course_id=line.product_id,
            enrolled_date=now,
            order_detail_id=line.id,
            study_records=[StudyRecord(course_module_id=module) for module in modules.get(line.product_id, [])],
        )
        for line in lines
    ]
    session.add_all(enrolments)
    session.flush()
    return [
        Delivered(line.product_id, line.name, enrolment_id=enrolment.id)
        for line, enrolment in zip(lines, enrolments, strict=True)
    ]


def close(session: Session, account_id: int, line_ids: Collection[int], *, now: datetime) -> None:
    """End the courses that these order lines opened, as their refund is done; the caller holds the account's lock.

    Later periods of the same courses move up, so that a renewal that waited for a refunded period starts today.
    Degrees end in ``degree_closing``.
    """
    session.execute(
        update(EnrolledCourse)
        .where(EnrolledCourse.order_detail_id.in_(line_ids), EnrolledCourse.closed_time.is_(None))
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
