"""Passwords: Argon2id hashes, and which ones are too easy to be accepted."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 8, 128  # characters; the upper bound keeps a request from hashing megabytes
COMMON = Path(__file__).parent.parent / "data" / "common_passwords.txt"

# OWASP's minimum: 19 ms here. Tests put a cheap one in its place.
hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)

# Verified for a name that does not exist, so that the answer takes as long as for one that does.
NOBODYS_HASH = "$argon2id$v=19$m=19456,t=2,p=1$MVAx/F3871+EGtjEf9Gbqg$Mt/II1nm++yphg/XNHBbjJPp15r1Nj3ky88CNmBYOsI"


def make_hash(password: str) -> str:
    return hasher.hash(password)


def matches(password: str, stored: str | None) -> bool:
    """Whether this is the password; takes the same time when there is no such account (None)."""
    try:
        return hasher.verify(stored or NOBODYS_HASH, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return hasher.check_needs_rehash(stored)


def is_easy(password: str, *names: str) -> bool:
    """Whether guessers try it first: a common password, or one of the person's own names."""
    folded = password.casefold()
    return folded in _common() or folded in {name.casefold() for name in names}


@cache
def _common() -> frozenset[str]:
    lines = COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
