"""What ``bin/run`` starts: embedded Redis, database, cashier, jobs and web server, as one thing that stops as one.

Each part is a process of its own in a group of its own, and writes to ``instance/logs/<name>.log``. When one of
them dies, all end; Ctrl-C or TERM ends them in the reverse order of their start.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from whitenoise import compress

from shop import config, embedded_redis, keys, startup
from shop.config import ConfigError, Settings

HOST = "127.0.0.1"
WEB_WORKERS = 2
WEB_THREADS = 4  # a worker's; below SQLAlchemy's pool of 15 connections
READY_SECONDS = 60
GRACE_SECONDS = 10
TAIL_LINES = 20


class StartError(RuntimeError):
    """The shop cannot run here; the text is one sentence for the person at the terminal."""


@dataclass
class Child:
    """One running part of the shop."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def signal(self, number: int) -> None:
        """To the whole group: a web server has workers."""
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass


@dataclass
class Processes:
    """The children in the order of their start."""

    logs: Path
    children: list[Child] = field(default_factory=list)

    def start(self, name: str, command: Sequence[str], **environ: str) -> Child:
        log = _fresh_log(self.logs, name)
        with open(log, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=config.PROJECT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the launcher only, which then ends them in order
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def demand_alive(self) -> None:
        """Raises StartError with the end of its log when a part has died."""
        for child in self.children:
            if (code := child.process.poll()) is not None:
                raise StartError(f"{child.name} ended with {code}; the end of {child.log}:\n{_tail(child.log)}")

    def stop(self) -> None:
        """TERM for each, last started first; KILL for what is left after the grace time."""
        for child in reversed(self.children):
            child.signal(signal.SIGTERM)
        end = time.monotonic() + GRACE_SECONDS
        for child in self.children:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(max(0.0, end - time.monotonic()))
            child.signal(signal.SIGKILL)  # the group may outlive its leader
            child.process.wait()


def main() -> int:
    """Run the shop until a signal or a failure; returns the exit code."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    try:
        settings = Settings.from_env()
        with _only_one(settings.instance):
            _run(settings, stopping)
    except ConfigError as error:
        print(f"The shop cannot start with these settings:\n{error}", file=sys.stderr)
        return 1
    except (StartError, embedded_redis.EmbeddedRedisError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(settings: Settings, stopping: threading.Event) -> None:
    for port in [settings.port] + [settings.port + 1] * settings.uses_cashier:
        _demand_free(port)
    processes = Processes(settings.instance / "logs")
    try:
        if settings.redis_is_embedded:
            embedded_redis.ensure(config.redis_folder(settings.instance))
        if settings.uses_cashier:
            _start_cashier(processes, settings)
        _prepare_database(settings)
        if stopping.is_set():
            return
        _compress_static()
        counters = _empty_folder(settings.instance / "metrics")
        _start_web(processes, settings, counters)
        _wait_until_ready(processes, settings, stopping)
        if not stopping.is_set():
            _start_jobs(processes, counters)  # after the web server: a person waits for that one
            _greet(settings, sys.stdout)
        while not stopping.wait(0.2):
            processes.demand_alive()
        print("\nStopping …", flush=True)
    finally:
        processes.stop()
        if settings.redis_is_embedded:
            embedded_redis.stop(config.redis_folder(settings.instance))


@contextmanager
def _only_one(instance: Path) -> Iterator[None]:
    """Two launchers on the same data would end each other's Redis. The lock goes with its process, even on KILL."""
    instance.mkdir(parents=True, exist_ok=True)
    with open(instance / "run.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"The shop already runs with the data in {instance}.") from None
        yield


def _demand_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise StartError(f"Port {port} cannot be used ({error.strerror}): try PORT=5010 bin/run.") from None


def _compress_static() -> None:
    """Beside each static file what is sent of it to those who take Brotli or gzip."""
    compress.main(["--quiet", str(config.PROJECT / "shop" / "static")])


def _start_cashier(processes: Processes, settings: Settings) -> None:
    folder = config.cashier_folder(settings.instance)
    merchant_key = config.app_key_file(settings.instance).with_name("app_public.pem")
    merchant_key.parent.mkdir(parents=True, exist_ok=True)
    merchant_key.write_text(keys.public_of(settings.alipay_app_private_key))
    processes.start(
        "cashier",
        ["-m", "cashier", "--port", str(settings.port + 1), "--dir", str(folder)],
        CASHIER_DIR=str(folder),
        CASHIER_URL=settings.cashier_url,
        MERCHANT_PUBLIC_KEY_FILE=str(merchant_key),
        APP_ID=settings.alipay_app_id,
        SELLER_ID=settings.alipay_seller_id,
    )


def _prepare_database(settings: Settings) -> None:
    """Bring the tables up to date, and an empty demo database to life. Most starts find nothing to do."""
    if not startup.is_current(settings):
        _flask("db", "upgrade")
    if not settings.is_production and startup.is_empty(settings):
        _flask("demo", "load")
        logins = _flask("demo", "logins", stdout=subprocess.PIPE)
        _logins_file(settings).write_text(logins)


def _flask(*words: str, stdout: int | None = None) -> str:
    """A command of the shop's own; what it prints when stdout is a pipe, else it goes to the terminal."""
    # Quietly: a person reads this, and JSON lines about each step are not for her.
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *words]
    environ = {**os.environ, "LOG_LEVEL": "WARNING"}
    done = subprocess.run(command, cwd=config.PROJECT, env=environ, stdout=stdout, text=True, check=False)
    if done.returncode != 0:
        raise StartError(f"flask {' '.join(words)} failed.")
    return done.stdout or ""


def _logins_file(settings: Settings) -> Path:
    return settings.instance / "demo_logins.txt"


def _start_jobs(processes: Processes, counters: Path) -> None:
    # The one consumer with the timetable; a second machine's would need --no-periodic.
    # Three of its workers may wait for a silent Alipay at once; the fourth does the rest.
    consumer = ["-m", "huey.bin.huey_consumer", "shop.jobs.huey", "-w", "4", "-k", "thread"]
    processes.start("jobs", consumer, PROMETHEUS_MULTIPROC_DIR=str(counters))


def web_command(port: int, app: str = "wsgi:app") -> list[str]:
    """What follows ``python`` to serve the shop; ``bench`` serves another app the same way."""
    options = ["--interface", "wsgi", "--host", HOST, "--port", str(port), "--no-ws"]
    size = ["--workers", str(WEB_WORKERS), "--blocking-threads", str(WEB_THREADS), "--backpressure", "64"]
    # A worker that still loads does not hear TERM: without its own time limit granian waits for it forever.
    workers = ["--respawn-failed-workers", "--workers-kill-timeout", str(GRACE_SECONDS // 2)]
    return ["-m", "granian", *options, *size, *workers, app]


def _start_web(processes: Processes, settings: Settings, counters: Path) -> None:
    processes.start("web", web_command(settings.port), PROMETHEUS_MULTIPROC_DIR=str(counters))


def _empty_folder(folder: Path) -> Path:
    """What processes of the run before have counted is no longer anybody's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _wait_until_ready(processes: Processes, settings: Settings, stopping: threading.Event) -> None:
    ports = {"web": settings.port} | ({"cashier": settings.port + 1} if settings.uses_cashier else {})
    end = time.monotonic() + READY_SECONDS
    for name, port in ports.items():
        while not _answers(port) and not stopping.is_set():
            processes.demand_alive()
            if time.monotonic() > end:
                log = processes.logs / f"{name}.log"
                raise StartError(f"{name} does not answer; the end of {log}:\n{_tail(log)}")
            stopping.wait(0.05)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _greet(settings: Settings, out: TextIO) -> None:
    lines = ["", f"路飞学城 is open at {settings.public_url}   (Ctrl-C stops it)"]
    if settings.uses_cashier:
        lines.append(f"local Alipay: {settings.cashier_url}")
    if not settings.is_production and _logins_file(settings).exists():
        lines += ["", _logins_file(settings).read_text()]
    lines.append(f"logs: {settings.instance / 'logs'}")
    print("\n".join(lines), file=out, flush=True)


def _fresh_log(folder: Path, name: str) -> Path:
    """The log of this run; the one before is kept as ``<name>.log.1``."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    if log.exists():
        log.replace(folder / f"{name}.log.1")
    return log


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:])


if __name__ == "__main__":
    sys.exit(main())
