"""A small shop with two students, few things to buy and a local Alipay: each method is something that may happen.

They call what pages and jobs call, against the real database, Redis and cashier. Numbers pick among what there is and
wrap around, so that any of them means something; what a step has nothing to do with is no step. After each of them
everything that must always hold is asked of the shop, and its books are laid beside the cashier's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import select

from cashier import calls, faults, trades
from cashier.control import TABLES
from cashier.desk import Desk
from cashier.refusals import Refused
from shop import clock
from shop.enums import PaymentMethod, ProductStatus
from shop.errors import ShopError
from shop.extensions import db, unit_of_work
from shop.gateways.settlement_store import Settlement
from shop.models import EnrolledDegreeCourse, Order, OrderDetail, PricePolicy, Product, Refund
from shop.services import (
    attempts,
    cart,
    checkout,
    coupons,
    orders,
    polling,
    reconciliation,
    refund_decisions,
    refunds,
    registration,
    settlement,
    troubles,
)
from shop.services.audit_log import Actor
from shop.services.checkout import Placed
from tests.builders import a_claimed, a_coupon, a_course, a_degree, a_student
from tests.cashier.parts import Cashier, fetch
from tests.conftest import empty
from tests.degrees import ANSWERS
from tests.model import books
from tests.model.crashes import Crash, Crashes

Result = TypeVar("Result")
WHY, CLERK = "时间安排不过来了", Actor("clerk")
JOBS: dict[str, Callable[[], object]] = {
    "expire": orders.expire_due,
    "poll": polling.poll_due,
    "send": refunds.send_due,
}
DECISIONS: dict[str, Callable[[str], object]] = {
    "approve": lambda number: refund_decisions.approve(number, actor=CLERK, reason="同意"),
    "refuse": lambda number: refund_decisions.refuse(number, actor=CLERK, reason="不同意"),
    "retry": lambda number: refund_decisions.retry(number, actor=CLERK),
}
PHONE = {False: PaymentMethod.PAGE, True: PaymentMethod.WAP}


class Stage:
    """Where walks take place: the shop and its Alipay, set up the same for each."""

    def __init__(self, app: Flask, alipay: Cashier) -> None:
        self.app, self.alipay = app, alipay
        self.desk: Desk = alipay.app.extensions["cashier"]
        self.crashes = Crashes(db.engine)
        empty(app)
        with app.app_context():
            self._furnish()
            every = [(table, db.session.execute(select(table)).mappings().all()) for table in db.metadata.sorted_tables]
        self._rows = [(table, [dict(row) for row in rows]) for table, rows in every if rows]

    def _furnish(self) -> None:
        """Prices that do not divide evenly, coupons that compete, one account that can pay with 贝里 alone."""
        a, b, c = a_course(10_000), a_course(5_999), a_degree(70_001)
        ada, bob = a_student(beli=75), a_student(beli=2_000)
        a_claimed(ada, a, percent=79)
        a_claimed(ada, above=12_000, flat=3_333)
        a_claimed(ada, flat=777, valid_end_date=clock.local_date(clock.now()))
        a_claimed(bob, b, flat=6_000)
        self.last_coupon = a_coupon(above=5_000, flat=1_000, quantity=1).id
        self.accounts = (ada.id, bob.id)
        self.products = (a.id, b.id, c.id)

    def reset(self) -> None:
        """As it was in the beginning, at the present time."""
        self.crashes.disarm()
        self.alipay.clock_file.unlink(missing_ok=True)
        empty(self.app)
        with self.app.app_context(), unit_of_work() as session:
            for table, rows in self._rows:
                session.execute(table.insert(), rows)
        with self.desk.store.write() as cashier:
            for table in TABLES:
                cashier.execute(f"DELETE FROM {table}")  # noqa: S608  fixed names
        self.stop_faults()

    def stop_faults(self) -> None:
        """Alipay behaves; but each of its messages is delivered by a step, whenever and however often."""
        with self.desk.store.write() as cashier:
            faults.remove(cashier)
            faults.add(cashier, "notify_lost", {}, times=None)

    def close(self) -> None:
        self.crashes.remove()


class Walk:
    """One walk, from an unused shop on. ``finish`` ends it."""

    def __init__(self, stage: Stage) -> None:
        stage.reset()
        self.app, self.alipay, self.desk, self.crashes = stage.app, stage.alipay, stage.desk, stage.crashes
        self.accounts, self.products, self.last_coupon = stage.accounts, stage.products, stage.last_coupon
        self.stop_faults = stage.stop_faults
        self.settled: list[tuple[int, Settlement, int, int]] = []  # what became orders: whose, what, for how much
        self.reopened: set[str] = set()
        self.there_is: set[str] = set()  # for whoever chooses steps
        self._checked = -1
        self._numbers = count(1)

    # ------------------------------------------------------------ buying

    def claim(self, who: int) -> None:
        """The last piece of a coupon that both would like."""
        self._use_case(lambda: coupons.claim(self.accounts[who], self.last_coupon, clock.now()))

    def settle(self, who: int, what: Sequence[int], beli: int = 0, *, coupons: bool = True) -> None:
        """Put these products into the cart and settle them, with so many 贝里, with the best coupons or none."""

        def use_case() -> None:
            account, owner = self.accounts[who], f"a{self.accounts[who]}"
            products = [self.products[n] for n in what]
            for product in products:
                cart.add(owner, product, self._plan(product), account)
            made = settlement.create(account, owner, products)
            if beli or not coupons:
                line_coupons, site_coupon = (made.line_coupons, made.site_coupon) if coupons else ({}, None)
                settlement.change(account, line_coupons=line_coupons, site_coupon=site_coupon, beli=beli)

        self._use_case(use_case)

    def checkout(self, who: int, *, phone: bool = False) -> None:
        """立即支付 on the settlement's page as it is."""
        account = self.accounts[who]
        with self.app.app_context():
            try:
                view, chosen = settlement.view(account), settlement.load(account)
            except ShopError:
                return
        pressed = (account, chosen, view.quote.due_fen, view.quote.beli)

        def use_case() -> Placed:
            placed = self._press(*pressed, phone=phone)
            settlement.clear(account, chosen)
            cart.remove_bought(f"a{account}", [pick.product_id for pick in chosen.picks])
            return placed

        if isinstance(self._use_case(use_case), Placed):
            self.settled.append(pressed)

    def press_again(self, which: int) -> None:
        """The button of a page that became an order: the same order again."""
        if pressed := _pick(self.settled, which):
            before = books.order_of(pressed[1].token)
            placed = self._use_case(lambda: self._press(*pressed))
            assert isinstance(placed, Placed)
            assert (placed.order_number, placed.is_new) == (before, False)

    def _press(self, account: int, chosen: Settlement, fen: int, beli: int, *, phone: bool = False) -> Placed:
        return checkout.place_order(account, chosen, money_fen=fen, beli=beli, method=PHONE[phone])

    def buy(self, who: int, what: Sequence[int], beli: int = 0, *, coupons: bool = True, phone: bool = False) -> None:
        """From the shelf to Alipay's page."""
        self.settle(who, what, beli, coupons=coupons)
        before = len(self.settled)
        self.checkout(who, phone=phone)
        if len(self.settled) > before:
            self.open_page(0)

    def purchase(self, who: int, what: Sequence[int], beli: int = 0, *, coupons: bool = True) -> None:
        """Bought, paid and heard of."""
        before = len(self.settled)
        self.buy(who, what, beli, coupons=coupons)
        if len(self.settled) > before:
            self.pay(-1)

    def pay_late(self, which: int, *, told: int = 1) -> None:
        """An order is cancelled while its page at Alipay is open, where nobody has scanned; then somebody pays."""
        if order := self._order(which):
            self.open_page(which)
            self.cancel(which)
            self._at_cashier("pay", f"{order.order_number}01", told)

    def second_attempt(self, which: int) -> None:
        """Alipay closes the trade of an unpaid order, and its owner goes to pay again."""
        if order := self._order(which):
            self.open_page(which)
            self._at_cashier("login", f"{order.order_number}01")
            with suppress(Refused), self.desk.work() as cashier:
                trades.close(cashier, trades.get(cashier, out_trade_no=f"{order.order_number}01"), self.desk.now())
            self.pay_again(which)

    def pay_twice(self, which: int, *, old_first: bool, told: int = 1) -> None:
        """Alipay has closed a trade and lets it be paid all the same, and its successor, too."""
        if order := self._order(which):
            self.second_attempt(which)
            numbers = [f"{order.order_number}01", f"{order.order_number}02"]
            self._reopen(numbers[0])
            for number in numbers if old_first else reversed(numbers):
                self._at_cashier("pay", number, told)

    def file_form(self, which: int) -> None:
        """The form of a degree, which opens its first module."""
        with self.app.app_context():
            found = db.session.execute(
                select(EnrolledDegreeCourse.account_id, EnrolledDegreeCourse.id).order_by(EnrolledDegreeCourse.id)
            ).all()
        if row := _pick(found, which):
            self._use_case(lambda: registration.file_registration(*row, ANSWERS, clock.now()))

    # ------------------------------------------------------------ at Alipay

    def open_page(self, which: int) -> None:
        """The buyer goes to the cashier's page of an unpaid order; nobody has scanned yet."""
        if order := self._order(which):
            with self.app.app_context():
                url = attempts.pay_url(order.order_number)
            if url:
                fetch(url)

    def pay_again(self, which: int) -> None:
        """去支付 on the order's page, and on to Alipay."""
        if order := self._order(which):
            url = self._use_case(lambda: orders.pay_again(order.account_id, order.order_number))
            if isinstance(url, str):
                fetch(url)

    def scan(self, which: int, buyer: str = "A") -> None:
        """Log in on a page that somebody opened, ever: now Alipay knows the trade."""
        if visit := _pick(self._visits(), which):
            self._at_cashier("login", visit["out_trade_no"], buyer=buyer)

    def pay(self, which: int, buyer: str = "A", *, less: bool = False, told: int = 1) -> None:
        """Pay on such a page, perhaps a cent less; so many copies of the message arrive at once."""
        if visit := _pick(self._visits(), which):
            amount = {"amount": f"{(visit['total_fen'] - 1) / 100:.2f}"} if less else {}
            self._at_cashier("pay", visit["out_trade_no"], told, buyer=buyer, **amount)

    def reopen(self, which: int) -> None:
        """Alipay has said that a trade is closed, and lets it be paid all the same."""
        with self.desk.store.read() as cashier:
            rows = cashier.execute("SELECT * FROM trade WHERE status = 'TRADE_CLOSED' AND paid_at IS NULL").fetchall()
        if trade := _pick(rows, which):
            self._reopen(trade["out_trade_no"])

    def _reopen(self, out_trade_no: str) -> None:
        with self.desk.store.write() as cashier:
            rows = cashier.execute(
                "UPDATE trade SET status = 'WAIT_BUYER_PAY', closed_at = NULL, expires_at = ?"
                " WHERE out_trade_no = ? AND status = 'TRADE_CLOSED' AND paid_at IS NULL RETURNING trade_no",
                (self.desk.now() + 86_400, out_trade_no),
            ).fetchall()
        self.reopened |= {row["trade_no"] for row in rows}

    def deliver(self, which: int, copies: int = 1) -> None:
        """A message of Alipay's arrives: any of them, in any order, again, or several at once."""
        if number := _pick(books.message_ids(self.desk), which):
            self._deliver(number, copies)

    def _deliver(self, number: int, copies: int) -> None:
        self.alipay.control(f"messages/{number}/send", {"genuine": True, "copies": copies})

    def come_back(self, which: int) -> None:
        """The buyer's browser returns to the shop."""
        with self.desk.store.read() as cashier:
            rows = cashier.execute("SELECT * FROM trade WHERE paid_at IS NOT NULL ORDER BY rowid").fetchall()
        if row := _pick(rows, which):
            visit = next(v for v in self._visits() if v["out_trade_no"] == row["out_trade_no"])
            fetch(books.return_url(self.desk, visit["out_trade_no"]))

    def refund_by_hand(self, which: int, percent: int, *, told: int = 1, number: str = "") -> None:
        """Somebody refunds a part of what is left of a trade, at Alipay and behind the shop's back."""
        with self.desk.store.read() as cashier:
            rows = cashier.execute("SELECT * FROM trade WHERE paid_at IS NOT NULL ORDER BY rowid").fetchall()
        if not (trade := _pick(rows, which)):
            return
        fen = (trade["total_fen"] - trade["refunded_fen"]) * percent // 100
        wanted = {
            "trade_no": trade["trade_no"],
            "refund_amount": f"{fen / 100:.2f}",
            "out_request_no": number or f"{books.BY_HAND}{next(self._numbers)}",
        }
        with self._telling(told), suppress(Refused), self.desk.work() as cashier:
            calls.refund(self.desk, cashier, wanted)

    def _at_cashier(self, action: str, out_trade_no: str, told: int = 0, **body: str) -> None:
        """Log in or pay; 409 when that cannot be, as the page would say. So many copies of the message arrive."""
        with self._telling(told):
            fetch(f"{self.alipay.url}/_control/{action}", data={"out_trade_no": out_trade_no, **body})

    @contextmanager
    def _telling(self, copies: int) -> Iterator[None]:
        known = books.message_ids(self.desk)
        yield
        new = [number for number in books.message_ids(self.desk) if number not in known]
        if copies and new:
            self._deliver(new[-1], copies)

    def _visits(self) -> list[Any]:
        with self.desk.store.read() as cashier:
            return cashier.execute("SELECT * FROM visit GROUP BY out_trade_no ORDER BY min(rowid)").fetchall()

    # ------------------------------------------------------------ the end of an order, and money back

    def cancel(self, which: int) -> None:
        if order := self._order(which):
            self._use_case(lambda: orders.cancel(order.account_id, order.order_number))

    def ask_refund(self, which: int, lines: int) -> None:
        """The owner asks for some lines: bit by bit of ``lines``."""
        if order := self._order(which):
            ids = self._all(select(OrderDetail.id).where(OrderDetail.order_id == order.id).order_by(OrderDetail.id))
            wanted = [line for n, line in enumerate(ids) if lines >> n & 1] or ids
            self._use_case(lambda: self._ask_for(order, wanted))

    def _ask_for(self, order: Order, lines: Sequence[int]) -> None:
        shown = refunds.preview(order.account_id, order.order_number, lines)
        asked = refunds.ask(order.account_id, order.order_number, lines, WHY)
        assert (asked.amount_fen, asked.beli) == (shown.amount_fen, shown.beli)

    def give_back(self, which: int, lines: int) -> None:
        """Asked for, approved and sent."""
        self.ask_refund(which, lines)
        self.decide(-1, "approve")
        self.job("send")

    def decide(self, which: int, decision: str) -> None:
        """Staff decide on a refund, or its owner takes it back; a refusal is an answer, too."""
        if number := _pick(self._all(select(Refund.out_request_no).order_by(Refund.id)), which):
            self._use_case(lambda: DECISIONS[decision](number))

    def withdraw(self, which: int) -> None:
        rows = self._rows(select(Order.account_id, Refund.out_request_no).join(Refund.order).order_by(Refund.id))
        if row := _pick(rows, which):
            self._use_case(lambda: refunds.withdraw(*row))

    def send_back(self, which: int) -> None:
        """Staff return money that fits nothing."""
        if number := _pick(books.troubled(), which):
            self._use_case(lambda: troubles.send_back(troubles.odd_money_of(number), actor=CLERK, reason="退回"))

    # ------------------------------------------------------------ jobs, time, mischief

    def job(self, name: str) -> None:
        self._use_case(JOBS[name])

    def wait(self, seconds: float) -> None:
        self.alipay.move_clock(seconds)

    def reprice(self, what: int, fen: int) -> None:
        self._change(PricePolicy, self._plan(self.products[what]), price_fen=fen)

    def shelve(self, what: int, *, on_sale: bool) -> None:
        status = ProductStatus.ON_SALE if on_sale else ProductStatus.OFF_SALE
        self._change(Product, self.products[what], status=status)

    def _change(self, model: Any, row: int, **values: Any) -> None:
        self.crashes.disarm()
        with self.app.app_context(), unit_of_work() as session:
            for name, value in values.items():
                setattr(session.get_one(model, row), name, value)

    def fault(self, kind: str, method: str = "", **args: Any) -> None:
        """Alipay misbehaves in the next call, or the next of this method; ``done``: which takes effect all the same."""
        with self.desk.store.write() as cashier:
            faults.add(cashier, kind, {**({"method": f"alipay.trade.{method}"} if method else {}), **args})

    def crash(self, place: str, number: int) -> None:
        """A process will die there; who called it tries again."""
        self.crashes.arm(place, number)

    # ------------------------------------------------------------ what holds

    def check(self) -> None:
        """After each step."""
        if self.crashes.writes != self._checked:  # else the shop is as it was
            books.assert_invariants()
            self._checked = self.crashes.writes
        books.assert_agree(self.desk, self.reopened)
        self.there_is = books.there_is(self.desk)

    def finish(self) -> None:
        """Leave everything to the jobs and to Alipay's bills: then only people have something to do, and every fen of
        the cashier's is in the books."""
        self.crashes.disarm()
        self.stop_faults()
        self._settle()
        if books.has_unheard(self.desk, self.reopened):
            self._reconcile()
            self._settle()
        self.check()
        books.assert_nothing_waits()
        books.assert_sums(self.desk)

    def _settle(self) -> None:
        for _round in range(60):
            due = books.next_due()
            if due is None:
                return
            self.wait(max(0.0, (due - clock.now()).total_seconds()) + 1)
            for name in JOBS:
                self.job(name)
        raise AssertionError("something is tried without end")

    def _reconcile(self) -> None:
        self.wait(2 * 86_400)
        for day in books.days_of_business(self.desk):
            self._use_case(lambda day=day: reconciliation.reconcile(day))

    def _use_case(self, use_case: Callable[[], Result]) -> Result | ShopError:
        """As a request or a job runs it. A refusal is an answer; who sees a process die tries again."""
        try:
            return self._once(use_case)
        except Crash:
            self.check()
            return self._once(use_case)

    def _once(self, use_case: Callable[[], Result]) -> Result | ShopError:
        with self.app.app_context():
            try:
                return use_case()
            except ShopError as refusal:
                return refusal

    # ------------------------------------------------------------ looking

    def _order(self, which: int) -> Order | None:
        """Newest first."""
        return _pick(self._all(select(Order).order_by(Order.id.desc())), which)

    def _plan(self, product_id: int) -> int:
        return self._all(select(PricePolicy.id).where(PricePolicy.product_id == product_id))[0]

    def _all(self, statement: Any) -> list[Any]:
        with self.app.app_context():
            return list(db.session.scalars(statement))

    def _rows(self, statement: Any) -> list[Any]:
        with self.app.app_context():
            return list(db.session.execute(statement))


def _pick(things: Sequence[Any], which: int) -> Any:
    """One of them, None if there are none."""
    return things[which % len(things)] if things else None
