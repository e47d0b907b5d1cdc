"""Studies and mentors, as the registry runs them in a browser."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import (
    HomeworkStatus,
    ModuleStatus,
    Purse,
    Rule,
    Score,
    StaffRole,
    StudyStatus,
)
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    AuditLog,
    EnrolledDegreeCourse,
    HomeworkSubmission,
    MentorAssignment,
    Question,
    StaffMember,
    StudyLeave,
    StudyRecord,
)
from shop.services import (
    complaints,
    enrolled_degrees,
    leave,
    modules,
    purses,
    questions,
    registration,
)
from shop.services.purses import Cause
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import (
    STAFF,
    a_degree_with_homework,
    a_hand_in,
    a_mentor,
    a_registered,
    a_studying,
    fresh,
)
from tests.person import Person
from tests.purchases import enrolled_in_degree
from tests.registry import (
    NAME,
    PHONE,
    TEXT,
    WHY,
    a_complaint,
    an_appeal,
    asked,
    last_row,
    queues,
    rows,
    somebody,
    the_hand_in,
)

COMPANY, SALARY = "ZQX-Kanarienvogel", "73519"
HOSTILE = ("", " ", "\x00", "x" * 256, "\ud800" * 300)
LATE = timedelta(days=10)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def clerk(app: Flask) -> Person:
    return somebody(app, StaffRole.REGISTRY)


def studies(answer: TestResponse) -> list[int]:
    """The enrolments of a list, in its order."""
    assert answer.status_code == 200, answer.status_code
    return [int(found) for found in re.findall(r'<tr data-study="(\d+)"', answer.text)]


def an_asked(enrolment: EnrolledDegreeCourse, *, ago: timedelta = timedelta()) -> Question:
    question = questions.ask(enrolment.account_id, enrolment.id, "怎么部署", "请问怎么部署？")
    with unit_of_work() as session:
        session.get_one(Question, question.id).date -= ago
    return question


def assigned_before(enrolment: EnrolledDegreeCourse, ago: timedelta) -> None:
    with unit_of_work() as session:
        row = session.query(MentorAssignment).filter_by(enrolled_degree_course_id=enrolment.id, until_time=None).one()
        row.from_time -= ago


def a_late_grading() -> tuple[EnrolledDegreeCourse, HomeworkSubmission]:
    enrolment = a_studying()
    assigned_before(enrolment, LATE)
    return fresh(enrolment), a_hand_in(fresh(enrolment), at=clock.now() - LATE)


# ---------------------------------------------------------------- the list


def test_the_list_is_narrowed_by_each_filter(clerk: Person) -> None:
    nami = a_student(username="nami", name=NAME, mobile=PHONE)
    unfiled = enrolled_in_degree(a_student(), a_degree_with_homework())
    waiting = a_registered(nami)
    mentor = a_mentor()
    studying = a_studying(mentor=mentor)
    away = a_studying()
    leave.begin_by_staff(away.id, actor=STAFF, reason="生病")
    reopened = a_registered()
    registration.reopen(reopened.id, actor=STAFF, reason="请补充")
    every = [reopened.id, away.id, studying.id, waiting.id, unfiled.id]
    wanted = {
        "": every,
        "snag=0": [waiting.id, reopened.id],  # oldest first
        "state=5": [],
        "state=4": [unfiled.id],
        "state=1": [away.id],
        "form=0": [unfiled.id],
        "form=2": [reopened.id],
        "form=1": [away.id, studying.id, waiting.id],
        f"degree={studying.degree_course_id}": [studying.id],
        f"mentor={mentor.id}": [studying.id],
        "username=nam": [waiting.id],
        "state=0&form=1&username=nobody": [],
    }
    for query, ids in wanted.items():
        assert studies(clerk.get(f"/staff/studies?{query}")) == ids, query
    page = clerk.get("/staff/studies").text
    assert "卡*" in page and NAME not in page and PHONE not in page


def test_the_file_has_what_the_list_has(clerk: Person) -> None:
    student = a_student(name=NAME, mobile=PHONE)
    enrolment = a_registered(student, current_company=COMPANY)
    with unit_of_work() as session:
        session.get_one(Account, student.id).username = "=HYPERLINK(1)"
    answer = clerk.get("/staff/studies.csv?snag=0", buffered=True)
    [head, row] = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert len(head) == len(row)
    assert row[:3] == [str(enrolment.id), "'=HYPERLINK(1)", "卡*"]
    assert COMPANY not in answer.text and PHONE not in answer.text and NAME not in answer.text


def test_the_list_asks_the_same_for_one_and_for_many(clerk: Person) -> None:
    course = a_degree_with_homework()
    enrolment = a_studying(course=course)
    a_hand_in(enrolment, at=clock.now() - LATE)
    paths = ("/staff/studies", "/staff/studies?snag=1", "/staff/mentors", "/staff/")
    for path in paths:
        clerk.get(path)
    few = [asked(clerk, path) for path in paths]
    for _ in range(4):
        enrolment = a_studying(course=course)
        assigned_before(enrolment, LATE)
        a_hand_in(fresh(enrolment), at=clock.now() - LATE)
    assert [asked(clerk, path) for path in paths] == few
    assert len(studies(clerk.get("/staff/studies"))) == 5


HOSTILE_FILTERS = ("\x00", "x" * 10_000, "２", "²", "-1", "9" * 30, "NaN", "<script>")


def test_a_filter_that_is_none_is_told(clerk: Person) -> None:
    for field in ("snag", "state", "form", "degree", "mentor", "username"):
        for value in HOSTILE_FILTERS:
            is_a_name = field == "username" and len(value) < 65 and value != "\x00"
            for path in ("/staff/studies", "/staff/studies.csv"):
                answer = clerk.get(path, query_string={field: value}, buffered=True)
                assert answer.status_code == (200 if is_a_name else 422), (field, value[:10])
        assert clerk.get(f"/staff/studies?{field}=0&{field}=1").status_code == 422
    assert clerk.get("/staff/studies?after=x").status_code == 404


# ---------------------------------------------------------------- what waits


def test_whom_the_form_wishes_for_is_marked_with_their_load(clerk: Person) -> None:
    one, same, other = a_mentor(name="沈舟"), a_mentor(name="沈舟"), a_mentor(name="叶帆")
    a_studying(mentor=same)
    enrolment = a_registered(stu_specified_mentor="沈舟老师，或者 ＹＥ")
    page = clerk.get(f"/staff/studies/{enrolment.id}/mentor").text
    said = dict(re.findall(r'data-wished="(\d+)">([^<]+)<', page))
    assert sorted(map(int, said)) == sorted([one.id, same.id])
    assert "在带 0 位学员" in said[str(one.id)] and "在带 1 位学员" in said[str(same.id)]
    rows = dict(re.findall(r'<tr data-mentor="(\d+)">(.*?)</tr>', page, re.DOTALL))
    assert {int(id_) for id_, row in rows.items() if "学员希望的导师" in row} == {one.id, same.id}
    nobody = clerk.get(f"/staff/studies/{a_registered(stu_specified_mentor='').id}/mentor").text
    assert "data-wished" not in nobody and "没有叫这个名字" not in nobody
    stranger = a_registered(stu_specified_mentor="路飞")
    assert "没有叫这个名字的导师" in clerk.get(f"/staff/studies/{stranger.id}/mentor").text
    other.username, other.name = "YE", "帆"
    db.session.commit()
    page = clerk.get(f"/staff/studies/{enrolment.id}/mentor").text
    assert f'data-wished="{other.id}"' in page, "a user name, in whatever letters"
    assert (
        f'data-wished="{other.id}"'
        not in clerk.get(f"/staff/studies/{a_registered(stu_specified_mentor='叶帆').id}/mentor").text
    ), "a name of one character is not looked for in others"


def test_a_form_that_waits_is_found_and_assigned(clerk: Person) -> None:
    enrolment = a_registered(stu_specified_mentor="沈舟")
    busy, free, away = a_mentor(), a_mentor(), a_studying()
    a_studying(mentor=busy)
    leave.begin_by_staff(away.id, actor=STAFF, reason="生病")
    assert queues(clerk)["forms"] == 1
    assert studies(clerk.get("/staff/studies?snag=0")) == [enrolment.id]
    page = clerk.get(f"/staff/studies/{enrolment.id}/mentor").text
    loads = {
        int(id_): [cell or "0" for cell in re.findall(r'<td class="num">([^<]*)</td>', cells)]
        for id_, cells in re.findall(r'<tr data-mentor="(\d+)">(.*?)</tr>', page, re.DOTALL)
    }
    assert (loads[free.id], loads[busy.id]) == (["0", "–", "–", "–"], ["1", "–", "–", "–"])
    assert away.mentor_id is not None and loads[away.mentor_id] == ["1", "1", "–", "–"]
    assert "沈舟" in page
    there = f"/staff/studies/{enrolment.id}/mentor"
    assert clerk.post(there, {"before": "0"}).status_code == 422
    done = clerk.follow(clerk.post(there, {"mentor": free.id, "before": "0"}))
    assert f"已分配导师 {free.username}" in done.text
    assert (fresh(enrolment).mentor_id, fresh(enrolment).mentor_fee_balance) == (free.id, 1500)
    assert "forms" not in queues(clerk)
    assert last_row("enrolled_degree_course assign").after == {"mentor": free.id, "fee": 1500}


def test_a_change_of_mentor_needs_a_reason_and_moves_the_fee(clerk: Person) -> None:
    enrolment, new = a_studying(), a_mentor()
    there, old = f"/staff/studies/{enrolment.id}/mentor", enrolment.mentor_id
    refused = clerk.post(there, {"mentor": new.id, "before": old})
    assert (refused.status_code, "换导师需要原因" in refused.text) == (422, True)
    assert clerk.post(there, {"mentor": new.id, "before": old, "reason": "原导师请长假"}).status_code == 303
    assert (fresh(enrolment).mentor_id, fresh(enrolment).mentor_fee_balance) == (new.id, 1500)
    page = clerk.get(f"/staff/studies/{enrolment.id}").text
    assert page.count("原导师请长假") == 2  # the mentors' history and the audit log


def test_the_second_of_two_who_assign_is_told(app: Flask, clerk: Person) -> None:
    enrolment, first, second = a_registered(), a_mentor(), a_mentor()
    other, there = somebody(app, StaffRole.REGISTRY), f"/staff/studies/{enrolment.id}/mentor"
    other.get(there)
    assert clerk.post(there, {"mentor": first.id, "before": "0"}).status_code == 303
    late = other.post(there, {"mentor": second.id, "before": "0", "reason": "so"})
    assert (late.status_code, "刚刚有同事改了导师" in late.text) == (409, True)
    assert fresh(enrolment).mentor_id == first.id


def test_a_grading_that_is_overdue_is_found_and_given_by_the_registry(clerk: Person) -> None:
    enrolment, submission = a_late_grading()
    a_hand_in(a_studying())  # in time
    assert queues(clerk)["gradings"] == 1
    assert studies(clerk.get("/staff/studies?snag=1")) == [enrolment.id]
    assert "批改超时" in clerk.get(f"/staff/studies/{enrolment.id}").text
    mentors = clerk.get("/staff/mentors").text
    assert re.search(rf'data-mentor="{enrolment.mentor_id}">.*?<strong>1</strong>', mentors, re.DOTALL)
    there = f"/staff/studies/{enrolment.id}/hand-ins/{submission.id}"
    assert "交作业" in clerk.get(there).text
    assert clerk.post(f"{there}/mark", {"before": "", "score": "90", "reason": "导师生病"}).status_code == 303
    row = the_hand_in(submission.id)
    assert (row.score, row.record.status) == (Score.A, HomeworkStatus.PASSED)
    assert fresh(enrolment).reward_balance == 90
    assert "gradings" not in queues(clerk)


def test_an_overdue_grading_is_the_new_mentors_with_new_time(clerk: Person) -> None:
    enrolment, _submission = a_late_grading()
    new = a_mentor()
    fields = {"mentor": new.id, "before": enrolment.mentor_id, "reason": "原导师离职"}
    assert clerk.post(f"/staff/studies/{enrolment.id}/mentor", fields).status_code == 303
    assert "gradings" not in queues(clerk)


def test_time_on_leave_makes_nothing_overdue(clerk: Person) -> None:
    enrolment, _submission = a_late_grading()
    begun = clock.now() - LATE + timedelta(hours=1)
    with unit_of_work() as session:
        session.get_one(EnrolledDegreeCourse, enrolment.id).study_status = StudyStatus.ON_LEAVE
        session.add(StudyLeave(enrolled_degree_course_id=enrolment.id, begin_time=begun, reason="生病"))
    assert "gradings" not in queues(clerk)


def test_an_answer_that_is_overdue_is_found_and_gone_once_given(clerk: Person) -> None:
    enrolment = a_studying()
    assigned_before(enrolment, LATE)
    question = an_asked(fresh(enrolment), ago=LATE)
    an_asked(a_studying())
    assert queues(clerk)["answers"] == 1
    assert studies(clerk.get("/staff/studies?snag=2")) == [enrolment.id]
    assert "1 个回复超时" in clerk.get(f"/staff/studies/{enrolment.id}").text
    mentor_id = fresh(enrolment).mentor_id
    assert mentor_id is not None
    questions.answer(mentor_id, question.id, "这样部署。")
    assert "answers" not in queues(clerk)


def test_a_module_without_homework_is_found_and_passed(clerk: Person) -> None:
    enrolment = a_studying(course=a_degree_with_homework(homework=0))
    [first, second] = modules.in_order(db.session(), enrolment.id)
    assert queues(clerk)["modules"] == 1
    there = f"/staff/studies/{enrolment.id}/modules/{first.course_module_id}/passing"
    assert clerk.post(there, {"reason": ""}).status_code == 422
    assert clerk.post(there, {"reason": "口头考核通过"}).status_code == 303
    assert clerk.post(there, {"reason": "再来"}).status_code == 409
    assert clerk.post(there.replace(str(first.course_module_id), str(second.course_module_id)), {"reason": "也通过"})
    assert fresh(enrolment).study_status is StudyStatus.GRADUATED
    assert "modules" not in queues(clerk)


# ---------------------------------------------------------------- the page


def test_the_page_tells_the_whole_story(clerk: Person) -> None:
    student = a_student(name=NAME, mobile=PHONE)
    enrolment = a_studying(student)
    a_hand_in(enrolment, score=Score.B)
    an_asked(enrolment)
    complaint_id = a_complaint(enrolment)
    appeal_id, _ = an_appeal(enrolment)
    page = clerk.get(f"/staff/studies/{enrolment.id}").text
    for text in ("卡*", "139****5678", "作业1", ">B<", "待回复 1", "1500", f"投诉 {complaint_id}", f"申诉 {appeal_id}"):
        assert text in page, text
    assert NAME not in page and PHONE not in page and TEXT not in page
    assert len(re.findall("data-record=", page)) == 2  # the fee, and the fine


def test_the_page_asks_the_same_however_long_the_story(clerk: Person) -> None:
    enrolment = a_studying()
    a_hand_in(enrolment, score=Score.A)
    path = f"/staff/studies/{enrolment.id}"
    clerk.get(path)
    few = asked(clerk, path)
    a_hand_in(enrolment, 1, score=Score.A)
    an_asked(enrolment)
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        for number in range(5):
            purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, Cause(f"f{number}"), clock.now())
    assert asked(clerk, path) == few


def test_the_form_is_read_after_a_reason_and_for_one_answer(clerk: Person) -> None:
    enrolment = a_registered(current_company=COMPANY, current_salary=int(SALARY), salary_consent=True)
    there = f"/staff/studies/{enrolment.id}"
    assert COMPANY not in clerk.get(there).text
    refused = clerk.post(f"{there}/form/reading", {"reason": " "})
    assert (refused.status_code, COMPANY in refused.text) == (422, False)
    shown = clerk.post(f"{there}/form/reading", {"reason": "分配导师"})
    assert (shown.status_code, COMPANY in shown.text, SALARY in shown.text) == (200, True, True)
    assert "no-store" in shown.headers["Cache-Control"]
    after = clerk.get(there).text
    assert COMPANY not in after and SALARY not in after
    assert last_row("degree_registration_form read").reason == "分配导师"
    unfiled = enrolled_in_degree(a_student(), a_degree_with_homework())
    assert clerk.post(f"/staff/studies/{unfiled.id}/form/reading", {"reason": "so"}).status_code == 404


def test_name_and_phone_are_shown_after_a_reason_and_for_one_answer(clerk: Person) -> None:
    enrolment = a_studying(a_student(name=NAME, mobile=PHONE))
    there = f"/staff/studies/{enrolment.id}"
    assert clerk.post(f"{there}/person", {"reason": ""}).status_code == 422
    shown = clerk.post(f"{there}/person", {"reason": "电话联系"}).text
    assert NAME in shown and PHONE in shown
    assert NAME not in clerk.get(there).text
    assert last_row("account look").subject_id == enrolment.account_id


def test_the_form_is_opened_again_and_leave_is_recorded(clerk: Person) -> None:
    enrolment = a_studying()
    there, because = f"/staff/studies/{enrolment.id}", {"reason": "请补充期待"}
    assert clerk.post(f"{there}/form/reopening", because).status_code == 303
    assert clerk.post(f"{there}/form/reopening", because).status_code == 409
    assert "待学员修改" in clerk.get(there).text
    assert clerk.post(f"{there}/leave/return", because).status_code == 409
    assert clerk.post(f"{there}/leave", {"reason": "生病"}).status_code == 303
    assert fresh(enrolment).study_status is StudyStatus.ON_LEAVE
    assert clerk.post(f"{there}/leave", {"reason": "生病"}).status_code == 409
    assert clerk.post(f"{there}/leave/return", {"reason": "痊愈"}).status_code == 303
    assert fresh(enrolment).study_status is StudyStatus.STUDYING


def test_a_module_is_opened_by_hand_with_its_reason(clerk: Person) -> None:
    enrolment = a_studying()
    second = modules.in_order(db.session(), enrolment.id)[1]
    there = f"/staff/studies/{enrolment.id}/modules/{second.course_module_id}/opening"
    assert clerk.post(there, {"reason": "已在别处学过"}).status_code == 303
    db.session.rollback()
    assert db.session.get_one(StudyRecord, second.id).status is ModuleStatus.STUDYING
    again = clerk.post(there, {"reason": "已在别处学过"})
    assert (again.status_code, "已经开通" in again.text) == (409, True)
    assert clerk.post(there.replace(str(second.course_module_id), "2147483647"), {"reason": "so"}).status_code == 404


STEPS = (
    *("form/reading", "form/reopening", "person", "leave", "leave/return", "mentor"),
    *("modules/{module}/opening", "modules/{module}/passing"),
)


def test_an_action_without_a_reason_changes_nothing(clerk: Person) -> None:
    enrolment = a_studying()
    module = modules.in_order(db.session(), enrolment.id)[1].course_module_id
    new, before = a_mentor(), rows(AuditLog)
    for reason in HOSTILE:
        fields = {"reason": reason.encode("utf-8", "surrogatepass"), "mentor": new.id, "before": enrolment.mentor_id}
        for step in STEPS:
            answer = clerk.post(f"/staff/studies/{enrolment.id}/{step.format(module=module)}", fields)
            assert answer.status_code == 422, (step, reason[:4])
    assert rows(AuditLog) == before


def test_a_mentor_that_is_none_is_told(clerk: Person) -> None:
    enrolment, mentor = a_registered(), a_mentor()
    there = f"/staff/studies/{enrolment.id}/mentor"
    for value in ("\x00", "２", "²", "-1", "9" * 400, "NaN", "x" * 100_000, ""):
        assert clerk.post(there, {"mentor": value, "before": "0"}).status_code == 422
        assert clerk.post(there, {"mentor": str(mentor.id), "before": value}).status_code == 422
    assert clerk.post(there, {"mentor": ["1", "2"], "before": "0"}).status_code == 422
    assert clerk.post(there, {"mentor": str(a_student().id), "before": "0"}).status_code == 404
    assert fresh(enrolment).mentor_id is None


def test_nobody_decides_about_their_own_study(app: Flask) -> None:
    """A mentor, and a student, who have become staff since."""
    enrolment, new = a_studying(), a_mentor()
    complaint_id, (appeal_id, _) = a_complaint(enrolment), an_appeal(enrolment)
    submission = a_hand_in(enrolment, score=Score.C)
    mentor_id = enrolment.mentor_id
    for account_id in (enrolment.account_id, mentor_id):
        with unit_of_work() as session:
            account = session.get_one(Account, account_id)
            account.is_staff = True
            session.add(StaffMember(account_id=account.id, role=StaffRole.REGISTRY))
            name = account.username
        own, because = Person(app).sign_in(name), {"reason": "so"}
        there, before = f"/staff/studies/{enrolment.id}", rows(AuditLog)
        module = modules.in_order(db.session(), enrolment.id)[1].course_module_id
        posts: dict[str, dict[str, Any]] = {
            f"{there}/mentor": {"mentor": new.id, "before": mentor_id, **because},
            f"{there}/form/reading": because,
            f"{there}/form/reopening": because,
            f"{there}/leave": because,
            f"{there}/modules/{module}/opening": because,
            f"{there}/hand-ins/{submission.id}/mark": {"before": "50", "score": "100", **because},
            f"/staff/complaints/{complaint_id}/upholding": because,
            f"/staff/complaints/{complaint_id}/dismissal": because,
            f"/staff/appeals/{appeal_id}/upholding": because,
        }
        for path, fields in posts.items():
            answer = own.post(path, fields)
            assert (answer.status_code, "请让另一位同事处理" in answer.text) == (403, True), path
        assert rows(AuditLog) == before
        student = db.session.get_one(Account, enrolment.account_id).username
        for path in (f"/staff/complaints/{complaint_id}", f"/staff/appeals/{appeal_id}"):
            page = own.get(path)
            said = page.text.partition("<main")[2]
            assert (page.status_code, "和您自己有关" in said) == (200, True), path
            assert [word for word in (TEXT, WHY, student, "act__form") if word in said] == [], path
        for kind in ("complaints", "appeals"):
            page = own.get(f"/staff/{kind}")
            assert (page.status_code, "<tr data-" in page.text) == (200, False), kind
            assert 'tabs__count">0<' in page.text and 'tabs__count">1<' not in page.text, kind
        assert "/staff/complaints/" not in own.get(there).text


# ---------------------------------------------------------------- mentors


def test_a_mentor_in_figures_and_the_statement_of_a_month(app: Flask) -> None:
    finance, mentor = somebody(app, StaffRole.FINANCE), a_mentor()
    enrolment = a_studying(a_student(name=NAME), mentor=mentor)
    an_appeal(enrolment)
    complaints.decide(a_complaint(enrolment), upheld=True, actor=STAFF, reason="属实")
    listed = finance.get("/staff/mentors").text
    assert re.search(rf'data-mentor="{mentor.id}".*?0 / 1 / 1.*?1250', listed, re.DOTALL)
    page = finance.get(f"/staff/mentors/{mentor.id}")
    assert NAME not in page.text and "卡*" in page.text and f'data-study="{enrolment.id}"' in page.text
    assert len(re.findall("data-record=", page.text)) == 3
    today = clock.local_date(clock.now())
    assert len(re.findall("data-record=", finance.get(f"/staff/mentors/{mentor.id}?month=2020-01").text)) == 0
    answer = finance.get(f"/staff/mentors/{mentor.id}/statement.csv?month={today:%Y-%m}", buffered=True)
    lines = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [line[7] for line in lines[1:]] == ["-200", "-50", "1500"]
    assert lines[1][1] == ""  # nobody learns from it who complained
    figures = finance.get("/staff/mentors.csv", buffered=True).text
    assert f"{mentor.username},{mentor.name},1,0,0,0,1,0,1,1250" in figures


def test_a_month_that_is_none_is_told(clerk: Person) -> None:
    mentor = a_mentor()
    for month in ("\x00", "2026-13", "x" * 1000, "２０２６-01", "1"):
        for path in (f"/staff/mentors/{mentor.id}", f"/staff/mentors/{mentor.id}/statement.csv"):
            assert clerk.get(path, query_string={"month": month}, buffered=True).status_code == 422
    assert clerk.get(f"/staff/mentors/{mentor.id}?page=99").status_code == 404
    assert clerk.get(f"/staff/mentors/{a_student().id}").status_code == 404


# ---------------------------------------------------------------- the search


def test_a_student_and_a_mentor_are_found_by_name_and_phone(clerk: Person) -> None:
    mentor = a_mentor(username="zoro")
    a_studying(a_student(username="nami", mobile=PHONE), mentor=mentor)
    for q in ("nami", PHONE):
        assert 'href="/staff/studies?username=nami"' in clerk.post("/staff/search", {"q": q}).text
    assert f'href="/staff/mentors/{mentor.id}"' in clerk.post("/staff/search", {"q": "zoro"}).text
