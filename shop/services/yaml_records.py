"""Records out of YAML files by a table of keys; every fault is kept with its file and line, none is raised.

Only plain data is read: no tags, no aliases (a few lines of them can stand for gigabytes), no key twice.
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

from shop.enums import Choice
from shop.money import from_yuan

LARGEST_FILE = 4 * 1024 * 1024  # bytes
MOST_FILES = 200
DEEPEST = 16  # lists and records inside one another
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is there
WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,8})", re.ASCII)
RELATIVE_DAY = re.compile(r"today(?:([+-])([0-9]{1,4}))?", re.ASCII)
ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
STRING, NULL, BOOLEAN = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "null", "bool"))


class Wrong(ValueError):
    """A value that cannot be used; the text is the rest of a sentence that begins with the key."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: shown as ``file:line``."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(slots=True)
class Faults:
    """Every fault found so far, each a place and a sentence."""

    found: set[tuple[str, int, str]] = field(default_factory=set)

    def add(self, place: Place, sentence: str) -> None:
        self.found.add((place.file, place.line, sentence))

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

    def scalar(self, what: str) -> str:
        """The text as written, before YAML makes a number of it: a price of 99.10 stays 99.10."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag == NULL:
            raise Wrong(f"must be {what}")
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
        raise FileNotFoundError(f"{path}: there is no YAML file")
    return found[: MOST_FILES + 1]


def read_files(paths: list[Path], keys: Keys, today: date, faults: Faults) -> list[Record]:
    """One record per file that could be read; the others are among the faults."""
    if len(paths) > MOST_FILES:
        faults.add(Place(str(paths[0].parent), 1), f"a folder may have at most {MOST_FILES} files")
        return []
    read = [read_text(str(path), partial(_content, path), keys, today, faults) for path in paths]
    return [record for record in read if record is not None]


def read_text(name: str, content: Callable[[], bytes], keys: Keys, today: date, faults: Faults) -> Record | None:
    """The record that a text says, which the faults call by this name; None when it cannot be read."""
    root = _compose(name, content, faults)
    return None if root is None else _record(Value(root, name, today, faults), keys)


def _content(path: Path) -> bytes:
    if path.stat().st_size > LARGEST_FILE:
        raise Wrong(f"the file is larger than {LARGEST_FILE // 1024 // 1024} MiB")
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
        faults.add(Place(name, line), f"this is not plain YAML: {error.problem or error.context}")
    except UnicodeDecodeError:
        faults.add(start, "the file is not UTF-8 text")
    except OSError as error:
        faults.add(start, f"the file cannot be read ({error.strerror})")
    except (Wrong, yaml.YAMLError) as error:
        faults.add(start, str(error).partition("\n")[0])
    else:
        if root is None:
            faults.add(start, "the file is empty")
        return root
    return None


def _demand_plain_data(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.AliasEvent):
            raise _not_plain("aliases (*name) are not read", event)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise _not_plain(f"lists and keys are nested deeper than {DEEPEST}", event)


def _not_plain(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = event.start_mark
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


# ---------------------------------------------------------------- records


def _record(value: Value, keys: Keys) -> Record | None:
    if not isinstance(value.node, yaml.MappingNode):
        value.faults.add(value.place, f"expected keys and values here ({', '.join(keys)})")
        return None
    record = Record(value.place, {}, {})
    for key, child in _pairs(value, value.node, record):
        if key not in keys:
            value.faults.add(record.places[key], f"unknown key {key!r}; known are: {', '.join(keys)}")
            continue
        try:
            record.values[key] = keys[key].read(child)
        except Wrong as wrong:
            value.faults.add(child.place, f"{key} {wrong}")
    for key, rule in keys.items():
        if rule.required and key not in record.places:
            value.faults.add(record.place, f"{key} is missing")
    return record


def _pairs(value: Value, node: yaml.MappingNode, record: Record) -> Iterator[tuple[str, Value]]:
    for key_node, child in node.value:
        place = value.at(key_node).place
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        if key in record.places:
            value.faults.add(place, f"{key} is written twice, first on line {record.places[key].line}")
            continue
        record.places[key] = place
        yield key, value.at(child)


def _items(value: Value) -> list[Value]:
    if not isinstance(value.node, yaml.SequenceNode):
        raise Wrong("must be a list, each item on a line that begins with '- '")
    return [value.at(node) for node in value.node.value]


def records(keys: Keys, *, unique: tuple[str, ...] = (), least: int = 0) -> Reader:
    """Reads a list of records; no two may have the same value of a unique key."""

    def read(value: Value) -> list[Record]:
        items = _items(value)
        if len(items) < least:
            raise Wrong(f"needs at least {least} item")
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
            faults.add(record.place_of(key), f"{key} {str(record[key])[:60]!r} is already used at {earlier}")


# ---------------------------------------------------------------- single values


def text(longest: int, *, pattern: str = "", what: str = "") -> Reader:
    """Reads one line of text, not empty; pattern is what all of it must match, told as ``what``."""
    return _text(longest, multiline=False, pattern=pattern, what=what)


def paragraphs(longest: int) -> Reader:
    """Reads text of one or more lines, not empty; ends without a line break."""
    return _text(longest, multiline=True)


def _text(longest: int, *, multiline: bool, pattern: str = "", what: str = "") -> Reader:
    def read(value: Value) -> str:
        found = value.scalar("text").strip()
        if value.node.tag != STRING:
            raise Wrong(f"must be text; put quotes around {found[:40]!r}")
        if not found:
            raise Wrong("is empty")
        if len(found) > longest:
            raise Wrong(f"has {len(found)} characters, at most {longest} are kept")
        if CONTROL.search(found) or (not multiline and "\n" in found):
            raise Wrong("must be one line of text" if "\n" in found and not multiline else "has control characters")
        if pattern and not re.fullmatch(pattern, found, re.ASCII):
            raise Wrong(f"must be {what}")
        return found

    return read


def texts(longest: int, *, pattern: str = "", what: str = "") -> Reader:
    """Reads a list of single-line texts as (text, place) pairs, none of them twice."""
    read_one = text(longest, pattern=pattern, what=what)

    def read(value: Value) -> list[tuple[str, Place]]:
        found: dict[str, Place] = {}
        for item in _items(value):
            try:
                name = read_one(item)
            except Wrong as wrong:
                value.faults.add(item.place, f"an item of this list {wrong}")
                continue
            if name in found:
                value.faults.add(item.place, f"{name!r} is already in this list")
            found.setdefault(name, item.place)
        return list(found.items())

    return read


def whole(least: int, most: int) -> Reader:
    """Reads a whole number between two bounds, both included."""

    def read(value: Value) -> int:
        found = value.scalar("a whole number")
        if value.node.tag == STRING or not WHOLE.fullmatch(found):
            raise Wrong(f"must be a whole number, not {found[:40]!r}")
        if not least <= int(found) <= most:
            raise Wrong(f"must be between {least} and {most}, not {found}")
        return int(found)

    return read


def yuan(most_fen: int) -> Reader:
    """Reads an amount in yuan with at most two decimals, as fen, so that none is lost to a float."""

    def read(value: Value) -> int:
        found = value.scalar("an amount in yuan such as 99.00")
        try:
            fen = from_yuan(found)
        except ValueError:
            raise Wrong(
                f"must be an amount in yuan with at most two decimals such as 99.00, not {found[:40]!r}"
            ) from None
        if fen > most_fen:
            raise Wrong(f"must be at most {most_fen // 100} yuan, not {found}")
        return fen

    return read


def flag(value: Value) -> bool:
    """Reads true or false."""
    found = value.scalar("true or false")
    if value.node.tag != BOOLEAN or found.lower() not in ("true", "false"):
        raise Wrong(f"must be true or false, not {found[:40]!r}")
    return found.lower() == "true"


def day(value: Value) -> date:
    """Reads a day: ``2026-11-30``, or ``today``, ``today+30``, ``today-7``."""
    found = value.scalar("a day such as 2026-11-30 or today+30")
    if relative := RELATIVE_DAY.fullmatch(found):
        days = int(relative[2] or 0)
        return value.today + timedelta(days=-days if relative[1] == "-" else days)
    try:
        if not ISO_DAY.fullmatch(found):
            raise ValueError
        return date.fromisoformat(found)
    except ValueError:
        raise Wrong(f"must be a day such as 2026-11-30 or today+30, not {found[:40]!r}") from None


def words_of(choices: type[Choice]) -> dict[str, Choice]:
    """The words of a choice in files: its names in lower case."""
    return {member.name.lower(): member for member in choices}


def one_of(words: Mapping[str, Choice]) -> Reader:
    """Reads one of the words as the choice it stands for."""

    def read(value: Value) -> Choice:
        found = value.scalar("one word")
        if found not in words:
            raise Wrong(f"must be one of {', '.join(words)}, not {found[:40]!r}")
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
                raise Wrong(f"names {item.scalar('one word')!r} twice")
            found.append(choice)
        return found

    return read


def never(sentence: str) -> Reader:
    """Refuses a key that has no place here, saying why."""

    def read(value: Value) -> None:
        raise Wrong(sentence)

    return read
