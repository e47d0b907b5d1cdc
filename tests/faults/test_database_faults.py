"""The database down, lost in the middle, deadlocked, held by somebody else (safety.md 3.3)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import make_url
from werkzeug.test import TestResponse

from shop import create_app
from shop.config import Settings
from shop.enums import NoticeVerdict, OrderStatus
from shop.extensions import db
from shop.models import CouponRecord, Order, PaymentNotice
from tests.audit import assert_audit_clean
from tests.builders import a_coupon, a_course, a_student
from tests.cashier.parts import Cashier
from tests.faults.barrier import barrier, beside_the_shop, until_waiting
from tests.faults.proxy import Proxy
from tests.faults.purchase import (
    an_unpaid_order,
    assert_bought_once,
    at_the_button,
    count,
    fingerprint,
    only_number,
    paid_notice,
    settle,
    the_order,
)
from tests.person import Client, Person

LONGEST = 15.0  # seconds; the shop itself gives up after four, on a machine that may be busy
ON_POSTGRESQL = pytest.mark.only_on("postgresql")
ON_SQLITE = pytest.mark.only_on("sqlite")


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def assert_kind(answer: TestResponse) -> None:
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "<h1" in answer.text
    assert "Traceback" not in answer.text


@contextmanager
def shop_at(settings: Settings, database_url: str) -> Iterator[Flask]:
    """The shop with its database somewhere else."""
    other = create_app(replace(settings, database_url=database_url))
    other.test_client_class = Client
    yield other
    with other.app_context():
        db.engine.dispose()


def moved_to(other: Flask, person: Person) -> Person:
    """The same browser at another process of the shop: the session is in Redis."""
    cookie = person.client.get_cookie("session")
    assert cookie
    twin = Person(other)
    twin.client.set_cookie("session", cookie.value)
    twin._token = person._token
    return twin


# ---------------------------------------------------------------- down


def test_f20_without_its_database_the_shop_says_so_and_acknowledges_nothing(
    app: Flask, settings: Settings, alipay: Cashier
) -> None:
    number = an_unpaid_order(a_student(), a_course())
    notice = paid_notice(alipay, number)
    member = Person(app).sign_in(a_student().username)
    is_sqlite = settings.database_url.startswith("sqlite")
    nowhere = "sqlite:////no/such/folder/shop.sqlite3" if is_sqlite else "postgresql+psycopg://x@127.0.0.1:1/x"
    with shop_at(settings, nowhere) as broken:
        person = moved_to(broken, member)
        for path in ("/courses/1", "/degrees/1", "/orders", "/account", "/learning", "/settlement"):
            assert_kind(person.get(path))
        assert_kind(Person(broken).get("/courses?q=python"))
        with person.get("/static/shop.css") as answer:
            assert answer.status_code == 200
        assert person.get("/healthz").status_code == 200
        assert person.get("/readyz").status_code == 503
        answer = person.client.post("/alipay/notify", data=notice)
        assert answer.status_code == 503
        assert "success" not in answer.text
    assert app.test_client().post("/alipay/notify", data=notice).text == "success"


@pytest.fixture
def wired(app: Flask, settings: Settings) -> Iterator[tuple[Flask, Proxy]]:
    """The shop on the worker's PostgreSQL, and the wire that leads there."""
    url = make_url(settings.database_url)
    host, port = str(url.query.get("host") or url.host), url.port or 5432

    def to_server() -> socket.socket:
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(f"{host}/.s.PGSQL.{port}")
        return connection

    wire = Proxy(to_server)
    through = url.set(host="127.0.0.1", port=wire.port).difference_update_query(["host"])
    with shop_at(settings, through.render_as_string(hide_password=False)) as shop:
        yield shop, wire
    wire.stop()


@ON_POSTGRESQL
def test_f20_when_the_database_is_back_the_shop_works_without_a_restart(wired: tuple[Flask, Proxy]) -> None:
    shop, wire = wired
    course = a_course()
    person = Person(shop).sign_in(a_student().username)
    settle(person, course)
    wire.cut()
    assert_kind(person.get("/settlement"))
    assert_kind(person.get("/orders"))
    wire.repair()
    assert person.get("/settlement").status_code == 200


COMMIT = b"COMMIT\0"  # the statement alone, not a BEGIN at READ COMMITTED


@ON_POSTGRESQL
def test_f23_a_checkout_lost_at_commit_shows_the_truth_and_makes_no_second_order(
    app: Flask, wired: tuple[Flask, Proxy]
) -> None:
    shop, wire = wired
    member, student_id, form = at_the_button(app)
    person = moved_to(shop, member)
    wire.lost_after = COMMIT
    assert_kind(person.post("/checkout", form))
    wire.repair()
    number = only_number()  # it was committed, which nobody could know
    assert number in person.get("/orders").text
    assert number in person.post("/checkout", form).location
    assert_bought_once(student_id)


@ON_POSTGRESQL
def test_f23_a_notice_lost_at_commit_is_not_acknowledged_and_its_repeat_is(
    wired: tuple[Flask, Proxy], alipay: Cashier
) -> None:
    shop, wire = wired
    number = an_unpaid_order(a_student(), a_course())
    notice = paid_notice(alipay, number)
    wire.lost_after = COMMIT
    assert "success" not in shop.test_client().post("/alipay/notify", data=notice).text
    wire.repair()
    assert the_order(number).status is OrderStatus.PAID
    assert shop.test_client().post("/alipay/notify", data=notice).text == "success"
    assert count(PaymentNotice, PaymentNotice.verdict == NoticeVerdict.REPEATED) == 1


# ---------------------------------------------------------------- lost in the middle


def cut_off_at(table: str, request: Callable[[], TestResponse]) -> TestResponse:
    """The answer to a request whose backend is terminated while it waits to write to a table."""
    db.session.remove()
    with ThreadPoolExecutor(1) as thread, barrier(table):
        sent = thread.submit(request)
        [backend] = until_waiting(1)
        with beside_the_shop(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
        return sent.result(timeout=60)


@ON_POSTGRESQL
@pytest.mark.parametrize("table", ["orders", "coupon_record", "transaction_record", "payment"])
def test_f22_a_checkout_whose_backend_is_terminated_has_written_nothing(app: Flask, table: str) -> None:
    person, student_id, form = at_the_button(app)
    before = fingerprint()
    assert_kind(cut_off_at(table, lambda: person.post("/checkout", form)))
    assert fingerprint() == before
    assert person.post("/checkout", form).status_code == 303
    assert_bought_once(student_id)


@ON_POSTGRESQL
@pytest.mark.parametrize("table", ["orders", "enrolled_course", "payment_notice"])
def test_f22_a_notice_whose_backend_is_terminated_pays_when_it_is_repeated(
    app: Flask, alipay: Cashier, table: str
) -> None:
    number = an_unpaid_order(a_student(), a_course())
    notice = paid_notice(alipay, number)
    before = fingerprint()
    answer = cut_off_at(table, lambda: app.test_client().post("/alipay/notify", data=notice))
    assert answer.status_code == 503
    assert fingerprint() == before
    assert app.test_client().post("/alipay/notify", data=notice).text == "success"
    assert the_order(number).status is OrderStatus.PAID


@ON_POSTGRESQL
def test_f22_a_cancel_and_a_claim_whose_backend_is_terminated_do_nothing(app: Flask, alipay: Cashier) -> None:
    student, coupon = a_student(), a_coupon()
    number = an_unpaid_order(student, a_course())
    person = Person(app).sign_in(student.username)
    before = fingerprint()
    for table, path in (("orders", f"/orders/{number}/cancellation"), ("coupon", f"/coupons/{coupon.id}/claims")):
        assert_kind(cut_off_at(table, lambda path=path: person.post(path)))
        assert fingerprint() == before
        assert person.post(path).status_code == 303
        before = fingerprint()
    assert the_order(number).status is OrderStatus.CANCELLED
    assert count(CouponRecord) == 1


# ---------------------------------------------------------------- waiting for somebody else


@ON_POSTGRESQL
def test_f24_a_checkout_that_a_deadlock_ends_can_be_pressed_again(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """The other session looks for deadlocks a minute later than the shop's, so that the shop is the victim."""
    person, student_id, form = at_the_button(app)
    before = fingerprint()
    db.session.remove()
    with ThreadPoolExecutor(1) as thread, beside_the_shop() as other:
        other.execute(sa.text("SET LOCAL deadlock_timeout = '60s'"))
        other.execute(sa.text("LOCK TABLE payment IN SHARE MODE"))
        sent = thread.submit(person.post, "/checkout", form)
        until_waiting(1)
        other.execute(sa.text("SELECT 1 FROM account WHERE id = :id FOR UPDATE"), {"id": student_id})
        other.rollback()
        assert_kind(sent.result(timeout=60))
    assert "DeadlockDetected" in caplog.text
    assert fingerprint() == before
    assert person.post("/checkout", form).status_code == 303
    assert_bought_once(student_id)


@ON_POSTGRESQL
def test_f25_a_checkout_asks_for_its_own_isolation_so_that_none_fails_to_be_serialized(
    app: Flask, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """On a server whose administrator has set a stricter isolation than the shop needs."""
    member, student_id, form = at_the_button(app)
    name = make_url(settings.database_url).database
    with beside_the_shop(isolation_level="AUTOCOMMIT") as other:
        other.execute(sa.text(f'ALTER DATABASE "{name}" SET default_transaction_isolation = "repeatable read"'))
    try:
        with shop_at(settings, settings.database_url) as strict:
            person = moved_to(strict, member)
            db.session.remove()
            with ThreadPoolExecutor(1) as thread, beside_the_shop() as other:
                other.execute(sa.text("UPDATE account SET balance = balance WHERE id = :id"), {"id": student_id})
                sent = thread.submit(person.post, "/checkout", form)
                until_waiting(1)
                other.commit()
                assert sent.result(timeout=60).status_code == 303
    finally:
        with beside_the_shop(isolation_level="AUTOCOMMIT") as other:
            other.execute(sa.text(f'ALTER DATABASE "{name}" RESET default_transaction_isolation'))
    assert "SerializationFailure" not in caplog.text
    assert_bought_once(student_id)


@ON_POSTGRESQL
def test_f27_a_checkout_does_not_wait_for_a_row_for_ever(app: Flask, alipay: Cashier) -> None:
    person, student_id, form = at_the_button(app)
    number = an_unpaid_order(a_student(), a_course())
    notice = paid_notice(alipay, number)
    before = fingerprint()
    db.session.remove()
    with beside_the_shop() as other:
        other.execute(sa.text("SELECT 1 FROM account WHERE id = :id FOR UPDATE"), {"id": student_id})
        started = time.monotonic()
        assert_kind(person.post("/checkout", form))
        assert time.monotonic() - started < LONGEST
        assert fingerprint() == before
        # and nobody else waits
        assert app.test_client().post("/alipay/notify", data=notice).text == "success"
        other.rollback()
    assert person.post("/checkout", form).status_code == 303
    assert count(Order) == 2


@ON_SQLITE
def test_f28_a_checkout_waits_while_another_process_writes_for_a_second(app: Flask) -> None:
    person, student_id, form = at_the_button(app)
    db.session.remove()
    with ThreadPoolExecutor(1) as thread:
        with barrier("orders"):
            sent = thread.submit(person.post, "/checkout", form)
            time.sleep(1)
            assert not sent.done()
        assert sent.result(timeout=60).status_code == 303
    assert_bought_once(student_id)


@ON_SQLITE
def test_f28_a_checkout_is_sent_away_kindly_while_another_process_writes_for_long(app: Flask) -> None:
    person, student_id, form = at_the_button(app)
    before = fingerprint()
    db.session.remove()
    with barrier("orders"):
        started = time.monotonic()
        assert_kind(person.post("/checkout", form))
        assert time.monotonic() - started < LONGEST
        assert person.get("/settlement").status_code == 200  # reading goes on
    assert fingerprint() == before
    assert person.post("/checkout", form).status_code == 303
    assert_bought_once(student_id)
