"""What Alipay does not send back any more goes back by a transfer: written down once, booked as any other refund."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import DifferenceKind, OrderStatus, RefundState, StaffRole, TroubleKind
from shop.errors import AnotherPerson, NotYourTurn, OwnCase, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, Notification, Order, ReconciliationDifference, Refund, StaffMember, Trouble
from shop.services import (
    attempts,
    orders,
    payment,
    reconciliation,
    refund_decisions,
    refund_sending,
    refund_transfers,
    refunds,
    troubles,
)
from shop.services.audit_log import Actor
from shop.services.refund_transfers import MovedAtAlipay, TransferTaken
from shop.services.staff import money_desk, refund_desk
from tests import refunding
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.purchases import off_sale

FINISHED = "ACQ.TRADE_HAS_FINISHED"
WHY = "over at Alipay"
LARGE = 500_001


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def somebody(*roles: StaffRole) -> Actor:
    account = a_clerk(*roles or (StaffRole.FINANCE,))
    return Actor(account.username, account.id)


@pytest.fixture
def anna(app: Flask) -> Actor:
    return somebody()


@pytest.fixture
def bert(app: Flask) -> Actor:
    return somebody()


def refused(alipay: Cashier, price_fen: int = 10_000, *, beli: int = 0, student: Account | None = None) -> str:
    """The number of a refund of one course that Alipay has refused for good."""
    student = student or a_student(beli=beli)
    number = refunding.bought(alipay, student, [a_course(price_fen)], beli=beli)
    refund = refunding.asked(student, number)
    first, second = somebody(), somebody()
    refund_decisions.approve(refund, actor=first, reason="同意")
    if refunding.the_refund(refund).state is RefundState.REQUESTED:
        refund_decisions.approve(refund, actor=second, reason="同意")
    return sent(alipay, refund)


def sent(alipay: Cashier, refund: str, sub_code: str = FINISHED) -> str:
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code=sub_code)
    assert refunds.send(refund) == "failed"
    return refund


def record(refund: str, actor: Actor, number: str = "BANK-1") -> Refund:
    return refund_transfers.record(refund, transfer_number=number, actor=actor, reason=WHY)


def actions() -> list[str]:
    db.session.rollback()
    about = AuditLog.action.like("refund %"), AuditLog.action.not_like("%approve")
    return list(db.session.scalars(select(AuditLog.action).where(*about).order_by(AuditLog.id)))


def differences(alipay: Cashier) -> Sequence[ReconciliationDifference]:
    """What today's bill and the books disagree in."""
    today = clock.local_date(clock.now())
    alipay.move_clock(86_400)
    return reconciliation.reconcile(today).differences


def test_up_to_the_limit_one_transfer_written_down_ends_it(alipay: Cashier, anna: Actor) -> None:
    student = a_student(beli=30)
    refund = refused(alipay, 10_000, beli=30, student=student)
    assert refund_desk.whole(refund).can_be_transferred
    record(refund, anna)
    row = refunding.the_refund(refund)
    assert (row.state, row.transfer_number, row.transfer_by_id) == (RefundState.DONE, "BANK-1", anna.account_id)
    assert (row.error, row.next_try_time) == ("", None)
    assert row.order.status is OrderStatus.REFUNDED
    assert db.session.get_one(Account, student.id, populate_existing=True).balance == 30
    assert actions() == ["refund transfer"]
    log = db.session.scalars(select(AuditLog).where(AuditLog.action == "refund transfer")).one()
    assert (log.after, log.reason) == ({"state": 3, "transfer_number": "BANK-1"}, WHY)
    told = db.session.scalars(select(Notification).where(Notification.account_id == student.id)).all()[-1]
    assert "另行转账给您" in told.content and told.facts["number"] == "BANK-1"
    with pytest.raises(NotYourTurn):
        record(refund, anna, "BANK-2")


def test_above_the_limit_another_person_confirms(alipay: Cashier, anna: Actor, bert: Actor) -> None:
    refund = refused(alipay, LARGE)
    record(refund, anna)
    row = refunding.the_refund(refund)
    assert (row.state, row.transfer_number) == (RefundState.FAILED, "BANK-1")
    assert row.order.status is OrderStatus.REFUND_REQUESTED
    with pytest.raises(AnotherPerson):
        refund_transfers.confirm(refund, actor=anna, reason=WHY)
    refund_transfers.confirm(refund, actor=bert, reason="seen at the bank")
    assert refunding.the_refund(refund).state is RefundState.DONE
    assert actions() == ["refund transfer", "refund confirm"]
    with pytest.raises(NotYourTurn):
        refund_transfers.confirm(refund, actor=bert, reason=WHY)
    with pytest.raises(NotYourTurn):
        refund_transfers.drop(refund, actor=bert, reason=WHY)


def test_while_a_transfer_waits_nothing_else_moves_its_money(alipay: Cashier, anna: Actor, bert: Actor) -> None:
    refund = refused(alipay, LARGE)
    record(refund, anna)
    for other in (refund_decisions.retry, refund_decisions.refuse):
        with pytest.raises(NotYourTurn):
            other(refund, actor=bert, reason=WHY)
    with pytest.raises(NotYourTurn):
        record(refund, bert, "BANK-2")
    before = refunding.calls(alipay)
    alipay.move_clock(86_400)
    refunds.send_due()
    refunding.note(refunding.the_refund(refund).order.order_number, refund)
    refunds.send_due()
    assert refunding.calls(alipay) == before
    trouble = db.session.scalars(select(Trouble)).one()  # told of it all the same: people look
    assert (trouble.kind, trouble.out_request_no) == (TroubleKind.FOREIGN_REFUND, refund)


def test_a_transfer_that_was_not_made_is_struck_and_the_refund_sent_again(alipay: Cashier, anna: Actor) -> None:
    refund = refused(alipay, LARGE)
    record(refund, anna)
    refund_transfers.drop(refund, actor=anna, reason="the bank refused")
    row = refunding.the_refund(refund)
    assert (row.state, row.transfer_number, row.transfer_by_id) == (RefundState.FAILED, None, None)
    refund_decisions.retry(refund, actor=anna)
    alipay.move_clock(4)
    assert refunds.send(refund) == "done"
    assert actions() == ["refund transfer", "refund cancel transfer", "refund retry"]


def test_a_merchant_short_of_money_is_not_tried_again_once_it_has_transferred(alipay: Cashier, anna: Actor) -> None:
    student = a_student()
    number = refunding.bought(alipay, student, [a_course(10_000)])
    refund = sent(alipay, refunding.approved(student, number), "ACQ.SELLER_BALANCE_NOT_ENOUGH")
    assert refunding.the_refund(refund).next_try_time is not None
    record(refund, anna)
    alipay.move_clock(86_400)
    assert refunds.send_due()["done"] == 0
    assert refunding.at_alipay(alipay, number) == 0


def test_one_transfer_returns_one_refund(alipay: Cashier, anna: Actor) -> None:
    first, second = refused(alipay), refused(alipay)
    record(first, anna)
    with pytest.raises(TransferTaken):
        record(second, anna)
    assert refunding.the_refund(second).state is RefundState.FAILED


@pytest.mark.parametrize("number", ["", "a b", "１２", "\x00", "x" * 65])
def test_what_is_no_number_is_refused(alipay: Cashier, anna: Actor, number: str) -> None:
    refund = refused(alipay)
    with pytest.raises(ValueError, match="number"):
        record(refund, anna, number)


def test_what_alipay_has_moved_is_not_transferred_too(alipay: Cashier, anna: Actor) -> None:
    student = a_student()
    number = refunding.bought(alipay, student, [a_course(10_000)])
    refunding.by_hand(alipay, number, "30.00", f"R{number}01")
    refund = refunding.approved(student, number)
    refunds.send(refund)
    alipay.move_clock(11)
    assert refunds.send(refund) == "failed"
    assert not refund_desk.whole(refund).can_be_transferred
    with pytest.raises(MovedAtAlipay):
        record(refund, anna)


def test_only_finance_transfers_and_nobody_to_themselves(alipay: Cashier, anna: Actor) -> None:
    student = a_student()
    refund = refused(alipay, LARGE, student=student)
    for other in (somebody(StaffRole.SERVICE), somebody(StaffRole.ADMIN), refunding.CLERK):
        with pytest.raises(StaffOnly):
            record(refund, other)
    with unit_of_work() as session:
        session.get_one(Account, student.id).is_staff = True
        session.add(StaffMember(account_id=student.id, role=StaffRole.FINANCE))
    own = Actor(student.username, student.id)
    with pytest.raises(OwnCase):
        record(refund, own)
    record(refund, anna)
    with pytest.raises(OwnCase):
        refund_transfers.confirm(refund, actor=own, reason=WHY)


def test_one_that_alipay_has_not_refused_is_not_transferred(alipay: Cashier, anna: Actor) -> None:
    student = a_student()
    number = refunding.bought(alipay, student, [a_course(10_000)])
    refund = refunding.asked(student, number)
    with pytest.raises(NotYourTurn):
        record(refund, anna)
    refund_decisions.approve(refund, actor=anna, reason="同意")
    with pytest.raises(NotYourTurn):
        record(refund, anna)


def late(alipay: Cashier) -> str:
    student, course = a_student(), a_course(LARGE)
    number = refunding.placed(student, [course])
    alipay.fault("notify_lost", out_trade_no=f"{number}01", times=None)
    fetch(attempts.pay_url(number) or "")
    orders.cancel(student.id, number)
    off_sale(course)
    alipay.pay(f"{number}01")
    assert payment.ask(f"{number}01") is payment.Answer.PAID
    return sent(alipay, f"R{number}01LATE")


def wrong(alipay: Cashier) -> str:
    number = troubles.send_back(refunding.a_misfit(alipay, "0.01"), actor=somebody(), reason=WHY).out_request_no
    return sent(alipay, number)


@pytest.mark.parametrize(("of", "takes_two"), [(late, True), (wrong, False)], ids=["late", "wrong amount"])
def test_money_without_a_home_ends_too(
    alipay: Cashier, anna: Actor, bert: Actor, of: Callable[[Cashier], str], takes_two: bool
) -> None:
    refund = of(alipay)
    assert refund_desk.whole(refund).transfer_takes_two is takes_two
    record(refund, anna)
    if takes_two:
        refund_transfers.confirm(refund, actor=bert, reason=WHY)
    assert refunding.the_refund(refund).state is RefundState.DONE
    assert (money_desk.cases(), money_desk.surplus(), troubles.cases()) == ([], [], [])
    assert db.session.scalars(select(Order.status)).one() is not OrderStatus.PAID


def test_the_bill_neither_misses_it_nor_takes_alipays_own_for_it(alipay: Cashier, anna: Actor) -> None:
    student = a_student()
    number = refunding.bought(alipay, student, [a_course(10_000)])
    refund = sent(alipay, refunding.approved(student, number))
    record(refund, anna)
    refunding.by_hand(alipay, number, "100.00", refund)  # and somebody sends it back at Alipay after all
    [found] = differences(alipay)
    assert (found.out_request_no, found.bill_fen, found.shop_fen) == (refund, -10_000, -10_000)
    assert (found.kind, found.is_healed) == (DifferenceKind.FOREIGN_REFUND, False)
    assert db.session.scalars(select(Trouble.kind)).one() is TroubleKind.FOREIGN_REFUND


def test_the_bill_of_the_day_of_a_transfer_agrees(alipay: Cashier, anna: Actor) -> None:
    record(refused(alipay), anna)
    assert differences(alipay) == []


def test_an_old_call_that_worked_after_all_is_shown_to_people(alipay: Cashier, anna: Actor) -> None:
    """A call that took longer than its lease, while a later one was refused and the money transferred."""
    student = a_student()
    number = refunding.bought(alipay, student, [a_course(10_000)])
    refund = refunding.approved(student, number)
    with unit_of_work() as session:
        slow = refund_sending._claim(session, refunding.the_refund(refund).id, clock.now())
    assert slow
    alipay.move_clock(60)
    sent(alipay, refund)
    record(refund, anna)
    with unit_of_work() as session:
        refund_sending._book(session, slow, refund_sending.Result(moved_fen=10_000), clock.now())
    row = refunding.the_refund(refund)
    assert (row.state, row.error) == (RefundState.DONE, "moved 10000 fen")
    assert db.session.scalars(select(Trouble.kind)).one() is TroubleKind.FOREIGN_REFUND
