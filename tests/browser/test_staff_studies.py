"""In a browser: the registry finds on the desk what waits for it, and mends it there; the pages are good."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from shop import clock
from shop.enums import Score, StaffRole
from shop.extensions import db, unit_of_work
from shop.models import AuditLog, MentorAssignment
from shop.services import complaints
from tests.audit import assert_audit_clean
from tests.browser.conftest import Judge, Open
from tests.browser.test_staff import log_in
from tests.browser.visitor import WITHOUT_SCRIPTS, Visitor
from tests.builders import a_student
from tests.degrees import a_hand_in, a_mentor, a_registered, a_studying, fresh
from tests.registry import an_appeal

TEXT = "导师三周没有联系过我，也不回复问题。"


def actions() -> set[str]:
    db.session.rollback()
    return set(db.session.scalars(select(AuditLog.action)))


@pytest.mark.parametrize("options", [WITHOUT_SCRIPTS], ids=["scripts off"])
def test_what_waits_is_found_from_the_desk_and_mended(
    served: Flask, open_browser: Open, options: dict[str, object]
) -> None:
    waiting, mentor = a_registered(a_student(name="娜美")), a_mentor(name="白石")
    late = a_studying()
    with unit_of_work() as session:
        session.query(MentorAssignment).filter_by(enrolled_degree_course_id=late.id).one().from_time -= timedelta(10)
    a_hand_in(fresh(late), at=clock.now() - timedelta(10))
    complaint = complaints.file(late.account_id, late.id, TEXT).id
    visitor = open_browser(**options)
    log_in(visitor, StaffRole.REGISTRY)

    queue(visitor, "forms").click()
    visitor.main.locator(f'[data-study="{waiting.id}"] th a').click()
    visitor.main.get_by_role("link", name="分配导师").click()
    visitor.main.locator(f'[data-mentor="{mentor.id}"] input').check()
    visitor.press("分配导师")
    visitor.sees("已分配导师")
    assert fresh(waiting).mentor_id == mentor.id

    visitor.open("/staff/")
    queue(visitor, "forms").click()  # the demo's own form waits there still
    assert visitor.main.locator("[data-study]").count() == 1
    assert visitor.main.locator(f'[data-study="{waiting.id}"]').count() == 0
    visitor.open("/staff/")
    queue(visitor, "gradings").click()
    visitor.main.locator(f'[data-study="{late.id}"] th a').click()
    visitor.sees("批改超时")
    visitor.main.locator("[data-hand-in] th a").click()
    visitor.main.locator("details.act[open] [name=score]").select_option(str(int(Score.B)))
    visitor.main.locator("details.act[open] [name=reason]").fill("导师生病")
    visitor.press("提交成绩")
    visitor.sees("已改判为 B，学员贝里变动 +")

    visitor.open("/staff/")
    assert queue(visitor, "gradings").count() == 0
    queue(visitor, "complaints").click()
    visitor.main.locator(f'[data-complaint="{complaint}"] th a').click()
    visitor.sees(TEXT)
    visitor.main.locator("details.act summary").first.click()
    visitor.main.locator("details[open] [name=reason]").fill("属实")
    visitor.press("认定投诉成立")
    visitor.sees("投诉成立，已按规则处理")

    visitor.open("/staff/")
    assert queue(visitor, "complaints").count() == 0
    assert {"enrolled_degree_course assign", "homework_submission remark", "complaint decide"} <= actions()
    assert_audit_clean()


def queue(visitor: Visitor, key: str) -> Any:
    return visitor.main.locator(f'.queue[data-queue="{key}"]')


def test_the_pages_of_the_registry_are_good(visitor: Visitor, served: Flask, judge: Judge) -> None:
    student = a_student(name="娜美", mobile="13912345678")
    enrolment = a_studying(student)
    hand_in = a_hand_in(enrolment, score=Score.A)
    complaint = complaints.file(enrolment.account_id, enrolment.id, TEXT).id
    appeal, _ = an_appeal(enrolment)
    log_in(visitor, StaffRole.REGISTRY)
    pages = {
        "studies": "/staff/studies",
        "study": f"/staff/studies/{enrolment.id}",
        "mentor-choice": f"/staff/studies/{enrolment.id}/mentor",
        "hand-in": f"/staff/studies/{enrolment.id}/hand-ins/{hand_in.id}",
        "mentors": "/staff/mentors",
        "mentor": f"/staff/mentors/{enrolment.mentor_id}",
        "complaints": "/staff/complaints",
        "complaint": f"/staff/complaints/{complaint}",
        "appeals": "/staff/appeals",
        "appeal": f"/staff/appeals/{appeal}",
        "rules": "/staff/rules",
    }
    for name, path in pages.items():
        visitor.open(path)
        judge(visitor, f"staff-{name}")
