"""Addresses of static files carry their content's hash, so that a browser may keep them for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask


@cache
def version(path: Path) -> str:
    """Ten hex digits of the file's SHA-256; read once per process, as files change with a release only."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def init_app(app: Flask) -> None:
    folder = Path(app.static_folder or "")

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "v" not in values and (folder / values["filename"]).is_file():
            values["v"] = version(folder / values["filename"])
