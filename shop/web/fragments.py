"""The part of a catalogue page that is the same for everybody: rendered once, kept for a minute, put into each page.

A kept piece must hold nothing of a person: no name, no token, no choice. What is personal (header, tokens of forms,
"claimed", "owned") is rendered around the pieces for each request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask_babel import get_locale

from shop.gateways import page_cache


def shared(page: str, render: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The pieces of a page (HTML, numbers, lists of them) in the reader's language: as kept, else as render makes them.

    page names the page with everything that its content depends on. What render raises is passed on and not kept.
    """
    key = f"{get_locale()}:{page}"
    found = page_cache.look_up(key)
    if found.pieces is not None:
        return found.pieces
    pieces = render()
    page_cache.keep(key, found.version, pieces)
    return pieces
