"""Redis down, slow, read-only, emptied, restored from old, or full of garbage (safety.md 3.2).

What is lost costs carts, settlements and log-ins; never money, coupons, orders or access (P14).
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from shop import create_app, embedded_redis
from shop.config import Settings
from shop.enums import OrderStatus
from shop.extensions import db
from shop.gateways.redis_client import connect
from shop.models import Account, Course, EnrolledCourse, Order
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student
from tests.cashier.parts import Cashier
from tests.faults.proxy import Proxy
from tests.faults.purchase import (
    an_unpaid_order,
    count,
    fingerprint,
    only_number,
    paid_notice,
    pay_unheard,
    settle,
    the_order,
)
from tests.person import PASSWORD, Client, Person

PRIVATE = ["/cart", "/login", "/settlement", "/orders", "/account", "/account/coupons", "/learning"]
PUBLIC = ["/", "/courses", "/coupons", "/healthz"]
LONGEST = 8.0  # seconds; a page asks Redis a few times for a second each, and this machine may be busy


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a Redis that may be maltreated."""
    path = tmp_path_factory.mktemp("redis")
    embedded_redis.ensure(path)
    yield path
    embedded_redis.stop(path)


@pytest.fixture(scope="module")
def wire(folder: Path) -> Iterator[Proxy]:
    def to_redis() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(embedded_redis.socket_path(folder)))
        return connection

    proxy = Proxy(to_redis)
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def its_shop(shop: Flask, settings: Settings, wire: Proxy) -> Iterator[Flask]:
    """The shop on the worker's database and on that Redis."""
    other = create_app(replace(settings, redis_url=f"redis://127.0.0.1:{wire.port}/0"))
    other.test_client_class = Client
    yield other
    with other.app_context():
        db.engine.dispose()


@pytest.fixture
def store(app: Flask, folder: Path, wire: Proxy) -> Iterator[redis.Redis]:
    """That Redis without the wire, empty and well at first."""
    wire.repair()
    client = connect(embedded_redis.url(folder))
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def visitor(store: redis.Redis, its_shop: Flask) -> Person:
    return Person(its_shop)


@pytest.fixture
def member(visitor: Person) -> tuple[Person, Account, Course]:
    """Somebody logged in with a settled course in the cart."""
    student, course = a_student(), a_course()
    visitor.sign_in(student.username)
    settle(visitor, course)
    return visitor, student, course


def statuses(person: Person, paths: list[str]) -> dict[str, int]:
    return {path: person.get(path).status_code for path in paths}


def assert_kind(answer: TestResponse) -> None:
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "暂时不可用" in answer.text
    assert "Traceback" not in answer.text


# ---------------------------------------------------------------- gone


def test_f12_redis_dies_during_a_visit(member: tuple[Person, Account, Course], wire: Proxy, alipay: Cashier) -> None:
    """F11, F12: own pages say so kindly, the catalogue reads, money arrives; afterwards the person is still there."""
    person, student, course = member
    number = an_unpaid_order(student, a_course())
    notice = paid_notice(alipay, number)
    before = fingerprint()
    wire.cut()
    for path in PRIVATE:
        assert_kind(person.get(path))
    assert_kind(person.client.post("/checkout", data={"csrf_token": person._token, "token": "x"}))
    assert fingerprint() == before
    assert statuses(person, [*PUBLIC, f"/courses/{course.id}"]) == dict.fromkeys(
        [*PUBLIC, f"/courses/{course.id}"], 200
    )

    assert person.client.post("/alipay/notify", data=notice).text == "success"
    assert the_order(number).status is OrderStatus.PAID

    wire.repair()
    assert person.get("/settlement").status_code == 200
    assert course.name in person.get("/cart").text


def test_f11_f12_the_return_is_neutral_without_redis_and_still_finds_the_money(
    visitor: Person, wire: Proxy, alipay: Cashier
) -> None:
    number = an_unpaid_order(a_student(), a_course())
    url = pay_unheard(alipay, number)
    wire.cut()
    answer = visitor.follow_return(url)
    assert answer.status_code == 200
    assert number not in answer.text
    assert the_order(number).status is OrderStatus.PAID


def test_f13_without_its_settlement_a_checkout_is_refused_and_writes_nothing(
    member: tuple[Person, Account, Course], store: redis.Redis
) -> None:
    person, student, course = member
    form = person.form(person.get("/settlement"), "checkout")
    store.delete(f"settlement:{{a{student.id}}}")
    before = fingerprint()
    answer = person.post("/checkout", form)
    assert answer.status_code == 409
    assert 'data-code="1008"' in answer.text
    assert fingerprint() == before
    settle(person, course)


def test_f13_after_flushall_a_checkout_leads_to_the_log_in(
    member: tuple[Person, Account, Course], store: redis.Redis
) -> None:
    person, _, _ = member
    form = person.form(person.get("/settlement"), "checkout")
    store.flushall()
    before = fingerprint()
    answer = person.post("/checkout", form)
    assert answer.status_code == 303
    assert "/login" in answer.location
    assert fingerprint() == before


def test_f14_flushall_after_the_order_touches_neither_payment_nor_access(
    member: tuple[Person, Account, Course], store: redis.Redis, alipay: Cashier
) -> None:
    person, student, course = member
    person.post("/checkout", person.form(person.get("/settlement"), "checkout"))
    number = only_number()
    notice = paid_notice(alipay, number)
    store.flushall()
    assert person.client.post("/alipay/notify", data=notice).text == "success"
    person.sign_in(student.username)
    assert 'data-status="0"' in person.get(f"/orders/{number}").text
    assert person.get(f"/learning/courses/{course.id}").status_code == 200


# ---------------------------------------------------------------- old or wrong


def test_f15_an_old_dump_brings_an_old_cart_and_no_used_coupon(visitor: Person, store: redis.Redis) -> None:
    """A settlement of before comes back whose coupon meanwhile pays for another order."""
    student, first, second = a_student(), a_course(), a_course()
    record = a_claimed(student, flat=1_000)
    visitor.sign_in(student.username)
    old = settle(visitor, first)
    dump = _dump(store)
    visitor.post("/checkout", settle(visitor, second))
    assert count(Order) == 1

    _restore(store, dump)
    page = visitor.get("/settlement")
    assert f'value="{record.id}"' not in page.text
    assert first.name in visitor.get("/cart").text
    before = fingerprint()
    answer = visitor.post("/checkout", old)
    assert answer.status_code == 409
    assert 'data-code="1006"' in answer.text
    assert fingerprint() == before
    answer = visitor.post("/checkout", visitor.form(answer, "checkout"))  # re-priced without it
    assert answer.status_code == 303
    assert count(Order) == 2


def _dump(store: redis.Redis) -> dict[bytes, bytes]:
    raw = _raw(store)
    return {key: raw.dump(key) for key in raw.scan_iter()}


def _restore(store: redis.Redis, dump: dict[bytes, bytes]) -> None:
    raw = _raw(store)
    raw.flushall()
    for key, value in dump.items():
        raw.restore(key, 0, value)


def _raw(store: redis.Redis) -> redis.Redis:
    return redis.Redis(unix_socket_path=store.connection_pool.connection_kwargs["path"])


GARBAGE = {
    "nothing": lambda store, key: store.delete(key),
    "text": lambda store, key: store.set(key, "garbage"),
    "bytes": lambda store, key: store.set(key, b"\xff\xfe\x00\x80"),
    "foreign JSON": lambda store, key: store.set(key, json.dumps([{"data": 1}, None])),
    "deep JSON": lambda store, key: store.set(key, "[" * 100_000),
    "pickle": lambda store, key: store.set(key, b"cposix\nsystem\n(S'touch /tmp/pwned'\ntR."),
    "list": lambda store, key: store.rpush(key, "a", "b"),
    "set": lambda store, key: store.sadd(key, "a"),
    "sorted set": lambda store, key: store.zadd(key, {"a": 1}),
    "hash": lambda store, key: store.hset(key, mapping={"token": "x", "body": "{}", "1": "[]", "x": "{}"}),
    "hash of bytes": lambda store, key: store.hset(key, mapping={b"\xff": b"\xff", "body": b"\xff", "token": b"\xff"}),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_f16_garbage_under_any_key_counts_as_nothing(visitor: Person, store: redis.Redis, kind: str) -> None:
    """Every family of keys in turn: session, cart, settlement, known addresses, throttle, catalogue pages."""
    student, course = a_student(), a_course()

    def visit() -> set[str]:
        """Everything that leaves something in Redis; the families of keys there are afterwards."""
        visitor.get("/")
        visitor.post("/login", {"username": student.username, "password": "not it"})
        visitor.sign_in(student.username)
        settle(visitor, course)
        visitor.post("/coupons/codes", {"code": "GUESS"})
        return {key.split(":")[0] for key in store.scan_iter()}

    families = visit()
    assert {"sess", "cart", "settlement", "known", "LIMITS"} <= families
    for family in sorted(families):
        for key in store.keys(f"{family}:*"):
            store.delete(key)
            GARBAGE[kind](store, key)
        seen = statuses(
            visitor, ["/", f"/courses/{course.id}", "/cart", "/settlement", "/account", "/login", "/coupons"]
        )
        assert set(seen.values()) <= {200, 302, 303}, (family, seen)
        checkout = visitor.post("/checkout", {"token": "x", "balance": "0", "money": "1.00"}).status_code
        assert checkout in (303, 409), (family, checkout)
        visit()  # and everything works again
    assert not Path("/tmp/pwned").exists()


# ---------------------------------------------------------------- slow, hanging, read-only


@pytest.mark.parametrize("trouble", ["slow", "hangs", "LOADING"])
def test_f17_a_redis_that_does_not_answer_costs_a_page_and_no_worker(
    member: tuple[Person, Account, Course], wire: Proxy, trouble: str
) -> None:
    person, _, course = member
    _set_trouble(wire, trouble)
    for path in ("/cart", "/settlement", "/login", "/account"):
        started = time.monotonic()
        assert_kind(person.get(path))
        assert time.monotonic() - started < LONGEST
    started = time.monotonic()
    assert person.get(f"/courses/{course.id}").status_code == 200
    assert time.monotonic() - started < LONGEST
    wire.repair()
    wire.cut()
    wire.repair()
    assert person.get("/settlement").status_code == 200


def _set_trouble(wire: Proxy, trouble: str) -> None:
    if trouble == "slow":
        wire.delay = 2.0
    elif trouble == "hangs":
        wire.hangs = True
    else:
        wire.error = b"LOADING Redis is loading the dataset in memory"


@pytest.mark.parametrize("trouble", ["READONLY", "OOM"])
def test_f17_a_redis_that_takes_no_writes_says_so_kindly(
    member: tuple[Person, Account, Course], store: redis.Redis, trouble: str
) -> None:
    """Really so: made a replica of nobody, or out of memory."""
    person, student, course = member
    if trouble == "OOM":
        store.config_set("maxmemory", "1")
    else:
        store.replicaof("127.0.0.1", 1)
    try:
        item = {"product": course.id, "policy": course.policies[0].id}
        assert_kind(person.post("/cart/items", item))
        assert_kind(person.post("/settlement", item))
        assert_kind(_log_in(person, student))
        assert set(statuses(person, [*PUBLIC, f"/courses/{course.id}"]).values()) == {200}
    finally:
        store.config_set("maxmemory", "256mb")
        store.replicaof("NO", "ONE")
    assert person.post("/cart/items", item).status_code == 303


def _log_in(person: Person, student: Account) -> TestResponse:
    other = Person(person.client.application)
    return other.post("/login", {"username": student.username, "password": PASSWORD})


# ---------------------------------------------------------------- between commit and clearing


def test_f18_redis_lost_between_commit_and_clearing_the_cart_leaves_one_order(
    member: tuple[Person, Account, Course], wire: Proxy
) -> None:
    """The order stands and is shown; pressing again leads to it, and then the cart is cleared."""
    person, _, course = member
    form = person.form(person.get("/settlement"), "checkout")

    def cut(_session: Session) -> None:
        wire.cut()

    event.listen(Session, "after_commit", cut)
    try:
        answer = person.post("/checkout", form)
    finally:
        event.remove(Session, "after_commit", cut)
    assert answer.status_code == 303
    assert "out_trade_no" in answer.location
    wire.repair()
    number = only_number()
    assert number in person.get("/orders").text
    answer = person.post("/settlement", {"product": course.id})
    assert 'data-code="1014"' in answer.text
    assert number in answer.text
    assert number in person.post("/checkout", form).location
    assert f'data-product="{course.id}"' not in person.get("/cart").text
    assert count(Order) == 1
    assert count(EnrolledCourse) == 0
