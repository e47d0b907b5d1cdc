"""A form that must not count twice: its page has a token, and the first one to come with it wins (safety.md F56)."""

from __future__ import annotations

import secrets

from shop.extensions import redis

KEPT_SECONDS = 24 * 3600


def token() -> str:
    """For a new page."""
    return secrets.token_hex(16)


def claim(account_id: int, form_token: str) -> bool:
    """Whether nobody has come with this token before. A form without one is always the first."""
    return not form_token or bool(redis().set(_key(account_id, form_token), "1", nx=True, ex=KEPT_SECONDS))


def is_used(account_id: int, form_token: str) -> bool:
    """Whether somebody has come with it, told before anything else is looked at: the first may have changed that."""
    return bool(form_token) and bool(redis().exists(_key(account_id, form_token)))


def release(account_id: int, form_token: str) -> None:
    """The form was refused: the same page may try again."""
    if form_token:
        redis().delete(_key(account_id, form_token))


def _key(account_id: int, form_token: str) -> str:
    return f"once:{{a{account_id}}}:{form_token}"
