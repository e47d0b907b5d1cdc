"""Refunds through the local Alipay: whatever it answers, the money goes back once, and the shop knows it (design 8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import OrderStatus, PaymentState, RefundCause, RefundState, TroubleKind
from shop.errors import NotFound
from shop.extensions import db, unit_of_work
from shop.models import Account, Order, Payment, Refund, Trouble
from shop.services import attempts, orders, payment, refund_decisions, refund_sending, refunds, troubles
from shop.services.refund_sending import GAPS, Outcome
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.faults.purchase import count, the_order
from tests.refunding import (
    CLERK,
    approved,
    asked,
    at_alipay,
    bought,
    by_hand,
    calls,
    lines_of,
    note,
    placed,
    refunded,
    the_refund,
)

BROKEN_ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("answer_status", {"status": 502}),
    ("answer_html", {}),
    ("answer_empty", {}),
    ("answer_braces", {}),
    ("answer_bad_sign", {}),
    ("answer_no_sign", {}),
    ("answer_error_node", {}),
    ("answer_redirect", {}),
    ("answer_reset", {}),
    ("answer_short", {}),
    ("answer_20000", {}),
    ("answer_system_error", {}),
    ("answer_business", {"sub_code": "isv.invalid-timestamp"}),
]
SOUND_ANSWERS = ["answer_extra_field", "answer_braces_in_text"]
FINAL = ["TRADE_HAS_FINISHED", "TRADE_STATUS_ERROR", "TRADE_NOT_ALLOW_REFUND", "REASON_TRADE_REFUND_FEE_ERR"]


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def student(app: Flask) -> Account:
    return a_student()


@pytest.fixture
def number(alipay: Cashier, student: Account) -> str:
    """One paid order of a course for 100.00."""
    return bought(alipay, student, [a_course(10_000)])


def send_until_over(alipay: Cashier, refund: str) -> None:
    """What the job does in an hour or two, until nothing is left to do."""
    for _ in range(len(GAPS)):
        refunds.send_due()
        row = the_refund(refund)
        if row.next_try_time is None:
            return
        alipay.move_clock((row.next_try_time - clock.now()).total_seconds() + 0.1)
    raise AssertionError(f"{refund} is still {row.state}")


# ---------------------------------------------------------------- the plain way


def test_an_approved_refund_takes_one_call(alipay: Cashier, student: Account, number: str) -> None:
    refund = approved(student, number)
    assert the_refund(refund).next_try_time is not None
    assert refunds.send_due() == {"done": 1, "failed": 0, "later": 0, "skipped": 0}
    row = the_refund(refund)
    assert (row.state, row.tries, row.next_try_time, row.error) == (RefundState.DONE, 1, None, "")
    assert row.done_time is not None
    assert calls(alipay) == ["refund"]
    assert at_alipay(alipay, number) == 10_000
    alipay.move_clock(86_400)
    assert refunds.send_due() == {"done": 0, "failed": 0, "later": 0, "skipped": 0}
    assert refunds.send(refund) is Outcome.SKIPPED


def test_nothing_is_sent_before_it_is_approved(alipay: Cashier, student: Account, number: str) -> None:
    refund = asked(student, number)
    assert refunds.send(refund) is Outcome.SKIPPED
    refunds.withdraw(student.id, refund)
    assert refunds.send(refund) is Outcome.SKIPPED
    assert calls(alipay) == []
    with pytest.raises(NotFound):
        refunds.send("R0")


# ---------------------------------------------------------------- answers that say nothing


@pytest.mark.parametrize("done", [True, False], ids=["carried out", "not carried out"])
@pytest.mark.parametrize(("kind", "args"), BROKEN_ANSWERS, ids=[kind for kind, _ in BROKEN_ANSWERS])
def test_an_answer_that_says_nothing_is_asked_about_and_refunds_once(
    alipay: Cashier, student: Account, number: str, kind: str, args: dict[str, Any], done: bool
) -> None:
    alipay.fault(kind, method="alipay.trade.refund", done=done, **args)
    refund = approved(student, number)
    assert refunds.send(refund) is Outcome.LATER
    row = the_refund(refund)
    assert row.state is RefundState.IN_TRANSIT and row.error
    assert row.next_try_time is not None and row.next_try_time - clock.now() > timedelta(seconds=9)
    assert the_order(number).status is OrderStatus.REFUND_REQUESTED
    send_until_over(alipay, refund)
    assert the_refund(refund).state is RefundState.DONE
    assert the_order(number).status is OrderStatus.REFUNDED
    assert at_alipay(alipay, number) == 10_000
    assert calls(alipay) == ["refund", "query"] + ([] if done else ["refund"])


@pytest.mark.parametrize(("kind", "args"), BROKEN_ANSWERS, ids=[kind for kind, _ in BROKEN_ANSWERS])
def test_while_the_query_says_nothing_the_refund_is_not_called_again(
    alipay: Cashier, student: Account, number: str, kind: str, args: dict[str, Any]
) -> None:
    alipay.fault("answer_system_error", method="alipay.trade.refund", done=False)
    alipay.fault(kind, method="alipay.trade.fastpay.refund.query", times=2, **args)
    refund = approved(student, number)
    send_until_over(alipay, refund)
    assert the_refund(refund).state is RefundState.DONE
    assert calls(alipay) == ["refund", "query", "query", "query", "refund"]
    assert at_alipay(alipay, number) == 10_000


@pytest.mark.parametrize("kind", SOUND_ANSWERS)
def test_an_odd_but_sound_answer_is_believed(alipay: Cashier, student: Account, number: str, kind: str) -> None:
    alipay.fault(kind, times=None)
    assert refunds.send(approved(student, number)) is Outcome.DONE


def test_fund_change_n_is_no_proof(alipay: Cashier, student: Account, number: str) -> None:
    """alipay.md 0.4: handled is not moved. The query decides, ten seconds later at the earliest."""
    alipay.fault("refund_fund_change_n")
    refund = approved(student, number)
    assert refunds.send(refund) is Outcome.LATER
    alipay.move_clock(9)
    assert refunds.send(refund) is Outcome.SKIPPED
    alipay.move_clock(2)
    assert refunds.send(refund) is Outcome.DONE
    assert calls(alipay) == ["refund", "query"]


def test_fund_change_n_without_any_money_moved_is_sent_again(alipay: Cashier, student: Account, number: str) -> None:
    alipay.fault("refund_fund_change_n", done=False)
    refund = approved(student, number)
    assert refunds.send(refund) is Outcome.LATER
    assert at_alipay(alipay, number) == 0
    send_until_over(alipay, refund)
    assert calls(alipay) == ["refund", "query", "refund"]
    assert at_alipay(alipay, number) == 10_000


def test_the_gaps_between_tries_grow(alipay: Cashier, student: Account, number: str) -> None:
    alipay.fault("answer_20000", times=None)
    refund = approved(student, number)
    gaps = []
    for _ in range(len(GAPS) + 1):
        assert refunds.send(refund) is Outcome.LATER
        row = the_refund(refund)
        assert row.next_try_time is not None
        gap = (row.next_try_time - clock.now()).total_seconds()
        gaps.append(round(gap))
        alipay.move_clock(gap + 0.1)
    assert gaps == [10, 30, 60, 120, 300, 600, 1800, 3600, 3600]
    alipay.control("faults", method="DELETE")
    assert refunds.send(refund) is Outcome.DONE
    assert at_alipay(alipay, number) == 10_000


# ---------------------------------------------------------------- answers that say no


def test_a_merchant_without_money_is_tried_again_by_itself(alipay: Cashier, student: Account, number: str) -> None:
    alipay.fault("refund_refused", times=3)
    refund = approved(student, number)
    assert refunds.send(refund) is Outcome.FAILED
    row = the_refund(refund)
    assert (row.state, row.error) == (RefundState.FAILED, "ACQ.SELLER_BALANCE_NOT_ENOUGH")
    assert the_order(number).status is OrderStatus.REFUND_REQUESTED
    send_until_over(alipay, refund)
    assert the_refund(refund).state is RefundState.DONE
    assert at_alipay(alipay, number) == 10_000


@pytest.mark.parametrize("code", FINAL)
def test_a_final_no_waits_for_a_person(alipay: Cashier, student: Account, number: str, code: str) -> None:
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code=f"ACQ.{code}")
    refund = approved(student, number)
    assert refunds.send(refund) is Outcome.FAILED
    row = the_refund(refund)
    assert (row.state, row.error, row.next_try_time) == (RefundState.FAILED, f"ACQ.{code}", None)
    alipay.move_clock(86_400)
    assert refunds.send_due()["skipped"] == 0
    refund_decisions.retry(refund, actor=CLERK)
    assert refunds.send(refund) is Outcome.DONE
    assert the_refund(refund).out_request_no == f"R{number}01"
    assert calls(alipay) == ["refund", "query", "refund"]
    assert at_alipay(alipay, number) == 10_000


def test_a_trade_that_is_finished_at_alipay_fails(alipay: Cashier, student: Account, number: str) -> None:
    refund = asked(student, number)
    alipay.move_clock(91 * 86_400)
    refund_decisions.approve(refund, actor=CLERK, reason="同意")
    assert refunds.send(refund) is Outcome.FAILED
    assert the_refund(refund).error == "ACQ.TRADE_HAS_FINISHED"


def test_another_amount_under_our_number_is_shown_to_people(alipay: Cashier, student: Account, number: str) -> None:
    by_hand(alipay, number, "30.00", f"R{number}01")
    refund = approved(student, number)
    assert refunds.send(refund) is Outcome.LATER
    alipay.move_clock(11)
    assert refunds.send(refund) is Outcome.FAILED
    row = the_refund(refund)
    assert (row.state, row.error, row.next_try_time) == (RefundState.FAILED, "moved 3000 fen", None)
    trouble = db.session.scalars(select(Trouble)).one()
    assert (trouble.kind, trouble.amount_fen, trouble.out_request_no) == (TroubleKind.FOREIGN_REFUND, 3_000, refund)
    assert calls(alipay) == ["refund", "refund", "query"]


# ---------------------------------------------------------------- one call at a time


def test_two_refunds_of_one_payment_wait_for_each_other(alipay: Cashier, student: Account) -> None:
    number = bought(alipay, student, [a_course(10_000), a_course(5_000)])
    first = approved(student, number, 0)
    assert refunds.send(first) is Outcome.DONE
    second = approved(student, number, 1)
    assert refunds.send_due()["skipped"] == 1, "less than three seconds after the first"
    assert calls(alipay) == ["refund"]
    alipay.move_clock(3.1)
    assert refunds.send_due()["done"] == 1
    assert the_refund(second).state is RefundState.DONE


def test_a_call_that_is_under_way_is_not_made_twice(alipay: Cashier, student: Account, number: str) -> None:
    refund = the_refund(approved(student, number)).id
    with unit_of_work() as session:
        claim = refund_sending._claim(session, refund, clock.now())
    assert claim is not None
    assert refund_sending.send(refund) is Outcome.SKIPPED
    alipay.move_clock(29)
    assert refund_sending.send(refund) is Outcome.SKIPPED
    alipay.move_clock(2)
    assert refund_sending.send(refund) is Outcome.DONE
    assert calls(alipay) == ["query", "refund"], "nobody knows whether the first call was made"


def test_what_a_slow_try_brings_after_a_later_one_changes_nothing(
    alipay: Cashier, student: Account, number: str
) -> None:
    """A process that stood still for a minute books after another one has."""
    refund = the_refund(approved(student, number)).id
    with unit_of_work() as session:
        slow = refund_sending._claim(session, refund, clock.now())
    assert slow is not None
    alipay.move_clock(31)
    alipay.fault("answer_20000", times=1)
    assert refund_sending.send(refund) is Outcome.LATER
    before = the_refund(slow.out_request_no).next_try_time
    for result in (refund_sending.Result(refusal="ACQ.TRADE_STATUS_ERROR", is_retried=False), refund_sending.Result()):
        with unit_of_work() as session:
            assert refund_sending._book(session, slow, result, clock.now()) is Outcome.SKIPPED
    row = the_refund(slow.out_request_no)
    assert (row.state, row.next_try_time) == (RefundState.IN_TRANSIT, before)
    moved = refund_sending._call(slow)  # the slow call itself, at last
    with unit_of_work() as session:
        assert refund_sending._book(session, slow, moved, clock.now()) is Outcome.DONE
    with unit_of_work() as session:
        assert refund_sending._book(session, slow, moved, clock.now()) is Outcome.DONE
    assert at_alipay(alipay, number) == 10_000


def test_late_money_and_a_line_of_one_order_go_back_side_by_side(alipay: Cashier, student: Account) -> None:
    """They are two payments: nobody waits for anybody."""
    number = bought(alipay, student, [a_course(10_000)])
    second = a_second_payment(alipay, number)
    line = approved(student, number)
    assert refunds.send_due() == {"done": 2, "failed": 0, "later": 0, "skipped": 0}
    assert the_refund(line).state is RefundState.DONE
    assert the_refund(f"R{second}DOUBLE").state is RefundState.DONE
    assert the_order(number).status is OrderStatus.REFUNDED
    assert at_alipay(alipay, number) == 10_000
    assert alipay.trade(second)["refunded_amount"] == "100.00"


# ---------------------------------------------------------------- money that nobody asked to have back


def a_second_payment(alipay: Cashier, number: str) -> str:
    """The ``out_trade_no`` of another attempt that was paid as well and waits to go back."""
    order = the_order(number)
    out_trade_no = f"{number}02"
    fetch(
        attempts.alipay().pay_url(
            order.payments[0].method,
            {**order.payments[0].biz_content, "out_trade_no": out_trade_no},
        )
    )
    alipay.fault("notify_lost", out_trade_no=out_trade_no, times=None)
    trade_no = alipay.pay(out_trade_no)["trade"]["trade_no"]
    with unit_of_work() as session:
        double = Payment(
            order_id=order.id,
            out_trade_no=out_trade_no,
            method=order.payments[0].method,
            amount_fen=order.actual_amount_fen,
            biz_content={},
            state=PaymentState.SURPLUS,
            trade_no=trade_no,
            expires_at=order.expires_at,
            paid_time=clock.now(),
        )
        session.add(double)
        session.flush()
        for _ in range(2):  # heard of twice
            refunds.give_back(
                session,
                double,
                cause=RefundCause.DOUBLE,
                amount_fen=double.amount_fen,
                reason="付了两次",
                now=clock.now(),
            )
    return out_trade_no


def test_late_money_goes_back_by_itself_and_once(alipay: Cashier, student: Account) -> None:
    number = placed(student, [a_course(10_000)])
    url = attempts.pay_url(number)
    assert url
    fetch(url)
    orders.cancel(student.id, number)
    with unit_of_work() as session:  # what made it go off sale is of no matter here
        session.scalars(select(Order)).one().details[0].product.status = 1
    alipay.pay(f"{number}01")
    db.session.rollback()
    refund = the_refund(f"R{number}01LATE")
    assert (refund.state, refund.cause, refund.amount_fen) == (RefundState.APPROVED, RefundCause.LATE, 10_000)
    assert payment.ask(f"{number}01") is payment.Answer.PAID
    assert count(Refund) == 1
    assert refunds.send_due()["done"] == 1
    assert the_order(number).status is OrderStatus.CANCELLED
    assert at_alipay(alipay, number) == 10_000


def test_money_of_a_wrong_amount_goes_back_by_its_own_trade(alipay: Cashier, student: Account) -> None:
    number = placed(student, [a_course(10_000)])
    alipay.fault("pay_cent_less", out_trade_no=f"{number}01")
    url = attempts.pay_url(number)
    assert url
    fetch(url)
    alipay.pay(f"{number}01")
    db.session.rollback()
    trouble = db.session.scalars(select(Trouble)).one()
    assert (trouble.kind, trouble.amount_fen) == (TroubleKind.WRONG_AMOUNT, 9_999)
    assert db.session.scalars(select(Payment)).one().trade_no is None
    troubles.send_back(trouble.id, actor=CLERK, reason="金额不符")
    assert refunds.send(f"R{number}01WRONG{trouble.id}") is Outcome.DONE
    assert alipay.trade(f"{number}01")["refunded_amount"] == "99.99"
    assert the_order(number).status is OrderStatus.PENDING
    closed = db.session.get_one(Trouble, trouble.id, populate_existing=True)
    assert closed.resolved_time is not None
    assert closed.resolution == f"R{number}01WRONG{trouble.id}"


# ---------------------------------------------------------------- begun at Alipay


def test_a_refund_begun_at_alipay_is_recorded_and_never_sent(alipay: Cashier, student: Account, number: str) -> None:
    by_hand(alipay, number, "30.00", "byhand1")
    for _ in range(2):
        note(number, "byhand1")
    row = the_refund("byhand1")
    assert (row.cause, row.amount_fen, row.state) == (RefundCause.GATEWAY, 0, RefundState.IN_TRANSIT)
    assert refunds.send_due()["done"] == 1
    row = the_refund("byhand1")
    assert (row.amount_fen, row.state, row.beli) == (3_000, RefundState.DONE, 0)
    trouble = db.session.scalars(select(Trouble)).one()
    assert (trouble.kind, trouble.amount_fen) == (TroubleKind.FOREIGN_REFUND, 3_000)
    assert trouble.resolved_time is None
    assert the_order(number).status is OrderStatus.PAID
    note(number, "byhand1")
    assert (count(Refund), count(Trouble)) == (1, 1)
    assert calls(alipay) == ["refund", "query"], "the first is the one by hand"


def test_a_refund_begun_at_alipay_that_nobody_finds_is_only_asked_about(
    alipay: Cashier, student: Account, number: str
) -> None:
    note(number, "phantom")
    for _ in range(3):
        assert refunds.send("phantom") is Outcome.LATER
        alipay.move_clock(3_600)
    assert calls(alipay) == ["query"] * 3
    assert at_alipay(alipay, number) == 0


def test_a_refund_of_a_whole_trade_without_a_number_is_found(alipay: Cashier, student: Account, number: str) -> None:
    """Its notice names the trade in place of a number, the query wants the attempt's (alipay.md 3.4, 4.6)."""
    alipay.sdk.api_alipay_trade_refund(refund_amount="100.00", out_trade_no=f"{number}01")
    trade_no = the_order(number).payment_number
    assert trade_no
    note(number, trade_no)
    assert refunds.send_due()["done"] == 1
    assert the_refund(f"{number}01").amount_fen == 10_000
    line = lines_of(number)[0]
    assert refunds.options(student.id, number).lines[0].why_not, line.actual_amount_fen


def test_a_notice_of_our_own_refund_has_it_asked_about_at_once(alipay: Cashier, student: Account, number: str) -> None:
    alipay.fault("answer_20000", method="alipay.trade.refund")
    refund = approved(student, number)
    assert refunds.send(refund) is Outcome.LATER
    alipay.move_clock(3.1)
    assert refunds.send(refund) is Outcome.SKIPPED
    note(number, refund)
    assert refunds.send(refund) is Outcome.DONE
    note(number, refund)
    assert the_refund(refund).next_try_time is None
    assert (count(Refund), count(Trouble)) == (1, 0)


def test_money_that_moved_under_a_number_we_never_sent_is_shown_to_people(
    alipay: Cashier, student: Account, number: str
) -> None:
    refund = asked(student, number)
    by_hand(alipay, number, "10.00", refund)
    note(number, refund)
    assert the_refund(refund).state is RefundState.REQUESTED
    assert count(Trouble, Trouble.out_request_no == refund) == 1


def test_f47_a_refund_notice_and_an_old_notice_of_payment_bring_nothing_back(alipay: Cashier, student: Account) -> None:
    """F47: after 已退费 the trade's first TRADE_SUCCESS comes again, and the one of a partial refund."""
    number = bought(alipay, student, [a_course(10_000), a_course(5_000)])
    alipay.control("faults", method="DELETE")  # from here on its notices arrive
    refunded(alipay, student, number, 0)
    refunded(alipay, student, number, 1)
    for message in alipay.messages(f"{number}01"):
        alipay.control(f"messages/{message['id']}/send", {"genuine": True})
    db.session.rollback()
    assert the_order(number).status is OrderStatus.REFUNDED
    assert count(Refund, Refund.state != RefundState.DONE) == 0
    assert at_alipay(alipay, number) == 15_000
