"""Reading environment variables: one method for each kind of value, every fault kept for one report."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from shop import keys

MAIL_SENDER = re.compile(r"from=[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)


class EnvReader:
    """Reads one variable at a time and collects what is wrong instead of stopping at the first fault.

    An empty variable counts as not set, as in a copied .env.example.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self.environ.get(name, "").strip() or default

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(name).split(",") if word.strip())

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.faults.append(f"{name} must be one of {', '.join(allowed)}.")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most:
            return int(value)
        self.faults.append(f"{name} must be a whole number from {least} to {most}.")
        return default

    def digits(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not (value.isascii() and value.isdigit() and len(value) <= 32):
            self.faults.append(f"{name} must be 1 to 32 digits.")
        return value

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value and not _is_url(value, schemes):
            self.faults.append(f"{name} must be a URL that starts with {' or '.join(f'{s}://' for s in schemes)}.")
        return value

    def mail(self, name: str) -> str:
        """A mail server with the address that letters come from; "" when not set."""
        value = self.text(name)
        if value and not _is_mail_server(value):
            self.faults.append(f"{name} must be smtp://user:password@host:port?from=address, or smtps://….")
        return value

    def origin(self, name: str, default: str) -> str:
        value = self.text(name, default).rstrip("/")
        if not _is_origin(value):
            self.faults.append(f"{name} must be scheme and host only, such as https://shop.example.")
        return value

    def origins(self, name: str) -> tuple[str, ...]:
        values = tuple(self.text(name).replace(",", " ").split())
        for value in values:
            if not _is_origin(value):
                self.faults.append(f"{name} must list origins such as https://media.example, which {value} is not.")
        return values

    def database(self, name: str, default: str) -> str:
        """A SQLAlchemy URL with its driver named."""
        try:
            url = make_url(self.text(name, default))
        except ArgumentError:
            url = URL.create("none")
        if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
            return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        if url.drivername == "sqlite" and url.database not in (None, "", ":memory:"):
            return url.render_as_string(hide_password=False)
        self.faults.append(f"{name} must be postgresql+psycopg://… or sqlite:///file (in-memory cannot be shared).")
        return default

    def redis(self, name: str, default: str) -> str:
        value = self.text(name, default)
        nodes = value.split(",")
        schemes = ("redis", "rediss") if len(nodes) > 1 else ("redis", "rediss", "unix")
        if not all(_is_url(node.strip(), schemes) for node in nodes):
            self.faults.append(f"{name} must be redis://…, rediss://… or unix://…; nodes of a cluster by commas.")
        return value

    def private_key(self, name: str) -> str:
        return self._key(name, path, keys.private_pem) if (path := self.text(name)) else ""

    def public_keys(self, name: str) -> tuple[str, ...]:
        paths = [path for path in self.text(name).split(os.pathsep) if path]
        return tuple(filter(None, (self._key(name, path, keys.public_pem) for path in paths)))

    def _key(self, name: str, path: str, parse: Callable[[str], str]) -> str:
        try:
            return parse(Path(path).read_text())
        except OSError as error:
            self.faults.append(f"{name}: cannot read {path} ({error.strerror}).")
        except ValueError as error:
            self.faults.append(f"{name}: {path} is {error}.")
        return ""


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  raises ValueError for what is no port
    except ValueError:
        return False
    has_place = parts.hostname or parts.path if parts.scheme in ("unix", "sqlite") else parts.hostname
    return parts.scheme in schemes and bool(has_place) and not any(c.isspace() for c in value)


def _is_mail_server(value: str) -> bool:
    return _is_url(value, ("smtp", "smtps")) and bool(MAIL_SENDER.fullmatch(urlsplit(value).query))


def _is_origin(value: str) -> bool:
    # The value goes into headers and URLs as it is: nothing after the port, nothing that would end a CSP source.
    if not _is_url(value, ("http", "https")) or any(c in value for c in ";,'\"\\@"):
        return False
    parts = urlsplit(value)
    return value == f"{parts.scheme}://{parts.netloc}"
