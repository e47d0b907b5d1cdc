"""The shop of 路飞学城."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from shop.config import Settings


def create_app(settings: Settings | None = None) -> Flask:
    """See ``shop.application``, loaded only now: ``bin/run`` needs the settings, not two seconds of imports."""
    from shop import application

    return application.create_app(settings)
