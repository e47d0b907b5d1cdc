"""Complaints, appeals and the rules that they are decided by, in the registry's browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from shop.enums import (
    ComplaintState,
    Rule,
    ScoreType,
    StaffRole,
)
from shop.errors import StaffOnly
from shop.models import (
    Appeal,
    AuditLog,
    Complaint,
    ScoreRule,
)
from shop.services import (
    complaints,
)
from shop.services.audit_log import Actor
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_student
from tests.degrees import (
    STAFF,
    a_studying,
    fresh,
)
from tests.person import Person
from tests.registry import NAME, PHONE, TEXT, WHY, a_complaint, an_appeal, asked, last_row, queues, rows, somebody

HOSTILE = ("", " ", "\x00", "x" * 256, "\ud800" * 300)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def clerk(app: Flask) -> Person:
    return somebody(app, StaffRole.REGISTRY)


# ---------------------------------------------------------------- disputes


def test_a_complaint_is_found_read_and_upheld(clerk: Person) -> None:
    enrolment = a_studying(a_student(name=NAME))
    complaint_id = a_complaint(enrolment)
    assert queues(clerk)["complaints"] == 1
    assert f'data-complaint="{complaint_id}"' in clerk.get("/staff/complaints").text
    page = clerk.get(f"/staff/complaints/{complaint_id}").text
    assert TEXT in page and "扣 200 贝里" in page and NAME not in page
    done = clerk.follow(clerk.post(f"/staff/complaints/{complaint_id}/upholding", {"reason": "属实"}))
    assert "投诉成立" in done.text
    assert fresh(enrolment).mentor_fee_balance == 1300
    assert "complaints" not in queues(clerk)
    assert f'data-complaint="{complaint_id}"' in clerk.get("/staff/complaints?state=1").text
    assert last_row("complaint decide").account_id is not None


def test_customer_service_reads_a_complaint_and_nothing_sensitive(app: Flask) -> None:
    service = somebody(app, StaffRole.SERVICE)
    student = a_student(name=NAME, mobile=PHONE)
    enrolment = a_studying(student)
    complaint_id = a_complaint(enrolment)
    assert queues(service)["complaints"] == 1
    page = service.get(f"/staff/complaints/{complaint_id}")
    assert TEXT in page.text and "由教务处理" in page.text
    said = page.text.partition("<main")[2]
    assert [word for word in (NAME, PHONE, "act__form", "贝里", student.username) if word in said] == []
    assert student.username not in service.get("/staff/complaints").text.partition("<main")[2]
    assert service.post(f"/staff/complaints/{complaint_id}/dismissal", {"reason": "so"}).status_code == 403
    assert service.get(f"/staff/studies/{enrolment.id}").status_code == 403


@pytest.mark.parametrize(("step", "fee"), [("upholding", 1500), ("dismissal", 1450)])
def test_an_appeal_is_found_read_and_decided(clerk: Person, step: str, fee: int) -> None:
    appeal_id, enrolment = an_appeal()
    assert queues(clerk)["appeals"] == 1
    assert f'data-appeal="{appeal_id}"' in clerk.get("/staff/appeals").text
    page = clerk.get(f"/staff/appeals/{appeal_id}").text
    assert WHY in page and "-50" in page and "未及时批改作业" in page
    assert clerk.post(f"/staff/appeals/{appeal_id}/{step}", {"reason": "核对过"}).status_code == 303
    assert fresh(enrolment).mentor_fee_balance == fee
    assert "appeals" not in queues(clerk)
    state = ComplaintState.UPHELD if step == "upholding" else ComplaintState.DISMISSED
    assert f'data-appeal="{appeal_id}"' in clerk.get(f"/staff/appeals?state={int(state)}").text


@pytest.mark.parametrize("kind", ["complaints", "appeals"])
def test_the_second_of_two_who_decide_is_told(app: Flask, clerk: Person, kind: str) -> None:
    number = a_complaint() if kind == "complaints" else an_appeal()[0]
    other, there = somebody(app, StaffRole.REGISTRY), f"/staff/{kind}/{number}"
    other.get(there)
    assert clerk.post(f"{there}/dismissal", {"reason": "核实"}).status_code == 303
    late = other.post(f"{there}/upholding", {"reason": "属实"})
    assert (late.status_code, "刚刚已被处理" in late.text, "核实" in late.text) == (409, True, True)
    model: Any = Complaint if kind == "complaints" else Appeal
    assert rows(model, model.state == ComplaintState.DISMISSED) == 1


def test_a_dispute_without_a_reason_is_not_decided(clerk: Person) -> None:
    complaint_id, (appeal_id, _) = a_complaint(), an_appeal()
    before = rows(AuditLog)
    for reason in HOSTILE:
        sent = {"reason": reason.encode("utf-8", "surrogatepass")}
        for path in (f"complaints/{complaint_id}", f"appeals/{appeal_id}"):
            for step in ("upholding", "dismissal"):
                assert clerk.post(f"/staff/{path}/{step}", sent).status_code == 422
    assert rows(AuditLog) == before
    for kind in ("complaints", "appeals"):
        assert clerk.get(f"/staff/{kind}?state=x").status_code == 422
        assert clerk.get(f"/staff/{kind}?after=x").status_code == 404
        assert clerk.get(f"/staff/{kind}/2147483647").status_code == 404
        assert clerk.get(f"/staff/{kind}/99999999999").status_code == 404


def test_disputes_are_listed_in_as_many_statements_however_many(clerk: Person) -> None:
    a_complaint(), an_appeal()
    paths = ("/staff/complaints", "/staff/appeals")
    for path in paths:
        clerk.get(path)
    few = [asked(clerk, path) for path in paths]
    for _ in range(3):
        a_complaint(), an_appeal()
    assert [asked(clerk, path) for path in paths] == few


def test_a_right_that_is_withdrawn_is_gone_in_the_transaction_that_decides(app: Flask) -> None:
    account, complaint_id = a_clerk(StaffRole.SERVICE), a_complaint()
    with pytest.raises(StaffOnly):
        complaints.decide(complaint_id, upheld=True, actor=Actor(account.username, account.id), reason="属实")
    assert rows(Complaint, Complaint.state == ComplaintState.WAITING) == 1


# ---------------------------------------------------------------- rules


def rule(**values: Any) -> dict[str, Any]:
    fields = {"rule": int(Rule.COMPLAINT), "kind": int(ScoreType.PENALTY), "version": "1", "score": "300"}
    return {**fields, "reason": "新学期", **values}


def test_a_rule_changes_by_a_new_version(app: Flask, clerk: Person) -> None:
    assert "200 贝里" in clerk.get("/staff/rules").text
    assert rows(ScoreRule) == 0  # looking writes nothing
    done = clerk.follow(clerk.post("/staff/rules", rule()))
    assert "300 贝里（第 2 版）" in done.text and "新学期" in done.text
    assert rows(ScoreRule, ScoreRule.rule == Rule.COMPLAINT) == 2
    other = somebody(app, StaffRole.REGISTRY)
    late = other.post("/staff/rules", rule(score="400"))
    assert (late.status_code, "刚刚有同事改了" in late.text) == (409, True)
    same = clerk.post("/staff/rules", rule(version="2"))
    assert (same.status_code, "已经是这个数" in same.text) == (409, True)
    row = last_row("score_rule change")
    assert (row.before, row.after) == ({"version": 1, "score": 200}, {"version": 2, "score": 300})
    enrolment = a_studying()
    complaints.decide(a_complaint(enrolment), upheld=True, actor=STAFF, reason="属实")
    assert fresh(enrolment).mentor_fee_balance == 1200


NO_RULES: tuple[dict[str, Any], ...] = (
    *({"score": value} for value in ("1000001", "-1", "NaN", "３００", "9" * 400, ["1", "2"], "")),
    *(
        {"rule": "99"},
        {"rule": "x"},
        {"kind": "2"},
        {"rule": "7", "kind": "0"},
        {"version": "0"},
        {"version": "x" * 100_000},
    ),
    *({"reason": ""}, {"reason": "\x00"}),
)


def test_a_rule_that_is_none_is_told(clerk: Person) -> None:
    for fields in NO_RULES:
        answer = clerk.post("/staff/rules", rule(**fields))
        assert (answer.status_code, 'role="alert"' in answer.text) == (422, True), str(fields)[:40]
    assert rows(ScoreRule) == 0
