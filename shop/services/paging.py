"""Which part of a list a page shows."""

from __future__ import annotations

from shop.errors import NotFound


def pages_of(total: int, page: int, size: int) -> int:
    """How many pages so many rows fill, at least one. Raises NotFound when this page is none of them."""
    pages = max(1, -(-total // size))
    if not 1 <= page <= pages:
        raise NotFound
    return pages
