"""Whether the English catalogue says all that the sources say, and nothing else. Part of ``bin/check``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

PROJECT = Path(__file__).resolve().parent.parent.parent
ENGLISH = PROJECT / "shop/translations/en/LC_MESSAGES/messages.po"
KEYWORDS = ("_", "_n:1,2", "lazy_gettext", "gettext", "ngettext:1,2")


def faults() -> list[str]:
    """One line for each message that is missing, stale, fuzzy, untranslated or has other placeholders."""
    wanted = {message.id: message for message in _sources() if message.id}
    catalogue = _read(ENGLISH)
    there = {message.id: message for message in catalogue if message.id}
    return [
        *(f"missing: {identity!r}" for identity in wanted if identity not in there),
        *(f"stale: {identity!r}" for identity in there if identity not in wanted),
        *(f"obsolete: {identity!r}" for identity in catalogue.obsolete),
        *(f"{fault}: {message.id!r}" for message in there.values() if (fault := _fault(message, catalogue))),
    ]


def _fault(message: Message, catalogue: Catalog) -> str:
    strings = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    if not all(strings):
        return "untranslated"
    if message.fuzzy:
        return "fuzzy"
    return "; ".join(str(error) for error in message.check(catalogue))


def _sources() -> Catalog:
    with tempfile.TemporaryDirectory() as folder:
        pot = Path(folder) / "messages.pot"
        keywords = [f"--keyword={keyword}" for keyword in KEYWORDS]
        command = [sys.executable, "-m", "babel.messages.frontend", "--quiet", "extract", "--no-default-keywords"]
        places = ["-F", "babel.cfg", "--ignore-dirs=.*", "."]  # Babel's own default would skip _macros/ as well
        subprocess.run([*command, *keywords, "-o", str(pot), *places], cwd=PROJECT, check=True)
        return _read(pot)


def _read(path: Path) -> Catalog:
    with open(path, "rb") as file:
        return read_po(file, locale="en")


if __name__ == "__main__":
    found = faults()
    print("\n".join(found))
    sys.exit(bool(found))
