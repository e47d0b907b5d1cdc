"""Refunds, withdrawals and money without a home, as finance decides about them in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest
from flask import Flask
from sqlalchemy import func, select

from shop.enums import RefundState, StaffRole, TransactionType, TroubleKind, WithdrawalState
from shop.errors import NotFound, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, Refund, StaffMember, TransactionRecord, Trouble, Withdrawal
from shop.services import attempts, orders, payment, refund_decisions, refunds, troubles, withdrawals
from shop.services.audit_log import Actor
from shop.services.staff import money_desk
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.degrees import a_mentor
from tests.person import Person
from tests.purchases import off_sale, saved
from tests.refunding import a_misfit, asked, at_alipay, bought, calls, lines_of, placed, the_refund
from tests.statements import counted

PAYEE = "zqx.payee@example.com"
HOSTILE = ("", " ", "\x00", "x" * 256, "\ud800" * 300)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def hired(app: Flask, student: Account) -> Person:
    """The student, who works at finance from now on."""
    with unit_of_work() as session:
        session.get_one(Account, student.id).is_staff = True
        session.add(StaffMember(account_id=student.id, role=StaffRole.FINANCE))
    return Person(app).sign_in(student.username)


def finance(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.FINANCE).username)


def rows(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def a_withdrawal(amount: int = 100) -> Withdrawal:
    from shop import clock

    mentor = a_mentor(beli=500)
    return withdrawals.ask(mentor.id, amount, payee_account=PAYEE, payee_name="卡纳里", now=clock.now())


def state_of(withdrawal: Withdrawal) -> WithdrawalState:
    db.session.rollback()
    return db.session.get_one(Withdrawal, withdrawal.id).state


# ---------------------------------------------------------------- refunds


def test_a_request_is_found_read_and_approved(app: Flask, alipay: Cashier) -> None:
    student, first, second = a_student(), a_course(30_000), a_course(20_000)
    number = bought(alipay, student, [first, second], beli=0)
    refund = asked(student, number, 0)
    clerk = finance(app)
    listed = clerk.get("/staff/refunds")
    assert refund in listed.text and "300.00" in listed.text and "200.00" not in listed.text
    page = clerk.get(f"/staff/refunds/{refund}")
    assert "0 贝里退回账户" not in page.text and "300.00 元立即由支付宝原路退回，所退课程关闭" in page.text
    assert "同意退款 300.00 元" in page.text and first.name in page.text and second.name not in page.text
    done = clerk.follow(clerk.post(f"/staff/refunds/{refund}/approval", {"reason": "属实"}))
    assert "退款已完成：300.00 元已原路退回" in done.text
    assert the_refund(refund).state is RefundState.DONE
    assert refund not in clerk.get("/staff/refunds").text
    assert refund in clerk.get("/staff/refunds?queue=4").text
    row = db.session.scalars(select(AuditLog).where(AuditLog.action == "refund approve")).one()
    assert row.reason == "属实" and row.account_id is not None


def test_a_queue_comes_as_a_file_with_its_rows_and_no_payee(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    refund = asked(student, bought(alipay, student, [a_course(30_000)]))
    request = a_withdrawal()
    clerk, service = finance(app), Person(app).sign_in(a_clerk(StaffRole.SERVICE).username)
    file = clerk.get("/staff/refunds.csv?queue=0", buffered=True).text
    assert f"{refund}," in file and student.username in file and ",300.00," in file
    assert student.username not in service.get("/staff/refunds.csv", buffered=True).text
    assert refund not in clerk.get("/staff/refunds.csv?queue=4", buffered=True).text
    file = clerk.get("/staff/withdrawals.csv", buffered=True).text
    assert f"\n{request.id}," in file.replace("\r", "") and "zq***@example.com" in file and PAYEE not in file
    for area in ("refunds", "withdrawals"):
        assert clerk.get(f"/staff/{area}.csv?queue=9").status_code == 422


def test_a_large_one_goes_from_queue_to_queue_and_to_another_person(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(600_000)])
    refund = asked(student, number)
    anna, bert = finance(app), finance(app)
    page = anna.get(f"/staff/refunds/{refund}")
    assert "还要另一位财务同事同意" in page.text
    told = anna.follow(anna.post(f"/staff/refunds/{refund}/approval", {"reason": "属实"}))
    assert "还需要另一位财务同事同意" in told.text
    assert f"/staff/refunds/{refund}/approval" not in told.text  # the button is for somebody else
    again = anna.post(f"/staff/refunds/{refund}/approval", {"reason": "属实"})
    assert (again.status_code, "另一位同事" in again.text) == (409, True)
    assert refund not in bert.get("/staff/refunds").text
    assert refund in bert.get("/staff/refunds?queue=1").text
    bert.follow(bert.post(f"/staff/refunds/{refund}/approval", {"reason": "核对过"}))
    assert the_refund(refund).state is RefundState.DONE


def test_the_second_of_two_clerks_is_told(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    refund = asked(student, bought(alipay, student, [a_course(30_000)]))
    anna, bert = finance(app), finance(app)
    bert.get(f"/staff/refunds/{refund}")
    anna.post(f"/staff/refunds/{refund}/refusal", {"reason": "已学完"})
    late = bert.post(f"/staff/refunds/{refund}/approval", {"reason": "属实"})
    assert (late.status_code, "刚刚已被处理" in late.text, "已拒绝" in late.text) == (409, True, True)
    assert the_refund(refund).state is RefundState.REFUSED


def test_who_has_proposed_a_refund_takes_it_back_on_its_page(app: Flask, alipay: Cashier) -> None:
    number = bought(alipay, a_student(), [a_course(30_000)])
    account = a_clerk(StaffRole.SERVICE)
    service, clerk = Person(app).sign_in(account.username), finance(app)
    actor, line = Actor(account.username, account.id), lines_of(number)[0].id
    refund = refund_decisions.open_by_staff(number, [line], actor=actor, reason="打不开").out_request_no
    here = f"/staff/refunds/{refund}"
    assert f"{here}/withdrawal" in service.get(here).text and f"{here}/withdrawal" not in clerk.get(here).text
    assert service.post(f"{here}/withdrawal", {"reason": "\x00"}).status_code == 422
    assert clerk.post(f"{here}/withdrawal", {"reason": "不是我的"}).status_code == 409
    done = service.follow(service.post(f"{here}/withdrawal", {"reason": "填错了"}))
    assert "已撤回，什么都没有退" in done.text
    late = clerk.post(f"{here}/approval", {"reason": "属实"})
    assert (late.status_code, "刚刚已被处理" in late.text) == (409, True)


def test_a_failed_one_is_sent_again_from_its_page(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(30_000)])
    refund = asked(student, number)
    alipay.fault("refund_refused", out_trade_no=f"{number}01", times=1)
    clerk = finance(app)
    told = clerk.follow(clerk.post(f"/staff/refunds/{refund}/approval", {"reason": "属实"}))
    assert "支付宝拒绝了这笔退款" in told.text and "ACQ.SELLER_BALANCE_NOT_ENOUGH" in told.text
    assert refund in clerk.get("/staff/refunds?queue=2").text
    alipay.move_clock(4)
    done = clerk.follow(clerk.post(f"/staff/refunds/{refund}/retry", {"reason": "余额已补"}))
    assert "退款已完成" in done.text
    assert the_refund(refund).state is RefundState.DONE


def a_failed_one(alipay: Cashier, price_fen: int = 30_000) -> str:
    student = a_student()
    number = bought(alipay, student, [a_course(price_fen)])
    refund = asked(student, number)
    for _each in range(2 if price_fen > 500_000 else 1):
        clerk = a_clerk(StaffRole.FINANCE)
        refund_decisions.approve(refund, actor=Actor(clerk.username, clerk.id), reason="属实")
    alipay.fault("answer_business", method="alipay.trade.refund", sub_code="ACQ.TRADE_HAS_FINISHED")
    assert refunds.send(refund) == "failed"
    return refund


def test_what_alipay_refuses_for_good_is_transferred_and_written_down(app: Flask, alipay: Cashier) -> None:
    refund, clerk = a_failed_one(alipay), finance(app)
    assert "先向付款人转账 300.00 元" in clerk.get(f"/staff/refunds/{refund}").text
    form = {"transfer_number": "BANK-1", "reason": "交易已结束"}
    done = clerk.follow(clerk.post(f"/staff/refunds/{refund}/transfer", form))
    assert "已记录转账，退款完成" in done.text and "BANK-1" in done.text and "另行转账退回" in done.text
    again = clerk.post(f"/staff/refunds/{refund}/transfer", form)
    assert (again.status_code, "刚刚已被处理" in again.text) == (409, True)
    other = clerk.post(f"/staff/refunds/{a_failed_one(alipay)}/transfer", form)
    assert (other.status_code, "已经记在另一笔退款上" in other.text) == (409, True)
    assert "另行转账" in clerk.get("/staff/refunds?queue=4").text


def test_a_large_transfer_is_confirmed_by_another_clerk_or_struck(app: Flask, alipay: Cashier) -> None:
    refund, anna, bert = a_failed_one(alipay, 600_000), finance(app), finance(app)
    here = f"/staff/refunds/{refund}/transfer"
    form = {"transfer_number": "BANK-1", "reason": "交易已结束"}
    assert "还要另一位财务同事确认" in anna.get(f"/staff/refunds/{refund}").text
    told = anna.follow(anna.post(here, form))
    assert "还需要另一位财务同事确认" in told.text and f"{here}/confirmation" not in told.text
    assert (anna.post(f"{here}/confirmation", {"reason": "so"}).status_code) == 409
    assert "待确认转账" in bert.get("/staff/refunds?queue=2").text
    struck = anna.follow(anna.post(f"{here}/deletion", {"reason": "银行退回"}))
    assert "已取消转账记录" in struck.text and "再次发起退款" in struck.text
    anna.post(here, form)
    page = bert.get(f"/staff/refunds/{refund}")
    assert "再次发起退款" not in page.text and "/refusal" not in page.text
    done = bert.follow(bert.post(f"{here}/confirmation", {"reason": "已核对"}))
    assert "已确认转账，退款完成" in done.text
    assert the_refund(refund).state is RefundState.DONE


@pytest.mark.parametrize("number", ["", "a b", "１２", "\x00", "x" * 65, "\ud800"])
def test_a_transfer_without_number_or_reason_changes_nothing(app: Flask, alipay: Cashier, number: str) -> None:
    refund, clerk = a_failed_one(alipay), finance(app)
    here, sent = f"/staff/refunds/{refund}/transfer", number.encode("utf-8", "surrogatepass")
    assert clerk.post(here, {"transfer_number": sent, "reason": "so"}).status_code == 422
    assert clerk.post(here, {"transfer_number": "BANK-1", "reason": sent.strip()[:0]}).status_code == 422
    for step in ("confirmation", "deletion"):
        assert clerk.post(f"{here}/{step}", {"reason": ""}).status_code == 422
        assert clerk.post(f"{here}/{step}", {"reason": "so"}).status_code == 409
    assert (the_refund(refund).state, the_refund(refund).transfer_number) == (RefundState.FAILED, None)


@pytest.mark.parametrize("reason", HOSTILE, ids=lambda reason: repr(reason[:4]))
def test_a_decision_without_a_reason_changes_nothing(app: Flask, alipay: Cashier, reason: str) -> None:
    student = a_student()
    refund = asked(student, bought(alipay, student, [a_course(30_000)]))
    clerk, before = finance(app), rows(AuditLog)
    for step in ("approval", "refusal", "retry"):
        answer = clerk.post(f"/staff/refunds/{refund}/{step}", {"reason": reason.encode("utf-8", "surrogatepass")})
        assert answer.status_code == 422, step
    assert (the_refund(refund).state, rows(AuditLog)) == (RefundState.REQUESTED, before)


@pytest.mark.parametrize("number", ["%00", "R1", "x" * 65, "%EF%BC%91", "../refunds"])
def test_a_number_that_is_none_is_not_found(app: Flask, number: str) -> None:
    clerk = finance(app)
    assert clerk.get(f"/staff/refunds/{number}").status_code in (404, 200 if number == "../refunds" else 404)
    assert clerk.post(f"/staff/refunds/{number}/approval", {"reason": "so"}).status_code in (404, 405)
    assert clerk.get("/staff/refunds?queue=9").status_code == 422
    assert clerk.get("/staff/refunds?after=x").status_code == 404


def test_the_list_asks_the_same_for_one_and_for_many(app: Flask, alipay: Cashier) -> None:
    clerk, student = finance(app), a_student()
    asked(student, bought(alipay, student, [a_course(30_000)]))
    clerk.get("/staff/refunds")
    with counted() as few:
        clerk.get("/staff/refunds")
    for _more in range(3):
        other = a_student()
        asked(other, bought(alipay, other, [a_course(30_000)]))
    with counted() as many:
        assert clerk.get("/staff/refunds").text.count("data-refund=") == 4
    assert len(many) == len(few)


# ---------------------------------------------------------------- withdrawals


def test_a_withdrawal_takes_two_and_its_payee_a_reason(app: Flask) -> None:
    request = a_withdrawal()
    anna, bert = finance(app), finance(app)
    here = f"/staff/withdrawals/{request.id}"
    for path in ("/staff/withdrawals", here):
        page = anna.get(path)
        assert "zq***@example.com" in page.text and PAYEE not in page.text and "卡纳里" not in page.text
    assert anna.post(f"{here}/payee", {"reason": ""}).status_code == 422
    shown = anna.post(f"{here}/payee", {"reason": "核对收款人"})
    assert PAYEE in shown.text and "卡纳里" in shown.text
    assert PAYEE not in anna.get(here).text
    anna.follow(anna.post(f"{here}/approval", {"reason": "无误"}))
    own = anna.post(f"{here}/payment", {"payment_number": "T20261124"})
    assert (own.status_code, "由两个人完成" in own.text) == (409, True)
    assert state_of(request) is WithdrawalState.APPROVED
    bert.follow(bert.post(f"{here}/payment", {"payment_number": "T20261124"}))
    assert state_of(request) is WithdrawalState.PAID
    log = [(row.action, row.reason) for row in db.session.scalars(select(AuditLog).order_by(AuditLog.id))]
    assert log == [("withdrawal look", "核对收款人"), ("withdrawal approve", "无误"), ("withdrawal pay", "")]
    assert not any(PAYEE in str((row.before, row.after, row.reason)) for row in db.session.scalars(select(AuditLog)))
    assert bert.post(f"{here}/payee", {"reason": "看看"}).status_code == 404  # nothing is left to pay


def test_a_refusal_gives_the_beli_back_and_the_second_clerk_is_told(app: Flask) -> None:
    request = a_withdrawal()
    anna, bert = finance(app), finance(app)
    here = f"/staff/withdrawals/{request.id}"
    anna.post(f"{here}/refusal", {"reason": "账号不符"})
    late = bert.post(f"{here}/approval", {"reason": "无误"})
    assert (late.status_code, "刚刚已被处理" in late.text) == (409, True)
    back = select(func.count()).where(TransactionRecord.transaction_type == TransactionType.REFUND)
    db.session.rollback()
    assert db.session.scalar(back) == 1


@pytest.mark.parametrize("number", ["", "a b", "１２", "\x00", "x" * 65])
def test_a_payment_number_that_is_none_is_refused_at_its_field(app: Flask, number: str) -> None:
    request = a_withdrawal()
    anna, bert = finance(app), finance(app)
    here = f"/staff/withdrawals/{request.id}"
    anna.post(f"{here}/approval", {"reason": "无误"})
    assert bert.post(f"{here}/payment", {"payment_number": number}).status_code == 422
    assert state_of(request) is WithdrawalState.APPROVED


def test_one_transfer_pays_one_withdrawal(app: Flask) -> None:
    first, second = a_withdrawal(), a_withdrawal()
    anna, bert = finance(app), finance(app)
    for request in (first, second):
        anna.post(f"/staff/withdrawals/{request.id}/approval", {"reason": "无误"})
    bert.post(f"/staff/withdrawals/{first.id}/payment", {"payment_number": "T1"})
    answer = bert.post(f"/staff/withdrawals/{second.id}/payment", {"payment_number": "T1"})
    assert (answer.status_code, "已经记在另一笔提现上" in answer.text) == (409, True)


# ---------------------------------------------------------------- money without a home


def one_fen(alipay: Cashier, student: Account) -> Trouble:
    """One fen came for an order."""
    return db.session.get_one(Trouble, a_misfit(alipay, "0.01", student))


def resolution_of(trouble: Trouble) -> str | None:
    db.session.rollback()
    row = db.session.get_one(Trouble, trouble.id, populate_existing=True)
    return row.resolution if row.resolved_time else None


def test_a_wrong_amount_is_listed_taken_and_sent_back(app: Flask, alipay: Cashier) -> None:
    trouble = one_fen(alipay, a_student())
    number = trouble.out_trade_no[:-2]
    clerk = finance(app)
    page = clerk.get("/staff/money")
    assert f'data-trouble="{trouble.id}"' in page.text and number in page.text
    mine = clerk.follow(clerk.post(f"/staff/money/{trouble.id}/owner"))
    assert "已由您负责" in mine.text
    done = clerk.follow(clerk.post(f"/staff/money/{trouble.id}/refund", {"reason": "金额不符"}))
    assert "已原路退回" in done.text


def test_of_two_cases_of_one_attempt_the_one_that_was_clicked_is_decided(app: Flask, alipay: Cashier) -> None:
    first = one_fen(alipay, a_student())
    second = saved(
        Trouble(
            kind=TroubleKind.SECOND_TRADE,
            payment_id=first.payment_id,
            out_trade_no=first.out_trade_no,
            trade_no="2026112322001400000000000009",
            amount_fen=700_000,
            found_by="bill",
        )
    )
    clerk = finance(app)
    clerk.post(f"/staff/money/{second.id}/refund", {"reason": "付了两次"})
    db.session.rollback()
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.trouble_id, refund.amount_fen) == (second.id, 700_000)
    early = clerk.post(f"/staff/money/{second.id}/closing", {"reason": "已退"})
    assert (early.status_code, "正在原路退回" in early.text) == (409, True)
    assert clerk.post(f"/staff/money/{first.id}/closing", {"reason": "线下已退"}).status_code == 303
    assert (resolution_of(first), resolution_of(second)) == ("线下已退", None)
    with pytest.raises(NotFound):
        troubles.send_back(first.id, actor=Actor("command line"), reason="再退")


def test_a_large_wrong_amount_is_proposed_by_one_clerk_and_sent_by_another(app: Flask, alipay: Cashier) -> None:
    trouble, anna, bert = a_misfit(alipay, "6000.00"), finance(app), finance(app)
    assert "还要另一位财务同事同意" in anna.get("/staff/money").text
    told = anna.follow(anna.post(f"/staff/money/{trouble}/refund", {"reason": "金额不符"}))
    assert "还需要另一位财务同事同意" in told.text and "/approval" not in told.text
    waiting = bert.get("/staff/money").text
    assert "等待另一位财务同事同意" in waiting and f"/staff/money/{trouble}/refund" not in waiting
    number = db.session.scalars(select(Refund.out_request_no)).one()
    assert "退回付款人的支付宝" in bert.get(f"/staff/refunds/{number}").text
    done = bert.follow(bert.post(f"/staff/refunds/{number}/approval", {"reason": "核对过"}))
    assert "退款已完成：6000.00 元已原路退回" in done.text


def test_a_large_wrong_amount_that_another_clerk_refuses_stays_open(app: Flask, alipay: Cashier) -> None:
    trouble, anna, bert = a_misfit(alipay, "6000.00"), finance(app), finance(app)
    anna.post(f"/staff/money/{trouble}/refund", {"reason": "金额不符"})
    number = db.session.scalars(select(Refund.out_request_no)).one()
    assert "仍留在待认领款项里" in bert.get(f"/staff/refunds/{number}").text
    told = bert.follow(bert.post(f"/staff/refunds/{number}/refusal", {"reason": "先核对"}))
    assert "已拒绝，款项仍在待认领款项里" in told.text
    page = bert.get("/staff/money").text
    assert page.count("data-trouble=") == 1 and f"/staff/money/{trouble}/refund" in page


def test_money_that_alipay_does_not_send_back_is_said_not_to_be(app: Flask, alipay: Cashier) -> None:
    trouble, clerk = one_fen(alipay, a_student()), finance(app)
    alipay.fault("refund_refused", out_trade_no=trouble.out_trade_no, times=1)
    told = clerk.follow(clerk.post(f"/staff/money/{trouble.id}/refund", {"reason": "金额不符"}))
    assert "支付宝拒绝了这笔退款" in told.text and "已原路退回" not in told.text
    db.session.rollback()
    assert db.session.scalars(select(Refund.out_request_no)).one() in clerk.get("/staff/money").text


def test_nobody_decides_about_odd_money_of_their_own(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    trouble = one_fen(alipay, student)
    own = hired(app, student)
    for step in ("refund", "closing"):
        answer = own.post(f"/staff/money/{trouble.id}/{step}", {"reason": "给自己"})
        assert (answer.status_code, "请让另一位同事处理" in answer.text) == (403, True), step
    assert (resolution_of(trouble), rows(Refund)) == (None, 0)


def test_asking_alipay_and_comparing_a_day_again_are_in_the_audit_log(app: Flask, alipay: Cashier) -> None:
    trouble, clerk = one_fen(alipay, a_student()), finance(app)
    clerk.post(f"/staff/money/{trouble.id}/inquiry")
    clerk.post("/staff/reconciliation/2026-11-02/runs")
    asked_for = select(AuditLog.action, AuditLog.subject_id, AuditLog.after, AuditLog.account_id.is_not(None))
    db.session.rollback()
    assert [tuple(row) for row in db.session.execute(asked_for.order_by(AuditLog.id))] == [
        ("trouble inquiry", trouble.id, {"out_trade_no": trouble.out_trade_no}, True),
        ("reconciliation run", 0, {"day": "2026-11-02"}, True),
    ]
    service = a_clerk(StaffRole.SERVICE)
    other = Actor(service.username, service.id)
    with pytest.raises(StaffOnly):
        money_desk.ask_gateway(trouble.id, actor=other)
    with pytest.raises(StaffOnly):
        money_desk.compare_again(date(2026, 11, 2), actor=other)


def late_money(alipay: Cashier, student: Account) -> str:
    """The number of the refund of 300 yuan that came for an order that had ended."""
    course = a_course(30_000)
    number = placed(student, [course])
    url = attempts.pay_url(number) or ""
    alipay.fault("notify_lost", out_trade_no=f"{number}01", times=None)
    fetch(url)
    orders.cancel(student.id, number)
    off_sale(course)
    alipay.pay(f"{number}01")
    assert payment.ask(f"{number}01") is payment.Answer.PAID
    return f"R{number}01LATE"


def test_late_money_is_sent_now_and_once(app: Flask, alipay: Cashier) -> None:
    refund, clerk = late_money(alipay, a_student()), finance(app)
    assert f"/staff/refunds/{refund}/sending" in clerk.get("/staff/money").text
    done = clerk.follow(clerk.post(f"/staff/refunds/{refund}/sending"))
    assert "退款已完成：300.00 元已原路退回" in done.text and "立即发送" not in done.text.split("经过")[0]
    again = clerk.post(f"/staff/refunds/{refund}/sending")
    assert (again.status_code, "现在不需要发送" in again.text) == (409, True)
    assert (calls(alipay), at_alipay(alipay, refund[1:-6])) == (["refund"], 30_000)
    log = db.session.scalars(select(AuditLog)).one()
    assert (log.action, log.subject_id, log.account_id) == ("refund send", the_refund(refund).id, log.account_id)
    assert refund not in clerk.get("/staff/money").text


def test_what_alipay_could_not_tell_is_asked_about_before_its_time(app: Flask, alipay: Cashier) -> None:
    refund, clerk = late_money(alipay, a_student()), finance(app)
    alipay.fault("answer_status", method="alipay.trade.refund", times=1)
    told = clerk.follow(clerk.post(f"/staff/refunds/{refund}/sending"))
    assert "支付宝还没有确认到账" in told.text
    told = clerk.follow(clerk.post(f"/staff/refunds/{refund}/sending"))
    assert "没有重复发送" in told.text
    alipay.move_clock(4)
    assert refunds.send(refund) == "done"
    assert calls(alipay) == ["refund", "query"]


def test_nobody_sends_late_money_of_their_own(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    refund = late_money(alipay, student)
    own = hired(app, student)
    assert own.post(f"/staff/refunds/{refund}/sending").status_code == 403
    assert "/sending" not in own.get(f"/staff/refunds/{refund}").text
    service = a_clerk(StaffRole.SERVICE)
    with pytest.raises(StaffOnly):
        refund_decisions.hurry(refund, actor=Actor(service.username, service.id))
    assert calls(alipay) == []


def test_an_unknown_trade_is_closed_with_its_reason(app: Flask) -> None:
    trouble = saved(
        Trouble(kind=TroubleKind.UNKNOWN_TRADE, out_trade_no="X1", trade_no="T1", amount_fen=100, found_by="bill")
    )
    clerk = finance(app)
    assert clerk.post(f"/staff/money/{trouble.id}/refund", {"reason": "退回"}).status_code == 409
    assert clerk.post(f"/staff/money/{trouble.id}/closing", {"reason": ""}).status_code == 422
    page = clerk.follow(clerk.post(f"/staff/money/{trouble.id}/closing", {"reason": "线下已退"}))
    assert "已结案" in page.text and "data-trouble" not in page.text
    db.session.rollback()
    row = db.session.get_one(Trouble, trouble.id)
    assert (row.resolution, row.handler_id is not None) == ("线下已退", True)
    assert clerk.post(f"/staff/money/{trouble.id}/closing", {"reason": "再次"}).status_code == 404


def test_there_is_no_way_to_mark_an_order_paid(app: Flask) -> None:
    """The address does not exist, for nobody; what exists asks Alipay."""
    words = re.compile(r"/staff/orders/<[^>]+>/(paid|payment|status)")
    assert [rule.rule for rule in app.url_map.iter_rules() if words.search(rule.rule)] == []


def test_a_day_is_compared_again_and_a_difference_has_an_owner(app: Flask) -> None:
    from shop.enums import DifferenceKind
    from shop.models import Reconciliation, ReconciliationDifference
    from tests.staff_rights.money import DAY

    sums = {"payments": 1, "paid_fen": 100, "refunds": 0, "refunded_fen": 0}
    found = ReconciliationDifference(
        kind=DifferenceKind.FOOTER, out_trade_no="", trade_no="", bill_fen=100, shop_fen=0, note=""
    )
    row = saved(
        Reconciliation(bill_date=DAY, summary={"bill": sums, "shop": sums, "healed": 0, "open": 1}, differences=[found])
    )
    number = row.differences[0].id
    clerk = finance(app)
    assert 'data-day="2026-11-01"' in clerk.get("/staff/reconciliation").text
    here = f"/staff/reconciliation/{DAY:%Y-%m-%d}"
    clerk.follow(clerk.post(f"/staff/reconciliation/differences/{number}/owner"))
    assert clerk.post(f"/staff/reconciliation/differences/{number}/resolution", {"reason": " "}).status_code == 422
    page = clerk.follow(
        clerk.post(f"/staff/reconciliation/differences/{number}/resolution", {"reason": "支付宝次日更正"})
    )
    assert page.request.path == here and "支付宝次日更正" in page.text
    assert clerk.post(f"/staff/reconciliation/differences/{number}/owner").status_code == 404
    wrong = ("2026-02-30", "2026-1-1", "２０２６-1-1", "２０２６-１１-０１", "x" * 10, "9999-12-31", "0001-01-01")
    for day in wrong:
        assert clerk.get(f"/staff/reconciliation/{day}").status_code == 404, day
        assert clerk.post(f"/staff/reconciliation/{day}/runs").status_code == 404, day


def test_those_who_only_look_get_no_buttons(app: Flask, alipay: Cashier) -> None:
    student = a_student()
    refund = asked(student, bought(alipay, student, [a_course(30_000)]))
    service = Person(app).sign_in(a_clerk(StaffRole.SERVICE).username)
    page = service.get(f"/staff/refunds/{refund}")
    assert page.status_code == 200 and "/approval" not in page.text and "/refusal" not in page.text
    assert "/closing" not in service.get("/staff/money").text


def test_who_is_asked_about_is_who_the_order_belongs_to(app: Flask, alipay: Cashier) -> None:
    """Nobody decides about their own order on the page either."""
    student = a_student()
    number = bought(alipay, student, [a_course(30_000)])
    refund = asked(student, number)
    own = hired(app, student)
    assert "请让另一位同事处理" in own.get(f"/staff/refunds/{refund}").text
    assert own.post(f"/staff/refunds/{refund}/approval", {"reason": "给自己"}).status_code == 403
    assert the_refund(refund).state is RefundState.REQUESTED
