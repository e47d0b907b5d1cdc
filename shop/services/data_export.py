"""A link to one's own data (safety.md 7.3, 6): for a day, once, for its owner alone. Nothing is kept but its digest.

The archive is put together as it is fetched (``shop.services.own_data``), so no copy lies anywhere.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import MessageType
from shop.errors import NotFound, ShopError, StaffOnly
from shop.extensions import db, settings, unit_of_work
from shop.models import Account, DataExport
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, mail, messages
from shop.services.audit_log import Actor
from shop.wording import mark as _

LIFETIME = timedelta(hours=24)
TOKEN_BYTES = 32


class ExportGone(ShopError):
    status, text = 410, lazy_gettext("这个下载链接已经失效：它只能用一次，24 小时内有效，而且只有最新的一个算数。")


@dataclass(frozen=True, slots=True)
class Export:
    """One link that was made: until when it is good, and whether it has been used."""

    created_time: datetime
    expires_at: datetime
    used_time: datetime | None


def ask(account_id: int) -> str:
    """The token of a new link; an earlier one that was not used stops working."""
    with unit_of_work() as session:
        return _new_link(session, account_id)


def start(account_id: int, *, actor: Actor, reason: str) -> None:
    """For a person who has asked for it: the link goes to the person alone, as a message and a letter.

    Raises NotFound, also for an account that nobody can use any more; StaffOnly; ValueError without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.ACCOUNTS):
            raise StaffOnly
        account = session.get(Account, account_id)
        if account is None or not account.is_active:
            raise NotFound
        token = _new_link(session, account_id)
        audit_log.record(session, actor, "account export", account, reason=reason)
        text = _("您申请的个人数据可以下载了：24 小时内有效，只能下载一次，需要输入登录密码。")
        # the letter alone knows the token; the page that the message leads to makes another one
        messages.tell(session, account_id, MessageType.OTHER, text, link="/account/data", is_mailed=False)
        url = f"{settings().public_url}/account/data/exports/{token}"
        mail.post(session, account_id, [mail.letter_with_link(_("个人数据"), text, {}, url)])


def check(account_id: int, token: str) -> None:
    """Raises ExportGone unless the link is still good, and the account's own. Changes nothing."""
    if db.session.scalar(select(DataExport.id).where(*_is_good(account_id, token))) is None:
        raise ExportGone


def use(account_id: int, token: str) -> None:
    """Spend the link. Raises ExportGone when it is not good any more: of two at once one wins."""
    with unit_of_work() as session:
        spent = session.execute(
            update(DataExport).where(*_is_good(account_id, token)).values(used_time=clock.now()),
            execution_options={"synchronize_session": False},
        )
        if spent.rowcount != 1:  # type: ignore[attr-defined]
            raise ExportGone


def latest(account_id: int) -> Sequence[Export]:
    """The links of the last day, the newest first."""
    rows = db.session.scalars(
        select(DataExport).where(DataExport.account_id == account_id).order_by(DataExport.id.desc()).limit(5)
    )
    return [Export(row.created_time, row.expires_at, row.used_time) for row in rows]


def _new_link(session: Session, account_id: int) -> str:
    now, token = clock.now(), secrets.token_urlsafe(TOKEN_BYTES)
    session.execute(
        delete(DataExport).where(DataExport.account_id == account_id, DataExport.used_time.is_(None)),
        execution_options={"synchronize_session": False},
    )
    session.add(DataExport(account_id=account_id, digest=_digest(token), created_time=now, expires_at=now + LIFETIME))
    session.flush()
    return token


def _is_good(account_id: int, token: str) -> tuple[ColumnElement[bool], ...]:
    return (
        DataExport.account_id == account_id,
        DataExport.digest == _digest(token),
        DataExport.used_time.is_(None),
        DataExport.expires_at > clock.now(),
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
