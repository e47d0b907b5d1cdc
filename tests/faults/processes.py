"""The shop in the web server that production uses, in processes that a test may kill."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from shop.config import PROJECT
from tests.cashier.parts import Answer, fetch
from tests.person import Person

START_SECONDS = 60
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Web:
    """One web server with its workers, on a port of its own and on this test worker's database and Redis.

    A killed server is started again on the same port; ``served`` says what it serves.
    """

    def __init__(
        self, environ: dict[str, str], log: Path, *, workers: int = 1, threads: int = 4, options: Sequence[str] = ()
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        self.die_at = log.with_name("die_at")  # what to write into it: see tests/faults/served.py
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        self._environ = {**kept, **environ, "PUBLIC_URL": self.url, "DIE_AT_FILE": str(self.die_at)}
        options = [*options, "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port), "--no-ws"]
        size = ["--workers", str(workers), "--blocking-threads", str(threads), "--backpressure", "128"]
        self._command = [sys.executable, "-m", "granian", *options, *size, "tests.faults.served:app"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Web:
        with open(self.log, "ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=PROJECT,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < end, self.log.read_text()[-2000:]
            time.sleep(0.05)
        return self

    def ensure(self) -> Web:
        """Started, if it is not running."""
        return self if self._process is not None else self.start()

    def kill(self) -> None:
        """kill -9 for the server and all its workers."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """TERM, as a deploy sends it: to the server alone, which tells its workers."""
        assert self._process is not None
        self._process.terminate()

    def ended(self, seconds: float) -> int:
        """Its exit code, once it has ended by itself. Raises TimeoutExpired."""
        assert self._process is not None
        code = self._process.wait(timeout=seconds)
        self._process = None
        return code

    def workers(self) -> list[int]:
        """The processes that answer requests."""
        assert self._process is not None
        command = ["pgrep", "-P", str(self._process.pid)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        return [int(pid) for pid in found.stdout.split()]

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                pass  # granian waits for a worker that was told to go while it was still starting
        self._end(signal.SIGKILL)  # the group may outlive its leader

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass
        self._process.wait(timeout=15)
        self._process = None

    def _answers(self) -> bool:
        try:
            return fetch(f"{self.url}/healthz").status == 200
        except OSError:
            return False

    def get(self, path: str, person: Person | None = None) -> Answer:
        return self._ask("GET", path, None, _cookie(person))

    def post(self, path: str, data: dict[str, Any], person: Person | None = None) -> Answer:
        """Post a form; for a person who has logged in elsewhere, as all processes share one Redis."""
        token = {"csrf_token": person._token} if person else {}
        headers = {"Content-Type": "application/x-www-form-urlencoded", **_cookie(person)}
        return self._ask("POST", path, urlencode({**token, **data}, doseq=True), headers)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, {n.title(): v for n, v in answer.getheaders()}, answer.read().decode())
        finally:
            connection.close()


def _cookie(person: Person | None) -> dict[str, str]:
    cookie = person.client.get_cookie("session") if person else None
    return {"Cookie": f"session={cookie.value}"} if cookie else {}
