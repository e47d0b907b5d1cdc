"""The registration form over HTTP: drafts, consent, filing once, reopening, and who may see what (safety.md 4, 7)."""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any

import pytest
import redis
from flask import Flask

from shop.enums import ModuleStatus, StudyPlan, StudyStatus, WorkExperience
from shop.extensions import db
from shop.models import (
    AuditLog,
    DegreeRegistrationDraft,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    Mail,
    Notification,
)
from shop.services import assignment, refunds, registration
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import STAFF, a_degree_with_homework, a_mentor
from tests.person import Person
from tests.purchases import enrolled_in_degree

GOOD = {
    "current_company": "草帽海贼团",
    "current_position": "航海士",
    "current_salary": "",
    "work_experience": "2",
    "study_plan": "1",
    "why_take_this_course": "想学\r\n想用",
    "why_choose_us": "听说好",
    "your_expectation": "能用",
    "stu_specified_mentor": "",
    "memo": "",
    "open_module": "y",
}
CANARIES = ("73519", "ZQX-Kanarienvogel", "ZQX-Position")
CANARY = GOOD | {
    "current_salary": "73519",
    "salary_consent": "y",
    "current_company": "ZQX-Kanarienvogel",
    "current_position": "ZQX-Position",
}
LONG = {"current_company": 64, "current_position": 64, "stu_specified_mentor": 32, "memo": 255}
TEXTS = ("why_take_this_course", "why_choose_us", "your_expectation")
LONG |= dict.fromkeys(TEXTS, 1024)
NEEDED = ("current_company", "current_position", *TEXTS)


@pytest.fixture
def enrolment_id(app: Flask) -> int:
    return enrolled_in_degree(a_student(username="nami"), a_degree_with_homework()).id


@pytest.fixture
def nami(enrolment_id: int, person: Person) -> Person:
    return person.sign_in("nami")


def address(enrolment_id: int, rest: str = "") -> str:
    return f"/degrees/enrolments/{enrolment_id}/registration{rest}"


def form() -> DegreeRegistrationForm | None:
    db.session.rollback()
    db.session.expire_all()
    return db.session.query(DegreeRegistrationForm).one_or_none()


def filed() -> DegreeRegistrationForm:
    found = form()
    assert found is not None
    return found


def draft() -> dict[str, Any] | None:
    db.session.rollback()
    db.session.expire_all()
    found = db.session.query(DegreeRegistrationDraft).one_or_none()
    return found.answers if found else None


# ---------------------------------------------------------------- filing


def test_filing_keeps_every_answer_and_opens_the_first_module(nami: Person, enrolment_id: int) -> None:
    a_mentor(name="沈舟")
    page = nami.get(address(enrolment_id))
    assert '<option value="沈舟">' in page.text
    filled = GOOD | {"current_salary": "21000", "salary_consent": "y", "stu_specified_mentor": "沈舟", "memo": "夜猫"}
    answer = nami.post(address(enrolment_id), filled)
    assert (answer.status_code, answer.location) == (303, f"/learning/degrees/{enrolment_id}")
    kept = filed()
    assert (kept.current_company, kept.current_position, kept.current_salary) == ("草帽海贼团", "航海士", 21000)
    assert (kept.work_experience, kept.study_plan) == (WorkExperience.TWO, StudyPlan.TWO_TO_THREE)
    assert (kept.stu_specified_mentor, kept.memo, kept.open_module) == ("沈舟", "夜猫", True)
    assert kept.why_take_this_course.splitlines() == ["想学", "想用"]
    assert kept.salary_consent_time is not None
    assert kept.salary_consent_version == registration.CONSENT_VERSION
    enrolment = db.session.get_one(EnrolledDegreeCourse, enrolment_id)
    assert enrolment.study_status is StudyStatus.STUDYING
    assert sorted(record.status for record in enrolment.study_records) == [ModuleStatus.LOCKED, ModuleStatus.STUDYING]
    page = nami.get(address(enrolment_id))
    assert "21000" in page.text
    assert 'id="registration"' not in page.text
    assert "<dt>是否开通第1模块</dt><dd>是</dd>" in page.text
    assert_audit_clean()


def test_the_form_has_the_labels_and_choices_of_the_source(nami: Person, enrolment_id: int) -> None:
    page = nami.get(address(enrolment_id))
    for label in ("报此课程原因", "为何选路飞", "你的期待", "学员自行指定的导师名", "是否开通第1模块"):
        assert f">{label}<" in page.text
    for choice in (*WorkExperience, *StudyPlan):
        assert f">{choice.label}</option>" in page.text
    untouched = nami.form(page, "registration")
    assert (untouched["work_experience"], untouched["study_plan"], untouched["open_module"]) == ("", "1", "y")
    assert "salary_consent" not in untouched


def test_mentors_to_wish_for_are_those_who_can_be_assigned(nami: Person, enrolment_id: int) -> None:
    a_mentor(name="沈舟"), a_mentor(name="沈舟"), a_mentor(name="叶帆")
    a_mentor(name="离职", is_active=False), a_mentor(name="教务", is_staff=True), a_mentor(name="")
    a_student(name="山治")
    listed = nami.get(address(enrolment_id)).text.split('<datalist id="mentors">')[1].split("</datalist>")[0]
    assert re.findall('value="(.*?)"', listed) == sorted(["沈舟", "叶帆"])
    assert nami.post(address(enrolment_id), GOOD | {"stu_specified_mentor": "谁也不是"}).status_code == 303


def test_a_graduate_of_no_experience_may_be_one(nami: Person, enrolment_id: int) -> None:
    """0 is a choice, and not nothing."""
    nami.post(address(enrolment_id), GOOD | {"work_experience": "0", "study_plan": "0"})
    assert filed().work_experience is WorkExperience.GRADUATE
    assert filed().study_plan is StudyPlan.ONE_TO_TWO
    assert "应届生" in nami.get(address(enrolment_id)).text


def test_during_a_refund_nothing_is_filed_and_a_salary_can_still_be_taken_back(nami: Person, enrolment_id: int) -> None:
    nami.post(address(enrolment_id, "/draft"), {"current_salary": "73519", "salary_consent": "y"})
    line = db.session.get_one(EnrolledDegreeCourse, enrolment_id).order_detail
    refunds.ask(line.order.account_id, line.order.order_number, [line.id], "不学了")
    page = nami.get(address(enrolment_id))
    assert "退费处理中" in page.text
    assert 'id="registration"' not in page.text
    assert nami.post(address(enrolment_id), GOOD).status_code == 409
    assert nami.post(address(enrolment_id, "/draft"), GOOD).status_code == 409
    assert f'action="{address(enrolment_id, "/salary/delete")}"' in page.text
    assert nami.post(address(enrolment_id, "/salary/delete")).status_code == 303
    assert (form(), draft()) == (None, {})


def test_every_post_wants_the_token_of_its_page(nami: Person, enrolment_id: int) -> None:
    nami.post(address(enrolment_id, "/draft"), {"current_company": "一"})
    for rest in ("", "/draft", "/salary/delete"):
        assert nami.post(address(enrolment_id, rest), GOOD | {"csrf_token": "x"}).status_code == 400
        assert nami.get(address(enrolment_id, rest)).status_code == (405 if rest else 200)
    assert (form(), draft()) == (None, {"current_company": "一"})


def test_without_the_wish_no_module_opens(nami: Person, enrolment_id: int) -> None:
    answers = {name: value for name, value in GOOD.items() if name != "open_module"}
    assert nami.post(address(enrolment_id), answers).status_code == 303
    enrolment = db.session.get_one(EnrolledDegreeCourse, enrolment_id)
    assert (enrolment.study_status, enrolment.valid_begin_date) == (StudyStatus.NOT_STARTED, None)


def test_it_is_filed_once(nami: Person, enrolment_id: int) -> None:
    nami.post(address(enrolment_id), GOOD)
    again = nami.post(address(enrolment_id), GOOD | {"current_company": "别的公司"})
    assert "以第一次提交的为准" in nami.follow(again).text
    assert filed().current_company == "草帽海贼团"


def test_to_others_it_does_not_exist(nami: Person, enrolment_id: int, app: Flask) -> None:
    nami.post(address(enrolment_id), CANARY)
    other = Person(app).sign_in(a_student().username)
    for answer in (
        other.get(address(enrolment_id)),
        other.post(address(enrolment_id), GOOD),
        other.post(address(enrolment_id, "/draft"), GOOD),
        other.post(address(enrolment_id, "/salary/delete")),
    ):
        assert answer.status_code == 404
        assert not any(canary in answer.text for canary in CANARIES)
    visitor = Person(app)
    assert visitor.get(address(enrolment_id)).location.startswith("/login")
    assert filed().current_salary == 73519


# ---------------------------------------------------------------- bad values


@pytest.mark.parametrize("field", NEEDED)
@pytest.mark.parametrize("value", ["", "   ", "a\x00b", "a\x1bb"], ids=["empty", "blank", "nul", "escape"])
def test_a_text_that_cannot_be_is_refused_beside_its_field(
    nami: Person, enrolment_id: int, field: str, value: str
) -> None:
    page = nami.post(address(enrolment_id), GOOD | {field: value})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert form() is None


@pytest.mark.parametrize("field", LONG)
def test_the_longest_text_is_taken_and_one_more_is_not(nami: Person, enrolment_id: int, field: str) -> None:
    page = nami.post(address(enrolment_id), GOOD | {field: "长" * (LONG[field] + 1)})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert form() is None
    assert nami.post(address(enrolment_id), GOOD | {field: "𠮷" * LONG[field]}).status_code == 303
    assert getattr(form(), field) == "𠮷" * LONG[field]


@pytest.mark.parametrize("value", ["-1", "1.5", "１２", "٣", "1e3", "NaN", "10000001", "9" * 5000, "一万", "0x10"])
def test_a_salary_that_is_no_amount_is_refused(nami: Person, enrolment_id: int, value: str) -> None:
    page = nami.post(address(enrolment_id), GOOD | {"current_salary": value, "salary_consent": "y"})
    assert page.status_code == 422
    assert 'id="current_salary-error"' in page.text
    assert form() is None


@pytest.mark.parametrize("field", ["work_experience", "study_plan"])
@pytest.mark.parametrize("value", ["", "-1", "12", "99", "x", "１", "1.0", "9" * 5000])
def test_a_choice_that_is_none_is_refused(nami: Person, enrolment_id: int, field: str, value: str) -> None:
    """B43: choices declared and not attached."""
    page = nami.post(address(enrolment_id), GOOD | {field: value})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert form() is None


@pytest.mark.parametrize("field", [*GOOD, "salary_consent"])
def test_a_field_sent_twice_is_refused(nami: Person, enrolment_id: int, field: str) -> None:
    page = nami.post(address(enrolment_id), GOOD | {field: [GOOD.get(field) or "1", "2"]})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert form() is None


@pytest.mark.parametrize("field", [*NEEDED, "work_experience", "study_plan"])
def test_a_field_that_is_missing_is_asked_for(nami: Person, enrolment_id: int, field: str) -> None:
    page = nami.post(address(enrolment_id), {name: value for name, value in GOOD.items() if name != field})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert form() is None


@pytest.mark.parametrize("field", ["memo", "stu_specified_mentor", "current_company"])
@pytest.mark.parametrize("value", ["a\nb", "a\tb", "a\x00b", "\x7f"])
def test_a_line_has_no_control_characters(nami: Person, enrolment_id: int, field: str, value: str) -> None:
    page = nami.post(address(enrolment_id), GOOD | {field: value})
    assert page.status_code == 422
    assert f'id="{field}-error"' in page.text
    assert form() is None


def test_a_file_for_a_text_is_no_text(nami: Person, enrolment_id: int) -> None:
    nami.post(address(enrolment_id), GOOD | {"memo": (BytesIO(b"x"), "memo.txt")})
    assert filed().memo is None


@pytest.mark.parametrize("field", TEXTS)
def test_an_end_of_line_counts_once_as_in_the_browser(nami: Person, enrolment_id: int, field: str) -> None:
    text = "字\r\n" * 511 + "字字"  # 1024 as maxlength counts
    assert nami.post(address(enrolment_id), GOOD | {field: text + "字"}).status_code == 422
    assert nami.post(address(enrolment_id), GOOD | {field: text}).status_code == 303
    assert len(getattr(filed(), field)) == 1024


@pytest.mark.parametrize("value", ["0", "10000000", " 21000 "])
def test_the_least_and_the_largest_salary_are_taken(nami: Person, enrolment_id: int, value: str) -> None:
    nami.post(address(enrolment_id), GOOD | {"current_salary": value, "salary_consent": "y"})
    assert filed().current_salary == int(value)


def test_a_lone_surrogate_is_no_character(nami: Person, enrolment_id: int) -> None:
    """Neither database stores one; what the shop reads in its place is the character for "unreadable"."""
    answer = nami.post(address(enrolment_id), GOOD | {"memo": "\ud800".encode("utf-8", "surrogatepass")})
    assert answer.status_code == 303
    assert "\ud800" not in (filed().memo or "")


def test_a_refused_form_keeps_what_was_typed(nami: Person, enrolment_id: int) -> None:
    page = nami.post(address(enrolment_id), GOOD | {"why_choose_us": "", "current_salary": "abc"})
    assert page.status_code == 422
    assert "草帽海贼团" in page.text
    assert 'value="abc"' in page.text


# ---------------------------------------------------------------- salary


def test_a_salary_without_consent_is_refused(nami: Person, enrolment_id: int) -> None:
    page = nami.post(address(enrolment_id), GOOD | {"current_salary": "21000"})
    assert page.status_code == 422
    assert "填写月薪需要同时勾选下面的同意" in page.text
    assert form() is None


def test_consent_without_a_salary_keeps_nothing(nami: Person, enrolment_id: int) -> None:
    nami.post(address(enrolment_id), GOOD | {"salary_consent": "y"})
    kept = filed()
    assert (kept.current_salary, kept.salary_consent_time, kept.salary_consent_version) == (None, None, None)


def test_consent_taken_back_forgets_the_salary_at_once(nami: Person, enrolment_id: int) -> None:
    nami.post(address(enrolment_id), CANARY)
    page = nami.follow(nami.post(address(enrolment_id, "/salary/delete")))
    assert "月薪已删除" in page.text
    assert "73519" not in page.text
    kept = filed()
    assert (kept.current_salary, kept.salary_consent_time, kept.salary_consent_version) == (None, None, None)
    assert "撤回同意" not in page.text
    assert nami.post(address(enrolment_id, "/salary/delete")).status_code == 303  # once more: nothing to do


def test_consent_can_be_taken_back_while_the_form_is_open_again(nami: Person, enrolment_id: int) -> None:
    nami.post(address(enrolment_id), CANARY)
    registration.reopen(enrolment_id, actor=STAFF, reason="请补全公司名称")
    page = nami.get(address(enrolment_id))
    assert nami.form(page, "registration")["salary_consent"] == "y"
    assert f'action="{address(enrolment_id, "/salary/delete")}"' in page.text
    page = nami.follow(nami.post(address(enrolment_id, "/salary/delete")))
    assert nami.form(page, "registration")["current_salary"] == ""
    assert filed().current_salary is None


def test_the_words_of_the_consent_belong_to_its_version(nami: Person, enrolment_id: int) -> None:
    """Whoever changes the text has to change the version, or stored consents say what nobody agreed to."""
    consents = {"2026-11": "我同意学校为安排导师保存我填写的月薪，可以随时撤回"}
    assert consents[registration.CONSENT_VERSION] in nami.get(address(enrolment_id)).text


# ---------------------------------------------------------------- drafts


def test_a_draft_comes_back_as_it_was_typed(nami: Person, enrolment_id: int) -> None:
    half = {"current_company": "草帽", "work_experience": "5", "why_choose_us": "写到一半", "current_salary": "abc"}
    page = nami.follow(nami.post(address(enrolment_id, "/draft"), half | {"salary_consent": "y"}))
    assert "草稿" in page.text
    fields = nami.form(page, "registration")
    assert (fields["current_company"], fields["work_experience"]) == ("草帽", "5")
    assert fields["current_salary"] == "abc"
    assert "写到一半" in page.text
    assert form() is None
    enrolment = db.session.get_one(EnrolledDegreeCourse, enrolment_id)
    assert enrolment.study_status is StudyStatus.NOT_STARTED


def test_the_last_draft_counts_and_filing_ends_it(nami: Person, enrolment_id: int) -> None:
    nami.post(address(enrolment_id, "/draft"), {"current_company": "一"})
    nami.post(address(enrolment_id, "/draft"), {"current_company": "二"})
    assert draft() == {"current_company": "二"}
    nami.post(address(enrolment_id), GOOD)
    assert draft() is None
    page = nami.follow(nami.post(address(enrolment_id, "/draft"), {"current_company": "三"}))
    assert "以第一次提交的为准" in page.text
    assert draft() is None


def test_a_draft_keeps_no_salary_without_consent(nami: Person, enrolment_id: int) -> None:
    page = nami.follow(nami.post(address(enrolment_id, "/draft"), {"current_salary": "73519"}))
    assert "月薪没有保存" in page.text
    assert draft() == {}
    nami.post(address(enrolment_id, "/draft"), {"current_salary": "73519", "salary_consent": "false"})
    assert draft() == {}
    nami.post(address(enrolment_id, "/draft"), {"current_salary": "73519", "salary_consent": "y"})
    assert draft() == {"current_salary": "73519", "salary_consent": "y"}
    nami.post(address(enrolment_id, "/salary/delete"))
    assert draft() == {}


@pytest.mark.parametrize("field", [name for name in GOOD if name not in ("open_module", "current_salary")])
@pytest.mark.parametrize("value", ["a\x00b\x1b", "长" * 5000, "<script>alert(1)</script>", "\ud800"])
def test_a_draft_takes_anything_and_breaks_nothing(nami: Person, enrolment_id: int, field: str, value: str) -> None:
    data = {field: value.encode("utf-8", "surrogatepass")} if value == "\ud800" else {field: value}
    assert nami.post(address(enrolment_id, "/draft"), data).status_code == 303
    page = nami.get(address(enrolment_id))
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert len((draft() or {}).get(field, "")) <= registration.LONGEST_DRAFT


def test_a_draft_keeps_lines_and_no_other_control_characters(nami: Person, enrolment_id: int) -> None:
    """A NUL in JSON is a text that PostgreSQL cannot make of it."""
    nami.post(address(enrolment_id, "/draft"), {"memo": "a\x00b\x1bc", "your_expectation": "一\r\n\t二"})
    assert draft() == {"memo": "abc", "your_expectation": "一\r\n\t二"}


# ---------------------------------------------------------------- staff


def test_staff_reopen_a_form_with_a_reason_and_it_is_filed_again(nami: Person, enrolment_id: int, app: Flask) -> None:
    nami.post(address(enrolment_id), GOOD)
    result = app.test_cli_runner().invoke(
        args=["registrations", "reopen", str(enrolment_id), "--reason", "请补全公司名称"]
    )
    assert result.exit_code == 0, result.output
    assert "请补全公司名称" in nami.get("/messages").text
    page = nami.get(address(enrolment_id))
    assert nami.form(page, "registration")["current_company"] == "草帽海贼团"
    assert nami.post(address(enrolment_id), GOOD | {"current_company": "草帽一伙有限公司"}).status_code == 303
    kept = filed()
    assert (kept.current_company, kept.filings, kept.reopened_time) == ("草帽一伙有限公司", 2, None)
    again = app.test_cli_runner().invoke(args=["registrations", "reopen", "999999", "--reason", "x"])
    assert again.exit_code == 1
    empty = app.test_cli_runner().invoke(args=["registrations", "reopen", str(enrolment_id), "--reason", " "])
    assert empty.exit_code == 2


def test_each_look_of_staff_is_written_down_and_counted(nami: Person, enrolment_id: int) -> None:
    nami.post(address(enrolment_id), CANARY)
    assert "到现在 0 次" in nami.get(address(enrolment_id)).text
    for reason in ("安排导师", "核对学习计划"):
        assert registration.read_whole(enrolment_id, actor=STAFF, reason=reason).current_salary == 73519
    with pytest.raises(ValueError, match="reason"):
        registration.read_whole(enrolment_id, actor=STAFF, reason=" ")
    assert "到现在 2 次" in nami.get(address(enrolment_id)).text
    db.session.rollback()
    rows = db.session.query(AuditLog).order_by(AuditLog.id).all()
    assert [row.reason for row in rows] == ["安排导师", "核对学习计划"]
    assert all(row.before is None and row.after is None for row in rows)


def test_a_mentor_sees_nothing_about_work_and_pay(nami: Person, enrolment_id: int) -> None:
    assert registration.for_mentor(enrolment_id) is None
    nami.post(address(enrolment_id), CANARY)
    db.session.rollback()
    view = registration.for_mentor(enrolment_id)
    assert view is not None
    assert view.why_choose_us == "听说好"
    assert not any(canary in repr(view) for canary in CANARIES)


def test_canaries_stay_in_the_form(
    nami: Person,
    enrolment_id: int,
    redis_client: redis.Redis,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nami.post(address(enrolment_id, "/draft"), CANARY)
    assert nami.post(address(enrolment_id), CANARY | {"why_choose_us": ""}).status_code == 422
    with monkeypatch.context() as broken:  # the row breaks a rule of the table, and PostgreSQL names the row
        broken.setattr(registration, "CONSENT_VERSION", None)
        assert nami.post(address(enrolment_id), CANARY).status_code == 500
    nami.sign_in("nami")
    nami.post(address(enrolment_id), CANARY)
    registration.read_whole(enrolment_id, actor=STAFF, reason="安排导师")
    registration.reopen(enrolment_id, actor=STAFF, reason="请补全公司名称")
    nami.post(address(enrolment_id), CANARY)
    assignment.assign(enrolment_id, a_mentor().id, actor=STAFF)
    assert all(canary in nami.get(address(enrolment_id)).text for canary in CANARIES)  # the search below can find them
    db.session.rollback()
    rows = [*db.session.query(Notification), *db.session.query(Mail), *db.session.query(AuditLog)]
    seen = " ".join(json.dumps(row.__dict__, default=str) for row in rows)
    out, err = capfd.readouterr()
    kept = " ".join(str(key) + str(_value(redis_client, key)) for key in redis_client.scan_iter())
    assert "consent_has_its_text" in out + err
    assert len(rows) >= 4
    assert "sess:" in kept
    for canary in CANARIES:
        assert canary not in out + err
        assert canary not in seen
        assert canary not in kept


def _value(client: redis.Redis, key: Any) -> Any:
    readers = {b"string": client.get, b"hash": client.hgetall, b"list": lambda k: client.lrange(k, 0, -1)}
    return readers.get(client.type(key), lambda k: client.dump(k))(key)
