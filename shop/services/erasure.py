"""A person leaves: what is theirs goes, what the law keeps stays without a name (safety.md 7.2, 7.3).

Secret and sensitive data are removed; what tells who somebody is becomes ``deleted-<random>``; orders, payments,
refunds, ledger, coupons and enrolments stay, of an account that nobody can log in to. User name, e-mail address and
phone number are free afterwards. Backups forget with their rotation (docs/operations.md).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from flask_babel import gettext as _
from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import Gender, MessageType, OrderStatus, ProductKind, Purse, StudyStatus, TransactionType
from shop.errors import NotFound, ShopError, StaffOnly
from shop.extensions import db, unit_of_work
from shop.gateways import cart_store
from shop.models import (
    Account,
    DegreeCourse,
    EnrolledDegreeCourse,
    MentorAssignment,
    Order,
    Payment,
    Product,
    Refund,
    StudyLeave,
    Trouble,
    Withdrawal,
)
from shop.rules.refund_states import UNDER_WAY
from shop.rules.staff_rights import Task
from shop.rules.study_states import ENDED, LIVING
from shop.services import audit_log, clerks, enrolled_degrees, erased_rows, messages, purses, uploads, wallet
from shop.services.audit_log import Actor
from shop.services.audit_queries import waiting
from shop.services.locks import lock_account
from shop.services.staff.accounts import NOT_A_PASSWORD
from shop.services.withdrawals import OPEN
from shop.wording import mark

GIVEN_UP = mark("注销账户，放弃学习")
BELI_GIVEN_UP = "注销账户，放弃贝里"

log = structlog.get_logger()


class NotDeletable(ShopError):
    """Something is still outstanding; ``obstacles`` says what, in the reader's language."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        super().__init__()
        self.obstacles = tuple(obstacles)
        self.text = _("现在还不能注销：%(what)s", what=_("；").join(dict.fromkeys(one.kind for one in obstacles)))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that stands in the way, and whether its owner may give it up instead of finishing it."""

    kind: str  # for administrators, who have no right to orders and 贝里
    says: str  # for the owner
    href: str = ""  # where the owner sees to it
    can_be_given_up: bool = False
    beli: int = 0  # how many of them giving it up takes


def obstacles(account_id: int) -> tuple[Obstacle, ...]:
    """What stands in the way of a deletion now; empty when nothing does. Raises NotFound for an unknown account."""
    session = db.session()
    account = session.get(Account, account_id)
    if account is None:
        raise NotFound
    return _obstacles(session, account)


def delete_own(account_id: int, *, gives_up: bool, beli: int = 0) -> None:
    """Delete the account of whoever asks; the caller has made sure that it is the owner.

    ``gives_up`` ends the studies that are under way; ``beli`` is the balance that its owner has seen and gives up:
    with any other one it stays and stands in the way. Raises NotFound, NotDeletable; then nothing is given up.
    """
    with unit_of_work() as session:
        account = _locked(session, account_id)
        if beli and beli == account.balance:
            wallet.move_beli(session, account_id, TransactionType.EXPENSE, beli, memo=BELI_GIVEN_UP)
            session.refresh(account)
        if gives_up:
            _give_up_studies(session, account_id)
        files = _delete(session, account, Actor("the owner", account_id), "")
    _clean_up(account_id, files)


def delete_for(account_id: int, *, actor: Actor, reason: str) -> None:
    """The same for somebody who has asked for it elsewhere. Nothing is given up in their place.

    Raises NotFound, NotDeletable, StaffOnly; ValueError without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.ACCOUNTS):
            raise StaffOnly
        files = _delete(session, _locked(session, account_id), actor, reason)
    _clean_up(account_id, files)


def _locked(session: Session, account_id: int) -> Account:
    """A living account, locked before everything that is its own."""
    if not session.scalar(select(exists().where(Account.id == account_id, Account.deleted_time.is_(None)))):
        raise NotFound
    lock_account(session, account_id)
    account = session.get_one(Account, account_id, populate_existing=True)
    if account.deleted_time is not None:  # while this one waited
        raise NotFound
    return account


def _delete(session: Session, account: Account, actor: Actor, reason: str) -> list[str]:
    """The names of the files that no row names any more."""
    found = _obstacles(session, account)
    if found:
        raise NotDeletable(found)
    files = _erase(session, account)
    audit_log.record(session, actor, "account delete", account, reason=reason)
    return files


def _clean_up(account_id: int, files: Sequence[str]) -> None:
    """What lies outside of the database, after its commit; sessions have ended by the epoch."""
    uploads.remove_files(files)
    cart_store.clear(f"a{account_id}")
    log.info("account deleted", account=account_id)


def _erase(session: Session, account: Account) -> list[str]:
    mark_of_it = f"deleted-{secrets.token_hex(8)}"
    files = erased_rows.erase(session, account, mark_of_it)
    account.username = mark_of_it  # no user name of the shop has a hyphen: nobody can register it
    account.email = account.mobile = account.id_card = account.qq = account.weixin = account.openid = None
    account.birthday = account.memo = None
    account.password = NOT_A_PASSWORD
    account.uid = secrets.token_hex(16)
    account.name = account.degree = account.head_img = account.signature = account.brief = ""
    account.gender = Gender.UNKNOWN
    account.is_active = False
    account.session_epoch += 1
    account.deleted_time = clock.now()
    session.flush()
    return files


# ---------------------------------------------------------------- what stands in the way


def _obstacles(session: Session, account: Account) -> tuple[Obstacle, ...]:
    me = account.id
    found = [
        *_open_orders(session, me),
        *_refunds(session, me),
        *_odd_money(session, me),
        *_beli(session, account),
        *_studies(session, me),
        *_duties(session, account),
    ]
    return tuple(found)


def _open_orders(session: Session, me: int) -> list[Obstacle]:
    waiting_ones = select(Order.order_number).where(Order.account_id == me, Order.status == OrderStatus.PENDING)
    return [
        Obstacle(_("待支付的订单"), _("订单 %(number)s 待支付，请先支付或取消", number=number), _order(number))
        for number in session.scalars(waiting_ones.order_by(Order.id))
    ]


def _refunds(session: Session, me: int) -> list[Obstacle]:
    numbers = session.scalars(
        select(Order.order_number)
        .join(Refund, Refund.order_id == Order.id)
        .where(Order.account_id == me, Refund.state.in_(UNDER_WAY))
        .distinct()
    )
    return [
        Obstacle(_("没有完成的退款"), _("订单 %(number)s 的退款还没有完成", number=number), _order(number))
        for number in numbers
    ]


def _odd_money(session: Session, me: int) -> list[Obstacle]:
    """Late or wrong money that is neither booked nor back: later nobody could be asked about it."""
    troubled = select(Trouble.payment_id).where(Trouble.resolved_time.is_(None), Trouble.payment_id.is_not(None))
    numbers = session.scalars(
        select(Order.order_number)
        .join(Payment, Payment.order_id == Order.id)
        .where(Order.account_id == me, Payment.id.in_(troubled) | Payment.id.in_(waiting.money_at_the_desk()))
        .distinct()
    )
    return [
        Obstacle(_("正在核对的款项"), _("订单 %(number)s 有一笔款项还在核对", number=number), _order(number))
        for number in numbers
    ]


def _order(number: str) -> str:
    return f"/orders/{number}"


def _beli(session: Session, account: Account) -> list[Obstacle]:
    found = []
    if account.balance:
        says = _("账户里还有 %(n)s 贝里，没有用完", n=account.balance)
        kind = _("没有用完的贝里")
        found.append(Obstacle(kind, says, "/account/beli", can_be_given_up=True, beli=account.balance))
    open_ones = select(exists().where(Withdrawal.account_id == account.id, Withdrawal.state.in_(OPEN)))
    if session.scalar(open_ones):
        found.append(Obstacle(_("没有完成的提现"), _("有一笔提现还没有完成"), "/mentor/withdrawals"))
    row = EnrolledDegreeCourse
    rewards = (row.account_id == account.id) & (row.reward_balance > 0) & row.study_status.in_(ENDED)
    fees = (row.mentor_id == account.id) & (row.mentor_fee_balance > 0) & row.study_status.in_(ENDED)
    if session.scalar(select(exists().where(row.closed_time.is_(None), rewards | fees))):
        found.append(Obstacle(_("没有到账的贝里"), _("还有贝里等待到账"), "/account/beli"))
    return found


def _studies(session: Session, me: int) -> list[Obstacle]:
    rows = session.execute(_running(me).order_by(EnrolledDegreeCourse.id))
    return [
        Obstacle(
            _("正在学习的学位课"),
            _("学位课「%(name)s」还在学习中", name=name),
            f"/learning/degrees/{enrolment_id}",
            can_be_given_up=True,
        )
        for enrolment_id, name in rows
    ]


def _duties(session: Session, account: Account) -> list[Obstacle]:
    """Whoever works here, or has students, hands that over first."""
    found = []
    if account.is_staff:
        found.append(Obstacle(_("员工的角色"), _("这是员工账户，请先由系统管理员取消所有角色")))
    students = exists().where(
        MentorAssignment.mentor_id == account.id,
        MentorAssignment.until_time.is_(None),
        EnrolledDegreeCourse.id == MentorAssignment.enrolled_degree_course_id,
        EnrolledDegreeCourse.study_status.in_(LIVING),
    )
    if session.scalar(select(students)):
        found.append(Obstacle(_("正在辅导的学员"), _("还有在辅导的学员，请先由教务更换导师"), "/mentor"))
    return found


# ---------------------------------------------------------------- giving up


def _running(me: int) -> Select[*tuple[Any, ...]]:
    row = EnrolledDegreeCourse
    return (
        select(row.id, Product.name)
        .join(Product, (Product.id == row.degree_course_id) & (Product.kind == ProductKind.DEGREE))
        .where(row.account_id == me, row.study_status.in_(LIVING), row.closed_time.is_(None))
    )


def _give_up_studies(session: Session, me: int) -> None:
    """End what is under way, as if its time were over: nothing matures for the student, the mentor's duties end."""
    now, today = clock.now(), clock.local_date(clock.now())
    for enrolment_id in session.scalars(_running(me).order_by(EnrolledDegreeCourse.id)).all():
        enrolment = enrolled_degrees.lock(session, enrolment_id)
        if enrolled_degrees.is_asked_back(session, enrolment):
            continue  # its refund stands in the way by itself
        purses.forfeit(session, enrolment, Purse.REWARDS, GIVEN_UP, now)
        leave = session.scalars(
            select(StudyLeave).where(
                StudyLeave.enrolled_degree_course_id == enrolment_id, StudyLeave.end_time.is_(None)
            )
        ).one_or_none()
        if leave is not None:
            leave.end_time = now
        enrolment.study_status, enrolment.ended_time = StudyStatus.OVERTIME, now
        enrolment.valid_begin_date = enrolment.valid_begin_date or today
        enrolment.valid_end_date = enrolment.valid_end_date or today
        session.flush()
        if enrolment.mentor_id is not None:
            degree = session.get_one(DegreeCourse, enrolment.degree_course_id).name
            text = mark("您的一位学员（「%(degree)s」）注销了账户，辅导结束。")
            link = f"/mentor/students/{enrolment_id}"
            messages.tell(session, enrolment.mentor_id, MessageType.STUDY, text, {"degree": degree}, link=link)
