"""Covers of courses and degrees, drawn from their own data: the same data always draws the same picture."""

from __future__ import annotations

import hashlib
import unicodedata
from html import escape
from itertools import combinations, pairwise
from typing import NamedTuple

from shop.enums import Level, ProductKind

WIDTH, HEIGHT = 640, 360
MARGIN = 40
NAME_WIDTH = WIDTH - 2 * MARGIN
FONT = "-apple-system, PingFang SC, Noto Sans SC, Noto Sans CJK SC, Microsoft YaHei, WenQuanYi Micro Hei, sans-serif"
SIZES = (76, 68, 60, 52, 46, 40, 36)
MOST_LINES = 3
NAME_BOTTOM = 192  # the mast ends below
PAPER = "#fbf8f3"
SAIL_RED = "#ff9a83"


class Dress(NamedTuple):
    """A category's colours: sky behind the name (white text on it reaches 4.5:1), and three waves, far to near."""

    sky: str
    far: str
    middle: str
    near: str


# Chosen by category id, so that neighbours in the catalogue differ; the last one is for degrees.
DRESSES = (
    Dress("#12507a", "#1d6a9c", "#0d3d61", "#0a2a47"),  # open sea
    Dress("#0d5f54", "#17806f", "#0a4a44", "#083530"),  # lagoon
    Dress("#5a3d7d", "#75549e", "#453064", "#2f2148"),  # dusk
    Dress("#8a3b2a", "#ab5340", "#6d2c20", "#4b1e17"),  # red sandstone
    Dress("#34596b", "#4c788c", "#264554", "#18303d"),  # slate
    Dress("#3d6128", "#55803a", "#2e4b1f", "#1f3416"),  # mangrove
    Dress("#7a4560", "#985e7b", "#5f344a", "#422334"),  # coral
)
DEGREE_DRESS = Dress("#10233f", "#1f4a73", "#17375a", "#0a1729")


def draw_cover(kind: ProductKind, product_id: int, name: str, category_id: int, level: Level) -> str:
    """An SVG document, 640 x 360 units, that reads at 160 px and at 1200 px.

    Colour comes from the category, the waves' shape from kind and id, the number of sails from the level;
    a degree is drawn at night, with a moon. Presentation attributes only: it passes any content policy.
    """
    dress = DEGREE_DRESS if kind == ProductKind.DEGREE else DRESSES[category_id % len(DRESSES)]
    shape = hashlib.sha256(f"{int(kind)}:{product_id}".encode()).digest()
    swell = _swell(shape[10:20], top=286, sway=18)
    harbour = 400 + shape[30] % 120
    parts = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(_printable(name))}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{dress.sky}"/>',
        _moon() if kind == ProductKind.DEGREE else "",
        _wave(_swell(shape[0:10], top=260, sway=24), dress.far),
        _boat(harbour, _surface(swell, harbour), sails=int(level) + 1),
        _wave(swell, dress.middle),
        _wave(_swell(shape[20:30], top=322, sway=13), dress.near),
        _name(_printable(name)),
        "</svg>",
    )
    return "".join(parts)


def _moon() -> str:
    return f'<circle cx="548" cy="196" r="92" fill="{PAPER}" opacity=".1"/>'


def _swell(shape: bytes, top: int, sway: int) -> list[tuple[int, float]]:
    """The crests and troughs of a wave, from left to right: as far apart and as high as the ten bytes say."""
    points = [(-(shape[0] % 60), float(top))]
    for i, byte in enumerate(shape[1:]):
        rise = sway * (0.35 + (byte >> 4) / 23)
        points.append((points[-1][0] + 78 + byte % 48, round(top + (rise if i % 2 else -rise), 1)))
    return points


def _wave(points: list[tuple[int, float]], colour: str) -> str:
    path = [f"M{points[0][0]} {points[0][1]:g}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (x + to_x) // 2
        path.append(f"C{middle} {y:g} {middle} {to_y:g} {to_x} {to_y:g}")
    return f'<path fill="{colour}" d="{"".join(path)}V{HEIGHT}H{points[0][0]}z"/>'


def _surface(points: list[tuple[int, float]], x: int) -> float:
    """How high a wave stands at x (between two points it is close to a smoothstep)."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= x <= x1:
            part = (x - x0) / (x1 - x0)
            return y0 + (y1 - y0) * part * part * (3 - 2 * part)
    return points[-1][1]


def _boat(x: int, water: float, sails: int) -> str:
    """A boat under one to three sails, its hull a little under water; the second sail set is the red jib."""
    parts = (
        f'<path fill="{PAPER}" d="M-58-10H62L46 18H-42z"/>',
        f'<path fill="{PAPER}" d="M-4-88V-16H-54Q-20-44-4-88z"/>',
        f'<path fill="{SAIL_RED}" d="M4-78Q34-50 44-16H4z"/>',
        f'<path fill="{PAPER}" d="M40-70Q74-44 84-16H51Q48-44 40-70z"/>',
    )
    return f'<g transform="translate({x} {water - 9:.1f}) scale(.82)">{"".join(parts[: 1 + sails])}</g>'


def _name(name: str) -> str:
    size, lines = _fit(name)
    leading = size * 1.22
    top = (MARGIN + NAME_BOTTOM) / 2 - leading * (len(lines) - 1) / 2 + size * 0.36
    spans = "".join(
        f'<tspan x="{MARGIN}" y="{top + leading * i:.1f}">{escape(line)}</tspan>' for i, line in enumerate(lines)
    )
    return f'<text font-family="{FONT}" font-size="{size}" font-weight="700" fill="#fff">{spans}</text>'


def _fit(name: str) -> tuple[int, list[str]]:
    """The best-looking setting of the whole name (size, lines); cut with … when not even the smallest size holds it."""
    tokens = _tokens(name)
    if _width(name) * SIZES[-1] > MOST_LINES * NAME_WIDTH:  # cannot fit, and there would be many ways to try
        return SIZES[-1], _cut_lines(tokens, NAME_WIDTH / SIZES[-1])
    settings = [
        setting
        for count in range(1, MOST_LINES + 1)
        for breaks in combinations(range(1, len(tokens)), count - 1)
        if (setting := _setting(tokens, breaks))
    ]
    if not settings:
        return SIZES[-1], _cut_lines(tokens, NAME_WIDTH / SIZES[-1])
    _score, size, lines = max(settings, key=lambda setting: setting[0])
    return size, lines


def _setting(tokens: list[str], breaks: tuple[int, ...]) -> tuple[float, int, list[str]] | None:
    """(score, size, lines) of the name broken before these tokens at the largest size that holds it, or None.

    The score is the size, less what a reader would mind: a break inside Chinese words most, uneven lines a little.
    """
    lines = ["".join(tokens[i:j]).strip() for i, j in pairwise((0, *breaks, len(tokens)))]
    widths = [_width(line) for line in lines]
    high = (NAME_BOTTOM - MARGIN) / (1.22 * len(lines) - 0.2)
    for size in SIZES:
        if size <= high and max(widths) * size <= NAME_WIDTH:
            minded = sum(4 if _may_break(tokens[i - 1], tokens[i]) else 20 for i in breaks)
            return size - minded - 1.5 * (max(widths) - min(widths)), size, lines
    return None


def _may_break(before: str, after: str) -> bool:
    """Whether a line may well end here: at a space, after a mark, before a joining word, between scripts."""
    return (
        before[-1] == " "
        or not before[-1].isalnum()
        or after[0] in "与和及到之"
        or _is_wide(before[-1]) != _is_wide(after[0])
    )


def _cut_lines(tokens: list[str], room: float) -> list[str]:
    """Lines filled one after the other; what does not fit the last one is cut."""
    lines = [""]
    for token in tokens:
        if lines[-1] and _width((lines[-1] + token).rstrip()) > room:
            lines.append("")
        lines[-1] += token
    kept = [line.strip() for line in lines[:MOST_LINES]]
    return [_cut(line, room, more=i == MOST_LINES - 1 and len(lines) > MOST_LINES) for i, line in enumerate(kept)]


def _tokens(name: str) -> list[str]:
    """Pieces that a line may break between: closing marks stay with what precedes, opening ones with what follows."""
    tokens: list[str] = []
    for char in name:
        glued = bool(tokens) and (
            unicodedata.category(char) in ("Pe", "Pf", "Po", "Zs", "Mn")
            or unicodedata.category(tokens[-1][-1]) in ("Ps", "Pi")
            or not (_is_wide(char) or _is_wide(tokens[-1][-1]) or tokens[-1][-1] == " ")
        )
        if glued:
            tokens[-1] += char
        else:
            tokens.append(char)
    return tokens


def _cut(line: str, room: float, more: bool) -> str:
    """The line, shortened with an ellipsis when it is too wide or when more would follow."""
    if not more and _width(line) <= room:
        return line
    while line and _width(line + "…") > room:
        line = line[:-1]
    return line.rstrip() + "…"


def _width(text: str) -> float:
    """About how many em the text takes in a system font's bold, rather too many than too few."""
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    if _is_wide(char) or char == "…":
        return 1.0
    if char in " .,:;'!|ijlI":
        return 0.32
    if char in "MWmw@%":
        return 0.95
    return 0.72 if char.isupper() or char in "&+" else 0.6


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _printable(name: str) -> str:
    """One line without control characters, which XML does not allow."""
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in name).split())
