"""Guessing passwords is slowed per account and per address, and never locks an account's owner out (safety.md F75).

Failures are counted for the account from one address, for the account from everywhere and for the address.
The count from everywhere does not bind addresses from which the owner has logged in before.
"""

from __future__ import annotations

import hashlib

from flask import current_app
from redis.exceptions import ResponseError

from shop.services import accounts
from shop.web import throttle

KNOWN_SECONDS = 60 * 24 * 3600
MOST_KNOWN = 20  # addresses remembered per account


def before_try(name: str, address: str) -> None:
    """Raises TooManyTries when no try is left. Counts the try, as parallel guesses are not to slip through."""
    throttle.check("login_address", address)
    if not _is_known(name, address):
        throttle.check("login_account", name)
    throttle.hit("login_pair", name, address)


def failed(name: str, address: str) -> None:
    throttle.count("login_address", address)
    throttle.count("login_account", name)


def succeeded(name: str, address: str) -> None:
    """Forget this address's failures for the account, and remember that its owner comes from there."""
    throttle.forget("login_pair", name, address)
    client, key = current_app.extensions["redis"], _key(name)
    try:
        client.lrem(key, 0, _digest(address))
    except ResponseError:  # no list of ours (safety.md F16)
        client.delete(key)
    client.lpush(key, _digest(address))
    client.ltrim(key, 0, MOST_KNOWN - 1)
    client.expire(key, KNOWN_SECONDS)


def is_owner(name: str, password: str, address: str) -> bool:
    """Whether it is really the owner who sits there: asked like at the log-in, and slowed like it (safety.md 7.5.3).

    Raises TooManyTries.
    """
    before_try(name, address)
    if accounts.authenticate(name, password) is None:
        failed(name, address)
        return False
    succeeded(name, address)
    return True


def forget(name: str) -> None:
    """The account of this name is gone; whoever takes the name next comes from nowhere yet."""
    current_app.extensions["redis"].delete(_key(name))


def _is_known(name: str, address: str) -> bool:
    try:
        return current_app.extensions["redis"].lpos(_key(name), _digest(address)) is not None
    except ResponseError:  # no list of ours (safety.md F16)
        return False


def _key(name: str) -> str:
    return "known:{" + _digest(name) + "}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
