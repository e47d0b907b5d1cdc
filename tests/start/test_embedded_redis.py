"""parts.md 1: the embedded Redis is one real server per data folder, whoever starts it, and keeps its data."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
import redis

from shop import embedded_redis
from shop.config import PROJECT
from shop.gateways.redis_client import connect

STARTER = """
import sys, pathlib
from shop import embedded_redis
start = embedded_redis._start
embedded_redis._start = lambda *places: (print("starts a server"), start(*places))
print("ready", flush=True)
sys.stdin.readline()
print(embedded_redis.ensure(pathlib.Path(sys.argv[1])))
"""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "redis"
    yield folder
    embedded_redis.stop(folder)


def server_pid(url: str) -> int:
    return int(connect(url).info("server")["process_id"])


def test_data_survive_a_stop(data: Path):
    connect(embedded_redis.ensure(data)).set("cart:{a1}", "贝里")
    embedded_redis.stop(data)
    assert connect(embedded_redis.ensure(data)).get("cart:{a1}") == "贝里"


def test_data_survive_a_kill(data: Path):
    url = embedded_redis.ensure(data)
    connect(url).set("cart:{a1}", "1")
    os.kill(server_pid(url), signal.SIGKILL)
    assert connect(embedded_redis.ensure(data)).get("cart:{a1}") == "1"


def test_racing_starters_share_one_server(data: Path):
    """F19: never one store per process."""
    starters = [
        subprocess.Popen([sys.executable, "-c", STARTER, data], cwd=PROJECT, stdin=PIPE, stdout=PIPE, text=True)
        for _ in range(4)
    ]
    for starter in starters:
        assert starter.stdout
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:  # all have loaded: now they really race
        assert starter.stdin
        starter.stdin.write("go\n")
        starter.stdin.flush()
    said = [line for starter in starters for line in starter.communicate()[0].splitlines()]
    assert [starter.returncode for starter in starters] == [0] * 4
    assert sorted(said) == ["starts a server", *[embedded_redis.url(data)] * 4]


def test_a_second_start_attaches(data: Path):
    first = server_pid(embedded_redis.ensure(data))
    assert server_pid(embedded_redis.ensure(data)) == first


def test_a_folder_too_deep_for_a_socket_gets_a_short_one(tmp_path: Path):
    deep = tmp_path / ("d" * 120)
    url = embedded_redis.ensure(deep)
    try:
        assert connect(url).ping()
        assert len(url) < 100
    finally:
        embedded_redis.stop(deep)
        embedded_redis.socket_path(deep).parent.rmdir()


def test_a_folder_with_spaces_and_quotes_works(tmp_path: Path):
    odd = tmp_path / "my 'data\""
    try:
        assert connect(embedded_redis.ensure(odd)).ping()
    finally:
        embedded_redis.stop(odd)


def test_only_the_owner_can_connect(data: Path):
    embedded_redis.ensure(data)
    assert oct(embedded_redis.socket_path(data).stat().st_mode & 0o777) == "0o700"


def test_stopping_what_does_not_run_is_no_error(data: Path):
    embedded_redis.stop(data)


def test_a_server_that_cannot_start_says_where_to_look(data: Path):
    (data / "appendonlydir").mkdir(parents=True)
    (data / "appendonlydir" / "appendonly.aof.manifest").write_text("no manifest\n")
    with pytest.raises(embedded_redis.EmbeddedRedisError, match=r"redis\.log"):
        embedded_redis.ensure(data, timeout=1)
    started = time.monotonic()
    embedded_redis.stop(data)
    assert time.monotonic() - started < 5, "waited for a server that is dead"
    assert not embedded_redis.socket_path(data).exists()


def test_a_dead_redis_costs_a_command_less_than_a_second(data: Path):
    client = connect(embedded_redis.url(data))
    started = time.monotonic()
    with pytest.raises(redis.ConnectionError):
        client.get("cart:{a1}")
    assert time.monotonic() - started < 1


def test_a_dead_cluster_is_a_lost_connection_too():
    with pytest.raises(redis.ConnectionError):
        connect("redis://127.0.0.1:1,redis://127.0.0.1:2").get("cart:{a1}")
