"""Records out of YAML files by a table of keys; every fault is kept with its file and line, none is raised.

Faults are told in the reader's language. Only plain data is read: no tags, no aliases (a few lines of them can stand
for gigabytes), no key twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from shop.enums import Choice
from shop.money import from_yuan

LARGEST_FILE = 4 * 1024 * 1024  # bytes
MOST_FILES = 200
MOST_FAULTS = 1_000  # whoever has more of them looks at the first ones
DEEPEST = 16  # lists and records inside one another
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is there
WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,8})", re.ASCII)
RELATIVE_DAY = re.compile(r"today(?:([+-])([0-9]{1,4}))?", re.ASCII)
ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
STRING, NULL, BOOLEAN = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "null", "bool"))

# What a value must be, as ``must_be`` tells it.
TEXT = lazy_gettext("文字")
WHOLE_NUMBER = lazy_gettext("整数")
YUAN = lazy_gettext("以元为单位的金额（例如 99.00）")
EXACT_YUAN = lazy_gettext("以元为单位的金额，最多两位小数（例如 99.00）")
FLAG = lazy_gettext("布尔值 true 或 false")
DAY = lazy_gettext("日期（例如 2026-11-30 或 today+30）")
WORD = lazy_gettext("一个词")


class Wrong(ValueError):
    """A value that cannot be used; the text is the rest of a sentence that begins with the key."""


def must_be(what: Any, found: str | None = None) -> Wrong:
    """Says what a value must be, a lazy text, and how it is written instead."""
    if found is None:
        return Wrong(_("必须是%(what)s", what=what))
    return Wrong(_("必须是%(what)s，写的是 %(found)r", what=what, found=found[:40]))


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: shown as ``file:line``."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class Faults:
    """Every fault found so far, each a place and a sentence; with MOST_FAULTS the reading ends."""

    found: set[tuple[str, int, str]] = field(default_factory=set)

    def add(self, place: Place, sentence: str) -> None:
        """Raises FormatError when there are enough."""
        self.found.add((place.file, place.line, sentence))
        if len(self.found) >= MOST_FAULTS:
            raise FormatError(self)

    @property
    def lines(self) -> list[str]:
        """``file:line: sentence``, in the order of the files and their lines."""
        return [f"{file}:{line}: {sentence}" for file, line, sentence in sorted(self.found)]


class FormatError(ValueError):
    """Files that cannot be imported: ``lines`` has ``file:line: sentence`` for every fault. Nothing was written."""

    def __init__(self, faults: Faults) -> None:
        super().__init__("\n".join(faults.lines))
        self.lines = faults.lines


@dataclass(frozen=True, slots=True)
class Value:
    """One value as it is written, with its place."""

    node: yaml.Node
    file: str
    today: date
    faults: Faults

    @property
    def place(self) -> Place:
        return Place(self.file, self.node.start_mark.line + 1)

    def at(self, node: yaml.Node) -> Value:
        return Value(node, self.file, self.today, self.faults)

    def scalar(self, what: Any) -> str:
        """The text as written, before YAML makes a number of it: a price of 99.10 stays 99.10."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag == NULL:
            raise must_be(what)
        return str(self.node.value)


Reader = Callable[[Value], Any]


@dataclass(frozen=True, slots=True)
class Key:
    """How the value of one key is read, and whether the key must be there."""

    read: Reader
    required: bool = False


Keys = Mapping[str, Key]


@dataclass(slots=True)
class Record:
    """What a file says about one thing: only the keys that are there and could be read."""

    place: Place
    values: dict[str, Any]
    places: dict[str, Place]  # of every key that is written, readable or not

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def records(self, key: str) -> list[Record]:
        found: list[Record] = self.values.get(key, [])
        return found

    def place_of(self, key: str) -> Place:
        return self.places.get(key, self.place)

    def picked(self, *keys: str, **renamed: str) -> dict[str, Any]:
        """The values that are there, by column: ``picked("name", coupon_type="type")``."""
        columns = {key: key for key in keys} | renamed
        return {column: self.values[key] for column, key in columns.items() if key in self.values}


# ---------------------------------------------------------------- files


def files_of(path: Path) -> list[Path]:
    """The file itself, or the ``*.yaml`` files of a folder by name. Raises FileNotFoundError when there is none."""
    found = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not found or not all(file.is_file() for file in found):
        raise FileNotFoundError(_("%(path)s：没有 YAML 文件", path=path))
    return found[: MOST_FILES + 1]


def read_files(paths: list[Path], keys: Keys, today: date, faults: Faults) -> list[Record]:
    """One record per file that could be read; the others are among the faults."""
    if len(paths) > MOST_FILES:
        faults.add(Place(str(paths[0].parent), 1), _("一个文件夹最多 %(most)s 个文件", most=MOST_FILES))
        return []
    read = [read_text(str(path), partial(_content, path), keys, today, faults) for path in paths]
    return [record for record in read if record is not None]


def read_text(name: str, content: Callable[[], bytes], keys: Keys, today: date, faults: Faults) -> Record | None:
    """The record that a text says, which the faults call by this name; None when it cannot be read."""
    root = _compose(name, content, faults)
    return None if root is None else _record(Value(root, name, today, faults), keys)


def _content(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_FILE:
        raise Wrong(_("文件超过 %(size)s MiB", size=LARGEST_FILE // 1024 // 1024))
    return path.read_bytes()


def _compose(name: str, content: Callable[[], bytes], faults: Faults) -> yaml.Node | None:
    start = Place(name, 1)
    try:
        text = content().decode("utf-8")
        _demand_plain_data(text)
        root: yaml.Node | None = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or error.context  # PyYAML's own are in English
        faults.add(Place(name, line), _("这不是普通的 YAML：%(problem)s", problem=problem))
    except UnicodeDecodeError:
        faults.add(start, _("文件不是 UTF-8 文字"))
    except OSError as error:
        faults.add(start, _("文件读不了（%(reason)s）", reason=error.strerror))
    except Wrong as wrong:
        faults.add(start, str(wrong))
    except yaml.YAMLError as error:
        faults.add(start, _("YAML 读不了：%(problem)s", problem=str(error).partition("\n")[0]))
    else:
        if root is None:
            faults.add(start, _("文件是空的"))
        return root
    return None


def _demand_plain_data(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _not_plain(_("不支持别名（*name）"), event)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _not_plain(_("列表和键的嵌套超过 %(deepest)s 层", deepest=DEEPEST), event)


def _not_plain(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = event.start_mark
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


# ---------------------------------------------------------------- records


def _record(value: Value, keys: Keys) -> Record | None:
    if not isinstance(value.node, yaml.MappingNode):
        value.faults.add(value.place, _("这里应该是键和值（%(keys)s）", keys=", ".join(keys)))
        return None
    record = Record(value.place, {}, {})
    for key, child in _pairs(value, value.node, record):
        if key not in keys:
            sentence = _("不认识的键 %(key)r；可以用的有：%(keys)s", key=_shown(key), keys=", ".join(keys))
            value.faults.add(record.places[key], sentence)
            continue
        try:
            record.values[key] = keys[key].read(child)
        except Wrong as wrong:
            value.faults.add(child.place, _("%(key)s：%(wrong)s", key=key, wrong=wrong))
    for key, rule in keys.items():
        if rule.required and key not in record.places:
            value.faults.add(record.place, _("缺少 %(key)s", key=key))
    return record


def _pairs(value: Value, node: yaml.MappingNode, record: Record) -> Iterator[tuple[str, Value]]:
    for key_node, child in node.value:
        place = value.at(key_node).place
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        if key in record.places:
            first = record.places[key].line
            value.faults.add(place, _("%(key)s 写了两次，第一次在第 %(line)s 行", key=_shown(key), line=first))
            continue
        record.places[key] = place
        yield key, value.at(child)


def _shown(key: str) -> str:
    """As much of a key as its fault repeats: it may be of any length, and go to a terminal."""
    return CONTROL.sub("?", key[:60])


def _items(value: Value) -> list[Value]:
    if not isinstance(value.node, yaml.SequenceNode):
        raise Wrong(_("必须是列表，每一项各占一行，以 '- ' 开头"))
    return [value.at(node) for node in value.node.value]


def records(keys: Keys, *, unique: tuple[str, ...] = (), least: int = 0) -> Reader:
    """Reads a list of records; no two may have the same value of a unique key."""

    def read(value: Value) -> list[Record]:
        items = _items(value)
        if len(items) < least:
            raise Wrong(ngettext("至少要有 %(num)s 项", "至少要有 %(num)s 项", least))
        found = [record for item in items if (record := _record(item, keys)) is not None]
        for key in unique:
            demand_unique(found, key, value.faults)
        return found

    return read


def demand_unique(found: list[Record], key: str, faults: Faults) -> None:
    """A fault for each record whose value of the key an earlier one has already."""
    first: dict[Any, Place] = {}
    for record in found:
        if key not in record:
            continue
        earlier = first.setdefault(record[key], record.place_of(key))
        if earlier is not record.place_of(key):
            sentence = _(
                "%(key)s %(value)r 在 %(place)s 已经用过了", key=key, value=str(record[key])[:60], place=earlier
            )
            faults.add(record.place_of(key), sentence)


# ---------------------------------------------------------------- single values


def text(longest: int, *, pattern: str = "", what: Any = "") -> Reader:
    """Reads one line of text, not empty; pattern is what all of it must match, told as ``what``, a lazy text."""
    return _text(longest, multiline=False, pattern=pattern, what=what)


def paragraphs(longest: int) -> Reader:
    """Reads text of one or more lines, not empty; ends without a line break."""
    return _text(longest, multiline=True)


def _text(longest: int, *, multiline: bool, pattern: str = "", what: Any = "") -> Reader:
    def read(value: Value) -> str:
        found = value.scalar(TEXT).strip()
        if value.node.tag != STRING:
            raise Wrong(_("必须是文字；请给 %(found)r 加上引号", found=found[:40]))
        if not found:
            raise Wrong(_("不能为空"))
        if len(found) > longest:
            raise Wrong(_("有 %(length)s 个字符，最多 %(longest)s 个", length=len(found), longest=longest))
        if CONTROL.search(found) or (not multiline and "\n" in found):
            raise Wrong(_("必须是一行文字") if "\n" in found and not multiline else _("含有控制字符"))
        if pattern and not re.fullmatch(pattern, found, re.ASCII):
            raise must_be(what)
        return found

    return read


def texts(longest: int, *, pattern: str = "", what: Any = "") -> Reader:
    """Reads a list of single-line texts as (text, place) pairs, none of them twice."""
    read_one = text(longest, pattern=pattern, what=what)

    def read(value: Value) -> list[tuple[str, Place]]:
        found: dict[str, Place] = {}
        for item in _items(value):
            try:
                name = read_one(item)
            except Wrong as wrong:
                value.faults.add(item.place, _("列表里的这一项：%(wrong)s", wrong=wrong))
                continue
            if name in found:
                value.faults.add(item.place, _("%(name)r 在这个列表里已经有了", name=name))
            found.setdefault(name, item.place)
        return list(found.items())

    return read


def whole(least: int, most: int) -> Reader:
    """Reads a whole number between two bounds, both included."""

    def read(value: Value) -> int:
        found = value.scalar(WHOLE_NUMBER)
        if value.node.tag == STRING or not WHOLE.fullmatch(found):
            raise must_be(WHOLE_NUMBER, found)
        if not least <= int(found) <= most:
            raise Wrong(_("必须在 %(least)s 到 %(most)s 之间，写的是 %(found)s", least=least, most=most, found=found))
        return int(found)

    return read


def yuan(most_fen: int) -> Reader:
    """Reads an amount in yuan with at most two decimals, as fen, so that none is lost to a float."""

    def read(value: Value) -> int:
        found = value.scalar(YUAN)
        try:
            fen = from_yuan(found)
        except ValueError:
            raise must_be(EXACT_YUAN, found) from None
        if fen > most_fen:
            raise Wrong(_("最多 %(most)s 元，写的是 %(found)s", most=most_fen // 100, found=found))
        return fen

    return read


def flag(value: Value) -> bool:
    """Reads true or false."""
    found = value.scalar(FLAG)
    if value.node.tag != BOOLEAN or found.lower() not in ("true", "false"):
        raise must_be(FLAG, found)
    return found.lower() == "true"


def day(value: Value) -> date:
    """Reads a day: ``2026-11-30``, or ``today``, ``today+30``, ``today-7``."""
    found = value.scalar(DAY)
    if relative := RELATIVE_DAY.fullmatch(found):
        days = int(relative[2] or 0)
        return value.today + timedelta(days=-days if relative[1] == "-" else days)
    try:
        if not ISO_DAY.fullmatch(found):
            raise ValueError
        return date.fromisoformat(found)
    except ValueError:
        raise must_be(DAY, found) from None


def words_of(choices: type[Choice]) -> dict[str, Choice]:
    """The words of a choice in files: its names in lower case."""
    return {member.name.lower(): member for member in choices}


def one_of(words: Mapping[str, Any]) -> Reader:
    """Reads one of the words as what it stands for, mostly a choice."""

    def read(value: Value) -> Any:
        found = value.scalar(WORD)
        if found not in words:
            raise must_be(_("以下之一（%(words)s）", words=", ".join(words)), found)
        return words[found]

    return read


def several_of(words: Mapping[str, Choice]) -> Reader:
    """Reads a list of the words as the choices they stand for, none of them twice."""
    read_word = one_of(words)

    def read(value: Value) -> list[Choice]:
        found: list[Choice] = []
        for item in _items(value):
            choice = read_word(item)
            if choice in found:
                raise Wrong(_("%(word)r 写了两次", word=item.scalar(WORD)))
            found.append(choice)
        return found

    return read


def never(why: Any) -> Reader:
    """Refuses a key that has no place here, saying why in a lazy text."""

    def read(value: Value) -> None:
        raise Wrong(str(why))

    return read
