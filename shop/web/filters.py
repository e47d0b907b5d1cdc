"""How templates show money, instants and days; and that a misspelt name is an error."""

from __future__ import annotations

from datetime import date, datetime

from flask import Flask
from flask_babel import get_locale
from jinja2 import StrictUndefined

from shop import clock, wording
from shop.models import Notification
from shop.money import to_yuan


def localtime(instant: datetime) -> str:
    """Day and minute in Shanghai: "11月30日 23:59" or "30 Nov 23:59", with the year when it is not this one."""
    return wording.minute(instant, _language())


def localdate(day: date) -> str:
    """A day in Shanghai, of an instant or a date: "11月30日" or "30 Nov", with the year when it is not this one."""
    return wording.day(clock.local_date(day) if isinstance(day, datetime) else day, _language())


def _language() -> str:
    locale = get_locale()
    return "en" if locale is not None and locale.language == "en" else "zh"


def told(message: Notification) -> str:
    """What a message says, in the reader's language."""
    return wording.say(message.content, _language(), message.facts)


def isotime(instant: datetime) -> str:
    """For ``<time datetime>`` and the countdown script: "2025-11-30T23:59:59+08:00"."""
    return clock.local(instant).isoformat(timespec="seconds")


def init_app(app: Flask) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(yuan=to_yuan, localtime=localtime, localdate=localdate, isotime=isotime, told=told)
