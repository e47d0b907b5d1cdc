"""How often something may be tried, counted in Redis for all processes together (safety.md F75).

A limit belongs to a name; who is counted (an account, an address, both) is up to the caller. What is
counted is stored as a digest, so that Redis shows no names and no addresses.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Flask, current_app
from limits import RateLimitItem, parse
from limits.storage import RedisStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from shop.config import Settings
from shop.errors import TooManyTries

LIMITS: dict[str, RateLimitItem] = {
    # One person's guesses: this account from this address. Another address is not slowed by them.
    "login_pair": parse("5 per 5 minutes"),
    # Guesses from everywhere. Only addresses that never logged in to this account are refused, not its owner.
    "login_account": parse("20 per 15 minutes"),
    # One address that tries many accounts; a school behind one address has room.
    "login_address": parse("50 per 15 minutes"),
    "second_factor": parse("5 per 5 minutes"),
    "password_change": parse("5 per 5 minutes"),
    "registration": parse("30 per 1 hour"),
    "reset_address": parse("30 per 1 hour"),
    # As long as a link is good: whoever gets no further letter can still use the last one.
    "reset_account": parse("5 per 30 minutes"),
    "data_export": parse("5 per 1 day"),  # each reads all that there is about a person
    "order_message": parse("5 per 1 hour"),  # nobody's mailbox is filled by several of the staff
    "coupon_code": parse("10 per 10 minutes"),
    "coupon_code_address": parse("60 per 10 minutes"),
}


def hit(name: str, *who: object) -> None:
    """Count one try. Raises TooManyTries (429, with the seconds to wait) when the limit is reached."""
    limiter, limit, key = _limiter(), LIMITS[name], _key(who)
    if not _ask(limiter.hit, limit, name, key):
        raise TooManyTries(seconds=_wait(limiter, limit, name, key))


def count(name: str, *who: object) -> None:
    """Count one try and say nothing."""
    _ask(_limiter().hit, LIMITS[name], name, _key(who))


def check(name: str, *who: object) -> None:
    """Raise TooManyTries when no try is left, without counting one."""
    limiter, limit, key = _limiter(), LIMITS[name], _key(who)
    if not _ask(limiter.test, limit, name, key):
        raise TooManyTries(seconds=_wait(limiter, limit, name, key))


def forget(name: str, *who: object) -> None:
    """Start counting anew, after a success."""
    _limiter().clear(LIMITS[name], name, _key(who))


def _ask(question: Callable[..., bool], limit: RateLimitItem, name: str, key: str) -> bool:
    """The answer; what lies under the key and is no count of ours counts as nothing and goes (safety.md F16)."""
    try:
        return question(limit, name, key)
    except (ResponseError, ValueError) as error:
        if type(error) in (ReadOnlyError, OutOfMemoryError):
            raise
        _limiter().clear(limit, name, key)
        return question(limit, name, key)


def _wait(limiter: MovingWindowRateLimiter, limit: RateLimitItem, name: str, key: str) -> int:
    return max(1, math.ceil(limiter.get_window_stats(limit, name, key).reset_time - time.time()))


def _key(who: tuple[object, ...]) -> str:
    return hashlib.sha256("\0".join(map(str, who)).encode()).hexdigest()[:32]


def _limiter() -> MovingWindowRateLimiter:
    limiter: MovingWindowRateLimiter | None = current_app.extensions.get("throttle")
    if limiter is None:  # made at the first use: a cluster is asked for its layout then, and may be down at start
        limiter = current_app.extensions["throttle"] = MovingWindowRateLimiter(_storage(current_app))
    return limiter


def _storage(app: Flask) -> RedisStorage:
    settings: Settings = app.extensions["settings"]
    if "," not in settings.redis_url:
        return RedisStorage("redis://shared", connection_pool=app.extensions["redis"].connection_pool)
    nodes = [urlsplit(node.strip()) for node in settings.redis_url.split(",")]
    places = ",".join(f"{node.hostname}:{node.port or 6379}" for node in nodes)
    options = {"username": nodes[0].username, "password": nodes[0].password, "ssl": nodes[0].scheme == "rediss"}
    return storage_from_string(f"redis+cluster://{places}", **options)  # type: ignore[return-value,arg-type]
