"""Files that somebody handed in, on their way to a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from flask import Response, send_file

from shop.services.uploads import Download

CHUNK = 64 * 1024
SEALED = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; sandbox"}


def attachment(file: Download) -> Response:
    """The file: always to be saved, never shown by the browser as a page of this site."""
    answer = send_file(file.stream, file.mime_type, as_attachment=True, download_name=file.name, etag=False)
    answer.response, answer.direct_passthrough = _chunks(file.stream), False
    answer.content_length = file.size
    answer.headers.update(SEALED)
    answer.call_on_close(file.stream.close)
    return answer


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """The file is closed with its last part; a server's file wrapper leaves that to the end of the connection."""
    with stream:
        while chunk := stream.read(CHUNK):
            yield chunk
