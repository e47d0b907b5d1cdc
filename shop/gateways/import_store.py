"""The file that somebody has looked at and may apply, in Redis for half an hour: one for each person."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import date, timedelta

from redis import Redis

TTL = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file with the day that its relative days count from, and a digest of the differences that were shown."""

    name: str
    content: str
    today: date
    digest: str


def keep(redis: Redis, account_id: int, file: KeptFile) -> str:
    """Keep it in place of an earlier one; the token that names it."""
    token = secrets.token_urlsafe(24)
    body = {"token": token, "name": file.name, "content": file.content, "today": file.today.isoformat()}
    redis.set(_key(account_id), json.dumps({**body, "digest": file.digest}, ensure_ascii=False), ex=TTL)
    return token


def find(redis: Redis, account_id: int, token: str) -> KeptFile | None:
    """The file of this token; None when it is gone or another one came after it."""
    try:
        body = json.loads(redis.get(_key(account_id)) or "")
        if not secrets.compare_digest(body["token"].encode(), token.encode("utf-8", "replace")):
            return None
        return KeptFile(body["name"], body["content"], date.fromisoformat(body["today"]), body["digest"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def forget(redis: Redis, account_id: int) -> None:
    redis.delete(_key(account_id))


def _key(account_id: int) -> str:
    return f"catalogue-import:{{a{account_id}}}"
