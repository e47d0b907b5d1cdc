"""Builders of what people bought, as a paid order and delivery leave it; and of places on the shelf."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import Any, TypeVar

from shop import clock
from shop.enums import OrderStatus, PaymentMethod, PaymentState, PaymentType, ProductStatus
from shop.extensions import db
from shop.models import (
    Account,
    Course,
    CourseCategory,
    CourseSubCategory,
    DegreeCourse,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Payment,
    Product,
    StudyRecord,
)

Row = TypeVar("Row")
_numbers = itertools.count(1)


def saved(row: Row) -> Row:
    db.session.add(row)
    db.session.commit()
    return row


def today() -> date:
    return clock.local_date(clock.now())


def a_category(name: str | None = None) -> CourseSubCategory:
    number = next(_numbers)
    category = CourseCategory(name=name or f"方向{number}", order=number)
    return saved(CourseSubCategory(name=f"子类{number}", category=category))


def a_paid_line(account: Account, product: Product, status: OrderStatus = OrderStatus.PAID) -> OrderDetail:
    """The line of a paid order of one product, and nothing opened by it."""
    number, moment = next(_numbers), clock.now()
    order = Order(
        order_number=f"20261123{number:08d}",
        account_id=account.id,
        status=status,
        payment_type=PaymentType.ALIPAY,
        payment_number=f"trade{number}",
        list_amount_fen=9_900,
        course_discount_fen=0,
        site_discount_fen=0,
        beli=0,
        beli_fen=0,
        actual_amount_fen=9_900,
        settlement_token=f"token{number}",
        date=moment,
        expires_at=moment,
        pay_time=moment,
        payments=[
            Payment(
                out_trade_no=f"P20261123{number:08d}",
                method=PaymentMethod.PAGE,
                amount_fen=9_900,
                biz_content={},
                state=PaymentState.PAID,
                trade_no=f"trade{number}",
                expires_at=moment,
                paid_time=moment,
            )
        ],
    )
    return saved(
        OrderDetail(
            order=order,
            product_id=product.id,
            original_price_fen=9_900,
            price_fen=9_900,
            site_discount_fen=0,
            beli=0,
            beli_fen=0,
            actual_amount_fen=9_900,
            valid_period_display="1个月",
            valid_period=30,
        )
    )


def enrolled(account: Account, course: Course, begins: int = 0, ends: int = 30, **values: Any) -> EnrolledCourse:
    """A paid purchase of a course, open from and to so many days from today."""
    return saved(
        EnrolledCourse(
            account_id=account.id,
            course_id=course.id,
            valid_begin_date=today() + timedelta(days=begins),
            valid_end_date=today() + timedelta(days=ends),
            order_detail_id=a_paid_line(account, course).id,
            **values,
        )
    )


def enrolled_in_degree(account: Account, degree: DegreeCourse, **values: Any) -> EnrolledDegreeCourse:
    """A paid degree as delivery leaves it: not begun, every module locked."""
    return saved(
        EnrolledDegreeCourse(
            account_id=account.id,
            degree_course_id=degree.id,
            order_detail_id=a_paid_line(account, degree).id,
            study_records=[StudyRecord(course_module_id=module.id) for module in degree.modules],
            **values,
        )
    )


def off_sale(product: Product, status: ProductStatus = ProductStatus.OFF_SALE) -> Product:
    product.status = status
    return saved(product)
