"""The registration form as a service: filed once, reopened with a reason, read with a trace (safety.md 4, 7)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from shop import clock
from shop.enums import MessageType, ModuleStatus, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.extensions import db
from shop.models import (
    AuditLog,
    DegreeRegistrationDraft,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    Notification,
    StudyRecord,
)
from shop.services import leave, modules, refunds, registration
from shop.services.registration import AlreadyFiled, MentorsView
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import ANSWERS, STAFF, a_degree_with_homework, a_mentor, a_registered, a_studying, fresh
from tests.faults.barrier import barrier, until_waiting
from tests.purchases import enrolled_in_degree
from tests.statements import counted

WHY = "请补全公司名称"
WITH_SALARY = {"current_salary": 73519, "salary_consent": True}


def filed(enrolment: EnrolledDegreeCourse) -> DegreeRegistrationForm:
    form = fresh(enrolment).registration
    assert form is not None
    return form


def file(enrolment: EnrolledDegreeCourse, **answers: Any) -> None:
    registration.file_registration(enrolment.account_id, enrolment.id, replace(ANSWERS, **answers), clock.now())


def reopen(enrolment: EnrolledDegreeCourse, reason: str = WHY) -> None:
    registration.reopen(enrolment.id, actor=STAFF, reason=reason)


def audited() -> list[AuditLog]:
    db.session.rollback()
    return db.session.query(AuditLog).order_by(AuditLog.id).all()


def statuses(enrolment: EnrolledDegreeCourse) -> list[ModuleStatus]:
    return [record.status for record in modules.in_order(db.session(), enrolment.id)]


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["registrations", *words])


# ---------------------------------------------------------------- filing


@pytest.mark.parametrize("table", ["degree_registration_form", "study_record"])
def test_of_two_at_once_one_is_filed(app: Flask, table: str) -> None:
    enrolment = enrolled_in_degree(a_student(), a_degree_with_homework())
    enrolment_id, account_id, outcomes = enrolment.id, enrolment.account_id, []

    def send(company: str) -> None:
        with app.app_context():
            answers = replace(ANSWERS, current_company=company)
            try:
                registration.file_registration(account_id, enrolment_id, answers, clock.now())
                outcomes.append(company)
            except AlreadyFiled:
                outcomes.append("already")

    db.session.rollback()
    threads = [threading.Thread(target=send, args=[company]) for company in ("甲", "乙")]
    with barrier(table):
        for thread in threads:
            thread.start()
        until_waiting(2)
    for thread in threads:
        thread.join()
    (winner,) = set(outcomes) - {"already"}
    assert len(outcomes) == 2
    form = filed(enrolment)
    assert (form.current_company, form.filings) == (winner, 1)
    assert db.session.query(Notification).filter_by(msg_type=MessageType.STUDY).count() == 1  # the module opened once
    assert_audit_clean()


def test_filing_deletes_the_draft_with_the_form_or_not_at_all(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolment = enrolled_in_degree(a_student(), a_degree_with_homework())
    registration.save_draft(enrolment.account_id, enrolment.id, {"current_company": "草"}, clock.now())

    def fails(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(modules, "open_module", fails)
        with pytest.raises(RuntimeError):
            file(enrolment)
    assert fresh(enrolment).registration is None
    assert db.session.query(DegreeRegistrationDraft).count() == 1
    file(enrolment)
    assert filed(enrolment).filings == 1
    assert db.session.query(DegreeRegistrationDraft).count() == 0


def test_a_salary_without_its_consent_is_not_kept_whoever_asks(app: Flask) -> None:
    form = filed(a_registered(current_salary=73519, salary_consent=False))
    assert (form.current_salary, form.salary_consent_time) == (None, None)


def test_answers_do_not_show_what_is_sensitive_where_they_are_printed() -> None:
    printed = repr(replace(ANSWERS, current_company="ZQX-Kanarienvogel", **WITH_SALARY))
    assert "想学" in printed
    assert not any(word in printed for word in ("ZQX", "船长", "73519", "WorkExperience"))


# ---------------------------------------------------------------- whose it is


def test_to_a_stranger_every_door_is_a_wall(app: Flask) -> None:
    enrolment, stranger = a_registered(**WITH_SALARY), a_student().id
    doors: list[Callable[[], object]] = [
        lambda: registration.registration(stranger, enrolment.id),
        lambda: registration.save_draft(stranger, enrolment.id, {}, clock.now()),
        lambda: registration.file_registration(stranger, enrolment.id, ANSWERS, clock.now()),
        lambda: registration.forget_salary(stranger, enrolment.id),
    ]
    for door in doors:
        with pytest.raises(NotFound):
            door()
    assert filed(enrolment).current_salary == 73519


def test_a_refund_under_way_closes_the_form(app: Flask) -> None:
    enrolment = a_registered(open_module=False)
    reopen(enrolment)
    line = fresh(enrolment).order_detail
    refunds.ask(enrolment.account_id, line.order.order_number, [line.id], "不学了")
    assert not registration.registration(enrolment.account_id, enrolment.id).is_open
    with pytest.raises(NotYourTurn) as refused:
        file(enrolment)
    assert not isinstance(refused.value, AlreadyFiled)
    assert filed(enrolment).filings == 1


def test_a_leave_does_not_keep_from_correcting_a_form(app: Flask) -> None:
    enrolment = a_studying()
    leave.begin(enrolment.account_id, enrolment.id, "出海")
    reopen(enrolment)
    file(enrolment, current_company="新公司")
    assert filed(enrolment).current_company == "新公司"
    assert fresh(enrolment).study_status is StudyStatus.ON_LEAVE
    assert_audit_clean()


# ---------------------------------------------------------------- reopened


def test_a_reopened_form_is_told_and_written_down_without_its_answers(app: Flask) -> None:
    enrolment = a_registered(**WITH_SALARY)
    before = clock.now()
    reopen(enrolment, f"  {WHY} ")
    (row,) = audited()
    assert (row.action, row.subject_table, row.subject_id) == (
        "degree_registration_form reopen",
        "degree_registration_form",
        filed(enrolment).id,
    )
    assert (row.actor, row.reason, row.before, row.after) == (STAFF.name, WHY, None, None)
    opened = filed(enrolment).reopened_time
    assert opened is not None
    assert before - timedelta(seconds=1) <= opened <= clock.now()
    message = db.session.query(Notification).order_by(Notification.id.desc()).first()
    assert message is not None
    assert (message.account_id, message.msg_type) == (enrolment.account_id, MessageType.STUDY)
    assert message.link == f"/degrees/enrolments/{enrolment.id}/registration"
    assert WHY in json.dumps(message.facts, ensure_ascii=False)
    with pytest.raises(NotYourTurn):
        reopen(enrolment)
    assert len(audited()) == 1


def test_filing_again_replaces_the_answers_and_leaves_the_modules(app: Flask) -> None:
    enrolment = a_registered(**WITH_SALARY)
    first = filed(enrolment).filed_time
    opened = statuses(enrolment)
    reopen(enrolment)
    later = first + timedelta(hours=1)
    answers = replace(ANSWERS, current_company="新公司", open_module=False)
    registration.file_registration(enrolment.account_id, enrolment.id, answers, later)
    form = filed(enrolment)
    assert (form.current_company, form.filings, form.filed_time, form.reopened_time) == ("新公司", 2, later, None)
    assert (form.current_salary, form.salary_consent_time) == (None, None)  # it was not given again
    assert form.open_module is True  # the page does not ask once the module is open
    assert statuses(enrolment) == opened == [ModuleStatus.STUDYING, ModuleStatus.LOCKED]
    with pytest.raises(AlreadyFiled):
        file(enrolment)
    reopen(enrolment)
    file(enrolment)
    assert filed(enrolment).filings == 3
    assert_audit_clean()


def test_a_form_filed_again_opens_the_module_that_is_still_locked(app: Flask) -> None:
    enrolment = a_registered(open_module=False)
    reopen(enrolment)
    file(enrolment, open_module=True)
    assert statuses(enrolment) == [ModuleStatus.STUDYING, ModuleStatus.LOCKED]
    assert fresh(enrolment).study_status is StudyStatus.STUDYING
    assert_audit_clean()


@pytest.mark.parametrize("reason", ["", " \n", "长" * 256])
def test_staff_give_a_reason(app: Flask, reason: str) -> None:
    enrolment = a_registered()
    with pytest.raises(ValueError, match="reason"):
        reopen(enrolment, reason)
    with pytest.raises(ValueError, match="reason"):
        registration.read_whole(enrolment.id, actor=STAFF, reason=reason)
    assert filed(enrolment).reopened_time is None
    assert audited() == []


@pytest.mark.parametrize("status", [StudyStatus.GRADUATED, StudyStatus.OVERTIME])
def test_an_ended_study_is_not_asked_again(app: Flask, status: StudyStatus) -> None:
    enrolment = a_registered()
    reopened = a_registered()
    reopen(reopened)
    for each in (fresh(enrolment), fresh(reopened)):
        each.study_status, each.ended_time = status, clock.now()
        db.session.commit()
    with pytest.raises(NotYourTurn):
        reopen(enrolment)
    with pytest.raises(NotYourTurn):
        file(reopened)
    found = registration.registration(reopened.account_id, reopened.id)
    assert (found.is_open, found.is_filed) == (False, True)  # it is read only again


def test_what_was_never_filed_is_neither_reopened_nor_read(app: Flask) -> None:
    enrolment = enrolled_in_degree(a_student(), a_degree_with_homework())
    for number in (enrolment.id, 2**31 - 1):
        with pytest.raises(NotFound):
            registration.reopen(number, actor=STAFF, reason=WHY)
        with pytest.raises(NotFound):
            registration.read_whole(number, actor=STAFF, reason=WHY)
        assert registration.for_mentor(number) is None
    assert audited() == []


# ---------------------------------------------------------------- read


def test_a_look_of_staff_shows_all_and_leaves_a_trace_of_who_whose_when_and_why(app: Flask) -> None:
    enrolment, other = a_registered(**WITH_SALARY), a_registered()
    assert registration.read_whole(enrolment.id, actor=STAFF, reason="安排导师") == replace(ANSWERS, **WITH_SALARY)
    (row,) = audited()
    assert (row.actor, row.subject_id, row.reason) == (STAFF.name, filed(enrolment).id, "安排导师")
    assert abs(row.date - clock.now()) < timedelta(minutes=1)
    assert (row.before, row.after) == (None, None)
    looks = [registration.registration(each.account_id, each.id).filed for each in (enrolment, other)]
    assert [look.looks for look in looks if look] == [1, 0]


def test_mentors_are_given_nothing_about_work_and_pay(app: Flask) -> None:
    enrolment = a_registered(memo="夜猫", stu_specified_mentor="沈舟", **WITH_SALARY)
    view = registration.for_mentor(enrolment.id)
    assert view == MentorsView(
        study_plan=ANSWERS.study_plan,
        why_take_this_course="想学",
        why_choose_us="听说好",
        your_expectation="能用",
        memo="夜猫",
        stu_specified_mentor="沈舟",
        filed_time=filed(enrolment).filed_time,
    )
    assert not {"current_company", "current_position", "current_salary", "work_experience"} & asdict(view).keys()


def test_the_page_costs_the_same_for_any_number_of_mentors_and_modules(app: Flask) -> None:
    costs = []
    for size in (1, 6):
        for _ in range(size):
            a_mentor(name=f"导师{size}")
        enrolment = enrolled_in_degree(a_student(), a_degree_with_homework(modules=size))
        account_id, enrolment_id = enrolment.account_id, enrolment.id
        db.session.rollback()
        db.session.expunge_all()
        with counted() as sent:
            registration.registration(account_id, enrolment_id)
        costs.append(len(sent))
    assert costs[0] == costs[1] <= 7


# ---------------------------------------------------------------- commands


def test_the_commands_list_what_waits_and_reopen(app: Flask) -> None:
    enrolment = a_registered(
        a_student(username="luffy", name="路飞"), stu_specified_mentor="沈舟", current_company="ZQX", **WITH_SALARY
    )
    a_studying()
    listed = run(app, "waiting").output
    assert listed.startswith(f"{enrolment.id}  ")
    assert all(
        part in listed
        for part in (
            "luffy",
            "路飞",
            fresh(enrolment).degree_course.name,
            "wishes for 沈舟",
            f"{clock.now():%Y}",
            "1 forms wait.",
        )
    )
    assert not any(word in listed for word in ("ZQX", "73519", "船长"))
    done = run(app, "reopen", str(enrolment.id), "--reason", WHY)
    assert (done.exit_code, "is open again" in done.output) == (0, True)
    assert filed(enrolment).reopened_time is not None
    again = run(app, "reopen", str(enrolment.id), "--reason", WHY)
    assert (again.exit_code, "open already" in again.output) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("999999", "--reason", WHY), 1, "no form is filed for enrolment 999999"),
        (("1",), 2, "Missing option '--reason'"),
        (("0", "--reason", WHY), 2, "not in the range"),
        (("9999999999", "--reason", WHY), 2, "not in the range"),
        (("x", "--reason", WHY), 2, "not a valid integer"),
        (("1", "--reason", "  "), 2, "1 to 255 characters"),
    ],
)
def test_the_command_says_what_is_wrong(app: Flask, words: tuple[str, ...], code: int, says: str) -> None:
    refused = run(app, "reopen", *words)
    assert (refused.exit_code, says in refused.output) == (code, True), refused.output
    assert db.session.query(StudyRecord).count() == 0
