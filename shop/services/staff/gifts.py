"""贝里 and coupons that staff give a person by hand: one proposes, another one gives or refuses (safety.md 4).

贝里: two of finance. A coupon: customer service proposes, operations give. Never for oneself, always with a reason that
the audit log keeps; the person is told when it is given. Who has proposed takes it back while nobody has decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from shop import clock
from shop.enums import Choice, GiftKind, GiftState, MessageType, TransactionType
from shop.errors import AnotherPerson, ClaimRefused, NotFound, NotYourTurn, OwnCase, ShopError, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, Coupon, Gift
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, coupons, keyset, messages, wallet
from shop.services.audit_log import Actor
from shop.services.keyset import Cursor, Window
from shop.services.locks import lock_account
from shop.wording import mark as _

MOST_BELI = 10_000  # of one gift
MOST_A_DAY = 20  # proposals of one person, by the day in Shanghai
PROPOSES = {GiftKind.BELI: Task.BELI_GRANT, GiftKind.COUPON: Task.COUPON_PROPOSE}
DECIDES = {GiftKind.BELI: Task.BELI_GRANT, GiftKind.COUPON: Task.COUPON_GIVE}


class NoReceiver(ShopError):
    """Nobody of that name can be given anything."""

    status, text = 422, lazy_gettext("没有这个学员：账户不存在、已停用，或者是员工账户。")


class TooManyGifts(ShopError):
    status, text = 422, lazy_gettext("每人每天最多提出 %(most)s 次发放，请明天再来。")


class Queue(Choice):
    """The tabs of the list."""

    BELI = 0, _("待审核的贝里")
    COUPONS = 1, _("待审核的优惠券")
    OVER = 2, _("已结束")


OF_QUEUE: dict[Queue, ColumnElement[bool]] = {
    Queue.BELI: (Gift.state == GiftState.WAITING) & (Gift.kind == GiftKind.BELI),
    Queue.COUPONS: (Gift.state == GiftState.WAITING) & (Gift.kind == GiftKind.COUPON),
    Queue.OVER: Gift.state != GiftState.WAITING,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One gift, with the people it concerns by their user names; "" where nobody has decided."""

    id: int
    kind: GiftKind
    state: GiftState
    account_id: int
    username: str
    beli: int | None
    coupon_id: int | None
    coupon: str
    reason: str
    proposer_id: int
    proposer: str
    proposed_time: datetime
    handler: str
    decision: str
    decided_time: datetime | None


# ---------------------------------------------------------------- looking


def counts(kinds: Sequence[GiftKind]) -> dict[Queue, int]:
    """How many wait, of these kinds; those that are over are not counted."""
    rows = db.session.execute(
        select(Gift.kind, func.count()).where(Gift.state == GiftState.WAITING, Gift.kind.in_(kinds)).group_by(Gift.kind)
    )
    found: dict[GiftKind, int] = dict(rows.all())
    queues = {Queue.BELI: GiftKind.BELI, Queue.COUPONS: GiftKind.COUPON}
    return {queue: found.get(kind, 0) for queue, kind in queues.items() if kind in kinds}


def listed(queue: Queue, kinds: Sequence[GiftKind], cursor: Cursor, size: int = keyset.SIZE) -> Window[Line]:
    """The gifts of a queue, of these kinds: the longest waiting first, those that are over newest first."""
    found = keyset.page(
        db.session(),
        _query().where(OF_QUEUE[queue], Gift.kind.in_(kinds)),
        Gift.id,  # type: ignore[arg-type]
        Gift.id,  # type: ignore[arg-type]
        place_of=lambda row: (row[0].id, row[0].id),
        cursor=cursor,
        size=size,
        is_descending=queue is Queue.OVER,
    )
    return Window([_line(row) for row in found.rows], found.before, found.after)


def everything(queue: Queue, kinds: Sequence[GiftKind]) -> Iterator[Line]:
    """The whole queue, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(queue, kinds, cursor, keyset.BATCH))


def whole(gift_id: int, kinds: Sequence[GiftKind]) -> tuple[Line, Sequence[AuditLog]]:
    """One gift and what was done about it. Raises NotFound, also for one of another kind."""
    session = db.session()
    row = session.execute(_query().where(Gift.id == gift_id, Gift.kind.in_(kinds))).one_or_none()
    if row is None:
        raise NotFound
    about = AuditLog.subject_table == Gift.__tablename__, AuditLog.subject_id == gift_id
    return _line(row), session.scalars(select(AuditLog).where(*about).order_by(AuditLog.id)).all()


def _query() -> Any:
    proposer, handler = aliased(Account), aliased(Account)
    return (
        select(Gift, Account.username, Coupon.name, proposer.username, handler.username)
        .join(Account, Account.id == Gift.account_id)
        .join(proposer, proposer.id == Gift.proposer_id)
        .outerjoin(handler, handler.id == Gift.handler_id)
        .outerjoin(Coupon, Coupon.id == Gift.coupon_id)
    )


def _line(row: Row[*tuple[Any, ...]]) -> Line:
    gift, username, coupon, proposer, handler = row
    return Line(
        id=gift.id,
        kind=gift.kind,
        state=gift.state,
        account_id=gift.account_id,
        username=username,
        beli=gift.beli,
        coupon_id=gift.coupon_id,
        coupon=coupon or "",
        reason=gift.reason,
        proposer_id=gift.proposer_id,
        proposer=proposer,
        proposed_time=gift.proposed_time,
        handler=handler or "",
        decision=gift.decision,
        decided_time=gift.decided_time,
    )


# ---------------------------------------------------------------- proposing


def propose_beli(username: str, beli: int, *, actor: Actor, reason: str) -> int:
    """The id of a proposal that another person of finance decides about.

    Raises NoReceiver, OwnCase, TooManyGifts, StaffOnly; ValueError for an amount or a reason out of bounds.
    """
    if not 1 <= beli <= MOST_BELI:
        raise ValueError(f"a gift has 1 to {MOST_BELI} 贝里")
    return _propose(GiftKind.BELI, username, actor=actor, reason=reason, beli=beli)


def propose_coupon(username: str, coupon_id: int, *, actor: Actor, reason: str) -> int:
    """The id of a proposal that operations decide about.

    Raises NotFound for an unknown coupon, NoReceiver, OwnCase, TooManyGifts, StaffOnly; ValueError without a reason.
    """
    if db.session.get(Coupon, coupon_id) is None:
        raise NotFound
    return _propose(GiftKind.COUPON, username, actor=actor, reason=reason, coupon_id=coupon_id)


def _propose(kind: GiftKind, username: str, *, actor: Actor, reason: str, **what: int) -> int:
    reason, now = audit_log.checked_reason(reason), clock.now()
    with unit_of_work() as session:
        if actor.account_id is None or not clerks.may(session, actor, PROPOSES[kind]):
            raise StaffOnly
        lock_account(session, actor.account_id)  # so that nobody proposes more than the limit by many windows
        receiver = session.scalars(select(Account).where(Account.username == username)).one_or_none()
        if receiver is not None and receiver.id == actor.account_id:
            raise OwnCase
        if receiver is None or not _can_be_given(receiver):
            raise NoReceiver
        today = clock.start_of_day(clock.local_date(now))
        mine = select(func.count()).where(Gift.proposer_id == actor.account_id, Gift.proposed_time >= today)
        if (session.scalar(mine) or 0) >= MOST_A_DAY:
            raise TooManyGifts(most=MOST_A_DAY)
        gift = Gift(
            kind=kind,
            account_id=receiver.id,
            reason=reason,
            proposer_id=actor.account_id,
            proposed_time=now,
            **what,
        )
        session.add(gift)
        session.flush()
        audit_log.record(session, actor, "gift propose", gift, after={"account": receiver.id, **what}, reason=reason)
        return gift.id


def _can_be_given(account: Account) -> bool:
    """Staff neither buy nor claim coupons (safety.md 4), and nobody is there behind an account that is closed."""
    return account.is_active and not account.is_staff and account.deleted_time is None


# ---------------------------------------------------------------- deciding


def give(gift_id: int, *, actor: Actor, reason: str) -> None:
    """Say yes: the 贝里 or the coupon are the person's at once, and the person is told.

    Raises as ``_step`` does; NoReceiver when the person has left meanwhile; ClaimRefused, in words, when the coupon
    cannot be given: none left, stopped, over, or had already.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        gift = _step(session, gift_id, actor)
        if not _can_be_given(session.get_one(Account, gift.account_id, populate_existing=True)):
            raise NoReceiver
        _decide(session, gift, GiftState.GIVEN, actor, reason)
        if gift.kind is GiftKind.BELI:
            _give_beli(session, gift)
        else:
            _give_coupon(session, gift)
        audit_log.record(session, actor, "gift give", gift, after=_what(gift), reason=reason)


def refuse(gift_id: int, *, actor: Actor, reason: str) -> None:
    """Say no; the person never hears of it. Raises as ``_step`` does."""
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        gift = _step(session, gift_id, actor)
        _decide(session, gift, GiftState.REFUSED, actor, reason)
        audit_log.record(session, actor, "gift refuse", gift, after=_what(gift), reason=reason)


def withdraw(gift_id: int, *, actor: Actor, reason: str) -> None:
    """Take back what one has proposed oneself, while nobody has decided; the person never hears of it.

    Raises NotFound, StaffOnly, NotYourTurn once it is decided and for what somebody else has proposed; ValueError
    without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        gift = _locked(session, gift_id)
        if not clerks.may(session, actor, PROPOSES[gift.kind]):
            raise StaffOnly
        if gift.state is not GiftState.WAITING or gift.proposer_id != actor.account_id:
            raise NotYourTurn(gift=gift.id, state=int(gift.state))
        gift.state, gift.decision, gift.decided_time = GiftState.WITHDRAWN, reason, clock.now()
        audit_log.record(session, actor, "gift withdraw", gift, after=_what(gift), reason=reason)


def _locked(session: Session, gift_id: int) -> Gift:
    """A gift behind the lock of its receiver's account. Raises NotFound."""
    account_id = session.scalar(select(Gift.account_id).where(Gift.id == gift_id))
    if account_id is None:
        raise NotFound
    lock_account(session, account_id)
    return session.get_one(Gift, gift_id, with_for_update=True, populate_existing=True)


def _step(session: Session, gift_id: int, actor: Actor) -> Gift:
    """A gift that waits, to be decided.

    Raises NotFound, StaffOnly, OwnCase, AnotherPerson for who has proposed it, NotYourTurn once it is decided.
    """
    gift = _locked(session, gift_id)
    if not clerks.may(session, actor, DECIDES[gift.kind]):
        raise StaffOnly
    if actor.account_id == gift.account_id:
        raise OwnCase
    if gift.state is not GiftState.WAITING:
        raise NotYourTurn(gift=gift.id, state=int(gift.state))
    if actor.account_id == gift.proposer_id:
        raise AnotherPerson
    return gift


def _decide(session: Session, gift: Gift, state: GiftState, actor: Actor, reason: str) -> None:
    gift.state, gift.handler_id, gift.decision, gift.decided_time = state, actor.account_id, reason, clock.now()
    session.flush()


def _give_beli(session: Session, gift: Gift) -> None:
    amount = gift.beli or 0
    wallet.move_beli(session, gift.account_id, TransactionType.INCOME, amount, gift_id=gift.id)
    text = _("商城给您发放了 %(beli)s 贝里，结算时可以抵扣。")
    messages.tell(session, gift.account_id, MessageType.REWARD, text, {"beli": amount}, link="/account/beli")


def _give_coupon(session: Session, gift: Gift) -> None:
    coupon_id = gift.coupon_id or 0
    name = session.get_one(Coupon, coupon_id).name
    try:
        coupons.hand_out(session, gift.account_id, coupon_id, clock.now())
    except IntegrityError as error:  # claimed by the person at this very moment
        raise ClaimRefused(coupon=name, reason=lazy_gettext("对方刚刚领过一张。")) from error
    text = _("商城给您发放了优惠券「%(coupon)s」。")
    messages.tell(session, gift.account_id, MessageType.COUPON, text, {"coupon": name}, link="/account/coupons")


def _what(gift: Gift) -> dict[str, Any]:
    what = {"beli": gift.beli} if gift.kind is GiftKind.BELI else {"coupon_id": gift.coupon_id}
    return {"account": gift.account_id, **what}
