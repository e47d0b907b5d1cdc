"""The lists of staff as files: the same filters, rights and masks as their pages, in batches, and no formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import ComplaintState, Purse, Rule, StaffRole, TroubleKind
from shop.extensions import db, unit_of_work
from shop.models import Account, EnrolledDegreeCourse, StaffMember, Trouble
from shop.services import appeals, complaints, enrolled_degrees, keyset, purses
from shop.services.audit_log import Actor
from shop.services.purses import Cause
from shop.services.staff import gifts
from tests.builders import a_clerk, a_coupon, a_student
from tests.degrees import a_studying
from tests.person import Person
from tests.purchases import saved

FORMULA, SAFE = "=HYPERLINK(1)", "'=HYPERLINK(1)"


def somebody(app: Flask, *roles: StaffRole) -> Person:
    return Person(app).sign_in(a_clerk(*roles).username)


def rows(answer: TestResponse) -> list[list[str]]:
    """The lines of a file without its head."""
    assert (answer.status_code, answer.mimetype) == (200, "text/csv"), answer.text
    return list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))[1:]


def column(person: Person, path: str, number: int = 0) -> Sequence[str]:
    return [row[number] for row in rows(person.get(path, buffered=True))]


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyset, "BATCH", 2)


def test_accounts(app: Flask) -> None:
    admin = somebody(app, StaffRole.ADMIN)
    for name in ("nami1", "nami2", "nami3"):
        a_student(username=name)
    clerk = a_clerk(StaffRole.FINANCE, StaffRole.SERVICE)
    assert column(admin, "/staff/accounts.csv?kind=0&username=nami") == ["nami3", "nami2", "nami1"]
    mine = next(row for row in rows(admin.get("/staff/accounts.csv", buffered=True)) if row[0] == clerk.username)
    assert mine[1:5] == ["员工", "财务、客服", "正常", "已设置"]
    assert column(admin, "/staff/accounts.csv?kind=3") == []
    assert (
        'href="/staff/accounts.csv?kind=0&amp;username=nami"' in admin.get("/staff/accounts?kind=0&username=nami").text
    )
    with unit_of_work() as session:
        session.get_one(Account, clerk.id).username = FORMULA
    assert SAFE in column(admin, "/staff/accounts.csv")


def test_gifts(app: Flask) -> None:
    a_student(username="nami")
    anna, carl = a_clerk(StaffRole.FINANCE), a_clerk(StaffRole.SERVICE)
    finance, service = Actor(anna.username, anna.id), Actor(carl.username, carl.id)
    given = [gifts.propose_beli("nami", beli, actor=finance, reason=FORMULA) for beli in (5, 6, 7)]
    coupon = gifts.propose_coupon("nami", a_coupon(name="道歉券").id, actor=service, reason="so")
    bert = a_clerk(StaffRole.FINANCE)
    gifts.refuse(given[0], actor=Actor(bert.username, bert.id), reason="没有依据")
    person = somebody(app, StaffRole.FINANCE)
    assert column(person, "/staff/gifts.csv") == [str(given[1]), str(given[2])]
    waiting = rows(person.get("/staff/gifts.csv?queue=0", buffered=True))[0]
    assert waiting[2:] == [anna.username, "nami", "6", "", SAFE, "待审核", "", "", ""]
    over = rows(person.get("/staff/gifts.csv?queue=2", buffered=True))
    assert [row[8:10] for row in over] == [[bert.username, "没有依据"]]
    assert column(person, "/staff/gifts.csv?queue=1") == []
    assert 'href="/staff/gifts.csv?queue=0"' in person.get("/staff/gifts").text
    others = somebody(app, StaffRole.SERVICE)
    assert [row[:6:3] + row[4:6] for row in rows(others.get("/staff/gifts.csv", buffered=True))] == [
        [str(coupon), "n*", "", "道歉券"]
    ]
    assert column(others, "/staff/gifts.csv?queue=0") == []


def complained() -> tuple[EnrolledDegreeCourse, int]:
    """A study with a complaint about its mentor."""
    enrolment = a_studying(a_student(name="王小明"))
    return enrolment, complaints.file(enrolment.account_id, enrolment.id, "a text that is long").id


def appealed(enrolment: EnrolledDegreeCourse) -> int:
    """An appeal of its mentor against a fine."""
    with unit_of_work() as session:
        locked = enrolled_degrees.lock(session, enrolment.id)
        fine = purses.fine(session, locked, Purse.FEE, Rule.LATE_GRADING, Cause(f"of {enrolment.id}"), clock.now())
        assert fine is not None and locked.mentor_id
        mentor_id, fine_id = locked.mentor_id, fine.id
    return appeals.file(mentor_id, fine_id, "another text that is long", clock.now()).id


def test_complaints(app: Flask) -> None:
    found = [complained() for _ in range(3)]
    registry, service = somebody(app, StaffRole.REGISTRY), somebody(app, StaffRole.SERVICE)
    assert column(registry, "/staff/complaints.csv") == [str(number) for _study, number in found]
    assert 'href="/staff/complaints.csv?state=0"' in registry.get("/staff/complaints").text
    enrolment, number = found[0]
    student = db.session.get_one(Account, enrolment.account_id)
    assert rows(registry.get("/staff/complaints.csv", buffered=True))[0][2:4] == [student.username, "王*"]
    assert rows(service.get("/staff/complaints.csv", buffered=True))[0][2:4] == [f"{student.username[0]}*", "王*"]
    assert "a text that is long" not in registry.get("/staff/complaints.csv", buffered=True).text
    registry.post(f"/staff/complaints/{number}/upholding", {"reason": "属实"})
    assert column(registry, "/staff/complaints.csv?state=1") == [str(number)]
    assert len(column(registry, "/staff/complaints.csv")) == 2


def test_appeals(app: Flask) -> None:
    found = [appealed(complained()[0]) for _ in range(3)]
    registry = somebody(app, StaffRole.REGISTRY)
    assert column(registry, "/staff/appeals.csv") == [str(number) for number in found]
    assert 'href="/staff/appeals.csv?state=0"' in registry.get("/staff/appeals").text
    first = rows(registry.get("/staff/appeals.csv", buffered=True))[0]
    assert int(first[7]) < 0 and first[8:] == [ComplaintState.WAITING.chinese, ""]
    registry.post(f"/staff/appeals/{found[1]}/dismissal", {"reason": "不成立"})
    assert len(column(registry, "/staff/appeals.csv")) == 2


def test_disputes_about_ones_own_studies_stay_out_of_the_files(app: Flask) -> None:
    enrolment, _number = complained()
    appealed(enrolment)
    with unit_of_work() as session:  # the student, and the mentor, begin to work here
        for account_id in (enrolment.account_id, enrolment.mentor_id):
            session.get_one(Account, account_id).is_staff = True
            session.add(StaffMember(account_id=account_id, role=StaffRole.REGISTRY))
    for account_id in (enrolment.account_id, enrolment.mentor_id):
        own = Person(app).sign_in(db.session.get_one(Account, account_id).username)
        for path in ("/staff/complaints.csv", "/staff/appeals.csv"):
            assert rows(own.get(path, buffered=True)) == [], path


def test_money_without_a_home(app: Flask) -> None:
    finance = somebody(app, StaffRole.FINANCE)
    kind = TroubleKind.UNKNOWN_TRADE
    for number in ("=1", "X2", "X3"):
        saved(Trouble(kind=kind, out_trade_no=number, trade_no="T", amount_fen=12_345, found_by="bill"))
    settled = Trouble(kind=kind, out_trade_no="X4", trade_no="T", amount_fen=1, found_by="bill")
    settled.resolved_time, settled.resolution = clock.now(), "so"
    saved(settled)
    found = rows(finance.get("/staff/money.csv", buffered=True))
    assert [row[2] for row in found] == ["'=1", "X2", "X3"]
    assert found[1][3:] == ["T", "", "123.45", "", ""]
    assert 'href="/staff/money.csv"' in finance.get("/staff/money").text


@pytest.mark.parametrize(
    "bad", ["\x00", "x" * 9_000, "２", "-1", "9" * 30, "' OR 1=1 --"], ids=lambda bad: repr(bad[:6])
)
def test_hostile_filters_are_refused(app: Flask, bad: str) -> None:
    everything = somebody(app, *StaffRole)
    for path, name in (
        ("/staff/accounts.csv", "kind"),
        ("/staff/gifts.csv", "queue"),
        ("/staff/complaints.csv", "state"),
        ("/staff/appeals.csv", "state"),
    ):
        assert everything.get(path, query_string={name: bad}, buffered=True).status_code == 422, path
    answer = everything.get("/staff/accounts.csv", query_string={"username": bad}, buffered=True)
    assert answer.status_code in (200, 422)
