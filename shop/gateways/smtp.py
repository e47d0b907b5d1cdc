"""One letter to a mail server. What matters to the caller: whether the server may have taken it.

aiosmtplib rather than Flask-Mail, which waits without limit and starts TLS without looking at the certificate.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
from aiosmtplib import SMTPException, SMTPResponseException

SECONDS = 20.0  # for each answer of the server
GOODBYE = 2.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PERMANENT = range(500, 600)


class NotTaken(Exception):
    """The server certainly has not got the letter. ``is_final`` when it will not take it tomorrow either."""

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


class Unsure(Exception):
    """The letter was on its way when the answer failed to come: it may have arrived."""


@dataclass(frozen=True)
class Server:
    """What ``MAIL_URL`` says: ``smtp://user:password@host:587?from=shop@example.com``, ``smtps://`` for TLS at once.

    smtp:// goes over to TLS before it says anything that matters; only a server on this machine may do without.
    """

    host: str
    port: int
    is_tls: bool
    sender: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str) -> Server:
        parts = urlsplit(url)
        is_tls = parts.scheme == "smtps"
        return cls(
            host=parts.hostname or "",
            port=parts.port or (465 if is_tls else 587),
            is_tls=is_tls,
            sender=parse_qs(parts.query)["from"][0],
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent. The same ``message_id`` on every try lets the receiver's side see a repetition."""

    address: str
    subject: str
    body: str
    message_id: str
    written_time: datetime


def send(server: Server, letter: Letter) -> None:
    """Returns when the server has taken the letter. Raises NotTaken or Unsure."""
    try:
        letter = replace(letter, address=_plain(letter.address))
        content = compose(server.sender, letter)
    except (ValueError, MessageError) as error:
        raise NotTaken(f"cannot be written: {type(error).__name__}", is_final=True) from error
    asyncio.run(_hand_over(server, letter.address, content))


def _plain(address: str) -> str:
    """The address with its host as servers spell it: 例子.com is xn--fsqu00a.com. Raises UnicodeError."""
    local, at, host = address.rpartition("@")
    return local + at + host.encode("idna").decode()


def compose(sender: str, letter: Letter) -> bytes:
    """The letter as it travels. Raises ValueError for what would break out of a header."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = Address("路飞学城", addr_spec=sender)
    message["To"] = Address(addr_spec=letter.address)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(letter.written_time)
    message["Message-ID"] = letter.message_id
    message["Auto-Submitted"] = "auto-generated"  # no answer by machines, please
    message.set_content(letter.body, charset="utf-8", cte="base64")
    return message.as_bytes()


async def _hand_over(server: Server, address: str, content: bytes) -> None:
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_tls=server.is_tls,
        start_tls=not server.is_tls and server.host not in LOOPBACK,
        local_hostname=server.sender.rpartition("@")[2],
        timeout=SECONDS,
    )
    connection = None
    try:
        await _begin(client, server.sender, address)
        connection = client.transport  # quitting forgets it
        await _finish(client, content)
        with suppress(SMTPException, OSError):
            await client.quit(timeout=GOODBYE)
    finally:
        connection = connection or client.transport
        client.close()
        if isinstance(connection, asyncio.WriteTransport):
            connection.abort()  # TLS would wait for the other side's farewell, and the loop is about to end
        await asyncio.sleep(0)


async def _begin(client: aiosmtplib.SMTP, sender: str, address: str) -> None:
    """Everything before the letter itself."""
    try:
        await client.connect()
        await client.mail(sender)
    except (SMTPException, OSError) as error:
        raise NotTaken(_reason(error)) from error
    try:
        await client.rcpt(address)
    except (SMTPException, OSError) as error:
        raise NotTaken(_reason(error), is_final=_is_refusal(error)) from error


async def _finish(client: aiosmtplib.SMTP, content: bytes) -> None:
    try:
        await client.data(content)
    except SMTPResponseException as error:  # an answer, and it is no
        raise NotTaken(_reason(error), is_final=_is_refusal(error)) from error
    except (SMTPException, OSError) as error:
        raise Unsure(_reason(error)) from error


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, SMTPResponseException) and error.code in PERMANENT


def _reason(error: Exception) -> str:
    """For the record and the log: kind and number only, as servers repeat addresses in their texts."""
    number = f" {error.code}" if isinstance(error, SMTPResponseException) else ""
    return f"{type(error).__name__}{number}"
