"""Marks: what each earns or costs, once; who gives them; what waits, since when, and until when (domain.md 4.2)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from shop import clock
from shop.enums import (
    HomeworkStatus,
    MessageType,
    ModuleStatus,
    Purse,
    RewardStatus,
    Rule,
    Score,
    ScoreType,
    StudyStatus,
)
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    Account,
    CourseSchedule,
    EnrolledDegreeCourse,
    Homework,
    HomeworkSubmission,
    MentorAssignment,
    Notification,
    ScoreRecord,
    StudyLeave,
    StudyRecord,
)
from shop.services import assignment, grading, leave, rule_book
from shop.services.grading import AlreadyGraded, NotNow, Waiting
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mentor, a_studying, fresh, homework_in
from tests.faults.barrier import beside_the_shop, until_waiting
from tests.purchases import saved
from tests.services.test_homework import (
    asked_back,
    ended,
    graduated,
    handed_in,
    on_leave,
    past_its_last_day,
    suspended,
    the_record,
)
from tests.statements import counted

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def mark(enrolment: EnrolledDegreeCourse, submission: HomeworkSubmission, score: Score, comment: str = "改") -> int:
    """The 贝里 that the mark of the present mentor brings."""
    mentor_id = fresh(enrolment).mentor_id
    assert mentor_id is not None
    return grading.grade(mentor_id, submission.id, score, comment, clock.now()).beli


def rows(enrolment: EnrolledDegreeCourse) -> list[tuple[Rule, ScoreType, int, str]]:
    """The changes of the student's rewards, in their order, each with the kind of its cause."""
    fresh(enrolment)
    found = db.session.scalars(
        select(ScoreRecord)
        .where(ScoreRecord.enrolled_degree_course_id == enrolment.id, ScoreRecord.purse == Purse.REWARDS)
        .order_by(ScoreRecord.id)
    )
    return [(row.rule.rule, row.rule.score_type, row.score, row.event.partition(":")[0]) for row in found]


def told(account_id: int, kind: MessageType = MessageType.HOMEWORK) -> list[Notification]:
    return db.session.query(Notification).filter_by(account_id=account_id, msg_type=kind).order_by("id").all()


# ---------------------------------------------------------------- what a mark does

REWARDS = [
    (Score.A_PLUS, 100),
    (Score.A, 90),
    (Score.B_PLUS, 85),
    (Score.B, 80),
    (Score.B_MINUS, 70),
    (Score.C_PLUS, 60),
    (Score.C, None),
    (Score.C_MINUS, None),
    (Score.D, None),
    (Score.NA, None),
    (Score.COPY, None),
]


@pytest.mark.parametrize(("score", "reward"), REWARDS, ids=[score.name for score, _reward in REWARDS])
def test_every_mark_earns_what_the_rules_say(app: Flask, score: Score, reward: int | None) -> None:
    """The homework is worth 100; punctuality 5 on top, once it is passed."""
    assert len(REWARDS) == len(Score)
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    submission = handed_in(enrolment, piece)
    beli = mark(enrolment, submission, score)
    record, submission = the_record(enrolment, piece), db.session.get_one(HomeworkSubmission, submission.id)
    assert (submission.score, submission.comment, submission.grader_id) == (score, "改", enrolment.mentor_id)
    assert (record.score, record.mentor_comment, record.mentor_id) == (score, "改", enrolment.mentor_id)
    assert record.check_date == submission.checked_time is not None
    if reward is not None:
        assert record.status is HomeworkStatus.PASSED
        assert record.reward_status is RewardStatus.REWARDED
        assert beli == fresh(enrolment).reward_balance == reward + 5
        assert rows(enrolment) == [
            (Rule.HOMEWORK_SCORE, ScoreType.REWARD, reward, "mark"),
            (Rule.LATE_HOMEWORK, ScoreType.REWARD, 5, "on-time"),
        ]
    else:
        assert record.status is HomeworkStatus.FAILED
        assert beli == fresh(enrolment).reward_balance == 0
        is_copy = score is Score.COPY
        assert record.reward_status is (RewardStatus.PUNISHED if is_copy else RewardStatus.ON_TIME)
        copied = (Rule.HOMEWORK_SCORE, ScoreType.PENALTY, 0, "copy")
        assert rows(enrolment) == ([copied] if is_copy else [])
    assert_audit_clean()


def test_the_evidence_of_a_reward_is_its_hand_in(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    submission = handed_in(enrolment, piece)
    mark(enrolment, submission, Score.B_PLUS)
    good, punctual = db.session.query(ScoreRecord).filter_by(purse=Purse.REWARDS).order_by(ScoreRecord.id)
    record = the_record(enrolment, piece)
    for row in (good, punctual):
        assert (row.homework_record_id, row.homework_submission_id) == (record.id, submission.id)
        assert (row.account_id, row.rule.version, row.applied) == (enrolment.account_id, 1, False)
    assert (good.event, good.facts) == (f"mark:{submission.id}", {"homework": "作业1", "score": 85, "worth": 100})
    today = clock.local_date(clock.now()).isoformat()
    assert (punctual.event, punctual.facts) == (f"on-time:{record.id}", {"homework": "作业1", "handed_in_date": today})
    assert_audit_clean()


@pytest.mark.parametrize(("score", "reward"), [(Score.B_PLUS, 3), (Score.C_PLUS, 2), (Score.A, 3)])
def test_a_reward_is_rounded_half_up(app: Flask, score: Score, reward: int) -> None:
    """A homework of 3 贝里: 85 % are 2.55, 60 % are 1.8, 90 % are 2.7."""
    enrolment = a_studying()
    db.session.query(Homework).update({"scholarship_value": 3})
    db.session.commit()
    mark(enrolment, handed_in(enrolment, homework_in(enrolment)[0]), score)
    assert rows(enrolment)[0][2] == reward
    assert_audit_clean()


def test_worthless_homework_and_a_rule_of_nothing_book_no_row(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    db.session.query(Homework).update({"scholarship_value": 0})
    db.session.commit()
    rule_book.change(Rule.LATE_HOMEWORK, ScoreType.REWARD, 0, actor=STAFF, reason="a test")
    assert mark(enrolment, handed_in(enrolment, piece), Score.A_PLUS) == 0
    assert rows(enrolment) == []
    record = the_record(enrolment, piece)
    assert (record.status, record.reward_status) == (HomeworkStatus.PASSED, RewardStatus.ON_TIME)
    assert_audit_clean()


def test_late_work_earns_its_mark_alone(app: Flask) -> None:
    enrolment = a_studying()
    piece = homework_in(enrolment)[0]
    submission = handed_in(enrolment, piece, at=clock.now() + 8 * DAY)
    assert mark(enrolment, submission, Score.A) == 90
    assert [row[3] for row in rows(enrolment)] == ["mark"]
    assert_audit_clean()


def test_copy_costs_each_time_and_never_more_than_there_is(app: Flask) -> None:
    enrolment = a_studying()
    piece, final = homework_in(enrolment)
    mark(enrolment, handed_in(enrolment, piece), Score.B_MINUS)  # 70 and 5
    for taken in (-50, -25, 0):
        assert mark(enrolment, handed_in(enrolment, final), Score.COPY) == taken
    assert [row[2] for row in rows(enrolment)] == [70, 5, -50, -25, 0]
    assert fresh(enrolment).reward_balance == 0
    assert fresh(enrolment).mentor_fee_balance == 1500
    assert the_record(enrolment, final).reward_status is RewardStatus.PUNISHED
    assert_audit_clean()


def test_work_that_was_on_time_and_copied_earns_its_punctuality_when_it_passes(app: Flask) -> None:
    """That the first hand-in was on time is kept, though a leave moves the day of what is not passed."""
    enrolment = a_studying()
    piece, final = homework_in(enrolment)
    for homework_id, first_days in ((piece, 0), (final, 15)):  # the final is due after 14 days
        for days, score in ((first_days, Score.COPY), (30, Score.COPY), (31, Score.A)):
            submission = handed_in(enrolment, homework_id, at=clock.now() + days * DAY)
            mark(enrolment, submission, score)
            db.session.query(CourseSchedule).update({"recommend_date": clock.local_date(clock.now()) + 90 * DAY})
            db.session.commit()
        day = clock.local_date(clock.now()) + 14 * DAY
        db.session.query(CourseSchedule).update({"recommend_date": day})
        db.session.commit()
    assert [row[3] for row in rows(enrolment)] == ["copy", "copy", "mark", "on-time", "copy", "copy", "mark"]
    assert_audit_clean()


def test_a_mark_that_does_not_pass_needs_a_comment(app: Flask) -> None:
    enrolment = a_studying()
    submission = handed_in(enrolment, homework_in(enrolment)[0])
    for score in (Score.C, Score.C_MINUS, Score.D, Score.NA, Score.COPY):
        with pytest.raises(ValueError, match="comment"):
            mark(enrolment, submission, score, "")
    assert mark(enrolment, submission, Score.C_PLUS, "") == 65
    assert_audit_clean()


def test_a_new_version_of_a_rule_counts_from_then_on(app: Flask) -> None:
    enrolment = a_studying()
    piece, final = homework_in(enrolment)
    mark(enrolment, handed_in(enrolment, piece), Score.A)
    rule_book.change(Rule.LATE_HOMEWORK, ScoreType.REWARD, 9, actor=STAFF, reason="a test")
    mark(enrolment, handed_in(enrolment, final), Score.A)
    assert [row[2] for row in rows(enrolment)] == [90, 5, 90, 9]
    assert_audit_clean()


@pytest.mark.parametrize(
    ("score", "balance", "words", "facts"),
    [
        (Score.A, 0, "通过了，成绩 %(score)s，获得", {"score": "A", "beli": 95}),
        (Score.D, 0, "没有通过，成绩", {"score": "D", "beli": 0}),
        (Score.COPY, 0, "被判为抄袭，没有通过。", {"score": "COPY", "beli": 0}),
        (Score.COPY, 40, "扣除 %(beli)s 贝里", {"score": "COPY", "beli": 40}),
    ],
)
def test_the_student_is_told_once_with_mark_and_beli(
    app: Flask, score: Score, balance: int, words: str, facts: dict[str, object]
) -> None:
    enrolment = a_studying(course=a_degree_with_homework(homework=3))
    first, second, _final = homework_in(enrolment)
    if balance:
        db.session.query(Homework).filter_by(id=first).update({"scholarship_value": balance - 5})
        db.session.commit()
        mark(enrolment, handed_in(enrolment, first), Score.A_PLUS)
    before = len(told(enrolment.account_id))
    mark(enrolment, handed_in(enrolment, second), score)
    (message,) = told(enrolment.account_id)[before:]
    assert words in message.content
    assert message.facts == {"homework": "作业2", **facts}
    assert message.link == f"/learning/degrees/{enrolment.id}/homework/{second}"
    assert_audit_clean()


# ---------------------------------------------------------------- what follows


def test_the_last_mark_of_a_module_opens_the_next_and_the_last_of_all_graduates(app: Flask) -> None:
    enrolment = a_studying()
    for module in (0, 1):
        for piece in homework_in(enrolment, module):
            assert fresh(enrolment).study_status is StudyStatus.STUDYING
            mark(enrolment, handed_in(enrolment, piece), Score.A)
    states = db.session.query(StudyRecord).filter_by(enrolled_degree_course_id=enrolment.id)
    assert {record.status for record in states} == {ModuleStatus.DONE}
    assert fresh(enrolment).study_status is StudyStatus.GRADUATED
    assert fresh(enrolment).reward_balance == 4 * 95 + 2000
    assert_audit_clean()


def test_a_mark_during_a_leave_graduates_and_ends_the_leave(app: Flask) -> None:
    enrolment = a_studying(course=a_degree_with_homework(modules=1, homework=1))
    submission = handed_in(enrolment, homework_in(enrolment)[0])
    leave.begin(enrolment.account_id, enrolment.id, "休息")
    assert mark(enrolment, submission, Score.A) == 95
    assert fresh(enrolment).study_status is StudyStatus.GRADUATED
    assert db.session.query(StudyLeave).one().end_time is not None
    assert_audit_clean()


# ---------------------------------------------------------------- who and when


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (suspended, "正在申请退费"),
        (ended, "学习已经结束（超时结业）"),
        (graduated, "学习已经结束（已毕业）"),
        (past_its_last_day, "学习已经结束（超时结业）"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_when_the_study_is_over_or_rests_for_a_refund_nothing_is_graded(
    app: Flask, happens: Callable[[EnrolledDegreeCourse], None], words: str
) -> None:
    enrolment = a_studying()
    submission = handed_in(enrolment, homework_in(enrolment)[0])
    happens(fresh(enrolment))
    with pytest.raises(NotNow) as refused:
        mark(enrolment, submission, Score.A)
    assert words in refused.value.message
    assert words in grading.page(fresh(enrolment).mentor_id or 0, submission.id, clock.now()).why_not
    assert rows(enrolment) == []
    assert db.session.get_one(HomeworkSubmission, submission.id).score is None


def test_only_the_present_mentor_sees_and_grades(app: Flask) -> None:
    enrolment = a_studying()
    old, new, stranger = enrolment.mentor_id, a_mentor(name="叶帆"), a_mentor()
    submission = handed_in(enrolment, homework_in(enrolment)[0])
    assignment.assign(enrolment.id, new.id, actor=STAFF, reason="a wish")
    for account_id in (old, stranger.id, enrolment.account_id, 2**31 - 1):
        with pytest.raises(NotFound):
            grading.page(account_id or 0, submission.id, clock.now())
        with pytest.raises(NotFound):
            grading.grade(account_id or 0, submission.id, Score.A, "", clock.now())
        assert grading.queue(account_id or 0, 1, clock.now()).rows == ()
    with pytest.raises(NotFound):
        grading.grade(new.id, 2**31 - 1, Score.A, "", clock.now())
    assert grading.page(new.id, submission.id, clock.now()).student
    assert grading.grade(new.id, submission.id, Score.A, "", clock.now()).beli == 95
    assert_audit_clean()


def test_after_a_refund_there_is_nothing_to_grade(app: Flask) -> None:
    enrolment = a_studying()
    submission = handed_in(enrolment, homework_in(enrolment)[0])
    enrolment.closed_time = clock.now()
    saved(enrolment)
    with pytest.raises(NotFound):
        mark(enrolment, submission, Score.A)
    assert grading.queue(enrolment.mentor_id or 0, 1, clock.now()).total == 0


def test_a_hand_in_is_graded_once(app: Flask) -> None:
    enrolment = a_studying()
    submission = handed_in(enrolment, homework_in(enrolment)[0])
    mark(enrolment, submission, Score.B)
    with pytest.raises(AlreadyGraded) as refused:
        mark(enrolment, submission, Score.A_PLUS)
    assert "成绩 B" in refused.value.message
    assert fresh(enrolment).reward_balance == 85
    assert_audit_clean()


def test_of_two_marks_at_once_one_wins(app: Flask) -> None:
    enrolment = a_studying()
    submission_id = handed_in(enrolment, homework_in(enrolment)[0]).id
    mentor_id = fresh(enrolment).mentor_id or 0
    start, ends = threading.Barrier(4), list[str]()

    def act(score: Score) -> None:
        with app.app_context():
            start.wait()
            try:
                grading.grade(mentor_id, submission_id, score, "改", clock.now())
                ends.append("graded")
            except AlreadyGraded:
                ends.append("refused")
            finally:
                db.session.remove()

    scores = (Score.A, Score.B, Score.COPY, Score.C)
    threads = [threading.Thread(target=act, args=(score,)) for score in scores]
    db.session.rollback()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["graded", "refused", "refused", "refused"]
    assert len(told(fresh(enrolment).account_id)) == 1
    assert_audit_clean()


@pytest.mark.only_on("postgresql")
def test_a_change_of_mentor_that_happens_meanwhile_is_seen(app: Flask) -> None:
    """It locks the enrolment and no account."""
    enrolment = a_studying()
    new_id = a_mentor().id
    submission_id = handed_in(enrolment, homework_in(enrolment)[0]).id
    old_id = fresh(enrolment).mentor_id or 0
    db.session.rollback()
    ends = list[str]()

    def act() -> None:
        with app.app_context():
            try:
                grading.grade(old_id, submission_id, Score.A, "", clock.now())
                ends.append("graded")
            except NotFound:
                ends.append("not found")
            finally:
                db.session.remove()

    with beside_the_shop() as other:
        other.execute(text("SELECT id FROM enrolled_degree_course FOR UPDATE"))
        thread = threading.Thread(target=act)
        thread.start()
        until_waiting(1)
        other.execute(text("UPDATE enrolled_degree_course SET mentor_id = :id"), {"id": new_id})
        other.commit()
        thread.join()
    assert ends == ["not found"]
    assert rows(enrolment) == []


# ---------------------------------------------------------------- the queue


def only(mentor_id: int | None, hours: float = 0) -> Waiting:
    """The one hand-in that waits, so many hours from now."""
    (row,) = grading.queue(mentor_id or 0, 1, clock.now() + hours * HOUR).rows
    return row


def test_what_waits_longest_comes_first_in_pages_of_twenty(app: Flask) -> None:
    mentor = a_mentor()
    course = a_degree_with_homework(modules=1, homework=1)
    now = clock.now()
    handed = {}
    for number in range(21):
        enrolment = a_studying(a_student(name=f"学员{number}"), course, mentor)
        at = now - (number * 7 % 21) * HOUR
        handed[handed_in(enrolment, homework_in(enrolment)[0], at=at).id] = at
    a_studying(course=course, mentor=mentor)  # who handed nothing in
    expected = sorted(handed, key=lambda key: (handed[key], key))
    first, second = (grading.queue(mentor.id, page, now) for page in (1, 2))
    assert [row.id for row in (*first.rows, *second.rows)] == expected
    assert (len(first.rows), first.total, first.pages, second.page) == (20, 21, 2, 2)
    for page in (0, 3):
        with pytest.raises(NotFound):
            grading.queue(mentor.id, page, now)
    graded = grading.grade(mentor.id, expected[4], Score.A, "", now)
    assert graded.next_id == expected[5]  # the one after it, and not the one that was left for later
    assert grading.grade(mentor.id, expected[20], Score.A, "", now).next_id == expected[0]
    assert_audit_clean()


def test_nothing_waits_at_first(app: Flask) -> None:
    queue = grading.queue(a_mentor().id, 1, clock.now())
    assert (queue.rows, queue.total, queue.pages, queue.hours) == ((), 0, 1, 48)


@pytest.mark.parametrize(("hours", "is_overdue"), [(0, False), (47.9, False), (48, True), (100, True)])
def test_a_hand_in_may_wait_for_48_hours(app: Flask, hours: float, is_overdue: bool) -> None:
    enrolment = a_studying()
    submission = handed_in(enrolment, homework_in(enrolment)[0])
    row = grading.queue(enrolment.mentor_id or 0, 1, submission.submitted_time + hours * HOUR).rows[0]
    assert row.clock.waited == hours * HOUR
    assert row.clock.left == (48 - hours) * HOUR
    assert row.clock.is_overdue == is_overdue


def test_the_time_of_a_new_mentor_begins_with_the_assignment(app: Flask) -> None:
    enrolment = a_studying()
    submission = handed_in(enrolment, homework_in(enrolment)[0])
    new = a_mentor()
    assignment.assign(enrolment.id, new.id, actor=STAFF, reason="a wish")
    since = clock.now() + 100 * HOUR
    db.session.query(MentorAssignment).filter_by(mentor_id=new.id).update({"from_time": since})
    db.session.commit()
    row = only(new.id, 110)
    assert row.clock.until == since + 48 * HOUR
    assert not row.clock.is_overdue
    assert row.clock.waited > 109 * HOUR
    assert row.submitted_time == submission.submitted_time


def test_a_leave_does_not_count(app: Flask) -> None:
    enrolment = a_studying()
    submitted = handed_in(enrolment, homework_in(enrolment)[0]).submitted_time
    on_leave(fresh(enrolment))
    row = only(enrolment.mentor_id, 1000)
    assert (row.clock.until, row.clock.is_overdue) == (None, False)
    rest = db.session.query(StudyLeave).one()
    rest.begin_time, rest.end_time = submitted + 8 * HOUR, submitted + 108 * HOUR
    saved(rest)
    row = grading.queue(fresh(enrolment).mentor_id or 0, 1, submitted + 118 * HOUR).rows[0]
    assert row.clock.left == 30 * HOUR


def test_what_cannot_be_graded_is_listed_with_its_reason_and_never_the_next(app: Flask) -> None:
    mentor = a_mentor()
    course = a_degree_with_homework(modules=1, homework=1)
    resting, other = (a_studying(course=course, mentor=mentor) for _ in range(2))
    first = handed_in(resting, homework_in(resting)[0])
    second = handed_in(other, homework_in(other)[0])
    asked_back(fresh(resting))
    assert [(row.id, row.is_suspended) for row in grading.queue(mentor.id, 1, clock.now()).rows] == [
        (first.id, True),
        (second.id, False),
    ]
    assert grading.grade(mentor.id, second.id, Score.A, "", clock.now()).next_id is None
    assert_audit_clean()


def test_the_pages_take_no_more_statements_for_more_rows(app: Flask) -> None:
    mentor_id = a_mentor().id
    course = a_degree_with_homework(modules=1, homework=1)
    counts = []
    for students in (1, 8):
        for _ in range(students):
            enrolment = a_studying(course=course, mentor=db.session.get_one(Account, mentor_id))
            submission = handed_in(enrolment, homework_in(enrolment)[0])
            for _again in range(students - 1):
                mark(enrolment, submission, Score.D)
                submission = handed_in(enrolment, homework_in(enrolment)[0])
        submission_id = submission.id
        db.session.rollback()
        with counted() as sent:
            grading.queue(mentor_id, 1, clock.now())
        with counted() as of_one:
            grading.page(mentor_id, submission_id, clock.now())
        counts.append((len(sent), len(of_one)))
    assert counts == [(3, 7), (3, 7)]
