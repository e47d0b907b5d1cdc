"""Races for one thing, in real processes that have all passed their checks before any of them writes (safety.md 3.7).

Each counts its winners exactly: "at most one" would praise a shop that sells to nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from flask import Flask

from shop.enums import CouponStatus, NoticeVerdict, OrderStatus, TransactionType
from shop.extensions import db
from shop.gateways.settlement_store import Settlement
from shop.models import (
    Account,
    CouponRecord,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    Payment,
    PaymentNotice,
    TransactionRecord,
)
from shop.services import accounts, attempts, orders, passwords, payment
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_degree, a_student
from tests.cashier.parts import Cashier
from tests.faults.barrier import barrier, until_waiting
from tests.faults.conftest import WEB_THREADS
from tests.faults.crowd import THREADS, Crowd
from tests.faults.processes import Web
from tests.faults.purchase import (
    an_unpaid_order,
    balance_of,
    count,
    courses,
    paid_notice,
    place,
    settle,
    settlements,
    the_order,
)
from tests.person import Person

CROWD = 50


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


# ---------------------------------------------------------------- checkouts


@pytest.mark.parametrize("table", ["orders", "coupon_record", "payment"])
def test_f67_of_100_checkouts_with_one_coupon_exactly_one_has_it(app: Flask, crowd: Crowd, table: str) -> None:
    """B48: the row count of the coupon's update decides."""
    student = a_student()
    record = a_claimed(student, flat=1_000)
    calls = [(student.id, s, 9_000) for s in settlements(courses(100), site_coupon=record.id)]
    db.session.remove()
    assert crowd.outcomes(table, place, calls) == {"done": 1, "SiteCouponNotUsable": 99}
    assert count(CouponRecord, CouponRecord.status == CouponStatus.USED) == 1
    assert count(Order) == 1


@pytest.mark.parametrize("table", ["orders", "account", "transaction_record"])
def test_f68_of_100_checkouts_as_many_succeed_as_the_balance_pays_for(app: Flask, crowd: Crowd, table: str) -> None:
    """B47: 55 贝里 and 10 for each: five orders, and five are left."""
    student_id = a_student(beli=55).id
    calls = [(student_id, settlement, 9_000, 10) for settlement in settlements(courses(100))]
    db.session.remove()
    assert crowd.outcomes(table, place, calls) == {"done": 5, "NotEnoughBeli": 95}
    assert balance_of(student_id) == 5
    assert count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.EXPENSE) == 5


@pytest.mark.parametrize("table", ["orders", "order_detail"])
def test_50_checkouts_of_one_degree_make_one_order(app: Flask, crowd: Crowd, table: str) -> None:
    """As many settlements of the same degree: none of them owns it yet, one gets the order (1014 for the others)."""
    student, degree = a_student(), a_degree()
    calls = [(student.id, settlement, 100_000) for settlement in settlements([degree.id]) for _ in range(CROWD)]
    calls = [(account_id, Settlement(settlement.picks), money) for account_id, settlement, money in calls]
    db.session.remove()
    assert crowd.outcomes(table, place, calls) == {"done": 1, "UnpaidOrderExists": CROWD - 1}


def test_50_checkouts_of_one_degree_that_costs_nothing_enrol_once(app: Flask, crowd: Crowd) -> None:
    """Paid in the transaction that places it: the others meet the enrolment (1013)."""
    student, degree = a_student(), a_degree()
    record = a_claimed(student, degree, flat=100_000)
    [picked] = settlements([degree.id])
    calls = [(student.id, Settlement(picked.picks, {degree.id: record.id}), 0) for _ in range(CROWD)]
    db.session.remove()
    assert crowd.outcomes("enrolled_degree_course", place, calls) == {"done": 1, "DegreeOwned": CROWD - 1}
    assert count(EnrolledDegreeCourse) == 1


@pytest.mark.parametrize("table", ["orders", "order_detail", "payment"])
def test_one_token_50_times_over_http_is_one_order_and_one_place_to_go(app: Flask, web: Web, table: str) -> None:
    student, course = a_student(), a_course()
    person = Person(app).sign_in(student.username)
    form = settle(person, course)
    db.session.remove()
    with ThreadPoolExecutor(CROWD) as threads, barrier(table):
        sent = [threads.submit(web.post, "/checkout", form, person) for _ in range(CROWD)]
        until_waiting(WEB_THREADS)  # the system may deal every connection to one of the workers
    answers = [each.result() for each in sent]
    assert Counter(answer.status for answer in answers) == {303: CROWD}
    assert count(Order) == count(Payment) == 1
    assert {_out_trade_no(answer.headers["Location"]) for answer in answers} == {_only_attempt()}


def _out_trade_no(url: str) -> str:
    return url.split("out_trade_no%22%3A%22")[1].split("%22")[0]


def _only_attempt() -> str:
    return db.session.query(Payment.out_trade_no).scalar()


# ---------------------------------------------------------------- notices


@pytest.mark.parametrize("table", ["payment", "orders", "enrolled_course", "payment_notice"])
def test_30_copies_of_a_notice_pay_once_and_are_all_acknowledged(
    app: Flask, web: Web, alipay: Cashier, table: str
) -> None:
    number = an_unpaid_order(a_student(), a_course())
    notice = paid_notice(alipay, number)
    db.session.remove()
    with ThreadPoolExecutor(30) as threads, barrier(table):
        sent = [threads.submit(web.post, "/alipay/notify", notice) for _ in range(30)]
        until_waiting(WEB_THREADS)  # the system may deal every connection to one of the workers
    assert Counter((answer.result().status, answer.result().text) for answer in sent) == {(200, "success"): 30}
    assert the_order(number).status is OrderStatus.PAID
    assert count(EnrolledCourse) == 1
    assert _verdicts() == {NoticeVerdict.APPLIED: 1, NoticeVerdict.REPEATED: 29}


def test_f73_50_notices_for_50_orders_of_one_person_are_all_applied(app: Flask, crowd: Crowd, alipay: Cashier) -> None:
    student_id = a_student().id
    numbers = [place(student_id, settlement, 10_000) for settlement in settlements(courses(CROWD))]
    calls = [(paid_notice(alipay, number),) for number in numbers]
    db.session.remove()
    assert crowd.outcomes("enrolled_course", hear, calls) == {"done": CROWD}
    assert count(Order, Order.status == OrderStatus.PAID) == count(EnrolledCourse) == CROWD


def test_f26_notices_that_one_trade_paid_50_orders_pay_one_and_are_no_error(
    app: Flask, crowd: Crowd, alipay: Cashier
) -> None:
    """Alipay will not say so; if a signed message does, the unique trade number decides (design 5)."""
    [course_id] = courses(1)
    numbers = [place(a_student(password="-").id, settlements([course_id])[0], 10_000) for _ in range(24)]
    calls = [(paid_notice(alipay, number, trade_no="2026112322001"),) for number in numbers]
    db.session.remove()
    assert crowd.outcomes("payment", hear, calls) == {"done": 1, "NotAcknowledged": 23}
    assert count(Order, Order.status == OrderStatus.PAID) == 1


def hear(notice: dict[str, str]) -> None:
    if not payment.receive(attempts.alipay().read_notice(notice)).is_acknowledged:
        raise NotAcknowledged


class NotAcknowledged(Exception):
    pass


def _verdicts() -> Counter[NoticeVerdict]:
    db.session.rollback()
    return Counter(verdict for (verdict,) in db.session.query(PaymentNotice.verdict))


# ---------------------------------------------------------------- the end of an order


@pytest.mark.parametrize("table", ["orders", "coupon_record", "account"])
def test_f72_100_cancels_release_once(app: Flask, crowd: Crowd, alipay: Cashier, table: str) -> None:
    student_id, number = an_order_that_holds_things()
    db.session.remove()
    assert crowd.outcomes(table, end, [("cancel", student_id, number)] * 100) == {"done": 1, "NotYourTurn": 99}
    assert the_order(number).status is OrderStatus.CANCELLED
    assert_all_is_back(student_id)


def test_f72_cancel_and_sweep_at_once_end_it_once(app: Flask, crowd: Crowd, alipay: Cashier) -> None:
    student_id, number = an_order_that_holds_things()
    alipay.clock_file.write_text(str(20 * 60))
    db.session.remove()
    calls = [("cancel", student_id, number), ("expire", student_id, number)] * 25
    # The cancels of one process; of the sweeps in the other one claims the attempt, the rest have nothing to do.
    outcomes = crowd.outcomes("orders", end, calls, waiting=THREADS + 1)
    assert outcomes["done"] == 1
    assert outcomes.total() == 50
    assert the_order(number).status in (OrderStatus.CANCELLED, OrderStatus.TIMED_OUT)
    assert_all_is_back(student_id)


def test_f72_cancel_sweep_and_notice_at_once_lose_no_money(app: Flask, crowd: Crowd, alipay: Cashier) -> None:
    """Whoever asks Alipay hears that it is paid: nobody may end the order any more."""
    student_id, number = an_order_that_holds_things()
    notice = paid_notice(alipay, number)
    alipay.clock_file.write_text(str(20 * 60))
    db.session.remove()
    calls = [(what, student_id, number, notice) for what in ("cancel", "notice", "expire") for _ in range(10)]
    outcomes = crowd.outcomes("orders", end, calls, waiting=10 + 10 + 1)  # one sweep claims the attempt
    assert outcomes == {"done": 10, "NotYourTurn": 10, "NothingToDo": 10}
    assert the_order(number).status is OrderStatus.PAID
    assert balance_of(student_id) == 0
    assert count(EnrolledCourse) == 1


def test_50_checkouts_and_50_cancels_leave_one_unpaid_order_or_none(app: Flask, crowd: Crowd, alipay: Cashier) -> None:
    """Checkout of a course against the cancel of the order that stands in its way, which holds coupon and 贝里."""
    student_id, number = an_order_that_holds_things()
    [record_id] = db.session.query(CouponRecord.id).one()
    product_id = the_order(number).details[0].product_id
    [picked] = settlements([product_id], site_coupon=record_id)
    calls = []
    for _ in range(CROWD):
        calls += [("cancel", student_id, number), ("checkout", student_id, Settlement(picked.picks, {}, record_id))]
    db.session.remove()
    # The cancels of one process; checkouts that come before any of them are refused and wait for nothing.
    outcomes = crowd.outcomes("orders", end, calls, waiting=THREADS)
    refused = {"NotYourTurn": CROWD - 1, "UnpaidOrderExists": CROWD - 1}
    never = {"NotYourTurn": CROWD - 1, "UnpaidOrderExists": CROWD}
    assert outcomes in ({"done": 2, **refused}, {"done": 1, **never})
    assert the_order(number).status is OrderStatus.CANCELLED
    assert count(Order, Order.status == OrderStatus.PENDING) == outcomes["done"] - 1
    assert balance_of(student_id) == (0 if outcomes["done"] == 2 else 30)


def an_order_that_holds_things() -> tuple[int, str]:
    """An unpaid order with a coupon and all the 贝里 of its account: (account, number)."""
    student = a_student(beli=30)
    record = a_claimed(student, flat=1_000)
    [settlement] = settlements(courses(1), site_coupon=record.id)
    return student.id, place(student.id, settlement, 6_000, 30)


def assert_all_is_back(account_id: int) -> None:
    assert balance_of(account_id) == 30
    assert count(CouponRecord, CouponRecord.status == CouponStatus.UNUSED) == 1
    assert count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.REFUND) == 1
    assert count(Order, Order.status == OrderStatus.PENDING) == 0


class NothingToDo(Exception):
    pass


def end(what: str, account_id: int, about: str | Settlement, notice: dict[str, str] | None = None) -> None:
    """One of several ways to touch an order, for a crowd that does different things at once."""
    if what == "cancel":
        orders.cancel(account_id, str(about))
    elif what == "expire":
        ended = orders.expire_due()["ended"]
        if not ended:
            raise NothingToDo
    elif what == "notice":
        assert notice
        hear(notice)
    else:
        assert isinstance(about, Settlement)
        place(account_id, about, 6_000, 30)


# ---------------------------------------------------------------- names


def test_f26_of_100_registrations_of_one_name_exactly_one_gets_it(app: Flask, crowd: Crowd) -> None:
    calls = [("luffy", f"luffy{number}@example.com") for number in range(100)]
    assert crowd.outcomes("account", register, calls) == {"done": 1, "UsernameTaken": 99}
    assert count(Account) == 1


def register(name: str, email: str) -> None:
    passwords.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # in a process of the crowd
    accounts.register(name, email, "a long enough passphrase")
