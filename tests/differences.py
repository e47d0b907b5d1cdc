"""What a bill of Alipay and the shop's books may disagree about, brought about with real purchases."""

from __future__ import annotations

from shop import clock
from shop.enums import OrderStatus, ProductStatus
from shop.extensions import unit_of_work
from shop.models import Account, Product
from shop.services import attempts, orders, payment, refunds
from tests import refunding
from tests.builders import a_course
from tests.cashier.parts import Cashier, fetch
from tests.faults.purchase import attempt_of, pay_unheard, the_order
from tests.purchases import off_sale


def paid(alipay: Cashier, account: Account, *products: Product, beli: int = 0) -> str:
    """The number of an order that was paid, and that the shop knows of."""
    number = refunding.placed(account, products or [a_course()], beli=beli)
    pay_unheard(alipay, number)
    assert payment.ask(attempt_of(number)) is payment.Answer.PAID
    return number


def unheard(alipay: Cashier, account: Account) -> str:
    """Paid, and neither notice nor return has come (F44)."""
    number = refunding.placed(account, [a_course()])
    pay_unheard(alipay, number)
    return number


def late(alipay: Cashier, account: Account, course: Product) -> str:
    """Cancelled while Alipay's page was open, and paid there all the same."""
    number = refunding.placed(account, [course])
    alipay.fault("notify_lost", out_trade_no=attempt_of(number), times=None)
    page = attempts.pay_url(number)
    assert page
    fetch(page)
    orders.cancel(account.id, number)
    alipay.pay(attempt_of(number))
    return number


def late_and_unwanted(alipay: Cashier, account: Account) -> str:
    course = a_course()
    number = late(alipay, account, course)
    off_sale(course, ProductStatus.OFF_SALE)
    return number


def paid_twice(alipay: Cashier, account: Account) -> str:
    """By its second attempt, and by the first, which Alipay had called closed."""
    number = refunding.placed(account, [a_course()])
    for out_trade_no in (f"{number}01", f"{number}02"):
        alipay.fault("notify_lost", out_trade_no=out_trade_no, times=None)
    page = attempts.pay_url(number)
    assert page
    fetch(page)
    with unit_of_work() as session:
        attempts.replace_closed(session, the_order(number), f"{number}01", clock.now())
    page = attempts.pay_url(number)
    assert page
    fetch(page)
    alipay.pay(f"{number}02")
    assert payment.ask(f"{number}02") is payment.Answer.PAID
    alipay.pay(f"{number}01")
    return number


def a_cent_less(alipay: Cashier, account: Account) -> str:
    number = refunding.placed(account, [a_course()])
    alipay.fault("pay_cent_less", out_trade_no=attempt_of(number))
    pay_unheard(alipay, number)
    return number


def of_somebody_else(alipay: Cashier) -> str:
    """A trade of the same merchant that the shop has not begun."""
    assert alipay.ask("CANTEEN1", "25.00").status < 400
    alipay.pay("CANTEEN1")
    return "CANTEEN1"


def refunded_by_hand(alipay: Cashier, account: Account) -> str:
    number = paid(alipay, account)
    assert refunding.by_hand(alipay, number, "5.00", "CONSOLE1")["fund_change"] == "Y"
    return number


def refunded(alipay: Cashier, account: Account) -> str:
    """The number of a refund that is done."""
    return refunding.refunded(alipay, account, paid(alipay, account))


def refund_unheard(alipay: Cashier, account: Account) -> str:
    """The number of a refund that Alipay carried out, while its answer got lost."""
    number = paid(alipay, account)
    refund = refunding.approved(account, number)
    alipay.fault("answer_html", method="alipay.trade.refund", out_trade_no=attempt_of(number))
    assert refunds.send(refund) == "later"
    return refund


def told_of_nothing(alipay: Cashier, account: Account) -> str:
    """A payment that Alipay has signed and does not have (safety.md G2)."""
    number, other = refunding.placed(account, [a_course()]), paid(alipay, account)
    told = {"out_trade_no": attempt_of(number), "trade_no": f"2{number}"}
    alipay.control("messages", {"out_trade_no": attempt_of(other), "set": told})
    assert the_order(number).status is OrderStatus.PAID
    return number


def told_another_number(alipay: Cashier, account: Account) -> str:
    number = unheard(alipay, account)
    alipay.control("messages", {"out_trade_no": attempt_of(number), "set": {"trade_no": "3" * 28}})
    assert the_order(number).payment_number == "3" * 28
    return number
