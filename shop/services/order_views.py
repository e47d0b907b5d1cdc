"""What the owner of orders sees of them: the list, and the page of each (design 4 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload, selectinload

from shop import clock
from shop.enums import OrderStatus, PaymentState, ProductKind
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    CouponRecord,
    CourseChapter,
    CourseSection,
    DegreeRegistrationForm,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
)
from shop.rules import order_states
from shop.rules.order_states import Action

PAGE_SIZE = 20
LAST_CALL = timedelta(seconds=60)  # "pay now" disappears this long before the deadline (design 12)


@dataclass(frozen=True, slots=True)
class Opened:
    """What one line of a paid order opened."""

    product_id: int
    begin_date: date | None
    end_date: date | None
    first_section_id: int | None = None
    enrolment_id: int | None = None  # of a degree
    is_registered: bool = False


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as its owner sees it now."""

    order: Order
    opened: dict[int, Opened]  # by product id
    may_pay: bool
    may_cancel: bool
    surplus_fen: int  # arrived too late or twice, and goes back

    @property
    def is_pending(self) -> bool:
        return self.order.status is OrderStatus.PENDING


@dataclass(frozen=True, slots=True)
class OrderList:
    """One page of an account's orders, newest first."""

    orders: Sequence[Order]
    page: int
    pages: int


def index(account_id: int, *, status: OrderStatus | None, page: int) -> OrderList:
    """The account's orders in a state, or all. Raises NotFound beyond the last page."""
    mine = [Order.account_id == account_id, *([Order.status == status] if status is not None else [])]
    total = db.session.scalar(select(func.count()).select_from(Order).where(*mine)) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    if not 1 <= page <= pages:
        raise NotFound
    orders = db.session.scalars(
        select(Order)
        .where(*mine)
        .order_by(Order.date.desc(), Order.id.desc())
        .offset((page - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
        .options(selectinload(Order.details).joinedload(OrderDetail.product))
    ).all()
    return OrderList(orders, page, pages)


def view(account_id: int, order_number: str) -> OrderView:
    """The order for its owner. Raises NotFound for anybody else's, as for one that does not exist (B52)."""
    order = (
        db.session.scalars(
            select(Order)
            .where(Order.order_number == order_number, Order.account_id == account_id)
            .options(
                selectinload(Order.details).joinedload(OrderDetail.product),
                joinedload(Order.payments),
                selectinload(Order.coupons).joinedload(CouponRecord.coupon),
            )
        )
        .unique()
        .one_or_none()
    )
    if order is None:
        raise NotFound
    now = clock.now()
    return OrderView(
        order=order,
        opened=_opened(order) if order.pay_time else {},
        may_pay=order.status is OrderStatus.PENDING and now < order.expires_at - LAST_CALL,
        may_cancel=order_states.is_allowed(order.status, Action.CANCEL),
        surplus_fen=sum(p.amount_fen for p in order.payments if p.state is PaymentState.SURPLUS),
    )


def _opened(order: Order) -> dict[int, Opened]:
    details = {detail.id: detail.product_id for detail in order.details}
    kinds = {detail.product.kind for detail in order.details}
    opened = {}
    if ProductKind.COURSE in kinds:
        firsts = _first_sections(list(details.values()))
        courses = db.session.scalars(select(EnrolledCourse).where(EnrolledCourse.order_detail_id.in_(details)))
        for course in courses:
            first = firsts.get(course.course_id)
            opened[course.course_id] = Opened(course.course_id, course.valid_begin_date, course.valid_end_date, first)
    if ProductKind.DEGREE in kinds:
        degrees = db.session.execute(
            select(EnrolledDegreeCourse, DegreeRegistrationForm.id)
            .outerjoin(EnrolledDegreeCourse.registration)
            .where(EnrolledDegreeCourse.order_detail_id.in_(details))
        )
        for row, form_id in degrees:
            opened[row.degree_course_id] = Opened(
                row.degree_course_id,
                row.valid_begin_date,
                row.valid_end_date,
                enrolment_id=row.id,
                is_registered=form_id is not None,
            )
    return opened


def _first_sections(course_ids: Sequence[int]) -> dict[int, int]:
    """The first lesson of each course."""
    rows = db.session.execute(
        select(CourseChapter.course_id, CourseSection.id)
        .join(CourseSection.chapter)
        .where(CourseChapter.course_id.in_(course_ids))
        .order_by(CourseChapter.chapter.desc(), CourseSection.order.desc(), CourseSection.id.desc())
    )
    return dict(rows.all())  # the last row that stays is the first lesson
