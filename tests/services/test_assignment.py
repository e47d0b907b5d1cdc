"""Who is whose mentor: what staff see, what assigning books and refuses, and two staff people at once."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from click.testing import Result
from flask import Flask

from shop import clock
from shop.enums import ComplaintState, QuestionStatus, Role, Rule, Score, ScoreType, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db
from shop.models import (
    Account,
    Appeal,
    AuditLog,
    EnrolledDegreeCourse,
    MentorAssignment,
    Notification,
    Question,
    ScoreRecord,
)
from shop.services import assignment, complaints, refunds, rule_book
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_hand_in, a_mentor, a_registered, a_studying, fresh
from tests.purchases import enrolled_in_degree, saved
from tests.statements import counted

WHY = "the student's wish"


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["mentors", *words])


def refusal(enrolment: EnrolledDegreeCourse, mentor: Account, **how: object) -> object:
    with pytest.raises(NotYourTurn) as refused:
        assignment.assign(enrolment.id, mentor.id, actor=STAFF, **how)  # type: ignore[arg-type]
    return refused.value.facts["why"]


def fees() -> list[tuple[str, int, int]]:
    db.session.rollback()
    rows = db.session.query(ScoreRecord).order_by(ScoreRecord.id)
    return [(row.event.split(":")[0], row.score, row.balance) for row in rows]


# ---------------------------------------------------------------- what staff see


def test_forms_wait_oldest_first_with_the_wished_mentor(app: Flask) -> None:
    course = a_degree_with_homework(name="Python 全栈")
    second = a_registered(course=course)
    first = a_registered(a_student(name="路飞"), course, stu_specified_mentor="沈舟")
    assert first.registration is not None
    first.registration.filed_time = clock.now() - timedelta(days=1)
    db.session.commit()
    a_studying(course=course)  # has a mentor
    enrolled_in_degree(a_student(), course)  # has not filed
    a_registered(course=course).closed_time = clock.now()
    db.session.commit()
    found = assignment.waiting()
    assert [(form.enrolment_id, form.wished_mentor) for form in found] == [(first.id, "沈舟"), (second.id, None)]
    assert (found[0].name, found[0].degree, found[0].is_suspended) == ("路飞", "Python 全栈", False)
    assert not {"current_salary", "current_company"} & set(found[0].__dataclass_fields__)


def test_a_form_whose_refund_is_under_way_says_so(app: Flask) -> None:
    enrolment = a_registered(open_module=False)
    line = enrolment.order_detail
    refunds.ask(enrolment.account_id, line.order.order_number, [line.id], "不学了")
    (form,) = assignment.waiting()
    assert form.is_suspended
    assert refusal(enrolment, a_mentor()) == "ended"


def test_mentors_are_listed_with_their_load_the_least_first(app: Flask) -> None:
    busy, free = a_mentor(username="busy"), a_mentor(username="free")
    a_mentor(username="gone", is_active=False)
    a_student(username="boss", role=Role.MENTOR, is_staff=True)
    course = a_degree_with_homework()
    one, _two = a_studying(course=course, mentor=busy), a_studying(course=course, mentor=busy)
    over = a_studying(course=course, mentor=busy)
    over.study_status, over.ended_time = StudyStatus.OVERTIME, clock.now()
    db.session.commit()
    a_hand_in(one)
    a_hand_in(one, 1, score=Score.A)
    saved(Question(account_id=one.account_id, enrolled_degree_course_id=one.id, **_about(course.id)))
    saved(
        Question(
            account_id=one.account_id,
            enrolled_degree_course_id=one.id,
            status=QuestionStatus.CLOSED,
            **_about(course.id),
        )
    )
    loads = [(load.username, load.students, load.homework, load.questions) for load in assignment.mentors()]
    assert loads == [("free", 0, 0, 0), ("busy", 2, 1, 1)]
    assert assignment.mentor_named("free") == free.id


def test_both_lists_take_one_statement_however_long(app: Flask) -> None:
    course = a_degree_with_homework()
    for _number in range(3):
        a_studying(course=course)
        a_registered(course=course)
    db.session.rollback()
    with counted() as sent:
        assert len(assignment.waiting()) == len(assignment.mentors()) == 3
    assert len(sent) == 2


# ---------------------------------------------------------------- assigning and changing


def test_the_fee_is_the_degrees_own_when_the_rule_leaves_it_to_it(app: Flask) -> None:
    rule_book.change(Rule.MENTOR, ScoreType.INITIAL, 0, actor=STAFF, reason="by degree")
    enrolment = a_studying(course=a_degree_with_homework(mentor_compensation_bonus=777))
    assert fees() == [("fee", 777, 777)]
    assert fresh(enrolment).mentor_fee_balance == 777
    assert_audit_clean()


def test_a_change_ends_the_assignment_before_and_tells_all_three(app: Flask) -> None:
    enrolment = a_studying(student=a_student(name="路飞"))
    old, new = enrolment.mentor_id, a_mentor(name="叶帆")
    assignment.assign(enrolment.id, new.id, actor=STAFF, reason=f"  {WHY} ", instead_of=old)
    db.session.rollback()
    rows = db.session.query(MentorAssignment).order_by(MentorAssignment.id).all()
    assert [(row.mentor_id, row.fee, row.until_time is None) for row in rows] == [
        (old, 1500, False),
        (new.id, 1500, True),
    ]
    assert rows[0].until_time == rows[1].from_time
    assert rows[1].reason == WHY
    told = db.session.query(Notification).order_by(Notification.id).all()[-3:]
    assert [message.account_id for message in told] == [enrolment.account_id, new.id, old]
    assert told[1].link == f"/mentor/students/{enrolment.id}"
    last = db.session.query(AuditLog).order_by(AuditLog.id.desc()).first()
    assert last is not None
    assert (last.before, last.reason) == ({"mentor": old}, WHY)
    assert_audit_clean()


def test_what_cannot_be_assigned_says_why(app: Flask) -> None:
    course, mentor = a_degree_with_homework(), a_mentor()
    assert refusal(enrolled_in_degree(a_student(), course), mentor) == "form"
    assert refusal(a_registered(student=mentor, course=course), mentor) == "self"
    enrolment = a_studying(course=course, mentor=mentor)
    assert refusal(enrolment, mentor, reason=WHY) == "same"
    assert refusal(enrolment, a_mentor(), reason=WHY, instead_of=None) == "changed"
    ended = a_registered(course=course)
    ended.study_status, ended.ended_time = StudyStatus.OVERTIME, clock.now()
    db.session.commit()
    assert refusal(ended, mentor) == "ended"
    assert fees() == [("fee", 1500, 1500)]
    assert_audit_clean()


@pytest.mark.parametrize("values", [{"role": Role.STUDENT}, {"is_active": False}, {"is_staff": True}], ids=str)
def test_only_an_active_mentor_can_be_one(app: Flask, values: dict[str, object]) -> None:
    with pytest.raises(NotFound):
        assignment.assign(a_registered().id, a_mentor(**values).id, actor=STAFF)
    with pytest.raises(NotFound):
        assignment.assign(2**31 - 1, a_mentor().id, actor=STAFF)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 256])
def test_a_change_needs_a_reason(app: Flask, reason: str) -> None:
    enrolment = a_studying()
    with pytest.raises(ValueError, match="reason"):
        assignment.assign(enrolment.id, a_mentor().id, actor=STAFF, reason=reason)
    assert fees() == [("fee", 1500, 1500)]


def test_a_first_reason_that_is_too_long_is_refused_too(app: Flask) -> None:
    with pytest.raises(ValueError, match="reason"):
        assignment.assign(a_registered().id, a_mentor().id, actor=STAFF, reason="x" * 256)


def test_no_change_while_a_complaint_or_an_appeal_waits(app: Flask) -> None:
    """The fee would leave the mentor it is about before anybody has decided."""
    enrolment, other = a_studying(), a_mentor()
    complaint = complaints.file(enrolment.account_id, enrolment.id, "从来不回复我的问题。")
    assert refusal(enrolment, other, reason=WHY) == "frozen"
    complaints.decide(complaint.id, upheld=True, actor=STAFF, reason="true")
    fine = db.session.query(ScoreRecord).filter_by(complaint_id=complaint.id).one()
    appeal = saved(Appeal(score_record_id=fine.id, account_id=enrolment.mentor_id, content="我回复过。"))
    assert refusal(enrolment, other, reason=WHY) == "frozen"
    appeal.state, appeal.decided_time = ComplaintState.DISMISSED, clock.now()
    db.session.commit()
    assignment.assign(enrolment.id, other.id, actor=STAFF, reason=WHY)
    assert fees()[-2:] == [("handover", -1300, 0), ("handover", 1300, 1300)]
    assert_audit_clean()


def test_two_staff_people_at_once_one_wins(app: Flask) -> None:
    enrolment, mentors, both_ready = a_registered(), [a_mentor(), a_mentor()], threading.Barrier(2)
    ids, outcomes = [mentor.id for mentor in mentors], []

    def choose(mentor_id: int) -> None:
        with app.app_context():
            both_ready.wait()
            try:
                assignment.assign(enrolment_id, mentor_id, actor=STAFF, reason=WHY, instead_of=None)
                outcomes.append("done")
            except NotYourTurn as refused:
                outcomes.append(str(refused.facts["why"]))

    enrolment_id = enrolment.id
    db.session.rollback()
    threads = [threading.Thread(target=choose, args=[mentor_id]) for mentor_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["changed", "done"]
    assert fees() == [("fee", 1500, 1500)]
    assert db.session.query(MentorAssignment).count() == 1
    assert_audit_clean()


# ---------------------------------------------------------------- commands


def test_the_commands_assign_and_say_what_waits(app: Flask) -> None:
    a_mentor(username="shenzhou"), a_mentor(username="yefan", name="叶帆")
    enrolment = a_registered(student=a_student(username="luffy"))
    assert "luffy" in run(app, "waiting").output
    assert "1 forms wait." in run(app, "waiting").output
    assert "yefan (叶帆)  0 students  0 to grade  0 to answer" in run(app, "list").output
    number = str(enrolment.id)
    done = run(app, "assign", number, "shenzhou")
    assert (done.exit_code, done.output) == (0, f"Enrolment {number}: shenzhou is the mentor, with 1500 beli of fee.\n")
    assert "0 forms wait." in run(app, "waiting").output
    refused = run(app, "assign", number, "yefan")
    assert (refused.exit_code, "a reason has 1 to 255 characters" in refused.output) == (1, True)
    assert "yefan is the mentor" in run(app, "assign", number, "yefan", "--reason", WHY).output
    assert_audit_clean()


def test_the_command_says_what_is_wrong(app: Flask) -> None:
    enrolment = a_studying(mentor=a_mentor(username="shenzhou"))
    a_mentor(username="yefan")
    number = str(enrolment.id)
    for words, says in {
        (number, "nobody"): "no mentor named nobody",
        ("999999", "yefan"): "no enrolment 999999",
        (number, "shenzhou", "--reason", WHY): "has this mentor already",
        ("0", "yefan"): "not in the range",
    }.items():
        refused = run(app, "assign", *words)
        assert (refused.exit_code > 0, says in refused.output) == (True, True), refused.output
    complaints.file(enrolment.account_id, enrolment.id, "从来不回复我的问题。")
    frozen = run(app, "assign", number, "yefan", "--reason", WHY)
    assert "an appeal or a complaint about its mentor waits" in frozen.output
    assert_audit_clean()


# ---------------------------------------------------------------- rows


def _about(degree_id: int) -> dict[str, object]:
    return {"degree_course_id": degree_id, "title": "问题", "content": "为什么"}
