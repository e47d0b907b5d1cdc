"""Makes one valid thing at a time; each takes only what a test is about. All of them commit."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import null

from shop import clock
from shop.enums import CouponKind, CourseType, Role, StaffRole, TransactionType, ValidPeriod
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    Coupon,
    CouponRecord,
    Course,
    CourseCategory,
    CourseChapter,
    CourseSection,
    CourseSubCategory,
    DegreeCourse,
    PricePolicy,
    Product,
    SecondFactor,
    StaffMember,
)
from shop.services import coupons, passwords, second_factor, wallet
from tests.person import PASSWORD

T = TypeVar("T")
_numbers = count(1)


def a_student(beli: int = 0, **values: Any) -> Account:
    """An account that can log in with ``tests.person.PASSWORD``; its 贝里 come with their record."""
    number = next(_numbers)
    account = Account(
        **{
            "username": f"student{number}",
            "email": f"student{number}@example.com",
            "password": passwords.make_hash(PASSWORD),
            "uid": f"uid{number}",
            **values,
        }
    )
    with unit_of_work() as session:
        session.add(account)
        session.flush()
        if beli:
            wallet.move_beli(session, account.id, TransactionType.INCOME, beli, memo="for a test")
    return account


def a_clerk(*roles: StaffRole, **values: Any) -> Account:
    """A member of staff with these roles, whose second factor ``Person.sign_in`` shows."""
    account = a_student(role=Role.ADMIN, is_staff=True, **values)
    with unit_of_work() as session:
        session.add_all(StaffMember(account_id=account.id, role=role) for role in roles)
        session.add(SecondFactor(account_id=account.id, secret=second_factor.new_secret()))
    return account


def a_course(*price_fens: int, **values: Any) -> Course:
    """A course on sale with one free and one paid lesson, and a plan per price: 1 month, 2 months, 3 months …"""
    course = Course(
        **{"name": f"课程{next(_numbers)}", "brief": "一门课", "sub_category_id": _sub_category(), **values}
    )
    course.policies = _plans(price_fens or (10_000,), [ValidPeriod.MONTH, ValidPeriod.TWO_MONTHS, ValidPeriod.YEAR])
    course.chapters = [
        CourseChapter(
            chapter=1,
            name="第一章",
            sections=[
                CourseSection(name="试看", order=1, free_trail=True, content="# 试看"),
                CourseSection(name="正课", order=2, content="# 正课"),
            ],
        )
    ]
    return _added(course)


def a_degree(price_fen: int = 100_000, modules: int = 2, **values: Any) -> DegreeCourse:
    """A degree on sale with its one plan and its modules."""
    degree = DegreeCourse(**{"name": f"学位{next(_numbers)}", "brief": "一门学位课", **values})
    degree.policies = _plans((price_fen,), [ValidPeriod.TWO_YEARS])
    _added(degree)
    for order in range(modules):
        a_course(
            name=f"{degree.name} 模块{order}", course_type=CourseType.MODULE, degree_course_id=degree.id, order=order
        )
    return degree


def a_coupon(
    product: Product | None = None, *, flat: int = 0, percent: int = 0, above: int = 0, **values: Any
) -> Coupon:
    """立减 ``flat`` fen, 满减 with ``above``, or 折扣 (``percent`` is what is paid); claimable and usable now."""
    kind = CouponKind.PERCENT if percent else CouponKind.THRESHOLD if above else CouponKind.FLAT
    today = today_in_shanghai()
    return _added(
        Coupon(
            **{
                "name": f"优惠券{next(_numbers)}",
                "coupon_type": kind,
                "money_equivalent_fen": 0 if percent else flat or 1_000,
                "off_percent": percent or None,
                "minimum_consume_fen": above,
                "product_id": product.id if product else None,
                "quantity": 1_000,
                "open_date": today - timedelta(days=1),
                "close_date": today + timedelta(days=30),
                "valid_begin_date": today - timedelta(days=1),
                "valid_end_date": today + timedelta(days=30),
                **values,
            }
        )
    )


def a_draft(product: Product | None = None, **values: Any) -> Coupon:
    """A campaign that nobody but staff can see."""
    return a_coupon(product, enabled=False, published_time=null(), **values)  # None would take the default, now


def a_claimed(account: Account, product: Product | None = None, **terms: Any) -> CouponRecord:
    """A coupon in the account's wallet, claimed the way a person claims."""
    coupon = a_coupon(product, **terms)
    coupons.claim(account.id, coupon.id, clock.now())
    return db.session.query(CouponRecord).filter_by(coupon_id=coupon.id, account_id=account.id).one()


def plan_of(product: Product, index: int = 0) -> PricePolicy:
    return product.policies[index]


def today_in_shanghai() -> date:
    return clock.local_date(clock.now())


def _plans(price_fens: tuple[int, ...], periods: list[ValidPeriod]) -> list[PricePolicy]:
    return [PricePolicy(valid_period=period, price_fen=fen) for period, fen in zip(periods, price_fens, strict=False)]


def _sub_category() -> int:
    found = db.session.query(CourseSubCategory).first()
    return (found or _added(CourseSubCategory(name="编程语言", category=CourseCategory(name="编程")))).id


def _added(thing: T) -> T:
    """Written as the shop writes: a late notice of the test before may hold SQLite's lock for a moment."""
    with unit_of_work() as session:
        session.add(thing)
    return thing
