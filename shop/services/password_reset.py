"""A new password by mail: a link that is random, short-lived and good once (safety.md 6.4).

Nobody learns from it whether an address has an account. The letter alone knows the token; its digest is kept.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, Row, Table, delete, insert, literal, select, update
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import MessageType
from shop.errors import ShopError
from shop.extensions import db, settings, unit_of_work
from shop.models import Account, PasswordReset
from shop.services import mail, messages, passwords
from shop.services.locks import lock_account
from shop.wording import mark as _

LIFETIME = timedelta(minutes=30)
TOKEN_BYTES = 32
_COLUMNS = ["account_id", "token_digest", "created_time", "expires_at"]


class LinkGone(ShopError):
    status, text = 410, lazy_gettext("这个链接已经失效：它只能用一次，30 分钟内有效，而且只有最新的一封信算数。")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose password a link sets, for the form: a password must not be one's own name."""

    account_id: int
    username: str
    email: str


def ask(email: str) -> None:
    """Write to the account of this address, if there is one; its earlier links stop working.

    An address that nobody has costs the same statements.
    """
    now, token = clock.now(), secrets.token_urlsafe(TOKEN_BYTES)
    with unit_of_work() as session:
        found = session.execute(
            select(Account.id, Account.username)
            .where(Account.email == email.lower(), Account.is_active)
            .with_for_update()
        ).one_or_none()
        account_id, username = found or (0, "")
        session.execute(delete(PasswordReset).where(PasswordReset.account_id == account_id))
        session.execute(
            insert(cast(Table, PasswordReset.__table__)).from_select(
                _COLUMNS,
                select(
                    Account.id,
                    literal(_digest(token)),
                    literal(now, PasswordReset.created_time.type),
                    literal(now + LIFETIME, PasswordReset.expires_at.type),
                ).where(Account.id == account_id),
            )
        )
        mail.post(session, account_id, [_letter(username, token)])


def link_for(session: Session, account_id: int) -> str:
    """The token of a link that an administrator hands over, in the caller's transaction; earlier ones stop working."""
    now, token = clock.now(), secrets.token_urlsafe(TOKEN_BYTES)
    session.execute(delete(PasswordReset).where(PasswordReset.account_id == account_id))
    session.add(
        PasswordReset(account_id=account_id, token_digest=_digest(token), created_time=now, expires_at=now + LIFETIME)
    )
    return token


def send_to(session: Session, account_id: int, username: str) -> None:
    """Write to an account for which an administrator asks, in the caller's transaction; its earlier links are void."""
    mail.post(session, account_id, [_letter(username, link_for(session, account_id))])


def _letter(username: str, token: str) -> mail.Letter:
    text = _(
        "有人为账户 %(username)s 申请重设密码。请在 30 分钟内打开下面的链接，设置新密码；链接只能用一次。"
        "如果不是您本人申请的，请不要理会这封信，密码不会改变。"
    )
    facts = {"username": username}
    return mail.letter_with_link(_("重设密码"), text, facts, f"{settings().public_url}/password/reset/{token}")


def owner_of(token: str) -> Owner:
    """Whose password this link sets. Raises LinkGone, and changes nothing."""
    row = _find(db.session(), token)
    if row is None:
        raise LinkGone
    return Owner(row.account_id, row.username, row.email or "")


def choose(token: str, password: str) -> Owner:
    """Set the password by this link, once; every session of the account ends. Raises LinkGone."""
    owner = owner_of(token)
    db.session.rollback()  # hashing takes a while; no snapshot is held open meanwhile
    stored = passwords.make_hash(password)
    with unit_of_work() as session:
        lock_account(session, owner.account_id)  # first, as everywhere: ``ask`` takes the account, then its links
        used = session.execute(
            update(PasswordReset).where(*_is_good(token)).values(used_time=clock.now()),
            execution_options={"synchronize_session": False},
        )
        if used.rowcount != 1:  # type: ignore[attr-defined]
            raise LinkGone  # another click was faster
        epoch = Account.session_epoch + 1
        session.execute(
            update(Account).where(Account.id == owner.account_id).values(password=stored, session_epoch=epoch)
        )
        text = _("您的密码刚刚通过一次性链接设好，以前的登录都已失效。如果不是您本人操作，请马上重设密码。")
        messages.tell(session, owner.account_id, MessageType.OTHER, text, link="/account")
    return owner


def _find(session: Session, token: str) -> Row[int, str, str | None] | None:
    """The account of a link that is still good."""
    return session.execute(
        select(PasswordReset.account_id, Account.username, Account.email)
        .join(Account, Account.id == PasswordReset.account_id)
        .where(*_is_good(token), Account.is_active)
    ).one_or_none()


def _is_good(token: str) -> tuple[ColumnElement[bool], ...]:
    return (
        PasswordReset.token_digest == _digest(token),
        PasswordReset.used_time.is_(None),
        PasswordReset.expires_at > clock.now(),
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
