"""Which language a page is in: the reader's choice, else the browser's, else Chinese."""

from __future__ import annotations

import re
from typing import Any

from babel.support import NullTranslations
from flask import Flask, g, has_request_context, request
from flask_babel import Domain, get_locale, get_translations
from markupsafe import Markup
from werkzeug.wrappers import Response

from shop import wording
from shop.config import Settings
from shop.extensions import babel

COOKIE = "lang"
YEAR = 365 * 24 * 3600
WISH = re.compile(r"[A-Za-z]{2}|\*", re.ASCII)
LOCALES = {"zh": "zh_Hans_CN", "en": "en"}  # what a person chooses → what Babel calls it


class Texts(Domain):
    """The shop's texts, which ``shop.wording`` reads."""

    def get_translations(self) -> NullTranslations:
        locale = get_locale()
        return wording.catalogue(locale.language if locale is not None else "zh")


def choose() -> str:
    """Babel's name of the language of this request; Chinese, the language of the sources, outside of one."""
    if not has_request_context():
        return LOCALES["zh"]
    return LOCALES[request.cookies.get(COOKIE, "") if request.cookies.get(COOKIE) in LOCALES else _of_browser()]


def _of_browser() -> str:
    wanted = [tag.lower() for tag, quality in request.accept_languages if quality > 0 and WISH.match(tag)]
    known = [tag[:2] for tag in wanted if tag[:2] in LOCALES or tag == "*"]
    if known:
        return known[0] if known[0] in LOCALES else "zh"
    return "en" if wanted else "zh"


def remember(response: Response, language: str, settings: Settings) -> None:
    """Keep the reader's choice for a year; it names nobody, so it needs no session."""
    response.set_cookie(COOKIE, language, max_age=YEAR, secure=settings.is_https, httponly=True, samesite="Lax")


def html_lang() -> str:
    """For ``<html lang>``; zh-CN, or fonts choose Japanese shapes."""
    locale = get_locale()
    return "en" if locale is not None and locale.language == "en" else "zh-CN"


def _translations() -> Any:
    """The message catalogue of this request, looked up once: a page asks for some seventy texts."""
    try:
        return g.translations
    except AttributeError:
        g.translations = get_translations()
        return g.translations


def _gettext(text: str, **values: object) -> Markup:
    """A template's text in the reader's language; values are escaped, the text itself is ours."""
    translated = Markup(_translations().ugettext(text))  # nosec B704
    return translated % values if values or "%" in translated else translated


def _ngettext(one: str, many: str, count: int, **values: object) -> Markup:
    translated = Markup(_translations().ungettext(one, many, count))  # nosec B704
    return translated % {"num": count, **values}


def init_app(app: Flask) -> None:
    babel.init_app(app, locale_selector=choose)
    babel.domain_instance = Texts()
    # Flask-Babel's own look the locale up for every single text, and Jinja formats each: a third of a page's time.
    app.jinja_env.globals.update(_=_gettext, gettext=_gettext, ngettext=_ngettext)
