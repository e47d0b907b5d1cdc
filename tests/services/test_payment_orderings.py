"""Every ordering of up to three events on real parts: the shop's services, its database, and Alipay over HTTP.

``tests.walks`` has the rules; ``tests/rules/test_order_walks.py`` walks further, on the states alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import exists, func, select

from shop import clock
from shop.enums import CouponStatus, OrderStatus
from shop.errors import NotRefundable, NotYourTurn
from shop.extensions import db, unit_of_work
from shop.models import Account, Coupon, CouponRecord, EnrolledCourse, Order, OrderDetail, Payment, Product
from shop.services import attempts, coupons, orders, polling, refunds
from tests.audit import assert_audit_clean
from tests.builders import a_coupon, a_course, a_student
from tests.cashier.parts import Cashier, fetch
from tests.faults.purchase import balance_of
from tests.refunding import approved, placed
from tests.walks import AFTER, ALWAYS, AT_LAST, Event, Moment, Walk, broken, orderings

BELI = 20
OVER = 18 * 60.0  # seconds: more than the time to pay and the grace
LONGEST = 3


@pytest.fixture(autouse=True)
def _audited(app: Flask) -> Iterator[None]:
    yield
    assert_audit_clean()


class Walker:
    """One order over 70.00 in cash, a coupon and 贝里, whose buyer has Alipay's page open."""

    def __init__(self, app: Flask, alipay: Cashier, course: Product, coupon: Coupon) -> None:
        self.app, self.alipay = app, alipay
        self.student: Account = a_student(beli=BELI)
        coupons.claim(self.student.id, coupon.id, clock.now())
        self.record_id = db.session.scalars(
            select(CouponRecord.id).where(CouponRecord.account_id == self.student.id)
        ).one()
        self.number = placed(self.student, [course], site_coupon=self.record_id, beli=BELI)
        self.ways_back: dict[str, str] = {}  # the signed address of the return, by attempt
        self.open_page()

    def do(self, event: Event) -> None:
        match event:
            case Event.PAY:
                self.pay(f"{self.number}01")
            case Event.NOTIFY:
                self.notify()
            case Event.RETURN:
                self.come_back()
            case Event.QUERY:
                self.alipay.move_clock(61)
                polling.poll_due()
            case Event.EXPIRE:
                self.alipay.move_clock(OVER)
                orders.expire_due()
            case Event.CANCEL:
                self.cancel()
            case Event.SECOND:
                self.pay_second()
            case Event.REFUND:
                self.refund()

    def open_page(self) -> None:
        url = attempts.pay_url(self.number)
        assert url
        fetch(url)

    def pay(self, out_trade_no: str) -> None:
        """Alipay refuses when the time is over."""
        answer = fetch(f"{self.alipay.url}/_control/pay", data={"out_trade_no": out_trade_no})
        if answer.status == 200:
            self.ways_back[out_trade_no] = answer.json["return_url"]

    def notify(self) -> None:
        for out_trade_no in self.ways_back:
            sent = self.alipay.control("messages", {"out_trade_no": out_trade_no})
            assert [d["answer"] for d in sent["deliveries"]] == ["success"]

    def come_back(self) -> None:
        for url in self.ways_back.values():
            parts = urlsplit(url)
            assert self.app.test_client().get(f"{parts.path}?{parts.query}").status_code == 200

    def cancel(self) -> None:
        try:
            orders.cancel(self.student.id, self.number)
        except NotYourTurn:
            pass

    def pay_second(self) -> None:
        db.session.rollback()  # a notice may have come since it last read
        if attempts.pay_url(self.number) is None:
            return
        out_trade_no = f"{self.number}02"
        with unit_of_work() as session:
            order = session.scalars(select(Order).where(Order.order_number == self.number)).one()
            attempts.replace_closed(session, order, f"{self.number}01", clock.now())
        self.open_page()
        self.pay(out_trade_no)
        self.notify_of(out_trade_no)

    def notify_of(self, out_trade_no: str) -> None:
        assert self.alipay.control("messages", {"out_trade_no": out_trade_no})["deliveries"][0]["answer"] == "success"

    def refund(self) -> None:
        try:
            number = approved(self.student, self.number)
        except NotRefundable:
            return
        assert refunds.send(number) == "done"

    def at_last(self) -> None:
        """The time passes, the jobs run, and Alipay's last notice of what it has denied comes through."""
        self.do(Event.EXPIRE)
        polling.poll_due()
        if f"{self.number}02" in self.ways_back:
            self.notify()
        refunds.send_due()

    def moment(self) -> Moment:
        db.session.rollback()
        order_id, status = db.session.execute(
            select(Order.id, Order.status).where(Order.order_number == self.number)
        ).one()
        trades = [t for t in self.alipay.control("trades") if t["out_trade_no"].startswith(self.number)]
        return Moment(
            status=OrderStatus(status),
            came=sum(fen(t["total_amount"]) for t in trades if t["paid_at"]),
            back=sum(fen(t["refunded_amount"]) for t in trades),
            known=db.session.scalar(
                select(func.coalesce(func.sum(Payment.amount_fen), 0)).where(
                    Payment.order_id == order_id, Payment.trade_no.is_not(None)
                )
            )
            or 0,
            is_open=self.is_open(order_id),
            holds=self.holds(order_id),
        )

    def is_open(self, order_id: int) -> bool:
        lines = select(OrderDetail.id).where(OrderDetail.order_id == order_id)
        living = EnrolledCourse.order_detail_id.in_(lines), EnrolledCourse.closed_time.is_(None)
        return bool(db.session.scalar(select(exists().where(*living))))

    def holds(self, order_id: int) -> bool:
        """Coupon and 贝里, both or neither."""
        status, holder = db.session.execute(
            select(CouponRecord.status, CouponRecord.order_id).where(CouponRecord.id == self.record_id)
        ).one()
        is_held = status is CouponStatus.USED
        assert holder == (order_id if is_held else None)
        assert balance_of(self.student.id) == (0 if is_held else BELI)
        return is_held


def fen(yuan: str) -> int:
    return round(float(yuan) * 100)


def faults_of(walk: Walk, walker: Walker) -> list[str]:
    for event in walk:
        walker.do(event)
    faults = broken(ALWAYS | AFTER.get(walk[-1], {}), walk, walker.moment())
    walker.at_last()
    return faults + broken(ALWAYS | AT_LAST, walk, walker.moment())


@pytest.mark.parametrize("first", Event)
def test_every_ordering_of_three_events_ends_as_the_rules_say(app: Flask, alipay: Cashier, first: Event) -> None:
    """P18, and F42 to F50 in every order: what reached the shop first makes no difference in the end."""
    alipay.fault("notify_lost", times=None)  # but for those that the walk sends
    course, coupon = a_course(10_000), a_coupon(flat=1_000)
    walks = [walk for walk in orderings(LONGEST) if walk[0] is first]
    assert len(walks) > 40
    assert [fault for walk in walks for fault in faults_of(walk, Walker(app, alipay, course, coupon))] == []
