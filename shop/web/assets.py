"""Static files, served in front of Flask: compressed, with validators, at addresses that carry their content's hash."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

from flask import Flask, url_for
from whitenoise import WhiteNoise

from shop.web.headers import FIXED

DAY = 24 * 3600


@cache
def version(path: Path) -> str:
    """Ten hex digits of the file's SHA-256; read once per process, as files change with a release only."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def init_app(app: Flask) -> None:
    folder = Path(app.static_folder or "")
    # Before Flask, so that a picture costs no session; *.br and *.gz beside a file are sent to those who take them.
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign]
        app.wsgi_app, root=folder, prefix="static/", max_age=DAY, add_headers_function=_add_headers
    )

    @app.url_defaults
    def add_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "v" not in values and (folder / values["filename"]).is_file():
            values["v"] = version(folder / values["filename"])

    # For templates: each address is made once per process, not four times per page.
    app.jinja_env.globals["static_url"] = cache(lambda filename: url_for("static", filename=filename))


def _add_headers(headers: Headers, _path: str, _url: str) -> None:
    for name, value in FIXED.items():
        headers[name] = value
