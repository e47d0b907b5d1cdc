"""提现: a mentor's 贝里 leave the shop as yuan, paid at Alipay by hand (domain.md 4.2, 9; A13).

The 贝里 are taken with the request. One staff person approves, another one pays; a refusal gives them back. Where the
money goes is sensitive (safety.md 7): only ``for_staff`` hands it out, and no message, log or audit row holds it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from flask_babel import lazy_gettext
from sqlalchemy import exists, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import MessageType, Role, TransactionType, WithdrawalState
from shop.errors import MentorsOnly, NotFound, NotYourTurn, ShopError
from shop.extensions import db, settings, unit_of_work
from shop.models import Account, Withdrawal
from shop.money import beli_to_fen, to_yuan
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, messages, wallet
from shop.services.audit_log import Actor
from shop.services.locks import lock_account
from shop.services.paging import pages_of
from shop.wording import mark as _

MOST_A_DAY = 3  # requests, by the day in Shanghai
MOST_AT_ONCE = 10_000_000  # 贝里; their fen fit the table
PAGE_SIZE = 20
PAYMENT_NUMBER = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
OPEN = (WithdrawalState.WAITING, WithdrawalState.APPROVED)
AFTER = {
    (WithdrawalState.WAITING, "approve"): WithdrawalState.APPROVED,
    (WithdrawalState.APPROVED, "pay"): WithdrawalState.PAID,
    (WithdrawalState.WAITING, "refuse"): WithdrawalState.REFUSED,
    (WithdrawalState.APPROVED, "refuse"): WithdrawalState.REFUSED,
}
LINK = "/mentor/withdrawals"
RETURNED = _("提现没有通过，贝里退回")

log = structlog.get_logger()


class TooManyToday(ShopError):
    status, text = 422, lazy_gettext("每天最多申请 %(most)s 次提现，请明天再来。")


class NumberTaken(ShopError):
    """One transfer at Alipay pays one withdrawal."""

    text = lazy_gettext("这个支付宝流水号已经记在另一笔提现上。")


@dataclass(frozen=True, slots=True)
class OwnWithdrawal:
    """A request as its owner sees it afterwards; the payee is masked."""

    id: int
    amount: int  # 贝里
    amount_fen: int
    state: WithdrawalState
    payee: str
    requested_time: datetime
    decided_time: datetime | None
    paid_time: datetime | None
    payment_number: str | None
    refusal: str  # why it was refused; "" unless it was


@dataclass(frozen=True, slots=True)
class Withdrawals:
    """One page of an account's requests, newest first, under what it may still ask for."""

    balance: int  # 贝里
    worth_fen: int  # of all of it
    left_today: int  # requests
    requests: tuple[OwnWithdrawal, ...]
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Case:
    """A request as staff see it: the one place with its payee, which is masked once nothing is left to pay."""

    id: int
    username: str
    amount: int
    amount_fen: int
    state: WithdrawalState
    payee_account: str
    payee_name: str
    requested_time: datetime
    decision: str
    payment_number: str | None


def worth_fen(amount: int) -> int:
    """What whole 贝里 come to when they are withdrawn today."""
    return beli_to_fen(amount, settings().beli_per_yuan)


def masked(payee: str) -> str:
    """An e-mail address or a phone number that only its owner recognises: "al***@example.com", "138****1234".

    "" once it is erased.
    """
    if not payee:
        return ""
    name, at, host = payee.rpartition("@")
    return f"{name[:2] if len(name) > 2 else name[:1]}***@{host}" if at else f"{payee[:3]}****{payee[-4:]}"


# ---------------------------------------------------------------- the owner


def index(account_id: int, page: int, now: datetime) -> Withdrawals:
    """The account's own requests, in four statements. Raises NotFound beyond the last page."""
    session = db.session()
    mine = Withdrawal.account_id == account_id
    balance = session.scalars(select(Account.balance).where(Account.id == account_id)).one()
    pages = pages_of(session.scalar(select(func.count()).select_from(Withdrawal).where(mine)) or 0, page, PAGE_SIZE)
    newest = select(Withdrawal).where(mine).order_by(Withdrawal.id.desc())
    found = session.scalars(newest.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE))
    return Withdrawals(
        balance=balance,
        worth_fen=worth_fen(balance),
        left_today=max(0, MOST_A_DAY - _asked_today(session, account_id, now)),
        requests=tuple(map(_own, found)),
        page=page,
        pages=pages,
    )


def _own(row: Withdrawal) -> OwnWithdrawal:
    return OwnWithdrawal(
        id=row.id,
        amount=row.amount,
        amount_fen=row.amount_fen,
        state=row.state,
        payee=masked(row.payee_account),
        requested_time=row.requested_time,
        decided_time=row.decided_time,
        paid_time=row.paid_time,
        payment_number=row.payment_number,
        refusal=row.decision if row.state is WithdrawalState.REFUSED else "",
    )


def _asked_today(session: Session, account_id: int, now: datetime) -> int:
    today = clock.start_of_day(clock.local_date(now))
    asked = select(func.count()).where(Withdrawal.account_id == account_id, Withdrawal.requested_time >= today)
    return session.scalar(asked) or 0


def ask(account_id: int, amount: int, *, payee_account: str, payee_name: str, now: datetime) -> Withdrawal:
    """Take the 贝里 and file the request. The caller has made sure that it is the owner who asks (safety.md 7.5.3).

    Raises NotEnoughBeli (1002), TooManyToday, MentorsOnly for everybody but mentors (A13), ValueError for an amount
    out of bounds.
    """
    if not 1 <= amount <= MOST_AT_ONCE:
        raise ValueError(f"a withdrawal takes 1 to {MOST_AT_ONCE} 贝里")
    with unit_of_work() as session:
        lock_account(session, account_id)
        _check_mentor(session, account_id)
        if _asked_today(session, account_id, now) >= MOST_A_DAY:
            raise TooManyToday(most=MOST_A_DAY)
        request = Withdrawal(
            account_id=account_id,
            amount=amount,
            amount_fen=worth_fen(amount),
            payee_account=payee_account,
            payee_name=payee_name,
            requested_time=now,
        )
        session.add(request)
        session.flush()
        wallet.move_beli(session, account_id, TransactionType.WITHDRAWAL, amount, withdrawal_id=request.id)
        _tell(session, request, _("您申请提现 %(beli)s 贝里（%(yuan)s 元），贝里已转出，等待审核。"))
    log.info("withdrawal asked", withdrawal=request.id, beli=amount)
    return request


def _check_mentor(session: Session, account_id: int) -> None:
    is_mentor = (Account.role == Role.MENTOR) & Account.is_active & ~Account.is_staff
    if not session.scalar(select(exists().where(Account.id == account_id, is_mentor))):
        raise MentorsOnly


# ---------------------------------------------------------------- staff


def for_staff(actor: Actor, *, is_all: bool = False) -> Sequence[Case]:
    """The requests that wait for somebody, or all of them, oldest first; the look at each payee is in the audit log."""
    query = select(Withdrawal, Account.username).join(Account, Account.id == Withdrawal.account_id)
    if not is_all:
        query = query.where(Withdrawal.state.in_(OPEN))
    with unit_of_work() as session:
        found = session.execute(query.order_by(Withdrawal.id)).all()
        for row, _username in found:
            if row.state in OPEN:
                audit_log.record(session, actor, "withdrawal look", row)
        return [_case(row, username) for row, username in found]


def _case(row: Withdrawal, username: str) -> Case:
    is_open = row.state in OPEN
    return Case(
        id=row.id,
        username=username,
        amount=row.amount,
        amount_fen=row.amount_fen,
        state=row.state,
        payee_account=row.payee_account if is_open else masked(row.payee_account),
        payee_name=row.payee_name if is_open else f"{row.payee_name[:1]}*",
        requested_time=row.requested_time,
        decision=row.decision,
        payment_number=row.payment_number,
    )


def approve(withdrawal_id: int, *, actor: Actor, reason: str) -> Withdrawal:
    """Say yes; somebody else pays then. Raises as ``_step`` does, and ValueError for a reason out of bounds."""
    reason, now = audit_log.checked_reason(reason), clock.now()
    with unit_of_work() as session:
        request, before = _step(session, withdrawal_id, "approve", actor)
        request.handler_id, request.decision, request.decided_time = actor.account_id, reason, now
        _tell(session, request, _("您的提现申请（%(beli)s 贝里，%(yuan)s 元）已通过审核，等待打款。"))
        _record(session, actor, "approve", request, before, reason=reason)
    return request


def pay(withdrawal_id: int, *, actor: Actor, payment_number: str) -> Withdrawal:
    """Write down that the yuan were sent, under Alipay's number of the transfer, by another person than has approved.

    Raises as ``_step`` does; NumberTaken; ValueError for what cannot be a number.
    """
    payment_number, now = payment_number.strip(), clock.now()
    if not PAYMENT_NUMBER.fullmatch(payment_number):
        raise ValueError("a payment number has 1 to 64 letters, digits, hyphens or underscores")
    try:
        with unit_of_work() as session:
            request, before = _step(session, withdrawal_id, "pay", actor)
            request.payer_id, request.paid_time, request.payment_number = actor.account_id, now, payment_number
            session.flush()
            _tell(
                session,
                request,
                _("您的提现（%(beli)s 贝里，%(yuan)s 元）已打款，支付宝流水号 %(number)s。"),
                number=payment_number,
            )
            _record(session, actor, "pay", request, before, payment_number=payment_number)
    except IntegrityError as error:  # what else could break here, ``_step`` has looked at under the lock
        raise NumberTaken from error
    return request


def refuse(withdrawal_id: int, *, actor: Actor, reason: str) -> Withdrawal:
    """Say no, also after somebody has approved: the 贝里 go back at once. The owner reads the reason.

    Raises as ``_step`` does, and ValueError for a reason out of bounds.
    """
    reason, now = audit_log.checked_reason(reason), clock.now()
    with unit_of_work() as session:
        request, before = _step(session, withdrawal_id, "refuse", actor)
        request.handler_id, request.decision, request.decided_time = actor.account_id, reason, now
        wallet.move_beli(
            session,
            request.account_id,
            TransactionType.REFUND,
            request.amount,
            withdrawal_id=request.id,
            memo=RETURNED,
        )
        _tell(
            session,
            request,
            _("您的提现申请（%(beli)s 贝里，%(yuan)s 元）没有通过：%(reason)s。贝里已退回。"),
            reason=reason,
        )
        _record(session, actor, "refuse", request, before, reason=reason)
    return request


def _step(session: Session, withdrawal_id: int, action: str, actor: Actor) -> tuple[Withdrawal, WithdrawalState]:
    """The request, locked behind its owner's account, in its new state; and the state before.

    Raises NotFound, and NotYourTurn, whose fact ``why`` is: "staff" (the actor has no right to this now), "own",
    "same" (has approved it), "state" (with the fact ``state``).
    """
    request = _locked(session, withdrawal_id)
    before = request.state
    obstacles = {
        "staff": not clerks.may(session, actor, Task.WITHDRAWALS),
        "own": actor.account_id == request.account_id,
        "state": (before, action) not in AFTER,
        "same": action == "pay" and actor.account_id == request.handler_id,
    }
    why = next((why for why, is_so in obstacles.items() if is_so), None)
    if why is not None:
        raise NotYourTurn(why=why, state=int(before))
    request.state = AFTER[before, action]
    return request, before


def _locked(session: Session, withdrawal_id: int) -> Withdrawal:
    account_id = session.scalar(select(Withdrawal.account_id).where(Withdrawal.id == withdrawal_id))
    if account_id is None:
        raise NotFound
    lock_account(session, account_id)
    found = select(Withdrawal).where(Withdrawal.id == withdrawal_id).with_for_update()
    return session.scalars(found.execution_options(populate_existing=True)).one()


def _tell(session: Session, request: Withdrawal, text: str, **facts: object) -> None:
    worth = {"beli": request.amount, "yuan": to_yuan(request.amount_fen)}
    messages.tell(session, request.account_id, MessageType.REWARD, text, worth | facts, link=LINK)


def _record(
    session: Session,
    actor: Actor,
    verb: str,
    request: Withdrawal,
    before: WithdrawalState,
    *,
    reason: str = "",
    **more: object,
) -> None:
    audit_log.record(
        session,
        actor,
        f"withdrawal {verb}",
        request,
        before={"state": int(before)},
        after={"state": int(request.state), **more},
        reason=reason,
    )
