"""Tables to download: streamed, in UTF-8 that spreadsheets recognise, and without a cell that they would calculate."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from flask import Response, stream_with_context

from shop import clock

BYTE_ORDER_MARK = "\ufeff"  # without it spreadsheets read Chinese as something else
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def download(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """An answer that is saved as ``name`` with today's date; ``rows`` are read as they are sent."""
    return Response(
        stream_with_context(_lines(head, rows)),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}-{clock.local_date(clock.now()):%Y%m%d}.csv"'},
    )


def moment(instant: datetime | None) -> str:
    """An instant as a cell, in Shanghai's time; "" without one."""
    return f"{clock.local(instant):%Y-%m-%d %H:%M:%S}" if instant else ""


def _lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield BYTE_ORDER_MARK + _line(head)
    for row in rows:
        yield _line(row)


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([_safe(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue()


def _safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
