"""4, 7 and 8. What a paid line opens; degrees; mentors as far as they exist (safety.md E1-E4, M1, M2)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select, union_all

from shop.models import (
    Course,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Product,
    ScoreRecord,
    StudyRecord,
    TransactionRecord,
)
from shop.services.audit_queries.check import PAID, Broken, Checks, refunded_lines, repeated

_product = Product.__table__
_course = Course.__table__  # of a joined row only what is asked about

check = checks = Checks()


@check(OrderDetail, "every unrefunded line of a paid order is delivered to its buyer")
def paid_line_is_delivered() -> Broken:
    course, degree, gone = EnrolledCourse, EnrolledDegreeCourse, refunded_lines()
    return (
        select(OrderDetail.id)
        .join(OrderDetail.order)
        .outerjoin(course, and_(_delivers(course, course.course_id), course.account_id == Order.account_id))
        .outerjoin(degree, and_(_delivers(degree, degree.degree_course_id), degree.account_id == Order.account_id))
        .outerjoin(gone, gone.c.line_id == OrderDetail.id)
        .where(Order.status.in_(PAID), course.id.is_(None), degree.id.is_(None), gone.c.line_id.is_(None))
    )


def _delivers(enrolment: Any, product_id: Any) -> ColumnElement[bool]:
    """The living enrolment that a line opened."""
    line = OrderDetail
    return and_(enrolment.order_detail_id == line.id, product_id == line.product_id, enrolment.closed_time.is_(None))


@check(OrderDetail, "opens one thing once")
def line_is_delivered_once() -> Broken:
    tables = (EnrolledCourse, EnrolledDegreeCourse)
    opened = union_all(*(select(table.order_detail_id.label("line_id")) for table in tables)).subquery()
    return select(opened.c.line_id).group_by(opened.c.line_id).having(func.count() > 1)


@check(EnrolledCourse, "open access comes from an unrefunded line of the same person's paid order for that course")
def course_access_is_paid() -> Broken:
    return _unpaid_deliveries(EnrolledCourse, EnrolledCourse.course_id)


@check(EnrolledDegreeCourse, "comes from an unrefunded line of the same person's paid order for that degree")
def degree_enrolment_is_paid() -> Broken:
    return _unpaid_deliveries(EnrolledDegreeCourse, EnrolledDegreeCourse.degree_course_id)


def _unpaid_deliveries(enrolment: Any, product_id: Any) -> Broken:
    """Living enrolments without their paid line."""
    gone = refunded_lines()
    is_paid = and_(
        Order.status.in_(PAID), Order.account_id == enrolment.account_id, OrderDetail.product_id == product_id
    )
    return (
        select(enrolment.id)
        .join(OrderDetail, OrderDetail.id == enrolment.order_detail_id)
        .join(OrderDetail.order)
        .outerjoin(gone, gone.c.line_id == OrderDetail.id)
        .where(enrolment.closed_time.is_(None), or_(~is_paid, gone.c.line_id.is_not(None)))
    )


# ---------------------------------------------------------------- degrees


@check(EnrolledDegreeCourse, "an account is enrolled once in a degree")
def degree_is_enrolled_once() -> Broken:
    row = EnrolledDegreeCourse
    return repeated(row.id, row.account_id, row.degree_course_id, where=row.closed_time.is_(None))


@check(EnrolledDegreeCourse, "has a study record for each published module of its degree")
def every_module_has_its_study_record() -> Broken:
    row = EnrolledDegreeCourse
    record = and_(StudyRecord.enrolled_degree_course_id == row.id, StudyRecord.course_module_id == _course.c.id)
    return (
        select(row.id)
        .join(_course, _course.c.degree_course_id == row.degree_course_id)
        .join(_product, _product.c.id == _course.c.id)
        .outerjoin(StudyRecord, record)
        .where(row.closed_time.is_(None), StudyRecord.id.is_(None), _product.c.published_time.is_not(None))
        .distinct()
    )


@check(StudyRecord, "is for a module of the degree enrolled in")
def study_record_is_of_its_degree() -> Broken:
    row = EnrolledDegreeCourse
    return (
        select(StudyRecord.id)
        .join(row, row.id == StudyRecord.enrolled_degree_course_id)
        .join(_course, _course.c.id == StudyRecord.course_module_id)
        .where(_course.c.degree_course_id.is_distinct_from(row.degree_course_id))
    )


# ---------------------------------------------------------------- mentors


@check(EnrolledDegreeCourse, "the mentor's fee is not below 0")
def mentor_fee_is_not_negative() -> Broken:
    return select(EnrolledDegreeCourse.id).where(EnrolledDegreeCourse.mentor_fee_balance < 0)


@check(ScoreRecord, "is paid out at most once, and only when applied")
def score_record_is_applied_once() -> Broken:
    return (
        select(ScoreRecord.id)
        .join(TransactionRecord, TransactionRecord.score_record_id == ScoreRecord.id)
        .group_by(ScoreRecord.id)
        .having(or_(func.count() > 1, ScoreRecord.applied == false()))
    )
