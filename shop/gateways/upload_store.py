"""Files that people hand in, on disk: outside the web root, under random names of the shop's own.

A file is whole on the disk before a row names it. A crash in between leaves a file that no row names, which harms
nobody (``shop.services.uploads.sweep_orphans``).
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)
CHUNK = 256 * 1024


def save(folder: Path, source: IO[bytes]) -> str:
    """Write all of ``source`` to the disk, readable by the shop alone; the name it is kept under. Raises OSError."""
    name = secrets.token_hex(16)
    path = _path(folder, name)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            shutil.copyfileobj(source, target, CHUNK)
            target.flush()
            os.fsync(target.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    for directory in (path.parent, folder):  # a file is there after a power cut only if its folder says so
        _sync(directory)
    return name


def open_file(folder: Path, name: str) -> IO[bytes]:
    """The file, open for reading. Raises FileNotFoundError, also for what cannot be a name."""
    return _path(folder, name).open("rb")


def remove(folder: Path, name: str) -> None:
    """Delete a file; nothing happens when it is not there."""
    _path(folder, name).unlink(missing_ok=True)


def older_than(folder: Path, timestamp: float) -> Iterator[str]:
    """The names of all files that were last written before this POSIX time."""
    for path in folder.glob("[0-9a-f][0-9a-f]/*"):
        with suppress(FileNotFoundError):  # a refused hand-in removes its files at any moment
            if NAME.fullmatch(path.name) and path.parent.name == path.name[:2] and path.stat().st_mtime < timestamp:
                yield path.name


def _path(folder: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise FileNotFoundError(name)
    return folder / name[:2] / name


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
