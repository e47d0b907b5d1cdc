"""One order on its way through Alipay, step by step: a test decides what happens, what is lost, and in which order."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from shop import clock
from shop.enums import CouponStatus
from shop.extensions import db, unit_of_work
from shop.models import CouponRecord, Order, Payment, Product
from shop.services import attempts, orders, payment
from shop.services.payment import Ruling
from tests.builders import a_claimed, a_student
from tests.cashier.parts import Cashier, fetch
from tests.faults.purchase import NOWHERE, balance_of
from tests.refunding import placed

BELI = 20
DUE = 7_000  # fen: a course over 100.00 less 10.00 by coupon and 20 贝里
OVER = 18 * 60.0  # seconds after which the time to pay and the grace are over
QUERY, CLOSE = "alipay.trade.query", "alipay.trade.close"


class Deal:
    """An unpaid order that holds a coupon and 贝里; its buyer has Alipay's page open. Alipay's own notices get lost."""

    def __init__(self, alipay: Cashier, product: Product) -> None:
        alipay.fault("notify_lost", times=None)
        self.alipay, self.product = alipay, product
        self.student = a_student(beli=BELI)
        self.record = a_claimed(self.student, flat=1_000)
        self.student_id, self.record_id = self.student.id, self.record.id  # for after the session has been removed
        self.number = placed(self.student, [product], site_coupon=self.record.id, beli=BELI)
        self.open_page()

    def open_page(self) -> None:
        page = attempts.pay_url(self.number)
        assert page
        fetch(page)

    def attempt(self, number: int = 1) -> str:
        return f"{self.number}{number:02d}"

    def pay(self, number: int = 1, **how: Any) -> None:
        self.alipay.pay(self.attempt(number), **how)

    def hear(self, number: int = 1, **changes: str) -> Ruling:
        """A notice of Alipay about this attempt reaches the shop."""
        wanted = {"out_trade_no": self.attempt(number), "url": NOWHERE, "set": changes}
        body = self.alipay.control("messages", wanted)["deliveries"][0]["body"]
        return payment.receive(attempts.alipay().read_notice(body))

    def cancel(self) -> None:
        orders.cancel(self.student_id, self.number)

    def time_out(self) -> None:
        """Alipay says that nobody has begun to pay, a moment before it would say something else."""
        self.alipay.move_clock(OVER)
        self.alipay.fault("answer_business", method=QUERY)
        assert orders.expire_due() == {"ended": 1, "left": 0}

    def replace(self) -> None:
        """Alipay calls the first attempt closed, which it can still be paid on; the order gets its second."""
        with unit_of_work() as session:
            attempts.replace_closed(session, self.order, self.attempt(), clock.now())
        self.open_page()

    @property
    def order(self) -> Order:
        db.session.rollback()
        db.session.expire_all()
        return db.session.scalars(select(Order).where(Order.order_number == self.number)).one()

    def payment_of(self, number: int = 1) -> Payment:
        db.session.rollback()
        return db.session.scalars(select(Payment).where(Payment.out_trade_no == self.attempt(number))).one()

    def refunded_at_alipay(self, number: int = 1) -> str:
        amount: str = self.alipay.trade(self.attempt(number))["refunded_amount"]
        return amount

    def asked(self) -> list[str]:
        """The calls about this order that reached Alipay, oldest first: "query" or "close"."""
        calls = [e for e in reversed(self.alipay.control("exchanges")) if self.number in e["request_json"]]
        return [e["method"].rpartition(".")[2] for e in calls if e["method"] in (QUERY, CLOSE)]

    def is_kept(self) -> bool:
        """Whether the order still has its coupon and its 贝里; both or neither."""
        db.session.rollback()
        record = db.session.get_one(CouponRecord, self.record_id, populate_existing=True)
        is_held = record.order_id is not None
        assert record.status is (CouponStatus.USED if is_held else CouponStatus.UNUSED)
        assert balance_of(self.student_id) == (0 if is_held else BELI)
        return is_held
