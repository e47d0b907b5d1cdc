"""Getting somebody to the point where the fault strikes: a settlement, an unpaid order, a notice in hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from shop.enums import CouponStatus, PaymentMethod
from shop.extensions import db, unit_of_work
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import (
    Account,
    CouponRecord,
    Course,
    Order,
    OrderDetail,
    Payment,
    PricePolicy,
    Product,
    TransactionRecord,
)
from shop.services import attempts, checkout
from tests.builders import a_claimed, a_course, a_student, plan_of
from tests.cashier.parts import Cashier, fetch
from tests.person import Person

NOWHERE = "http://127.0.0.1:1/"


def courses(count: int, price_fen: int = 10_000) -> list[int]:
    """Ids of so many courses with a plan each, made at once."""
    sub_category = a_course().sub_category_id
    made = [Course(name=f"热门课{i}", brief="一门课", sub_category_id=sub_category) for i in range(count)]
    for course in made:
        course.policies = [PricePolicy(valid_period=30, price_fen=price_fen)]
    with unit_of_work() as session:
        session.add_all(made)
        session.flush()
        return [course.id for course in made]


def settlements(product_ids: Sequence[int], **choices: Any) -> list[Settlement]:
    """A settlement of its own for each product, as as many tabs would make them."""
    plans = dict(
        db.session.execute(
            select(PricePolicy.product_id, PricePolicy.id).where(PricePolicy.product_id.in_(product_ids))
        ).all()
    )
    return [Settlement((Pick(product_id, plans[product_id]),), **choices) for product_id in product_ids]


def place(account_id: int, settlement: Settlement, money_fen: int, beli: int = 0) -> str:
    """立即支付 without a page; the order's number."""
    return checkout.place_order(
        account_id, settlement, money_fen=money_fen, beli=beli, method=PaymentMethod.PAGE
    ).order_number


def an_unpaid_order(account: Account, product: Product) -> str:
    [settlement] = settlements([product.id])
    return place(account.id, settlement, plan_of(product).price_fen)


def settle(person: Person, product: Product) -> dict[str, str]:
    """Buy now, up to the settlement's page; the fields of its pay form."""
    page = person.follow(person.post("/settlement", {"product": product.id, "policy": plan_of(product).id}))
    return person.form(page, "checkout")


def at_the_button(app: Flask) -> tuple[Person, int, dict[str, str]]:
    """Somebody who is about to press 立即支付 for a course, with a coupon and 贝里."""
    student, course = a_student(beli=30), a_course()
    a_claimed(student, flat=1_000)
    person = Person(app).sign_in(student.username)
    settle(person, course)
    choices = person.form(person.get("/settlement"), "choices")
    page = person.follow(person.post("/settlement/choices", {**choices, "use": "all_beli"}))
    form = person.form(page, "checkout")
    assert (form["money"], form["balance"]) == ("60.00", "30")
    return person, student.id, form


def assert_bought_once(student_id: int) -> None:
    """What ``at_the_button`` was about is one order now."""
    assert count(Order) == count(OrderDetail) == count(Payment) == 1
    assert count(CouponRecord, CouponRecord.status == CouponStatus.USED) == 1
    assert balance_of(student_id) == 0
    assert count(TransactionRecord) == 2  # given for the test, taken for the order


def pay_unheard(alipay: Cashier, order_number: str) -> str:
    """Pay at Alipay, whose own notices get lost; the signed address of the buyer's return."""
    alipay.fault("notify_lost", out_trade_no=attempt_of(order_number), times=None)
    url = attempts.pay_url(order_number)
    assert url
    fetch(url)
    back: str = alipay.pay(attempt_of(order_number))["return_url"]
    return back


def paid_notice(alipay: Cashier, order_number: str, **changes: str) -> dict[str, str]:
    """What Alipay signs and sends about an order that was just paid there; the shop has heard nothing yet."""
    pay_unheard(alipay, order_number)
    return notice_of(alipay, attempt_of(order_number), **changes)


def notice_of(alipay: Cashier, out_trade_no: str, **changes: str) -> dict[str, str]:
    sent = alipay.control("messages", {"out_trade_no": out_trade_no, "url": NOWHERE, "set": changes})
    body: dict[str, str] = sent["deliveries"][0]["body"]
    return body


def attempt_of(order_number: str) -> str:
    return f"{order_number}01"


def the_order(order_number: str) -> Order:
    """The order as it is now."""
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(Order).where(Order.order_number == order_number)).one()


def only_number() -> str:
    """The number of the one order there is."""
    db.session.rollback()
    return db.session.scalars(select(Order.order_number)).one()


def count(model: Any, *where: Any) -> int:
    """Rows there are now."""
    db.session.rollback()
    return db.session.scalars(select(func.count()).select_from(model).where(*where)).one()


def balance_of(account_id: int) -> int:
    db.session.rollback()
    return db.session.scalars(select(Account.balance).where(Account.id == account_id)).one()


def fingerprint() -> dict[str, list[Any]]:
    """Every row of every table, to see that nothing was written."""
    db.session.rollback()
    return {
        table.name: sorted(map(repr, db.session.execute(select(table)).all())) for table in db.metadata.sorted_tables
    }
