"""Real parts for every test: a migrated database and a Redis of this worker's own, emptied between tests."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import redis
import sqlalchemy as sa
from argon2 import PasswordHasher
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy.engine import make_url
from whitenoise import compress

from shop import clock, create_app, embedded_redis, keys
from shop.config import PROJECT, Settings
from shop.extensions import db
from shop.services import passwords
from tests.cashier.parts import Cashier, Served
from tests.person import Client, Person
from tests.run import postgresql

# How long one example takes is the machine's mood, and no claim of a test.
hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=("sqlite", "postgresql"), default="sqlite")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "only_on(database): the fault exists on this database only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot happen on this run's database; the other run has it."""
    database = config.getoption("--database")
    elsewhere = [item for item in items if (mark := item.get_closest_marker("only_on")) and mark.args != (database,)]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if item not in elsewhere]


@pytest.fixture(scope="session")
def worker(request: pytest.FixtureRequest) -> str:
    """The name of this xdist worker, "main" without xdist."""
    return getattr(request.config, "workerinput", {}).get("workerid", "main")


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of this worker's shop. Removed last: Redis is told to stop through a socket in it."""
    folder = tmp_path_factory.mktemp("instance")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest, worker: str, instance: Path) -> Iterator[str]:
    """An empty database of this worker's own."""
    if request.config.getoption("--database") == "sqlite":
        yield f"sqlite:///{instance / 'shop.sqlite3'}"
        return
    with postgresql() as server:
        name = f"shop_test_{os.getpid()}_{worker}"
        engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
        with engine.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        engine.dispose()


@pytest.fixture(scope="session")
def redis_url(request: pytest.FixtureRequest, worker: str, instance: Path) -> Iterator[str]:
    """A Redis of this worker's own: the embedded one, or a numbered database of the given server."""
    given = os.environ.get("TEST_REDIS_URL")
    if given and request.config.getoption("--database") == "postgresql":
        number = 15 - int(worker.removeprefix("gw")) if worker.startswith("gw") else 15
        yield f"{given.rsplit('/', 1)[0]}/{number}"
        return
    yield embedded_redis.ensure(instance / "redis")
    embedded_redis.stop(instance / "redis")


@pytest.fixture(scope="session")
def ports() -> tuple[int, int]:
    """Free ports for the shop and for the cashier."""
    with socket.create_server(("127.0.0.1", 0)) as shop, socket.create_server(("127.0.0.1", 0)) as cashier:
        return shop.getsockname()[1], cashier.getsockname()[1]


@pytest.fixture(scope="session")
def environ(instance: Path, database_url: str, redis_url: str, ports: tuple[int, int]) -> dict[str, str]:
    """The environment of a shop on this worker's parts, for the app below and for processes of their own."""
    return {
        "PUBLIC_URL": f"http://127.0.0.1:{ports[0]}",
        "ALIPAY_GATEWAY": f"http://127.0.0.1:{ports[1]}/gateway.do",
        "CASHIER_URL": f"http://localhost:{ports[1]}",
        "INSTANCE_DIR": str(instance),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "METRICS_TOKEN": "token-of-the-tests",
        clock.OFFSET_FILE: str(instance / "clock_offset"),
    }


@pytest.fixture(scope="session")
def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_env(environ)


@pytest.fixture(scope="session")
def compressed(tmp_path_factory: pytest.TempPathFactory, worker: str) -> None:
    """What is sent of the static files, made anew as at each start: a browser takes that and not the files.

    The workers share the folder: the first one makes them, and the others wait, for a shop remembers their sizes.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base if worker == "main" else base.parent
    with open(shared / "static.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "static.done").exists():
            compress.main(["--quiet", str(PROJECT / "shop" / "static")])
            (shared / "static.done").touch()


@pytest.fixture(scope="session")
def shop(settings: Settings, environ: dict[str, str], compressed: None) -> Iterator[Flask]:
    """The app, migrated; kept for the whole run of a worker."""
    os.environ[clock.OFFSET_FILE] = environ[clock.OFFSET_FILE]
    app = create_app(settings)
    app.test_client_class = Client
    passwords.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with app.app_context():
        upgrade()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(shop: Flask, instance: Path) -> Iterator[Flask]:
    """The app with an application context, an empty database, an empty Redis and the clock at the present."""
    (instance / "clock_offset").unlink(missing_ok=True)
    empty(shop)
    with shop.app_context():
        yield shop
        db.session.remove()


@pytest.fixture(scope="session")
def running_alipay(shop: Flask, settings: Settings, instance: Path, ports: tuple[int, int]) -> Iterator[Cashier]:
    """The local Alipay, and the shop served over HTTP where Alipay sends its notices."""
    folder = instance / "keys"
    (folder / "app_public.pem").write_text(keys.public_of(settings.alipay_app_private_key))
    cashier = Cashier(instance / "cashier", folder, instance / "clock_offset", ports[1], notify_timeout=3.0)
    served = Served(lambda _port: shop, ports[0])
    yield cashier
    served.stop()
    cashier.stop()


@pytest.fixture
def alipay(app: Flask, running_alipay: Cashier) -> Iterator[Cashier]:
    """The local Alipay, which knows of nothing yet; ``control`` makes it pay and misbehave."""
    running_alipay.control("reset", {})
    yield running_alipay
    running_alipay.control("reset", {})  # or a late notice of this test would reach the next one


@pytest.fixture
def person(app: Flask) -> Person:
    """Somebody in a browser, not logged in yet."""
    return Person(app)


@pytest.fixture
def redis_client(app: Flask) -> redis.Redis:
    client: redis.Redis = app.extensions["redis"]
    return client


def empty(shop: Flask) -> None:
    """Forget every row, and all that Redis keeps."""
    shop.extensions["redis"].flushdb()
    shop.extensions.pop("catalogue_pages", None)  # what the process remembers of it
    tables = [f'"{table.name}"' for table in reversed(db.metadata.sorted_tables)]
    with shop.app_context(), db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="READ COMMITTED")
            # DELETE is much quicker than TRUNCATE on tables of a few rows; triggers and foreign keys are let be
            connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
            connection.execute(sa.text(";".join(f"DELETE FROM {name}" for name in tables)))  # noqa: S608
        else:
            connection = connection.execution_options(sqlite_begin="IMMEDIATE")  # waits for whoever still writes
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            kept = connection.exec_driver_sql("SELECT 1 FROM audit_log LIMIT 1").all()  # by triggers, if there are rows
            seal = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            triggers = connection.exec_driver_sql(seal).all() if kept else []
            for name, _made_by in triggers:  # SQLite cannot let them be
                connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
            for name in tables:
                connection.exec_driver_sql(f"DELETE FROM {name}")  # noqa: S608
            for _name, made_by in triggers:
                connection.exec_driver_sql(made_by)
        connection.commit()
