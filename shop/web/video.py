"""Which lesson videos a page may play."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

PATH_ONLY = ("", "")


def playable(link: str, origins: Iterable[str]) -> str | None:
    """The address if it is on our own host (a path such as /static/…) or on one of the given origins, else None.

    The content policy says the same to the browser; here the page can tell the reader in words.
    """
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    if (parts.scheme, parts.netloc) == PATH_ONLY:
        is_own = link.startswith("/") and not link.startswith("//") and "\\" not in link
        return link if is_own else None
    return link if f"{parts.scheme}://{parts.netloc}" in set(origins) else None
