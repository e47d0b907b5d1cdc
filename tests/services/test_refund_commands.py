from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import Result
from flask import Flask

from shop.enums import OrderStatus, RefundState
from shop.models import Account
from tests.audit import assert_audit_clean
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier
from tests.faults.purchase import balance_of, the_order
from tests.refunding import approved, asked, at_alipay, bought, calls, the_refund


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def student(app: Flask) -> Account:
    return a_student(beli=30)


@pytest.fixture
def number(alipay: Cashier, student: Account) -> str:
    return bought(alipay, student, [a_course(10_000)], beli=30)


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["refunds", *words])


def test_approve_sends_at_once_and_says_so(app: Flask, alipay: Cashier, student: Account, number: str) -> None:
    refund = asked(student, number)
    assert f"{refund}  " in run(app, "list").output
    done = run(app, "approve", refund, "--reason", "同意")
    assert (done.exit_code, done.stdout) == (0, f"{refund}: approved; the money is back.\n")
    assert at_alipay(alipay, number) == 7_000
    assert run(app, "list").stdout == "0 refunds.\n"
    assert f"{refund}  " in run(app, "list", "--all").output
    again = run(app, "approve", refund, "--reason", "同意")
    assert again.exit_code == 1
    assert "It is done." in again.output
    assert calls(alipay) == ["refund"]


def test_a_refund_without_cash_needs_no_alipay(app: Flask, alipay: Cashier) -> None:
    student = a_student(beli=100)
    refund = asked(student, bought(alipay, student, [a_course(10_000)], beli=100))
    assert "no cash to send" in run(app, "approve", refund, "--reason", "同意").output
    assert balance_of(student.id) == 100
    assert calls(alipay) == []


def test_refuse_gives_access_back(app: Flask, alipay: Cashier, student: Account, number: str) -> None:
    refund = asked(student, number)
    assert run(app, "refuse", refund, "--reason", "已学完").exit_code == 0
    assert the_order(number).status is OrderStatus.PAID
    assert run(app, "refuse", refund, "--reason", "已学完").exit_code == 1


def test_retry_sends_what_alipay_refused(app: Flask, alipay: Cashier, student: Account, number: str) -> None:
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code="ACQ.TRADE_NOT_ALLOW_REFUND")
    refund = asked(student, number)
    assert "Alipay refused it" in run(app, "approve", refund, "--reason", "同意").output
    assert "ACQ.TRADE_NOT_ALLOW_REFUND" in run(app, "list").output
    alipay.move_clock(4)
    assert run(app, "retry", refund).stdout == f"{refund}: the money is back.\n"
    assert run(app, "retry", refund).exit_code == 1


def test_send_says_what_it_did(app: Flask, alipay: Cashier, student: Account, number: str) -> None:
    refund = approved(student, number)
    assert run(app, "send").stdout == "1 done, 0 failed, 0 later, 0 skipped.\n"
    assert run(app, "send").stdout == "0 done, 0 failed, 0 later, 0 skipped.\n"
    assert the_refund(refund).state is RefundState.DONE


@pytest.mark.parametrize(
    "words",
    [("approve", "R0", "--reason", "同意"), ("refuse", "R0", "--reason", "不"), ("retry", "R0")],
    ids=lambda words: words[0],
)
def test_an_unknown_number_is_said_to_be_unknown(app: Flask, alipay: Cashier, words: tuple[str, ...]) -> None:
    result = run(app, *words)
    assert result.exit_code == 1
    assert "There is no such refund: R0." in result.output


def test_a_reason_is_needed_and_has_a_limit(app: Flask, alipay: Cashier, student: Account, number: str) -> None:
    refund = asked(student, number)
    assert run(app, "approve", refund).exit_code == 2
    for reason in ("", "长" * 256):
        result = run(app, "approve", refund, "--reason", reason)
        assert result.exit_code == 1
        assert "255" in result.output
    assert the_refund(refund).state is RefundState.REQUESTED
