"""提现: 贝里 are taken with the request; two people pay, one is enough to refuse; the payee is for few eyes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy.exc import IntegrityError

from shop import clock
from shop.enums import MessageType, Role, StaffRole, TransactionType, WithdrawalState
from shop.errors import MentorsOnly, NotEnoughBeli, NotFound, NotYourTurn
from shop.extensions import db
from shop.models import Account, AuditLog, Mail, Notification, StaffMember, TransactionRecord, Withdrawal
from shop.services import withdrawals
from shop.services.audit_log import Actor
from shop.services.withdrawals import NumberTaken, TooManyToday
from tests import builders
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import a_mentor
from tests.faults.purchase import balance_of, count, fingerprint
from tests.purchases import saved
from tests.services.test_nightly import set_clock
from tests.statements import counted

PAYEE = "alice.shen@example.com"
NAME = "沈一舟"


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def a_clerk(**values: Any) -> Actor:
    person = builders.a_clerk(StaffRole.FINANCE, **values)
    return Actor(person.username, person.id)


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor(beli=1000)


@pytest.fixture
def anna(app: Flask) -> Actor:
    return a_clerk()


@pytest.fixture
def bert(app: Flask) -> Actor:
    return a_clerk()


def asked(mentor: Account, amount: int = 300, payee: str = PAYEE) -> int:
    return withdrawals.ask(mentor.id, amount, payee_account=payee, payee_name=NAME, now=clock.now()).id


def the(withdrawal_id: int) -> Withdrawal:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Withdrawal, withdrawal_id)


def moves(mentor: Account) -> list[tuple[TransactionType, int, int]]:
    db.session.rollback()
    rows = db.session.query(TransactionRecord).filter_by(account_id=mentor.id).order_by(TransactionRecord.id)
    return [(row.transaction_type, row.amount, row.balance_after) for row in rows][1:]  # without the gift


def told(mentor: Account) -> list[str]:
    db.session.rollback()
    rows = db.session.query(Notification).filter_by(account_id=mentor.id).order_by(Notification.id)
    return [row.content % row.facts for row in rows]


def refusal(step: Any, *args: Any, **how: Any) -> object:
    before = fingerprint()
    with pytest.raises(NotYourTurn) as refused:
        step(*args, **how)
    assert fingerprint() == before
    return refused.value.facts["why"]


# ---------------------------------------------------------------- asking


def test_the_beli_are_taken_with_the_request(mentor: Account) -> None:
    row = the(asked(mentor))
    assert (row.state, row.amount, row.amount_fen) == (WithdrawalState.WAITING, 300, 30_000)
    assert moves(mentor) == [(TransactionType.WITHDRAWAL, 300, 700)]
    assert db.session.query(TransactionRecord.withdrawal_id).order_by(TransactionRecord.id.desc()).first()[0] == row.id
    assert balance_of(mentor.id) == 700
    assert told(mentor) == ["您申请提现 300 贝里（300.00 元），贝里已转出，等待审核。"]
    message = db.session.query(Notification).one()
    assert (message.msg_type, message.link) == (MessageType.REWARD, "/mentor/withdrawals")


def test_the_whole_balance_and_not_one_more(mentor: Account) -> None:
    with pytest.raises(NotEnoughBeli):
        asked(mentor, 1001)
    assert (count(Withdrawal), moves(mentor)) == (0, [])
    asked(mentor, 1000)
    assert balance_of(mentor.id) == 0


@pytest.mark.parametrize("amount", [0, -1, withdrawals.MOST_AT_ONCE + 1, 2**40])
def test_an_amount_out_of_bounds_writes_nothing(mentor: Account, amount: int) -> None:
    before = fingerprint()
    with pytest.raises(ValueError, match="withdrawal"):
        asked(mentor, amount)
    assert fingerprint() == before


@pytest.mark.parametrize(
    "values",
    [{"role": Role.STUDENT}, {"role": Role.LECTURER}, {"role": Role.ADMIN}, {"is_staff": True}, {"is_active": False}],
    ids=str,
)
def test_a13_only_mentors_withdraw(app: Flask, values: dict[str, Any]) -> None:
    person = a_student(beli=500, **{"role": Role.MENTOR, **values})
    with pytest.raises(MentorsOnly):
        asked(person)
    assert balance_of(person.id) == 500


def test_three_requests_a_day_and_three_more_on_the_next_by_the_shanghai_calendar(
    mentor: Account, instance: Path
) -> None:
    midnight = clock.start_of_day(clock.local_date(clock.now()) + timedelta(days=2))
    set_clock(instance, midnight - timedelta(minutes=2))
    for _ in range(3):
        asked(mentor, 10)
    with pytest.raises(TooManyToday):
        asked(mentor, 10)
    assert balance_of(mentor.id) == 970
    set_clock(instance, midnight + timedelta(minutes=1))
    asked(mentor, 10)
    assert balance_of(mentor.id) == 960


def test_a_refused_request_counts_as_one_of_the_day(mentor: Account, anna: Actor) -> None:
    for _ in range(3):
        withdrawals.refuse(asked(mentor, 10), actor=anna, reason="账号不符")
    with pytest.raises(TooManyToday):
        asked(mentor, 10)


# ---------------------------------------------------------------- two people


def test_one_approves_another_pays(mentor: Account, anna: Actor, bert: Actor) -> None:
    number = asked(mentor)
    withdrawals.approve(number, actor=anna, reason="核对无误")
    assert (the(number).state, the(number).handler_id) == (WithdrawalState.APPROVED, anna.account_id)
    assert refusal(withdrawals.pay, number, actor=anna, payment_number="T1") == "same"
    withdrawals.pay(number, actor=bert, payment_number=" 20261124ABC-1 ")
    row = the(number)
    assert (row.state, row.payer_id, row.payment_number) == (WithdrawalState.PAID, bert.account_id, "20261124ABC-1")
    assert balance_of(mentor.id) == 700
    assert moves(mentor) == [(TransactionType.WITHDRAWAL, 300, 700)]
    assert told(mentor)[1:] == [
        "您的提现申请（300 贝里，300.00 元）已通过审核，等待打款。",
        "您的提现（300 贝里，300.00 元）已打款，支付宝流水号 20261124ABC-1。",
    ]
    actions = [(row.action, row.actor, row.account_id, row.reason) for row in db.session.query(AuditLog).order_by("id")]
    assert actions == [
        ("withdrawal approve", anna.name, anna.account_id, "核对无误"),
        ("withdrawal pay", bert.name, bert.account_id, ""),
    ]


@pytest.mark.parametrize("is_approved", [False, True])
def test_a_refusal_gives_the_beli_back_once(mentor: Account, anna: Actor, is_approved: bool) -> None:
    number = asked(mentor)
    if is_approved:
        withdrawals.approve(number, actor=anna, reason="核对无误")
    withdrawals.refuse(number, actor=anna, reason="账号与姓名不符")
    assert moves(mentor) == [(TransactionType.WITHDRAWAL, 300, 700), (TransactionType.REFUND, 300, 1000)]
    assert told(mentor)[-1] == "您的提现申请（300 贝里，300.00 元）没有通过：账号与姓名不符。贝里已退回。"
    assert refusal(withdrawals.refuse, number, actor=anna, reason="再来") == "state"
    assert balance_of(mentor.id) == 1000


def test_every_step_has_its_state(mentor: Account, anna: Actor, bert: Actor) -> None:
    number = asked(mentor)
    assert refusal(withdrawals.pay, number, actor=bert, payment_number="T1") == "state"
    withdrawals.approve(number, actor=anna, reason="好")
    assert refusal(withdrawals.approve, number, actor=bert, reason="好") == "state"
    withdrawals.pay(number, actor=bert, payment_number="T1")
    for step, how in (
        (withdrawals.approve, {"reason": "好"}),
        (withdrawals.refuse, {"reason": "不"}),
        (withdrawals.pay, {"payment_number": "T2"}),
    ):
        assert refusal(step, number, actor=bert, **how) == "state"
    with pytest.raises(NotFound):
        withdrawals.approve(number + 1, actor=anna, reason="好")


def test_only_people_who_work_here_decide_and_never_about_their_own(mentor: Account, anna: Actor) -> None:
    number = asked(mentor)
    gone, student, other = a_clerk(is_active=False), a_student(), builders.a_clerk(StaffRole.SERVICE, StaffRole.ADMIN)
    people = [Actor(person.username, person.id) for person in (student, other)]
    for actor in (Actor("command line"), gone, *people, Actor("x", 2**31 - 1)):
        assert refusal(withdrawals.approve, number, actor=actor, reason="好") == "staff"
    row = db.session.get_one(Account, mentor.id)
    row.is_staff = True
    saved(row)
    saved(StaffMember(account_id=row.id, role=StaffRole.FINANCE))
    own = Actor(row.username, row.id)
    assert refusal(withdrawals.approve, number, actor=own, reason="好") == "own"
    assert refusal(withdrawals.refuse, number, actor=own, reason="好") == "own"
    withdrawals.approve(number, actor=anna, reason="好")
    assert refusal(withdrawals.pay, number, actor=own, payment_number="T1") == "own"


def test_the_database_keeps_the_two_people_apart_too(mentor: Account, anna: Actor) -> None:
    row = the(asked(mentor))
    now = clock.now()
    row.state, row.handler_id, row.payer_id = WithdrawalState.PAID, anna.account_id, anna.account_id
    row.decided_time = row.paid_time = now
    with pytest.raises(IntegrityError):
        db.session.commit()
    db.session.rollback()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 256])
def test_a_decision_needs_its_reason(mentor: Account, anna: Actor, reason: str) -> None:
    number = asked(mentor)
    for step in (withdrawals.approve, withdrawals.refuse):
        with pytest.raises(ValueError, match="reason"):
            step(number, actor=anna, reason=reason)
    assert the(number).state is WithdrawalState.WAITING


@pytest.mark.parametrize("payment_number", ["", "  ", "x" * 65, "a b", "１２", "a\x00"], ids=repr)
def test_a_payment_number_is_one(mentor: Account, anna: Actor, bert: Actor, payment_number: str) -> None:
    number = asked(mentor)
    withdrawals.approve(number, actor=anna, reason="好")
    with pytest.raises(ValueError, match="number"):
        withdrawals.pay(number, actor=bert, payment_number=payment_number)
    assert the(number).state is WithdrawalState.APPROVED


def test_one_transfer_pays_one_withdrawal(mentor: Account, anna: Actor, bert: Actor) -> None:
    first, second = asked(mentor), asked(mentor)
    for number in (first, second):
        withdrawals.approve(number, actor=anna, reason="好")
    withdrawals.pay(first, actor=bert, payment_number="T1")
    with pytest.raises(NumberTaken):
        withdrawals.pay(second, actor=bert, payment_number="T1")
    assert the(second).state is WithdrawalState.APPROVED


# ---------------------------------------------------------------- the payee


@pytest.mark.parametrize(
    ("payee", "shown"),
    [
        ("alice@example.com", "al***@example.com"),
        ("al@example.com", "a***@example.com"),
        ("a@example.com", "a***@example.com"),
        ("13800131234", "138****1234"),
    ],
)
def test_a_payee_is_masked(payee: str, shown: str) -> None:
    assert withdrawals.masked(payee) == shown


def test_the_payee_is_in_its_row_and_nowhere_else(
    mentor: Account, anna: Actor, bert: Actor, capfd: pytest.CaptureFixture[str]
) -> None:
    paid, refused = asked(mentor), asked(mentor)
    withdrawals.for_staff(anna)
    withdrawals.approve(paid, actor=anna, reason="好")
    withdrawals.pay(paid, actor=bert, payment_number="T1")
    withdrawals.refuse(refused, actor=bert, reason="不符")
    db.session.rollback()
    for table in (AuditLog, Notification, Mail, TransactionRecord):
        rows = json.dumps([[str(value) for value in row] for row in db.session.execute(table.__table__.select())])
        assert PAYEE not in rows
        assert "alice" not in rows
        assert NAME not in rows.encode().decode("unicode_escape")
    logged = "".join(capfd.readouterr())
    assert "withdrawal asked" in logged
    assert "alice" not in logged and NAME not in logged
    shown = withdrawals.index(mentor.id, 1, clock.now())
    assert {request.payee for request in shown.requests} == {"al***@example.com"}
    assert "alice" not in repr(shown)


def test_a_look_of_staff_at_a_payee_is_kept(mentor: Account, anna: Actor, bert: Actor) -> None:
    over, waiting = asked(mentor), asked(mentor)
    withdrawals.refuse(over, actor=bert, reason="不符")
    [case] = withdrawals.for_staff(anna)
    assert (case.id, case.payee_account, case.payee_name) == (waiting, PAYEE, NAME)
    both = withdrawals.for_staff(anna, is_all=True)
    assert [(case.payee_account, case.payee_name) for case in both] == [("al***@example.com", "沈*"), (PAYEE, NAME)]
    looks = db.session.query(AuditLog).filter_by(action="withdrawal look").all()
    assert {(look.account_id, look.subject_id) for look in looks} == {(anna.account_id, waiting)}


# ---------------------------------------------------------------- the list


def test_the_own_list_is_paged_and_asks_little(mentor: Account, anna: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawals, "MOST_A_DAY", withdrawals.PAGE_SIZE + 3)
    mentor_id = mentor.id
    first = asked(mentor, 1)
    withdrawals.refuse(first, actor=anna, reason="不符")
    for _ in range(withdrawals.PAGE_SIZE):
        last = asked(mentor, 10)
    with counted() as sent:
        page = withdrawals.index(mentor_id, 1, clock.now())
    assert len(sent) == 4
    assert (page.pages, len(page.requests), page.requests[0].id) == (2, withdrawals.PAGE_SIZE, last)
    assert (page.balance, page.worth_fen, page.left_today) == (800, 80_000, 2)
    [oldest] = withdrawals.index(mentor_id, 2, clock.now()).requests
    assert (oldest.id, oldest.refusal) == (first, "不符")
    with pytest.raises(NotFound):
        withdrawals.index(mentor_id, 3, clock.now())


# ---------------------------------------------------------------- the command


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["withdrawals", *words])


def test_the_command_line_walks_all_the_way(app: Flask, mentor: Account, anna: Actor, bert: Actor) -> None:
    number = str(asked(mentor))
    listed = run(app, "list").stdout
    assert f"{mentor.username}  300 beli  300.00 yuan  to {PAYEE} ({NAME})" in listed
    assert listed.endswith("1 withdrawals.\n")
    assert run(app, "approve", number, "--by", anna.name, "--reason", "好").stdout.endswith("approved.\n")
    again = run(app, "approve", number, "--by", bert.name, "--reason", "好")
    assert (again.exit_code, "it is approved." in again.output) == (1, True)
    same = run(app, "pay", number, "--by", anna.name, "--number", "T1")
    assert (same.exit_code, "somebody else has to pay" in same.output) == (1, True)
    assert run(app, "pay", number, "--by", bert.name, "--number", "T1").stdout.endswith("paid.\n")
    late = run(app, "refuse", number, "--by", bert.name, "--reason", "不")
    assert (late.exit_code, "it is paid." in late.output) == (1, True)
    assert run(app, "list").stdout == "0 withdrawals.\n"
    assert "al***@example.com (沈*)  T1" in run(app, "list", "--all").stdout


def test_the_command_line_refuses_and_says_why(app: Flask, mentor: Account, anna: Actor, bert: Actor) -> None:
    number = str(asked(mentor))
    for name in (mentor.username, "nobody", a_clerk(is_active=False).name):
        answer = run(app, "refuse", number, "--by", name, "--reason", "不")
        assert (answer.exit_code, "no active staff account" in answer.output) == (1, True)
    for words in (
        ("approve", "999", "--by", anna.name, "--reason", "好"),
        ("approve", number, "--by", anna.name, "--reason", " "),
        ("pay", number, "--by", bert.name, "--number", "T1"),
        ("approve", number, "--reason", "好"),
        ("approve", str(2**31), "--by", anna.name, "--reason", "好"),
    ):
        assert run(app, *words).exit_code != 0
    assert the(int(number)).state is WithdrawalState.WAITING
    assert run(app, "refuse", number, "--by", anna.name, "--reason", "账号不符").exit_code == 0
    assert balance_of(mentor.id) == 1000
