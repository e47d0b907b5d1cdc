"""贝里 and coupons given by hand: one proposes, another one gives; nobody alone, nobody for themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import func, select

from shop import clock
from shop.enums import GiftState, StaffRole, TransactionType
from shop.errors import AnotherPerson, NotYourTurn, OwnCase, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, CouponRecord, Gift, Notification, StaffMember, TransactionRecord
from shop.services import coupons, erasure
from shop.services.audit_log import Actor
from shop.services.staff import gifts
from tests.audit import assert_audit_clean
from tests.builders import a_clerk, a_coupon, a_student
from tests.person import Person
from tests.statements import counted

HOSTILE = ("", " ", "0", "-1", "1.5", "１２", "²", "NaN", "1e3", "10001", "9" * 400, "\x00", "\ud800")


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def clerk(app: Flask, *roles: StaffRole) -> tuple[Person, Actor]:
    account = a_clerk(*roles)
    return Person(app).sign_in(account.username), Actor(account.username, account.id)


def an_actor(*roles: StaffRole) -> Actor:
    account = a_clerk(*roles)
    return Actor(account.username, account.id)


def rows(model: type) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_beli_are_proposed_found_from_the_desk_and_given_by_somebody_else(app: Flask) -> None:
    student = a_student()
    anna, _actor = clerk(app, StaffRole.FINANCE)
    bert, _actor = clerk(app, StaffRole.FINANCE)
    page = anna.follow(
        anna.post("/staff/gifts/beli", {"username": student.username, "beli": "50", "reason": "课程故障补偿"})
    )
    here = page.request.path
    assert "由另一位同事审核" in page.text and f"{here}/giving" not in page.text
    own = anna.post(f"{here}/giving", {"reason": "给吧"})
    assert (own.status_code, "同一个人不能既提出又批准" in own.text) == (409, True)
    assert rows(TransactionRecord) == 0
    desk = bert.get("/staff/")
    assert 'href="/staff/gifts?queue=0" data-queue="gifts beli"' in desk.text
    assert here in bert.get("/staff/gifts?queue=0").text
    assert bert.post(f"{here}/giving", {"reason": " "}).status_code == 422
    done = bert.follow(bert.post(f"{here}/giving", {"reason": "属实"}))
    assert "已发放" in done.text and "50 贝里" in done.text
    assert 'data-queue="gifts beli"' not in bert.get("/staff/").text
    db.session.rollback()
    record = db.session.scalars(select(TransactionRecord)).one()
    assert (record.amount, record.transaction_type, record.gift_id is not None) == (50, TransactionType.INCOME, True)
    assert db.session.get_one(Account, student.id).balance == 50
    log = db.session.execute(select(AuditLog.action, AuditLog.reason).order_by(AuditLog.id)).all()
    assert [tuple(row) for row in log] == [("gift propose", "课程故障补偿"), ("gift give", "属实")]
    reader = Person(app).sign_in(student.username)
    assert "商城给您发放了 50 贝里" in reader.get("/messages").text
    assert "商城发放" in reader.get("/account/beli").text


def test_a_coupon_is_proposed_by_service_and_given_by_operations(app: Flask) -> None:
    student, coupon = a_student(), a_coupon(is_public=False, name="道歉券")
    service, _actor = clerk(app, StaffRole.SERVICE)
    operations, _actor = clerk(app, StaffRole.OPERATIONS)
    form = {"username": student.username, "coupon": coupon.id, "reason": "等了太久"}
    page = service.follow(service.post("/staff/gifts/coupons", form))
    here = page.request.path
    assert service.post(f"{here}/giving", {"reason": "给吧"}).status_code == 403
    assert here in operations.get("/staff/gifts?queue=1").text
    operations.follow(operations.post(f"{here}/giving", {"reason": "可以"}))
    db.session.rollback()
    assert db.session.scalars(select(CouponRecord.account_id)).one() == student.id
    reader = Person(app).sign_in(student.username)
    assert "道歉券" in reader.get("/account/coupons").text and "道歉券" in reader.get("/messages").text


def test_who_and_what_is_given_goes_by_what_staff_know(app: Flask) -> None:
    student = a_student(username="nami", mobile="13912345678", email="nami@example.com")
    coupon, other = a_coupon(name="道歉券"), a_coupon(name="道歉券 大")
    service, _actor = clerk(app, StaffRole.SERVICE)
    typed = ("nami", "13912345678", "Nami@example.com", str(student.id), f"#{student.id}")
    for who, what in zip(typed, ("道歉券", "券 大", f"#{coupon.id}", str(other.id), "道歉券"), strict=True):
        assert (
            service.post("/staff/gifts/coupons", {"username": who, "coupon": what, "reason": "so"}).status_code == 303
        )
    db.session.rollback()
    made = db.session.execute(select(Gift.account_id, Gift.coupon_id).order_by(Gift.id)).all()
    assert [tuple(row) for row in made] == [
        (student.id, given) for given in (coupon.id, other.id, coupon.id, other.id, coupon.id)
    ]
    several = service.post("/staff/gifts/coupons", {"username": "nami", "coupon": "道歉", "reason": "so"})
    assert several.status_code == 422 and f"#{other.id} 道歉券 大" in several.text
    double = a_student(username=str(student.id))
    both = service.post("/staff/gifts/coupons", {"username": str(student.id), "coupon": "道歉券", "reason": "so"})
    assert both.status_code == 422 and f"#{student.id}、#{double.id}" in both.text and "nami" not in both.text
    page = service.get(f"/staff/gifts?username=%23{student.id}").text
    assert f'value="#{student.id}"' in page and '<option value="道歉券">' in page and "nami" not in page


def test_a_refused_one_gives_nothing_and_says_nothing(app: Flask) -> None:
    student = a_student()
    number = gifts.propose_beli(student.username, 5, actor=an_actor(StaffRole.FINANCE), reason="补偿")
    bert, actor = clerk(app, StaffRole.FINANCE)
    bert.follow(bert.post(f"/staff/gifts/{number}/refusal", {"reason": "没有依据"}))
    late = bert.post(f"/staff/gifts/{number}/giving", {"reason": "属实"})
    assert (late.status_code, "刚刚已被处理" in late.text, "已驳回" in late.text) == (409, True, True)
    with pytest.raises(NotYourTurn):
        gifts.give(number, actor=actor, reason="属实")
    assert (rows(TransactionRecord), rows(Notification)) == (0, 0)
    assert f"/staff/gifts/{number}" in bert.get("/staff/gifts?queue=2").text


def test_who_has_proposed_takes_it_back_and_nobody_else(app: Flask) -> None:
    student = a_student()
    anna, actor = clerk(app, StaffRole.FINANCE)
    bert, _actor = clerk(app, StaffRole.FINANCE)
    number = gifts.propose_beli(student.username, 5, actor=actor, reason="补偿")
    here = f"/staff/gifts/{number}"
    assert "1 到 10000；每人每天最多提出 20 次。" in anna.get("/staff/gifts").text
    assert f"{here}/withdrawal" in anna.get(here).text and f"{here}/withdrawal" not in bert.get(here).text
    assert bert.post(f"{here}/withdrawal", {"reason": "不是我的"}).status_code == 409
    assert anna.post(f"{here}/withdrawal", {"reason": ""}).status_code == 422
    done = anna.follow(anna.post(f"{here}/withdrawal", {"reason": "填错了人"}))
    assert "已撤回，什么都没有发放" in done.text and "填错了人" in done.text
    name = db.session.get_one(Account, actor.account_id).username
    assert re.search(rf"<dt>已撤回</dt><dd>[^<]* {name}<br>填错了人", done.text)
    late = bert.post(f"{here}/giving", {"reason": "属实"})
    assert (late.status_code, "刚刚已被处理" in late.text) == (409, True)
    with pytest.raises(NotYourTurn):
        gifts.withdraw(number, actor=actor, reason="再次")
    db.session.rollback()
    gift = db.session.scalars(select(Gift)).one()
    assert (gift.state, gift.handler_id, gift.decision) == (GiftState.WITHDRAWN, None, "填错了人")
    assert (rows(TransactionRecord), rows(Notification)) == (0, 0)
    log = [row.action for row in db.session.scalars(select(AuditLog).order_by(AuditLog.id))]
    assert log == ["gift propose", "gift withdraw"]
    assert here in bert.get("/staff/gifts?queue=2").text and here not in bert.get("/staff/gifts?queue=0").text


def test_service_takes_back_the_coupon_that_it_proposed(app: Flask) -> None:
    service, actor = clerk(app, StaffRole.SERVICE)
    number = gifts.propose_coupon(a_student().username, a_coupon().id, actor=actor, reason="补偿")
    with unit_of_work() as session:
        session.query(StaffMember).filter_by(account_id=actor.account_id).delete()
    with pytest.raises(StaffOnly):
        gifts.withdraw(number, actor=actor, reason="填错了")
    with unit_of_work() as session:
        session.add(StaffMember(account_id=actor.account_id, role=StaffRole.SERVICE))
    assert service.post(f"/staff/gifts/{number}/withdrawal", {"reason": "填错了"}).status_code == 303
    assert rows(CouponRecord) == 0


def test_a_coupon_that_cannot_be_given_waits_and_says_why(app: Flask) -> None:
    student, coupon = a_student(), a_coupon(quantity=1)
    number = gifts.propose_coupon(student.username, coupon.id, actor=an_actor(StaffRole.SERVICE), reason="补偿")
    coupons.grant(a_student().id, coupon.id, clock.now())
    operations, _actor = clerk(app, StaffRole.OPERATIONS)
    answer = operations.post(f"/staff/gifts/{number}/giving", {"reason": "可以"})
    assert (answer.status_code, "已经被领完" in answer.text) == (409, True)
    db.session.rollback()
    assert db.session.get_one(Gift, number).state is GiftState.WAITING
    assert rows(Notification) == 0


def test_nothing_for_oneself_and_nothing_for_those_who_are_not_there(app: Flask) -> None:
    both = a_student()
    number = gifts.propose_beli(both.username, 5, actor=an_actor(StaffRole.FINANCE), reason="补偿")
    with unit_of_work() as session:  # the student begins to work here
        session.get_one(Account, both.id).is_staff = True
        session.add(StaffMember(account_id=both.id, role=StaffRole.FINANCE))
    me = Actor(both.username, both.id)
    with pytest.raises(OwnCase):
        gifts.give(number, actor=me, reason="给自己")
    with pytest.raises(OwnCase):
        gifts.propose_beli(both.username, 5, actor=me, reason="给自己")
    anna, actor = clerk(app, StaffRole.FINANCE)
    gone, closed = a_student(), a_student(is_active=False)
    waiting = gifts.propose_beli(gone.username, 5, actor=an_actor(StaffRole.FINANCE), reason="补偿")
    erasure.delete_own(gone.id, gives_up=False)
    answer = anna.post(f"/staff/gifts/{waiting}/giving", {"reason": "属实"})
    assert (answer.status_code, "没有这个学员" in answer.text) == (422, True)
    for name in (both.username, closed.username, gone.username, "nobody"):
        answer = anna.post("/staff/gifts/beli", {"username": name, "beli": "5", "reason": "so"})
        assert (answer.status_code, "没有这个学员" in answer.text) == (422, True), name
    assert rows(TransactionRecord) == 0
    own = gifts.propose_beli(a_student().username, 5, actor=actor, reason="补偿")
    with pytest.raises(AnotherPerson):
        gifts.give(own, actor=actor, reason="属实")


def test_the_right_is_asked_for_again_in_the_transaction(app: Flask) -> None:
    """F66."""
    student, coupon = a_student(), a_coupon()
    service, finance = an_actor(StaffRole.SERVICE), an_actor(StaffRole.FINANCE)
    for actor in (service, Actor("a command")):
        with pytest.raises(StaffOnly):
            gifts.propose_beli(student.username, 5, actor=actor, reason="so")
    with pytest.raises(StaffOnly):
        gifts.propose_coupon(student.username, coupon.id, actor=finance, reason="so")
    number = gifts.propose_beli(student.username, 5, actor=finance, reason="so")
    for decide in (gifts.give, gifts.refuse):
        with pytest.raises(StaffOnly):
            decide(number, actor=an_actor(StaffRole.ADMIN, StaffRole.OPERATIONS), reason="so")
    assert rows(TransactionRecord) == 0


def test_one_person_proposes_so_many_a_day(app: Flask) -> None:
    student, actor = a_student(), an_actor(StaffRole.FINANCE)
    for _number in range(gifts.MOST_A_DAY):
        gifts.propose_beli(student.username, 1, actor=actor, reason="so")
    with pytest.raises(gifts.TooManyGifts):
        gifts.propose_beli(student.username, 1, actor=actor, reason="so")


@pytest.mark.parametrize("bad", HOSTILE, ids=lambda bad: repr(bad[:6]))
def test_hostile_values_are_refused_at_their_field(app: Flask, bad: str) -> None:
    person, _actor = clerk(app, StaffRole.FINANCE, StaffRole.SERVICE)
    student, sent = a_student(), bad.encode("utf-8", "surrogatepass")
    for path, good in (
        ("/staff/gifts/beli", {"username": student.username, "beli": "5", "reason": "so"}),
        ("/staff/gifts/coupons", {"username": student.username, "coupon": str(a_coupon(name="券").id), "reason": "so"}),
    ):
        for name in good:
            if name == "reason" and bad.strip() and bad not in ("\x00",):
                continue  # any words are a reason
            answer = person.post(path, {**good, name: sent})
            assert answer.status_code == 422, (path, name)
        assert person.post(path, {**good, "username": [student.username, "nobody"]}).status_code == 422
        assert person.post(path, {**good, "reason": "x" * 256}).status_code == 422
    assert rows(Gift) == 0
    assert person.get("/staff/gifts", query_string={"queue": sent}).status_code in (200, 422)
    assert person.get("/staff/gifts", query_string={"after": sent}).status_code in (200, 404)
    assert person.get(f"/staff/gifts/{2**31 - 1}").status_code == 404


def test_the_list_asks_the_same_for_one_and_for_many(app: Flask) -> None:
    person, _actor = clerk(app, StaffRole.FINANCE)
    actor = an_actor(StaffRole.FINANCE)
    gifts.propose_beli(a_student().username, 1, actor=actor, reason="so")
    person.get("/staff/gifts")
    with counted() as few:
        person.get("/staff/gifts")
    for _more in range(4):
        gifts.propose_beli(a_student().username, 1, actor=actor, reason="so")
    with counted() as many:
        assert person.get("/staff/gifts").text.count("data-gift=") == 5
    assert len(many) == len(few)
