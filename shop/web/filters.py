"""How templates show money, instants and days; and that a misspelt name is an error."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from flask import Flask
from flask_babel import get_locale
from flask_babel import gettext as _
from jinja2 import StrictUndefined
from markupsafe import Markup, escape

from shop import clock, wording
from shop.models import Notification
from shop.money import to_yuan

ADDRESS = re.compile(
    r"https?://[A-Za-z0-9][A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*"
)  # Chinese ends it, as readers expect
LINK = Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>')


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


def duration(length: timedelta) -> str:
    """How long, in the two largest units: "2 天 3 小时", "1 小时 5 分钟"; below zero as its opposite."""
    minutes = abs(length) // timedelta(minutes=1)
    days, hours = divmod(minutes // 60, 24)
    if days:
        return str(_("%(days)s 天 %(hours)s 小时", days=days, hours=hours))
    if hours:
        return str(_("%(hours)s 小时 %(minutes)s 分钟", hours=hours, minutes=minutes % 60))
    return str(_("%(minutes)s 分钟", minutes=minutes))


def filesize(size: int) -> str:
    """Bytes as people read them: "812 B", "34 KB", "1.4 MB"."""
    if size < 1024:
        return f"{size} B"
    return f"{size / 1024:.0f} KB" if size < 1000 * 1024 else f"{size / 1024 / 1024:.1f} MB"


def linked(text: str) -> Markup:
    """Plain text as safe HTML, the http and https addresses in it as links."""
    parts, at = [], 0
    for found in ADDRESS.finditer(text):
        address = found[0].rstrip(".,;:!?'\"")
        if address.endswith(")") and "(" not in address:
            address = address.rstrip(")")
        parts += [escape(text[at : found.start()]), LINK.format(address, address)]
        at = found.start() + len(address)
    return Markup("").join([*parts, escape(text[at:])])


def init_app(app: Flask) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters.update(yuan=to_yuan, localtime=localtime, localdate=localdate, isotime=isotime, told=told)
    app.jinja_env.filters.update(duration=duration, filesize=filesize, linked=linked)
