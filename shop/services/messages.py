"""What people are told: a message inside the shop, and a letter beside it when the shop sends mail (domain.md 1.2).

Both are written in the transaction that they tell about. Texts are kept in Chinese with their facts, so that each
reader gets the language of the day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shop import clock, wording
from shop.enums import MessageType
from shop.models import Notification
from shop.services import mail

_TABLE = cast(Table, Notification.__table__)
_ONCE = {
    "postgresql": postgresql.insert(_TABLE).on_conflict_do_nothing(index_elements=["event"]),
    "sqlite": sqlite.insert(_TABLE).on_conflict_do_nothing(index_elements=["event"]),
}


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
) -> None:
    """Tell one account something, in the caller's transaction; see ``Message``.

    What has the same ``event`` is told once for ever: the second time nothing is written, and nothing fails.
    """
    message = Message(kind, content, facts or {}, link)
    told = session.execute(_ONCE[session.get_bind().dialect.name], _row(account_id, message) | {"event": event})
    if told.rowcount:  # type: ignore[attr-defined]
        _post(session, account_id, [message])


def tell_all(session: Session, account_id: int, messages: Sequence[Message]) -> None:
    """Tell one account several things, in the caller's transaction: two statements, however many there are."""
    if messages:
        session.execute(_TABLE.insert(), [_row(account_id, message) for message in messages])
        _post(session, account_id, [message for message in messages if message.is_mailed])


def _row(account_id: int, message: Message) -> dict[str, Any]:
    facts = _plain(message.facts)
    wording.say(
        message.content, "zh", facts
    )  # a missing fact fails here, where it is forgotten, and not when it is read
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
