"""The way to Redis: short time limits everywhere, so that a dead or slow server costs a page, not a worker."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import ExponentialBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisClusterException
from redis.retry import Retry

SECONDS = 1.0  # to connect, and for each answer


def connect(url: str) -> redis.Redis:
    """A client for one server, or for a cluster when several nodes are given, separated by commas.

    Connects at the first command only: the shop starts while Redis is down (safety.md F11).
    """
    nodes = [node.strip() for node in url.split(",")]
    if len(nodes) > 1:
        return _LazyCluster(nodes)  # type: ignore[return-value]
    return redis.Redis.from_url(url, **_options())


def _options() -> dict[str, Any]:
    return {
        "decode_responses": True,
        "socket_timeout": SECONDS,
        "socket_connect_timeout": SECONDS,
        # redis-py's own default tries ten times: seconds for each command of a page. A server that does not answer
        # in time is not asked again at all: a page asks several things, and each would wait three times (F17).
        "retry": Retry(ExponentialBackoff(cap=0.2, base=0.02), 2, supported_errors=(redis.ConnectionError,)),
    }


class _LazyCluster:
    """RedisCluster asks for the cluster's layout in its constructor; here that waits for the first command."""

    def __init__(self, nodes: list[str]) -> None:
        self._nodes = nodes
        self._client: RedisCluster | None = None

    def __getattr__(self, name: str) -> Any:
        if self._client is None:
            self._client = _cluster(self._nodes)
        return getattr(self._client, name)


def _cluster(nodes: list[str]) -> RedisCluster:
    first = urlsplit(nodes[0])
    places = [urlsplit(node) for node in nodes]
    try:
        return RedisCluster(
            startup_nodes=[ClusterNode(place.hostname, place.port or 6379) for place in places],
            username=first.username,
            password=first.password,
            ssl=first.scheme == "rediss",
            **_options(),
        )
    except RedisClusterException as error:  # no RedisError, though it only says that no node answers
        raise redis.ConnectionError(str(error)) from error
