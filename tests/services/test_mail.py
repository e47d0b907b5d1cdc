"""Letters and a mail server that takes them, refuses them, hangs up, or does not exist."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask
from sqlalchemy import select, update

from shop import clock
from shop.enums import MailState
from shop.extensions import db, unit_of_work
from shop.gateways import smtp
from shop.models import Mail
from shop.services import mail
from tests.builders import a_student
from tests.pages.conftest import AnotherShop, another_shop  # noqa: F401
from tests.smtp import END, HANG_UP, MailServer, mail_server

NOBODY_THERE = "smtp://127.0.0.1:1?from=shop@shop.example"
NOTHING = {"sent": 0, "again": 0, "failed": 0, "uncertain": 0}


@pytest.fixture(scope="module")
def running() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def server(running: MailServer) -> MailServer:
    running.answers, running.letters, running.commands = {}, [], []
    return running


@pytest.fixture
def sender(another_shop: AnotherShop, server: MailServer) -> Iterator[Flask]:  # noqa: F811
    """A shop with this mail server."""
    shop = another_shop(mail_url=server.url)
    with shop.app_context():
        yield shop
        db.session.remove()


def written(*subjects: str) -> None:
    """Letters to one student, written just now."""
    student = a_student()
    with unit_of_work() as session:
        mail.post(session, student.id, [mail.Letter(subject, "您好。\n.\n\nHello.\n") for subject in subjects])


def letters() -> list[Mail]:
    db.session.rollback()
    return list(db.session.scalars(select(Mail).order_by(Mail.id)).all())


def only() -> Mail:
    (letter,) = letters()
    return letter


def later(instance: Path, **span: float) -> None:
    file = instance / "clock_offset"
    before = float(file.read_text()) if file.exists() else 0.0
    file.write_text(str(before + timedelta(**span).total_seconds()))


def test_a_letter_arrives_once_as_it_was_written(sender: Flask, server: MailServer) -> None:
    written("订单通知 · Orders")
    assert mail.send_due() == NOTHING | {"sent": 1}
    assert mail.send_due() == NOTHING
    (letter,) = server.letters
    assert letter["Subject"] == "订单通知 · Orders"
    assert letter["To"] == only().address and "shop@shop.example" in letter["From"]
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content().replace("\r\n", "\n") == "您好。\n.\n\nHello.\n"
    sent = only()
    assert server.ids == [sent.message_id]
    assert (sent.state, sent.tries, sent.error) == (MailState.SENT, 1, "")
    assert sent.sent_time is not None
    assert sent.body == ""  # what it said, perhaps a secret link, is not kept


@pytest.mark.parametrize(
    ("command", "answer", "error"),
    [
        ("EHLO", HANG_UP, "SMTP"),
        ("MAIL", "451 later", "SMTPSenderRefused 451"),
        ("MAIL", "550 never", "SMTPSenderRefused 550"),  # about us, not about the receiver: somebody will mend it
        ("RCPT", "450 greylisted", "SMTPRecipientRefused 450"),
        ("RCPT", HANG_UP, "SMTPServerDisconnected"),
        ("DATA", "451 later", "SMTPDataError 451"),
        (END, "452 no space", "SMTPDataError 452"),
    ],
)
def test_what_was_surely_not_taken_is_sent_again_later_with_its_own_number(
    sender: Flask, server: MailServer, instance: Path, command: str, answer: str, error: str
) -> None:
    written("s")
    server.answers = {command: answer} | ({"HELO": HANG_UP} if command == "EHLO" else {})
    assert mail.send_due() == NOTHING | {"again": 1}
    waiting = only()
    assert waiting.state is MailState.WAITING and waiting.error.startswith(error)
    server.answers, server.letters = {}, []
    assert mail.send_due() == NOTHING  # not yet
    later(instance, minutes=1)
    assert mail.send_due() == NOTHING | {"sent": 1}
    assert server.ids == [only().message_id] and only().tries == 2


@pytest.mark.parametrize(("command", "answer"), [("RCPT", "550 no such user"), (END, "554 looks like spam")])
def test_a_letter_refused_for_good_is_not_sent_again(
    sender: Flask, server: MailServer, instance: Path, command: str, answer: str
) -> None:
    written("s")
    server.answers = {command: answer}
    assert mail.send_due() == NOTHING | {"failed": 1}
    later(instance, days=1)
    assert mail.send_due() == NOTHING
    assert only().state is MailState.FAILED


@pytest.mark.parametrize("command", ["DATA", END])
def test_a_letter_that_may_have_arrived_is_never_sent_again(
    sender: Flask, server: MailServer, instance: Path, command: str
) -> None:
    written("s")
    server.answers = {command: HANG_UP}
    assert mail.send_due() == NOTHING | {"uncertain": 1}
    server.answers = {}
    later(instance, days=1)
    assert mail.send_due() == NOTHING
    assert only().state is MailState.UNCERTAIN
    assert len(server.letters) == (1 if command == END else 0)


def test_a_server_that_says_nothing_is_not_waited_for(
    sender: Flask, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "SECONDS", 0.3)
    written("s")
    silent = threading.Event()

    class Silent(dict[str, str]):
        def get(self, command: str, otherwise: str | None = None) -> str:  # type: ignore[override]
            if command == "MAIL":
                silent.wait(5)
            return super().get(command, otherwise or "")

    server.answers = Silent()
    assert mail.send_due() == NOTHING | {"again": 1}
    silent.set()
    assert only().error == "SMTPReadTimeoutError"


def test_after_eight_tries_over_a_day_it_has_failed(another_shop: AnotherShop, instance: Path) -> None:  # noqa: F811
    with another_shop(mail_url=NOBODY_THERE).app_context():
        written("s")
        waits = []
        for _try in range(7):
            assert mail.send_due() == NOTHING | {"again": 1}
            waits.append(only().next_try_time - clock.now())
            later(instance, seconds=waits[-1].total_seconds() + 1)
        assert waits == sorted(waits)
        assert timedelta(hours=20) < sum(waits, timedelta()) < timedelta(hours=24)
        assert mail.send_due() == NOTHING | {"failed": 1}
        later(instance, days=2)
        assert mail.send_due() == NOTHING
        assert (only().state, only().tries) == (MailState.FAILED, 8)


def test_without_a_server_letters_stay_and_old_ones_are_no_news_when_there_is_one(
    app: Flask,
    another_shop: AnotherShop,  # noqa: F811
    server: MailServer,
    instance: Path,
) -> None:
    written("old")
    assert mail.send_due() == NOTHING
    assert only().state is MailState.WAITING
    later(instance, days=4)
    written("new")
    with another_shop(mail_url=server.url).app_context():
        assert mail.send_due() == NOTHING | {"sent": 1, "failed": 1}
    assert [letter["Subject"] for letter in server.letters] == ["new"]


def test_one_bad_letter_does_not_hold_up_the_others(sender: Flask, server: MailServer) -> None:
    written("first", "second\r\nBcc: everybody@example.com", "third")
    assert mail.send_due() == NOTHING | {"sent": 2, "failed": 1}
    assert [letter["Subject"] for letter in server.letters] == ["first", "third"]
    assert not any("everybody" in command for command in server.commands)


@pytest.mark.parametrize(
    "address",
    ["a@b.c\r\nRCPT TO:<x@y.z>", "a@b.c> SIZE=1", "a@b.c, d@e.f", "用户@example.com", "nobody", "@", "a@" + "b" * 80],
)
def test_an_address_that_is_none_reaches_no_server(sender: Flask, server: MailServer, address: str) -> None:
    written("s")
    with unit_of_work() as session:
        session.execute(update(Mail).values(address=address))
    assert mail.send_due() == NOTHING | {"failed": 1}
    assert server.commands == []


def test_a_chinese_domain_is_spelt_for_the_server(sender: Flask, server: MailServer) -> None:
    written("s")
    with unit_of_work() as session:
        session.execute(update(Mail).values(address="luffy@例子.com"))
    assert mail.send_due() == NOTHING | {"sent": 1}
    assert "RCPT TO:<luffy@xn--fsqu00a.com>" in server.commands


def test_two_senders_at_once_send_each_letter_once(sender: Flask, server: MailServer) -> None:
    written(*(str(number) for number in range(12)))
    db.session.remove()
    counts: list[dict[str, int]] = []
    both_ready = threading.Barrier(2)

    def run() -> None:
        with sender.app_context():
            both_ready.wait()
            counts.append(mail.send_due())

    threads = [threading.Thread(target=run) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(count["sent"] for count in counts) == 12
    assert sorted(letter["Subject"] for letter in server.letters) == sorted(str(number) for number in range(12))


def test_a_letter_whose_sender_died_is_uncertain_and_stays_so(
    sender: Flask, server: MailServer, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the claim, which is committed, and the connection; or right after the server took it."""
    written("s")

    def die(*_args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(smtp, "send", die)
        with pytest.raises(KeyboardInterrupt):
            mail.send_due()
    assert only().state is MailState.SENDING
    later(instance, minutes=9)
    assert mail.send_due() == NOTHING
    later(instance, minutes=2)
    assert mail.send_due() == NOTHING | {"uncertain": 1}
    later(instance, days=1)
    assert mail.send_due() == NOTHING
    assert only().state is MailState.UNCERTAIN and server.letters == []


def test_tls_is_asked_for_everywhere_but_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server elsewhere that offers no STARTTLS gets no letter."""
    url = "smtp://shop:s%40cret@mail.example:2525?from=shop@shop.example"
    there = smtp.Server.from_url(url)
    assert (there.host, there.port, there.user, there.password) == ("mail.example", 2525, "shop", "s@cret")
    assert smtp.Server.from_url("smtps://mail.example?from=a@b.c").port == 465
    assert smtp.Server.from_url("smtp://mail.example?from=a@b.c").port == 587
    assert "s@cret" not in repr(there)
    letter = smtp.Letter("a@b.example", "s", "b", "<1@shop.example>", clock.now())
    with mail_server() as server:
        monkeypatch.setattr(smtp, "LOOPBACK", ())
        with pytest.raises(smtp.NotTaken):
            smtp.send(smtp.Server.from_url(server.url), letter)
        assert {command.split()[0] for command in server.commands} <= {"EHLO", "QUIT"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One for this machine, signed by itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))  # the shop's own clock may stand anywhere
        .not_valid_after(datetime.now(UTC) + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    pem = serialization.Encoding.PEM
    files[0].write_bytes(made.public_bytes(pem))
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


def test_a_certificate_that_nobody_vouches_for_gets_no_letter(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = smtp.Letter("a@b.example", "s", "b", "<1@shop.example>", clock.now())
    with mail_server(certificate) as server:
        with pytest.raises(smtp.NotTaken):
            smtp.send(smtp.Server.from_url(server.url), letter)
        assert server.commands == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        smtp.send(smtp.Server.from_url(server.url), letter)
        assert server.ids == ["<1@shop.example>"]
