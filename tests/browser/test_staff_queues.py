"""In a browser: what really went wrong is found from the desk alone, mended on its page, and gone from the desk.

Every fault is one that happens: the cashier's mischief, a mail server that refuses, a process that was killed, a row
that is lost, a date that has passed. Nobody types an address: a clerk sees the desk, and presses.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import delete, select

from shop import clock, create_app
from shop.config import Settings
from shop.enums import StaffRole
from shop.extensions import db, unit_of_work
from shop.models import AuditLog, EnrolledCourse, Mail, StaffMember
from shop.services import audit, job_runs, mail, nightly, payment, reconciliation, refunds, withdrawals
from shop.services.audit_log import Actor
from shop.services.job_list import JOBS
from shop.services.staff import order_story
from tests import differences
from tests.audit import assert_audit_clean
from tests.browser.conftest import Open
from tests.browser.test_staff import log_in
from tests.browser.visitor import WITHOUT_SCRIPTS, Visitor
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier
from tests.degrees import a_mentor
from tests.faults.purchase import attempt_of
from tests.refunding import asked, bought, in_seconds, lines_of
from tests.smtp import mail_server

RUNNER = {"nightly", "poll_payments", "remind_of_courses"}  # the jobs that have ever run here


class Desk:
    """A member of staff who starts from the desk each time."""

    def __init__(self, visitor: Visitor, *roles: StaffRole) -> None:
        self.visitor = visitor
        log_in(visitor, *roles)

    def finds(self, queue: str, words: str = "") -> None:
        """From the desk into the queue, and on to the one thing with these words where they are a link."""
        self.visitor.open("/staff/")
        self.visitor.main.locator(f'[data-queue="{queue}"]').click()
        if words:
            self.visitor.sees(words)
            link = self.visitor.main.get_by_role("link", name=words, exact=True)
            if link.count():
                link.first.click()

    def does(self, title: str, *, because: str = "已核实", **fields: str) -> None:
        """Unfolds an action, says why, and presses its button."""
        act = self.visitor.main.locator(
            "details.act", has=self.visitor.page.locator(f"summary:text-is('{title}')")
        ).first
        if act.get_attribute("open") is None:
            act.locator("summary").click()
        for name, value in ({"reason": because} | fields).items():
            control = act.locator(f"[name={name}]")
            if control.count():
                control.fill(value)
        act.get_by_role("button").click()
        self.visitor.page.wait_for_load_state()

    def is_rid_of(self, queue: str) -> None:
        self.visitor.open("/staff/")
        expect(self.visitor.main.locator(f'[data-queue="{queue}"]')).to_have_count(0)


@pytest.fixture
def finance(open_browser: Open) -> Desk:
    return Desk(open_browser(**WITHOUT_SCRIPTS), StaffRole.FINANCE)


def logged() -> list[str]:
    db.session.rollback()
    return [row.action for row in db.session.scalars(select(AuditLog).order_by(AuditLog.id)) if row.account_id]


def test_money_that_went_astray_is_found_and_sent_back(finance: Desk, alipay: Cashier) -> None:
    """A cent less than asked; late money of an order that cannot live again, whose refund Alipay refuses."""
    wrong = differences.a_cent_less(alipay, a_student())
    assert payment.ask(attempt_of(wrong)) is payment.Answer.MISFIT
    late = differences.late_and_unwanted(alipay, a_student())
    alipay.fault("refund_refused", out_trade_no=attempt_of(late), times=1)
    payment.ask(attempt_of(late))
    refunds.send_due()

    finance.finds("surplus", late)
    finance.visitor.sees("退款")
    finance.finds("troubles", wrong)
    finance.visitor.open("/staff/")
    finance.visitor.main.locator('[data-queue="troubles"]').click()
    finance.does("原路退回")
    finance.visitor.sees("已原路退回")
    finance.is_rid_of("troubles")

    in_seconds(alipay, 4)
    finance.visitor.main.locator('[data-queue="refunds failed"]').click()
    finance.visitor.main.locator("[data-refund] a").first.click()
    finance.does("再次发起退款")
    finance.visitor.sees("退款已完成")
    finance.is_rid_of("refunds failed")
    finance.is_rid_of("surplus")
    assert_audit_clean()
    assert {"trouble refund", "refund retry"} <= set(logged())


def test_a_bill_that_disagrees_has_an_owner_and_an_end(open_browser: Open, served: Flask, alipay: Cashier) -> None:
    day = clock.local_date(clock.now())
    differences.paid(alipay, a_student())
    alipay.fault("bill_footer_off", times=None)
    in_seconds(alipay, 2 * 86_400)
    reconciliation.reconcile(day)
    finance = Desk(open_browser(**WITHOUT_SCRIPTS), StaffRole.FINANCE)
    finance.finds("differences")
    finance.visitor.main.locator("[data-day] a").first.click()
    finance.visitor.press("由我负责")
    finance.visitor.sees("已由您负责")
    finance.does("记录处理结果", because="支付宝次日更正了合计")
    finance.visitor.sees("支付宝次日更正了合计")
    finance.is_rid_of("differences")
    assert logged()[-2:] == ["reconciliation_difference take", "reconciliation_difference resolve"]


def test_a_large_refund_and_a_withdrawal_go_from_one_person_to_another(
    open_browser: Open, finance: Desk, alipay: Cashier
) -> None:
    student, mentor = a_student(), a_mentor(beli=500)
    refund = asked(student, bought(alipay, student, [a_course(600_000)]))
    withdrawals.ask(mentor.id, 100, payee_account="a@example.com", payee_name="沈舟", now=clock.now())
    finance.finds("refunds asked", refund)
    finance.does("同意退款（第一人）")
    finance.finds("withdrawals asked")
    finance.visitor.main.locator("[data-withdrawal] a").first.click()
    finance.does("同意提现")
    finance.is_rid_of("refunds asked")
    finance.is_rid_of("withdrawals asked")
    other = Desk(open_browser(), StaffRole.FINANCE)
    other.finds("refunds second", refund)
    other.does("同意退款")
    other.visitor.sees("退款已完成：6000.00 元已原路退回")
    other.finds("withdrawals approved")
    other.visitor.main.locator("[data-withdrawal] a").first.click()
    other.does("记录打款", payment_number="T20261130")
    other.is_rid_of("refunds second")
    other.is_rid_of("withdrawals approved")
    assert_audit_clean()
    assert logged() == ["refund first approve", "withdrawal approve", "refund approve", "withdrawal pay"]


def test_what_was_paid_and_is_not_open_is_opened(open_browser: Open, finance: Desk, alipay: Cashier) -> None:
    """A row that is lost: the night's audit names it, the order's page opens it, and another audit is content."""
    number = bought(alipay, a_student(), [a_course(30_000)])
    order_story.add_note(number, "学员说打不开", clock.local_date(clock.now()), actor=_clerk())
    line = lines_of(number)[0].id
    with unit_of_work() as session:
        session.execute(delete(EnrolledCourse).where(EnrolledCourse.order_detail_id == line))
    audit.store()
    finance.finds("notes due", number)
    finance.visitor.press("完成备注")
    finance.is_rid_of("notes due")
    finance.finds("undelivered", number)
    finance.does("补开通")
    finance.visitor.sees("已按订单开通")
    finance.is_rid_of("undelivered")
    finance.finds("findings")
    finance.visitor.press("现在审计")
    finance.visitor.sees("全部成立")
    finance.is_rid_of("findings")
    assert_audit_clean()
    assert logged()[-3:] == ["order note done", "order deliver", "audit_run by hand"]


def _clerk() -> Actor:
    of_finance = select(StaffMember.account_id).where(StaffMember.role == StaffRole.FINANCE)
    return Actor("finance", db.session.scalars(of_finance.limit(1)).one())


def _send(with_mail: Settings, student_id: int) -> int:
    """Write a letter in a shop that sends mail, and let its job try; how many failed for good."""
    shop = create_app(with_mail)
    with shop.app_context():
        with unit_of_work() as session:
            session.execute(delete(Mail))  # the demo's
            mail.post(session, student_id, [mail.Letter("s", "您好。")])
        failed = mail.send_due()["failed"]
        db.session.remove()
        db.engine.dispose()
    return failed


def test_jobs_nights_and_letters_that_failed_are_run_again(
    open_browser: Open, settings: Settings, served: Flask, alipay: Cashier
) -> None:
    """The job runner was killed in a night, and the mail server refused a letter."""
    student = a_student()
    with mail_server() as server:
        server.answers = {"RCPT": "550 no such user"}
        with ThreadPoolExecutor(1) as sender:  # the browser's loop runs in this thread
            assert sender.submit(_send, replace(settings, mail_url=server.url), student.id).result() == 1
    for name in RUNNER:
        assert job_runs.run(name, JOBS[name]), name
    in_seconds(alipay, 86_400)
    nightly._claim(nightly.latest_night())  # and killed before its first step
    in_seconds(alipay, 86_400)
    admin = Desk(open_browser(), StaffRole.ADMIN)
    admin.finds("nights")
    admin.visitor.main.locator('form[action="/staff/system/jobs/nightly/runs"] button').click()
    admin.visitor.sees("任务 nightly 已运行完")
    admin.is_rid_of("nights")
    for name in RUNNER - {"nightly"}:
        admin.finds("jobs")
        admin.visitor.main.locator(f'form[action="/staff/system/jobs/{name}/runs"] button').click()
        admin.visitor.sees(f"任务 {name} 已运行完")
    admin.is_rid_of("jobs")
    admin.finds("letters")
    admin.does("放弃这封邮件")
    admin.is_rid_of("letters")
    assert_audit_clean()
    assert logged().count("job_run by hand") == len(RUNNER) and "mail give up" in logged()
