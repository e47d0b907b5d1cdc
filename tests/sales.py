"""A month of sales as rows: orders in every state, refunds of every cause, at every hour, some of them at midnight."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from sqlalchemy.orm import Session

from shop import clock
from shop.enums import (
    CouponStatus,
    OrderStatus,
    PaymentMethod,
    PaymentState,
    PaymentType,
    RefundCause,
    RefundState,
)
from shop.extensions import unit_of_work
from shop.models import (
    CouponRecord,
    Order,
    OrderDetail,
    Payment,
    Refund,
    RefundDetail,
)
from tests.builders import a_coupon, a_course, a_student

PAID = (OrderStatus.PAID, OrderStatus.REFUND_REQUESTED, OrderStatus.REFUNDED)
MICROSECOND = timedelta(microseconds=1)
_numbers = count(1)


class Shop:
    """Whom and what the sales are about, and the dice."""

    def __init__(self, seed: int = 7) -> None:
        self.dice = Random(seed)
        self.students = [a_student().id for _ in range(6)]
        self.courses = [a_course(10_000 * number) for number in range(1, 5)]
        self.bound = a_coupon(self.courses[0], flat=1_000)
        self.site = a_coupon(flat=500)
        self._records: dict[tuple[int, int], int] = {}  # by student and coupon

    def month(self, first: date, days: int, orders: int) -> None:
        """So many orders; some at the very beginning and end of a day, the others anywhere."""
        with unit_of_work() as session:
            for number in range(orders):
                moment = clock.start_of_day(first + timedelta(days=self.dice.randrange(days)))
                beside = {0: timedelta(), 1: -MICROSECOND}
                self._order(session, moment + beside.get(number % 10, timedelta(seconds=self.dice.randrange(86_400))))

    def order(self, moment: datetime, status: OrderStatus) -> None:
        with unit_of_work() as session:
            self._order(session, moment, status)

    def _order(self, session: Session, moment: datetime, status: OrderStatus | None = None) -> None:
        """An order that was paid (or ended) at this moment, perhaps with a refund some days later."""
        dice = self.dice
        status = dice.choice([*OrderStatus, *[OrderStatus.PAID] * 4]) if status is None else status
        student_id = dice.choice(self.students)
        places = dice.sample(range(len(self.courses)), dice.randint(1, 3))
        made = _an_order(student_id, status, moment, [self._line(session, student_id, place) for place in places])
        session.add(made)
        if made.actual_amount_fen and status in PAID:
            _pay(made, moment, PaymentState.PAID)
        session.flush()
        if status is not OrderStatus.PENDING:
            session.add_all(self._refunds(made, moment + timedelta(hours=dice.randint(1, 200))))

    def _line(self, session: Session, student_id: int, place: int) -> OrderDetail:
        dice = self.dice
        price = dice.randint(2_000, 50_000)
        bound = 1_000 if place == 0 and dice.random() < 0.5 else 0
        site = dice.randint(1, 500) if dice.random() < 0.4 else 0
        beli = dice.choice((0, 0, 3))
        return OrderDetail(
            product_id=self.courses[place].id,
            original_price_fen=price + bound,
            price_fen=price,
            site_discount_fen=site,
            beli=beli,
            beli_fen=beli * 100,
            actual_amount_fen=price - site - beli * 100,
            coupon_record_id=self._record(session, student_id, self.bound.id) if bound else None,
            site_coupon_record_id=self._record(session, student_id, self.site.id) if site else None,
            valid_period_display="1个月",
            valid_period=30,
        )

    def _record(self, session: Session, student_id: int, coupon_id: int) -> int:
        if (student_id, coupon_id) not in self._records:
            record = CouponRecord(
                coupon_id=coupon_id,
                account_id=student_id,
                number=f"sold{next(_numbers)}",
                status=CouponStatus.UNUSED,
                valid_from=clock.now(),
                valid_until=clock.now(),
            )
            session.add(record)
            session.flush()
            self._records[student_id, coupon_id] = record.id
        return self._records[student_id, coupon_id]

    def _refunds(self, order: Order, moment: datetime) -> list[Refund]:
        kind = self.dice.choice(("lines", "beli", "foreign", "late", "waiting", "none", "none"))
        payment = order.payments[0] if order.payments else None
        if kind == "lines" and payment:
            line = order.details[0]
            parts = [RefundDetail(order_detail_id=line.id, amount_fen=line.actual_amount_fen, beli=line.beli)]
            cause = self.dice.choice((RefundCause.STUDENT, RefundCause.STAFF))
            return [_a_refund(order, payment, cause, line.actual_amount_fen, moment, beli=line.beli, details=parts)]
        if kind == "beli" and payment:
            return [_a_refund(order, None, RefundCause.STUDENT, 0, moment, beli=3)]
        if kind == "foreign" and payment:
            return [_a_refund(order, payment, RefundCause.GATEWAY, 77, moment)]
        if kind == "late":
            surplus = _pay(order, moment, PaymentState.SURPLUS)
            cause = self.dice.choice((RefundCause.LATE, RefundCause.DOUBLE, RefundCause.GATEWAY))
            return [_a_refund(order, surplus, cause, surplus.amount_fen, moment)]
        if kind == "waiting" and payment:
            return [_a_refund(order, payment, RefundCause.STUDENT, 1, None)]
        return []


def _an_order(student_id: int, status: OrderStatus, moment: datetime, lines: list[OrderDetail]) -> Order:
    number = next(_numbers)
    is_paid = status in PAID
    return Order(
        order_number=f"S{number}",
        account_id=student_id,
        status=status,
        payment_type=PaymentType.ALIPAY,
        list_amount_fen=sum(line.original_price_fen for line in lines),
        course_discount_fen=sum(line.original_price_fen - line.price_fen for line in lines),
        site_discount_fen=sum(line.site_discount_fen for line in lines),
        beli=sum(line.beli for line in lines),
        beli_fen=sum(line.beli_fen for line in lines),
        actual_amount_fen=sum(line.actual_amount_fen for line in lines),
        settlement_token=f"S{number}",
        date=moment - timedelta(minutes=number % 30),
        expires_at=moment,
        pay_time=moment if is_paid or status is OrderStatus.CANCELLED else None,  # which the columns allow
        cancel_time=moment if status in (OrderStatus.CANCELLED, OrderStatus.TIMED_OUT) else None,
        details=lines,
    )


def _pay(order: Order, moment: datetime, state: PaymentState) -> Payment:
    number = next(_numbers)
    payment = Payment(
        out_trade_no=f"S{number}",
        method=PaymentMethod.PAGE,
        amount_fen=order.actual_amount_fen or 1,
        biz_content={},
        state=state,
        trade_no=f"T{number}",
        expires_at=moment,
        paid_time=moment,
    )
    order.payments.append(payment)
    return payment


def _a_refund(
    order: Order, payment: Payment | None, cause: RefundCause, fen: int, moment: datetime | None, **more: Any
) -> Refund:
    """Done at this moment; without one it still waits."""
    return Refund(
        order=order,
        payment=payment,
        cause=cause,
        out_request_no=f"R{next(_numbers)}",
        amount_fen=fen,
        state=RefundState.REQUESTED if moment is None else RefundState.DONE,
        done_time=moment,
        **more,
    )
