"""What is wrong with the forms of a page: noted where a field shows it, told once more at the top of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Flask, g


@dataclass(frozen=True, slots=True)
class Wrong:
    """One fault; ``id`` is that of the control to go to."""

    id: str
    label: str
    text: str


def _note(control: str, label: object, errors: Sequence[object]) -> str:
    """Prints nothing: the field itself says it."""
    noted: dict[tuple[str, str], Wrong] = g.setdefault("wrongs", {})
    for error in errors:
        noted.setdefault((control, str(error)), Wrong(control, str(label), str(error)))
    return ""


def _take() -> Sequence[Wrong]:
    """What was noted since the last page, which may have failed half way."""
    return list(g.pop("wrongs", {}).values())


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(note_wrong=_note, take_wrongs=_take)
