"""How much a request may carry: little, but for the addresses that take files, and those only from who is logged in."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from flask import Flask, current_app, request
from flask_login import current_user

from shop.config import Settings
from shop.services.uploads import MEGABYTE, MOST_FILES

P = ParamSpec("P")
R = TypeVar("R")


def takes_files(view: Callable[P, R]) -> Callable[P, R]:
    """For the view of a form with files; other decorators may stand above or below it."""
    view.takes_files = True  # type: ignore[attr-defined]
    return view


def takes_texts(view: Callable[P, R]) -> Callable[P, R]:
    """For the view of a form whose texts are as long as a lesson; other decorators may stand above or below it."""
    view.takes_texts = True  # type: ignore[attr-defined]
    return view


def init_app(app: Flask) -> None:
    """Bind it before CSRFProtect, which reads the form: by then the limit must be known."""
    settings: Settings = app.extensions["settings"]
    most = (MOST_FILES * settings.upload_megabytes + 1) * MEGABYTE

    @app.before_request
    def allow_files() -> None:
        view = current_app.view_functions.get(request.endpoint or "")
        if request.method == "POST" and getattr(view, "takes_files", False) and current_user.is_authenticated:
            request.max_content_length = most
        if request.method == "POST" and getattr(view, "takes_texts", False) and current_user.is_authenticated:
            request.max_form_memory_size = request.max_content_length
