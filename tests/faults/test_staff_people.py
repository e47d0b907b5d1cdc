"""F63-F66 in browsers: two of the staff decide at the same moment, and somebody is logged out, disabled or demoted
while a page of theirs is open. Exactly one wins; whoever comes second, or has no right any more, is told in words."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import GiftState, OrderStatus, RefundState, StaffRole, TransactionType, WithdrawalState
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    AuditLog,
    Coupon,
    Gift,
    Order,
    Refund,
    StaffMember,
    TransactionRecord,
    Trouble,
    Withdrawal,
)
from shop.services import attempts, payment, refund_decisions, withdrawals
from shop.services.audit_log import Actor
from shop.services.staff import accounts, gifts
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_coupon, a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.degrees import a_mentor
from tests.faults.barrier import barrier, until_waiting
from tests.faults.purchase import balance_of, count, the_order
from tests.pages.test_rights import fingerprint
from tests.person import PASSWORD, Person
from tests.refunding import asked, at_alipay, bought, calls, placed, the_refund

REASON = {"reason": "属实"}


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def anna(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.FINANCE).username)


@pytest.fixture
def bert(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.FINANCE).username)


def at_once(table: str, people: list[Person], path: str, form: dict[str, str]) -> list[TestResponse]:
    """Everybody sends the form; nobody writes to the table before all wait. The winner's answer comes first."""
    db.session.remove()
    with ThreadPoolExecutor(len(people)) as threads, barrier(table):
        sent = [threads.submit(person.post, path, form) for person in people]
        until_waiting(len(people))
    answers = sorted((each.result() for each in sent), key=lambda answer: answer.status_code)
    db.session.rollback()
    return answers


def assert_one_won(answers: list[TestResponse]) -> None:
    won, *told = answers
    assert [won.status_code, *(answer.status_code for answer in told)] == [303, *[409] * len(told)]
    assert all("刚刚已被处理，没有重复执行" in answer.text for answer in told)


# ---------------------------------------------------------------- F63


@pytest.mark.parametrize("table", ["refund", "audit_log"])
def test_f63_of_two_clerks_who_approve_one_refund_one_wins(
    alipay: Cashier, anna: Person, bert: Person, table: str
) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(30_000)])
    refund = asked(student, number)
    assert_one_won(at_once(table, [anna, bert], f"/staff/refunds/{refund}/approval", REASON))
    assert the_refund(refund).state is RefundState.DONE
    assert (at_alipay(alipay, number), calls(alipay)) == (30_000, ["refund"])
    assert count(AuditLog, AuditLog.action == "refund approve") == 1


def test_f63_of_two_clerks_who_pay_one_withdrawal_one_wins(anna: Person, bert: Person) -> None:
    mentor, first = a_mentor(beli=500), a_clerk(StaffRole.FINANCE)
    asked_for = withdrawals.ask(mentor.id, 100, payee_account="a@b.cn", payee_name="沈舟", now=clock.now()).id
    withdrawals.approve(asked_for, actor=Actor(first.username, first.id), reason="好")
    mentor_id = mentor.id
    form = {"payment_number": "T1"}
    assert_one_won(at_once("withdrawal", [anna, bert], f"/staff/withdrawals/{asked_for}/payment", form))
    assert db.session.get_one(Withdrawal, asked_for).state is WithdrawalState.PAID
    assert (balance_of(mentor_id), count(AuditLog, AuditLog.action == "withdrawal pay")) == (400, 1)


@pytest.mark.parametrize("table", ["gift", "transaction_record"])
def test_f63_of_two_clerks_who_give_one_gift_one_wins(anna: Person, bert: Person, table: str) -> None:
    student, carl = a_student(), a_clerk(StaffRole.FINANCE)
    gift = gifts.propose_beli(student.username, 50, actor=Actor(carl.username, carl.id), reason="补偿")
    student_id = student.id
    assert_one_won(at_once(table, [anna, bert], f"/staff/gifts/{gift}/giving", REASON))
    assert db.session.get_one(Gift, gift).state is GiftState.GIVEN
    assert (balance_of(student_id), count(TransactionRecord)) == (50, 1)


def test_f63_giving_and_refusing_one_gift_at_once_leaves_one_of_them(anna: Person, bert: Person) -> None:
    student, carl = a_student(), a_clerk(StaffRole.FINANCE)
    gift = gifts.propose_beli(student.username, 50, actor=Actor(carl.username, carl.id), reason="补偿")
    student_id = student.id
    db.session.remove()
    with ThreadPoolExecutor(2) as threads, barrier("gift"):
        steps = ((anna, "giving"), (bert, "refusal"))
        sent = [threads.submit(who.post, f"/staff/gifts/{gift}/{step}", REASON) for who, step in steps]
        until_waiting(2)
    assert_one_won(sorted((each.result() for each in sent), key=lambda answer: answer.status_code))
    db.session.rollback()
    is_given = db.session.get_one(Gift, gift).state is GiftState.GIVEN
    assert (balance_of(student_id), count(TransactionRecord)) == ((50, 1) if is_given else (0, 0))


def test_f63_withdrawing_and_giving_one_gift_at_once_leaves_one_of_them(app: Flask, anna: Person) -> None:
    student, carl = a_student(), a_clerk(StaffRole.FINANCE)
    gift = gifts.propose_beli(student.username, 50, actor=Actor(carl.username, carl.id), reason="补偿")
    student_id, proposer = student.id, Person(app).sign_in(carl.username)
    db.session.remove()
    with ThreadPoolExecutor(2) as threads, barrier("gift"):
        steps = ((anna, "giving"), (proposer, "withdrawal"))
        sent = [threads.submit(who.post, f"/staff/gifts/{gift}/{step}", REASON) for who, step in steps]
        until_waiting(2)
    assert sorted(each.result().status_code for each in sent) == [303, 409]
    db.session.rollback()
    is_given = db.session.get_one(Gift, gift).state is GiftState.GIVEN
    assert balance_of(student_id) == count(TransactionRecord) * 50 == is_given * 50


def test_f63_withdrawing_and_approving_one_refund_at_once_leaves_one_of_them(
    app: Flask, alipay: Cashier, anna: Person
) -> None:
    number, carl = bought(alipay, a_student(), [a_course(30_000)]), a_clerk(StaffRole.SERVICE)
    line, actor = the_order(number).details[0].id, Actor(carl.username, carl.id)
    refund = refund_decisions.open_by_staff(number, [line], actor=actor, reason="打不开").out_request_no
    proposer = Person(app).sign_in(carl.username)
    db.session.remove()
    with ThreadPoolExecutor(2) as threads, barrier("refund"):
        steps = ((anna, "approval"), (proposer, "withdrawal"))
        sent = [threads.submit(who.post, f"/staff/refunds/{refund}/{step}", REASON) for who, step in steps]
        until_waiting(2)
    assert sorted(each.result().status_code for each in sent) == [303, 409]
    is_back = the_refund(refund).state is RefundState.DONE
    assert at_alipay(alipay, number) == is_back * 30_000
    assert the_order(number).status is (OrderStatus.REFUNDED if is_back else OrderStatus.PAID)


def test_f63_closing_a_case_and_sending_its_money_back_at_once_leaves_one_of_them(
    alipay: Cashier, anna: Person, bert: Person
) -> None:
    number = placed(a_student(), [a_course(30_000)])
    alipay.fault("notify_lost", out_trade_no=f"{number}01", times=None)
    fetch(attempts.pay_url(number) or "")
    alipay.control("pay", {"out_trade_no": f"{number}01", "amount": "0.01"})
    payment.ask(f"{number}01")
    case = db.session.query(Trouble.id).scalar()
    db.session.remove()
    with ThreadPoolExecutor(2) as threads, barrier("audit_log"):
        steps = ((anna, "closing"), (bert, "refund"))
        sent = [threads.submit(who.post, f"/staff/money/{case}/{step}", REASON) for who, step in steps]
        until_waiting(2)
    answers = sorted(each.result().status_code for each in sent)
    assert answers[0] == 303 and answers[1] in (404, 409)
    assert count(AuditLog, AuditLog.subject_table == "trouble") == 1


# ---------------------------------------------------------------- F64, F65


@pytest.mark.parametrize("how", ["logged out", "password changed"])
def test_f64_logged_out_elsewhere_a_students_open_page_does_nothing(app: Flask, alipay: Cashier, how: str) -> None:
    student = a_student()
    number = placed(student, [a_course(30_000)])
    tab, other = Person(app).sign_in(student.username), Person(app).sign_in(student.username)
    tab.get(f"/orders/{number}")
    token = tab._token
    if how == "logged out":
        tab.post("/logout")
        tab._token = token  # the page that was left open
    else:
        new = {"current": PASSWORD, "new": "another long passphrase", "again": "another long passphrase"}
        assert other.post("/account/password", new).status_code == 303
    before = fingerprint()
    answer = tab.post(f"/orders/{number}/cancellation")
    assert (answer.status_code, answer.location.split("?")[0]) == (303, "/login")
    assert fingerprint() == before
    assert the_order(number).status is OrderStatus.PENDING


def test_f65_disabled_with_an_unpaid_order_the_session_ends_and_the_money_can_go_back(
    app: Flask, alipay: Cashier, anna: Person
) -> None:
    student, boss = a_student(), a_clerk(StaffRole.ADMIN)
    number = placed(student, [a_course(30_000)])
    url = attempts.pay_url(number) or ""
    tab = Person(app).sign_in(student.username)
    accounts.disable(student.id, actor=Actor(boss.username, boss.id), reason="被盗")
    answer = tab.post(f"/orders/{number}/cancellation")
    assert (answer.status_code, answer.location.split("?")[0]) == (303, "/login")
    alipay.fault("notify_lost", out_trade_no=f"{number}01", times=None)
    fetch(url)
    alipay.pay(f"{number}01")
    assert payment.ask(f"{number}01") is payment.Answer.PAID
    [line] = [detail.id for detail in the_order(number).details]
    anna.get(f"/staff/orders/{number}/refunds?detail={line}")
    done = anna.follow(anna.post(f"/staff/orders/{number}/refunds", {"detail": line, "reason": "账户被盗"}))
    assert "退款已完成：300.00 元已原路退回" in done.text
    assert (at_alipay(alipay, number), the_order(number).status) == (30_000, OrderStatus.REFUNDED)
    assert count(Refund) == count(Order) == 1


# ---------------------------------------------------------------- F66


@pytest.mark.parametrize("what", ["account", "campaign"])
def test_f66_a_role_withdrawn_while_one_waits_for_the_lock_changes_nothing(app: Flask, what: str) -> None:
    late, student, coupon = a_clerk(StaffRole.ADMIN, StaffRole.OPERATIONS), a_student(), a_coupon()
    row, path = {
        "account": (student, f"/staff/accounts/{student.id}/disabling"),
        "campaign": (coupon, f"/staff/coupons/{coupon.id}/stopping"),
    }[what]
    person = Person(app).sign_in(late.username)
    with ThreadPoolExecutor(1) as threads:
        with unit_of_work() as session:
            session.get_one(type(row), row.id, with_for_update=True)
            session.query(StaffMember).filter_by(account_id=late.id).delete()
            sent = threads.submit(person.post, path, REASON)
            until_waiting(1)
        assert sent.result().status_code == 403
    db.session.rollback()
    assert db.session.get_one(Account, student.id).is_active and db.session.get_one(Coupon, coupon.id).enabled


def test_f66_a_role_withdrawn_while_the_page_of_a_decision_is_open_decides_nothing(
    app: Flask, alipay: Cashier, anna: Person
) -> None:
    student, carl, boss = a_student(), a_clerk(StaffRole.FINANCE), a_clerk(StaffRole.ADMIN)
    refund = asked(student, bought(alipay, student, [a_course(30_000)]))
    gift = gifts.propose_beli(student.username, 50, actor=Actor(carl.username, carl.id), reason="补偿")
    pages = (f"/staff/refunds/{refund}", f"/staff/gifts/{gift}")
    assert [anna.get(page).status_code for page in pages] == [200, 200]
    me = db.session.query(Account.id).filter(Account.is_staff, Account.id.not_in([carl.id, boss.id])).scalar()
    accounts.set_roles(me, [StaffRole.SERVICE], actor=Actor(boss.username, boss.id), reason="换岗")
    before = fingerprint()
    assert anna.post(f"{pages[0]}/approval", REASON).status_code == 403
    assert anna.post(f"{pages[1]}/giving", REASON).status_code in (403, 404)
    assert fingerprint() == before
    assert count(TransactionRecord, TransactionRecord.transaction_type == TransactionType.INCOME) == 0
