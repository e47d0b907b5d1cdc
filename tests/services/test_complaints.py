"""Complaints: one at a time, decided by staff once; upheld, the mentor is fined and never learns who it was."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from click.testing import Result
from flask import Flask

from shop import clock
from shop.enums import ComplaintState, MessageType, Purse, Rule, ScoreType, StaffRole, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db
from shop.models import AuditLog, Complaint, EnrolledDegreeCourse, Notification, ScoreRecord
from shop.services import complaints, purses, rule_book
from shop.services.audit_log import Actor
from shop.services.complaints import NoMentor, OneWaits
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_student
from tests.degrees import STAFF, a_mentor, a_registered, a_studying, fresh
from tests.purchases import saved
from tests.statements import counted

TEXT = "从来不回复我的问题。"


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def enrolment(app: Flask) -> EnrolledDegreeCourse:
    return a_studying(a_student(username="luffy", name="路飞"), mentor=a_mentor(username="shenzhou"))


def file(enrolment: EnrolledDegreeCourse) -> int:
    return complaints.file(enrolment.account_id, enrolment.id, TEXT).id


def decide(complaint_id: int, *, upheld: bool) -> Complaint:
    complaints.decide(complaint_id, upheld=upheld, actor=STAFF, reason=" 核实过 ")
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Complaint, complaint_id)


def fines() -> list[tuple[int, int | None]]:
    db.session.rollback()
    rows = db.session.query(ScoreRecord).filter(ScoreRecord.complaint_id.is_not(None)).order_by(ScoreRecord.id)
    return [(row.score, row.complaint_id) for row in rows]


def told(account_id: int, kind: MessageType) -> list[str]:
    db.session.rollback()
    rows = db.session.query(Notification).filter_by(account_id=account_id, msg_type=kind).order_by(Notification.id)
    return [f"{row.content} {row.facts} {row.link}" for row in rows]


def last_entry() -> AuditLog:
    db.session.rollback()
    return db.session.query(AuditLog).order_by(AuditLog.id.desc()).limit(1).one()


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["complaints", *words])


# ---------------------------------------------------------------- filing


def test_a_complaint_waits_and_holds_the_fee_back(enrolment: EnrolledDegreeCourse) -> None:
    file(enrolment)
    held = fresh(enrolment)
    assert purses.is_frozen(db.session(), held, Purse.FEE)
    assert not purses.is_frozen(db.session(), held, Purse.REWARDS)
    view = complaints.index(held.account_id, held.id)
    assert (view.mentor, view.is_waiting, [one.content for one in view.complaints]) == ("沈舟", True, [TEXT])


def test_one_waits_at_a_time(enrolment: EnrolledDegreeCourse) -> None:
    first = file(enrolment)
    with pytest.raises(OneWaits):
        file(enrolment)
    decide(first, upheld=False)
    assert file(enrolment) != first


def test_of_two_at_once_one_is_filed(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    both_ready, outcomes = threading.Barrier(2), []
    account_id, enrolment_id = enrolment.account_id, enrolment.id
    db.session.rollback()

    def press() -> None:
        with app.app_context():
            both_ready.wait()
            try:
                complaints.file(account_id, enrolment_id, TEXT)
                outcomes.append("filed")
            except OneWaits:
                outcomes.append("one waits")

    threads = [threading.Thread(target=press) for _number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["filed", "one waits"]
    assert db.session.query(Complaint).count() == 1


def test_it_needs_a_mentor_and_ones_own_degree(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    alone = a_registered()
    with pytest.raises(NoMentor):
        file(alone)
    assert complaints.index(alone.account_id, alone.id).mentor is None
    for stranger in (alone.account_id, enrolment.mentor_id or 0):
        with pytest.raises(NotFound):
            complaints.file(stranger, enrolment.id, TEXT)
        with pytest.raises(NotFound):
            complaints.index(stranger, enrolment.id)
    with pytest.raises(NotFound):
        complaints.file(enrolment.account_id, 2**31 - 1, TEXT)
    assert db.session.query(Complaint).count() == 0


def test_one_may_still_complain_after_the_end(enrolment: EnrolledDegreeCourse) -> None:
    enrolment.study_status, enrolment.ended_time = StudyStatus.OVERTIME, clock.now()
    db.session.commit()
    decide(file(enrolment), upheld=True)
    assert fresh(enrolment).mentor_fee_balance == 1300


def test_the_list_has_pages_and_few_statements(
    enrolment: EnrolledDegreeCourse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaints, "PAGE_SIZE", 2)
    ids = [decide(file(enrolment), upheld=False).id for _number in range(3)]
    db.session.expire_all()
    with counted() as sent:
        pages = [complaints.index(enrolment.account_id, enrolment.id, page) for page in (1, 2)]
    assert [[one.id for one in page.complaints] for page in pages] == [[ids[2], ids[1]], [ids[0]]]
    assert len(sent) <= 12
    for page in (0, 3):
        with pytest.raises(NotFound):
            complaints.index(enrolment.account_id, enrolment.id, page)


# ---------------------------------------------------------------- deciding


def test_an_upheld_complaint_is_fined_by_its_rule(enrolment: EnrolledDegreeCourse) -> None:
    complaint_id = file(enrolment)
    mentor_id = enrolment.mentor_id or 0
    done = decide(complaint_id, upheld=True)
    assert (done.state, done.decision, done.decided_time is not None) == (ComplaintState.UPHELD, "核实过", True)
    assert fines() == [(-200, complaint_id)]
    assert fresh(enrolment).mentor_fee_balance == 1300
    (fine,) = db.session.query(ScoreRecord).filter_by(complaint_id=complaint_id)
    assert (fine.rule.rule, fine.event, fine.account_id) == (Rule.COMPLAINT, f"complaint:{complaint_id}", mentor_id)
    entry = last_entry()
    assert (entry.action, entry.actor, entry.reason) == ("complaint decide", STAFF.name, "核实过")
    assert entry.after == {"state": 1, "mentor": mentor_id, "is_assigned": True, "fine": 200}
    assert not purses.is_frozen(db.session(), fresh(enrolment), Purse.FEE)


def test_a_dismissed_complaint_costs_nothing_and_the_mentor_hears_nothing(enrolment: EnrolledDegreeCourse) -> None:
    mentor_id = enrolment.mentor_id or 0
    decide(file(enrolment), upheld=False)
    assert (fines(), fresh(enrolment).mentor_fee_balance) == ([], 1500)
    assert told(mentor_id, MessageType.REWARD) == []
    (message,) = [text for text in told(enrolment.account_id, MessageType.STUDY) if "投诉" in text]
    assert "不成立" in message
    assert f"/learning/degrees/{enrolment.id}/complaints" in message


def test_the_mentor_is_told_of_the_penalty_and_of_nothing_else(enrolment: EnrolledDegreeCourse) -> None:
    mentor_id, course = enrolment.mentor_id or 0, enrolment.degree_course.name
    decide(file(enrolment), upheld=True)
    (message,) = told(mentor_id, MessageType.REWARD)
    assert "200" in message
    assert message.endswith("/mentor/earnings")
    everything = " ".join(
        text for kind in MessageType for text in told(mentor_id, kind) if "您有一位新学员" not in text
    )
    for secret in (TEXT, "路飞", "luffy", course, "核实过", f"students/{enrolment.id}"):
        assert secret not in everything
    (outcome,) = [text for text in told(enrolment.account_id, MessageType.STUDY) if "投诉" in text]
    assert "成立" in outcome
    assert TEXT not in outcome


def test_a_fine_takes_no_more_than_there_is(enrolment: EnrolledDegreeCourse) -> None:
    rule_book.change(Rule.COMPLAINT, ScoreType.PENALTY, 1400, actor=STAFF, reason="a test")
    first, second = decide(file(enrolment), upheld=True), decide(file(enrolment), upheld=True)
    assert fines() == [(-1400, first.id), (-100, second.id)]
    assert fresh(enrolment).mentor_fee_balance == 0


def test_it_is_decided_once_also_by_two_at_once(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    complaint_id, both_ready, outcomes = file(enrolment), threading.Barrier(2), []

    def press(upheld: bool) -> None:
        with app.app_context():
            both_ready.wait()
            try:
                complaints.decide(complaint_id, upheld=upheld, actor=STAFF, reason="核实")
                outcomes.append("done")
            except NotYourTurn:
                outcomes.append("too late")

    db.session.rollback()
    threads = [threading.Thread(target=press, args=[upheld]) for upheld in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "too late"]
    assert db.session.query(AuditLog).filter_by(action="complaint decide").count() == 1
    with pytest.raises(NotYourTurn):
        decide(complaint_id, upheld=True)


def test_a_mentor_who_is_gone_is_not_fined_and_the_log_says_so(enrolment: EnrolledDegreeCourse) -> None:
    before = a_mentor()
    kept = saved(Complaint(enrolled_degree_course_id=enrolment.id, mentor_id=before.id, content=TEXT))
    assert decide(kept.id, upheld=True).state is ComplaintState.UPHELD
    assert (fines(), fresh(enrolment).mentor_fee_balance) == ([], 1500)
    assert told(before.id, MessageType.REWARD) == []
    assert last_entry().after == {"state": 1, "mentor": before.id, "is_assigned": False, "fine": None}


def test_who_decided_is_kept(enrolment: EnrolledDegreeCourse) -> None:
    clerk = a_clerk(StaffRole.REGISTRY)
    complaint_id = file(enrolment)
    complaints.decide(complaint_id, upheld=False, actor=Actor(clerk.username, clerk.id), reason="核实")
    db.session.rollback()
    assert db.session.get_one(Complaint, complaint_id).handler_id == clerk.id
    assert last_entry().account_id == clerk.id


@pytest.mark.parametrize("reason", ["", "  ", "x" * 256])
def test_a_decision_needs_a_reason(enrolment: EnrolledDegreeCourse, reason: str) -> None:
    complaint_id = file(enrolment)
    with pytest.raises(ValueError, match="reason"):
        complaints.decide(complaint_id, upheld=True, actor=STAFF, reason=reason)
    assert (fines(), len(complaints.listed())) == ([], 1)


def test_an_unknown_one_is_not_found(app: Flask) -> None:
    with pytest.raises(NotFound):
        complaints.decide(2**31 - 1, upheld=True, actor=STAFF, reason="x")


# ---------------------------------------------------------------- commands


def test_the_commands_list_and_decide(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    complaint_id = str(complaints.file(enrolment.account_id, enrolment.id, "第一行写了很多字\n第二行").id)
    (line, total) = run(app, "list").stdout.splitlines()
    assert line.startswith(f"{complaint_id}  ")
    assert "waiting  luffy about shenzhou" in line
    assert line.endswith("第一行写了很多字 第二行")
    assert total == "1 complaints."
    for words in (
        (complaint_id, "--reason", "x"),
        (complaint_id, "--upheld", "--dismissed", "--reason", "x"),
        (complaint_id, "--upheld"),
        ("0", "--upheld", "--reason", "x"),
    ):
        assert run(app, "decide", *words).exit_code == 2
    blank = run(app, "decide", complaint_id, "--upheld", "--reason", " ")
    assert (blank.exit_code, "1 to 255 characters" in blank.output) == (1, True)
    done = run(app, "decide", complaint_id, "--upheld", "--reason", "核实")
    assert (done.exit_code, done.stdout) == (0, f"Complaint {complaint_id}: upheld.\n")
    again = run(app, "decide", complaint_id, "--dismissed", "--reason", "核实")
    assert (again.exit_code, "decided already" in again.output) == (1, True)
    assert "no complaint 999999" in run(app, "decide", "999999", "--upheld", "--reason", "x").output
    assert run(app, "list").stdout == "0 complaints.\n"
    assert "upheld  luffy" in run(app, "list", "--all").stdout


def test_the_list_takes_one_statement(app: Flask, enrolment: EnrolledDegreeCourse) -> None:
    for one in (enrolment, a_studying()):
        file(one)
    db.session.rollback()
    with counted() as sent:
        assert len(complaints.listed()) == 2
    assert len(sent) == 1
