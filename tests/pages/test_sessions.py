"""Sessions: what the cookie carries, what Redis keeps, how long, and what happens without Redis."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask

from shop import embedded_redis
from shop.config import Settings
from shop.enums import Role
from shop.extensions import unit_of_work
from shop.models import Account
from shop.services import accounts
from shop.web.sessions import Store
from tests.pages.conftest import AnotherShop
from tests.person import PASSWORD, Person

HOUR, DAY = 3600, 24 * 3600


@pytest.fixture
def member(app: Flask) -> accounts.Person:
    return accounts.register("luffy", "luffy@example.com", PASSWORD)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the Redis commands sent from now on."""
    sent: list[str] = []
    send = redis.Redis.execute_command

    def noted(client: redis.Redis, *args: Any, **options: Any) -> Any:
        sent.append(args[0])
        return send(client, *args, **options)

    monkeypatch.setattr(redis.Redis, "execute_command", noted)
    return sent


def session_keys(client: redis.Redis) -> list[str]:
    return sorted(client.scan_iter("sess:*"))


def cookie(person: Person) -> str:
    found = person.client.get_cookie("session")
    assert found
    return found.value


def move_clock(app: Flask, seconds: int) -> None:
    (app.extensions["settings"].instance / "clock_offset").write_text(str(seconds))


def is_logged_in(person: Person) -> bool:
    return person.get("/account").status_code == 200


def test_a_visitor_who_looks_around_leaves_nothing_in_redis(person: Person, redis_client: redis.Redis) -> None:
    for path in ("/login", "/register", "/nothing"):
        person.get(path)
    assert person.client.get_cookie("session")
    assert redis_client.dbsize() == 0


def test_a_first_visit_needs_no_redis_command(app: Flask, commands: list[str]) -> None:
    Person(app).get("/nothing")
    assert commands == []


def test_the_cookie_holds_an_unguessable_id_and_redis_its_digest_only(
    person: Person, member: accounts.Person, redis_client: redis.Redis
) -> None:
    person.sign_in("luffy")
    sid, _dot, _signature = cookie(person).partition(".")
    assert len(sid) >= 43  # 256 bit
    assert session_keys(redis_client) == [Store.key(sid)]
    assert sid not in str(redis_client.get(Store.key(sid)))


def test_a_forged_or_unsigned_id_is_not_adopted(app: Flask, member: accounts.Person) -> None:
    victim = Person(app).sign_in("luffy")
    sid = cookie(victim).partition(".")[0]
    for forged in (sid, sid + ".", sid + ".AAAA", "x" * 3000, "é.ü", ""):
        thief = Person(app)
        thief.client.set_cookie("session", forged)
        assert not is_logged_in(thief)
        assert cookie(thief).partition(".")[0] != sid


def test_log_in_gives_a_new_id_and_makes_the_old_one_worthless(app: Flask, member: accounts.Person) -> None:
    person = Person(app)
    person.get("/login")
    planted = cookie(person)
    person.sign_in("luffy")
    assert cookie(person) != planted
    attacker = Person(app)
    attacker.client.set_cookie("session", planted)
    assert not is_logged_in(attacker)


def test_a_password_change_gives_a_new_id_and_ends_the_other_sessions(app: Flask, member: accounts.Person) -> None:
    here, elsewhere = Person(app).sign_in("luffy"), Person(app).sign_in("luffy")
    before = cookie(here)
    new = {"current": PASSWORD, "new": "another passphrase", "again": "another passphrase"}
    assert here.post("/account/password", new).status_code == 303
    assert cookie(here) != before
    assert is_logged_in(here)
    assert not is_logged_in(elsewhere)


def test_log_out_ends_the_session_on_the_server(app: Flask, member: accounts.Person, redis_client: redis.Redis) -> None:
    person = Person(app).sign_in("luffy")
    before = cookie(person)
    answer = person.post("/logout")
    assert answer.status_code == 303
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    person.client.set_cookie("session", before)
    assert not is_logged_in(person)
    assert Store.key(before.partition(".")[0]) not in session_keys(redis_client)


def test_log_out_everywhere_ends_every_session(app: Flask, member: accounts.Person) -> None:
    here, elsewhere = Person(app).sign_in("luffy"), Person(app).sign_in("luffy")
    assert here.post("/account/logout-everywhere").status_code == 303
    assert not is_logged_in(here)
    assert not is_logged_in(elsewhere)


def test_a_disabled_account_is_logged_out_at_once(app: Flask, member: accounts.Person) -> None:
    person = Person(app).sign_in("luffy")
    with unit_of_work() as session:
        session.get_one(Account, member.id).is_active = False
    assert not is_logged_in(person)


def test_a_slow_page_does_not_undo_a_log_out(app: Flask, member: accounts.Person, redis_client: redis.Redis) -> None:
    person = Person(app).sign_in("luffy")
    store, sid = Store(redis_client), cookie(person).partition(".")[0]
    of_slow_page = store.load(sid)
    person.post("/logout")
    store.save(sid, of_slow_page)
    assert Store.key(sid) not in session_keys(redis_client)


def test_a_member_stays_for_14_days_without_a_visit(app: Flask, member: accounts.Person) -> None:
    person = Person(app).sign_in("luffy")
    move_clock(app, 14 * DAY - HOUR)
    assert is_logged_in(person)  # which starts the 14 days anew
    move_clock(app, 28 * DAY - 2 * HOUR)
    assert is_logged_in(person)
    move_clock(app, 42 * DAY)
    assert not is_logged_in(person)


def test_a_member_logs_in_again_after_60_days(app: Flask, member: accounts.Person) -> None:
    person = Person(app).sign_in("luffy")
    for days in range(0, 60, 10):
        move_clock(app, days * DAY)
        assert is_logged_in(person)
    move_clock(app, 60 * DAY)
    assert not is_logged_in(person)


def test_staff_are_logged_out_after_30_minutes_and_after_12_hours(app: Flask) -> None:
    accounts.create_staff("nami", None, PASSWORD, [])
    person = Person(app).sign_in("nami")
    for minutes in range(0, 12 * 60, 25):
        move_clock(app, minutes * 60)
        assert is_logged_in(person)
    move_clock(app, 12 * HOUR)
    assert not is_logged_in(person)
    move_clock(app, 0)
    person = Person(app).sign_in("nami")
    move_clock(app, 31 * 60)
    assert not is_logged_in(person)


@pytest.mark.parametrize(
    "value",
    [
        b"not json",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'{"data": 5, "born": 1, "seen": 1, "strict": false}',
        b'{"data": {}, "born": "x", "seen": null, "strict": 3}',
        b'{" b": "!"}',
        b"[" * 100_000,
        b"cposix\nsystem\n(S'true'\ntR.",
    ],
    ids=["text", "bytes", "list", "empty", "number", "types", "tag", "deep", "pickle"],
)
def test_f16_garbage_under_a_session_is_no_session(
    app: Flask, member: accounts.Person, redis_client: redis.Redis, value: bytes
) -> None:
    person = Person(app).sign_in("luffy")
    redis_client.set(session_keys(redis_client)[0], value)
    assert person.get("/account").status_code == 303


def test_f16_a_session_of_another_type_is_no_session(
    app: Flask, member: accounts.Person, redis_client: redis.Redis
) -> None:
    person = Person(app).sign_in("luffy")
    key = session_keys(redis_client)[0]
    redis_client.delete(key)
    redis_client.lpush(key, "x")
    assert person.get("/account").status_code == 303
    assert is_logged_in(person.sign_in("luffy"))


def test_a_session_for_an_account_that_is_gone_is_no_session(app: Flask, redis_client: redis.Redis) -> None:
    for user in ("999.0", "1", "", "x.y", "1.0.0", "²." + "9" * 30, "9" * 30 + ".0"):
        person = Person(app)
        person.get("/login")
        record = Store(redis_client).load("none")
        record.data["_user_id"] = user
        Store(redis_client).save(cookie(person).partition(".")[0], record)
        assert person.get("/account").status_code == 303


def test_a_logged_in_page_costs_one_read_of_the_session_and_no_write(
    app: Flask, member: accounts.Person, commands: list[str]
) -> None:
    person = Person(app).sign_in("luffy")
    person.get("/account")
    commands.clear()
    person.get("/account")
    assert commands == ["GET", "HLEN"]  # the session, and the lines in the cart


def test_an_older_secret_key_still_counts_while_keys_rotate(
    app: Flask, settings: Settings, member: accounts.Person, another_shop: AnotherShop
) -> None:
    person = Person(app).sign_in("luffy")
    rotated = another_shop(secret_keys=("k" * 40, *settings.secret_keys))
    elsewhere = Person(rotated)
    elsewhere.client.set_cookie("session", cookie(person))
    assert is_logged_in(elsewhere)


# ---------------------------------------------------------------- without Redis


@pytest.fixture
def without_redis(another_shop: AnotherShop) -> Flask:
    return another_shop(redis_url="unix:///nowhere/redis.sock")


def test_f11_without_redis_the_shop_starts_and_visitors_read(without_redis: Flask) -> None:
    person = Person(without_redis)
    assert person.get("/nothing").status_code == 404
    assert person.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/login", "/register", "/cart"])
def test_f11_what_needs_redis_says_so_kindly(without_redis: Flask, path: str) -> None:
    answer = Person(without_redis).get(path)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "您的订单和付款不受影响" in answer.text


def test_f12_redis_dies_during_a_visit(member: accounts.Person, tmp_path: Path, another_shop: AnotherShop) -> None:
    own = another_shop(redis_url=embedded_redis.ensure(tmp_path / "redis"))
    person = Person(own).sign_in("luffy")
    embedded_redis.stop(tmp_path / "redis")
    assert person.get("/nothing").status_code == 404
    for path in ("/account", "/cart"):
        answer = person.get(path)
        assert answer.status_code == 503
        assert "您的订单和付款不受影响" in answer.text
    assert person.post("/logout").status_code == 503
    embedded_redis.ensure(tmp_path / "redis")
    try:
        assert is_logged_in(person)
    finally:
        embedded_redis.stop(tmp_path / "redis")


@contextmanager
def server(answer: bytes | None, folder: Path) -> Iterator[str]:
    """A Redis that says the same to everything, or nothing at all."""
    path = str(folder / "fake.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(50)
    is_over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection:
            while not is_over.is_set() and connection.recv(65536):
                if answer:
                    connection.sendall(answer)

    def accept() -> None:
        while True:
            try:
                connection, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"unix://{path}"
    is_over.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize(
    "answer",
    [None, b"-READONLY You can't write\r\n", b"-OOM command not allowed\r\n", b"-LOADING in memory\r\n"],
    ids=["hangs", "readonly", "oom", "loading"],
)
def test_f17_a_sick_redis_is_a_503_within_the_time_limit(
    app: Flask, member: accounts.Person, tmp_path: Path, answer: bytes | None, another_shop: AnotherShop
) -> None:
    healthy = Person(app).sign_in("luffy")
    with server(answer, tmp_path) as url:
        sick = another_shop(redis_url=url)
        person = Person(sick)
        person.client.set_cookie("session", cookie(healthy))
        begun = time.monotonic()
        assert person.get("/account").status_code == 503
        assert time.monotonic() - begun < 5
        assert person.get("/nothing").status_code == 404


def test_p14_losing_all_of_redis_costs_the_log_in_only(
    app: Flask, member: accounts.Person, redis_client: redis.Redis
) -> None:
    person = Person(app).sign_in("luffy")
    redis_client.flushdb()  # not flushall: other workers may have databases on the same server
    assert person.get("/account").status_code == 303
    assert is_logged_in(person.sign_in("luffy"))


def test_roles_come_from_the_database_with_every_request(app: Flask, member: accounts.Person) -> None:
    person = Person(app).sign_in("luffy")
    with unit_of_work() as session:
        session.get_one(Account, member.id).role = Role.MENTOR
    assert "导师" in person.get("/account").text
