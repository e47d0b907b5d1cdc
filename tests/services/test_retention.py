"""safety.md 7.2: each class of data is let go of when its time is over, a moment before it is kept, and never twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import MailState, NoticeVerdict, StudyStatus, WithdrawalState
from shop.extensions import db, unit_of_work
from shop.models import (
    DataExport,
    DegreeRegistrationDraft,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    Mail,
    PasswordReset,
    PaymentNotice,
    Withdrawal,
)
from shop.services import data_export, nightly, retention, withdrawals
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import a_degree_with_homework, a_mentor, a_registered
from tests.purchases import enrolled_in_degree, saved

NOTHING = {"forms": 0, "drafts": 0, "payees": 0, "buyers": 0, "letters": 0, "links": 0}
SECOND = timedelta(seconds=1)
SALARY, COMPANY = 73519, "ZQX-Kanarienvogel"


def at_the_limit(begin: datetime, limit: timedelta, kind: str) -> None:
    """Nothing a second before, all of it a second after, and nothing again."""
    assert retention.let_go(begin + limit - SECOND) == NOTHING
    assert retention.let_go(begin + limit + SECOND) == NOTHING | {kind: 1}
    assert retention.let_go(begin + limit + SECOND) == NOTHING
    db.session.rollback()
    db.session.expire_all()


def over(enrolment: EnrolledDegreeCourse, how: str) -> datetime:
    """The study has come to its end now."""
    now = clock.now()
    with unit_of_work() as session:
        row = session.get_one(EnrolledDegreeCourse, enrolment.id)
        if how == "refunded":
            row.closed_time = now
        else:
            today = clock.local_date(now)
            row.study_status, row.ended_time = StudyStatus.OVERTIME, now
            row.valid_begin_date, row.valid_end_date = row.valid_begin_date or today, row.valid_end_date or today
    return now


@pytest.mark.parametrize("how", ["ended", "refunded"])
def test_a_form_keeps_what_is_sensitive_for_180_days_after_the_study(app: Flask, how: str) -> None:
    enrolment = a_registered(current_salary=SALARY, current_company=COMPANY, salary_consent=True)
    running = a_registered(current_salary=SALARY, current_company=COMPANY, salary_consent=True)
    at_the_limit(over(enrolment, how), timedelta(days=180), "forms")
    form = db.session.scalars(select(DegreeRegistrationForm).filter_by(enrolled_degree_id=enrolment.id)).one()
    kept: list[Any] = [form.current_company, form.current_position, form.current_salary, form.work_experience]
    assert kept == ["", "", None, None]
    assert (form.salary_consent_time, form.salary_consent_version) == (None, None)
    assert form.erased_time is not None and form.why_take_this_course == "想学"
    other = db.session.scalars(select(DegreeRegistrationForm).filter_by(enrolled_degree_id=running.id)).one()
    assert (other.current_salary, other.erased_time) == (SALARY, None)


def test_a_draft_of_a_study_that_is_over_goes(app: Flask) -> None:
    enrolment = enrolled_in_degree(a_student(), a_degree_with_homework())
    saved(DegreeRegistrationDraft(enrolled_degree_id=enrolment.id, answers={"s": SALARY}, saved_time=clock.now()))
    at_the_limit(over(enrolment, "ended"), timedelta(days=180), "drafts")
    assert db.session.scalars(select(DegreeRegistrationDraft)).all() == []


@pytest.mark.parametrize("state", [WithdrawalState.PAID, WithdrawalState.REFUSED])
def test_a_payee_goes_30_days_after_the_payment(app: Flask, state: WithdrawalState) -> None:
    mentor = a_mentor(beli=500)
    made = [
        withdrawals.ask(mentor.id, 100, payee_account="zqx@example.com", payee_name="卡纳里", now=clock.now()).id
        for _number in range(2)
    ]
    now = clock.now()
    with unit_of_work() as session:
        row = session.get_one(Withdrawal, made[0])
        row.state, row.decided_time = state, now
        row.paid_time = now if state is WithdrawalState.PAID else None
    at_the_limit(now, timedelta(days=30), "payees")
    rows = {row.id: (row.payee_account, row.payee_name) for row in db.session.scalars(select(Withdrawal))}
    assert rows == {made[0]: ("", ""), made[1]: ("zqx@example.com", "卡纳里")}
    assert [one.payee for one in withdrawals.index(mentor.id, 1, now).requests] == ["zq***@example.com", ""]


def test_who_paid_goes_180_days_after_the_notice_and_what_was_paid_stays(app: Flask) -> None:
    params = {"total_amount": "9.90", "trade_no": "T1"}
    buyer = {"buyer_id": "2088123", "buyer_logon_id": "139****5678", "buyer_open_id": "074a"}
    now = clock.now()
    notice = saved(
        PaymentNotice(
            notify_id="n1",
            out_trade_no="O1",
            trade_no="T1",
            trade_status="TRADE_SUCCESS",
            params=params | buyer,
            verdict=NoticeVerdict.APPLIED,
            received_time=now,
        )
    )
    at_the_limit(now, timedelta(days=180), "buyers")
    assert db.session.get_one(PaymentNotice, notice.id).params == params


def test_letters_go_after_180_days_but_those_that_wait(app: Flask) -> None:
    now = clock.now()
    letter = {"address": "zqx@example.com", "subject": "s", "body": "", "created_time": now}
    saved(Mail(message_id="sent", state=MailState.SENT, sent_time=now, **letter))
    saved(Mail(message_id="waits", state=MailState.WAITING, **letter))
    at_the_limit(now, timedelta(days=180), "letters")
    assert [row.message_id for row in db.session.scalars(select(Mail))] == ["waits"]


def test_links_go_when_nobody_can_use_them(app: Flask) -> None:
    student = a_student()
    data_export.ask(student.id)
    db.session.rollback()
    expires = db.session.scalars(select(DataExport.expires_at)).one()
    saved(PasswordReset(account_id=student.id, token_digest="d", expires_at=expires + 2 * SECOND))
    at_the_limit(expires, timedelta(0), "links")
    assert db.session.scalars(select(DataExport)).all() == []
    assert db.session.scalars(select(PasswordReset.token_digest)).all() == ["d"]


def test_the_night_does_it_and_tells_numbers_only(app: Flask) -> None:
    enrolment = a_registered(current_salary=SALARY, current_company=COMPANY, salary_consent=True)
    over(enrolment, "ended")
    with unit_of_work() as session:
        session.get_one(EnrolledDegreeCourse, enrolment.id).ended_time = clock.now() - timedelta(days=182)
    counts: dict[str, Any] = {}
    nightly.run(nightly.latest_night(), lambda done: counts.update({done.step: done.counts}))
    assert counts["retention"] == NOTHING | {"forms": 1}
    assert list(counts)[-2:] == ["retention", "audit"]
    assert_audit_clean()
