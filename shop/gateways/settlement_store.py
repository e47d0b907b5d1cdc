"""What a person is settling, in Redis for half an hour: choices by id, never amounts (design 6)."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from shop.clock import now
from shop.gateways.cart_store import LARGEST_ID

TTL = timedelta(minutes=30)
KEY = re.compile(r"settlement:\{a([1-9][0-9]{0,9})\}", re.ASCII)
# Only the settlement that became an order is cleared, not a newer one made meanwhile in another tab.
CLEAR = "if redis.call('hget', KEYS[1], 'token') == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


@dataclass(frozen=True, slots=True)
class Pick:
    """A product with the plan chosen for it."""

    product_id: int
    policy_id: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """One version of a settlement: every change gets a new token, so a page names exactly what it showed."""

    picks: tuple[Pick, ...]
    line_coupons: Mapping[int, int] = field(default_factory=dict)  # product id -> coupon record id
    site_coupon: int | None = None
    beli: int = 0
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    expires_at: datetime = field(default_factory=lambda: now() + TTL)

    def changed(self, line_coupons: Mapping[int, int], site_coupon: int | None, beli: int) -> Settlement:
        """The same lines with other choices, as a new version with a new half hour."""
        return Settlement(self.picks, line_coupons, site_coupon, beli)


def save(redis: Redis, account_id: int, settlement: Settlement) -> None:
    """Keep this settlement in place of any earlier one of the account."""
    body = {
        "picks": [[pick.product_id, pick.policy_id] for pick in settlement.picks],
        "line_coupons": {str(product): record for product, record in settlement.line_coupons.items()},
        "site_coupon": settlement.site_coupon,
        "beli": settlement.beli,
        "expires_at": settlement.expires_at.isoformat(),
    }
    pipeline = redis.pipeline(transaction=True)
    pipeline.delete(_key(account_id))
    pipeline.hset(_key(account_id), mapping={"token": settlement.token, "body": json.dumps(body)})
    pipeline.expire(_key(account_id), TTL)
    pipeline.execute()


def open_ones(redis: Redis, most: int, most_keys: int = 100_000) -> dict[int, Settlement]:
    """Settlements by account, in no order; looks at so many keys of any kind at most, and changes none."""
    found: dict[int, Settlement] = {}
    for key in islice(redis.scan_iter(count=1_000), most_keys):
        owner = KEY.fullmatch(key)
        if owner and (settlement := load(redis, int(owner[1]))) is not None:
            found[int(owner[1])] = settlement
        if len(found) >= most:
            break
    return found


def load(redis: Redis, account_id: int) -> Settlement | None:
    """The account's settlement; None when it is gone, or is nothing that ``save`` wrote (safety.md F16)."""
    try:
        token, raw = redis.hmget(_key(account_id), "token", "body")
        settlement = _settlement(token, json.loads(str(raw)))
        is_usable = len(settlement.picks) > 0 and settlement.expires_at > now()
    except (ResponseError, TypeError, ValueError, KeyError, AttributeError, RecursionError):
        return None
    return settlement if is_usable else None


def _settlement(token: Any, body: Any) -> Settlement:
    """What ``save`` wrote. Raises ValueError, TypeError, KeyError or AttributeError for anything else."""
    picks = {_id(product): _id(policy) for product, policy in body["picks"]}
    if not token or len(picks) != len(body["picks"]) or not (body["beli"] == 0 or _id(body["beli"])):
        raise ValueError("not a settlement of ours")
    return Settlement(
        picks=tuple(Pick(product, policy) for product, policy in picks.items()),
        line_coupons={_id(int(product)): _id(record) for product, record in body["line_coupons"].items()},
        site_coupon=None if body["site_coupon"] is None else _id(body["site_coupon"]),
        beli=body["beli"],
        token=str(token),
        expires_at=datetime.fromisoformat(body["expires_at"]),
    )


def _id(value: Any) -> int:
    """A whole number that an id column can hold; PostgreSQL answers to any other with an error."""
    if type(value) is not int or not 1 <= value <= LARGEST_ID:
        raise ValueError("not an id")
    return value


def clear(redis: Redis, account_id: int, token: str) -> None:
    redis.eval(CLEAR, 1, _key(account_id), token)


def _key(account_id: int) -> str:
    return f"settlement:{{a{account_id}}}"
