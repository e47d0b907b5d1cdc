"""safety.md 7.3, 7.4: a person takes their data along, or leaves; nothing of anybody else goes with it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop.enums import GiftKind, OrderStatus, StaffRole, StudyStatus, TransactionType
from shop.extensions import db, settings, unit_of_work
from shop.models import (
    Account,
    AuditLog,
    DataExport,
    EnrolledDegreeCourse,
    Gift,
    Mail,
    Notification,
    Order,
    TransactionRecord,
    Upload,
)
from shop.services import (
    attempts,
    complaints,
    data_export,
    erased_rows,
    erasure,
    orders,
    own_data,
    payment,
    questions,
    refunds,
    wallet,
)
from shop.services.audit_log import Actor
from shop.services.own_data import SECTIONS
from shop.services.own_data_words import COLUMNS
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.degrees import a_mentor, a_studying
from tests.pages.test_rights import fingerprint
from tests.person import PASSWORD, Person
from tests.purchases import enrolled, saved
from tests.refunding import placed
from tests.world import (
    ASKED_BACK,
    COMPANY,
    COMPLAINT,
    EMAIL,
    FILE,
    FOLLOW_UP,
    HOMEWORK,
    LEAVE,
    NOTE,
    PHONE,
    POSITION,
    QUESTION,
    SALARY,
    World,
    a_world,
    stands_in,
)

OWN = (SALARY, COMPANY, POSITION, PHONE, EMAIL, HOMEWORK, QUESTION, COMPLAINT, LEAVE, ASKED_BACK, "娜美")
OF_OTHERS = (FOLLOW_UP, NOTE.decode(), "沈舟", "白石")
HOSTILE = ("", "\x00", "\ud800", "x" * 100_000, "９" * 6, "' OR 1=1 --")
# what stays of a person: trade, and the log, which holds no personal data and cannot be changed
TRADE = {"refund": {ASKED_BACK}}


def archive(answer: TestResponse) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text[:500]
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "no-store" in answer.headers["Cache-Control"]
    with zipfile.ZipFile(io.BytesIO(answer.data)) as whole:
        assert whole.testzip() is None
        return {name: whole.read(name) for name in whole.namelist()}


def link_of(person: Person) -> str:
    """The page of a link that the person has just made."""
    answer = person.post("/account/data/exports")
    assert answer.status_code == 303
    return answer.location


def a_person(app: Flask, account: Account | None = None) -> Person:
    return Person(app).sign_in((account or a_student()).username)


# ---------------------------------------------------------------- taking it along


@pytest.fixture
def world(app: Flask, alipay: Cashier) -> World:
    made = a_world(app)
    path = f"/learning/degrees/{made.places['under way']}/leave"
    assert made.people["A"].post(path, {"reason": LEAVE}).status_code == 303
    return made


def test_the_archive_holds_what_is_ones_own_and_nothing_of_anybody_else(world: World) -> None:
    person = world.people["A"]
    files = archive(person.post(link_of(person), {"password": PASSWORD}, buffered=True))
    data = json.loads(files["data.json"])
    assert list(data) == ["made_time", *(section.name for section in SECTIONS), "messages"]
    for told in (files["data.json"].decode(), files["index.html"].decode()):
        assert [word for word in OWN if word not in told] == []
        assert [word for word in OF_OTHERS if word in told] == []
    handed_in = [name for name in files if name.startswith("files/")]
    assert handed_in and all(files[name] == FILE for name in handed_in)
    assert [row["username"] for row in data["account"]] == ["nami"]
    assert world.paid in {row["order_number"] for row in data["orders"]}
    other = archive(world.people["B"].post(link_of(world.people["B"]), {"password": PASSWORD}, buffered=True))
    assert [word for word in OWN if word.encode() in other["data.json"] + other["index.html"]] == []
    assert_audit_clean()


def test_a_mentors_archive_has_no_words_of_students(app: Flask) -> None:
    student, mentor = a_student(name="王路飞"), a_mentor()
    enrolment = a_studying(student, mentor=mentor)
    questions.ask(student.id, enrolment.id, "我的工资怎么谈", "请问怎么谈？")
    db.session.rollback()
    [told] = [part for part in own_data.parts(mentor.id, "zh") if part.name == "messages"]
    texts = " ".join(str(row["text"]) for row in told.rows)
    assert ("我*" in texts, "我的工资怎么谈" in texts, "王路飞" in texts) == (True, False, False)


def test_a_link_is_good_once_for_a_day_and_for_its_owner_alone(app: Flask, instance: Path) -> None:
    person = a_person(app)
    link = link_of(person)
    db.session.rollback()
    assert db.session.scalars(select(DataExport.digest)).one() not in link
    assert a_person(app).get(link).status_code == 410
    assert a_person(app).post(link, {"password": PASSWORD}).status_code == 410
    for password in ("", "not the password"):
        answer = person.post(link, {"password": password})
        assert (answer.status_code, answer.mimetype) == (422, "text/html"), password
    assert person.get(link).status_code == 200  # looking, and guessing wrong, does not spend it
    archive(person.post(link, {"password": PASSWORD}, buffered=True))
    for answer in (person.get(link), person.post(link, {"password": PASSWORD})):
        assert (answer.status_code, "已经失效" in answer.text) == (410, True)
    older, newer = link_of(person), link_of(person)
    assert person.get(older).status_code == 410
    (instance / "clock_offset").write_text(str(24 * 3600 - 5))
    assert person.get(newer).status_code == 200
    (instance / "clock_offset").write_text(str(24 * 3600 + 5))
    assert person.get(newer).status_code == 410


def test_of_two_who_fetch_at_once_one_gets_it(app: Flask) -> None:
    student = a_student()
    token = data_export.ask(student.id)
    data_export.use(student.id, token)
    with pytest.raises(data_export.ExportGone):
        data_export.use(student.id, token)


def test_exports_and_guesses_are_slowed(app: Flask) -> None:
    person = a_person(app)
    links = [person.post("/account/data/exports") for _more in range(6)]
    assert [answer.status_code for answer in links] == [303] * 5 + [429]
    assert "Retry-After" in links[-1].headers
    tries = [person.post(links[4].location, {"password": "wrong guess"}).status_code for _more in range(6)]
    assert tries == [422] * 5 + [429]


@pytest.mark.parametrize("bad", HOSTILE, ids=lambda bad: repr(bad[:4]))
def test_hostile_values_are_refused_in_words(app: Flask, bad: str) -> None:
    person, sent = a_person(app), bad.encode("utf-8", "surrogatepass")
    link = link_of(person)
    for path in (link, "/account/data/deletion"):
        assert person.post(path, {"password": sent, "gives_up": sent}).status_code in (422, 413), path
        assert person.post(path, {"password": [PASSWORD, PASSWORD]}).status_code == 422, path
    assert person.get(f"/account/data/exports/{'x' * 43}").status_code == 410
    assert person.get("/account/data/exports/%00").status_code == 404
    assert person.get("/account/data").status_code == 200


def test_every_column_of_the_archive_has_its_words(app: Flask) -> None:
    named = {column.key for section in SECTIONS for column in section.query(1).selected_columns}
    assert named - COLUMNS.keys() == set()


# what the archive leaves out of the tables that point at a person, and why
LEFT_OUT = {
    "audit_log": "what staff did",
    "complaint": "its handler is staff",
    "coupon_code": "becomes a coupon record",
    "data_export": "links to this archive",
    "gift": "given: in the ledger or among the coupons; refused: internal",
    "mentor_assignment": "other people",
    "mentor_group_member": "other people",
    "order_note": "staff for each other",
    "password_reset": "secret",
    "reconciliation_difference": "its handler is staff",
    "recovery_code": "secret",
    "second_factor": "secret",
    "staff_role": "work",
    "stu_follow_up_record": "private remarks of mentors",
    "trouble": "its handler is staff",
}


def test_every_table_about_a_person_is_in_the_archive_or_left_out_for_a_reason(app: Flask) -> None:
    account = db.metadata.tables["account"]
    about = {
        table.name for table in db.metadata.tables.values() if any(k.references(account) for k in table.foreign_keys)
    }
    read = {
        table.name
        for section in SECTIONS
        for table in sa.sql.visitors.iterate(section.query(1))
        if isinstance(table, sa.Table)
    }
    assert about - read - {"notification"} - LEFT_OUT.keys() == set()


# ---------------------------------------------------------------- leaving


def where(words: tuple[str, ...]) -> dict[str, set[str]]:
    """The words that a table still holds."""
    found: dict[str, set[str]] = {}
    db.session.rollback()
    with db.engine.connect() as connection:
        for table in db.metadata.sorted_tables:
            rows = [str(tuple(row)) for row in connection.execute(sa.select(table))]
            if here := {word for word in words if any(stands_in(word, row) for row in rows)}:
                found[table.name] = here
    return found


def settle(world: World) -> None:
    """See to all that A has open, but for the degrees under way."""
    person, me = world.people["A"], world.ids["A"]
    assert person.post(f"/orders/{world.order}/cancellation").status_code == 303
    assert person.post(f"/orders/{world.refunding}/refunds/{world.refund}/withdrawal").status_code == 303
    with unit_of_work() as session:
        balance = session.get_one(Account, me).balance
        wallet.move_beli(session, me, TransactionType.EXPENSE, balance, memo="for a test")


def test_who_leaves_is_told_what_is_open_and_then_gone_from_every_table(world: World) -> None:
    person, form = world.people["A"], {"password": PASSWORD}
    page = person.get("/account/data")
    listed = page.text.split('id="obstacles"')[1].split("</div>")[0]
    for word in (f"订单 {world.order} 待支付", f"订单 {world.refunding} 的退款", "贝里", "还在学习中"):
        assert word in listed, word
    assert 'id="deletion"' not in page.text
    before = fingerprint()
    refused = person.post("/account/data/deletion", {**form, "gives_up": "y"})
    assert (refused.status_code, "待支付" in refused.text) == (409, True)
    assert fingerprint() == before  # nothing was given up for nothing
    settle(world)
    assert 'id="deletion"' in person.get("/account/data").text
    assert person.post("/account/data/deletion", form).status_code == 409  # the degrees
    assert person.post("/account/data/deletion", {"password": "wrong guess", "gives_up": "y"}).status_code == 422
    files = db.session.scalars(select(Upload.stored_name)).all()
    assert len(files) == 3
    others = {role: fingerprint(world.ids[role]) for role in ("B", "M-")}
    gone = person.post("/account/data/deletion", {**form, "gives_up": "y"})
    assert (gone.status_code, gone.location) == (303, "/")
    assert where((*OWN, FOLLOW_UP, world.names["A"])) == TRADE
    assert not any((settings().uploads / name[:2] / name).exists() for name in files)
    assert {role: fingerprint(world.ids[role]) for role in others} == others
    assert_audit_clean()
    assert person.get("/account").status_code == 303
    db.session.rollback()
    account = db.session.get_one(Account, world.ids["A"], populate_existing=True)
    assert re.fullmatch(r"deleted-[0-9a-f]{16}", account.username)
    assert (account.is_active, account.deleted_time is not None) == (False, True)
    states = db.session.scalars(select(EnrolledDegreeCourse.study_status).filter_by(account_id=account.id))
    assert set(states) == {StudyStatus.OVERTIME}
    for name in ("nami", account.username):
        assert Person(world.app).post("/login", {"username": name, "password": PASSWORD}).status_code == 422


def test_name_address_and_phone_are_free_for_a_new_account(app: Flask) -> None:
    student = a_student(username="robin", email="robin@example.com", mobile=PHONE)
    erasure.delete_own(student.id, gives_up=False)
    person = Person(app)
    person.get("/register")
    fields = {"username": "robin", "email": "robin@example.com", "password": PASSWORD}
    person.follow(person.post("/register", fields))
    db.session.rollback()
    new = db.session.scalars(select(Account).where(Account.username == "robin")).one()
    assert (new.email, new.id != student.id) == ("robin@example.com", True)
    new.mobile = PHONE
    db.session.commit()


def test_beli_that_are_left_are_given_up_as_many_as_were_shown(app: Flask) -> None:
    student = a_student(beli=7)
    person, form = Person(app).sign_in(student.username), {"password": PASSWORD}
    page = person.get("/account/data").text
    assert 'name="beli" value="7"' in page and "我放弃账户里的 7 贝里" in page and 'name="gives_up"' not in page
    assert person.post("/account/data/deletion", form).status_code == 409
    for sent in ("-1", "1.5", "７", "x", "9" * 400, "\x00"):
        assert person.post("/account/data/deletion", {**form, "beli": sent}).status_code == 422, sent
    with unit_of_work() as session:
        wallet.move_beli(session, student.id, TransactionType.INCOME, 1)
    before = fingerprint()
    told = person.post("/account/data/deletion", {**form, "beli": "7"})  # one more has come meanwhile
    assert (told.status_code, 'name="beli" value="8"' in told.text) == (409, True)
    assert fingerprint() == before
    assert person.post("/account/data/deletion", {**form, "beli": "8"}).status_code == 303
    db.session.rollback()
    last = db.session.scalars(select(TransactionRecord).order_by(TransactionRecord.id.desc())).first()
    assert last and (last.amount, last.transaction_type, last.balance_after) == (8, TransactionType.EXPENSE, 0)
    account = db.session.get_one(Account, student.id, populate_existing=True)
    assert (account.balance, account.deleted_time is not None) == (0, True)
    assert_audit_clean()


def test_beli_stay_when_something_else_stands_in_the_way(world: World) -> None:
    before, person = fingerprint(), world.people["A"]
    balance = db.session.get_one(Account, world.ids["A"]).balance
    sent = {"password": PASSWORD, "gives_up": "y", "beli": str(balance)}
    assert balance and person.post("/account/data/deletion", sent).status_code == 409
    assert fingerprint() == before


def test_who_works_here_or_has_students_hands_that_over_first(app: Flask) -> None:
    clerk, mentor = a_clerk(StaffRole.SERVICE), a_mentor(name="沈舟")
    a_studying(mentor=mentor)
    for account, word in ((clerk, "员工账户"), (mentor, "在辅导的学员")):
        [obstacle] = erasure.obstacles(account.id)
        assert word in obstacle.says and not obstacle.can_be_given_up
        with pytest.raises(erasure.NotDeletable):
            erasure.delete_own(account.id, gives_up=True)


def test_a_mentor_who_leaves_is_named_to_no_student(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erased_rows, "BATCH", 2)
    mentor, other = a_mentor(name="砂糖九郎", username="jiulang"), a_mentor(name="沈舟")
    for present in (mentor, mentor, mentor, other):
        a_studying(mentor=present)
    assert set(where(("砂糖九郎",))) == {"account", "notification", "mail"}
    with unit_of_work() as session:
        erased_rows.erase(session, session.get_one(Account, mentor.id), "deleted-0")
    assert set(where(("砂糖九郎",))) == {"account"}  # whose own row is the caller's
    assert "notification" in where(("沈舟",))


def test_what_was_decided_about_somebody_who_leaves_goes_too(app: Flask) -> None:
    enrolment, proposer = a_studying(), a_clerk(StaffRole.SERVICE)
    complaint_id = complaints.file(enrolment.account_id, enrolment.id, "没有回复").id
    complaints.decide(complaint_id, upheld=False, actor=Actor("a command"), reason="学员记错了日期")
    saved(Gift(kind=GiftKind.BELI, account_id=enrolment.account_id, beli=5, reason="生病补偿", proposer_id=proposer.id))
    with unit_of_work() as session:
        erased_rows.erase(session, session.get_one(Account, enrolment.account_id), "deleted-0")
    assert set(where(("学员记错了日期", "生病补偿"))) == {"audit_log"}


def test_late_money_of_somebody_who_has_left_goes_back(app: Flask, alipay: Cashier) -> None:
    """F65: nobody is there to study what the order would open."""
    student, other = a_student(), a_student()
    waiting = {}
    for account in (student, other):
        number = placed(account, [a_course(30_000)])
        waiting[account.id] = number, attempts.pay_url(number) or ""
        alipay.fault("notify_lost", out_trade_no=f"{number}01", times=None)
        orders.cancel(account.id, number)
    erasure.delete_own(student.id, gives_up=False)
    for number, url in waiting.values():
        fetch(url)
        alipay.pay(f"{number}01")
        assert payment.ask(f"{number}01") is payment.Answer.PAID
    assert refunds.send_due()["done"] == 1
    db.session.rollback()
    states = dict(db.session.execute(select(Order.account_id, Order.status)).all())
    assert states == {student.id: OrderStatus.CANCELLED, other.id: OrderStatus.PAID}
    assert_audit_clean()


# ---------------------------------------------------------------- for somebody who has asked elsewhere


def test_an_administrator_sends_the_link_to_the_person_and_never_sees_it(app: Flask) -> None:
    student, clerk = a_student(), a_clerk(StaffRole.ADMIN)
    boss, here = Person(app).sign_in(clerk.username), f"/staff/accounts/{student.id}"
    assert boss.post(f"{here}/exports", {"reason": ""}).status_code == 422
    page = boss.follow(boss.post(f"{here}/exports", {"reason": "来信要求"}))
    assert "已发给本人" in page.text
    db.session.rollback()
    letter = db.session.scalars(select(Mail).where(Mail.account_id == student.id)).one()
    link = re.search(r"/account/data/exports/[\w-]{43}", letter.body)
    assert link is not None
    assert link[0] not in page.text + boss.get("/staff/audit-log").text
    message = db.session.scalars(select(Notification).where(Notification.account_id == student.id)).one()
    assert message.link == "/account/data"
    assert boss.get(link[0]).status_code == 410
    archive(a_person(app, student).post(link[0], {"password": PASSWORD}, buffered=True))
    row = db.session.scalars(select(AuditLog)).one()
    assert (row.action, row.reason, row.account_id) == ("account export", "来信要求", clerk.id)


def test_an_administrator_deletes_on_request_when_nothing_is_open(app: Flask) -> None:
    student, clerk = a_student(beli=5), a_clerk(StaffRole.ADMIN)
    enrolled(student, a_course())
    boss, here = Person(app).sign_in(clerk.username), f"/staff/accounts/{student.id}"
    page = boss.get(here)
    assert "没有用完的贝里" in page.text and f"{here}/deletion" not in page.text
    refused = boss.post(f"{here}/deletion", {"reason": "来信要求"})
    assert (refused.status_code, "没有用完的贝里" in refused.text) == (409, True)
    with unit_of_work() as session:
        wallet.move_beli(session, student.id, TransactionType.EXPENSE, 5, memo="for a test")
    inside = a_person(app, student)
    done = boss.follow(boss.post(f"{here}/deletion", {"reason": "来信要求"}))
    assert "账户已注销" in done.text and "deleted-" in done.text and f"{here}/deletion" not in done.text
    assert inside.get("/account").status_code == 303
    for verb in ("deletion", "exports", "enabling"):
        assert boss.post(f"{here}/{verb}", {"reason": "再次"}).status_code == 404, verb
    db.session.rollback()
    log: Any = db.session.execute(select(AuditLog.action, AuditLog.reason, AuditLog.before, AuditLog.after)).all()
    assert [tuple(row) for row in log] == [("account delete", "来信要求", None, None)]
    assert_audit_clean()


def test_a_service_asks_for_the_right_again(app: Flask) -> None:
    from shop.errors import StaffOnly

    clerk, student = a_clerk(StaffRole.FINANCE), a_student()
    actor = Actor(clerk.username, clerk.id)
    for change in (erasure.delete_for, data_export.start):
        with pytest.raises(StaffOnly):
            change(student.id, actor=actor, reason="so")
