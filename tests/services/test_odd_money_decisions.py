"""Who sends odd money back: one of finance up to the limit, two above it, nobody what is their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from shop.enums import OrderStatus, RefundState, StaffRole
from shop.errors import AnotherPerson, NotYourTurn, OwnCase, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, Notification, Order, Refund, StaffMember, Trouble
from shop.services import refund_decisions, refunds, troubles
from shop.services.audit_log import Actor
from shop.services.staff import money_desk, refund_desk
from tests import refunding
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_student
from tests.cashier.parts import Cashier

WHY = "buyer was called"
LIMIT = "5000.00"
ABOVE = "5000.01"


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def anna(app: Flask) -> Actor:
    return somebody()


@pytest.fixture
def bert(app: Flask) -> Actor:
    return somebody()


def somebody(*roles: StaffRole) -> Actor:
    account = a_clerk(*roles or (StaffRole.FINANCE,))
    return Actor(account.username, account.id)


def is_open(trouble: int) -> bool:
    db.session.rollback()
    return db.session.get_one(Trouble, trouble, populate_existing=True).resolved_time is None


def actions() -> list[tuple[str, int | None]]:
    db.session.rollback()
    rows = db.session.execute(select(AuditLog.action, AuditLog.account_id).order_by(AuditLog.id))
    return [(action, account_id) for action, account_id in rows]


def test_up_to_the_limit_one_person_sends_it_back(alipay: Cashier, anna: Actor) -> None:
    trouble = refunding.a_misfit(alipay, LIMIT)
    refund = troubles.send_back(trouble, actor=anna, reason=WHY)
    assert (refund.state, refund.handler_id) == (RefundState.APPROVED, anna.account_id)
    assert refunds.send(refund.out_request_no) == "done"
    assert not is_open(trouble)
    assert actions() == [("trouble refund", anna.account_id)]


def test_above_the_limit_one_proposes_and_another_one_approves(alipay: Cashier, anna: Actor, bert: Actor) -> None:
    trouble = refunding.a_misfit(alipay, ABOVE)
    assert [case.takes_two for case in money_desk.cases()] == [True]
    number = troubles.send_back(trouble, actor=anna, reason=WHY).out_request_no
    row = refunding.the_refund(number)
    assert (row.state, row.first_approver_id, row.next_try_time) == (RefundState.REQUESTED, anna.account_id, None)
    assert refunds.send(number) == "skipped"
    [case] = money_desk.cases()
    assert (case.is_proposed, case.can_go_back, case.refund_number) == (True, False, number)
    assert refund_desk.counts()[refund_desk.Queue.SECOND] == 1
    with pytest.raises(AnotherPerson):
        refund_decisions.approve(number, actor=anna, reason="同意")
    with pytest.raises(AnotherPerson):
        refund_decisions.approve(number, actor=refunding.CLERK, reason="同意")
    with pytest.raises(StaffOnly):
        refund_decisions.approve(number, actor=somebody(StaffRole.SERVICE), reason="同意")
    with pytest.raises(NotYourTurn):
        troubles.close(trouble, actor=bert, reason="done")
    refund_decisions.approve(number, actor=bert, reason="核对过")
    assert refunds.send(number) == "done"
    assert not is_open(trouble)
    row = refunding.the_refund(number)
    assert (row.state, row.first_approver_id, row.handler_id) == (RefundState.DONE, anna.account_id, bert.account_id)
    assert actions() == [
        ("refund propose", anna.account_id),
        ("trouble propose", anna.account_id),
        ("refund approve", bert.account_id),
    ]
    assert db.session.scalars(select(Order.status)).one() is OrderStatus.PENDING


def test_the_buyer_is_told_when_it_is_back_and_of_no_proposal(alipay: Cashier, anna: Actor, bert: Actor) -> None:
    number = troubles.send_back(refunding.a_misfit(alipay, ABOVE), actor=anna, reason=WHY).out_request_no
    told = select(Notification.content)
    before = db.session.scalars(told).all()
    refund_decisions.approve(number, actor=bert, reason="核对过")
    assert db.session.scalars(told).all() == before
    refunds.send(number)
    assert len(db.session.scalars(told).all()) == len(before) + 1


def test_two_sums_of_one_order_are_counted_together(alipay: Cashier, anna: Actor, bert: Actor) -> None:
    first = refunding.a_misfit(alipay, "3000.00")
    about = db.session.get_one(Trouble, first)
    with unit_of_work() as session:
        values = {"kind": 1, "trade_no": "2026112322001400000000000009", "amount_fen": 300_000, "found_by": "bill"}
        row = Trouble(payment_id=about.payment_id, out_trade_no=about.out_trade_no, **values)
        session.add(row)
        session.flush()
        second = row.id
    assert troubles.send_back(first, actor=anna, reason=WHY).state is RefundState.APPROVED
    assert [case.takes_two for case in money_desk.cases()] == [True, True]
    assert troubles.send_back(second, actor=anna, reason=WHY).state is RefundState.REQUESTED


def test_a_proposal_that_was_refused_leaves_the_case_open_for_another(
    alipay: Cashier, anna: Actor, bert: Actor
) -> None:
    trouble = refunding.a_misfit(alipay, ABOVE)
    first = troubles.send_back(trouble, actor=anna, reason=WHY).out_request_no
    refund_decisions.refuse(first, actor=bert, reason="先核对")
    assert refunding.the_refund(first).state is RefundState.REFUSED
    assert is_open(trouble)
    assert db.session.scalars(select(Order.status)).one() is OrderStatus.PENDING
    [case] = money_desk.cases()
    assert (case.can_go_back, case.refund_number) == (True, "")
    number = troubles.send_back(
        troubles.odd_money_of(refunding.the_refund(first).order.order_number + "01"), actor=bert, reason=WHY
    ).out_request_no
    assert number != first
    refund_decisions.approve(number, actor=anna, reason="核对过")
    assert refunds.send(number) == "done"
    assert not is_open(trouble)


def test_who_has_proposed_takes_it_back_and_the_case_stays_open(alipay: Cashier, anna: Actor, bert: Actor) -> None:
    trouble = refunding.a_misfit(alipay, ABOVE)
    first = troubles.send_back(trouble, actor=anna, reason=WHY).out_request_no
    with pytest.raises(NotYourTurn):
        refund_decisions.withdraw(first, actor=bert, reason="not mine")
    before = db.session.scalars(select(Notification.content)).all()
    refund_decisions.withdraw(first, actor=anna, reason="another case")
    assert db.session.scalars(select(Notification.content)).all() == before
    assert (refunding.the_refund(first).state, is_open(trouble)) == (RefundState.WITHDRAWN, True)
    assert db.session.scalars(select(Order.status)).one() is OrderStatus.PENDING
    assert [case.can_go_back for case in money_desk.cases()] == [True]


def test_what_alipay_refuses_for_good_can_be_refused_and_its_case_closed(alipay: Cashier, anna: Actor) -> None:
    trouble = refunding.a_misfit(alipay, LIMIT)
    number = troubles.send_back(trouble, actor=anna, reason=WHY).out_request_no
    alipay.fault("refund_refused")
    assert refunds.send(number) == "failed"
    with pytest.raises(NotYourTurn):
        troubles.close(trouble, actor=anna, reason="paid at the counter")
    refund_decisions.refuse(number, actor=anna, reason="支付宝不再退")
    troubles.close(trouble, actor=anna, reason="paid at the counter")
    assert not is_open(trouble)


def test_nobody_approves_odd_money_of_their_own(alipay: Cashier, anna: Actor) -> None:
    student = a_student()
    number = troubles.send_back(refunding.a_misfit(alipay, ABOVE, student), actor=anna, reason=WHY).out_request_no
    with unit_of_work() as session:
        session.get_one(Account, student.id).is_staff = True
        session.add(StaffMember(account_id=student.id, role=StaffRole.FINANCE))
    with pytest.raises(OwnCase):
        refund_decisions.approve(number, actor=Actor(student.username, student.id), reason="给自己")
    assert refunding.the_refund(number).state is RefundState.REQUESTED


def test_a_command_ends_at_the_limit(app: Flask, alipay: Cashier) -> None:
    number = db.session.get_one(Trouble, refunding.a_misfit(alipay, ABOVE)).out_trade_no
    result = app.test_cli_runner().invoke(args=["payments", "refund", number, "--reason", WHY])
    assert result.exit_code == 1 and "two of finance" in result.output
    assert db.session.scalars(select(Refund)).all() == []
