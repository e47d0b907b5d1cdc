"""Prints ``export TEST_…=…`` for a PostgreSQL and a Redis that answer on their usual local ports, for ``.ci/run``."""

from __future__ import annotations

import getpass
import os
import socket

import psycopg
import redis


def postgresql() -> str:
    """A server-level URL without a password that works and may create databases, else ""."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        return given
    for user in ("postgres", getpass.getuser()):
        address = f"postgresql://{user}@127.0.0.1:5432/postgres"
        try:
            with psycopg.connect(address, connect_timeout=2) as connection:
                row = connection.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
        except psycopg.Error:
            continue
        if row and row[0]:
            return address.replace("postgresql", "postgresql+psycopg", 1)
    return ""


def redis_server() -> str:
    if given := os.environ.get("TEST_REDIS_URL"):
        return given
    try:
        with socket.create_connection(("127.0.0.1", 6379), timeout=1):
            pass
        # The last of the 16 databases: tests empty theirs, whatever else the server holds.
        address = "redis://127.0.0.1:6379/15"
        redis.Redis.from_url(address, socket_timeout=1).ping()
    except (OSError, redis.RedisError):
        return ""
    return address


if __name__ == "__main__":
    for name, url in (("TEST_DATABASE_URL", postgresql()), ("TEST_REDIS_URL", redis_server())):
        if url:
            print(f"export {name}='{url}'")
