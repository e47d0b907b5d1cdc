"""Whatever happens to a purse, in whatever order: never below nothing, and the sum of its rows (safety.md M1, M2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import Purse, Rule, ScoreType, StaffRole, StudyStatus, TransactionType
from shop.errors import NotYourTurn, ShopError
from shop.extensions import db, unit_of_work
from shop.models import Account, EnrolledDegreeCourse, ScoreRecord, StudyRecord, TransactionRecord, Withdrawal
from shop.services import appeals, assignment, enrolled_degrees, maturity, purses, rule_book, withdrawals
from shop.services.audit_log import Actor
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.builders import a_clerk
from tests.conftest import empty
from tests.degrees import STAFF, a_mentor, a_studying, fresh

FINES = (Rule.LATE_GRADING, Rule.NO_FOLLOW_UP, Rule.COMPLAINT)
DEEDS = ("earn", "fine student", "fine mentor", "reverse", "appeal", "decide", "change mentor", "dearer", "withdraw")
_events = count(1)


class Study:
    """One enrolment and what can happen to its purses; what cannot happen now is refused and changes nothing."""

    def __init__(self) -> None:
        self.mentors = [a_mentor(), a_mentor()]
        self.id = a_studying(mentor=self.mentors[0]).id
        self.clerk = Actor("clerk", a_clerk(StaffRole.REGISTRY, StaffRole.FINANCE).id)
        self.appeals: list[int] = []

    def do(self, deed: str, number: int) -> None:
        try:
            getattr(self, deed.replace(" ", "_"))(number)
        except ShopError:
            db.session.rollback()
        self.check()

    def change(self, what: Callable[[Session, EnrolledDegreeCourse], Any]) -> None:
        with unit_of_work() as session:
            what(session, enrolled_degrees.lock(session, self.id))

    def earn(self, number: int) -> None:
        self.change(
            lambda session, row: purses.gain(
                session, row, Purse.REWARDS, Rule.HOMEWORK_SCORE, self.cause(), clock.now(), amount=number
            )
        )

    def fine_student(self, number: int) -> None:
        self.change(
            lambda session, row: purses.fine(
                session, row, Purse.REWARDS, Rule.HOMEWORK_SCORE, self.cause(), clock.now()
            )
        )

    def fine_mentor(self, number: int) -> None:
        rule = FINES[number % len(FINES)]
        self.change(lambda session, row: purses.fine(session, row, Purse.FEE, rule, self.cause(), clock.now()))

    def reverse(self, number: int) -> None:
        rows = db.session.query(ScoreRecord.id).filter(ScoreRecord.purse == Purse.REWARDS).order_by("id").all()
        if not rows:
            raise NotYourTurn
        wrong = rows[number % len(rows)][0]
        self.change(
            lambda session, row: purses.reverse(
                session, row, session.get_one(ScoreRecord, wrong), self.cause(), clock.now()
            )
        )

    def appeal(self, number: int) -> None:
        rows = db.session.query(ScoreRecord.id, ScoreRecord.account_id).filter(ScoreRecord.score < 0).all()
        if not rows:
            raise NotYourTurn
        record_id, account_id = rows[number % len(rows)]
        db.session.rollback()
        self.appeals.append(appeals.file(account_id, record_id, "请核对记录，当时已经处理。", clock.now()).id)

    def decide(self, number: int) -> None:
        if self.appeals:
            appeals.decide(self.appeals.pop(), upheld=number % 2 == 0, actor=self.clerk, reason="核对过")

    def change_mentor(self, number: int) -> None:
        assignment.assign(self.id, self.mentors[number % 2].id, actor=STAFF, reason="a test")

    def dearer(self, number: int) -> None:
        rule_book.change(FINES[number % 3], ScoreType.PENALTY, number, actor=STAFF, reason="a test")

    def withdraw(self, number: int) -> None:
        mentor = self.mentors[number % 2].id
        withdrawals.ask(mentor, max(1, number), payee_account="a@example.com", payee_name="沈舟", now=clock.now())

    def graduate(self) -> None:
        with unit_of_work() as session:
            row = session.get_one(EnrolledDegreeCourse, self.id)
            row.study_status, row.ended_time = StudyStatus.GRADUATED, clock.now()
            session.query(StudyRecord).update({"status": 0})
        self.check()

    def night(self) -> None:
        maturity.settle_due(clock.now() + timedelta(days=1))
        self.check()

    def cause(self) -> Cause:
        return Cause(f"event {next(_events)}")

    def check(self) -> None:
        row = fresh(db.session.get_one(EnrolledDegreeCourse, self.id))
        rows = db.session.query(ScoreRecord).filter_by(enrolled_degree_course_id=self.id).all()
        for purse, balance in ((Purse.FEE, row.mentor_fee_balance), (Purse.REWARDS, row.reward_balance)):
            mine = [one for one in rows if one.purse is purse]
            assert balance >= 0
            assert balance == sum(one.score for one in mine) - sum(one.received_score for one in mine)
            assert min((one.balance for one in mine), default=0) >= 0
        received = sum(one.received_score for one in rows)
        moved = db.session.query(TransactionRecord).filter(TransactionRecord.score_record_id.is_not(None)).all()
        assert received == sum(one.amount for one in moved)
        taken = sum(one.amount for one in db.session.query(Withdrawal))
        spent = db.session.query(TransactionRecord).filter_by(transaction_type=TransactionType.WITHDRAWAL).all()
        assert taken == sum(one.amount for one in spent)
        assert min(account.balance for account in db.session.query(Account)) >= 0


def test_any_sequence_keeps_the_purses(
    shop: Flask, app: Flask, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawals, "MOST_A_DAY", 1_000)
    is_sqlite = pytestconfig.getoption("--database") == "sqlite"

    @settings(
        max_examples=40 if is_sqlite else 10,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 900)), max_size=12),
        st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 900)), max_size=6),
    )
    def walk(before: list[tuple[str, int]], after: list[tuple[str, int]]) -> None:
        db.session.remove()
        empty(shop)
        study = Study()
        for deed, number in before:
            study.do(deed, number)
        study.graduate()
        study.night()
        for deed, number in after:
            study.do(deed, number)
        while study.appeals:
            study.decide(0)
        study.night()
        row = fresh(db.session.get_one(EnrolledDegreeCourse, study.id))
        assert (row.mentor_fee_balance, row.reward_balance) == (0, 0)
        assert_audit_clean()

    walk()
