"""What a report is made of: figures, and tables whose columns may be drawn. It knows no page and no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from shop.enums import Choice
from shop.wording import mark as _


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text of the catalogue in a cell, its ``%(places)s`` filled; a bare ``str`` is a name, shown as it is."""

    text: str
    facts: Mapping[str, object] = field(default_factory=dict)


Value = int | str | date | Choice | Phrase | None  # none: not known, or a share of nothing


class Unit(Enum):
    """What a number counts."""

    TEXT = "text"
    DAY = "day"
    COUNT = "count"
    PEOPLE = "people"
    FEN = "fen"
    BELI = "beli"
    MINUTES = "minutes"  # shown in hours
    PERMILLE = "permille"  # shown in percent

    @property
    def word(self) -> str:
        """What the head of a column says about it, a text of the catalogue; "" where the title says it."""
        return _WORDS.get(self, "")


_WORDS = {
    Unit.PEOPLE: _("人"),
    Unit.FEN: _("元"),
    Unit.BELI: _("贝里"),
    Unit.MINUTES: _("小时"),
    Unit.PERMILLE: "%",
}


@dataclass(frozen=True, slots=True)
class Column:
    title: str  # a text of the catalogue, as all that follows
    unit: Unit = Unit.TEXT


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one line, in the order of the columns; ``href`` is where its first one leads."""

    cells: tuple[Value, ...]
    href: str = ""


class Shape(Enum):
    DAYS = "days"  # a bar for each row, side by side
    BARS = "bars"  # a bar for each of the first rows, one below the other


@dataclass(frozen=True, slots=True)
class Plot:
    """Which columns are drawn: ``over`` upwards from the line (the first behind the others), ``under`` downwards."""

    shape: Shape
    over: tuple[int, ...]
    under: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    name: str  # in the address of its file
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    total: tuple[Value, ...] | None = None  # from the second column on
    plot: Plot | None = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell: no row, or only days on which nothing was counted."""
        counted = (value for row in self.rows for value in row.cells[1:] if isinstance(value, int))
        return not any(value for value in counted if not isinstance(value, Choice))


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the whole period, and of the one before where that can be told."""

    title: str
    unit: Unit
    value: Value
    before: Value = None

    @property
    def change(self) -> int | None:
        """By how many thousandths it differs from before, rounded half away from zero; None when that was 0."""
        if not (isinstance(self.value, int) and isinstance(self.before, int)) or self.before <= 0:
            return None
        more = abs(self.value - self.before)
        size = (more * 2_000 + self.before) // (self.before * 2)
        return size if self.value >= self.before else -size


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a number is, in words."""

    term: str
    text: str


@dataclass(frozen=True, slots=True)
class Sheet:
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    meanings: tuple[Meaning, ...]

    def table(self, name: str) -> Table | None:
        """The table of this name; the first one for ""."""
        return next((table for table in self.tables if name in ("", table.name)), None)
