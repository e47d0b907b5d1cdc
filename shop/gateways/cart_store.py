"""Carts in Redis: one hash per owner, ``cart:{a12}``, product id → a small JSON of what was chosen.

Every change is one script on one key, so that two tabs lose nothing and a cluster can run it. The cart remembers
choices; the price and the name are copies from the moment of adding, only good for saying what changed since.
Whatever else lies under the key (another type, foreign JSON) counts as absent (safety.md F16).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from redis.exceptions import ResponseError

from shop.extensions import redis

KEPT_SECONDS = 30 * 24 * 3600  # from the last look or change
LARGEST_ID = 2**31 - 1
_ID = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)

_READ = """
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return {} end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('HGETALL', KEYS[1])
"""

# A key of another type would refuse every write for ever.
_CLEAN = """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
"""

_PUT = (
    _CLEAN
    + """
local put = {}
for i = 4, #ARGV, 2 do
  local known = redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1
  local room = redis.call('HLEN', KEYS[1]) < tonumber(ARGV[2])
  if (known and ARGV[3] == 'replace') or (not known and room) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
    put[#put + 1] = ARGV[i]
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return put
"""
)

# A line changes only if it is still what was read; the ids of those that are not come back.
_SWAP = (
    _CLEAN
    + """
local missed = {}
for i = 2, #ARGV, 3 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  else
    missed[#missed + 1] = ARGV[i]
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return missed
"""
)

_REMOVE = (
    _CLEAN
    + """
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('HDEL', KEYS[1], unpack(ARGV, 2))
"""
)


@dataclass(frozen=True, slots=True)
class StoredLine:
    """What one line of a cart remembers."""

    policy_id: int
    seen_fen: int  # what the plan cost when it was chosen
    name: str  # the product's name then, for when the product is gone
    added: int  # seconds since 1970, for the order of the lines
    is_selected: bool = True

    def to_json(self) -> str:
        return json.dumps(
            {
                "policy": self.policy_id,
                "seen_fen": self.seen_fen,
                "name": self.name,
                "added": self.added,
                "selected": self.is_selected,
            }
        )


def read(owner: str) -> dict[int, StoredLine]:
    """The lines by product id, the latest first; looking keeps the cart for another thirty days."""
    found = {product_id: line for product_id, (line, _text) in _read(owner).items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1].added, -item[0])))


def count(owner: str) -> int:
    """How many lines the cart has; asked for on every page, so it keeps nothing alive."""
    try:
        return int(redis().hlen(_key(owner)))
    except ResponseError:  # another type lies under the key
        return 0


def put(owner: str, product_id: int, line: StoredLine, *, limit: int) -> bool:
    """Put a line in, or in place of the product's old one. False when the cart is full."""
    return bool(_run(_PUT, owner, KEPT_SECONDS, limit, "replace", product_id, line.to_json()))


def put_new(owner: str, lines: Mapping[int, StoredLine], *, limit: int) -> list[int]:
    """Put in the lines whose products are not there yet, as long as there is room; the ids of those put."""
    pairs = [part for product_id, line in lines.items() for part in (product_id, line.to_json())]
    return [int(field) for field in _run(_PUT, owner, KEPT_SECONDS, limit, "keep", *pairs)] if pairs else []


def change(owner: str, product_id: int, *, policy_id: int, seen_fen: int) -> bool:
    """Choose another plan for a line. False when the cart has no such line."""
    return _update(owner, {product_id: {"policy_id": policy_id, "seen_fen": seen_fen}})


def select(owner: str, is_selected: Mapping[int, bool]) -> None:
    """Tick lines or take their tick away; the other lines stay as they are."""
    _update(owner, {product_id: {"is_selected": ticked} for product_id, ticked in is_selected.items()})


def remove(owner: str, product_ids: Iterable[int]) -> int:
    """Take lines out; how many there were."""
    ids = list(product_ids)
    return int(_run(_REMOVE, owner, KEPT_SECONDS, *ids)) if ids else 0


def clear(owner: str) -> None:
    redis().delete(_key(owner))


def _key(owner: str) -> str:
    return f"cart:{{{owner}}}"


def _run(script: str, owner: str, *arguments: str | int) -> Any:
    return redis().eval(script, 1, _key(owner), *arguments)


def _read(owner: str) -> dict[int, tuple[StoredLine, str]]:
    """Each line that is ours, with the text it was read from."""
    try:
        flat = _run(_READ, owner, KEPT_SECONDS)
    except UnicodeDecodeError:  # bytes that are no text hide every line, today's and tomorrow's
        clear(owner)
        return {}
    found = {}
    for field, text in zip(flat[::2], flat[1::2], strict=True):
        product_id, line = _id(field), _line(text)
        if product_id is not None and line is not None:
            found[product_id] = (line, text)
    return found


def _update(owner: str, changes: Mapping[int, Mapping[str, Any]]) -> bool:
    """Change only what is named, so that one tab may choose a plan while another takes a tick away.

    False when none of the lines is there (any more).
    """
    is_found = False
    while changes:
        stored = _read(owner)
        lines = {product_id: stored[product_id] for product_id in changes if product_id in stored}
        if not lines:
            break
        is_found = True
        swaps: list[str | int] = []
        for product_id, (line, text) in lines.items():
            swaps += [product_id, text, replace(line, **changes[product_id]).to_json()]
        missed = {int(field) for field in _run(_SWAP, owner, KEPT_SECONDS, *swaps)}
        changes = {product_id: change for product_id, change in changes.items() if product_id in missed}
    return is_found


def _id(field: str) -> int | None:
    return int(field) if _ID.fullmatch(field) and int(field) <= LARGEST_ID else None


def _line(text: str) -> StoredLine | None:
    """The line that a field holds, or None for anything that we did not write."""
    try:
        raw = json.loads(text)
        line = StoredLine(raw["policy"], raw["seen_fen"], raw["name"], raw["added"], raw["selected"])
        line.name.encode()  # half a surrogate pair is text for JSON, but cannot be sent to anybody
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    numbers = (line.policy_id, line.seen_fen, line.added)
    is_ours = (
        all(type(number) is int and 0 <= number < 2**53 for number in numbers)
        and line.policy_id <= LARGEST_ID
        and type(line.is_selected) is bool
    )
    return line if is_ours else None
