"""Rendered pieces of catalogue pages in Redis, the same for every reader, for at most a minute.

An entry carries the catalogue's version of the moment before it was rendered; another version makes it worthless. So a
page that was being rendered while the catalogue changed cannot bring the old one back.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app
from redis import RedisError

from shop.extensions import redis

SECONDS = 60  # how old a price, a remaining count or a claim window on a page may be; checkout and claims read afresh
VERSION = "{catalogue}:version"  # the tag keeps version and pages on one node, so that one MGET reads both


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the cache knows of a page: its pieces, or, when there are none, the version to keep new ones under."""

    pieces: dict[str, Any] | None
    version: str | None  # None: Redis does not answer, nothing can be kept


def look_up(page: str) -> Lookup:
    """The pieces kept for a page, in one command. Garbage in Redis counts as nothing (F16)."""
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
    try:
        redis().set(VERSION, secrets.token_hex(8))
    except RedisError:
        current_app.logger.warning("catalogue pages stay up to %s s old: Redis does not answer", SECONDS)


def _pieces(text: str) -> dict[str, Any] | None:
    try:
        pieces = json.loads(text)
    except ValueError:
        return None
    return pieces if isinstance(pieces, dict) else None


def _key(page: str) -> str:
    return f"{{catalogue}}:page:{page}"
