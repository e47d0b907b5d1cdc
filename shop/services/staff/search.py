"""One box for everything that has a number or a name (design 10).

Numbers and user names by how they begin, names of products and campaigns by any part, phone numbers, e-mail addresses
and codes whole. What begins so is read from where it begins in its unique index, ``LOOK`` entries at most: right in the
collation of any database, where a range or LIKE is not, and as quick among a million orders as among ten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Row, Select, exists, func, or_, select, union_all

from shop.enums import Role, StaffRole
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
    StaffMember,
    TransactionRecord,
    Trouble,
    Withdrawal,
)
from shop.rules import staff_rights
from shop.rules.staff_rights import Task
from shop.services import coupons
from shop.services.accounts import normal_username
from shop.services.staff import named
from shop.wording import mark as _

LONGEST = 128
MOST = 20  # of one kind
LOOK = 60  # entries of an index
LEAST_OF_NUMBER, LEAST_OF_NAME = 6, 2  # characters; what is shorter is looked for whole


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found: what kind it is (a text of the catalogue), what it is called, and its page."""

    kind: str
    name: str
    href: str
    is_person: bool = False  # ``name`` is a user name, which not everybody sees
    roles: Sequence[Role | StaffRole] = ()  # of a person


@dataclass(frozen=True, slots=True)
class Found:
    """What was found; ``cut`` are the kinds of which there is more."""

    hits: Sequence[Hit]
    cut: Sequence[str]


NOTHING = Found((), ())


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed, and the accounts that it can mean, read once for every kind of person."""

    q: str
    people: Sequence[int] = ()
    has_more: bool = False  # accounts than ``people``


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of thing is found, and by whom; ``query`` selects what it is called and what its page needs."""

    title: str
    task: Task
    query: Callable[[Asked], Select[*tuple[Any, ...]]]
    href: str  # "%s" is the second column
    is_person: bool = False  # ``query`` also selects number and role of the account, and whether it is of staff


def _begins(column: Any, q: str) -> ColumnElement[bool]:
    return func.substr(column, 1, len(q)) == q


def _beginning(q: str, *columns: Any, least: int = LEAST_OF_NUMBER) -> CompoundSelect[*tuple[Any, ...]]:
    """The ids of the rows of which one of the columns, each with an index of its own, begins with ``q``."""
    return union_all(*(_walk(column, q) if len(q) >= least else _whole(column, q) for column in columns))


def _walk(column: Any, q: str) -> Select[*tuple[Any, ...]]:
    walk = select(column.class_.id, column.label("called")).where(column >= q).order_by(column).limit(LOOK).subquery()
    return select(walk.c.id).where(_begins(walk.c.called, q))


def _whole(column: Any, q: str) -> Select[*tuple[Any, ...]]:
    return select(column.class_.id).where(column == q)


def _orders(asked: Asked) -> Select[*tuple[Any, ...]]:
    ids = _beginning(asked.q, Order.order_number, Order.payment_number)
    return select(Order.order_number, Order.order_number).where(Order.id.in_(ids))


def _attempts(asked: Asked) -> Select[*tuple[Any, ...]]:
    ids = _beginning(asked.q, Payment.out_trade_no, Payment.trade_no)
    return select(Payment.out_trade_no, Order.order_number).join(Payment.order).where(Payment.id.in_(ids))


def _refunds(asked: Asked) -> Select[*tuple[Any, ...]]:
    ids = _beginning(asked.q, Refund.out_request_no)
    return select(Refund.out_request_no, Refund.out_request_no).where(Refund.id.in_(ids))


def _ledger(asked: Asked) -> Select[*tuple[Any, ...]]:
    row, ids = TransactionRecord, _beginning(asked.q, TransactionRecord.transaction_number)
    return (
        select(row.transaction_number, Order.order_number).join(Order, Order.id == row.order_id).where(row.id.in_(ids))
    )


def _other_ledger(asked: Asked) -> Select[*tuple[Any, ...]]:
    """A row of the ledger that belongs to no order: on the statement of whom it concerns."""
    row, ids = TransactionRecord, _beginning(asked.q, TransactionRecord.transaction_number)
    return select(row.transaction_number, row.account_id).where(row.id.in_(ids), row.order_id.is_(None))


def _people(asked: Asked) -> Select[*tuple[Any, ...]]:
    """By user name, or by the whole e-mail address or phone number, which the answer does not repeat."""
    return _persons(Account.id).where(Account.id.in_(asked.people))


def _students(asked: Asked) -> Select[*tuple[Any, ...]]:
    """Whoever studies for a degree, found as people are."""
    return _persons(Account.username).where(Account.id.in_(asked.people), _STUDIES)


def _mentors(asked: Asked) -> Select[*tuple[Any, ...]]:
    return _accounts(asked).where(exists().where(MentorAssignment.mentor_id == Account.id))


def _accounts(asked: Asked) -> Select[*tuple[Any, ...]]:
    return _persons(Account.id).where(Account.id.in_(asked.people), _begins(Account.username, normal_username(asked.q)))


def _persons(place: Any) -> Select[*tuple[Any, ...]]:
    return select(Account.username, place, Account.id, Account.role, Account.is_staff)


_STUDIES = exists().where(EnrolledDegreeCourse.account_id == Account.id)


def _records(asked: Asked) -> Select[*tuple[Any, ...]]:
    return (
        select(Coupon.name, Order.order_number)
        .join(CouponRecord.coupon)
        .join(Order, Order.id == CouponRecord.order_id)
        .where(CouponRecord.id.in_(_record_ids(asked.q)))
    )


def _record_ids(q: str) -> CompoundSelect[*tuple[Any, ...]]:
    # one list of ids: an OR between a column and a list would read every coupon that was ever claimed
    return union_all(
        _beginning(q, CouponRecord.number).subquery().select(),
        select(CouponCode.record_id).where(CouponCode.code == _as_code(q)),
    )


def _campaigns(asked: Asked) -> Select[*tuple[Any, ...]]:
    """By its number or name, or by the number of a record or the code of one of its coupons."""
    q, number = asked.q, named.number_of(asked.q)
    of_record = select(CouponRecord.coupon_id).where(CouponRecord.id.in_(_record_ids(q)))
    of_code = select(CouponCode.coupon_id).where(CouponCode.code == _as_code(q))
    wanted = [named.has(Coupon.name, q), Coupon.id.in_(of_record), Coupon.id.in_(of_code), Coupon.id == number]
    return select(Coupon.name, Coupon.id).where(or_(*wanted)).order_by((Coupon.name == q).desc())


def _as_code(q: str) -> str:
    try:
        return coupons.normal_code(q)
    except CodeRefused:
        return ""


def _withdrawals(asked: Asked) -> Select[*tuple[Any, ...]]:
    ids = _beginning(asked.q, Withdrawal.payment_number)
    return select(Withdrawal.payment_number, Withdrawal.id).where(Withdrawal.id.in_(ids))


def _troubles(asked: Asked) -> Select[*tuple[Any, ...]]:
    """Open ones: few, and found by that."""
    row, q, is_long = Trouble, asked.q, len(asked.q) >= LEAST_OF_NUMBER
    wanted = [_begins(column, q) if is_long else column == q for column in (row.trade_no, row.out_trade_no)]
    return select(row.out_trade_no, row.id).where(row.resolved_time.is_(None), or_(*wanted))


def _products(asked: Asked) -> Select[*tuple[Any, ...]]:
    wanted = or_(named.has(Product.name, asked.q), Product.id == named.number_of(asked.q))
    return select(Product.name, Product.id).where(wanted).order_by((Product.name == asked.q).desc())


KINDS = (
    Kind(_("订单"), Task.ORDERS_READ, _orders, "/staff/orders/%s"),
    Kind(_("付款记录"), Task.ORDERS_READ, _attempts, "/staff/orders/%s"),
    Kind(_("退款记录"), Task.REFUND_PROPOSE, _refunds, "/staff/refunds/%s"),
    Kind(_("贝里流水"), Task.ORDERS_READ, _ledger, "/staff/orders/%s"),
    Kind(_("贝里流水"), Task.BELI_READ, _other_ledger, "/staff/people/%s"),
    Kind(_("用掉的优惠券"), Task.ORDERS_READ, _records, "/staff/orders/%s"),
    Kind(_("人员：订单、券、学习"), Task.PEOPLE_FIND, _people, "/staff/people/%s", True),
    Kind(_("优惠券活动"), Task.COUPONS_READ, _campaigns, "/staff/coupons/%s"),
    Kind(_("提现"), Task.WITHDRAWALS, _withdrawals, "/staff/withdrawals/%s"),
    Kind(_("待认领款项"), Task.MONEY_READ, _troubles, "/staff/money#trouble-%s"),
    Kind(_("学位学员"), Task.STUDIES_READ, _students, "/staff/studies?username=%s", True),
    Kind(_("导师"), Task.MENTOR_FEES_READ, _mentors, "/staff/mentors/%s", True),
    Kind(_("课程"), Task.CATALOGUE_READ, _products, "/staff/catalogue/products/%s"),
    Kind(_("账户：角色、停用"), Task.ACCOUNTS, _accounts, "/staff/accounts/%s", True),
)


def find(q: str, roles: Set[StaffRole]) -> Found:
    """What these roles may see of the things that ``q`` can mean, ``MOST`` of a kind, each page once.

    One statement for each kind of thing, and two for all people.
    """
    kinds = [kind for kind in KINDS if staff_rights.may(roles, kind.task)]
    asked = Asked(q)
    if any(kind.is_person for kind in kinds):
        asked = _meant(q, by_real_name=staff_rights.may(roles, Task.PEOPLE_PLAIN))
        kinds = [kind for kind in kinds if asked.people or not kind.is_person]
    found = [(kind, _rows(kind, asked)) for kind in kinds]
    staff = _staff_roles(row.id for kind, rows in found if kind.is_person for row in rows if row.is_staff)
    hits = [_hit(kind, row, staff) for kind, rows in found for row in rows[:MOST]]
    cut = [kind.title for kind, rows in found if len(rows) > MOST or (kind.is_person and asked.has_more)]
    return Found(list({hit.href: hit for hit in reversed(hits)}.values())[::-1], cut)


def _meant(q: str, *, by_real_name: bool) -> Asked:
    """The accounts that can be meant. Real names are looked for among those who study for a degree: they are few."""
    name = normal_username(q)
    wanted = [
        _beginning(name, Account.username, least=LEAST_OF_NAME).subquery().select(),
        select(Account.id).where(or_(Account.email == q.lower(), Account.mobile == q)),
    ]
    if by_real_name:
        wanted.append(select(Account.id).where(Account.name == q, _STUDIES))
    ids = list(dict.fromkeys(db.session.scalars(union_all(*wanted))))
    return Asked(q, ids, has_more=len(ids) >= LOOK)


def _rows(kind: Kind, asked: Asked) -> Sequence[Row[*tuple[Any, ...]]]:
    query = kind.query(asked)
    name, place, *_more = query.selected_columns
    return db.session.execute(query.order_by(name, place).limit(MOST + 1)).all()


def _staff_roles(account_ids: Iterable[int]) -> dict[int, list[StaffRole]]:
    found: dict[int, list[StaffRole]] = {account_id: [] for account_id in account_ids}
    if found:
        member = StaffMember
        rows = select(member.account_id, member.role).where(member.account_id.in_(found)).order_by(member.role)
        for account_id, role in db.session.execute(rows):
            found[account_id].append(role)
    return found


def _hit(kind: Kind, row: Row[*tuple[Any, ...]], staff: Mapping[int, Sequence[StaffRole]]) -> Hit:
    href = kind.href % row[1]
    if not kind.is_person:
        return Hit(kind.title, str(row[0]), href)
    return Hit(kind.title, row[0], href, is_person=True, roles=staff.get(row.id) or [row.role])
