"""F63: clerks of the registry who decide the same thing at the same moment, in processes of their own: one wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from shop.enums import ComplaintState, Score, StaffRole
from shop.extensions import db
from shop.models import AuditLog, Complaint, EnrolledDegreeCourse, HomeworkSubmission, MentorAssignment, ScoreRecord
from shop.services import assignment, complaints, remarking
from shop.services.audit_log import Actor
from tests.audit import assert_audit_clean
from tests.builders import a_clerk
from tests.degrees import a_hand_in, a_mentor, a_registered, a_studying
from tests.faults.crowd import Crowd
from tests.faults.purchase import count

EACH = 2


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def clerks(app: Flask) -> list[Actor]:
    people = [a_clerk(StaffRole.REGISTRY) for _ in range(2)]
    return [Actor(person.username, person.id) for person in people]


def decide(what: str, number: int, choice: int, clerk: Actor) -> None:
    """What a clerk does, in a process of the crowd; each has seen the thing as it was before."""
    steps: dict[str, Callable[[], Any]] = {
        "complaint": lambda: complaints.decide(number, upheld=bool(choice), actor=clerk, reason="核实"),
        "mentor": lambda: assignment.assign(number, choice, actor=clerk, reason="核实", instead_of=None),
        "mark": lambda: remarking.remark(
            number, Score(choice), "请看踩分点", actor=clerk, reason="复核", instead_of=Score.A
        ),
    }
    steps[what]()


def the(enrolment_id: int) -> EnrolledDegreeCourse:
    db.session.rollback()
    return db.session.get_one(EnrolledDegreeCourse, enrolment_id)


def test_of_two_clerks_one_decides_a_complaint(app: Flask, crowd: Crowd, clerks: list[Actor]) -> None:
    enrolment = a_studying()
    enrolment_id = enrolment.id
    complaint_id = complaints.file(enrolment.account_id, enrolment_id, "导师三周没有联系过我。").id
    db.session.remove()
    calls = [("complaint", complaint_id, choice, clerk) for choice, clerk in enumerate(clerks)] * EACH
    assert crowd.outcomes("audit_log", decide, calls, waiting=1) == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    db.session.rollback()
    is_upheld = db.session.get_one(Complaint, complaint_id).state is ComplaintState.UPHELD
    assert the(enrolment_id).mentor_fee_balance == (1300 if is_upheld else 1500)
    assert count(AuditLog, AuditLog.action == "complaint decide") == 1


def test_of_two_clerks_one_assigns_the_mentor(app: Flask, crowd: Crowd, clerks: list[Actor]) -> None:
    enrolment_id, mentors = a_registered().id, [a_mentor().id, a_mentor().id]
    db.session.remove()
    calls = [("mentor", enrolment_id, mentor, clerk) for mentor, clerk in zip(mentors, clerks, strict=True)] * EACH
    assert crowd.outcomes("mentor_assignment", decide, calls, waiting=1) == {"done": 1, "NotYourTurn": 2 * EACH - 1}
    assert (count(MentorAssignment), the(enrolment_id).mentor_fee_balance) == (1, 1500)


def test_of_two_clerks_one_changes_the_mark(app: Flask, crowd: Crowd, clerks: list[Actor]) -> None:
    enrolment = a_studying()
    enrolment_id, hand_in = enrolment.id, a_hand_in(enrolment, score=Score.A).id
    marks = [int(Score.B), int(Score.C_PLUS)]
    db.session.remove()
    calls = [("mark", hand_in, score, clerk) for score, clerk in zip(marks, clerks, strict=True)] * EACH
    assert crowd.outcomes("score_record", decide, calls, waiting=1) == {"done": 1, "NotRemarked": 2 * EACH - 1}
    db.session.rollback()
    score = db.session.get_one(HomeworkSubmission, hand_in).score
    assert score is not None and the(enrolment_id).reward_balance == int(score)
    assert count(ScoreRecord, ScoreRecord.homework_submission_id == hand_in) == 1
