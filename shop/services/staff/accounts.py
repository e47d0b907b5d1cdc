"""Accounts as administrators run them: who works here and as what, and who may log in (safety.md 4, F65, F66).

Administrators see user names and roles, and nothing else of a person. They never set a password: a new account gets a
link by which its owner does, and every later link goes to the owner alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import Row, delete, exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import Choice, MessageType, Role, StaffRole
from shop.errors import NotFound, NotYourself, ShopError, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, SecondFactor, StaffMember
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, keyset, mail, messages, password_reset
from shop.services.accounts import UsernameTaken
from shop.services.audit_log import Actor
from shop.services.keyset import Cursor, Window
from shop.wording import mark

NOT_A_PASSWORD = "!"  # no hash: nothing matches it until the owner has chosen one
LATEST = 20  # audit rows on the page of an account


class NoAddress(ShopError):
    text = _("这个账户已经有密码，但没有邮箱，或者商城没有开通邮件：链接只能发给本人，所以没有生成。")


class LastAdministrator(ShopError):
    text = _("这是最后一位可以登录的系统管理员，请先指定另一位。")


class Kind(Choice):
    """What the list of accounts can be narrowed to."""

    ALL = 0, mark("全部")
    STAFF = 1, mark("员工")
    MENTORS = 2, mark("导师")
    DISABLED = 3, mark("已停用")


WHERE: dict[Kind, Sequence[Any]] = {
    Kind.ALL: (),
    Kind.STAFF: (Account.is_staff,),
    Kind.MENTORS: (Account.role == Role.MENTOR,),
    Kind.DISABLED: (~Account.is_active,),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One account in the list."""

    id: int
    username: str
    role: Role
    is_staff: bool
    is_active: bool
    date_joined: datetime
    roles: tuple[StaffRole, ...]
    has_factor: bool


@dataclass(frozen=True, slots=True)
class Sheet:
    """One account with what was done to it lately."""

    line: Line
    has_password: bool  # a new account has none until its owner has chosen one
    deleted_time: datetime | None
    history: Sequence[AuditLog]


# ---------------------------------------------------------------- looking


def listed(kind: Kind, begins_with: str, cursor: Cursor, size: int = keyset.SIZE) -> Window[Line]:
    """Accounts, the latest first; with ``begins_with`` those whose user names begin so. Raises NotFound."""
    session = db.session()
    query = select(*_COLUMNS).where(*WHERE[kind])
    if begins_with:
        query = query.where(Account.username.startswith(begins_with, autoescape=True))
    found = keyset.page(
        session,
        query,
        Account.id,  # type: ignore[arg-type]
        Account.id,  # type: ignore[arg-type]
        place_of=lambda row: (row.id, row.id),
        cursor=cursor,
        size=size,
    )
    roles = _roles(session, [row.id for row in found.rows])
    return Window([_line(row, roles) for row in found.rows], found.before, found.after)


def everything(kind: Kind, begins_with: str) -> Iterator[Line]:
    """The whole list, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(kind, begins_with, cursor, keyset.BATCH))


HAS_FACTOR = exists().where(SecondFactor.account_id == Account.id).label("has_factor")
_COLUMNS = (
    *(Account.id, Account.username, Account.role, Account.is_staff, Account.is_active),
    *(Account.date_joined, Account.deleted_time, HAS_FACTOR),
    (Account.password != NOT_A_PASSWORD).label("has_password"),
)


def _roles(session: Session, account_ids: Collection[int]) -> dict[int, tuple[StaffRole, ...]]:
    rows = session.execute(
        select(StaffMember.account_id, StaffMember.role)
        .where(StaffMember.account_id.in_(account_ids))
        .order_by(StaffMember.role)
    )
    found: dict[int, tuple[StaffRole, ...]] = {}
    for account_id, role in rows:
        found[account_id] = (*found.get(account_id, ()), role)
    return found


def _line(row: Row[*tuple[Any, ...]], roles: dict[int, tuple[StaffRole, ...]]) -> Line:
    return Line(
        id=row.id,
        username=row.username,
        role=row.role,
        is_staff=row.is_staff,
        is_active=row.is_active,
        date_joined=row.date_joined,
        roles=roles.get(row.id, ()),
        has_factor=row.has_factor,
    )


def sheet(account_id: int) -> Sheet:
    """Raises NotFound."""
    session = db.session()
    row = session.execute(select(*_COLUMNS).where(Account.id == account_id)).one_or_none()
    if row is None:
        raise NotFound
    about = AuditLog.subject_table == Account.__tablename__, AuditLog.subject_id == account_id
    history = session.scalars(select(AuditLog).where(*about).order_by(AuditLog.id.desc()).limit(LATEST)).all()
    return Sheet(_line(row, _roles(session, [account_id])), row.has_password, row.deleted_time, history)


# ---------------------------------------------------------------- changing


def create(
    username: str, roles: Collection[StaffRole], *, is_mentor: bool = False, actor: Actor, reason: str
) -> tuple[int, str]:
    """A new account of staff, or of a mentor, without a password; its id, and the token of the link that sets one.

    Raises UsernameTaken, StaffOnly.
    """
    reason = audit_log.checked_reason(reason)
    try:
        with unit_of_work() as session:
            _check(session, actor)
            account = Account(
                username=username,
                password=NOT_A_PASSWORD,
                uid=secrets.token_hex(16),
                role=Role.MENTOR if is_mentor else Role.ADMIN,
                is_staff=not is_mentor,
                date_joined=clock.now(),
            )
            session.add(account)
            session.flush()
            session.add_all(StaffMember(account_id=account.id, role=role) for role in set(roles) if not is_mentor)
            after = {"roles": _written(() if is_mentor else roles), "role": int(account.role)}
            audit_log.record(session, actor, "account create", account, after=after, reason=reason)
            return account.id, password_reset.link_for(session, account.id)
    except IntegrityError as error:
        raise UsernameTaken from error


def set_roles(account_id: int, roles: Collection[StaffRole], *, actor: Actor, reason: str) -> None:
    """What this account may do from its next request on; none at all makes it an ordinary account.

    Its sessions end when it becomes staff or leaves: those of staff are shorter. Raises NotFound, NotYourself,
    LastAdministrator, StaffOnly.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        account = _locked(session, account_id, actor)
        before = _roles(session, [account_id]).get(account_id, ())
        if StaffRole.ADMIN in before and StaffRole.ADMIN not in roles:
            _check_another_administrator(session, account_id)
        session.execute(delete(StaffMember).where(StaffMember.account_id == account_id))
        session.add_all(StaffMember(account_id=account_id, role=role) for role in set(roles))
        if account.is_staff is not bool(roles):
            account.is_staff = bool(roles)
            account.session_epoch += 1
        audit_log.record(
            session,
            actor,
            "account roles",
            account,
            before={"roles": _written(before)},
            after={"roles": _written(roles)},
            reason=reason,
        )


def disable(account_id: int, *, actor: Actor, reason: str) -> None:
    """Nobody logs in with it any more, and every session ends now; orders and money stay as they are (F65).

    Raises NotFound, NotYourself, LastAdministrator, StaffOnly.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        account = _locked(session, account_id, actor)
        if account.is_active:
            _check_another_administrator(session, account_id)
            account.is_active = False
            account.session_epoch += 1
            audit_log.record(session, actor, "account disable", account, reason=reason)


def enable(account_id: int, *, actor: Actor, reason: str) -> None:
    """It may log in again. Raises NotFound, also for one whose person was deleted; NotYourself, StaffOnly."""
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        account = _locked(session, account_id, actor)
        if account.deleted_time is not None:
            raise NotFound
        if not account.is_active:
            account.is_active = True
            audit_log.record(session, actor, "account enable", account, reason=reason)


def end_sessions(account_id: int, *, actor: Actor, reason: str) -> None:
    """Log it out everywhere. Raises NotFound, StaffOnly; one's own are ended on the account page (NotYourself)."""
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        account = _locked(session, account_id, actor)
        account.session_epoch += 1
        audit_log.record(session, actor, "account end sessions", account, reason=reason)


def password_link(account_id: int, *, actor: Actor, reason: str) -> str:
    """A link by which the owner chooses a new password; earlier ones stop working.

    The token, to be handed over, of an account that has no password yet. Whose account has one gets the link by letter,
    and is told; the answer is "": by a link that is shown, an administrator could become anybody. Raises NotFound, also
    for a disabled account; NoAddress, NotYourself, StaffOnly.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        account = _locked(session, account_id, actor)
        if not account.is_active:
            raise NotFound
        if account.password != NOT_A_PASSWORD and not (account.email and mail.is_on()):
            raise NoAddress
        audit_log.record(session, actor, "account password link", account, reason=reason)
        if account.password == NOT_A_PASSWORD:
            return password_reset.link_for(session, account_id)
        password_reset.send_to(session, account_id, account.username)
        text = mark("管理员为您发出了一封重设密码的邮件，原来的密码仍然有效。如果您没有提出过，请联系我们。")
        messages.tell(session, account_id, MessageType.OTHER, text, link="/account", is_mailed=False)
        return ""


def _locked(session: Session, account_id: int, actor: Actor) -> Account:
    """The account, nobody else's to change; the right is asked for behind the locks, as others wait there, too."""
    if actor.account_id == account_id:
        raise NotYourself
    session.execute(select(StaffMember.account_id).where(_ADMINISTRATOR).order_by("account_id").with_for_update())
    account = session.get(Account, account_id, with_for_update=True, populate_existing=True)
    _check(session, actor)
    if account is None:
        raise NotFound
    return account


def _check(session: Session, actor: Actor) -> None:
    if not clerks.may(session, actor, Task.ACCOUNTS):
        raise StaffOnly


_ADMINISTRATOR = StaffMember.role == StaffRole.ADMIN


def _check_another_administrator(session: Session, account_id: int) -> None:
    """Raises LastAdministrator when this is one and nobody else could log in as one; the rows of all are locked."""
    active = select(StaffMember.account_id).join(Account, Account.id == StaffMember.account_id)
    administrators = set(session.scalars(active.where(_ADMINISTRATOR, clerks.IS_CLERK)))
    if administrators == {account_id}:
        raise LastAdministrator


def _written(roles: Collection[StaffRole]) -> list[str]:
    return [StaffRole(role).name for role in sorted(set(roles))]
