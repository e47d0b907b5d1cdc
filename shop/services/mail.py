"""Letters: written in the transaction that they tell about, sent by a job after its commit.

A letter that may have arrived is never sent again by itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

from sqlalchemy import Table, bindparam, insert, literal, select
from sqlalchemy.orm import Session

from shop import clock, wording
from shop.enums import MailState, MessageType
from shop.extensions import settings
from shop.models import Account, Mail
from shop.wording import mark as _

_account = Account.__table__.c
_COLUMNS = ("account_id", "address", "subject", "body", "message_id", "state", "tries", "next_try_time", "created_time")
_TO_ACCOUNT = insert(cast(Table, Mail.__table__)).from_select(
    [*_COLUMNS, "error"],
    select(
        _account.id,
        _account.email,
        bindparam("subject", type_=Mail.subject.type),
        bindparam("body", type_=Mail.body.type),
        bindparam("message_id", type_=Mail.message_id.type),
        literal(MailState.WAITING, Mail.state.type),
        literal(0),
        bindparam("time", type_=Mail.next_try_time.type),
        bindparam("time", type_=Mail.next_try_time.type),
        literal(""),
    ).where(_account.id == bindparam("account"), _account.email.is_not(None)),
)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is written to somebody, in Chinese and then in English."""

    subject: str
    body: str


def is_on() -> bool:
    """Whether letters are written at all: to a mail server, or to the demo's outbox page."""
    return bool(settings().mail_url) or not settings().is_production


def letter(kind: MessageType, content: str, facts: Mapping[str, object], *, link: str = "") -> Letter:
    """A message as a letter; ``link`` is a path of the shop, facts are as JSON keeps them."""
    url = settings().public_url + (link or "/messages")
    subject = " · ".join(wording.say(text, "zh") for text in (_("路飞学城"), kind.chinese))
    subject += " / " + " · ".join(wording.say(text, "en") for text in (_("路飞学城"), kind.chinese))
    parts = [f"{wording.say(content, language, facts)}\n{url}\n" for language in wording.LANGUAGES]
    return Letter(subject, "\n".join(parts))


def post(session: Session, account_id: int, letters: Sequence[Letter]) -> None:
    """Put letters to one account into the outbox, in the caller's transaction; none when it has no address."""
    if not letters or not is_on():
        return
    now = clock.now()
    rows = [
        {
            "account": account_id,
            "subject": letter.subject,
            "body": letter.body,
            "message_id": _message_id(),
            "time": now,
        }
        for letter in letters
    ]
    session.execute(_TO_ACCOUNT, rows)


def _message_id() -> str:
    return f"<{secrets.token_hex(16)}@{urlsplit(settings().public_url).hostname}>"
