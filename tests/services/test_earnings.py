"""What waits, when it should mature and what it rests on; and that a complaint names nobody, not even by arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from shop import clock
from shop.clock import local_date
from shop.enums import HomeworkStatus, ModuleStatus, Purse, Rule, Score, ScoreType, StudyStatus
from shop.errors import NotFound
from shop.extensions import db, unit_of_work
from shop.models import Account, EnrolledDegreeCourse, HomeworkRecord, Notification, ScoreRecord, StudyRecord
from shop.rules.discretion import Change, shown
from shop.rules.maturity import Expectation, Outlook, When
from shop.services import (
    appeals,
    assignment,
    complaints,
    earnings,
    enrolled_degrees,
    leave,
    modules,
    neglect,
    purses,
    rule_book,
    score_rows,
)
from shop.services.purses import Cause
from shop.services.score_rows import Line, Wanted
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mentor, a_registered, a_studying, fresh
from tests.faults.purchase import balance_of
from tests.purchases import saved
from tests.services.test_nightly import set_clock
from tests.services.test_purses import fined, paid_out
from tests.statements import counted

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor()


def today() -> date:
    return local_date(clock.now())


def of(mentor: Account) -> earnings.MentorEarnings:
    db.session.rollback()
    return earnings.of_mentor(mentor.id, clock.now())


def rewards(enrolment: EnrolledDegreeCourse) -> earnings.StudentRewards:
    db.session.rollback()
    return earnings.of_student(fresh(enrolment).account_id, enrolment.id, clock.now())


def lines(mentor: Account, **narrower: Any) -> list[Line]:
    db.session.rollback()
    wanted = Wanted(mentor.id, Purse.FEE, **narrower)
    page = score_rows.page(wanted, 1)
    assert list(score_rows.everything(wanted))[: len(page.lines)] == list(page.lines)
    return list(page.lines)


def complained(enrolment: EnrolledDegreeCourse) -> int:
    """An upheld complaint; the id of its row."""
    complaint = complaints.file(enrolment.account_id, enrolment.id, "导师两周没有回复过我。")
    complaint_id = complaint.id
    complaints.decide(complaint_id, upheld=True, actor=STAFF, reason="属实")
    return db.session.query(ScoreRecord.id).filter_by(complaint_id=complaint_id).scalar()


def passed(enrolment: EnrolledDegreeCourse, number: int) -> None:
    """All homework of the module of this number, and what follows from it."""
    now = clock.now()
    module_id = fresh(enrolment).degree_course.modules[number].id
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        session.add_all(
            HomeworkRecord(homework_id=piece.id, student_id=enrolment.id, status=HomeworkStatus.PASSED, score=Score.A)
            for piece in modules.homework_of(session, module_id)
        )
        session.flush()
        modules.go_on(session, locked, module_id, now)


def gained(enrolment: EnrolledDegreeCourse, amount: int, **cause: Any) -> None:
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        event = f"gain {session.query(ScoreRecord).count()}"
        purses.gain(
            session, locked, Purse.REWARDS, Rule.HOMEWORK_SCORE, Cause(event, **cause), clock.now(), amount=amount
        )


# ---------------------------------------------------------------- when it should mature


def test_a_study_is_expected_to_end_when_its_plan_does(mentor: Account) -> None:
    """Two homework of 7 days in the open module, two in the locked one: 28 days from today."""
    enrolment = a_studying(mentor=mentor)
    [fee] = of(mentor).fees
    assert (fee.rest, fee.losses) == (1500, ())
    assert fee.expectation == Expectation(When.PLANNED, today() + 28 * DAY)
    assert rewards(enrolment).expectation == fee.expectation


def test_late_work_moves_nothing_until_the_plan_is_over(mentor: Account, instance: Path) -> None:
    a_studying(mentor=mentor)
    begun, now = today(), clock.now()
    for days, expected in ((20, begun + 28 * DAY), (28, begun + 28 * DAY), (40, begun + 40 * DAY)):
        set_clock(instance, now + days * DAY)
        assert of(mentor).fees[0].expectation.day == expected


def test_a_passed_module_brings_the_plan_of_the_next(mentor: Account, instance: Path) -> None:
    enrolment = a_studying(mentor=mentor)
    set_clock(instance, clock.now() + 3 * DAY)
    passed(enrolment, 0)
    assert of(mentor).fees[0].expectation == Expectation(When.PLANNED, today() + 14 * DAY)


def test_a_locked_module_behind_a_passed_one_counts_from_that_day(mentor: Account) -> None:
    """Staff have closed it, or it came later: nothing is open, and the plan goes on from the day of the last mark."""
    enrolment = a_studying(mentor=mentor)
    passed(enrolment, 0)
    record = db.session.query(StudyRecord).filter_by(status=ModuleStatus.STUDYING).one()
    record.status, record.open_date = ModuleStatus.LOCKED, None
    saved(record)
    assert of(mentor).fees[0].expectation == Expectation(When.PLANNED, today() + 14 * DAY)


def test_disabled_homework_is_not_planned(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    for module in enrolment.degree_course.modules:
        module.chapters[0].homework[-1].enabled = False
    db.session.commit()
    assert of(mentor).fees[0].expectation.day == today() + 14 * DAY


def test_what_has_no_day_says_why(mentor: Account) -> None:
    begun = a_registered(open_module=False)
    assignment.assign(begun.id, mentor.id, actor=STAFF)
    assert of(mentor).fees[0].expectation == Expectation(When.NOT_BEGUN)
    resting = a_studying(mentor=mentor)
    leave.begin(resting.account_id, resting.id, "生病")
    assert {fee.expectation.when for fee in of(mentor).fees} == {When.NOT_BEGUN, When.ON_LEAVE}
    assert rewards(resting).expectation == Expectation(When.ON_LEAVE)


def test_graduated_studies_are_due_until_they_are_paid(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    passed(enrolment, 0)
    passed(enrolment, 1)
    [fee] = of(mentor).fees
    assert fee.expectation == Expectation(When.DUE)
    assert rewards(enrolment).expectation == Expectation(When.DUE)
    assert paid_out(enrolment, Purse.FEE) == 1500
    own = of(mentor)
    assert (own.fees, own.waiting, own.balance, own.paid) == ((), 0, 1500, 1500)
    [payout] = own.payouts
    assert (payout.amount, payout.student and payout.student.enrolment_id) == (1500, enrolment.id)


@pytest.mark.parametrize(("pays", "when"), [(False, When.NEVER), (True, When.DUE)])
def test_out_of_time_is_paid_as_the_setting_says(
    app: Flask, mentor: Account, monkeypatch: pytest.MonkeyPatch, pays: bool, when: When
) -> None:
    enrolment = a_studying(mentor=mentor)
    enrolment.study_status, enrolment.ended_time = StudyStatus.OVERTIME, clock.now()
    saved(enrolment)
    settings = app.extensions["settings"]
    monkeypatch.setitem(app.extensions, "settings", type(settings)(**{**vars(settings), "overtime_pays": pays}))
    assert of(mentor).fees[0].expectation == Expectation(when)


def test_the_calendar_adds_up_month_by_month(mentor: Account, instance: Path) -> None:
    set_clock(instance, clock.start_of_day(date(today().year + 1, 1, 5)))
    slow = a_degree_with_homework(modules=4)  # 56 days: the second of March
    first = a_studying(mentor=mentor)  # 28 days: the second of February
    a_studying(mentor=mentor)
    a_studying(course=slow, mentor=mentor)
    resting = a_studying(mentor=mentor)
    leave.begin(resting.account_id, resting.id, "生病")
    fined(first, "fine")
    year = today().year
    assert [(row.first_day, row.when, row.purses, row.amount) for row in of(mentor).calendar] == [
        (date(year, 2, 1), When.PLANNED, 2, 2950),
        (date(year, 3, 1), When.PLANNED, 1, 1500),
        (None, When.ON_LEAVE, 1, 1500),
    ]
    assert of(mentor).waiting == 5950


def test_refunded_and_handed_over_fees_wait_no_more(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    new = a_mentor()
    assignment.assign(enrolment.id, new.id, actor=STAFF, reason="学员希望")
    old = of(mentor)
    assert (old.fees, old.waiting) == ((), 0)
    assert [(student.enrolment_id, student.is_present) for student in old.students] == [(enrolment.id, False)]
    assert [line.amount for line in lines(mentor)] == [-1500, 1500]
    assert [line.student and line.student.is_present for line in lines(mentor)] == [False, False]
    assert (of(new).waiting, [line.amount for line in lines(new)]) == (1500, [1500])


# ---------------------------------------------------------------- what was lost, and the rows


def test_losses_are_counted_by_rule_without_what_was_reversed(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    for number in range(3):
        fined(enrolment, f"grading {number}")
    fined(enrolment, "answer", Rule.NO_ANSWER)
    record_id = db.session.query(ScoreRecord.id).filter_by(event="answer").scalar()
    appeal = appeals.file(mentor.id, record_id, "已经在期限内回复过。", clock.now())
    assert (lines(mentor)[0].amount, lines(mentor)[0].appeal) == (-30, appeal.state)
    appeals.decide(appeal.id, upheld=True, actor=STAFF, reason="成立")
    [fee] = of(mentor).fees
    assert [(loss.rule, loss.amount, loss.times) for loss in fee.losses] == [(Rule.LATE_GRADING, 150, 3)]
    assert fee.rest == 1350
    undo, undone = lines(mentor)[:2]
    assert (undo.amount, undo.balance, undo.evidence.undoes_score) == (30, 1350, -30)
    assert (undone.is_reversed, undone.appeal_until) == (True, None)
    assert undo.evidence.memo == "申诉成立，扣款撤销"


def test_rows_are_newest_first_with_version_balance_and_evidence(mentor: Account) -> None:
    student = a_student(name="索隆")
    enrolment = a_studying(student, mentor=mentor)
    rule_book.change(Rule.LATE_GRADING, ScoreType.PENALTY, 70, actor=STAFF, reason="a test")
    homework = saved(
        HomeworkRecord(
            homework_id=enrolment.degree_course.modules[0].chapters[0].homework[0].id, student_id=enrolment.id
        )
    )
    with unit_of_work() as session:
        cause = Cause("late", "没有在 48 小时内批改", {"due_time": "2026-11-24T02:00:00+00:00"}, homework.id)
        purses.fine(
            session, enrolled_degrees.lock(session, enrolment.id), Purse.FEE, Rule.LATE_GRADING, cause, clock.now()
        )
    fine, initial = lines(mentor)
    assert (fine.amount, fine.balance, fine.version, fine.kind) == (-70, 1430, 2, ScoreType.PENALTY)
    assert (fine.evidence.homework, fine.evidence.memo) == ("作业1", "没有在 48 小时内批改")
    assert fine.student and (fine.student.name, fine.student.degree) == ("索隆", enrolment.degree_course.name)
    assert fine.appeal_until == today() + 30 * DAY
    assert (initial.amount, initial.balance, initial.kind, initial.appeal_until) == (
        1500,
        1500,
        ScoreType.INITIAL,
        None,
    )


def test_rows_narrow_by_student_and_by_month_of_shanghai(mentor: Account, instance: Path) -> None:
    end_of_month = clock.start_of_day(date(today().year + 1, 2, 1))
    set_clock(instance, end_of_month - timedelta(minutes=5))
    first, second = a_studying(mentor=mentor), a_studying(mentor=mentor)
    set_clock(instance, end_of_month + timedelta(seconds=1))
    fined(first, "first")
    fined(second, "second")
    year = today().year
    assert len(lines(mentor)) == 4
    assert [line.amount for line in lines(mentor, enrolment_id=first.id)] == [-50, 1500]
    assert [line.amount for line in lines(mentor, month=date(year, 1, 1))] == [1500, 1500]
    assert [line.amount for line in lines(mentor, month=date(year, 2, 1))] == [-50, -50]
    assert [line.amount for line in lines(mentor, month=date(year, 2, 1), enrolment_id=second.id)] == [-50]
    assert lines(mentor, month=date(year - 1, 12, 1)) == []
    with pytest.raises(NotFound):
        earnings.check_student(mentor.id, a_studying().id)


def test_the_statement_is_paged_and_asks_the_same_however_long(
    mentor: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_rows, "ROWS_A_BATCH", 7)
    mentor_id = mentor.id

    def sent(page: int = 1) -> int:
        db.session.rollback()
        with counted() as statements:
            earnings.of_mentor(mentor_id, clock.now())
            score_rows.page(Wanted(mentor_id, Purse.FEE), page)
        return len(statements)

    enrolments = [a_studying(mentor=mentor)]
    few = sent()
    enrolments += [a_studying(mentor=mentor) for _ in range(3)]
    for number in range(24):
        fined(enrolments[number % 4], f"fine {number}", Rule.NO_FOLLOW_UP)
    assert (sent(), sent(2)) == (few, few)
    assert few == 13
    wanted = Wanted(mentor_id, Purse.FEE)
    first, second = score_rows.page(wanted, 1), score_rows.page(wanted, 2)
    assert (first.pages, len(first.lines), len(second.lines)) == (2, 20, 8)
    assert [*first.lines, *second.lines] == list(score_rows.everything(wanted))
    with pytest.raises(NotFound):
        score_rows.page(wanted, 3)


# ---------------------------------------------------------------- complaints name nobody


def test_a_complaint_costs_a_fee_but_no_students(app: Flask) -> None:
    """Whichever of two students complained, the mentor sees the same."""
    seen = []
    for who in (0, 1):
        one = a_mentor()
        students = [a_studying(mentor=one), a_studying(mentor=one)]
        fined(students[0], f"before {who}")
        complained(students[who])
        fined(students[0], f"after {who}")
        own = of(one)
        rows = [(line.rule, line.amount, line.balance, line.student is None) for line in lines(one)]
        seen.append((own.waiting, own.complaints, [fee.rest for fee in own.fees], own.calendar, rows))
        for enrolment in students:
            assert Rule.COMPLAINT not in {line.rule for line in lines(one, enrolment_id=enrolment.id)}
    assert seen[0] == seen[1]
    assert seen[0][:3] == (2700, -200, [1400, 1500])
    assert seen[0][4][1] == (Rule.COMPLAINT, -200, None, True)


def test_a_complaint_that_is_appealed_away_names_nobody_either(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    record_id = complained(enrolment)
    [line] = [line for line in lines(mentor) if line.id == record_id]
    assert (line.student, line.balance, line.appeal_until) == (None, None, today() + 30 * DAY)
    appeal = appeals.file(mentor.id, record_id, "当时双方都在休假。", clock.now())
    appeals.decide(appeal.id, upheld=True, actor=STAFF, reason="成立")
    rows = lines(mentor)
    assert [(row.amount, row.balance, row.student is None) for row in rows] == [
        (200, None, True),
        (-200, None, True),
        (1500, 1500, False),
    ]
    own = of(mentor)
    assert (own.waiting, own.complaints, own.fees[0].rest, own.fees[0].losses) == (1500, 0, 1500, ())


def test_the_message_of_a_fine_names_the_balance_that_the_page_shows(mentor: Account, instance: Path) -> None:
    enrolment = a_studying(mentor=mentor)
    complained(enrolment)
    set_clock(instance, clock.now() + 8 * DAY)
    assert neglect.fine_missing_follow_up(clock.now()) == {"fined": 1}
    db.session.rollback()
    message = db.session.query(Notification).filter(Notification.event.startswith("fine-")).one()
    assert message.facts["balance"] == of(mentor).fees[0].rest == 1470


def test_after_the_payout_the_books_begin_anew(mentor: Account) -> None:
    enrolment = a_studying(mentor=mentor)
    fined(enrolment, "fine")
    complained(enrolment)
    fine_id = db.session.query(ScoreRecord.id).filter_by(event="fine").scalar()
    assert paid_out(enrolment, Purse.FEE) == 1250
    appeal = appeals.file(mentor.id, fine_id, "当天已经批改完毕。", clock.now())
    appeals.decide(appeal.id, upheld=True, actor=STAFF, reason="成立")
    assert [line.balance for line in lines(mentor)] == [50, None, 1450, 1500]
    own = of(mentor)
    assert (own.waiting, own.complaints, own.fees[0].rest) == (50, 0, 50)
    assert balance_of(mentor.id) == 1250


def change(id_: int, score: int, balance: int, **kind: bool) -> Change:
    return Change(id_, score, balance, kind.get("hidden", False), kind.get("closing", False))


def test_hidden_losses_are_added_back_until_the_purse_is_emptied() -> None:
    first = [change(1, 1500, 1500), change(2, -200, 1300, hidden=True), change(3, -50, 1250)]
    assert shown(first, 1250).balances == {1: 1500, 3: 1450}
    assert (shown(first, 1250).rest, shown(first, 1250).hidden) == (1450, -200)
    assert (shown(first, 0).rest, shown(first, 0).hidden) == (0, 0)
    moved = [*first, change(4, -1250, 0, closing=True)]
    assert (shown(moved, 0).balances[4], shown(moved, 0).rest) == (0, 0)
    again = [*first, change(5, 50, 50)]
    assert (shown(again, 50).balances[5], shown(again, 50).rest) == (50, 50)
    assert (shown([], 0).balances, shown([], 0).rest) == ({}, 0)


# ---------------------------------------------------------------- students


def test_a_student_sees_what_waits_and_what_each_speed_would_bring(app: Flask, instance: Path) -> None:
    """Recommended 100 days; 2000 贝里 within 50 of them, 300 within 100. Today is the first day."""
    enrolment = a_studying()
    gained(enrolment, 90)
    own, begun = rewards(enrolment), today()
    assert (own.waiting, own.studied_days, own.period_days) == (90, 1, 100)
    assert own.tiers == [
        Outlook(2000, 50, 49, begun + 49 * DAY),
        Outlook(300, 100, 99, begun + 99 * DAY),
    ]
    assert own.by_plan == own.tiers[0]  # 28 days by plan
    set_clock(instance, clock.now() + 49 * DAY)
    assert [tier.days_left for tier in rewards(enrolment).tiers] == [0, 50]
    assert rewards(enrolment).by_plan == Outlook(2000, 50, 0, today())
    set_clock(instance, clock.now() + DAY)
    assert [tier.days_left for tier in rewards(enrolment).tiers] == [-1, 49]
    assert rewards(enrolment).by_plan == Outlook(300, 100, 49, begun + 99 * DAY)


def test_the_last_day_of_a_tier_is_one_on_which_it_is_reached(app: Flask, instance: Path) -> None:
    enrolment = a_studying()
    set_clock(instance, clock.start_of_day(today() + 50 * DAY) - timedelta(minutes=1))
    assert rewards(enrolment).tiers[0].days_left == 0
    passed(enrolment, 0)
    passed(enrolment, 1)
    own = rewards(enrolment)
    assert (own.waiting, own.status, own.tiers, own.by_plan) == (2000, StudyStatus.GRADUATED, [], None)


def test_a_leave_stops_the_days_of_a_tier(app: Flask, instance: Path) -> None:
    enrolment = a_studying()
    set_clock(instance, clock.now() + 9 * DAY)
    leave.begin(enrolment.account_id, enrolment.id, "生病")
    before = rewards(enrolment).tiers
    assert [(tier.days_left, tier.last_day) for tier in before] == [(40, None), (90, None)]
    set_clock(instance, clock.now() + 20 * DAY)
    assert rewards(enrolment).tiers == before


def test_before_the_first_module_the_days_are_whole(app: Flask) -> None:
    own = rewards(a_registered(open_module=False))
    assert [(tier.days, tier.days_left, tier.last_day) for tier in own.tiers] == [(50, 50, None), (100, 100, None)]
    assert (own.expectation, own.by_plan) == (Expectation(When.NOT_BEGUN), None)


def test_a_students_rows_are_those_of_the_own_purse(app: Flask) -> None:
    enrolment = a_studying()
    fined(enrolment, "the mentor's")
    gained(enrolment, 90, memo="作业成绩奖励", facts={"homework": "作业1", "score": 90})
    paid_out(enrolment, Purse.REWARDS)
    db.session.rollback()
    account_id = fresh(enrolment).account_id
    [line] = score_rows.page(score_rows.of_student(account_id, enrolment.id), 1).lines
    assert (line.amount, line.balance, line.received, line.student) == (90, 90, 90, None)
    assert line.evidence.facts == {"homework": "作业1", "score": 90}
    own = rewards(enrolment)
    assert [(payout.amount, local_date(payout.time)) for payout in own.payouts] == [(90, today())]
    assert (own.waiting, own.balance) == (0, 90)
    for other in (a_student().id, enrolment.mentor_id or 0):
        with pytest.raises(NotFound):
            earnings.of_student(other, enrolment.id, clock.now())
        with pytest.raises(NotFound):
            score_rows.of_student(other, enrolment.id)
