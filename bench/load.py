"""A small client: persistent connections, one browser each, that time what they ask."""

from __future__ import annotations

import html
import http.client
import queue
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from urllib.parse import urlencode

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
INPUT = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclass
class Answer:
    status: int
    text: str
    location: str
    milliseconds: float
    statements: int


@dataclass
class Browser:
    """Cookies and a connection; remembers what every answer took."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    connection: http.client.HTTPConnection | None = None
    answers: list[Answer] = field(default_factory=list)

    def get(self, path: str, status: int = 200) -> Answer:
        return self._ask("GET", path, None, {}, status)

    def post(self, path: str, fields: Mapping[str, object], status: int = 303) -> Answer:
        return self._ask("POST", path, urlencode(fields, doseq=True), FORM, status)

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str], status: int) -> Answer:
        """The answer. Raises RuntimeError for another status than expected: a refusal is quick, and no result."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.cookies:
            headers = {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        started = time.perf_counter()
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        raw = response.read()
        milliseconds = (time.perf_counter() - started) * 1000
        text = raw.decode() if method == "GET" or response.status != status else ""
        if response.status != status:
            raise RuntimeError(f"{method} {path}: {response.status} instead of {status}\n{text[-2000:]}")
        for cookie in response.headers.get_all("Set-Cookie") or ():
            self.cookies.update({name: morsel.value for name, morsel in SimpleCookie(cookie).items()})
        statements = int(response.getheader("X-Statements", "0"))
        answer = Answer(status, text, response.getheader("Location", ""), milliseconds, statements)
        self.answers.append(answer)
        return answer


def hidden_fields(page: str, form_id: str) -> dict[str, str]:
    """What a form of the page would send by its hidden fields."""
    start = page.index(f'id="{form_id}"')
    return {name: html.unescape(value) for name, value in INPUT.findall(page[start : page.index("</form>", start)])}


Job = Callable[[Browser], None]


def run(jobs: Iterable[tuple[Browser, Job]], connections: int) -> list[Answer]:
    """Do all jobs over so many connections; every answer that came. Raises the first failure."""
    waiting: queue.SimpleQueue[tuple[Browser, Job]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    answers: list[Answer] = []
    failures: list[Exception] = []

    def work() -> None:
        connection = None
        while not failures:
            try:
                browser, job = waiting.get_nowait()
            except queue.Empty:
                break
            mine = replace(browser, connection=connection, answers=[])  # several may ask as the same person
            try:
                job(mine)
            except Exception as error:
                failures.append(error)
            connection = mine.connection
            answers.extend(mine.answers)
        if connection is not None:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return answers
