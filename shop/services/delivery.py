"""What a paid order opens: access to courses, enrolment in degrees (domain.md 3.8)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, select
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
