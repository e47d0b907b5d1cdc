"""A person's page shows each role its own part, and who it is on request; a message about an order is told again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import func, select

from shop import clock
from shop.enums import CouponStatus, StaffRole
from shop.errors import StaffOnly
from shop.extensions import db
from shop.models import Account, AuditLog, CouponRecord, Mail, Notification
from shop.services import coupons
from shop.services.audit_log import Actor
from shop.services.staff import gifts, order_mail, people
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_clerk, a_coupon, a_course, a_degree, a_student, today_in_shanghai
from tests.cashier.parts import Cashier
from tests.person import Person
from tests.purchases import enrolled, enrolled_in_degree
from tests.refunding import asked, bought
from tests.statements import counted

PHONE, EMAIL, NAME = "13912345678", "zqx.nami@example.com", "娜美"
PLAIN = (PHONE, EMAIL, NAME)
MASKED = ("139****5678", "zq***@example.com", "娜*")
HOSTILE = ("", " ", "\x00", "x" * 256, "\ud800" * 300)


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


@pytest.fixture
def nami(app: Flask) -> Account:
    return a_student(beli=50, username="nami", mobile=PHONE, email=EMAIL, name=NAME)


def somebody(app: Flask, *roles: StaffRole) -> Person:
    return Person(app).sign_in(a_clerk(*roles).username)


def told(account: Account) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(Notification.account_id == account.id)) or 0


def test_each_role_sees_its_own_part(app: Flask, alipay: Cashier, nami: Account) -> None:
    course, degree, coupon = a_course(30_000), a_degree(), a_coupon(name="开学券")
    number = bought(alipay, nami, [course], beli=50)
    refund = asked(nami, number)
    enrolled_in_degree(nami, degree)
    coupons.claim(nami.id, coupon.id, clock.now())
    trade, study = (number, refund, "开学券", "支付成功"), (course.name, degree.name)
    sees = {
        StaffRole.FINANCE: (*trade, *study, "nami"),
        StaffRole.SERVICE: (*trade, *study, *MASKED, "n*"),
        StaffRole.REGISTRY: (*study, *MASKED, "nami"),
        StaffRole.ADMIN: ("nami", f"/staff/accounts/{nami.id}"),
    }
    everything = {*trade, *study, *MASKED}
    for role, words in sees.items():
        page = somebody(app, role).get(f"/staff/people/{nami.id}")
        assert page.status_code == 200
        assert [word for word in words if word not in page.text] == [], role
        assert [word for word in everything - set(words) if word in page.text] == [], role
        assert [word for word in PLAIN if word in page.text] == [], role
    assert "nami" not in somebody(app, StaffRole.SERVICE).get(f"/staff/people/{nami.id}").text.replace("zqx.nami", "")


def test_who_it_is_is_shown_on_request_once_and_logged(app: Flask, nami: Account) -> None:
    registry, here = somebody(app, StaffRole.REGISTRY), f"/staff/people/{nami.id}"
    for reason in HOSTILE:
        answer = registry.post(f"{here}/contact", {"reason": reason.encode("utf-8", "surrogatepass")})
        assert answer.status_code == 422
        assert [word for word in PLAIN if word in answer.text] == []
    shown = registry.post(f"{here}/contact", {"reason": "联系上课"})
    assert [word for word in PLAIN if word not in shown.text] == []
    assert [word for word in PLAIN if word in registry.get(here).text] == []
    db.session.rollback()
    row = db.session.scalars(select(AuditLog)).one()
    assert (row.action, row.subject_id, row.reason) == ("account look", nami.id, "联系上课")
    assert (row.before, row.after) == (None, None)
    service = a_clerk(StaffRole.SERVICE)
    with pytest.raises(StaffOnly):
        people.show_contact(nami.id, actor=Actor(service.username, service.id), reason="so")
    assert registry.post(f"/staff/people/{2**31 - 1}/contact", {"reason": "so"}).status_code == 404


def test_customer_service_reads_orders_without_names(app: Flask, alipay: Cashier, nami: Account) -> None:
    number = bought(alipay, nami, [a_course(30_000)])
    refund = asked(nami, number)
    service, finance = somebody(app, StaffRole.SERVICE), somebody(app, StaffRole.FINANCE)
    for path in ("/staff/orders", "/staff/orders.csv", f"/staff/orders/{number}", f"/staff/refunds/{refund}"):
        masked, plain = service.get(path, buffered=True).text, finance.get(path, buffered=True).text
        assert "nami" not in masked and "n*" in masked, path
        assert "nami" in plain, path
    assert number in service.get(f"/staff/orders?person={nami.id}").text
    assert number not in service.get(f"/staff/orders?person={nami.id + 1}").text
    for bad in ("x", "-1", "１", "9" * 400):
        assert service.get("/staff/orders", query_string={"person": bad}).status_code == 422


def test_a_coupon_whose_last_day_is_past_is_over_before_the_night_marks_it(
    app: Flask, alipay: Cashier, nami: Account
) -> None:
    record = a_claimed(nami, name="过期券", valid_end_date=today_in_shanghai())
    here = f"/staff/people/{nami.id}"
    alipay.move_clock(60)
    assert "<td>未使用</td>" in somebody(app, StaffRole.SERVICE).get(here).text
    alipay.move_clock(2 * 86_400)
    page = somebody(app, StaffRole.SERVICE).get(here).text
    assert "<td>已过期</td>" in page and "<td>未使用</td>" not in page
    db.session.rollback()
    assert db.session.get_one(CouponRecord, record.id).status is CouponStatus.UNUSED


def test_the_page_asks_the_same_for_one_and_for_many(app: Flask, nami: Account) -> None:
    service, here = somebody(app, StaffRole.SERVICE), f"/staff/people/{nami.id}"
    enrolled(nami, a_course())
    service.get(here)
    with counted() as few:
        service.get(here)
    for _more in range(4):
        enrolled(nami, a_course())
    with counted() as many:
        assert service.get(here).text.count('href="/staff/orders/2026') == 5
    assert len(many) == len(few)


# ---------------------------------------------------------------- told again


def test_a_message_about_an_order_is_told_again_and_no_other(app: Flask, alipay: Cashier, nami: Account) -> None:
    number = bought(alipay, nami, [a_course(30_000)])
    service, here = somebody(app, StaffRole.SERVICE), f"/staff/orders/{number}"
    page = service.get(here)
    shown = page.text.split('data-message="')
    assert len(shown) == 2 and "支付成功" in shown[1]
    message = int(shown[1].split('"')[0])
    before, letters = told(nami), db.session.scalar(select(func.count()).select_from(Mail))
    service.follow(service.post(f"{here}/messages/{message}/sending"))
    assert told(nami) == before + 1
    assert db.session.scalar(select(func.count()).select_from(Mail)) == (letters or 0) + 1
    row = db.session.scalars(select(AuditLog).where(AuditLog.action == "order message")).one()
    assert row.after == {"message": message}
    foreign = db.session.scalars(select(Notification.id).where(Notification.link.not_like("/orders/%"))).first()
    for missing in (foreign, 2**31 - 1):
        assert service.post(f"{here}/messages/{missing}/sending").status_code == 404
    assert service.post(f"/staff/orders/X/messages/{message}/sending").status_code == 404
    assert service.post(f"{here}/messages/%00/sending").status_code == 404
    assert told(nami) == before + 1


def test_telling_again_is_slowed_and_needs_the_right(app: Flask, alipay: Cashier, nami: Account) -> None:
    number = bought(alipay, nami, [a_course(30_000)])
    message = db.session.scalars(select(Notification.id).where(Notification.link == f"/orders/{number}")).one()
    service = somebody(app, StaffRole.SERVICE)
    path = f"/staff/orders/{number}/messages/{message}/sending"
    assert [service.post(path).status_code for _more in range(6)] == [303] * 5 + [429]
    registry = a_clerk(StaffRole.REGISTRY)
    with pytest.raises(StaffOnly):
        order_mail.send_again(number, message, actor=Actor(registry.username, registry.id))


def test_a_gift_is_named_in_the_statement(app: Flask, nami: Account) -> None:
    anna, bert = (a_clerk(StaffRole.FINANCE) for _person in range(2))
    gift = gifts.propose_beli("nami", 7, actor=Actor(anna.username, anna.id), reason="补偿")
    gifts.give(gift, actor=Actor(bert.username, bert.id), reason="属实")
    assert "商城发放" in somebody(app, StaffRole.FINANCE).get(f"/staff/people/{nami.id}").text
