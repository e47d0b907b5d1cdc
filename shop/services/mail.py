"""Letters: written in the transaction that they tell about, sent by a job after its commit.

A letter is claimed, and the claim committed, before the mail server hears of it. Whoever dies in between leaves it
claimed: it may have arrived, so it becomes uncertain and is never sent again by itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Table, bindparam, insert, literal, literal_column, select, text, update
from sqlalchemy.orm import Session

from shop import clock, wording
from shop.enums import MailState, MessageType
from shop.extensions import db, settings, unit_of_work
from shop.gateways import smtp
from shop.models import Account, Mail
from shop.services import batches
from shop.wording import LANGUAGES
from shop.wording import mark as _

MOST_SHOWN = 50
MOST_TRIES = 8
BACK_OFF = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720)]  # after each try: 22 hours
TOO_OLD = timedelta(days=3)  # news that nobody needs any more
STUCK = timedelta(minutes=10)  # a claim whose process is gone
BATCH = 200
log = structlog.get_logger()

_UNSYNCED = {"synchronize_session": False}
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


def is_kept() -> bool:
    """Whether letters stay where the demo's outbox page shows them, as there is no server to send them to."""
    return not settings().mail_url and not settings().is_production


def letter(kind: MessageType, content: str, facts: Mapping[str, object], *, link: str = "") -> Letter:
    """A message as a letter; ``link`` is a path of the shop, facts are as JSON keeps them."""
    return letter_with_link(kind.chinese, content, facts, settings().public_url + (link or "/messages"))


def letter_with_link(about: str, content: str, facts: Mapping[str, object], url: str) -> Letter:
    """What it is about and what it says are texts of the catalogue: in Chinese, then in English."""
    subject = " / ".join(
        " · ".join(wording.say(text, language) for text in (_("路飞学城"), about)) for language in LANGUAGES
    )
    return Letter(subject, "\n".join(f"{wording.say(content, language, facts)}\n{url}\n" for language in LANGUAGES))


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


def newest() -> Sequence[Mail]:
    """The letters written last, for the demo's outbox page."""
    return db.session.scalars(select(Mail).order_by(Mail.id.desc()).limit(MOST_SHOWN)).all()


def _message_id() -> str:
    return f"<{secrets.token_hex(16)}@{urlsplit(settings().public_url).hostname}>"


# ---------------------------------------------------------------- sending


def send_due() -> dict[str, int]:
    """The job "outbox": send what is due, one letter at a time; counts by outcome. Nothing without MAIL_URL.

    Two of them at once never send the same letter.
    """
    counts = {"sent": 0, "again": 0, "failed": 0, "uncertain": 0}
    if not settings().mail_url:
        return counts
    counts["uncertain"], counts["failed"] = _give_up(clock.now())
    server = smtp.Server.from_url(settings().mail_url)
    for _number in batches.in_time(range(BATCH)):
        claimed = _claim(clock.now())
        if claimed is None:
            break
        counts[_send(server, claimed)] += 1
    return counts


@dataclass(frozen=True, slots=True)
class Claimed:
    """A letter that nobody else sends now."""

    id: int
    tries: int
    letter: smtp.Letter


def _give_up(now: datetime) -> tuple[int, int]:
    """How many letters are uncertain now, as their sender is gone; and how many have waited too long to be news."""
    is_unsent = text("state <> 2")  # as ix_mail_unsent says it
    lost = update(Mail).where(is_unsent, Mail.state == MailState.SENDING, Mail.next_try_time < now - STUCK)
    old = update(Mail).where(Mail.state == literal_column("0"), Mail.created_time < now - TOO_OLD)
    with unit_of_work() as session:
        uncertain = session.execute(
            lost.values(state=MailState.UNCERTAIN, error="the sender died"), execution_options=_UNSYNCED
        )
        failed = session.execute(old.values(state=MailState.FAILED, error="too old"), execution_options=_UNSYNCED)
        return uncertain.rowcount, failed.rowcount  # type: ignore[attr-defined]


def _claim(now: datetime) -> Claimed | None:
    """The letter that is due longest, claimed in a transaction of its own; ``next_try_time`` is then when it was."""
    with unit_of_work() as session:
        found = session.scalars(
            select(Mail)
            .where(Mail.state == literal_column("0"), Mail.next_try_time <= now)
            .order_by(Mail.next_try_time)
            .limit(1)
            .with_for_update(skip_locked=True)
        ).one_or_none()
        if found is None:
            return None
        found.state = MailState.SENDING
        found.tries += 1
        found.next_try_time = now
        letter = smtp.Letter(found.address, found.subject, found.body, found.message_id, found.created_time)
        return Claimed(found.id, found.tries, letter)


def _send(server: smtp.Server, claimed: Claimed) -> str:
    """Send it and book what came of it: "sent", "again", "failed" or "uncertain"."""
    try:
        smtp.send(server, claimed.letter)
    except smtp.Unsure as error:
        return _book(claimed, MailState.UNCERTAIN, str(error))
    except smtp.NotTaken as error:
        is_over = error.is_final or claimed.tries >= MOST_TRIES
        return _book(claimed, MailState.FAILED if is_over else MailState.WAITING, str(error))
    return _book(claimed, MailState.SENT)


def _book(claimed: Claimed, state: MailState, error: str = "") -> str:
    now = clock.now()
    with unit_of_work() as session:
        letter = session.get(Mail, claimed.id, with_for_update=True)
        if letter is None:  # whom it was for has left the shop meanwhile, and all letters with them
            return "sent" if state is MailState.SENT else "failed"
        letter.state, letter.error = state, error
        if state is MailState.SENT:
            letter.sent_time = now
            letter.body = ""  # it may hold a link that sets a password; what was told stands in the shop
        elif state is MailState.WAITING:
            letter.next_try_time = now + BACK_OFF[claimed.tries - 1]
    if error:
        log.warning("mail", mail=claimed.id, state=state.name.lower(), tries=claimed.tries, error=error)
    return {MailState.SENT: "sent", MailState.WAITING: "again", MailState.FAILED: "failed"}.get(state, "uncertain")
