"""Starting with something wrong (safety.md 3: F10, F11, F19), and starting and stopping as a whole."""

from __future__ import annotations

import http.client
import http.cookies
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

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


def ask(port: int, path: str, cookie: str = "", form: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Status, body and the cookies from here on; each time over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Cookie": cookie} if cookie else {}
    try:
        if form is None:
            connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", path, urlencode(form), headers)
        answer = connection.getresponse()
        jar = http.cookies.SimpleCookie(answer.headers.get("Set-Cookie", ""))
        return answer.status, answer.read().decode(), "; ".join(f"{n}={m.value}" for n, m in jar.items()) or cookie
    finally:
        connection.close()


def get(port: int, path: str) -> int:
    return ask(port, path)[0]


@dataclass
class Demo:
    process: subprocess.Popen[str]
    port: int
    instance: Path
    greeting: str


@contextmanager
def demo(instance: Path, port: int | None = None) -> Iterator[Demo]:
    """What ``bin/run`` runs, once everything is installed."""
    port = port or free_ports()
    process = subprocess.Popen(
        [sys.executable, "-m", "shop.processes"],
        cwd=PROJECT,
        env=environment(instance, PORT=str(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Demo(process, port, instance, _greeting(process))
    finally:
        process.terminate()
        process.wait(timeout=30)
        assert process.stdout
        process.stdout.close()


def _greeting(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("logs:"):
            return "".join(lines)
    raise AssertionError("".join(lines))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for the whole file: loading its data takes seconds."""
    with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


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


def test_the_demo_starts_with_nothing_set_and_says_where_it_is(shop: Demo):
    assert f"http://127.0.0.1:{shop.port}" in shop.greeting
    assert re.search(r"^luffy +\S+", shop.greeting, re.MULTILINE), "how to log in is said, too"
    assert get(shop.port, "/") == 200
    assert get(shop.port, "/readyz") == 200
    assert get(shop.port + 1, "/healthz") == 200


def test_a_second_start_on_the_same_data_is_refused_and_harms_nothing(shop: Demo):
    second = subprocess.run(
        [sys.executable, "-m", "shop.processes"],
        cwd=PROJECT,
        env=environment(shop.instance, PORT=str(free_ports())),
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr == f"The shop already runs with the data in {shop.instance}.\n"
    assert get(shop.port, "/readyz") == 200


def test_f19_every_worker_has_the_same_cart(shop: Demo):
    """50 reloads over two worker processes."""
    _, page, cookie = ask(shop.port, "/courses/1")
    fields = {name: re.search(f'name="{name}" value="([^"]+)"', page) for name in ("csrf_token", "product", "policy")}
    form = {name: found[1] for name, found in fields.items() if found}
    added, _, cookie = ask(shop.port, "/cart/items", cookie, form)
    assert added == 303
    carts = [ask(shop.port, "/cart", cookie)[1] for _ in range(50)]
    assert sum('href="/courses/1"' in cart for cart in carts) == 50


def redis_url(shop: Demo) -> str:
    return embedded_redis.url(redis_folder(shop.instance))


def test_f11_without_redis_the_shop_starts_and_the_catalogue_reads(shop: Demo):
    port = free_ports()
    web = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(port), "--no-ws", "wsgi:app"],
        cwd=PROJECT,
        env=environment(shop.instance, PORT=str(port), REDIS_URL="redis://127.0.0.1:1/0"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        catalogue = {path: get(port, path) for path in ("/", "/courses", "/courses/1", "/healthz")}
        own = {path: get(port, path) for path in ("/cart", "/login", "/readyz")}
    finally:
        web.terminate()
        web.wait(timeout=30)
    assert set(catalogue.values()) == {200}, catalogue
    assert set(own.values()) == {503}, own


def test_ctrl_c_ends_every_part_and_a_second_start_is_quick_and_keeps_the_data(shop: Demo):
    connect(redis_url(shop)).set("test:kept", "1")
    shop.process.send_signal(signal.SIGINT)
    shop.process.communicate(timeout=30)
    assert shop.process.returncode == 0
    for port in (shop.port, shop.port + 1):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)
    assert not embedded_redis.socket_path(redis_folder(shop.instance)).exists()
    before = children_seconds()
    with demo(shop.instance, shop.port) as again:
        assert connect(redis_url(again)).get("test:kept") == "1"
        assert "created" not in again.greeting
    # Seconds on the wall would judge whoever else uses this machine. Seven imports' worth of CPU on two cores are
    # below 5 s: web workers, jobs and cashier load side by side, and nothing is loaded twice one after the other.
    assert children_seconds() - before < 7 * seconds_of_one_import()


def children_seconds() -> float:
    """CPU that child processes have used, theirs included, once they have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds_of_one_import() -> float:
    before = children_seconds()
    subprocess.run([sys.executable, "-c", "import shop.application"], cwd=PROJECT, check=True)
    return children_seconds() - before


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if get(port, "/healthz") == 200:
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the web server does not answer")
