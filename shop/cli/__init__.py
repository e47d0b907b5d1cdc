"""The commands of ``flask --app wsgi``: every module here offers one command or group named ``commands``."""

from __future__ import annotations

import importlib
import pkgutil

from flask import Flask


def init_app(app: Flask) -> None:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        app.cli.add_command(importlib.import_module(module.name).commands)
