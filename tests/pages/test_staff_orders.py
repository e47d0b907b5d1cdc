"""Orders as staff find them, read them, note something about them and give lines of them back."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop import clock
from shop.enums import CourseType, OrderStatus, RefundCause, RefundState, StaffRole
from shop.extensions import db, unit_of_work
from shop.models import Account, AuditLog, EnrolledCourse, Order, OrderNote, Refund
from shop.services import orders
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_clerk, a_course, a_degree, a_student
from tests.cashier.parts import Cashier
from tests.person import Person
from tests.purchases import saved
from tests.refunding import asked, bought, lines_of, placed, refunded
from tests.statements import counted

HOSTILE = ("\x00", "x" * 10_000, "２", "-1", "9" * 30, "NaN", "2026-02-30", "<script>", "' OR 1=1 --")
FILTERS = ("status", "trouble", "person", "username", "since", "until", "least", "most", "product", "coupon", "sort")


@pytest.fixture
def finance(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.FINANCE).username)


@pytest.fixture
def service(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.SERVICE).username)


@pytest.fixture
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


def listed(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return re.findall(r'<tr data-order="(\w+)"', answer.text)


def some_orders(student: Account, count: int) -> list[str]:
    """Unpaid ones, each of a course of its own: 100 yuan, 101 yuan …"""
    return [placed(student, [a_course(10_000 + 100 * number)]) for number in range(count)]


# ---------------------------------------------------------------- the list


def test_the_list_filters_by_everything_it_offers(finance: Person, alipay: Cashier) -> None:
    nami, zoro = a_student(username="nami"), a_student(username="zoro")
    course = a_course(30_000)
    coupon = a_claimed(zoro, course, flat=1_000)
    dear = bought(alipay, zoro, [course], coupons={course.id: coupon.id})
    cheap, ended = placed(nami, [a_course(5_000)]), placed(nami, [a_course(6_000)])
    orders.cancel(nami.id, ended)
    today = clock.local_date(clock.now())
    tomorrow = today + timedelta(days=1)
    cases = {
        "": {dear, cheap, ended},
        "status=0": {dear},
        "status=4": {ended},
        "username=nami": {cheap, ended},
        "person=nami": {cheap, ended},
        f"person={zoro.id}": {dear},
        f"person=%23{zoro.id}": {dear},
        f"since={today}&until={today}": {dear, cheap, ended},
        f"since={tomorrow}": set(),
        "least=290": {dear},
        "most=50.00": {cheap},
        "least=999999999": set(),
        f"product={course.id}": {dear},
        f"product=%23{course.id}": {dear},
        f"product={course.name}": {dear},
        f"coupon={coupon.coupon_id}": {dear},
        f"coupon={coupon.coupon.name}": {dear},
        "trouble=0": set(),
        "status=4&username=zoro": set(),
    }
    for query, numbers in cases.items():
        assert set(listed(finance.get(f"/staff/orders?{query}"))) == numbers, query
    assert listed(finance.get("/staff/orders?sort=2"))[0] == dear
    assert listed(finance.get("/staff/orders?sort=3"))[0] == cheap
    assert listed(finance.get("/staff/orders?sort=1")) == listed(finance.get("/staff/orders"))[::-1]


def test_what_is_typed_and_is_nothing_or_several_is_told_at_its_field(finance: Person) -> None:
    sea, stars = a_course(name="航海术"), a_course(name="航海星图")
    degree = a_degree(name="航海术")
    number = placed(a_student(), [stars])
    assert listed(finance.get("/staff/orders?product=星")) == [number]
    assert f"#{stars.id} 航海星图" in finance.get("/staff/orders?product=星").text
    cases = {
        "product=烹饪": "没有找到",
        "product=2147483647": "没有找到",
        "product=%23航海术": "没有找到",
        "product=航海术": f"#{degree.id} 航海术 (学位课)、#{sea.id} 航海术 (专题课)",
        "product=%25": "没有找到",
        "coupon=烹饪": "没有找到",
        "person=nobody": "没有这个用户名或编号",
        "person=%230": "没有这个用户名或编号",
    }
    for query, says in cases.items():
        answer = finance.get(f"/staff/orders?{query}")
        name = query.split("=")[0]
        error = re.search(rf'id="{name}-error">([^<]+)<', answer.text)
        assert answer.status_code == 422 and error and says in error[1], query
        assert finance.get(f"/staff/orders.csv?{query}").status_code == 422


def test_a_module_is_told_from_a_course(finance: Person) -> None:
    course, degree = a_course(name="航海术"), a_degree(name="大航海", modules=0)
    module = a_course(name="航海术二", course_type=CourseType.MODULE, degree_course_id=degree.id)
    text = finance.get("/staff/orders?product=海术").text
    assert f"#{module.id} 航海术二 (学位课程模块)、#{course.id} 航海术 (专题课)" in text
    assert '<option value="航海术二">学位课程模块</option>' in text


def test_more_namesakes_than_a_message_holds_are_cut(finance: Person) -> None:
    for number in range(7):
        a_course(name=f"航海术 {number}")
    text = finance.get("/staff/orders?product=航海").text
    assert text.count("#") - text.count("&#") >= 5 and "航海术 6" in text and "航海术 1 (专题课)…" not in text
    assert "航海术 2 (专题课)…" in text


def test_a_number_that_is_also_somebodys_name_is_not_guessed(finance: Person, service: Person) -> None:
    nami = a_student(username="nami")
    double = a_student(username=str(nami.id))
    number, other = placed(nami, [a_course()]), placed(double, [a_course()])
    answer = service.get(f"/staff/orders?person={nami.id}")
    assert answer.status_code == 422 and f"#{nami.id}、#{double.id}" in answer.text and "nami" not in answer.text
    for person, found in ((nami, number), (double, other)):
        assert listed(finance.get(f"/staff/orders?person=%23{person.id}")) == [found]
        assert f'href="/staff/orders?person=%23{person.id}"' in finance.get(f"/staff/people/{person.id}").text


@pytest.mark.parametrize("typed", ["13912345678", "+86 139 1234 5678", "nami@example.com"])
def test_a_phone_number_or_an_email_is_not_searched_for_by_the_address(finance: Person, typed: str) -> None:
    a_student(username="nami", mobile="13912345678", email="nami@example.com")
    for name in ("person", "username"):
        answer = finance.get("/staff/orders", query_string={name: typed, "status": 0})
        assert (answer.status_code, answer.location) == (303, "/staff/orders?status=0")
        page = finance.follow(answer).text
        assert "不能出现在网址里" in page and typed not in page
        assert finance.get("/staff/orders.csv", query_string={name: typed}).status_code == 422
    assert 'id="person-error">没有这个用户名或编号' in finance.get("/staff/orders?person=1234567890").text


def test_the_names_to_choose_from_are_offered(finance: Person) -> None:
    a_course(name='航海术 "<1>"')
    text = finance.get("/staff/orders").text
    assert '<option value="航海术 &#34;&lt;1&gt;&#34;">专题课</option>' in text
    assert 'list="product-options"' in text and 'id="product-options"' in text


def test_a_filter_under_its_older_name_is_kept_from_page_to_page(finance: Person) -> None:
    some_orders(a_student(username="nami"), 51)
    page = finance.get("/staff/orders?username=nami")
    more = re.search(r'rel="next" href="([^"]+)"', page.text)
    assert more is not None and "person=nami" in more[1] and 'value="nami"' in page.text
    assert finance.get("/staff/orders?username=nami&username=zoro").status_code == 422


def test_pages_follow_each_other_without_a_gap_in_every_order(finance: Person) -> None:
    numbers = some_orders(a_student(), 53)
    with unit_of_work() as session:  # equals, whose ids decide
        session.query(Order).update({"date": clock.now() - timedelta(hours=1)})
    for sort in range(4):
        seen, path = [], f"/staff/orders?sort={sort}"
        while path:
            answer = finance.get(path)
            seen += listed(answer)
            more = re.search(r'rel="next" href="([^"]+)"', answer.text)
            path = more[1].replace("&amp;", "&") if more else ""
        assert sorted(seen) == sorted(numbers) and len(seen) == 53, sort
        back = re.search(r'rel="prev" href="([^"]+)"', answer.text)
        assert back is not None
        assert len(listed(finance.get(back[1].replace("&amp;", "&")))) == 50


def test_the_list_asks_the_same_for_few_and_for_many(finance: Person) -> None:
    student = a_student()
    some_orders(student, 1)
    finance.get("/staff/orders")
    with counted() as few:
        finance.get("/staff/orders")
    some_orders(student, 20)
    with counted() as many:
        assert len(listed(finance.get("/staff/orders"))) == 21
    assert len(many) == len(few)


def test_what_went_back_of_an_order_stands_beside_what_was_paid(finance: Person, alipay: Cashier) -> None:
    student = a_student()
    part, whole = (bought(alipay, student, [a_course(30_000), a_course(8_000)]) for _each in range(2))
    waits = bought(alipay, student, [a_course(7_000)])
    refunded(alipay, student, part, 1)
    refunded(alipay, student, whole, 0)
    refunded(alipay, student, whole, 1)
    asked(student, waits)
    rows = dict(re.findall(r'<tr data-order="(\w+)"(.*?)</tr>', finance.get("/staff/orders").text, re.DOTALL))
    assert "已退 80.00" in rows[part] and "已退 380.00" in rows[whole] and "已退 " not in rows[waits]
    answer = finance.get("/staff/orders.csv", buffered=True)
    file = {row[0]: row for row in csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")))}
    assert [file[number][8] for number in (part, whole, waits)] == ["80.00", "380.00", "0.00"]
    assert "已退（元）" in answer.text


def test_money_that_came_a_second_time_is_not_what_went_back_of_an_order(finance: Person, alipay: Cashier) -> None:
    number = bought(alipay, a_student(), [a_course(30_000)])
    order = db.session.scalars(select(Order).where(Order.order_number == number)).one()
    payment = order.payments[0].id
    saved(
        Refund(
            order_id=order.id,
            payment_id=payment,
            cause=RefundCause.DOUBLE,
            out_request_no="second",
            amount_fen=30_000,
            state=RefundState.DONE,
            done_time=clock.now(),
        )
    )
    assert "已退 " not in finance.get("/staff/orders").text


def test_a_file_has_every_row_and_no_formula(finance: Person) -> None:
    student = a_student(username="plain")
    numbers = some_orders(student, 3)
    with unit_of_work() as session:
        session.get_one(Account, student.id).username = "=HYPERLINK(1)"
    answer = finance.get("/staff/orders.csv?status=1", buffered=True)
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert sorted(row[0] for row in rows[1:]) == sorted(numbers)
    assert {row[1] for row in rows[1:]} == {"'=HYPERLINK(1)"}
    assert {row[7] for row in rows[1:]} == {"100.00", "101.00", "102.00"}
    assert len(list(csv.reader(io.StringIO(finance.get("/staff/orders.csv?status=0", buffered=True).text)))) == 1


def test_a_file_is_read_in_batches(finance: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from shop.services import keyset

    numbers = some_orders(a_student(), 7)
    monkeypatch.setattr(keyset, "BATCH", 3)
    answer = finance.get("/staff/orders.csv", buffered=True)
    assert [row[0] for row in csv.reader(io.StringIO(answer.text))][1:] == numbers[::-1]


@pytest.mark.parametrize("bad", HOSTILE, ids=lambda bad: repr(bad[:6]))
def test_hostile_filters_are_told_and_never_an_error(finance: Person, bad: str) -> None:
    some_orders(a_student(), 1)
    for name in FILTERS:
        for path in ("/staff/orders", "/staff/orders.csv"):
            answer = finance.get(path, query_string={name: bad}, buffered=True)
            assert answer.status_code in (200, 422), (name, bad[:9])
    for name in ("after", "before"):
        assert finance.get("/staff/orders", query_string={name: bad}).status_code == 404
    twice = finance.get("/staff/orders?status=0&status=1")
    assert (twice.status_code, "这一项只能填一次" in twice.text) == (422, True)


# ---------------------------------------------------------------- one order


@pytest.mark.usefixtures("_audited")
def test_the_whole_story_stands_on_one_page(finance: Person, alipay: Cashier) -> None:
    student, course = a_student(beli=50), a_course(30_000, name="航海术")
    coupon = a_claimed(student, course, flat=1_000)
    number = bought(alipay, student, [course], coupons={course.id: coupon.id}, beli=50)
    refund = asked(student, number)
    page = finance.get(f"/staff/orders/{number}")
    for text in ("航海术", "300.00", "290.00", "240.00", f"{number}01", coupon.coupon.name, refund, student.username):
        assert text in page.text, text
    assert "暂停，退费处理中" in page.text and "贝里流水" in page.text


def test_nobody_marks_an_order_paid(app: Flask, finance: Person) -> None:
    number = some_orders(a_student(), 1)[0]
    page = finance.get(f"/staff/orders/{number}").text
    actions = set(re.findall(r'<form[^>]*action="(/staff/orders/[^"]+)"', page))
    assert {path.rsplit("/", 1)[1] for path in actions} == {"inquiry", "notes"}
    for verb in ("payments", "paid", "status", "cancellation"):
        assert finance.post(f"/staff/orders/{number}/{verb}", {"status": "0"}).status_code in (404, 405)
    nothing = finance.follow(finance.post(f"/staff/orders/{number}/delivery", {"reason": "so", "status": "0"}))
    assert "没有要补开通的课程" in nothing.text and 'data-status="1"' in nothing.text


@pytest.mark.usefixtures("_audited")
def test_asking_alipay_books_what_it_says(finance: Person, alipay: Cashier) -> None:
    from shop.services import attempts
    from tests.cashier.parts import fetch

    number = placed(a_student(), [a_course(30_000)])
    alipay.fault("notify_lost", out_trade_no=f"{number}01", times=None)
    fetch(attempts.pay_url(number) or "")
    alipay.pay(f"{number}01")
    told = finance.follow(finance.post(f"/staff/orders/{number}/inquiry"))
    assert "支付宝：已付款" in told.text and 'data-status="0"' in told.text
    db.session.rollback()
    row = db.session.scalars(select(AuditLog).where(AuditLog.action == "order inquiry")).one()
    assert row.account_id is not None


def test_a_note_waits_for_its_day_and_is_done(service: Person) -> None:
    number = some_orders(a_student(), 1)[0]
    here, today = f"/staff/orders/{number}", clock.local_date(clock.now())
    for bad in ({"text": ""}, {"text": "x" * 2001}, {"text": "\x00"}, {"text": "so", "follow_up_date": "2020-01-01"}):
        assert service.post(f"{here}/notes", bad).status_code == 422, bad
    page = service.follow(service.post(f"{here}/notes", {"text": "<b>回电</b>", "follow_up_date": str(today)}))
    assert "&lt;b&gt;回电&lt;/b&gt;" in page.text and "到期" in page.text
    assert listed(service.get("/staff/orders?trouble=3")) == [number]
    note = db.session.scalars(select(OrderNote)).one()
    assert service.post(f"{here}/notes/{note.id}/done").status_code == 303
    assert listed(service.get("/staff/orders?trouble=3")) == []
    assert service.post(f"{here}/notes/{note.id}/done").status_code == 303  # a second press changes nothing
    assert service.post(f"{here}/notes/2147483647/done").status_code == 404
    db.session.rollback()
    assert [row.action for row in db.session.scalars(select(AuditLog).order_by(AuditLog.id))] == [
        "order note",
        "order note done",
    ]
    assert "回电" not in str([row.after for row in db.session.scalars(select(AuditLog))])


def test_what_was_paid_and_not_opened_is_found(finance: Person, alipay: Cashier) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(30_000)])
    assert listed(finance.get("/staff/orders?trouble=0")) == []
    with unit_of_work() as session:
        session.query(EnrolledCourse).delete()
    assert listed(finance.get("/staff/orders?trouble=0")) == [number]
    assert "未开通" in finance.get(f"/staff/orders/{number}").text


@pytest.mark.parametrize("number", ["%00", "x" * 33, "nothing", "２"])
def test_an_order_that_is_none_is_not_found(finance: Person, number: str) -> None:
    for rest in ("", "/refunds"):
        assert finance.get(f"/staff/orders/{number}{rest}").status_code == 404
    for rest in ("/refunds", "/notes", "/inquiry"):
        sent = {"text": "so", "detail": "1", "reason": "so"}
        assert finance.post(f"/staff/orders/{number}{rest}", sent).status_code in (404, 405)


# ---------------------------------------------------------------- lines that go back


@pytest.mark.usefixtures("_audited")
def test_one_line_of_two_goes_back_as_previewed(finance: Person, alipay: Cashier) -> None:
    student, first, second = a_student(), a_course(30_000), a_course(20_000)
    number = bought(alipay, student, [first, second])
    here, line = f"/staff/orders/{number}/refunds", lines_of(number)[0]
    assert "退费…" in finance.get(f"/staff/orders/{number}").text
    shown = finance.get(here, query_string={"detail": line.id})
    assert "退费 300.00 元" in shown.text
    assert finance.post(here, {"detail": line.id, "reason": ""}).status_code == 422
    done = finance.follow(finance.post(here, {"detail": line.id, "reason": "视频打不开"}))
    assert "退款已完成：300.00 元已原路退回" in done.text
    db.session.rollback()
    order = db.session.scalars(select(Order).where(Order.order_number == number)).one()
    assert order.status is OrderStatus.PAID
    again = finance.get(here, query_string={"detail": line.id})
    assert again.status_code == 409


@pytest.mark.usefixtures("_audited")
def test_customer_service_proposes_from_the_order(service: Person, alipay: Cashier) -> None:
    student = a_student()
    number = bought(alipay, student, [a_course(30_000)])
    here = f"/staff/orders/{number}/refunds"
    assert "提出退费 300.00 元" in service.get(here, query_string={"detail": lines_of(number)[0].id}).text
    page = service.follow(service.post(here, {"detail": lines_of(number)[0].id, "reason": "视频打不开"}))
    assert page.request.path.startswith("/staff/refunds/")
    assert "已提出，等待财务审核" in page.text and "超过限额" not in page.text
    owner = Person(service.client.application).sign_in(student.username).get(f"/orders/{number}")
    assert "客服为您提出了退费" in owner.text and "撤回退费申请" not in owner.text
    db.session.rollback()
    assert db.session.scalars(select(Refund.state)).one() is RefundState.REQUESTED


@pytest.mark.parametrize("bad", ["", "x", "-1", "９", "9" * 30, "2147483648", "\x00"], ids=repr)
def test_lines_that_are_none_change_nothing(finance: Person, alipay: Cashier, bad: str) -> None:
    number = bought(alipay, a_student(), [a_course(30_000)])
    here = f"/staff/orders/{number}/refunds"
    assert finance.post(here, {"detail": bad, "reason": "so"}).status_code in (404, 422)
    assert finance.get(here, query_string={"detail": bad}).status_code in (200, 404, 409)
    db.session.rollback()
    assert db.session.scalars(select(Refund)).all() == []
