"""Starting with something wrong (safety.md 3: F10, F11, F19), and starting and stopping as a whole."""

from __future__ import annotations

import http.client
import http.cookies
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from shop import embedded_redis
from shop.config import PROJECT, redis_folder
from shop.gateways.redis_client import connect

START_SECONDS = 60


def environment(instance: Path, **more: str) -> dict[str, str]:
    """That of a person who has set nothing; whatever the tests' own run has set stays out."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "INSTANCE_DIR": str(instance), **more}


def free_ports() -> int:
    """A port that is free, and the next one too."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def import_wsgi(environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What every web server does first."""
    command = [sys.executable, "-c", "import wsgi"]
    return subprocess.run(command, cwd=PROJECT, env=environ, capture_output=True, text=True, check=False)


def run_flask(environ: dict[str, str], *words: str) -> None:
    subprocess.run([sys.executable, "-m", "flask", "--app", "wsgi", *words], cwd=PROJECT, env=environ, check=True)


def get(port: int, path: str, cookie: str = "") -> tuple[int, str, str]:
    """Status, body and the session cookie."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        jar = http.cookies.SimpleCookie(answer.headers.get("Set-Cookie", ""))
        return answer.status, answer.read().decode(), "; ".join(f"{n}={m.value}" for n, m in jar.items()) or cookie
    finally:
        connection.close()


@dataclass
class Demo:
    process: subprocess.Popen[str]
    port: int
    instance: Path
    seconds: float  # until its address was printed
    greeting: str


@contextmanager
def demo(instance: Path, port: int | None = None) -> Iterator[Demo]:
    """What ``bin/run`` runs, once everything is installed."""
    port = port or free_ports()
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "shop.processes"],
        cwd=PROJECT,
        env=environment(instance, PORT=str(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Demo(process, port, instance, *_greeting(process, started))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def _greeting(process: subprocess.Popen[str], started: float) -> tuple[float, str]:
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("logs:"):
            return time.monotonic() - started, "".join(lines)
    raise AssertionError("".join(lines))


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One demo's data for the whole file: loading them takes seconds."""
    return tmp_path_factory.mktemp("demo")


def test_f10_a_database_that_cannot_be_reached_stops_the_start(tmp_path: Path):
    answer = import_wsgi(environment(tmp_path, DATABASE_URL="postgresql://shop:topsecret@127.0.0.1:1/shop"))
    assert answer.returncode != 0
    assert "DATABASE_URL: the database cannot be reached (OperationalError)." in answer.stderr
    assert "topsecret" not in answer.stderr


def test_f10_a_database_without_tables_stops_the_start(tmp_path: Path):
    answer = import_wsgi(environment(tmp_path))
    assert answer.returncode != 0
    assert "run flask --app wsgi db upgrade" in answer.stderr


def test_f10_a_migrated_database_lets_it_start(tmp_path: Path):
    run_flask(environment(tmp_path), "db", "upgrade")
    answer = import_wsgi(environment(tmp_path))
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", "", "SECRET_KEY is required when SHOP_ENV=production"),
        ("SECRET_KEY", "short", "SECRET_KEY is too short"),
        ("FLASK_DEBUG", "1", "FLASK_DEBUG must not be set when SHOP_ENV=production"),
    ],
)
def test_f10_a_wrong_setting_stops_the_start_and_is_named(tmp_path: Path, name: str, value: str, sentence: str):
    answer = import_wsgi(environment(tmp_path, SHOP_ENV="production", **{name: value}))
    assert answer.returncode != 0
    assert sentence in answer.stderr


def test_the_demo_starts_with_nothing_set_and_says_where_it_is(instance: Path):
    with demo(instance) as shop:
        assert f"http://127.0.0.1:{shop.port}" in shop.greeting
        assert get(shop.port, "/")[0] == 200
        assert get(shop.port, "/readyz")[0] == 200
        assert get(shop.port + 1, "/healthz")[0] == 200


def test_a_second_start_is_quick_and_keeps_the_data(instance: Path):
    folder = redis_folder(instance)
    connect(embedded_redis.ensure(folder)).set("test:kept", "1")
    embedded_redis.stop(folder)
    one_import = seconds_to_import_the_shop()
    with demo(instance) as shop:
        assert shop.seconds < max(5, 3 * one_import), "a second start takes too long"
        assert connect(embedded_redis.url(folder)).get("test:kept") == "1"


def seconds_to_import_the_shop() -> float:
    """Below 2 s on an idle machine; here it is the measure of how busy this one is."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import shop.application"], cwd=PROJECT, check=True)
    return time.monotonic() - started


def test_ctrl_c_ends_every_part(instance: Path):
    with demo(instance) as shop:
        shop.process.send_signal(signal.SIGINT)
        shop.process.communicate(timeout=30)
        assert shop.process.returncode == 0
        for port in (shop.port, shop.port + 1):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=1)
        assert not embedded_redis.socket_path(redis_folder(instance)).exists()


def test_a_second_start_on_the_same_data_is_refused_and_harms_nothing(instance: Path):
    with demo(instance) as shop:
        second = subprocess.run(
            [sys.executable, "-m", "shop.processes"],
            cwd=PROJECT,
            env=environment(instance, PORT=str(free_ports())),
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        assert second.stderr == f"The shop already runs with the data in {instance}.\n"
        assert get(shop.port, "/readyz")[0] == 200


def test_f19_every_worker_sees_the_same_cart(instance: Path):
    """50 reloads over two worker processes, each on a new connection."""
    with demo(instance) as shop:
        _, _, cookie = get(shop.port, "/cart")
        pages = {get(shop.port, "/cart", cookie)[0] for _ in range(50)}
        assert pages == {200}
        assert len(connect(embedded_redis.url(redis_folder(instance))).client_list()) >= 2


def test_f11_without_redis_the_shop_starts_and_the_catalogue_reads(instance: Path):
    port = free_ports()
    environ = environment(instance, PORT=str(port), REDIS_URL="redis://127.0.0.1:1/0")
    run_flask(environ, "db", "upgrade")
    web = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--no-ws", "wsgi:app"],
        cwd=PROJECT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        assert get(port, "/")[0] == 200
        assert get(port, "/courses")[0] == 200
        assert get(port, "/cart")[0] == 503
        assert get(port, "/login")[0] == 503
        assert get(port, "/readyz")[0] == 503
    finally:
        web.terminate()
        web.wait(timeout=30)


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if get(port, "/healthz")[0] == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the web server does not answer")
