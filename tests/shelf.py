"""Builders of what stands on the shelf and of what people bought of it: one valid thing each, saved at once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, TypeVar

from shop import clock
from shop.enums import CouponKind, CourseType, OrderStatus, PaymentType, ProductStatus, SectionType, ValidPeriod
from shop.extensions import db
from shop.models import (
    Account,
    Coupon,
    Course,
    CourseCategory,
    CourseChapter,
    CourseDetail,
    CourseSection,
    CourseSubCategory,
    DegreeCourse,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Homework,
    Order,
    OrderDetail,
    PricePolicy,
    Product,
    Scholarship,
    StudyRecord,
)
from shop.services import passwords
from tests.person import PASSWORD

Row = TypeVar("Row")
MONTH = {30: 9_900}
_numbers = itertools.count(1)
_hashes: list[str] = []  # of PASSWORD, made once: a good hash is slow by design


def saved(row: Row) -> Row:
    db.session.add(row)
    db.session.commit()
    return row


def today() -> date:
    return clock.local_date(clock.now())


def a_student(username: str | None = None, **values: Any) -> Account:
    """Somebody who can sign in with tests.person.PASSWORD."""
    if not _hashes:
        _hashes.append(passwords.make_hash(PASSWORD))
    number = next(_numbers)
    return saved(Account(username=username or f"student{number}", uid=f"uid{number}", password=_hashes[0], **values))


def a_category(name: str | None = None) -> CourseSubCategory:
    number = next(_numbers)
    category = CourseCategory(name=name or f"方向{number}", order=number)
    return saved(CourseSubCategory(name=f"子类{number}", category=category))


def a_course(
    name: str | None = None,
    *,
    plans: Mapping[int, int] = MONTH,
    shelf: CourseSubCategory | None = None,
    chapters: list[CourseChapter] | None = None,
    **values: Any,
) -> Course:
    """A course on sale with one plan (days → fen), a free-trial lesson and a paid one."""
    course = Course(
        name=name or f"课程{next(_numbers)}",
        brief=values.pop("brief", "一句话说清学什么。"),
        sub_category=shelf or a_category(),
        policies=_plans(plans),
        chapters=chapters or [a_chapter()],
        detail=CourseDetail(hours=12, course_slogan="学完就能用"),
        **values,
    )
    return saved(course)


def a_chapter(number: int = 1, lessons: int = 2, **values: Any) -> CourseChapter:
    """A chapter whose first lesson is a free trial; not saved by itself."""
    return CourseChapter(
        chapter=number,
        name=f"第{number}站",
        sections=[
            CourseSection(
                name=f"{number}.{i} 课时",
                order=i,
                section_type=SectionType.DOCUMENT,
                content=f"# 标题\n\n第 {number}.{i} 节的**正文**。",
                free_trail=number == 1 and i == 1,
            )
            for i in range(1, lessons + 1)
        ],
        homework=[Homework(title="练习", scholarship_value=100)],
        **values,
    )


def a_degree(name: str | None = None, *, modules: int = 2, price_fen: int = 880_000, **values: Any) -> DegreeCourse:
    """A degree on sale with its single plan of 24 months, modules with lessons, and scholarships."""
    degree = saved(
        DegreeCourse(
            name=name or f"学位课{next(_numbers)}",
            brief=values.pop("brief", "跟着导师学完一个方向。"),
            policies=_plans({720: price_fen}),
            scholarships=[Scholarship(time_percent=50, value=5000), Scholarship(time_percent=80, value=2000)],
            **values,
        )
    )
    shelf = a_category()
    for i in range(1, modules + 1):
        a_course(
            f"{degree.name} 模块{i}",
            shelf=shelf,
            plans={},
            order=i,
            course_type=CourseType.MODULE,
            degree_course_id=degree.id,
        )
    return degree


def a_coupon(name: str | None = None, *, product: Product | None = None, **values: Any) -> Coupon:
    """立减 50.00, for everybody to claim from yesterday to tomorrow; with product bound to it."""
    terms = {"coupon_type": CouponKind.FLAT, "money_equivalent_fen": 5_000, "quantity": 10, "coupon_valid_days": 30}
    window = {"open_date": today() - timedelta(days=1), "close_date": today() + timedelta(days=1)}
    return saved(
        Coupon(
            name=name or f"券{next(_numbers)}", product_id=product.id if product else None, **terms | window | values
        )
    )


def a_paid_line(account: Account, product: Product, status: OrderStatus = OrderStatus.PAID) -> OrderDetail:
    """The line of a paid order of one product, and nothing opened by it."""
    number, moment = next(_numbers), clock.now()
    order = Order(
        order_number=f"20261123{number:08d}",
        account_id=account.id,
        status=status,
        payment_type=PaymentType.ALIPAY,
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


def _plans(prices: Mapping[int, int]) -> list[PricePolicy]:
    return [PricePolicy(valid_period=ValidPeriod(days), price_fen=fen) for days, fen in prices.items()]
