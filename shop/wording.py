"""Texts in a language that is named, for what is said outside of a page; pages ask for their reader's language.

The .po files are read themselves: no built file can be missing or older than its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from shop import clock
from shop.enums import Month

LANGUAGES = ("zh", "en")
TRANSLATIONS = Path(__file__).parent / "translations"


@cache
def catalogue(language: str) -> NullTranslations:
    """A language's texts, made once per process (50 ms); none for Chinese, the language of the sources."""
    source = TRANSLATIONS / language / "LC_MESSAGES/messages.po"
    if not source.exists():
        return NullTranslations()
    compiled = BytesIO()
    with source.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def mark(text: str) -> str:
    """The text itself, named for the catalogue: ``from shop.wording import mark as _``. ``say`` translates it."""
    return text


def say(text: str, language: str, facts: Mapping[str, object] | None = None) -> str:
    """A Chinese text of the catalogue in this language, its ``%(places)s`` filled.

    Facts come as JSON keeps them: one whose name ends in ``_date`` is an ISO day, in ``_time`` an ISO instant.
    """
    translated = str(catalogue(language).ugettext(text))
    return translated % {name: _shown(name, fact, language) for name, fact in facts.items()} if facts else translated


def day(when: date, language: str) -> str:
    """ "11月30日" or "30 Nov", with the year when it is not this one."""
    is_this_year = when.year == clock.local_date(clock.now()).year
    if language == "en":
        return f"{when.day} {say(Month(when.month).chinese, 'en')}" + ("" if is_this_year else f" {when.year}")
    return ("" if is_this_year else f"{when.year}年") + f"{when.month}月{when.day}日"


def minute(instant: datetime, language: str) -> str:
    """Day and minute in Shanghai: "11月30日 23:59"."""
    here = clock.local(instant)
    return f"{day(here.date(), language)} {here:%H:%M}"


def _shown(name: str, fact: object, language: str) -> object:
    if name.endswith("_date"):
        return day(date.fromisoformat(str(fact)), language)
    if name.endswith("_time"):
        return minute(datetime.fromisoformat(str(fact)), language)
    return fact
