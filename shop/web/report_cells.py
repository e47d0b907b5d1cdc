"""How the numbers of reports are written: the same text on the page, in the plots and in the files."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from flask_babel import gettext as _

from shop.enums import Choice
from shop.money import to_yuan
from shop.services.staff.reports.sheet import Column, Figure, Phrase, Unit, Value

UNKNOWN = "–"


def text(value: Value, unit: Unit) -> str:
    """The bare number, without its unit: "1234.00", "12.5"; "–" for what is not known."""
    if value is None:
        return UNKNOWN
    if isinstance(value, Choice):
        return value.label
    if isinstance(value, Phrase):
        return str(_(value.text, **value.facts))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    if unit is Unit.FEN:
        return to_yuan(value)
    if unit is Unit.MINUTES:
        return _tenths((value + 3) // 6)
    return _tenths(value) if unit is Unit.PERMILLE else str(value)


def _tenths(value: int) -> str:
    return f"{value // 10}.{value % 10}"


def with_unit(value: Value, unit: Unit) -> str:
    """For sentences: "1234.00 元", "12.5%"."""
    word = "" if value is None else unit.word
    return text(value, unit) + (f" {_(word)}" if word and word != "%" else word)


def head(column: Column) -> str:
    """The head of a column, with the unit of what stands below: "收入（元）"."""
    title, word = str(_(column.title)), column.unit.word
    if not word:
        return title
    return str(_("%(title)s（%(unit)s）", title=title, unit=word if word == "%" else _(word)))


def cell(value: Value, unit: Unit) -> str | Decimal:
    """For a file: a number stays one, so that nobody takes a negative amount for a formula; "" is what is not known."""
    if value is None:
        return ""
    is_number = isinstance(value, int) and not isinstance(value, Choice)
    return Decimal(text(value, unit)) if is_number else text(value, unit)


def change(figure: Figure) -> str:
    """How a figure differs from the period before, in words."""
    if figure.value is None or figure.before is None:
        return ""
    before = _("上一期 %(before)s", before=with_unit(figure.before, figure.unit))
    if figure.change is None:
        return str(before)
    sign = "+" if figure.change > 0 else "−" if figure.change < 0 else "±"
    return f"{before} · {sign}{_tenths(abs(figure.change))}%"
