"""Rendered pieces of catalogue pages, the same for every reader: in Redis for a minute, in each process for a second.

An entry carries the catalogue's version of the moment before it was rendered; another version makes it worthless. So a
page that was being rendered while the catalogue changed cannot bring the old one back. The second in memory spares
Redis the busiest pages: it is forgotten with the process, and nothing is decided by it.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app
from redis import RedisError

from shop.extensions import redis

SECONDS = 59  # how old a price, a remaining count or a claim window on a page may be; checkout and claims read afresh
MEMORY_SECONDS = 1.0  # on top of that, and how late other processes see a change
MOST_IN_MEMORY = 200  # pages
FORMAT = 1  # one more whenever the pieces of a page change, so that two releases do not read each other's
VERSION = "{catalogue}:version"  # the tag keeps version and pages on one node, so that one MGET reads both


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the cache knows of a page: its pieces, or, when there are none, the version to keep new ones under."""

    pieces: dict[str, Any] | None
    version: str | None  # None: Redis does not answer, nothing can be kept


@dataclass(frozen=True, slots=True)
class _Remembered:
    until: float  # on the monotonic clock
    lookup: Lookup


def look_up(page: str) -> Lookup:
    """The pieces kept for a page, in at most one command. Garbage in Redis counts as nothing (F16)."""
    memory = _memory()
    remembered = memory.get(page)
    if remembered and time.monotonic() < remembered.until:
        return remembered.lookup
    found = _look_up_in_redis(page)
    if found.pieces is not None:
        if len(memory) >= MOST_IN_MEMORY:
            memory.clear()
        memory[page] = _Remembered(time.monotonic() + MEMORY_SECONDS, found)
    return found


def _look_up_in_redis(page: str) -> Lookup:
    try:
        found: list[Any] = redis().mget(VERSION, _key(page))
    except RedisError:
        return Lookup(None, None)
    except UnicodeDecodeError:
        return Lookup(None, "0")
    version, kept = found[0] or "0", found[1] or ""
    kept_version, _, text = kept.partition("\n")
    return Lookup(_pieces(text) if kept_version == version else None, version)


def keep(page: str, version: str | None, pieces: Mapping[str, Any]) -> None:
    """Keep the pieces of a page. Without Redis nothing happens: the page was rendered all the same."""
    if version is None:
        return
    text = json.dumps(pieces, ensure_ascii=False)
    try:
        redis().set(_key(page), f"{version}\n{text}", ex=SECONDS)
    except RedisError:
        pass  # the next reader renders again


def forget_all() -> None:
    """Show the catalogue as it is now; called after every change to it. Without Redis, pages are up to a minute old."""
    _memory().clear()
    try:
        redis().set(VERSION, secrets.token_hex(8))
    except RedisError:
        current_app.logger.warning("catalogue pages stay up to %s s old: Redis does not answer", SECONDS)


def _memory() -> dict[str, _Remembered]:
    """This process's own, by page. Threads share it: each use is one step on a dict."""
    memory: dict[str, _Remembered] = current_app.extensions.setdefault("catalogue_pages", {})
    return memory


def _pieces(text: str) -> dict[str, Any] | None:
    try:
        pieces = json.loads(text)
    except ValueError:
        return None
    return pieces if isinstance(pieces, dict) else None


def _key(page: str) -> str:
    return f"{{catalogue}}:page:{FORMAT}:{page}"
