"""Who says yes to a refund: finance, two of them above the limit, never about an order or a proposal of one's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from shop.enums import OrderStatus, RefundState, StaffRole
from shop.errors import AnotherPerson, NotFound, NotRefundable, NotYourTurn, OwnCase, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, Notification, Order, StaffMember
from shop.services import refund_decisions, refunds
from shop.services.audit_log import Actor
from shop.services.staff import accounts, refund_desk
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_course, a_degree, a_student
from tests.cashier.parts import Cashier
from tests.refunding import asked, bought, lines_of, paid, placed, the_refund

LIMIT_FEN = 500_000


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def somebody(*roles: StaffRole) -> Actor:
    account = a_clerk(*roles)
    return Actor(account.username, account.id)


@pytest.fixture
def anna(app: Flask) -> Actor:
    return somebody(StaffRole.FINANCE)


@pytest.fixture
def bert(app: Flask) -> Actor:
    return somebody(StaffRole.FINANCE)


def a_request(alipay: Cashier, price_fen: int) -> tuple[Account, str, str]:
    """A student, the order, and the number of their request for all of it."""
    student = a_student()
    number = bought(alipay, student, [a_course(price_fen)])
    return student, number, asked(student, number)


def status_of(number: str) -> OrderStatus:
    db.session.rollback()
    return db.session.scalars(select(Order.status).where(Order.order_number == number)).one()


def actions(table: str = "refund") -> list[tuple[str, int | None]]:
    db.session.rollback()
    rows = db.session.execute(
        select(AuditLog.action, AuditLog.account_id).where(AuditLog.subject_table == table).order_by(AuditLog.id)
    )
    return [(action, account_id) for action, account_id in rows]


def test_up_to_the_limit_one_person_is_enough(alipay: Cashier, anna: Actor) -> None:
    _student, _number, refund = a_request(alipay, LIMIT_FEN)
    refund_decisions.approve(refund, actor=anna, reason="同意")
    assert the_refund(refund).state is RefundState.APPROVED
    assert actions() == [("refund approve", anna.account_id)]


def test_above_the_limit_two_different_persons_say_yes(alipay: Cashier, anna: Actor, bert: Actor) -> None:
    _student, number, refund = a_request(alipay, LIMIT_FEN + 1)
    refund_decisions.approve(refund, actor=anna, reason="同意")
    row = the_refund(refund)
    assert (row.state, row.first_approver_id, row.handler_id) == (RefundState.REQUESTED, anna.account_id, None)
    assert status_of(number) is OrderStatus.REFUND_REQUESTED
    with pytest.raises(AnotherPerson):
        refund_decisions.approve(refund, actor=anna, reason="再次")
    refund_decisions.approve(refund, actor=bert, reason="核对过")
    row = the_refund(refund)
    assert (row.state, row.first_approver_id, row.handler_id) == (
        RefundState.APPROVED,
        anna.account_id,
        bert.account_id,
    )
    assert refunds.send(refund) == "done"
    assert actions() == [("refund first approve", anna.account_id), ("refund approve", bert.account_id)]


def test_nobody_gives_a_large_sum_back_alone_line_by_line(alipay: Cashier, anna: Actor, bert: Actor) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(450_000), a_course(450_000)])
    first, second = (line.id for line in lines_of(number))
    refund = refund_decisions.open_by_staff(number, [first], actor=anna, reason="视频打不开").out_request_no
    assert refunds.send(refund) == "done"
    alipay.move_clock(4)
    refund = refund_decisions.open_by_staff(number, [second], actor=anna, reason="视频打不开").out_request_no
    assert (the_refund(refund).state, the_refund(refund).first_approver_id) == (RefundState.REQUESTED, anna.account_id)
    assert refund_desk.whole(refund).takes_two
    refund_decisions.refuse(refund, actor=bert, reason="再看看")
    refund = asked(student, number, 1)
    refund_decisions.approve(refund, actor=anna, reason="同意")
    assert the_refund(refund).state is RefundState.REQUESTED
    refund_decisions.approve(refund, actor=bert, reason="同意")
    assert the_refund(refund).state is RefundState.APPROVED


def test_a_command_without_a_person_ends_at_the_limit(alipay: Cashier, anna: Actor) -> None:
    _student, _number, refund = a_request(alipay, LIMIT_FEN + 1)
    nobody = Actor("command line")
    with pytest.raises(AnotherPerson):
        refund_decisions.approve(refund, actor=nobody, reason="同意")
    refund_decisions.approve(refund, actor=anna, reason="同意")
    with pytest.raises(AnotherPerson):
        refund_decisions.approve(refund, actor=nobody, reason="同意")
    assert the_refund(refund).state is RefundState.REQUESTED


def test_the_student_may_take_a_request_back_that_one_person_has_approved(alipay: Cashier, anna: Actor) -> None:
    student, number, refund = a_request(alipay, LIMIT_FEN + 1)
    refund_decisions.approve(refund, actor=anna, reason="同意")
    refunds.withdraw(student.id, refund)
    assert status_of(number) is OrderStatus.PAID


def test_who_said_yes_first_may_say_no_after_all(alipay: Cashier, anna: Actor) -> None:
    _student, number, refund = a_request(alipay, LIMIT_FEN + 1)
    refund_decisions.approve(refund, actor=anna, reason="同意")
    refund_decisions.refuse(refund, actor=anna, reason="看错了")
    assert (the_refund(refund).state, status_of(number)) == (RefundState.REFUSED, OrderStatus.PAID)


@pytest.mark.parametrize("role", [role for role in StaffRole if role is not StaffRole.FINANCE])
def test_only_finance_decides(alipay: Cashier, role: StaffRole) -> None:
    _student, _number, refund = a_request(alipay, 10_000)
    other = somebody(role)
    for decide in (refund_decisions.approve, refund_decisions.refuse):
        with pytest.raises(StaffOnly):
            decide(refund, actor=other, reason="同意")
    assert the_refund(refund).state is RefundState.REQUESTED
    assert actions() == []


def test_a_right_that_was_withdrawn_a_moment_ago_is_none(alipay: Cashier, anna: Actor) -> None:
    """F66, in the transaction itself."""
    _student, _number, refund = a_request(alipay, 10_000)
    with unit_of_work() as session:
        session.query(StaffMember).filter_by(account_id=anna.account_id).delete()
    with pytest.raises(StaffOnly):
        refund_decisions.approve(refund, actor=anna, reason="同意")


def test_nobody_decides_about_their_own_order(alipay: Cashier) -> None:
    """Somebody bought as a student and works here since."""
    student, number, refund = a_request(alipay, 10_000)
    with unit_of_work() as session:
        session.get_one(Account, student.id).is_staff = True
        session.add(StaffMember(account_id=student.id, role=StaffRole.FINANCE))
    own = Actor(student.username, student.id)
    for decide in (refund_decisions.approve, refund_decisions.refuse):
        with pytest.raises(OwnCase):
            decide(refund, actor=own, reason="同意")
    refunds.withdraw(student.id, refund)
    with pytest.raises(OwnCase):
        refund_decisions.open_by_staff(number, [lines_of(number)[0].id], actor=own, reason="给自己")
    assert status_of(number) is OrderStatus.PAID


# ---------------------------------------------------------------- opened by staff


def test_customer_service_proposes_and_finance_decides(alipay: Cashier, anna: Actor) -> None:
    student, first, second = a_student(), a_course(30_000), a_course(20_000)
    number = bought(alipay, student, [first, second])
    service = somebody(StaffRole.SERVICE)
    line = lines_of(number)[0]
    shown = refund_decisions.preview(number, [line.id])
    refund = refund_decisions.open_by_staff(number, [line.id], actor=service, reason="视频打不开")
    assert (refund.state, refund.amount_fen, refund.beli) == (RefundState.REQUESTED, shown.amount_fen, shown.beli)
    assert (refund.asked_by_id, refund.first_approver_id) == (service.account_id, None)
    told = db.session.scalars(select(Notification.content).where(Notification.account_id == student.id)).all()
    assert any("提出了退费" in text for text in told)
    refund_decisions.approve(refund.out_request_no, actor=anna, reason="属实")
    assert refunds.send(refund.out_request_no) == "done"
    assert the_refund(refund.out_request_no).amount_fen == 30_000
    assert actions() == [("refund propose", service.account_id), ("refund approve", anna.account_id)]


def test_nobody_approves_what_they_have_proposed(alipay: Cashier) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(30_000)])
    clerk = somebody(StaffRole.SERVICE)
    refund = refund_decisions.open_by_staff(number, [lines_of(number)[0].id], actor=clerk, reason="视频打不开")
    with unit_of_work() as session:
        session.add(StaffMember(account_id=clerk.account_id, role=StaffRole.FINANCE))
    with pytest.raises(AnotherPerson):
        refund_decisions.approve(refund.out_request_no, actor=clerk, reason="属实")


def test_finance_gives_back_at_once_up_to_the_limit_and_waits_for_a_second_above(
    alipay: Cashier, anna: Actor, bert: Actor
) -> None:
    student, small, large = a_student(), a_course(30_000), a_course(LIMIT_FEN + 1)
    number = bought(alipay, student, [small, large])
    lines = lines_of(number)
    refund = refund_decisions.open_by_staff(number, [lines[0].id], actor=anna, reason="视频打不开")
    assert refund.state is RefundState.APPROVED
    assert refunds.send(refund.out_request_no) == "done"
    alipay.move_clock(4)
    refund = refund_decisions.open_by_staff(number, [lines[1].id], actor=anna, reason="视频打不开")
    assert (refund.state, refund.first_approver_id) == (RefundState.REQUESTED, anna.account_id)
    with pytest.raises(AnotherPerson):
        refund_decisions.approve(refund.out_request_no, actor=anna, reason="属实")
    refund_decisions.approve(refund.out_request_no, actor=bert, reason="属实")
    assert refunds.send(refund.out_request_no) == "done"
    assert status_of(number) is OrderStatus.REFUNDED


def test_who_has_proposed_takes_it_back_and_the_student_goes_on(alipay: Cashier, anna: Actor) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(30_000)])
    clerk, line = somebody(StaffRole.SERVICE), lines_of(number)[0].id
    refund = refund_decisions.open_by_staff(number, [line], actor=clerk, reason="视频打不开").out_request_no
    assert refund_desk.whole(refund).asked_by_id == clerk.account_id
    for other in (anna, somebody(StaffRole.SERVICE), Actor("command line")):
        with pytest.raises(NotYourTurn):
            refund_decisions.withdraw(refund, actor=other, reason="填错了")
    with pytest.raises(StaffOnly):
        refund_decisions.withdraw(refund, actor=somebody(StaffRole.OPERATIONS), reason="填错了")
    refund_decisions.withdraw(refund, actor=clerk, reason="填错了")
    row = the_refund(refund)
    assert (row.state, row.decision, status_of(number)) == (RefundState.WITHDRAWN, "填错了", OrderStatus.PAID)
    told = db.session.scalars(select(Notification.content).where(Notification.account_id == student.id)).all()
    assert "客服撤回了" in told[-1]
    assert actions() == [("refund propose", clerk.account_id), ("refund withdraw", clerk.account_id)]
    with pytest.raises(NotYourTurn):
        refund_decisions.approve(refund, actor=anna, reason="属实")
    with pytest.raises(NotYourTurn):
        refund_decisions.withdraw(refund, actor=clerk, reason="再次")
    assert refund_decisions.open_by_staff(number, [line], actor=clerk, reason="又打不开").out_request_no != refund


def test_a_large_proposal_is_taken_back_by_the_first_of_two_and_a_students_request_is_not(
    alipay: Cashier, anna: Actor
) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(LIMIT_FEN + 1)])
    refund = refund_decisions.open_by_staff(number, [lines_of(number)[0].id], actor=anna, reason="视频打不开")
    refund_decisions.withdraw(refund.out_request_no, actor=anna, reason="填错了")
    assert status_of(number) is OrderStatus.PAID
    with pytest.raises(NotYourTurn):
        refund_decisions.withdraw(asked(student, number), actor=anna, reason="替学员撤回")


@pytest.mark.parametrize("role", [StaffRole.OPERATIONS, StaffRole.REGISTRY, StaffRole.ADMIN])
def test_others_open_none(alipay: Cashier, role: StaffRole) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(30_000)])
    with pytest.raises(StaffOnly):
        refund_decisions.open_by_staff(number, [lines_of(number)[0].id], actor=somebody(role), reason="好")
    assert status_of(number) is OrderStatus.PAID


def test_what_cannot_go_back_is_refused_in_words(alipay: Cashier, anna: Actor) -> None:
    student, course, degree = a_student(), a_course(30_000), a_degree(20_000)
    number, other = bought(alipay, student, [course]), bought(alipay, student, [degree])
    mine, theirs = lines_of(number)[0].id, lines_of(other)[0].id
    with pytest.raises(NotFound):
        refund_decisions.open_by_staff(number, [theirs], actor=anna, reason="好")
    with pytest.raises(NotFound):
        refund_decisions.preview("20260101AAAAAAAAAAAA", [mine])
    with pytest.raises(NotRefundable):
        refund_decisions.open_by_staff(number, [], actor=anna, reason="好")
    with pytest.raises(ValueError, match="reason"):
        refund_decisions.open_by_staff(number, [mine], actor=anna, reason="  ")
    refund_decisions.open_by_staff(number, [mine], actor=anna, reason="好")
    with pytest.raises(NotRefundable):
        refund_decisions.open_by_staff(number, [mine], actor=anna, reason="好")


def test_a_decision_about_a_decided_refund_is_told_its_state(alipay: Cashier, anna: Actor, bert: Actor) -> None:
    _student, _number, refund = a_request(alipay, 10_000)
    refund_decisions.approve(refund, actor=anna, reason="同意")
    for decide in (refund_decisions.approve, refund_decisions.refuse):
        with pytest.raises(NotYourTurn) as told:
            decide(refund, actor=bert, reason="同意")
        assert told.value.facts["state"] == int(RefundState.APPROVED)


def test_money_of_a_disabled_account_can_go_back(alipay: Cashier, anna: Actor) -> None:
    """F65: disabled while its order was pending; the money still finds its order, and staff give it back."""
    student, boss = a_student(), somebody(StaffRole.ADMIN)
    number = placed(student, [a_course(30_000)])
    accounts.disable(student.id, actor=boss, reason="has asked for it")
    paid(alipay, number)
    assert status_of(number) is OrderStatus.PAID
    refund = refund_decisions.open_by_staff(number, [lines_of(number)[0].id], actor=anna, reason="账户已停用")
    assert refunds.send(refund.out_request_no) == "done"
    assert status_of(number) is OrderStatus.REFUNDED
