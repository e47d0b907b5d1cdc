"""How templates show money, instants and days; and that a misspelt name is an error."""

from __future__ import annotations

from datetime import date, datetime

from flask import Flask
from flask_babel import get_locale
from jinja2 import StrictUndefined

from shop import clock
from shop.enums import Month
from shop.money import to_yuan


def localtime(instant: datetime) -> str:
    """Day and minute in Shanghai: "11月30日 23:59" or "30 Nov 23:59", with the year when it is not this one."""
    here = clock.local(instant)
    return f"{_day(here.date())} {here:%H:%M}"


def localdate(day: date) -> str:
    """A day in Shanghai, of an instant or a date: "11月30日" or "30 Nov", with the year when it is not this one."""
    return _day(clock.local_date(day) if isinstance(day, datetime) else day)


def _day(day: date) -> str:
    is_this_year = day.year == clock.local_date(clock.now()).year
    locale = get_locale()
    if locale is not None and locale.language == "en":
        return f"{day.day} {Month(day.month).label}" + ("" if is_this_year else f" {day.year}")
    return ("" if is_this_year else f"{day.year}年") + f"{day.month}月{day.day}日"


def isotime(instant: datetime) -> str:
    """For ``<time datetime>`` and the countdown script: "2025-11-30T23:59:59+08:00"."""
    return clock.local(instant).isoformat(timespec="seconds")


def init_app(app: Flask) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(yuan=to_yuan, localtime=localtime, localdate=localdate, isotime=isotime)
