"""A wire between the shop and a server that can be cut, slowed down, or answer in the server's place."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CHUNK = 65536
REDIS_COMMAND = re.compile(rb"(?:^|\n)\*\d+\r\n\$")


class Proxy:
    """Listens on ``port`` and passes everything on, until a test sets one of its faults:

    ``is_cut``: no connection, and the open ones end · ``delay``: seconds before each answer · ``hangs``: no answer at
    all · ``error``: this Redis error in place of each answer · ``lost_after``: what the client says with these bytes
    still arrives, the answer does not, and the connection ends.
    """

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.repair()
        threading.Thread(target=self._accept, daemon=True).start()

    def repair(self) -> None:
        self.is_cut = False
        self.delay = 0.0
        self.hangs = False
        self.error = b""
        self.lost_after = b""

    def cut(self) -> None:
        self.is_cut = True
        for pair in self._pairs:
            _end(*pair)
        self._pairs.clear()

    def stop(self) -> None:
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # stopped
                return
            if self.is_cut:
                client.close()
                continue
            server = self._connect()
            self._pairs.append((client, server))
            for pump, pair in ((self._there, (client, server)), (self._back, (client, server))):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        with _ending(client, server):
            for data in _received(client):
                if self.error:
                    client.sendall(b"-%s\r\n" % self.error * len(REDIS_COMMAND.findall(data)))
                    continue
                server.sendall(data)
                if self.lost_after and self.lost_after in data:
                    self.hangs = True
                    time.sleep(0.3)  # for the server to do it
                    break

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with _ending(client, server):
            for data in _received(server):
                time.sleep(self.delay)
                if not self.hangs:
                    client.sendall(data)


@contextmanager
def _ending(*sockets: socket.socket) -> Iterator[None]:
    """Whichever way one direction ends, the other ends with it."""
    try:
        yield
    except OSError:
        pass
    _end(*sockets)


def _received(source: socket.socket) -> Iterator[bytes]:
    while data := source.recv(CHUNK):
        yield data


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        each.close()
