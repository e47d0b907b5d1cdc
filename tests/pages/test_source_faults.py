"""Faults of the source's code (domain.md 5) that no other file names: each stays mended."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from shop import clock
from shop.enums import (
    CouponStatus,
    OrderStatus,
    PaymentState,
    PaymentType,
    RewardStatus,
    TransactionType,
    WorkExperience,
)
from shop.errors import NotYourTurn
from shop.extensions import db
from shop.models import (
    Account,
    CouponRecord,
    DegreeRegistrationForm,
    EnrolledCourse,
    HomeworkRecord,
    Order,
    Payment,
    TransactionRecord,
)
from shop.services import checkout, orders
from tests.builders import a_claimed, a_course, a_degree, a_student, plan_of
from tests.cashier.parts import Cashier
from tests.pages.test_purchase import only_order, pay, put, settle
from tests.person import Person


def test_b01_b02_every_module_of_the_shop_imports() -> None:
    names = "import shop, pkgutil, importlib; [importlib.import_module(m.name) for m in pkgutil.walk_packages"
    skip = "(shop.__path__, 'shop.') if m.name not in ('shop.jobs', 'shop.__main__')]"
    done = subprocess.run([sys.executable, "-c", names + skip], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_b04_b11_an_unexpected_error_is_a_logged_500_with_a_page(
    person: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    student, course = a_student(), a_course()
    person.sign_in(student.username)
    page = settle(person, course)

    def broken(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError("a programming error")

    monkeypatch.setattr(checkout, "new_number", broken)
    answer = pay(person, page)
    assert answer.status_code == 500
    assert "ZeroDivisionError" not in answer.text
    assert "unexpected error" in caplog.text
    assert db.session.query(Order).count() == 0


def test_b05_the_app_is_made_without_redis_and_without_a_database(tmp_path: object) -> None:
    code = "from shop import create_app; create_app()"
    environ = {
        "INSTANCE_DIR": str(tmp_path),
        "REDIS_URL": "redis://127.0.0.1:1",
        "DATABASE_URL": "postgresql+psycopg://127.0.0.1:1/x",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_b10_the_order_belongs_to_the_account_that_placed_it(person: Person) -> None:
    student, course = a_student(), a_course()
    student_id = student.id
    pay(person.sign_in(student.username), settle(person, course))
    assert only_order().account_id == student_id


@pytest.mark.parametrize(
    ("terms", "due"),
    [({"flat": 1_000}, "90.00"), ({"flat": 1_000, "above": 10_000}, "90.00"), ({"percent": 79}, "79.00")],
)
@pytest.mark.parametrize("is_bound", [True, False], ids=["course", "site"])
def test_b16_every_kind_of_coupon_works_on_a_line_and_on_the_sum(
    person: Person, terms: dict[str, int], due: str, is_bound: bool
) -> None:
    student, course = a_student(), a_course(10_000)
    a_claimed(student, course if is_bound else None, **terms)
    page = settle(person.sign_in(student.username), course)
    assert person.form(page, "checkout")["money"] == due
    assert pay(person, page).status_code == 303


def test_b17_b18_b19_each_line_keeps_its_own_price(person: Person) -> None:
    """599−40, 122 without a coupon, 100×80 %, and 30 under a 立减100: no running total, no None, no negative line."""
    student = a_student()
    courses = [a_course(59_900), a_course(12_200), a_course(10_000), a_course(3_000)]
    a_claimed(student, courses[0], flat=4_000)
    a_claimed(student, courses[2], percent=80)
    a_claimed(student, courses[3], flat=10_000)
    pay(person.sign_in(student.username), settle(person, *courses))
    order = only_order()
    assert [detail.price_fen for detail in order.details] == [55_900, 12_200, 8_000, 0]
    assert order.actual_amount_fen == 76_100


def test_b33_an_order_without_any_coupon_is_placed(person: Person) -> None:
    student, course = a_student(), a_course(12_345)
    answer = pay(person.sign_in(student.username), settle(person, course))
    assert answer.status_code == 303
    assert only_order().actual_amount_fen == 12_345


def test_b34_b35_a_coupon_claimed_after_settling_is_offered_by_settling_again(person: Person) -> None:
    student, course = a_student(), a_course(10_000)
    page = settle(person.sign_in(student.username), course)
    a_claimed(student, course, flat=1_000)
    assert pay(person, page).status_code == 303
    assert only_order().actual_amount_fen == 10_000  # what the page showed


@pytest.mark.parametrize(("beli", "kind"), [(0, PaymentType.COUPON), (100, PaymentType.BELI)])
def test_b38_an_order_with_nothing_left_to_pay_is_paid_at_once(person: Person, beli: int, kind: PaymentType) -> None:
    """No attempt at Alipay, delivered in the same transaction, type 3 if 贝里 were used, else 2."""
    student, course = a_student(beli=beli), a_course(10_000)
    if not beli:
        a_claimed(student, course, flat=10_000)
    page = settle(person.sign_in(student.username), course)
    if beli:
        page = person.follow(person.post("/settlement/choices", {**person.form(page, "choices"), "use": "all_beli"}))
    answer = person.follow(pay(person, page))
    assert 'data-status="0"' in answer.text
    order = only_order()
    assert (order.status, order.payment_type, order.actual_amount_fen) == (OrderStatus.PAID, kind, 0)
    assert order.pay_time is not None
    assert (db.session.query(Payment).count(), db.session.query(EnrolledCourse).count()) == (0, 1)


def test_b36_b41_b42_a_cancelled_order_gives_everything_back_once(person: Person, alipay: Cashier) -> None:
    """Held while it waits; after the cancel the coupons are unused and the 贝里 are back by a record of type 2."""
    student, course = a_student(beli=30), a_course(10_000)
    account_id, record_id = student.id, a_claimed(student, course, flat=1_000).id
    page = settle(person.sign_in(student.username), course)
    pay(person, person.follow(person.post("/settlement/choices", {**person.form(page, "choices"), "use": "all_beli"})))
    order = only_order()
    assert db.session.get_one(CouponRecord, record_id).status is CouponStatus.USED
    assert db.session.get_one(Account, account_id).balance == 0

    assert person.post(f"/orders/{order.order_number}/cancellation").status_code == 303
    assert person.post(f"/orders/{order.order_number}/cancellation").status_code == 409

    order = only_order()
    assert order.status is OrderStatus.CANCELLED
    assert order.payments[0].state is PaymentState.CLOSED
    record = db.session.get_one(CouponRecord, record_id)
    assert (record.status, record.order_id, record.used_time) == (CouponStatus.UNUSED, None, None)
    assert db.session.get_one(Account, account_id).balance == 30
    moves = db.session.execute(
        sa.select(TransactionRecord.transaction_type, TransactionRecord.amount).order_by(TransactionRecord.id)
    ).all()
    assert moves[-2:] == [(TransactionType.EXPENSE, 30), (TransactionType.REFUND, 30)]
    with pytest.raises(NotYourTurn):
        orders.cancel(account_id, order.order_number)


def test_b41_a_coupon_that_ended_meanwhile_comes_back_as_expired(person: Person, alipay: Cashier) -> None:
    student, course = a_student(), a_course(10_000)
    record_id = a_claimed(student, course, flat=1_000).id
    pay(person.sign_in(student.username), settle(person, course))
    number = only_order().order_number
    past = clock.now() - timedelta(hours=1)
    db.session.execute(sa.update(CouponRecord).values(valid_from=past - timedelta(days=1), valid_until=past))
    db.session.commit()
    person.post(f"/orders/{number}/cancellation")
    db.session.rollback()
    assert db.session.get_one(CouponRecord, record_id).status is CouponStatus.EXPIRED


def test_a_timed_out_order_ends_once_alipay_has_said_that_nobody_paid(person: Person, alipay: Cashier) -> None:
    student, course = a_student(), a_course(10_000)
    pay(person.sign_in(student.username), settle(person, course))
    assert orders.expire_due() == {"ended": 0, "left": 0}
    alipay.move_clock(18 * 60)
    alipay.fault("answer_status", method="alipay.trade.query")
    assert orders.expire_due() == {"ended": 0, "left": 1}  # an unknown answer leaves the order as it is
    assert orders.expire_due() == {"ended": 0, "left": 0}  # and is not asked for again at once
    alipay.move_clock(20 * 60)
    assert orders.expire_due() == {"ended": 1, "left": 0}
    assert orders.expire_due() == {"ended": 0, "left": 0}
    assert only_order().status is OrderStatus.TIMED_OUT


def test_b43_numbers_outside_the_choices_are_refused_by_the_database_too(app: Flask) -> None:
    degree = a_degree()
    assert WorkExperience(11).label == "超过10年"
    assert RewardStatus(5).label == "未作按时检测"
    for table, column in ((DegreeRegistrationForm, "work_experience"), (HomeworkRecord, "reward_status")):
        names = {constraint.name for constraint in table.__table__.constraints}
        assert f"ck_{table.__tablename__}_{column}_choice" in names
    with pytest.raises(sa.exc.IntegrityError):
        db.session.execute(sa.text("UPDATE product SET status = 9 WHERE id = :id"), {"id": degree.id})
    db.session.rollback()


def test_b45_pressing_again_is_the_same_order_and_the_cart_is_empty(person: Person) -> None:
    student, course = a_student(), a_course(10_000)
    page = settle(person.sign_in(student.username), course)
    first, second = pay(person, page), pay(person, page)
    assert (first.status_code, second.status_code) == (303, 303)
    order = only_order()
    out_trade_no = order.payments[0].out_trade_no
    assert out_trade_no in first.location
    assert out_trade_no in second.location
    assert person.get("/settlement").status_code == 302  # nothing is being settled any more
    assert f'data-product="{course.id}"' not in person.get("/cart").text


def test_b46_the_order_page_shows_the_period_by_its_name(person: Person) -> None:
    student, course = a_student(), a_course(10_000)
    pay(person.sign_in(student.username), settle(person, course))
    assert "1个月" in person.get(f"/orders/{only_order().order_number}").text


def test_b49_order_numbers_suit_alipay_and_differ(app: Flask) -> None:
    numbers = {checkout.new_number(clock.now()) for _ in range(2_000)}
    assert len(numbers) == 2_000
    assert all(re.fullmatch(r"[0-9A-Za-z]{20}", number) for number in numbers)


def test_b50_others_keys_are_never_looked_at(person: Person, redis_client: object) -> None:
    """One person's settlement and cart are single keys: no command's work grows with the keys there are."""
    student, course = a_student(), a_course(10_000)
    page = settle(person.sign_in(student.username), course)
    redis_client.config_resetstat()  # type: ignore[attr-defined]
    pay(person, page)
    stats = redis_client.info("commandstats")  # type: ignore[attr-defined]
    assert not {"cmdstat_scan", "cmdstat_keys"} & set(stats)


def test_b52_somebody_elses_order_is_a_404_like_one_that_does_not_exist(app: Flask, person: Person) -> None:
    student, course = a_student(), a_course(10_000)
    pay(person.sign_in(student.username), settle(person, course))
    number = only_order().order_number
    other = Person(app).sign_in(a_student().username)
    for method, path in (
        ("get", f"/orders/{number}"),
        ("post", f"/orders/{number}/payments"),
        ("post", f"/orders/{number}/cancellation"),
        ("post", f"/orders/{number}/inquiry"),
        ("get", "/orders/20260101AAAAAAAAAAAA"),
    ):
        assert getattr(other, method)(path).status_code == 404
    assert only_order().status is OrderStatus.PENDING


# ---------------------------------------------------------------- the settlement page


def test_the_shop_chooses_the_cheapest_and_gives_a_reason_for_every_coupon_left(person: Person) -> None:
    student, course = a_student(), a_course(10_000)
    for name, terms in (("好", {"flat": 3_000}), ("差", {"flat": 1_000})):
        a_claimed(student, course, name=name, **terms)
    a_claimed(student, name="够不着", flat=5_000, above=27_000)
    page = settle(person.sign_in(student.username), course)
    assert person.form(page, "checkout")["money"] == "70.00"
    assert "还差 200.00 元" in page.text
    assert "比已选的少省 20.00 元" in page.text
    assert "已为你省 30.00 元" in page.text


def test_the_students_own_choice_holds_and_the_cheapest_can_be_asked_for_again(person: Person) -> None:
    student, course = a_student(), a_course(10_000)
    a_claimed(student, course, flat=3_000)
    worse = a_claimed(student, course, flat=1_000).id
    page = settle(person.sign_in(student.username), course)
    choices = person.form(page, "choices")
    page = person.follow(person.post("/settlement/choices", {**choices, f"coupon-{course.id}": str(worse)}))
    assert person.form(page, "checkout")["money"] == "90.00"
    page = person.follow(person.post("/settlement/choices", {**choices, "use": "cheapest"}))
    assert person.form(page, "checkout")["money"] == "70.00"
    page = person.follow(person.post("/settlement/choices", {**choices, f"coupon-{course.id}": "0"}))
    assert person.form(page, "checkout")["money"] == "100.00"


def test_beli_are_cut_to_what_account_and_amount_allow(person: Person) -> None:
    """domain.md 3.3: payable 99.50 with 200 贝里 takes 99, and 0.50 is left for Alipay."""
    student, course = a_student(beli=200), a_course(9_950)
    page = settle(person.sign_in(student.username), course)
    page = person.follow(person.post("/settlement/choices", {**person.form(page, "choices"), "balance": "200"}))
    form = person.form(page, "checkout")
    assert (form["balance"], form["money"]) == ("99", "0.50")


@pytest.mark.parametrize("fields", [{"balance": "-1"}, {"site_coupon": "x"}, {"coupon-1": "1.5"}, {"balance": "１"}])
def test_malformed_choices_are_a_422_and_change_nothing(person: Person, fields: dict[str, str]) -> None:
    student, course = a_student(beli=5), a_course(10_000)
    page = settle(person.sign_in(student.username), course)
    assert person.post("/settlement/choices", {**person.form(page, "choices"), **fields}).status_code == 422
    assert person.form(person.get("/settlement"), "checkout")["token"] == person.form(page, "checkout")["token"]


def test_buy_now_settles_that_plan_alone(person: Person) -> None:
    student, course, other = a_student(), a_course(10_000, 18_000), a_course(5_000)
    person.sign_in(student.username)
    put(person, other)
    page = person.follow(person.post("/settlement", {"product": course.id, "policy": plan_of(course, 1).id}))
    assert person.form(page, "checkout")["money"] == "180.00"


def test_an_anonymous_settle_leads_to_the_log_in_and_back_to_the_cart(person: Person) -> None:
    course = a_course(10_000)
    put(person, course)
    answer = person.post("/settlement", {"product": course.id})
    assert (answer.status_code, answer.location) == (303, "/login?next=/cart")


def test_a_settlement_older_than_half_an_hour_is_gone(person: Person, alipay: Cashier) -> None:
    student, course = a_student(), a_course(10_000)
    page = settle(person.sign_in(student.username), course)
    alipay.move_clock(31 * 60)
    answer = pay(person, page)
    assert (answer.status_code, 'data-code="1008"' in answer.text) == (409, True)


# ---------------------------------------------------------------- after the order


def test_a_cancel_that_alipay_does_not_answer_says_so_and_leaves_the_order_as_it_is(
    person: Person, alipay: Cashier
) -> None:
    student, course = a_student(), a_course(10_000)
    pay(person.sign_in(student.username), settle(person, course))
    number = only_order().order_number
    alipay.fault("answer_status", method="alipay.trade.query")
    answer = person.post(f"/orders/{number}/cancellation")
    assert (answer.status_code, "支付宝暂时没有回答" in answer.text) == (409, True)
    assert only_order().status is OrderStatus.PENDING


def test_f18_a_line_that_stayed_in_the_cart_names_the_unpaid_order_that_holds_it(person: Person) -> None:
    student, course = a_student(), a_course(10_000)
    pay(person.sign_in(student.username), settle(person, course))
    put(person, course)
    page = person.get("/cart")
    assert 'data-state="ordered"' in page.text
    assert f"/orders/{only_order().order_number}" in page.text


def test_pressing_again_after_the_deadline_leads_to_the_order_not_to_alipay(person: Person, alipay: Cashier) -> None:
    student, course = a_student(), a_course(10_000)
    page = settle(person.sign_in(student.username), course)
    pay(person, page)
    number = only_order().order_number
    alipay.move_clock(16 * 60)
    assert pay(person, page).location == f"/orders/{number}"
