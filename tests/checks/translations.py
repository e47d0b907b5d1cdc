"""Whether the English catalogue says all that the sources say, and nothing else. Part of ``bin/check``.

After a change of texts, ``python -m tests.checks.translations --update`` brings the catalogue to what the sources say:
new texts come without a translation, those that are gone leave. Then translate what the check still names.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

PROJECT = Path(__file__).resolve().parent.parent.parent
ENGLISH = PROJECT / "shop/translations/en/LC_MESSAGES/messages.po"
PASSED_BESIDE = ("%(fold)s 折",)  # English says what comes off, "21% off": the templates pass that number, too
KEYWORDS = ("_", "mark", "lazy_gettext", "gettext", "ngettext:1,2")
HEADER = r"""# English. The text of each message is the Chinese of the sources; see tests/checks/translations.py.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\n"
"Language: en\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

"""


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


def update() -> None:
    """Write the catalogue anew: the messages of the sources, with the translations that are there."""
    catalogue = _read(ENGLISH)
    catalogue.update(_sources(), no_fuzzy_matching=True)
    with open(ENGLISH, "wb") as file:
        file.write(HEADER.encode())
        write_po(
            file, catalogue, omit_header=True, include_lineno=False, sort_by_file=True, ignore_obsolete=True, width=0
        )


def _fault(message: Message, catalogue: Catalog) -> str:
    strings = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    if not all(strings):
        return "untranslated"
    if message.fuzzy:
        return "fuzzy"
    errors = () if message.id in PASSED_BESIDE else message.check(catalogue)
    return "; ".join(str(error) for error in errors)


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
    if sys.argv[1:] == ["--update"]:
        update()
    found = faults()
    print("\n".join(found))
    sys.exit(bool(found))
