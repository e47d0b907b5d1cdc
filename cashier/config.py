"""Every setting of the cashier, an environment variable each, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class ConfigError(Exception):
    """A setting is missing or cannot be used; the text says which and why."""


@dataclass(frozen=True)
class Config:
    """What one cashier is told: one merchant (seller) with one application."""

    directory: Path  # cashier.sqlite3 and gateway_private.pem live here
    merchant_public_key: str  # PEM; requests must carry this key's signature
    page_origin: str = "http://localhost:5001"  # the pages' origin; the gateway is meant to be on another one
    app_id: str = "2021000000000001"
    seller_id: str = "2088000000000001"
    speed: float = 1.0  # divides the notify schedule, nothing else
    notify_timeout: float = 5.0  # seconds that a merchant has for his answer
    clock_offset_file: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, *, page_origin: str | None = None) -> Config:
        """Raises ConfigError. ``page_origin`` is what counts when CASHIER_URL is not set."""
        offset_file = environ.get("SHOP_CLOCK_OFFSET_FILE")
        return cls(
            directory=Path(environ.get("CASHIER_DIR", "instance/cashier")),
            merchant_public_key=_merchant_key(environ.get("MERCHANT_PUBLIC_KEY_FILE", "")),
            page_origin=environ.get("CASHIER_URL") or page_origin or cls.page_origin,
            app_id=environ.get("APP_ID", cls.app_id),
            seller_id=environ.get("SELLER_ID", cls.seller_id),
            speed=_positive(environ, "CASHIER_SPEED", cls.speed),
            notify_timeout=_positive(environ, "CASHIER_NOTIFY_TIMEOUT", cls.notify_timeout),
            clock_offset_file=Path(offset_file) if offset_file else None,
        )

    def __post_init__(self) -> None:
        if self.page_origin.count("/") != 2 or not self.page_origin.startswith(("http://", "https://")):
            raise ConfigError(f"CASHIER_URL must be an origin such as http://localhost:5001, not {self.page_origin!r}.")


def _merchant_key(path: str) -> str:
    if not path:
        raise ConfigError("MERCHANT_PUBLIC_KEY_FILE is not set: the cashier cannot check a merchant's signature.")
    try:
        pem = Path(path).read_text()
    except OSError as error:
        raise ConfigError(f"MERCHANT_PUBLIC_KEY_FILE cannot be read: {error.strerror}.") from error
    if "PRIVATE KEY" in pem:
        raise ConfigError("MERCHANT_PUBLIC_KEY_FILE holds a private key; a gateway must only ever see the public one.")
    return pem


def _positive(environ: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(environ.get(name, default))
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ConfigError(f"{name} must be a number above 0.")
    return value
