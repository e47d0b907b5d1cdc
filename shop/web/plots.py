"""Plots of reports: where bars lie and what they say. Everything is in percent of the picture, so that it stretches to
any width while its letters keep their size; the template draws it, the style sheet gives it colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask_babel import gettext as _

from shop.services.staff.reports.sheet import Row, Shape, Table, Unit
from shop.web.report_cells import head, text, with_unit

TOP, BOTTOM = 6.0, 90.0  # between them lie the bars; the days are written below
GAP = 0.25  # of the room of a day, when there are few of them
MOST_BARS = 12  # of a plot of names; the table has all of them
WIDEST = 8.0  # of a bar, when there are very few days or months
ALONE, OVER, UNDER = ("first",), ("back", "front"), ("under",)  # classes of colours
STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, in percent of width and height, and what it says; ``series`` is the class of its colour."""

    series: str
    x: str
    y: str
    width: str
    height: str
    says: str
    value: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on an axis with its text; ``anchor`` is the side of the text that is there."""

    at: str
    text: str
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of the legend."""

    series: str
    title: str


@dataclass(frozen=True, slots=True)
class DayPlot:
    """Bars side by side over a line, or under it."""

    title: str
    unit: str
    says: str  # in short, for those who do not see it
    keys: tuple[Key, ...]
    bars: tuple[Bar, ...]
    levels: tuple[Mark, ...]  # lines across, with what they stand for
    zero: str
    days: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One bar below the others, with its name."""

    bar: Bar
    name_y: int  # pixels from the top
    bar_y: int
    label: str


@dataclass(frozen=True, slots=True)
class BarPlot:
    title: str
    says: str
    height: int  # pixels
    lines: tuple[Line, ...]


def draw(table: Table) -> DayPlot | BarPlot | None:
    """The picture of a table; None where there is nothing to see."""
    if table.plot is None or not _highest(table.rows, (*table.plot.over, *table.plot.under)):
        return None
    return _day_plot(table) if table.plot.shape is Shape.DAYS else _bar_plot(table)


# ---------------------------------------------------------------- side by side


def _day_plot(table: Table) -> DayPlot:
    assert table.plot is not None
    over, under = table.plot.over, table.plot.under
    unit = table.columns[over[0]].unit
    most, deepest = _highest(table.rows, over), _highest(table.rows, under)
    step = _step(max(most, deepest), unit)
    bottom = (deepest + step - 1) // step * step
    top = (most + step - 1) // step * step or (0 if bottom else step)
    scale = (BOTTOM - TOP) / (top + bottom)
    zero = TOP + top * scale
    levels = [Mark(_percent(zero - level * scale), _level(abs(level), unit)) for level in range(-bottom, top + 1, step)]
    series = [*zip(over, OVER if len(over) > 1 else ALONE, strict=True), *zip(under, UNDER[: len(under)], strict=True)]
    bars = [bar for place, name in series for bar in _bars_of(table, place, scale, zero, name)]
    titles = [str(_(table.columns[place].title)) for place, _name_of_colour in series]
    return DayPlot(
        title=_named(_(table.title), _("、").join(titles)),
        unit=str(_(unit.word)) if unit.word else "",
        says=_summary(table, over[0]),
        keys=tuple(Key(name, title) for (_place, name), title in zip(series, titles, strict=True)),
        bars=tuple(bars),
        levels=tuple(levels),
        zero=_percent(zero),
        days=tuple(_days(table.rows)),
    )


def _level(value: int, unit: Unit) -> str:
    """A round number without decimals: the lines across are whole yuan apart."""
    return str(value // 100) if unit is Unit.FEN else text(value, unit)


def _highest(rows: Sequence[Row], places: Sequence[int]) -> int:
    return max((_number(row, place) for row in rows for place in places), default=0)


def _number(row: Row, place: int) -> int:
    value = row.cells[place]
    return value if isinstance(value, int) else 0


def _step(highest: int, unit: Unit) -> int:
    """The distance of the lines across: 1, 2 or 5 times a power of ten, so that there are three to six of them."""
    size = 100 if unit is Unit.FEN else 1  # no line between two yuan
    while True:
        for factor in STEPS:
            if highest <= 5 * factor * size:
                return factor * size
        size *= 10


def _bars_of(table: Table, place: int, scale: float, zero: float, series: str) -> Iterator[Bar]:
    room = 100 / len(table.rows)
    gap = max(room * GAP if len(table.rows) <= 100 else 0, room - WIDEST)
    column = table.columns[place]
    for number, row in enumerate(table.rows):
        value = _number(row, place)
        if value <= 0:
            continue
        height = value * scale
        yield Bar(
            series=series,
            x=_percent(number * room + gap / 2),
            y=_percent(zero if series in UNDER else zero - height),
            width=_percent(room - gap),
            height=_percent(height),
            says=_named(_name(table, row), f"{_(column.title)} {with_unit(value, column.unit)}"),
            value=value,
        )


def _days(rows: Sequence[Row]) -> Iterator[Mark]:
    """The first, the middle and the last, which find room on a phone."""
    names = [text(row.cells[0], Unit.DAY) for row in rows]
    yield Mark("0%", names[0])
    if len(names) > 2:
        middle = len(names) // 2
        yield Mark(_percent((middle + 0.5) * 100 / len(names)), names[middle], "middle")
    if len(names) > 1:
        yield Mark("100%", names[-1], "end")


def _summary(table: Table, place: int) -> str:
    column = table.columns[place]
    best = max(table.rows, key=lambda row: _number(row, place))
    return str(
        _(
            "从 %(first)s 到 %(last)s。%(title)s最高的是 %(when)s，%(amount)s。同样的数字在下面的表里。",
            first=_name(table, table.rows[0]),
            last=_name(table, table.rows[-1]),
            title=_(column.title),
            when=_name(table, best),
            amount=with_unit(best.cells[place], column.unit),
        )
    )


# ---------------------------------------------------------------- one below the other

ROOM, NAME_Y, BAR_Y = 46, 16, 24  # pixels of a line, and where its name and its bar lie in it


def _bar_plot(table: Table) -> BarPlot:
    assert table.plot is not None
    (place,) = table.plot.over
    column = table.columns[place]
    rows = table.rows[:MOST_BARS]
    most = max(_highest(rows, (place,)), 1)
    return BarPlot(
        title=_named(_(table.title), head(column)),
        says=str(_("每一条是表里的一行，长短是「%(title)s」。同样的数字在下面的表里。", title=_(column.title))),
        height=ROOM * len(rows),
        lines=tuple(_line(table, row, number, place, most) for number, row in enumerate(rows)),
    )


def _line(table: Table, row: Row, number: int, place: int, most: int) -> Line:
    value, unit = max(_number(row, place), 0), table.columns[place].unit
    label = f"{with_unit(row.cells[place], unit)} · {_name(table, row)}"  # the number first: a long name is cut off
    bar = Bar(ALONE[0], "0%", "0%", _percent(value * 100 / most), "14", label, value)
    return Line(bar, number * ROOM + NAME_Y, number * ROOM + BAR_Y, label)


def _name(table: Table, row: Row) -> str:
    return text(row.cells[0], table.columns[0].unit)


def _named(name: str, what: str) -> str:
    return str(_("%(name)s：%(what)s", name=name, what=what))


def _percent(number: float) -> str:
    return f"{number:.4g}%"
