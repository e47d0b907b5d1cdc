"""One box for everything that has a number or a name: exact values, found by their unique indexes (design 10)."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, or_, select, union_all

from shop.enums import StaffRole
from shop.errors import CodeRefused
from shop.extensions import db
from shop.models import (
    Account,
    Coupon,
    CouponCode,
    CouponRecord,
    EnrolledDegreeCourse,
    MentorAssignment,
    Order,
    Payment,
    Product,
    Refund,
    TransactionRecord,
    Trouble,
    Withdrawal,
)
from shop.rules import staff_rights
from shop.rules.staff_rights import Task
from shop.services import coupons
from shop.wording import mark as _

LONGEST = 128
MOST = 20  # of one kind


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found: what kind it is (a text of the catalogue), what it is called, and its page."""

    kind: str
    name: str
    href: str


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of thing is found, and by whom; ``query`` selects what it is called and what its page needs."""

    title: str
    task: Task
    query: Callable[[str], Select[*tuple[Any, ...]]]
    href: str  # "%s" is the second column


def _orders(q: str) -> Select[*tuple[Any, ...]]:
    return select(Order.order_number, Order.order_number).where(or_(Order.order_number == q, Order.payment_number == q))


def _attempts(q: str) -> Select[*tuple[Any, ...]]:
    asked = or_(Payment.out_trade_no == q, Payment.trade_no == q)
    return select(Payment.out_trade_no, Order.order_number).join(Payment.order).where(asked)


def _refunds(q: str) -> Select[*tuple[Any, ...]]:
    return select(Refund.out_request_no, Refund.out_request_no).where(Refund.out_request_no == q)


def _ledger(q: str) -> Select[*tuple[Any, ...]]:
    row = TransactionRecord
    return (
        select(row.transaction_number, Order.order_number)
        .join(Order, Order.id == row.order_id)
        .where(row.transaction_number == q)
    )


def _other_ledger(q: str) -> Select[*tuple[Any, ...]]:
    """A row of the ledger that belongs to no order: on the statement of whom it concerns."""
    row = TransactionRecord
    return select(row.transaction_number, row.account_id).where(row.transaction_number == q, row.order_id.is_(None))


def _people(q: str) -> Select[*tuple[Any, ...]]:
    """By user name, or by the exact e-mail address or phone number, which the answer does not repeat."""
    return select(Account.id, Account.id).where(_is_called(q))


def _is_called(q: str) -> ColumnElement[bool]:
    return or_(Account.username == q, Account.email == q.lower(), Account.mobile == q)


def _students(q: str) -> Select[*tuple[Any, ...]]:
    """Whoever studies for a degree, found as people are."""
    studies = exists().where(EnrolledDegreeCourse.account_id == Account.id)
    return select(Account.username, Account.username).where(_is_called(q), studies)


def _mentors(q: str) -> Select[*tuple[Any, ...]]:
    return select(Account.username, Account.id).where(
        Account.username == q, exists().where(MentorAssignment.mentor_id == Account.id)
    )


def _accounts(q: str) -> Select[*tuple[Any, ...]]:
    return select(Account.username, Account.id).where(Account.username == q)


def _records(q: str) -> Select[*tuple[Any, ...]]:
    # joined as one list of ids: an OR between a column and a list would read every coupon that was ever claimed
    called = select(CouponRecord.id).where(CouponRecord.number == q)
    by_code = select(CouponCode.record_id).where(CouponCode.code == _as_code(q))
    return (
        select(Coupon.name, Order.order_number)
        .join(CouponRecord.coupon)
        .join(Order, Order.id == CouponRecord.order_id)
        .where(CouponRecord.id.in_(union_all(called, by_code)))
    )


def _campaigns(q: str) -> Select[*tuple[Any, ...]]:
    """By its number or name, or by the number of a record or the code of one of its coupons."""
    of_record = select(CouponRecord.coupon_id).where(CouponRecord.number == q)
    of_code = select(CouponCode.coupon_id).where(CouponCode.code == _as_code(q))
    asked = [Coupon.name == q, Coupon.id.in_(of_record), Coupon.id.in_(of_code)]
    if q.isascii() and q.isdigit() and int(q[:10]) < 2**31 and len(q) <= 10:
        asked.append(Coupon.id == int(q))
    return select(Coupon.name, Coupon.id).where(or_(*asked))


def _as_code(q: str) -> str:
    try:
        return coupons.normal_code(q)
    except CodeRefused:
        return ""


def _withdrawals(q: str) -> Select[*tuple[Any, ...]]:
    return select(Withdrawal.payment_number, Withdrawal.id).where(Withdrawal.payment_number == q)


def _troubles(q: str) -> Select[*tuple[Any, ...]]:
    asked = or_(Trouble.trade_no == q, Trouble.out_trade_no == q)
    return select(Trouble.out_trade_no, Trouble.id).where(asked, Trouble.resolved_time.is_(None))


def _products(q: str) -> Select[*tuple[Any, ...]]:
    return select(Product.name, Product.id).where(Product.name == q)


KINDS = (
    Kind(_("订单"), Task.ORDERS_READ, _orders, "/staff/orders/%s"),
    Kind(_("付款记录"), Task.ORDERS_READ, _attempts, "/staff/orders/%s"),
    Kind(_("退款记录"), Task.REFUND_PROPOSE, _refunds, "/staff/refunds/%s"),
    Kind(_("贝里流水"), Task.ORDERS_READ, _ledger, "/staff/orders/%s"),
    Kind(_("贝里流水"), Task.BELI_READ, _other_ledger, "/staff/people/%s"),
    Kind(_("用掉的优惠券"), Task.ORDERS_READ, _records, "/staff/orders/%s"),
    Kind(_("人员"), Task.PEOPLE_FIND, _people, "/staff/people/%s"),
    Kind(_("优惠券活动"), Task.COUPONS_READ, _campaigns, "/staff/coupons/%s"),
    Kind(_("提现"), Task.WITHDRAWALS, _withdrawals, "/staff/withdrawals/%s"),
    Kind(_("待认领款项"), Task.MONEY_READ, _troubles, "/staff/money#trouble-%s"),
    Kind(_("学位学员"), Task.STUDIES_READ, _students, "/staff/studies?username=%s"),
    Kind(_("导师"), Task.MENTOR_FEES_READ, _mentors, "/staff/mentors/%s"),
    Kind(_("课程"), Task.CATALOGUE_READ, _products, "/staff/catalogue/products/%s"),
    Kind(_("账户"), Task.ACCOUNTS, _accounts, "/staff/accounts/%s"),
)


def find(q: str, roles: Set[StaffRole]) -> list[Hit]:
    """What these roles may see of the things that are called exactly ``q``; one statement for each kind of thing."""
    found = []
    for kind in KINDS:
        if staff_rights.may(roles, kind.task):
            rows = db.session.execute(kind.query(q).limit(MOST))
            found += [Hit(kind.title, str(name), kind.href % place) for name, place in rows]
    return found
