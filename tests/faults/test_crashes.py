"""kill -9 of the web server between two chosen writes, and what its next start finds (safety.md 3.1, 1.6; P9).

On PostgreSQL the server is killed while it waits at a lock (lock-step); on SQLite, which locks only as a whole, the
process kills itself there.
"""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from shop.enums import NoticeVerdict, OrderStatus
from shop.extensions import db
from shop.gateways.settlement_store import Settlement
from shop.models import (
    EnrolledCourse,
    EnrolledDegreeCourse,
    PaymentNotice,
    StudyRecord,
)
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_degree, a_student
from tests.cashier.parts import Cashier
from tests.faults.barrier import barrier, until_waiting
from tests.faults.processes import Web
from tests.faults.purchase import (
    assert_bought_once,
    at_the_button,
    count,
    fingerprint,
    only_number,
    paid_notice,
    place,
    settlements,
    the_order,
)

CHECKOUT = ["orders", "order_detail", "coupon_record", "account", "transaction_record", "payment"]
NOTIFY = ["payment", "orders", "order_detail", "enrolled_course", "enrolled_degree_course", "study_record"]


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture(scope="module")
def server(shop: Flask, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    web = Web(environ, tmp_path_factory.mktemp("web") / "log")
    yield web
    web.stop()


def kill_at(server: Web, place: str, request: Callable[[], Any]) -> None:
    """Kill the server when the request is about to write to that table, or ("commit") after its commit."""
    server.ensure()
    db.session.remove()
    with ThreadPoolExecutor(1) as thread:
        if place != "commit" and db.engine.dialect.name == "postgresql":
            with barrier(place):
                sent = thread.submit(request)
                until_waiting(1)
                server.kill()
        else:
            server.die_at.write_text(place)
            sent = thread.submit(request)
        with pytest.raises((OSError, http.client.HTTPException)):
            sent.result(timeout=60)
    server.kill()


# ---------------------------------------------------------------- checkout


@pytest.mark.parametrize("table", CHECKOUT)
def test_a_checkout_killed_before_any_write_has_written_nothing_and_works_when_pressed_again(
    app: Flask, server: Web, table: str
) -> None:
    """F01 (at the first write), F02 (between each two)."""
    person, student_id, form = at_the_button(app)
    before = fingerprint()
    kill_at(server, table, lambda: server.post("/checkout", form, person))
    assert fingerprint() == before
    server.start()
    assert form["token"] in server.get("/settlement", person).text
    assert server.post("/checkout", form, person).status == 303
    assert_bought_once(student_id)


def test_f03_a_checkout_killed_after_its_commit_leads_to_the_same_order(app: Flask, server: Web) -> None:
    person, student_id, form = at_the_button(app)
    kill_at(server, "commit", lambda: server.post("/checkout", form, person))
    number = only_number()
    server.start()
    assert number in server.get("/orders", person).text
    assert f"/orders/{number}/payments" in server.get(f"/orders/{number}", person).text
    assert f"{number}01" in server.post("/checkout", form, person).headers["Location"]
    assert_bought_once(student_id)


# ---------------------------------------------------------------- notices


@pytest.mark.parametrize("table", [*NOTIFY, "payment_notice"])
def test_f04_a_notice_whose_handling_was_killed_pays_when_it_is_repeated(
    app: Flask, server: Web, alipay: Cashier, table: str
) -> None:
    number = an_order_of_a_course_and_a_degree()
    notice = paid_notice(alipay, number)
    before = fingerprint()
    kill_at(server, table, lambda: server.post("/alipay/notify", notice))
    assert fingerprint() == before
    server.start()
    assert server.post("/alipay/notify", notice).text == "success"
    assert_paid_once(number)


def test_f05_a_notice_killed_after_its_commit_is_acknowledged_when_it_is_repeated(
    app: Flask, server: Web, alipay: Cashier
) -> None:
    number = an_order_of_a_course_and_a_degree()
    notice = paid_notice(alipay, number)
    kill_at(server, "commit", lambda: server.post("/alipay/notify", notice))
    assert_paid_once(number)
    server.start()
    assert server.post("/alipay/notify", notice).text == "success"
    assert_paid_once(number)
    assert count(PaymentNotice, PaymentNotice.verdict == NoticeVerdict.REPEATED) == 1


def an_order_of_a_course_and_a_degree() -> str:
    course, degree = settlements([a_course().id, a_degree(modules=3).id])
    return place(a_student().id, Settlement((*course.picks, *degree.picks)), 110_000)


def assert_paid_once(number: str) -> None:
    assert the_order(number).status is OrderStatus.PAID
    assert count(PaymentNotice, PaymentNotice.verdict == NoticeVerdict.APPLIED) == 1
    assert (count(EnrolledCourse), count(EnrolledDegreeCourse), count(StudyRecord)) == (1, 1, 3)
