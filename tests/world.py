"""One shop in full swing: somebody in every role, and a student A who owns one of everything an address can name.

What is personal is typed into the real pages, by A and by A's mentor, and carries words that occur nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import Purse, Role, Rule, StaffRole, TransactionType
from shop.extensions import db, unit_of_work
from shop.models import (
    Account,
    CouponCode,
    DegreeCourse,
    HomeworkSubmission,
    Notification,
    Order,
    Question,
    Upload,
)
from shop.services import assignment, enrolled_degrees, modules, purses, refunds, wallet
from shop.services.purses import Cause
from tests import staff_rights
from tests.builders import a_claimed, a_clerk, a_coupon, a_course, a_student, plan_of
from tests.degrees import STAFF, a_degree_with_homework, a_mentor, a_studying
from tests.person import PASSWORD, Person
from tests.purchases import enrolled, enrolled_in_degree, saved
from tests.refunding import placed
from tests.rights import ROLES
from tests.rights import STAFF as STAFF_ROLES

SALARY = "73519"
COMPANY = "ZQX-Kanarienvogel"
POSITION = "ZQX-Steuermann"
PHONE = "13912345678"
EMAIL = "zqx.nami@example.com"
PAYEE = "zqx.payee@example.com"
PAYEE_NAME = "卡纳里"
HOMEWORK = "ZQX-hausaufgabe"
FILE = b"ZQX-anlage of a homework"
QUESTION = "ZQX-frage"
COMPLAINT = "ZQX-beschwerde: the mentor was rude to me"
FOLLOW_UP = "ZQX-nachfrage"
NOTE = b"ZQX-notiz of a follow-up"
APPEAL = "ZQX-widerspruch: I was ill on that day"
LEAVE = "ZQX-pause"
ASKED_BACK = "ZQX-rueckgabe"

REGISTRATION = {
    "current_company": COMPANY,
    "current_position": POSITION,
    "current_salary": SALARY,
    "salary_consent": "y",
    "work_experience": "11",
    "study_plan": "1",
    "why_take_this_course": "想学",
    "why_choose_us": "听说好",
    "your_expectation": "能用",
    "stu_specified_mentor": "",
    "memo": "",
}


def stands_in(word: str, text: str) -> bool:
    """Whether the text says the word. Figures stand alone: microseconds hold any digits by chance."""
    if word not in text or not word.isdigit():
        return word in text
    return re.search(rf"(?<![0-9A-Za-z_-]){word}(?![0-9A-Za-z_-])", text) is not None


@dataclass
class World:
    """Everybody by role, and the ids of what A owns."""

    app: Flask
    people: dict[str, Person]
    ids: dict[str, int] = field(default_factory=dict)  # of accounts, by role
    names: dict[str, str] = field(default_factory=dict)  # to log in with, by role
    order: str = ""  # waits for payment
    paid: str = ""
    refunding: str = ""  # its refund is asked for
    refund: str = ""
    code: str = ""  # of a coupon, reserved for A
    places: dict[str, int] = field(default_factory=dict)  # of everything else, by what it is
    texts: dict[str, str] = field(default_factory=dict)  # numbers that are words, likewise


def a_world(app: Flask) -> World:
    world = World(app, {"visitor": Person(app)})
    _people(world)
    _purchases(world)
    _degrees(world)
    _study(world)
    _mentor(world)
    for area in staff_rights.AREAS:
        area.stage(world)
    return world


def _people(world: World) -> None:
    person = Person(world.app)
    person.get("/register")
    fields = {"username": "nami", "email": EMAIL, "password": PASSWORD}
    person.follow(person.post("/register", fields))
    world.people["A"] = person
    account = db.session.scalars(select(Account).where(Account.username == "nami")).one()
    account.mobile, account.name = PHONE, "娜美"
    db.session.commit()
    world.ids["A"], world.names["A"] = account.id, account.username
    with unit_of_work() as session:
        wallet.move_beli(session, account.id, TransactionType.INCOME, 100, memo="for a test")
    others = {
        "B": a_student(beli=50),
        "M+": a_mentor(beli=500, name="沈舟"),
        "M-": a_mentor(name="白石"),
        "lecturer": a_student(role=Role.LECTURER),
        **{code: a_clerk(role) for code, role in zip(STAFF_ROLES, StaffRole, strict=True)},
    }
    for role in ROLES[2:]:
        world.ids[role], world.names[role] = others[role].id, others[role].username
        world.people[role] = Person(world.app).sign_in(world.names[role])


def _purchases(world: World) -> None:
    account, person = _account(world, "A"), world.people["A"]
    bought, returning, waiting, wanted = a_course(), a_course(), a_course(), a_course()
    paid_line, line = enrolled(account, bought).order_detail_id, enrolled(account, returning).order_detail_id
    world.paid, world.refunding = _order_of(paid_line), _order_of(line)
    world.refund = refunds.ask(account.id, world.refunding, [line], ASKED_BACK).out_request_no
    world.order = placed(account, [waiting])
    claimed, on_offer = a_claimed(account, wanted), a_coupon(is_public=True)
    reserved = a_coupon()
    world.code = saved(CouponCode(code="ZQXCODE2026", coupon_id=reserved.id, account_id=account.id)).code
    _done(person.post("/cart/items", {"product": wanted.id, "policy": plan_of(wanted).id}))
    _done(person.post("/settlement", {"product": wanted.id}))
    world.places |= {
        "course": bought.id,
        "free section": bought.chapters[0].sections[0].id,
        "bought section": bought.chapters[0].sections[1].id,
        "paid line": paid_line,
        "wanted": wanted.id,
        "plan": plan_of(wanted).id,
        "coupon record": claimed.id,
        "coupon": on_offer.id,
    }


def _degrees(world: World) -> None:
    """One under way, one whose form is a draft, one filed and not begun; and B with the other mentor."""
    account, person = _account(world, "A"), world.people["A"]
    kinds: dict[str, DegreeCourse] = {
        kind: a_degree_with_homework(homework=3) for kind in ("under way", "unfiled", "filed")
    }
    for kind, course in kinds.items():
        world.places[f"degree {kind}"] = course.id
        world.places[kind] = enrolled_in_degree(account, course).id
    form = "/degrees/enrolments/{}/registration"
    _done(person.post(form.format(world.places["under way"]), {**REGISTRATION, "open_module": "y"}))
    _done(person.post(form.format(world.places["filed"]), REGISTRATION))
    _done(person.post(form.format(world.places["unfiled"]) + "/draft", REGISTRATION))
    module = kinds["under way"].modules[0]
    world.places["module"] = module.id
    world.places["module section"] = module.chapters[0].sections[1].id
    world.places["first module of filed"] = kinds["filed"].modules[0].id
    for number, piece in enumerate(modules.homework_of(db.session(), module.id), 1):
        world.places[f"homework {number}"] = piece.id
    mentor = _account(world, "M+").id
    assignment.assign(world.places["under way"], mentor, actor=STAFF)
    a_studying(_account(world, "B"), a_degree_with_homework(), _account(world, "M-"))


def _study(world: World) -> None:
    person, places = world.people["A"], world.places
    degree = f"/learning/degrees/{places['under way']}"
    for number in (1, 2):
        fields = {"content": f"{HOMEWORK} {number}", "files": (BytesIO(FILE), f"{HOMEWORK}.txt")}
        _done(person.post(f"{degree}/homework/{places[f'homework {number}']}", fields))
    for title in (QUESTION, f"{QUESTION} zwei"):
        _done(person.post(f"{degree}/questions", {"title": title, "content": f"{QUESTION}: why?"}))
    _done(person.post(f"{degree}/complaints", {"content": COMPLAINT}))
    first, second = _ids(HomeworkSubmission)
    waiting, answered = _ids(Question)
    places |= {"submission": first, "graded": second, "question": waiting, "answered": answered}
    places["upload of homework"] = _ids(Upload)[0]


def _mentor(world: World) -> None:
    person, places = world.people["M+"], world.places
    student = f"/mentor/students/{places['under way']}"
    note = {"tool": "1", "record": FOLLOW_UP, "attachment": (BytesIO(NOTE), "note.txt")}
    _done(person.post(f"{student}/follow-ups", note))
    _done(person.post(f"/mentor/homework/{places['graded']}", {"score": "70", "comment": "好", "step": "grade"}))
    _done(person.post(f"/mentor/questions/{places['answered']}/answers", {"content": "因为"}))
    places["upload of follow-up"] = _ids(Upload)[-1]
    places["fine"], appealed = _fines(places["under way"])
    _done(person.post(f"/mentor/earnings/{appealed}/appeals", {"content": APPEAL}))
    _done(person.post("/mentor/withdrawals", withdrawal()))
    places["message"] = _ids(Notification, Notification.account_id == world.ids["A"])[0]


def withdrawal() -> dict[str, str]:
    return {"amount": "100", "payee_account": PAYEE, "payee_name": PAYEE_NAME, "password": PASSWORD}


def _fines(enrolment_id: int) -> tuple[int, int]:
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment_id)
        rows = [
            purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, Cause(f"fine {number}"), clock.now())
            for number in (1, 2)
        ]
        first, second = (row.id for row in rows if row)
    return first, second


def _ids(table: Any, *where: Any) -> list[int]:
    db.session.rollback()
    return list(db.session.scalars(select(table.id).where(*where).order_by(table.id)))


def _order_of(line_id: int) -> str:
    return db.session.scalars(select(Order.order_number).where(Order.details.any(id=line_id))).one()


def _account(world: World, role: str) -> Account:
    db.session.rollback()
    return db.session.get_one(Account, world.ids[role])


def _done(answer: TestResponse) -> None:
    """What builds the world must work, or the world is not what the tests are about."""
    said = " ".join(re.sub(r"<[^>]+>", " ", answer.text.partition("<main")[2]).split())[:500]
    assert answer.status_code == 303, f"{answer.request.path}: {answer.status_code} {said}"
    assert "/login" not in answer.location, answer.request.path
