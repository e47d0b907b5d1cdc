"""Steps (e) to (i) of the night: who is fined for what, when, and what matures (domain.md 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shop import clock
from shop.enums import (
    ComplaintState,
    HomeworkStatus,
    ModuleStatus,
    Purse,
    QuestionStatus,
    RefundState,
    Score,
    StudyStatus,
)
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    Answer,
    Appeal,
    Complaint,
    DegreeCourse,
    EnrolledDegreeCourse,
    HomeworkRecord,
    HomeworkSubmission,
    NightlyRun,
    Notification,
    Question,
    Refund,
    RefundDetail,
    ScoreRecord,
    StudyLeave,
    StudyRecord,
    StuFollowUpRecord,
    TransactionRecord,
)
from shop.services import assignment, maturity, neglect, nightly
from tests.audit import assert_audit_clean
from tests.conftest import empty
from tests.degrees import STAFF, a_degree_with_homework, a_hand_in, a_mentor, a_studying, fresh
from tests.purchases import saved
from tests.services.test_nightly import set_clock

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Booked = list[tuple[str, int]]
Asked = Callable[[EnrolledDegreeCourse, datetime, datetime], None]


@pytest.fixture
def noon(app: Flask, instance: Path) -> datetime:
    """Twelve o'clock in Shanghai: modules open and mentors are assigned now."""
    at = clock.start_of_day(clock.local_date(clock.now()) + DAY) + 12 * HOUR
    set_clock(instance, at)
    return at


def night(day: datetime, days: int) -> datetime:
    """02:00 so many days after the day of an instant."""
    return clock.start_of_day(clock.local_date(day) + days * DAY) + 2 * HOUR


def booked() -> Booked:
    """What was booked beside the initial fee: which cause, how much."""
    db.session.rollback()
    db.session.expire_all()
    rows = db.session.query(ScoreRecord).order_by(ScoreRecord.id)
    return [(row.event.split(":")[0] + ":" + row.purse.name, row.score) for row in rows if row.score < 1500]


def word(enrolment: EnrolledDegreeCourse, at: datetime) -> None:
    saved(
        StuFollowUpRecord(enrolled_degree_course_id=enrolment.id, mentor_id=enrolment.mentor_id, record="聊", date=at)
    )


def a_question(
    enrolment: EnrolledDegreeCourse, at: datetime, status: QuestionStatus = QuestionStatus.WAITING
) -> Question:
    return saved(
        Question(
            account_id=enrolment.account_id,
            degree_course_id=enrolment.degree_course_id,
            enrolled_degree_course_id=enrolment.id,
            title="问",
            content="问",
            status=status,
            date=at,
        )
    )


# ---------------------------------------------------------------- (e) late homework


def test_work_is_late_from_the_night_after_its_day(app: Flask, noon: datetime) -> None:
    enrolment = a_studying()
    assert neglect.fine_late_homework(night(noon, 7)) == {"fined": 0}
    assert neglect.fine_late_homework(night(noon, 8)) == {"fined": 2}
    assert neglect.fine_late_homework(night(noon, 8)) == {"fined": 0}
    assert neglect.fine_late_homework(night(noon, 9)) == {"fined": 0}
    assert booked() == [("late-homework:REWARDS", 0), ("late-homework:FEE", -20)]  # there was nothing to take yet
    assert fresh(enrolment).mentor_fee_balance == 1480
    assert_audit_clean()


@pytest.mark.parametrize(("days", "fined"), [(7.49, 0), (7.51, 2)], ids=["last minute of the day", "after midnight"])
def test_the_first_hand_in_decides_whatever_the_night_saw(app: Flask, noon: datetime, days: float, fined: int) -> None:
    """A night that is caught up late finds what it would have found."""
    a_hand_in(a_studying(), at=noon + days * DAY, score=Score.D)
    assert neglect.fine_late_homework(night(noon, 10)) == {"fined": fined}


def test_a_mentor_who_came_after_the_day_answers_for_nothing_of_it(app: Flask, noon: datetime, instance: Path) -> None:
    enrolment = a_studying()
    set_clock(instance, noon + 8 * DAY)
    assignment.assign(enrolment.id, a_mentor().id, actor=STAFF, reason="a test")
    neglect.fine_late_homework(night(noon, 9))
    assert ("late-homework:FEE", -20) not in booked()
    assert ("late-homework:REWARDS", 0) in booked()


def test_nothing_is_late_that_is_not_asked_for_any_more(app: Flask, noon: datetime) -> None:
    enrolment = a_studying()
    homework = enrolment.degree_course.modules[0].chapters[0].homework[0]
    homework.enabled = False
    saved(homework)
    assert neglect.fine_late_homework(night(noon, 8)) == {"fined": 0}


def test_what_falls_into_a_leave_that_lasts_is_not_late(app: Flask, noon: datetime) -> None:
    enrolment = a_studying()
    away = saved(StudyLeave(enrolled_degree_course_id=enrolment.id, begin_time=noon + 6 * DAY))
    assert neglect.fine_late_homework(night(noon, 20)) == {"fined": 0}
    away.begin_time = noon + 8 * DAY  # begun after the day, which stays missed
    saved(away)
    assert neglect.fine_late_homework(night(noon, 9)) == {"fined": 2}


@pytest.mark.parametrize("what", ["graduated", "asked back"])
def test_nothing_becomes_due_after_the_end_or_while_the_degree_is_asked_back(
    app: Flask, noon: datetime, what: str
) -> None:
    enrolment = a_studying()
    a_question(enrolment, noon)
    a_hand_in(enrolment, 1, at=noon)
    if what == "graduated":
        ended(enrolment, StudyStatus.GRADUATED, noon + HOUR)
    else:
        line = enrolment.order_detail
        refund = Refund(order_id=line.order_id, out_request_no="R1", amount_fen=0, reason="不学了")
        refund.details = [RefundDetail(order_detail_id=line.id, amount_fen=0, beli=0)]
        saved(refund)
    for step in (
        neglect.fine_late_homework,
        neglect.fine_late_grading,
        neglect.fine_missing_follow_up,
        neglect.fine_late_answers,
    ):
        assert step(night(noon, 10)) == {"fined": 0}, step.__name__


@pytest.fixture(params=[RefundState.REFUSED, RefundState.WITHDRAWN], ids=lambda state: state.name)
def asked_back(request: pytest.FixtureRequest) -> Asked:
    """A refund of a degree that was asked for from one instant to another, and came to nothing."""

    def ask(enrolment: EnrolledDegreeCourse, begin: datetime, end: datetime) -> None:
        line = enrolment.order_detail
        refund = Refund(
            order_id=line.order_id,
            out_request_no=f"R{line.id}",
            amount_fen=0,
            state=request.param,
            requested_time=begin,
            decided_time=end,
        )
        refund.details = [RefundDetail(order_detail_id=line.id, amount_fen=0, beli=0)]
        saved(refund)

    return ask


def test_a_refund_that_came_to_nothing_stopped_the_clocks(app: Flask, noon: datetime, asked_back: Asked) -> None:
    """Nobody could grade or hand in meanwhile: two days of waiting do not count."""
    enrolment = a_studying()
    a_hand_in(enrolment, 1, at=noon)
    a_question(enrolment, noon)
    asked_back(enrolment, noon + 6 * HOUR, noon + 54 * HOUR)
    assert neglect.fine_late_answers(night(noon, 2)) == {"fined": 0}
    assert neglect.fine_late_answers(night(noon, 3)) == {"fined": 1}
    assert neglect.fine_late_grading(night(noon, 4)) == {"fined": 0}
    assert neglect.fine_late_grading(night(noon, 5)) == {"fined": 1}
    assert neglect.fine_missing_follow_up(night(noon, 9)) == {"fined": 0}
    assert neglect.fine_missing_follow_up(night(noon, 10)) == {"fined": 1}


def test_what_fell_due_while_the_degree_was_asked_back_is_not_late(
    app: Flask, noon: datetime, asked_back: Asked
) -> None:
    enrolment = a_studying()
    asked_back(enrolment, noon + 6 * DAY, noon + 9 * DAY)
    assert neglect.fine_late_homework(night(noon, 14)) == {"fined": 0}
    assert neglect.fine_late_homework(night(noon, 15)) == {"fined": 2}  # the next one, due on the 14th day


def test_asking_for_an_hour_saves_no_late_work(app: Flask, noon: datetime, asked_back: Asked) -> None:
    enrolment = a_studying()
    asked_back(enrolment, noon + 7 * DAY, noon + 7 * DAY + HOUR)
    assert neglect.fine_late_homework(night(noon, 8)) == {"fined": 2}


# ---------------------------------------------------------------- (f) late grading


@pytest.mark.parametrize(
    ("graded", "fined"),
    [(None, 1), (47.9, 0), (48.1, 1)],
    ids=["never", "in time", "late"],
)
def test_a_mark_may_take_48_hours(app: Flask, noon: datetime, graded: float | None, fined: int) -> None:
    enrolment = a_studying()
    hand_in = a_hand_in(enrolment, at=noon)
    if graded is not None:
        hand_in.score, hand_in.grader_id = Score.D, enrolment.mentor_id
        hand_in.checked_time = noon + graded * HOUR
        hand_in.record.score, hand_in.record.status = Score.D, 2
        saved(hand_in)
    assert neglect.fine_late_grading(night(noon, 2)) == {"fined": 0}
    assert neglect.fine_late_grading(night(noon, 3)) == {"fined": fined}
    assert neglect.fine_late_grading(night(noon, 4)) == {"fined": 0}
    assert booked() == [("late-grading:FEE", -50)] * fined


def test_a_new_mentor_has_the_whole_time_for_what_was_waiting(app: Flask, noon: datetime, instance: Path) -> None:
    enrolment = a_studying()
    a_hand_in(enrolment, at=noon)
    a_question(enrolment, noon)
    set_clock(instance, noon + 40 * HOUR)
    assignment.assign(enrolment.id, a_mentor().id, actor=STAFF, reason="a test")
    assert neglect.fine_late_grading(night(noon, 4)) == {"fined": 0}
    assert neglect.fine_late_answers(night(noon, 2)) == {"fined": 0}
    assert neglect.fine_late_grading(night(noon, 5)) == {"fined": 1}
    assert neglect.fine_late_answers(night(noon, 3)) == {"fined": 1}


# ---------------------------------------------------------------- (g) no word


def test_each_week_without_a_word_costs_once(app: Flask, noon: datetime) -> None:
    enrolment = a_studying()
    fines = [neglect.fine_missing_follow_up(night(noon, days))["fined"] for days in range(1, 16)]
    assert [days for days, fined in enumerate(fines, 1) if fined] == [8, 15]
    word(enrolment, noon + 16 * DAY)
    assert neglect.fine_missing_follow_up(night(noon, 23)) == {"fined": 0}
    assert neglect.fine_missing_follow_up(night(noon, 24)) == {"fined": 1}
    assert fresh(enrolment).mentor_fee_balance == 1500 - 3 * 30


def test_several_weeks_in_one_night_are_each_booked(app: Flask, noon: datetime) -> None:
    a_studying()
    assert neglect.fine_missing_follow_up(night(noon, 22)) == {"fined": 3}
    assert neglect.fine_missing_follow_up(night(noon, 22)) == {"fined": 0}


def test_a_word_after_the_night_does_not_undo_what_that_night_finds(app: Flask, noon: datetime) -> None:
    """A night that is caught up: the word came a day too late."""
    word(a_studying(), noon + 8 * DAY)
    assert neglect.fine_missing_follow_up(night(noon, 8)) == {"fined": 1}


def test_a_leave_does_not_count(app: Flask, noon: datetime) -> None:
    enrolment = a_studying()
    saved(StudyLeave(enrolled_degree_course_id=enrolment.id, begin_time=noon + DAY, end_time=noon + 11 * DAY))
    assert neglect.fine_missing_follow_up(night(noon, 17)) == {"fined": 0}
    assert neglect.fine_missing_follow_up(night(noon, 18)) == {"fined": 1}


# ---------------------------------------------------------------- (h) no answer


def test_an_answer_may_take_12_hours(app: Flask, noon: datetime) -> None:
    enrolment = a_studying()
    early, late, never, closed = (a_question(enrolment, noon + n * HOUR) for n in range(4))
    for question, hours in ((early, 12), (late, 14)):
        saved(Answer(question_id=question.id, account_id=enrolment.mentor_id, content="答", date=noon + hours * HOUR))
    closed.status = QuestionStatus.CLOSED
    saved(closed)
    saved(Answer(question_id=never.id, account_id=enrolment.account_id, content="补充", date=noon + 3 * HOUR))
    assert neglect.fine_late_answers(night(noon, 0)) == {"fined": 0}
    assert neglect.fine_late_answers(night(noon, 1)) == {"fined": 2}
    assert neglect.fine_late_answers(night(noon, 2)) == {"fined": 0}
    assert booked() == [("no-answer:FEE", -30)] * 2


# ---------------------------------------------------------------- (i) maturity


def ended(enrolment: EnrolledDegreeCourse, status: StudyStatus, at: datetime) -> None:
    """As if the study had ended; modules and marks are another test's."""
    with unit_of_work() as session:
        row = session.get_one(EnrolledDegreeCourse, enrolment.id)
        row.study_status, row.ended_time = status, at


def test_a_graduation_pays_in_the_night_after_it(app: Flask, noon: datetime) -> None:
    enrolment = a_studying()
    ended(enrolment, StudyStatus.GRADUATED, noon)
    assert maturity.settle_due(night(noon, 0)) == {"paid": 0, "forfeited": 0, "frozen": 0}
    assert maturity.settle_due(night(noon, 1)) == {"paid": 1, "forfeited": 0, "frozen": 0}
    assert maturity.settle_due(night(noon, 2)) == {"paid": 0, "forfeited": 0, "frozen": 0}
    assert db.session.get_one(Account, enrolment.mentor_id).balance == 1500
    row = db.session.query(ScoreRecord).one()
    assert (row.applied, row.received_score, row.maturity_date) == (True, 1500, clock.local_date(noon))
    told = db.session.query(Notification).filter_by(account_id=enrolment.mentor_id).all()
    assert any("1500" in str(message.facts) for message in told)


def test_out_of_time_pays_nothing(app: Flask, noon: datetime) -> None:
    enrolment = a_studying()
    ended(enrolment, StudyStatus.OVERTIME, noon)
    assert maturity.settle_due(night(noon, 1)) == {"paid": 0, "forfeited": 1, "frozen": 0}
    assert (fresh(enrolment).mentor_fee_balance, db.session.get_one(Account, enrolment.mentor_id).balance) == (0, 0)
    assert booked() == [("forfeit:FEE", -1500)]


def test_out_of_time_pays_where_the_settings_say_so(
    app: Flask, noon: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    generous = replace(app.extensions["settings"], overtime_pays=True)
    monkeypatch.setitem(app.extensions, "settings", generous)
    enrolment = a_studying()
    ended(enrolment, StudyStatus.OVERTIME, noon)
    assert maturity.settle_due(night(noon, 1)) == {"paid": 1, "forfeited": 0, "frozen": 0}
    assert db.session.get_one(Account, enrolment.mentor_id).balance == 1500


@pytest.mark.parametrize("what", ["appeal", "complaint"])
def test_what_staff_have_to_decide_is_held_back(app: Flask, noon: datetime, what: str) -> None:
    enrolment = a_studying()
    neglect.fine_missing_follow_up(night(noon, 8))
    fine = db.session.query(ScoreRecord).filter(ScoreRecord.score < 0).one()
    waiting: Appeal | Complaint = (
        Appeal(score_record_id=fine.id, account_id=enrolment.mentor_id, content="说明")
        if what == "appeal"
        else Complaint(enrolled_degree_course_id=enrolment.id, mentor_id=enrolment.mentor_id, content="说明")
    )
    saved(waiting)
    ended(enrolment, StudyStatus.GRADUATED, noon + 8 * DAY)
    assert maturity.settle_due(night(noon, 9)) == {"paid": 0, "forfeited": 0, "frozen": 1}
    waiting.state, waiting.decided_time = ComplaintState.DISMISSED, noon
    saved(waiting)
    assert maturity.settle_due(night(noon, 9)) == {"paid": 1, "forfeited": 0, "frozen": 0}


# ---------------------------------------------------------------- the whole night


HOURS = st.integers(0, 20 * 24)
STUDIES = st.lists(
    st.fixed_dictionaries(
        {
            "hand_ins": st.lists(st.tuples(HOURS, st.none() | st.integers(1, 96)), max_size=2),  # and its mark after
            "words": st.lists(HOURS, max_size=3),
            "questions": st.lists(st.tuples(HOURS, st.none() | st.integers(1, 30)), max_size=2),  # and its answer after
            "leave": st.none() | st.tuples(HOURS, st.integers(1, 120)),
            "ended": st.none() | HOURS,
        }
    ),
    min_size=1,
    max_size=2,
)


class Life:
    """A study and what happens in it, in hours after its first noon; ``until`` lets it happen up to an instant."""

    def __init__(self, noon: datetime, course: DegreeCourse, facts: dict[str, Any]) -> None:
        self.noon, self.enrolment = noon, a_studying(course=course)
        self.todo: list[tuple[float, Callable[[], None]]] = []
        self.facts = facts
        self.rewind()

    def rewind(self) -> None:
        """From the beginning: nothing has happened."""
        for number, (hours, graded) in enumerate(self.facts["hand_ins"]):
            self.plan(hours, partial(self.hand_in, number, hours))
            if graded is not None:
                self.plan(hours + graded, partial(self.grade, number, hours + graded))
        for hours in self.facts["words"]:
            self.plan(hours, partial(self.talk, hours))
        for number, (hours, answered) in enumerate(self.facts["questions"]):
            self.plan(hours, partial(self.ask, number, hours))
            if answered is not None:
                self.plan(hours + answered, partial(self.answer, number, hours + answered))
        if self.facts["leave"]:
            begin, long = self.facts["leave"]
            self.plan(begin, partial(self.leave, begin))
            self.plan(begin + long, partial(self.come_back, begin + long))
        if self.facts["ended"] is not None:
            self.plan(self.facts["ended"], partial(self.graduate, self.facts["ended"]))
        self.todo.sort(key=lambda one: one[0])

    def plan(self, hours: float, act: Callable[[], None]) -> None:
        self.todo.append((hours, act))

    def until(self, now: datetime) -> None:
        while self.todo and self.at(self.todo[0][0]) <= now:
            self.todo.pop(0)[1]()

    def at(self, hours: float) -> datetime:
        return self.noon + hours * HOUR

    def hand_in(self, number: int, hours: float) -> None:
        a_hand_in(fresh(self.enrolment), number, at=self.at(hours))

    def grade(self, number: int, hours: float) -> None:
        homework = fresh(self.enrolment).degree_course.modules[0].chapters[0].homework[number]
        record = db.session.query(HomeworkRecord).filter_by(homework_id=homework.id, student_id=self.enrolment.id).one()
        (hand_in,) = record.submissions
        hand_in.score, hand_in.grader_id, hand_in.checked_time = Score.D, self.enrolment.mentor_id, self.at(hours)
        record.score, record.status = Score.D, HomeworkStatus.FAILED
        saved(hand_in)

    def talk(self, hours: float) -> None:
        word(fresh(self.enrolment), self.at(hours))

    def ask(self, number: int, hours: float) -> None:
        question = a_question(fresh(self.enrolment), self.at(hours))
        question.title = str(number)
        saved(question)

    def answer(self, number: int, hours: float) -> None:
        of_this = {"enrolled_degree_course_id": fresh(self.enrolment).id, "title": str(number)}
        question = db.session.query(Question).filter_by(**of_this).one()
        said = Answer(question_id=question.id, account_id=self.enrolment.mentor_id, content="答", date=self.at(hours))
        saved(said)

    def leave(self, hours: float) -> None:
        saved(StudyLeave(enrolled_degree_course_id=fresh(self.enrolment).id, begin_time=self.at(hours)))

    def come_back(self, hours: float) -> None:
        away = db.session.query(StudyLeave).filter_by(enrolled_degree_course_id=fresh(self.enrolment).id).one()
        away.end_time = self.at(hours)
        saved(away)

    def graduate(self, hours: float) -> None:
        ended(self.enrolment, StudyStatus.GRADUATED, self.at(hours))
        with unit_of_work() as session:
            records = session.query(StudyRecord).filter_by(enrolled_degree_course_id=self.enrolment.id)
            records.update({"status": ModuleStatus.DONE})


def books() -> list[tuple[object, ...]]:
    """Every row of the purses and every balance; ids of what was handed in or asked are others when it is repeated."""
    db.session.rollback()
    db.session.expire_all()
    rows = [
        (
            *(row.event.split(":")[0], row.purse, row.account_id, row.score, row.balance, row.received_score),
            *(row.applied, str(row.maturity_date), row.date),
        )
        for row in db.session.query(ScoreRecord)
    ]
    return [*sorted(rows), *((row.id, row.balance) for row in db.session.query(Account).order_by(Account.id))]


def forget() -> None:
    """The day on which everybody began once more."""
    with unit_of_work() as session:
        session.query(TransactionRecord).delete()
        session.query(Account).update({"balance": 0})
        session.query(ScoreRecord).filter(ScoreRecord.score < 1500).delete()
        session.query(ScoreRecord).update(
            {"applied": False, "applied_date": None, "received_score": 0, "maturity_date": None}
        )
        for happened in (Answer, Question, HomeworkSubmission, HomeworkRecord, StuFollowUpRecord, StudyLeave):
            session.query(happened).delete()
        session.query(EnrolledDegreeCourse).update(
            {
                "mentor_fee_balance": 1500,
                "reward_balance": 0,
                "study_status": StudyStatus.STUDYING,
                "ended_time": None,
            }
        )
        session.query(StudyRecord).filter(StudyRecord.status == ModuleStatus.DONE).update(
            {"status": ModuleStatus.STUDYING}
        )
        session.query(NightlyRun).delete()


def test_many_nights_in_one_run_book_what_single_nights_book(
    shop: Flask, app: Flask, instance: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F38: 22 nights in one jump, after all has happened, or each at its time: row for row, and again the same."""
    monkeypatch.setattr(nightly, "AUDIT", nightly.Step("audit", lambda _: {}))  # once at the end is enough
    seen: set[str] = set()

    @settings(
        max_examples=8 if pytestconfig.getoption("--database") == "sqlite" else 4,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),  # to shrink takes longer than to read what failed
        suppress_health_check=list(HealthCheck),
    )
    @given(STUDIES)
    def jump(drawn: list[dict[str, Any]]) -> None:
        db.session.remove()
        (instance / "clock_offset").unlink(missing_ok=True)
        empty(shop)
        noon = clock.start_of_day(clock.local_date(clock.now()) + DAY) + 12 * HOUR
        set_clock(instance, noon)
        course = a_degree_with_homework()
        lives = [Life(noon, course, facts) for facts in drawn]
        for days in range(22):
            for life in lives:
                life.until(night(noon, days))
            set_clock(instance, night(noon, days) + HOUR)
            nightly.run_due()
        one_by_one = books()
        forget()
        set_clock(instance, night(noon, 0) + HOUR)
        nightly.run_due()
        for life in lives:
            life.rewind()
            life.until(night(noon, 22))
        set_clock(instance, night(noon, 21) + HOUR)
        nightly.run_due()
        assert books() == one_by_one
        nightly.run_due()
        assert books() == one_by_one
        for life in lives:
            life.until(night(noon, 99))  # who is away comes back
        assert_audit_clean()
        seen.update(str(row[0]) for row in one_by_one)

    jump()
    assert seen >= {"late-homework", "late-grading", "no-follow-up", "no-answer"}  # it was about something


def test_purses_never_fall_below_nothing(app: Flask, noon: datetime) -> None:
    enrolment = a_studying()
    for weeks in range(1, 9):
        neglect.fine_missing_follow_up(night(noon, 50 * weeks))
    assert fresh(enrolment).mentor_fee_balance == 0
    assert min(row.balance for row in db.session.query(ScoreRecord).filter_by(purse=Purse.FEE)) == 0
    assert_audit_clean()
