"""Archives to download: put together as they are sent, so that nothing of them lies on the server."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, cast

from flask import Response, stream_with_context

from shop import clock

File = tuple[str, Iterable[bytes]]  # its path in the archive, and what it holds


class _Pipe:
    """What ``zipfile`` has written and nobody has read yet. It cannot be sought, and so says nothing of sizes."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def write(self, b: bytes) -> int:
        self._waiting.append(bytes(b))
        return len(b)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        waiting, self._waiting = b"".join(self._waiting), []
        return waiting


def download(name: str, files: Iterable[File]) -> Response:
    """An answer that is saved as ``name`` with today's date; the files are read as they are sent."""
    return Response(
        stream_with_context(chunks(files)),
        mimetype="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}-{clock.local_date(clock.now()):%Y%m%d}.zip"'},
    )


def chunks(files: Iterable[File]) -> Iterator[bytes]:
    """The archive, piece by piece."""
    pipe = _Pipe()
    with zipfile.ZipFile(cast(IO[bytes], pipe), "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files:
            entry = zipfile.ZipInfo(path, clock.local(clock.now()).timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                for piece in content:
                    file.write(piece)
                    if ready := pipe.taken():
                        yield ready
    yield pipe.taken()
