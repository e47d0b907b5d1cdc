"""However an order's lines are refunded, in the end exactly what was paid is back (design 8, issue 3)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from shop.enums import CouponStatus, OrderStatus, RefundState
from shop.extensions import db
from shop.models import Account, CouponRecord, Course, EnrolledCourse, Order, OrderDetail, RefundDetail
from shop.services import refunds
from tests.audit import assert_audit_clean
from tests.builders import a_claimed, a_course, a_student
from tests.cashier.parts import Cashier
from tests.faults.purchase import balance_of, the_order
from tests.refunding import at_alipay, bought, lines_of, refunded, the_refund

BELI = 500


@dataclass(frozen=True)
class Cart:
    """Prices and coupons by line, in fen; a percent below 100 is a 折扣券, anything above a 立减券."""

    prices: tuple[int, ...]
    bound: tuple[int, ...]  # 0: none
    site: int
    beli_share: int  # percent of what 贝里 could pay
    order_of_lines: tuple[int, ...]
    cuts: tuple[int, ...]  # where one request ends and the next begins

    @property
    def requests(self) -> list[tuple[int, ...]]:
        edges = sorted({0, len(self.prices), *self.cuts})
        return [self.order_of_lines[a:b] for a, b in pairwise(edges)]


@st.composite
def carts(draw: st.DrawFn) -> Cart:
    count = draw(st.integers(1, 4))
    prices = tuple(draw(st.lists(st.one_of(st.just(0), st.integers(1, 30_000)), min_size=count, max_size=count)))
    coupons = st.one_of(st.just(0), st.integers(1, 99), st.integers(100, 20_000))
    return Cart(
        prices=prices,
        bound=tuple(draw(st.lists(coupons, min_size=count, max_size=count))),
        site=draw(coupons),
        beli_share=draw(st.sampled_from([0, 1, 50, 100])),
        order_of_lines=tuple(draw(st.permutations(range(count)))),
        cuts=tuple(draw(st.lists(st.integers(0, count), max_size=3))),
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cart=carts())
def test_any_order_of_line_refunds_ends_where_one_whole_refund_ends(app: Flask, alipay: Cashier, cart: Cart) -> None:
    courses = [a_course(price) for price in cart.prices]
    whole, parts = (buy(alipay, cart, courses) for _ in range(2))
    refund_as_previewed(alipay, *whole, tuple(range(len(cart.prices))))
    for request in cart.requests:
        refund_as_previewed(alipay, *parts, request)
    assert outcome(alipay, *parts) == outcome(alipay, *whole)
    for student, number in (whole, parts):
        assert balance_of(student.id) == BELI
        assert outcome(alipay, student, number)[:2] == (OrderStatus.REFUNDED, the_order(number).actual_amount_fen)
    assert_audit_clean()


def buy(alipay: Cashier, cart: Cart, courses: list[Course]) -> tuple[Account, str]:
    """A student who bought the cart with every coupon and some 贝里."""
    student = a_student(beli=BELI)
    bound = {
        course.id: a_claimed(student, course, **terms(value)).id
        for course, value in zip(courses, cart.bound, strict=True)
        if value
    }
    site = a_claimed(student, **terms(cart.site)).id if cart.site else None
    with_coupons = {"coupons": bound, "site_coupon": site}
    most = min(BELI, payable_fen(cart) // 100)
    return student, bought(alipay, student, courses, beli=most * cart.beli_share // 100, **with_coupons)  # type: ignore[arg-type]


def terms(value: int) -> dict[str, int]:
    return {"percent": value} if value < 100 else {"flat": value}


def payable_fen(cart: Cart) -> int:
    """What is due before 贝里: each line after its coupon, the sum after the site coupon."""

    def after(fen: int, value: int) -> int:
        if not value:
            return fen
        return (fen * value + 50) // 100 if value < 100 else max(0, fen - value)

    return after(sum(after(price, value) for price, value in zip(cart.prices, cart.bound, strict=True)), cart.site)


def refund_as_previewed(alipay: Cashier, student: Account, number: str, lines: tuple[int, ...]) -> None:
    """What is carried out is what was shown before, to the fen; and never more than a line cost."""
    details = lines_of(number)
    shown = refunds.preview(student.id, number, [details[i].id for i in lines])
    before = gone(alipay, student, number)
    refund = the_refund(refunded(alipay, student, number, *lines))
    assert (refund.state, refund.amount_fen, refund.beli) == (RefundState.DONE, shown.amount_fen, shown.beli)
    assert [now - then for now, then in zip(gone(alipay, student, number)[:2], before[:2], strict=True)] == [
        shown.amount_fen,
        shown.beli,
    ]
    assert gone(alipay, student, number)[2] - before[2] == {coupon.record_id for coupon in shown.coupons}
    for part in db.session.scalars(select(RefundDetail).where(RefundDetail.refund_id == refund.id)):
        line = part.order_detail
        assert (part.amount_fen, part.beli) == (line.actual_amount_fen, line.beli)


def gone(alipay: Cashier, student: Account, number: str) -> tuple[int, int, set[int]]:
    """What has come back so far: fen at Alipay, 贝里, and the records of coupons that are free."""
    cash = at_alipay(alipay, number) if the_order(number).payments else 0
    free = select(CouponRecord.id).where(
        CouponRecord.account_id == student.id, CouponRecord.status == CouponStatus.UNUSED
    )
    return cash, balance_of(student.id), set(db.session.scalars(free))


def outcome(alipay: Cashier, student: Account, number: str) -> tuple[OrderStatus, int, int, int, int]:
    """State, fen and 贝里 that came back, coupons that are free, purchases that are open."""
    cash, beli, free = gone(alipay, student, number)
    still_open = (
        select(EnrolledCourse.id)
        .join(EnrolledCourse.order_detail)
        .join(OrderDetail.order)
        .where(EnrolledCourse.closed_time.is_(None), Order.order_number == number)
    )
    return the_order(number).status, cash, beli, len(free), len(db.session.scalars(still_open).all())
