"""Accounts: register, authenticate, change the password, end sessions."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from flask_babel import lazy_gettext as _
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import Role, StaffRole
from shop.errors import ShopError
from shop.extensions import db, unit_of_work
from shop.models import Account, Notification, StaffMember
from shop.services import audit_log, passwords
from shop.services.audit_log import Actor

MOST_UNREAD = 100
USERNAME = re.compile(r"[A-Za-z0-9_\u4e00-\u9fff]{2,32}")


class UsernameTaken(ShopError):
    status, text = 422, _("这个用户名已经有人用了。")


class WrongPassword(ShopError):
    status, text = 422, _("当前密码不对。")


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever is logged in: what every page needs of an account, apart from any database session."""

    id: int
    username: str
    role: Role
    is_staff: bool
    session_epoch: int
    unread: int = field(default=0, compare=False)  # messages, as far as they are counted: up to MOST_UNREAD

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def is_active(self) -> bool:
        return True

    @property
    def is_anonymous(self) -> bool:
        return False

    def get_id(self) -> str:
        """What the session keeps: a later epoch makes it worthless."""
        return f"{self.id}.{self.session_epoch}"


@dataclass(frozen=True, slots=True)
class AccountView:
    """What the account page shows. No e-mail: see ``register``."""

    username: str
    role: Role
    balance: int  # 贝里
    date_joined: datetime


PERSON = (Account.id, Account.username, Account.role, Account.is_staff, Account.session_epoch)
_account = Account.__table__.c
_message = Notification.__table__.c
_UNREAD = (
    select(_message.id).where(_message.account_id == bindparam("id"), _message.read_time.is_(None)).limit(MOST_UNREAD)
).subquery()
_BY_SESSION = select(
    *(_account.id, _account.username, _account.role, _account.is_staff, _account.session_epoch),
    select(func.count()).select_from(_UNREAD).scalar_subquery(),
).where(_account.id == bindparam("id"), _account.session_epoch == bindparam("epoch"), _account.is_active)


def person(account_id: int, epoch: int) -> Person | None:
    """The active account while its sessions of this epoch count, with its unread messages, else None. One statement."""
    row = db.session.execute(_BY_SESSION, {"id": account_id, "epoch": epoch}).one_or_none()
    return Person(*row) if row else None


def normal_username(text: str) -> str:
    """One spelling for names that look alike: full-width letters become plain ones."""
    return unicodedata.normalize("NFKC", text).strip()


def authenticate(username: str, password: str) -> Person | None:
    """The person, or None for an unknown name, a wrong password or a disabled account, each after the same work.

    A hash with outdated parameters is replaced, now that the password is known.
    """
    name = normal_username(username)
    row = None
    if USERNAME.fullmatch(name):
        query = select(Account.password, Account.is_active, *PERSON).where(Account.username == name)
        row = db.session.execute(query).one_or_none()
    db.session.rollback()  # hashing takes a while; no snapshot is held open meanwhile
    is_right = passwords.matches(password, row[0] if row else None)
    if row is None or not is_right or not row[1]:
        return None
    if passwords.is_outdated(row[0]):
        _store_hash(row[2], row[0], passwords.make_hash(password))
    return Person(*row[2:])


def _store_hash(account_id: int, old: str, new: str) -> None:
    with unit_of_work() as session:
        session.execute(update(Account).where(Account.id == account_id, Account.password == old).values(password=new))


def register(username: str, email: str, password: str) -> Person:
    """A new student.

    User names are public, so a taken one is refused by name (UsernameTaken). Whether an e-mail address is known
    here is nobody's business (safety.md 6.3.8), and nobody has shown that it is theirs. So a
    taken address is left out of the new account without a word, and no page shows it.
    """
    stored = passwords.make_hash(password)
    for address in (email, None):
        try:
            with unit_of_work() as session:
                return _insert(session, username, address, stored)
        except IntegrityError:
            # Somebody took the name or the address a moment ago; the second round knows which.
            continue
    raise UsernameTaken


def _insert(session: Session, username: str, email: str | None, stored: str, role: Role = Role.STUDENT) -> Person:
    if session.scalar(select(Account.id).where(Account.username == username)):
        raise UsernameTaken
    if email and session.scalar(select(Account.id).where(Account.email == email)):
        email = None
    account = Account(
        username=username,
        email=email,
        password=stored,
        uid=secrets.token_hex(16),
        role=role,
        is_staff=role is Role.ADMIN,
        date_joined=clock.now(),
    )
    session.add(account)
    session.flush()
    return _person_of(account)


def _person_of(account: Account) -> Person:
    return Person(account.id, account.username, account.role, account.is_staff, account.session_epoch or 0)


def create_staff(username: str, email: str | None, password: str, roles: Collection[StaffRole]) -> Person:
    """A new member of staff; for the command line only. Raises UsernameTaken."""
    with unit_of_work() as session:
        person = _insert(session, username, email, passwords.make_hash(password), Role.ADMIN)
        session.add_all(StaffMember(account_id=person.id, role=role) for role in set(roles))
        names = [role.name for role in sorted(set(roles))]
        account = session.get_one(Account, person.id)
        audit_log.record(session, Actor("command line"), "account create", account, after={"roles": names})
        return person


def change_password(account_id: int, current: str, new: str) -> Person:
    """The person with a new password and a new epoch: every other session of the account ends.

    Raises WrongPassword, and changes nothing, when current is not the password.
    """
    old = db.session.scalar(select(Account.password).where(Account.id == account_id))
    db.session.rollback()
    if not passwords.matches(current, old):
        raise WrongPassword
    stored = passwords.make_hash(new)
    with unit_of_work() as session:
        changed = update(Account).where(Account.id == account_id, Account.password == old)
        epoch = Account.session_epoch + 1
        row = session.execute(changed.values(password=stored, session_epoch=epoch).returning(*PERSON)).one_or_none()
        if row is None:  # another tab changed it meanwhile
            raise WrongPassword
        return Person(*row)


def end_sessions(account_id: int) -> None:
    """Log the account out everywhere."""
    with unit_of_work() as session:
        session.execute(update(Account).where(Account.id == account_id).values(session_epoch=Account.session_epoch + 1))


def view(account_id: int) -> AccountView:
    row = db.session.execute(
        select(Account.username, Account.role, Account.balance, Account.date_joined).where(Account.id == account_id)
    ).one()
    return AccountView(*row)
