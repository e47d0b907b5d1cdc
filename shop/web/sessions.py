"""Server-side sessions in Redis, read only when something asks for them, so that visitors cost nothing.

The cookie carries a random id with its signature and nothing else. A well-signed id with nothing stored is
an empty session of that id; a badly signed one is not adopted. Redis is written only while there is
something to keep. Stored values are JSON, never pickle; garbage counts as absent (safety.md F16).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import redis
import structlog
from flask import Flask, Request, Response, current_app, g, session
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SessionInterface, SessionMixin
from flask_login import current_user
from itsdangerous import BadSignature, Signer

from shop import clock
from shop.config import Settings
from shop.errors import RedisDown

CSRF = "csrf_token"  # where Flask-WTF looks for its secret
USER = "_user_id"  # where Flask-Login looks for the account
DAY = 24 * 3600
COOKIE_SECONDS = 60 * DAY
TOUCH_SHARE = 0.05  # of the idle time: a session is written again when this much has passed

log = structlog.get_logger("shop.sessions")


@dataclass(frozen=True)
class Lifetime:
    """Seconds that a session lives without a visit, and at most."""

    idle: int
    absolute: int


MEMBER = Lifetime(idle=14 * DAY, absolute=60 * DAY)
STAFF = Lifetime(idle=30 * 60, absolute=12 * 3600)


@dataclass
class Record:
    """What Redis keeps of one session; times are seconds since 1970."""

    data: dict[str, Any] = field(default_factory=dict)
    born: float = field(default_factory=lambda: clock.now().timestamp())
    seen: float = field(default_factory=lambda: clock.now().timestamp())
    strict: bool = False  # the short lifetime of staff, decided at log-in
    is_stored: bool = False

    @property
    def lifetime(self) -> Lifetime:
        return STAFF if self.strict else MEMBER

    def seconds_left(self, now: float) -> float:
        return min(self.seen + self.lifetime.idle, self.born + self.lifetime.absolute) - now

    def is_due_again(self, now: float) -> bool:
        return bool(self.data) and now - self.seen > self.lifetime.idle * TOUCH_SHARE


class Store:
    """Records by session id. The ids themselves cannot be read from a Redis dump."""

    serializer = TaggedJSONSerializer()

    def __init__(self, client: redis.Redis) -> None:
        self._redis = client

    @staticmethod
    def key(sid: str) -> str:
        return "sess:" + hashlib.sha256(sid.encode()).hexdigest()

    def load(self, sid: str) -> Record:
        """The record, or an empty one when there is none, it is too old or it makes no sense. Raises RedisError."""
        try:
            raw = self._redis.get(self.key(sid))
        except UnicodeDecodeError:
            return Record()
        except redis.ResponseError as error:
            if "WRONGTYPE" in str(error):
                return Record()
            raise
        record = self._read(raw) if isinstance(raw, str) else None
        return record if record and record.seconds_left(clock.now().timestamp()) > 0 else Record()

    def _read(self, raw: str) -> Record | None:
        try:
            stored = self.serializer.loads(raw)
            born, seen = float(stored["born"]), float(stored["seen"])
            return Record(dict(stored["data"]), born, seen, stored["strict"] is True, is_stored=True)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def save(self, sid: str, record: Record) -> None:
        """Write the record and let it live from now on. Raises RedisError.

        One that was deleted meanwhile stays deleted: a slow page must not undo the log-out of another tab.
        """
        now = clock.now().timestamp()
        record.seen = max(record.seen, now)
        left = int(record.seconds_left(now))
        if left <= 0:
            return self.drop(sid)
        fields = {"data": record.data, "born": record.born, "seen": record.seen, "strict": record.strict}
        self._redis.set(self.key(sid), self.serializer.dumps(fields), ex=left, xx=record.is_stored)
        record.is_stored = True
        return None

    def drop(self, sid: str) -> None:
        self._redis.delete(self.key(sid))


class Session(SessionMixin):
    """One person's session. ``unavailable`` says that Redis did not answer: who this is cannot be known."""

    def __init__(self, sid: str, store: Store, csrf_key: bytes, *, is_new: bool) -> None:
        self.sid = sid
        self.new = is_new
        self.modified = False
        self.accessed = False
        self.unavailable = False
        self._store = store
        self._csrf_key = csrf_key
        self._record = Record() if is_new else None

    @property
    def record(self) -> Record:
        if self._record is None:
            try:
                self._record = self._store.load(self.sid)
            except redis.RedisError as error:
                log.warning("session unavailable", error=type(error).__name__)
                self.unavailable = True
                self._record = Record()
        return self._record

    @property
    def csrf_secret(self) -> str:
        """Derived from the id and not stored, so that a visitor's forms need no Redis."""
        return hmac.new(self._csrf_key, b"csrf:" + self.sid.encode(), hashlib.sha256).hexdigest()

    def __getitem__(self, key: str) -> Any:
        return self.csrf_secret if key == CSRF else self.record.data[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.record.data[key] = value
        self.modified = True

    def __delitem__(self, key: str) -> None:
        del self.record.data[key]
        self.modified = True

    def __iter__(self) -> Iterator[str]:
        return iter(self.record.data)

    def __len__(self) -> int:
        return len(self.record.data)

    def begin(self, user_id: str, *, strict: bool) -> None:
        """Log in: a new id with nothing of the old session, written at once. Raises RedisError.

        Whatever somebody planted before the log-in is worthless afterwards.
        """
        self._replace(Record({USER: user_id}, strict=strict))
        self._store.save(self.sid, self.record)

    def end(self) -> None:
        """Log out: nothing is left of the session, and the browser gets a new id. Raises RedisError."""
        self._replace(Record())

    def _replace(self, record: Record) -> None:
        self._store.drop(self.sid)
        self.sid, self.new, self._record = new_sid(), True, record
        self.modified, self.unavailable = False, False
        g.pop(CSRF, None)  # Flask-WTF keeps the token of the old id there

    def flush(self) -> None:
        """Write what changed, or only that the person was here. Raises RedisError."""
        if self._record is None or self.unavailable:
            return
        if self.modified and not self._record.data:
            self._store.drop(self.sid)
        elif self.modified or self._record.is_due_again(clock.now().timestamp()):
            self._store.save(self.sid, self._record)


class RedisSessions(SessionInterface):
    def __init__(self, client: redis.Redis, secret_keys: tuple[str, ...]) -> None:
        self._store = Store(client)
        self._csrf_key = secret_keys[0].encode()
        oldest_first = list(reversed(secret_keys))  # as itsdangerous wants them: the last one signs
        self._signer = Signer(oldest_first, salt="session-id", key_derivation="hmac", digest_method=hashlib.sha256)

    def open_session(self, app: Flask, request: Request) -> Session:
        cookie = request.cookies.get(self.get_cookie_name(app))
        try:
            sid = self._signer.unsign(cookie).decode() if cookie else None
        except (BadSignature, UnicodeError):
            sid = None
        return Session(sid or new_sid(), self._store, self._csrf_key, is_new=sid is None)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        assert isinstance(session, Session)
        if session.accessed:
            response.vary.add("Cookie")
            if session.new:
                self._set_cookie(app, session, response)
        try:
            session.flush()
        except redis.RedisError as error:
            log.warning("session not saved", error=type(error).__name__)

    def _set_cookie(self, app: Flask, session: Session, response: Response) -> None:
        response.set_cookie(
            self.get_cookie_name(app),
            self._signer.sign(session.sid).decode(),
            max_age=COOKIE_SECONDS,
            path="/",
            secure=self.get_cookie_secure(app),
            httponly=True,
            samesite=self.get_cookie_samesite(app),
        )


def new_sid() -> str:
    return secrets.token_urlsafe(32)


def this_session() -> Session:
    """The request's session as what it is."""
    return session._get_current_object()  # type: ignore[attr-defined]


def require_store() -> None:
    """Say now, rather than after a form was filled in, that nobody can log in. Raises RedisError."""
    current_app.extensions["redis"].ping()


def visitor_owner() -> str:
    """Who owns the cart of this browser while nobody is logged in: "v" and 24 hex digits."""
    return "v" + hashlib.sha256(b"cart:" + this_session().sid.encode()).hexdigest()[:24]


def cart_owner() -> str:
    """Whose cart this request is about: "a12" for account 12, else the browser's own.

    Raises RedisDown when it cannot be known.
    """
    g.is_private = True  # the page will show what is somebody's own
    person_id = current_user.id
    if this_session().unavailable:
        raise RedisDown
    return f"a{person_id}" if person_id else visitor_owner()


def init_app(app: Flask) -> None:
    settings: Settings = app.extensions["settings"]
    app.session_interface = RedisSessions(app.extensions["redis"], settings.secret_keys)
