"""The purses of an enrolment: each change has its row, its cause and its version; what matures reaches the account."""

from __future__ import annotations

import pytest
from flask import Flask

from shop import clock
from shop.enums import Purse, Rule, ScoreType
from shop.errors import NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import Account, EnrolledDegreeCourse, ScoreRecord, TransactionRecord
from shop.services import assignment, enrolled_degrees, purses, rule_book
from shop.services.locks import lock_account
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.degrees import STAFF, a_mentor, a_studying, fresh


def fined(enrolment: EnrolledDegreeCourse, event: str, rule: Rule = Rule.LATE_GRADING) -> ScoreRecord | None:
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        return purses.fine(session, locked, Purse.FEE, rule, Cause(event), clock.now())


def paid_out(enrolment: EnrolledDegreeCourse, purse: Purse) -> int:
    now = clock.now()
    with unit_of_work() as session:
        lock_account(session, purses.owner_of(fresh(enrolment), purse))
        locked = enrolled_degrees.lock(session, enrolment.id)
        return purses.pay_out(session, locked, purse, clock.local_date(now), now)


def reversed_(enrolment: EnrolledDegreeCourse, event: str) -> None:
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        wrong = session.query(ScoreRecord).filter_by(event=event).one()
        purses.reverse(session, locked, wrong, Cause(f"undo {event}"), clock.now())


def rows() -> list[tuple[int, int, int]]:
    db.session.rollback()
    found = db.session.query(ScoreRecord).order_by(ScoreRecord.id)
    return [(row.score, row.balance, row.received_score) for row in found]


def test_assigning_books_the_initial_fee_and_a_penalty_takes_from_it(app: Flask) -> None:
    enrolment = a_studying()
    assert fresh(enrolment).mentor_fee_balance == 1500
    assert fined(enrolment, "once") is not None
    assert fined(enrolment, "once") is None
    assert rows() == [(1500, 1500, 0), (-50, 1450, 0)]
    assert fresh(enrolment).mentor_fee_balance == 1450
    assert_audit_clean()


def test_a_penalty_takes_no_more_than_there_is(app: Flask) -> None:
    enrolment = a_studying()
    rule_book.change(Rule.COMPLAINT, ScoreType.PENALTY, 1400, actor=STAFF, reason="a test")
    fined(enrolment, "first", Rule.COMPLAINT)
    fined(enrolment, "second", Rule.COMPLAINT)
    fined(enrolment, "third", Rule.COMPLAINT)
    assert rows() == [(1500, 1500, 0), (-1400, 100, 0), (-100, 0, 0), (0, 0, 0)]


def test_a_reversal_nets_to_zero_once(app: Flask) -> None:
    enrolment = a_studying()
    fined(enrolment, "wrong")
    reversed_(enrolment, "wrong")
    with pytest.raises(NotYourTurn):
        reversed_(enrolment, "wrong")
    assert rows() == [(1500, 1500, 0), (-50, 1450, 0), (50, 1500, 0)]


def test_what_matures_reaches_the_balance_with_one_record(app: Flask) -> None:
    enrolment = a_studying()
    mentor_id = enrolment.mentor_id
    fined(enrolment, "fine")
    assert paid_out(enrolment, Purse.FEE) == 1450
    assert paid_out(enrolment, Purse.FEE) == 0
    assert db.session.get_one(Account, mentor_id).balance == 1450
    record = db.session.query(TransactionRecord).one()
    assert (record.amount, record.score_record_id) == (1450, db.session.query(ScoreRecord.id).order_by("id").first()[0])
    assert rows() == [(1500, 1500, 1450), (-50, 1450, 0)]
    assert fresh(enrolment).mentor_fee_balance == 0
    assert_audit_clean()


def test_a_change_of_mentor_moves_the_rest(app: Flask) -> None:
    enrolment = a_studying()
    old, new = enrolment.mentor_id, a_mentor(name="叶帆")
    fined(enrolment, "fine")
    assignment.assign(enrolment.id, new.id, actor=STAFF, reason="wish of the student")
    assert rows() == [(1500, 1500, 0), (-50, 1450, 0), (-1450, 0, 0), (1450, 1450, 0)]
    assert paid_out(enrolment, Purse.FEE) == 1450
    assert db.session.get_one(Account, old).balance == 0
    assert db.session.get_one(Account, new.id).balance == 1450
    assert_audit_clean()


def test_a_new_version_of_a_rule_rewrites_nothing(app: Flask) -> None:
    enrolment = a_studying()
    before = fined(enrolment, "before")
    rule_book.change(Rule.LATE_GRADING, ScoreType.PENALTY, 70, actor=STAFF, reason="a test")
    after = fined(enrolment, "after")
    assert before is not None
    assert after is not None
    db.session.add_all([before, after])
    assert (before.score, before.rule.version) == (-50, 1)
    assert (after.score, after.rule.version) == (-70, 2)
    with pytest.raises(NotYourTurn):
        rule_book.change(Rule.LATE_GRADING, ScoreType.PENALTY, 70, actor=STAFF, reason="a test")
