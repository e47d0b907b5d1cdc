"""One person as staff look at them: what they bought, have and were told; who they are stays masked (safety.md 4, 7).

Each part is read for those alone whose work it is. Name, phone and e-mail address are shown on request, with a reason
that the audit log keeps, for one answer.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from shop import clock
from shop.enums import MessageType, OrderStatus, RefundState, Role, StaffRole, StudyStatus
from shop.errors import NotFound, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    Coupon,
    CouponRecord,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Notification,
    Order,
    Product,
    Refund,
)
from shop.rules import staff_rights
from shop.rules.masking import masked_name, masked_phone
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, wallet
from shop.services.audit_log import Actor
from shop.services.staff.coupon_records import RecordState, state_of
from shop.services.wallet import Statement
from shop.services.withdrawals import masked

MOST = 20  # rows of each part, the newest; the lists have the rest
# what staff may read over a person's shoulder: about trade, and nothing that somebody else has written
TOLD = (
    MessageType.ORDER,
    MessageType.COUPON,
    MessageType.COURSE_ENROLMENT,
    MessageType.COURSE_EXPIRY,
    MessageType.DEGREE_ENROLMENT,
)


@dataclass(frozen=True, slots=True)
class Contact:
    """Who it is and how to reach them, masked or plain; "" where it is not known."""

    name: str
    phone: str
    email: str
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order."""

    number: str
    status: OrderStatus
    date: datetime
    amount_fen: int


@dataclass(frozen=True, slots=True)
class RefundLine:
    """One refund of one of the orders."""

    number: str
    order_number: str
    state: RefundState
    amount_fen: int
    requested_time: datetime


@dataclass(frozen=True, slots=True)
class CouponLine:
    """One coupon in the person's hands."""

    name: str
    state: RecordState
    valid_until: datetime
    order_number: str | None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One course or degree; ``study_status`` is of a degree."""

    name: str
    since: datetime
    until_date: date | None
    study_status: StudyStatus | None
    is_refunded: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """What these roles may see of a person; a part is None for whom it does not concern."""

    id: int
    username: str
    role: Role
    is_staff: bool
    is_active: bool
    deleted_time: datetime | None
    date_joined: datetime
    contact: Contact | None
    orders: Sequence[OrderLine] | None
    refunds: Sequence[RefundLine] | None
    statement: Statement | None
    coupons: Sequence[CouponLine] | None
    enrolments: Sequence[Enrolment] | None
    messages: Sequence[Notification] | None


def sheet(account_id: int, roles: Set[StaffRole], contact: Contact | None = None) -> Sheet:
    """The page of a person for these roles; ``contact`` is one that was just asked for. Raises NotFound."""
    row = db.session.get(Account, account_id)
    if row is None:
        raise NotFound

    def may(*tasks: Task) -> bool:
        return any(staff_rights.may(roles, task) for task in tasks)

    sees_trade = may(Task.ORDERS_READ)
    return Sheet(
        id=row.id,
        username=row.username,
        role=row.role,
        is_staff=row.is_staff,
        is_active=row.is_active,
        deleted_time=row.deleted_time,
        date_joined=row.date_joined,
        contact=contact or (_contact(row) if may(Task.PEOPLE_MASKED) else None),
        orders=_orders(account_id) if sees_trade else None,
        refunds=_refunds(account_id) if sees_trade else None,
        statement=wallet.statement(account_id, 1) if may(Task.BELI_READ) else None,
        coupons=_coupons(account_id) if may(Task.COUPONS_READ) else None,
        enrolments=_enrolments(account_id) if may(Task.ORDERS_READ, Task.STUDIES_READ) else None,
        messages=_messages(account_id) if sees_trade else None,
    )


def show_contact(account_id: int, *, actor: Actor, reason: str) -> Contact:
    """Plain, for the eyes that have asked; the look and its reason are in the audit log.

    Raises NotFound, StaffOnly; ValueError without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.PEOPLE_PLAIN):
            raise StaffOnly
        row = session.get(Account, account_id)
        if row is None:
            raise NotFound
        audit_log.record(session, actor, "account look", row, reason=reason)
        return Contact(row.name, row.mobile or "", row.email or "", is_plain=True)


def _contact(row: Account) -> Contact:
    return Contact(masked_name(row.name), masked_phone(row.mobile), masked(row.email or ""))


def _orders(me: int) -> list[OrderLine]:
    row = Order
    rows = db.session.execute(
        select(row.order_number, row.status, row.date, row.actual_amount_fen)
        .where(row.account_id == me)
        .order_by(row.date.desc(), row.id.desc())
        .limit(MOST)
    )
    return [OrderLine(*found) for found in rows]


def _refunds(me: int) -> list[RefundLine]:
    row = Refund
    rows = db.session.execute(
        select(row.out_request_no, Order.order_number, row.state, row.amount_fen, row.requested_time)
        .join(Order, Order.id == row.order_id)
        .where(Order.account_id == me)
        .order_by(row.id.desc())
        .limit(MOST)
    )
    return [RefundLine(*found) for found in rows]


def _coupons(me: int) -> list[CouponLine]:
    row = CouponRecord
    rows = db.session.execute(
        select(Coupon.name, row.status, row.valid_until, Order.order_number, Order.status)
        .join(Coupon, Coupon.id == row.coupon_id)
        .outerjoin(Order, Order.id == row.order_id)
        .where(row.account_id == me)
        .order_by(row.id.desc())
        .limit(MOST)
    )
    now = clock.now()
    return [
        CouponLine(name, state_of(status, valid_until, order_status, now), valid_until, number)
        for name, status, valid_until, number, order_status in rows
    ]


def _enrolments(me: int) -> list[Enrolment]:
    course, degree = EnrolledCourse, EnrolledDegreeCourse
    courses: Any = (
        select(Product.name, course.enrolled_date, course.valid_end_date, course.closed_time)
        .join(Product, Product.id == course.course_id)
        .where(course.account_id == me)
        .order_by(course.id.desc())
        .limit(MOST)
    )
    degrees: Any = (
        select(Product.name, degree.enrolled_date, degree.valid_end_date, degree.closed_time, degree.study_status)
        .join(Product, Product.id == degree.degree_course_id)
        .where(degree.account_id == me)
        .order_by(degree.id.desc())
        .limit(MOST)
    )
    found = [
        Enrolment(name, since, until, status, closed is not None)
        for name, since, until, closed, status in db.session.execute(degrees)
    ]
    found += [
        Enrolment(name, since, until, None, closed is not None)
        for name, since, until, closed in db.session.execute(courses)
    ]
    return found


def _messages(me: int) -> Sequence[Notification]:
    row = Notification
    return db.session.scalars(
        select(row).where(row.account_id == me, row.msg_type.in_(TOLD)).order_by(row.id.desc()).limit(MOST)
    ).all()
