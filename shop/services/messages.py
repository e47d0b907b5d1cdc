"""What people are told: a message inside the shop, and a letter beside it when the shop sends mail (domain.md 1.2).

Both are written in the transaction that they tell about. Texts are kept in Chinese with their facts, so that each
reader gets the language of the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

from sqlalchemy import Table, func, select, update
from sqlalchemy.orm import Session

from shop import clock, wording
from shop.enums import MessageType
from shop.errors import NotFound
from shop.extensions import db, insert_into, unit_of_work
from shop.models import Notification
from shop.services import mail

PAGE_SIZE = 20
_TABLE = cast(Table, Notification.__table__)


@dataclass(frozen=True, slots=True)
class Message:
    """Something to tell one account.

    ``content`` is a text of the catalogue (``wording.mark``) with %(places)s for ``facts``: texts, numbers, days (names
    that end in ``_date``) and instants (``_time``). ``link`` is a path of the shop.
    """

    kind: MessageType
    content: str
    facts: Mapping[str, object] = field(default_factory=dict)
    link: str = ""
    is_mailed: bool = True


def tell(
    session: Session,
    account_id: int,
    kind: MessageType,
    content: str,
    facts: Mapping[str, object] | None = None,
    *,
    link: str = "",
    event: str | None = None,
    is_mailed: bool = True,
) -> None:
    """Tell one account something, in the caller's transaction; see ``Message``.

    What has the same ``event`` is told once for ever: the second time nothing is written, and nothing fails.
    """
    message = Message(kind, content, facts or {}, link)
    once = insert_into(session, Notification).on_conflict_do_nothing(index_elements=["event"]).returning(_TABLE.c.id)
    if session.execute(once, _row(account_id, message) | {"event": event}).first() and is_mailed:
        _post(session, account_id, [message])


def tell_all(session: Session, account_id: int, messages: Sequence[Message]) -> None:
    """Tell one account several things, in the caller's transaction: two statements, however many there are."""
    if messages:
        session.execute(_TABLE.insert(), [_row(account_id, message) for message in messages])
        _post(session, account_id, [message for message in messages if message.is_mailed])


# ---------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class MessageList:
    """One page of an account's messages, newest first."""

    messages: Sequence[Notification]
    page: int
    pages: int


def index(account_id: int, page: int) -> MessageList:
    """The account's messages. Raises NotFound beyond the last page."""
    total = db.session.scalar(select(func.count()).where(Notification.account_id == account_id)) or 0
    pages = max(1, -(-total // PAGE_SIZE))
    if not 1 <= page <= pages:
        raise NotFound
    messages = db.session.scalars(
        select(Notification)
        .where(Notification.account_id == account_id)
        .order_by(Notification.id.desc())
        .offset((page - 1) * PAGE_SIZE)
        .limit(PAGE_SIZE)
    ).all()
    return MessageList(messages, page, pages)


def read(account_id: int, message_id: int) -> str:
    """Mark one's own message as read; the path that it leads to, "" for none. Raises NotFound."""
    with unit_of_work() as session:
        message = session.scalars(
            select(Notification).where(Notification.id == message_id, Notification.account_id == account_id)
        ).one_or_none()
        if message is None:
            raise NotFound
        message.read_time = message.read_time or clock.now()
        return message.link


def read_all(account_id: int, newest_id: int) -> None:
    """Mark one's own messages as read, up to the newest one that the page showed."""
    with unit_of_work() as session:
        session.execute(
            update(Notification)
            .where(
                Notification.account_id == account_id,
                Notification.read_time.is_(None),
                Notification.id <= newest_id,
            )
            .values(read_time=clock.now()),
            execution_options={"synchronize_session": False},
        )


# ---------------------------------------------------------------- writing


def _row(account_id: int, message: Message) -> dict[str, Any]:
    facts = _plain(message.facts)
    wording.say(message.content, "zh", facts)  # a missing fact fails where it is forgotten, not when it is read
    return {
        "account_id": account_id,
        "msg_type": message.kind,
        "content": message.content,
        "facts": facts,
        "link": message.link,
        "date": clock.now(),
    }


def _post(session: Session, account_id: int, messages: Sequence[Message]) -> None:
    letters = [mail.letter(m.kind, m.content, _plain(m.facts), link=m.link) for m in messages]
    mail.post(session, account_id, letters)


def _plain(facts: Mapping[str, object]) -> dict[str, object]:
    """Facts as JSON keeps them."""
    return {name: fact.isoformat() if isinstance(fact, date) else fact for name, fact in facts.items()}
