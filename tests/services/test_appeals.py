"""申诉: what may be appealed against and until when; upheld it nets to zero; meanwhile the fee stays where it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from shop import clock
from shop.enums import ComplaintState, Purse, Role, Rule, ScoreType, StaffRole
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import Account, Appeal, AuditLog, EnrolledDegreeCourse, Notification, ScoreRecord
from shop.services import appeals, assignment, enrolled_degrees, purses, refunds, rule_book
from shop.services.appeals import NotAppealable
from shop.services.audit_log import Actor
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_student
from tests.cashier.parts import Cashier
from tests.degrees import STAFF, a_mentor, a_studying, fresh
from tests.faults.purchase import balance_of, count, fingerprint
from tests.services.test_degree_refunds import begun, bought_degree, granted
from tests.services.test_nightly import set_clock
from tests.services.test_purses import fined, paid_out

WHY = "作业在周六晚上已经批改，系统当时出错。"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def enrolment(app: Flask) -> EnrolledDegreeCourse:
    return a_studying()


def a_penalty(enrolment: EnrolledDegreeCourse, rule: Rule = Rule.LATE_GRADING) -> int:
    record = fined(enrolment, f"penalty {count(ScoreRecord)}", rule)
    assert record is not None
    db.session.add(record)
    return record.id


def filed(enrolment: EnrolledDegreeCourse, record_id: int) -> int:
    return appeals.file(enrolment.mentor_id or 0, record_id, WHY, clock.now()).id


def refused(mentor_id: int | None, record_id: int) -> str:
    before = fingerprint()
    with pytest.raises(NotAppealable) as refusal:
        appeals.file(mentor_id or 0, record_id, WHY, clock.now())
    assert fingerprint() == before
    return refusal.value.message


def the(appeal_id: int) -> Appeal:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Appeal, appeal_id)


def rows(enrolment: EnrolledDegreeCourse) -> list[tuple[int, int]]:
    db.session.rollback()
    found = db.session.query(ScoreRecord).filter_by(enrolled_degree_course_id=enrolment.id, purse=Purse.FEE)
    return [(row.score, row.balance) for row in found.order_by(ScoreRecord.id)]


# ---------------------------------------------------------------- what may be appealed against


def test_a_penalty_can_be_appealed_against_once(enrolment: EnrolledDegreeCourse) -> None:
    record_id = a_penalty(enrolment)
    appeal = the(filed(enrolment, record_id))
    assert (appeal.state, appeal.content, appeal.account_id) == (ComplaintState.WAITING, WHY, enrolment.mentor_id)
    assert "每笔只能申诉一次" in refused(enrolment.mentor_id, record_id)
    appeals.decide(appeal.id, upheld=False, actor=STAFF, reason="记录属实")
    assert "每笔只能申诉一次" in refused(enrolment.mentor_id, record_id)


def test_only_ones_own_rows_of_a_fee_are_there(enrolment: EnrolledDegreeCourse) -> None:
    record_id, student_id = a_penalty(enrolment), enrolment.account_id
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        purses.gain(session, locked, Purse.REWARDS, Rule.LATE_HOMEWORK, Cause("gain"), clock.now())
        of_student = purses.fine(session, locked, Purse.REWARDS, Rule.LATE_HOMEWORK, Cause("fine"), clock.now())
        assert of_student is not None
        student_record_id = of_student.id
    for account_id, row in (
        (a_mentor().id, record_id),
        (student_id, record_id),
        (student_id, student_record_id),
        (fresh(enrolment).mentor_id, student_record_id),
        (fresh(enrolment).mentor_id, 2**31 - 1),
    ):
        with pytest.raises(NotFound):
            appeals.file(account_id or 0, row, WHY, clock.now())
    assert count(Appeal) == 0


def test_neither_a_gain_nor_what_moved_on_is_a_penalty(enrolment: EnrolledDegreeCourse) -> None:
    old = enrolment.mentor_id
    [initial] = db.session.query(ScoreRecord.id).one()
    assert "不是扣款" in refused(old, initial)
    assignment.assign(enrolment.id, a_mentor().id, actor=STAFF, reason="学员希望")
    handed_over = db.session.query(ScoreRecord.id).filter(ScoreRecord.score < 0).scalar()
    assert "不是扣款" in refused(old, handed_over)
    with unit_of_work() as session:
        purses.forfeit(session, enrolled_degrees.lock(session, enrolment.id), Purse.FEE, "不再到账", clock.now())
    forfeited = db.session.query(ScoreRecord.id).order_by(ScoreRecord.id.desc()).limit(1).scalar()
    assert "不是扣款" in refused(fresh(enrolment).mentor_id, forfeited)


def test_a_penalty_that_found_nothing_took_nothing(enrolment: EnrolledDegreeCourse) -> None:
    rule_book.change(Rule.NO_ANSWER, ScoreType.PENALTY, 5000, actor=STAFF, reason="a test")
    a_penalty(enrolment, Rule.NO_ANSWER)
    assert "不是扣款" in refused(enrolment.mentor_id, a_penalty(enrolment))


def test_what_was_reversed_needs_no_appeal_and_a_reversal_is_no_penalty(enrolment: EnrolledDegreeCourse) -> None:
    record_id = a_penalty(enrolment)
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        undone = purses.reverse(session, locked, session.get_one(ScoreRecord, record_id), Cause("undo"), clock.now())
        reversal_id = undone.id
    assert "已经撤销" in refused(enrolment.mentor_id, record_id)
    assert "不是扣款" in refused(enrolment.mentor_id, reversal_id)


def test_after_a_change_of_mentor_the_old_one_appeals_no_more(enrolment: EnrolledDegreeCourse) -> None:
    record_id, old = a_penalty(enrolment), enrolment.mentor_id
    assignment.assign(enrolment.id, a_mentor().id, actor=STAFF, reason="学员希望")
    assert "不是这位学员的导师" in refused(old, record_id)


def test_after_a_refund_nobody_appeals(app: Flask, alipay: Cashier) -> None:
    number, enrolment = a_bought(alipay)
    record_id = a_penalty(enrolment)
    refund(number, enrolment)
    assert "已经退费" in refused(fresh(enrolment).mentor_id, record_id)


def a_bought(alipay: Cashier) -> tuple[str, EnrolledDegreeCourse]:
    """A degree under way that was really paid, so that its money can go back; the order's number and the enrolment."""
    student = a_student()
    number, enrolment = bought_degree(alipay, student)
    begun(student, enrolment)
    return number, fresh(enrolment)


def refund(number: str, enrolment: EnrolledDegreeCourse) -> None:
    assert refunds.send(granted(number, fresh(enrolment).degree_course_id)) == "done"
    assert fresh(enrolment).closed_time is not None


def test_thirty_days_by_the_shanghai_calendar(enrolment: EnrolledDegreeCourse, instance: Path) -> None:
    record_id = a_penalty(enrolment)
    last = clock.start_of_day(clock.local_date(clock.now()) + 31 * DAY)
    set_clock(instance, last + timedelta(seconds=1))
    assert "超过 30 天" in refused(enrolment.mentor_id, record_id)
    set_clock(instance, last - timedelta(minutes=1))
    filed(enrolment, record_id)
    assert count(Appeal) == 1


# ---------------------------------------------------------------- what it does


def test_while_it_waits_the_fee_is_frozen(enrolment: EnrolledDegreeCourse) -> None:
    appeal_id = filed(enrolment, a_penalty(enrolment))

    def frozen() -> dict[Purse, bool]:
        return {purse: purses.is_frozen(db.session(), fresh(enrolment), purse) for purse in Purse}

    assert frozen() == {Purse.FEE: True, Purse.REWARDS: False}
    with pytest.raises(NotYourTurn):
        assignment.assign(enrolment.id, a_mentor().id, actor=STAFF, reason="学员希望")
    appeals.decide(appeal_id, upheld=False, actor=STAFF, reason="记录属实")
    assert frozen() == {Purse.FEE: False, Purse.REWARDS: False}


def test_an_upheld_appeal_nets_to_zero(enrolment: EnrolledDegreeCourse) -> None:
    record_id = a_penalty(enrolment)
    appeal_id = filed(enrolment, record_id)
    appeals.decide(appeal_id, upheld=True, actor=STAFF, reason="系统日志可以证明")
    assert rows(enrolment) == [(1500, 1500), (-50, 1450), (50, 1500)]
    assert fresh(enrolment).mentor_fee_balance == 1500
    reversal = db.session.query(ScoreRecord).filter_by(reverses_id=record_id).one()
    penalty = db.session.get_one(ScoreRecord, record_id)
    assert (reversal.score_rule_id, reversal.account_id) == (penalty.score_rule_id, enrolment.mentor_id)
    appeal = the(appeal_id)
    assert (appeal.state, appeal.decision, appeal.handler_id) == (ComplaintState.UPHELD, "系统日志可以证明", None)
    log = db.session.query(AuditLog).filter_by(action="appeal decide").one()
    assert (log.subject_id, log.reason, log.after["state"]) == (appeal_id, "系统日志可以证明", 1)


def test_a_dismissed_appeal_changes_no_purse(enrolment: EnrolledDegreeCourse) -> None:
    appeal_id = filed(enrolment, a_penalty(enrolment))
    appeals.decide(appeal_id, upheld=False, actor=STAFF, reason="记录属实")
    assert rows(enrolment) == [(1500, 1500), (-50, 1450)]
    assert the(appeal_id).state is ComplaintState.DISMISSED


@pytest.mark.parametrize(("upheld", "says"), [(True, "的申诉成立，扣款已撤销"), (False, "的申诉不成立")])
def test_the_mentor_is_told_with_the_reason_and_without_the_student(app: Flask, upheld: bool, says: str) -> None:
    enrolment = a_studying(a_student(name="乌索普"))
    appeal_id = filed(enrolment, a_penalty(enrolment, Rule.COMPLAINT))
    appeals.decide(appeal_id, upheld=upheld, actor=STAFF, reason="看过记录")
    message = db.session.query(Notification).filter_by(event=f"appeal:{appeal_id}:decided").one()
    assert says in message.content
    assert "处理意见：%(reason)s" in message.content
    assert message.facts["reason"] == "看过记录"
    assert "乌索普" not in str(message.facts) + message.content
    assert (message.account_id, message.link) == (enrolment.mentor_id, "/mentor/earnings")


def test_what_comes_back_after_the_payout_is_paid_by_the_next(enrolment: EnrolledDegreeCourse) -> None:
    record_id = a_penalty(enrolment)
    assert paid_out(enrolment, Purse.FEE) == 1450
    appeal_id = filed(enrolment, record_id)
    appeals.decide(appeal_id, upheld=True, actor=STAFF, reason="成立")
    assert fresh(enrolment).mentor_fee_balance == 50
    assert paid_out(enrolment, Purse.FEE) == 50
    assert balance_of(enrolment.mentor_id or 0) == 1500


def test_what_comes_back_of_a_refunded_degree_is_let_go_of(app: Flask, alipay: Cashier) -> None:
    number, enrolment = a_bought(alipay)
    appeal_id = filed(enrolment, a_penalty(enrolment))
    refund(number, enrolment)
    appeals.decide(appeal_id, upheld=True, actor=STAFF, reason="成立")
    assert rows(enrolment) == [(1500, 1500), (-50, 1450), (-1450, 0), (50, 50), (-50, 0)]
    assert fresh(enrolment).mentor_fee_balance == 0


# ---------------------------------------------------------------- who decides


def test_it_is_decided_once_and_with_a_reason(enrolment: EnrolledDegreeCourse) -> None:
    appeal_id = filed(enrolment, a_penalty(enrolment))
    for reason in ("", "  ", "x" * 256):
        with pytest.raises(ValueError, match="reason"):
            appeals.decide(appeal_id, upheld=True, actor=STAFF, reason=reason)
    appeals.decide(appeal_id, upheld=True, actor=STAFF, reason="成立")
    before = fingerprint()
    with pytest.raises(NotYourTurn):
        appeals.decide(appeal_id, upheld=False, actor=STAFF, reason="反悔")
    with pytest.raises(NotFound):
        appeals.decide(appeal_id + 1, upheld=True, actor=STAFF, reason="成立")
    assert fingerprint() == before


def test_nobody_decides_about_their_own(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    appeal_id = filed(enrolment, a_penalty(enrolment))
    mentor = db.session.get_one(Account, enrolment.mentor_id)
    mentor.role, mentor.is_staff = Role.ADMIN, True  # a mentor who has become staff since
    db.session.commit()
    before = fingerprint()
    with pytest.raises(NotYourTurn):
        appeals.decide(appeal_id, upheld=True, actor=Actor(mentor.username, mentor.id), reason="成立")
    answer = run(app, "decide", str(appeal_id), "--upheld", "--reason", "成立", "--by", mentor.username)
    assert (answer.exit_code, "somebody else" in answer.output) == (1, True)
    assert fingerprint() == before


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["appeals", *words])


@pytest.mark.parametrize("by", [False, True])
def test_the_command_line_lists_and_decides(app: Flask, enrolment: EnrolledDegreeCourse, by: bool) -> None:
    clerk = a_clerk(StaffRole.REGISTRY)
    words: list[str] = ["--by", clerk.username] if by else []
    appeal_id = str(filed(enrolment, a_penalty(enrolment)))
    line = run(app, "list").stdout
    mentor = db.session.get_one(Account, enrolment.mentor_id).username
    assert f"{appeal_id}  " in line and f"waiting  {mentor}  enrolment {enrolment.id}  late_grading -50 beli" in line
    done = run(app, "decide", appeal_id, "--upheld", "--reason", "成立", *words)
    assert (done.exit_code, done.stdout) == (0, f"Appeal {appeal_id}: upheld.\n")
    assert the(int(appeal_id)).handler_id == (clerk.id if by else None)
    again = run(app, "decide", appeal_id, "--dismissed", "--reason", "不", *words)
    assert (again.exit_code, "decided already" in again.output) == (1, True)
    assert run(app, "list").stdout == "0 appeals.\n"
    assert "upheld" in run(app, "list", "--all").stdout


def test_the_command_line_refuses(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    appeal_id = str(filed(enrolment, a_penalty(enrolment)))
    wrong: list[tuple[Any, ...]] = [
        (appeal_id, "--reason", "成立"),
        (appeal_id, "--upheld"),
        (appeal_id, "--upheld", "--reason", " "),
        ("999", "--upheld", "--reason", "成立"),
        (appeal_id, "--upheld", "--reason", "成立", "--by", "nobody"),
    ]
    for words in wrong:
        assert run(app, "decide", *words).exit_code != 0
    assert the(int(appeal_id)).state is ComplaintState.WAITING
