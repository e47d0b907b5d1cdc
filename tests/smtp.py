"""A local mail server that does what a test tells it: takes letters, refuses them, or hangs up at a chosen moment."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import cast

ANSWERS = {"EHLO": "250 mail.test", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", "QUIT": "221 bye"}
HANG_UP = ""  # an answer: the connection ends instead
END = "END"  # when the letter itself has come


class MailServer:
    """``answers`` maps a command to what is said to it instead; ``END`` is for the letter itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, str] = {}
        self.letters: list[EmailMessage] = []  # those that came whole, taken or not
        self.commands: list[str] = []

    @property
    def ids(self) -> list[str]:
        return [str(letter["Message-ID"]) for letter in self.letters]

    def answer(self, command: str) -> str:
        return self.answers.get(command, ANSWERS.get(command, "250 ok"))


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = cast(_Server, self.server).mail
        self._say("220 mail.test")
        while line := self.rfile.readline():
            server.commands.append(line.decode().strip())
            command = line.decode().split()[0].upper()
            answer = server.answer(command)  # once: a test may change its mind at any moment
            if not self._say(answer) or command == "QUIT":
                return
            if command == "DATA" and answer.startswith("354"):
                server.letters.append(self._letter())
                if not self._say(server.answer(END)):
                    return

    def _say(self, text: str) -> bool:
        if text == HANG_UP:
            return False
        self.wfile.write(text.encode() + b"\r\n")
        return True

    def _letter(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        return cast(EmailMessage, message_from_bytes(b"".join(lines), policy=default))


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    mail: MailServer

    def handle_error(self, request: object, client_address: object) -> None:
        """The sender hung up."""


@contextmanager
def mail_server(certificate: tuple[Path, Path] | None = None) -> Iterator[MailServer]:
    """With a certificate and its key it speaks TLS from the first byte."""
    with _Server(("127.0.0.1", 0), _Talk) as server:
        scheme = "smtps" if certificate else "smtp"
        server.mail = MailServer(f"{scheme}://127.0.0.1:{server.server_address[1]}?from=shop@shop.example")
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.mail
        finally:
            server.shutdown()
            thread.join()
