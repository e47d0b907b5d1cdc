"""F63: student and clerks decide about one refund at the same moment. One wins, everybody else is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from shop.enums import OrderStatus, RefundState, StaffRole
from shop.errors import NotYourTurn
from shop.extensions import db
from shop.models import Account, AuditLog, Refund, TransactionRecord
from shop.services import refund_decisions, refund_sending, refund_transfers, refunds, troubles
from shop.services.audit_log import Actor
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_course, a_degree, a_student
from tests.cashier.parts import Cashier
from tests.faults.crowd import Crowd
from tests.faults.purchase import balance_of, count, the_order
from tests.refunding import WHY, a_misfit, approved, asked, at_alipay, bought, calls, lines_of, the_refund

EACH = 8


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def approve(refund: str) -> None:
    refund_decisions.approve(refund, actor=Actor("anna"), reason="同意")


def refuse(refund: str) -> None:
    refund_decisions.refuse(refund, actor=Actor("bert"), reason="不同意")


def grant(number: str, product_id: int) -> None:
    refund_decisions.grant(number, product_id, actor=Actor("carl"), reason="同意")


def act(action: str, *args: object) -> None:
    """One call of a crowd, whatever it is about."""
    actions = {"approve": approve, "refuse": refuse, "withdraw": refunds.withdraw, "grant": grant, "ask": refunds.ask}
    actions[action](*args)  # type: ignore[operator]


def send_back(trouble_id: int, clerk_id: int) -> None:
    troubles.send_back(trouble_id, actor=Actor("clerk", clerk_id), reason=WHY)


def approve_as(refund: str, clerk_id: int) -> None:
    refund_decisions.approve(refund, actor=Actor("clerk", clerk_id), reason="同意")


def decide(action: str, about: object, clerk_id: int) -> None:
    if action == "approve":
        approve_as(str(about), clerk_id)
    else:
        troubles.close(int(str(about)), actor=Actor("clerk", clerk_id), reason=WHY)


def send(refund_id: int) -> None:
    """Raises NotYourTurn when there was nothing to do, so that the crowd can count."""
    if refund_sending.send(refund_id) is refund_sending.Outcome.SKIPPED:
        raise NotYourTurn


def test_f63_of_clerks_and_a_student_exactly_one_decides(app: Flask, alipay: Cashier, crowd: Crowd) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course()])
    refund, student_id = asked(student, number), student.id
    calls_made = [
        call
        for _ in range(EACH)
        for call in (("approve", refund), ("refuse", refund), ("withdraw", student_id, refund))
    ]
    db.session.remove()
    assert crowd.outcomes("refund", act, calls_made, waiting=1) == {"done": 1, "NotYourTurn": 3 * EACH - 1}
    row = the_refund(refund)
    assert row.state in (RefundState.APPROVED, RefundState.REFUSED, RefundState.WITHDRAWN)
    is_running = row.state is RefundState.APPROVED
    assert the_order(number).status is (OrderStatus.REFUND_REQUESTED if is_running else OrderStatus.PAID)
    assert count(AuditLog) == 1


def test_f63_a_refund_without_cash_is_approved_once(app: Flask, alipay: Cashier, crowd: Crowd) -> None:
    student = a_student(beli=100)
    refund = asked(student, bought(alipay, student, [a_course(10_000)], beli=100))
    student_id = student.id
    db.session.remove()
    made = crowd.outcomes("transaction_record", act, [("approve", refund)] * (2 * EACH), waiting=1)
    assert made == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    assert balance_of(student_id) == 100
    assert count(TransactionRecord) == 3


@pytest.mark.parametrize("table", ["refund", "refund_detail"])
def test_of_many_requests_for_one_order_one_is_taken(app: Flask, alipay: Cashier, crowd: Crowd, table: str) -> None:
    student: Account = a_student()
    number = bought(alipay, student, [a_course(), a_degree()])
    lines = [line.id for line in lines_of(number)]
    asks = [(student.id, number, [lines[i % 2]], WHY) for i in range(2 * EACH)]
    db.session.remove()
    assert crowd.outcomes(table, refunds.ask, asks, waiting=1) == {"done": 1, "NotRefundable": 2 * EACH - 1}
    assert count(Refund) == 1


def test_of_many_grants_and_requests_for_one_degree_one_is_taken(app: Flask, alipay: Cashier, crowd: Crowd) -> None:
    student, product = a_student(), a_degree()
    number = bought(alipay, student, [product])
    [line] = [line.id for line in lines_of(number)]
    either = [("grant", number, product.id), ("ask", student.id, number, [line], WHY)] * EACH
    db.session.remove()
    assert crowd.outcomes("refund", act, either, waiting=1) == {"done": 1, "NotRefundable": 2 * EACH - 1}
    assert count(Refund) == 1


def test_many_runners_send_a_refund_with_one_call(app: Flask, alipay: Cashier, crowd: Crowd) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(10_000)])
    refund = approved(student, number)
    refund_id = the_refund(refund).id
    db.session.remove()
    made = crowd.outcomes("refund", send, [(refund_id,)] * (2 * EACH), waiting=1)
    assert made == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    assert the_refund(refund).state is RefundState.DONE
    assert calls(alipay) == ["refund"]
    assert at_alipay(alipay, number) == 10_000


def transfer_or_retry(action: str, refund: str, clerk_id: int) -> None:
    clerk = Actor("clerk", clerk_id)
    if action == "retry":
        refund_decisions.retry(refund, actor=clerk, reason=WHY)
    else:
        refund_transfers.record(refund, transfer_number=f"BANK{clerk_id}", actor=clerk, reason=WHY)


def test_of_clerks_who_transfer_or_send_again_what_alipay_refused_one_does(
    app: Flask, alipay: Cashier, crowd: Crowd
) -> None:
    student = a_student()
    refund = approved(student, bought(alipay, student, [a_course()]))
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code="ACQ.TRADE_HAS_FINISHED")
    refunds.send(refund)
    clerks = [a_clerk(StaffRole.FINANCE).id for _ in range(EACH)]
    either = [(action, refund, clerk) for clerk in clerks for action in ("transfer", "retry")]
    db.session.remove()
    made = crowd.outcomes("refund", transfer_or_retry, either, waiting=1)
    assert made == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    row = the_refund(refund)
    assert (row.state is RefundState.DONE) == (row.transfer_number is not None)


def transfer_as_one(refund: str, clerk_id: int) -> None:
    refund_transfers.record(refund, transfer_number="BANK1", actor=Actor("clerk", clerk_id), reason=WHY)


def test_one_transfer_written_down_for_several_refunds_at_once_returns_one(
    app: Flask, alipay: Cashier, crowd: Crowd
) -> None:
    refunds_there = []
    for _ in range(4):
        student = a_student()
        refund = approved(student, bought(alipay, student, [a_course()]))
        alipay.fault("answer_business", method="alipay.trade.refund", sub_code="ACQ.TRADE_HAS_FINISHED")
        refunds.send(refund)
        refunds_there.append(refund)
    clerk_id = a_clerk(StaffRole.FINANCE).id
    db.session.remove()
    made = crowd.outcomes("refund", transfer_as_one, [(refund, clerk_id) for refund in refunds_there], waiting=1)
    assert made == {"done": 1, "TransferTaken": 3}
    assert [the_refund(refund).state for refund in refunds_there].count(RefundState.DONE) == 1


def hurry(refund: str, clerk_id: int) -> None:
    refund_decisions.hurry(refund, actor=Actor("clerk", clerk_id))
    send(the_refund(refund).id)


def job_or_clerk(refund: str, refund_id: int, clerk_id: int) -> None:
    if clerk_id:
        hurry(refund, clerk_id)
    else:
        send(refund_id)


def test_clerks_who_send_now_beside_the_job_make_one_call(app: Flask, alipay: Cashier, crowd: Crowd) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(10_000)])
    refund = approved(student, number)
    refund_id, clerk = the_refund(refund).id, a_clerk(StaffRole.FINANCE).id
    either = [(refund, refund_id, who) for _ in range(EACH) for who in (0, clerk)]
    db.session.remove()
    made = crowd.outcomes("refund", job_or_clerk, either, waiting=1)
    assert made == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    assert the_refund(refund).state is RefundState.DONE
    assert (calls(alipay), at_alipay(alipay, number)) == (["refund"], 10_000)


def test_of_clerks_who_send_odd_money_back_one_proposes_and_of_those_who_approve_one_does(
    app: Flask, alipay: Cashier, crowd: Crowd
) -> None:
    trouble = a_misfit(alipay, "5000.01")
    clerks = [a_clerk(StaffRole.FINANCE).id for _ in range(2 * EACH)]
    db.session.remove()
    made = crowd.outcomes("refund", send_back, [(trouble, clerk) for clerk in clerks], waiting=1)
    assert made == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    row = db.session.query(Refund).one()
    number, first = row.out_request_no, row.first_approver_id
    db.session.remove()
    made = crowd.outcomes("refund", approve_as, [(number, clerk) for clerk in clerks], waiting=1)
    assert made["done"] == 1 and made["NotYourTurn"] + made["AnotherPerson"] == 2 * EACH - 1
    row = the_refund(number)
    assert (row.state, row.first_approver_id) == (RefundState.APPROVED, first)
    assert row.handler_id not in (None, first)


def test_of_a_second_yes_and_a_closing_of_odd_money_the_yes_wins(app: Flask, alipay: Cashier, crowd: Crowd) -> None:
    trouble = a_misfit(alipay, "5000.01")
    first, *clerks = [a_clerk(StaffRole.FINANCE).id for _ in range(EACH + 1)]
    number = troubles.send_back(trouble, actor=Actor("anna", first), reason=WHY).out_request_no
    either = [call for clerk in clerks for call in (("approve", number, clerk), ("close", trouble, clerk))]
    db.session.remove()
    assert crowd.outcomes("refund", decide, either, waiting=1) == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    assert the_refund(number).state is RefundState.APPROVED
