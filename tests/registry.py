"""What tests of the registry's pages share: who opens them, what waits there, and disputes to decide."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from shop import clock
from shop.enums import Purse, Rule, StaffRole
from shop.extensions import db, unit_of_work
from shop.models import AuditLog, EnrolledDegreeCourse, HomeworkSubmission
from shop.services import appeals, complaints, enrolled_degrees, purses
from shop.services.purses import Cause
from tests.builders import a_clerk
from tests.degrees import a_studying, fresh
from tests.person import Person
from tests.statements import counted

PHONE, NAME = "13912345678", "卡纳里"
TEXT = "导师三周没有联系过我，也不回复问题。"
WHY = "作业在周六晚上已经批改，系统当时出错。"


def somebody(app: Flask, *roles: StaffRole) -> Person:
    return Person(app).sign_in(a_clerk(*roles).username)


def last_row(action: str) -> AuditLog:
    db.session.rollback()
    rows = select(AuditLog).where(AuditLog.action == action).order_by(AuditLog.id.desc())
    return db.session.scalars(rows.limit(1)).one()


def rows(model: type, *where: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def queues(person: Person) -> dict[str, int]:
    answer = person.get("/staff/")
    assert answer.status_code == 200
    found = re.findall(r'data-queue="([^"]+)"><strong class="queue__count">(\d+)<', answer.text)
    return {key: int(count) for key, count in found}


def a_complaint(enrolment: EnrolledDegreeCourse | None = None) -> int:
    enrolment = enrolment or a_studying()
    return complaints.file(enrolment.account_id, enrolment.id, TEXT).id


def an_appeal(enrolment: EnrolledDegreeCourse | None = None) -> tuple[int, EnrolledDegreeCourse]:
    """Against 50 贝里 for a mark that came late."""
    enrolment = enrolment or a_studying()
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        fine = purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, Cause(f"fine {enrolment.id}"), clock.now())
        mentor_id = locked.mentor_id
        assert fine is not None and mentor_id is not None
    return appeals.file(mentor_id, fine.id, WHY, clock.now()).id, fresh(enrolment)


def asked(person: Person, path: str) -> int:
    with counted() as sent:
        person.get(path)
    return len(sent)


def the_hand_in(hand_in: int) -> HomeworkSubmission:
    db.session.rollback()
    return db.session.get_one(HomeworkSubmission, hand_in)
