"""Orders bought and paid for at the local Alipay, whose money then goes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from shop import clock
from shop.enums import PaymentMethod
from shop.extensions import db, unit_of_work
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import Account, Order, OrderDetail, Payment, PricePolicy, Product, Refund, Trouble
from shop.services import attempts, checkout, payment, refund_decisions, refunds, reservation, sale
from shop.services.audit_log import Actor
from tests.builders import a_course, a_student
from tests.cashier.parts import Cashier, fetch

WHY = "时间安排不过来了"
CLERK = Actor("clerk")


def bought(
    alipay: Cashier,
    account: Account,
    products: Sequence[Product],
    *,
    coupons: Mapping[int, int] | None = None,
    site_coupon: int | None = None,
    beli: int = 0,
) -> str:
    """The number of a paid order; ``coupons`` are record ids by product id. Alipay's own notices get lost."""
    number = placed(account, products, coupons=coupons, site_coupon=site_coupon, beli=beli)
    if db.session.scalar(select(Payment.id).join(Payment.order).where(Order.order_number == number)):
        paid(alipay, number)
    return number


def placed(
    account: Account,
    products: Sequence[Product],
    *,
    coupons: Mapping[int, int] | None = None,
    site_coupon: int | None = None,
    beli: int = 0,
) -> str:
    """The number of an order at the price of the day; it is paid when nothing is due."""
    plans = dict(
        db.session.execute(
            select(PricePolicy.product_id, PricePolicy.id).where(PricePolicy.product_id.in_([p.id for p in products]))
        ).all()
    )
    settlement = Settlement(
        tuple(Pick(p.id, plans[p.id]) for p in products), line_coupons=coupons or {}, site_coupon=site_coupon
    )
    session = db.session()
    offers = sale.read(session, settlement.picks)
    quote = reservation.quote(session, account.id, settlement, offers, beli=beli, now=clock.now())
    return checkout.place_order(
        account.id, settlement, money_fen=quote.due_fen, beli=beli, method=PaymentMethod.PAGE
    ).order_number


def paid(alipay: Cashier, number: str) -> None:
    """The buyer pays at Alipay, and the shop asks."""
    attempt = f"{number}01"
    alipay.fault("notify_lost", out_trade_no=attempt, times=None)
    url = attempts.pay_url(number)
    assert url
    fetch(url)
    alipay.pay(attempt)
    assert payment.ask(attempt) is payment.Answer.PAID


def a_misfit(alipay: Cashier, amount: str, account: Account | None = None) -> int:
    """The id of a case about so many yuan that came for an order of 99."""
    number = placed(account or a_student(), [a_course(9_900)])
    alipay.fault("notify_lost", out_trade_no=f"{number}01", times=None)
    fetch(attempts.pay_url(number) or "")
    alipay.control("pay", {"out_trade_no": f"{number}01", "amount": amount})
    assert payment.ask(f"{number}01") is payment.Answer.MISFIT
    db.session.rollback()
    return db.session.scalars(select(Trouble.id).where(Trouble.out_trade_no == f"{number}01")).one()


def lines_of(number: str) -> list[OrderDetail]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(OrderDetail).join(OrderDetail.order).where(Order.order_number == number).order_by(OrderDetail.id)
        )
    )


def asked(account: Account, number: str, *indexes: int) -> str:
    """The number of the owner's request for the lines at these places, for all of them without any."""
    lines = lines_of(number)
    ids = [lines[i].id for i in indexes or range(len(lines))]
    return refunds.ask(account.id, number, ids, WHY).out_request_no


def approved(account: Account, number: str, *indexes: int) -> str:
    refund = asked(account, number, *indexes)
    refund_decisions.approve(refund, actor=CLERK, reason="同意")
    return refund


def refunded(alipay: Cashier, account: Account, number: str, *indexes: int) -> str:
    """The same, sent and done; a moment later, as Alipay wants a pause between two refunds of a trade."""
    refund = approved(account, number, *indexes)
    if the_refund(refund).amount_fen:
        assert refunds.send(refund) == "done"
    alipay.move_clock(4)
    return refund


def the_refund(out_request_no: str) -> Refund:
    """The refund as it is now."""
    db.session.rollback()
    return db.session.scalars(
        select(Refund).where(Refund.out_request_no == out_request_no).execution_options(populate_existing=True)
    ).one()


def at_alipay(alipay: Cashier, number: str) -> int:
    """What went back of the order's trade there, in fen."""
    return round(float(alipay.trade(f"{number}01")["refunded_amount"]) * 100)


def calls(alipay: Cashier) -> list[str]:
    """The calls about refunds that reached Alipay, oldest first: "refund" or "query"."""
    names = {"alipay.trade.refund": "refund", "alipay.trade.fastpay.refund.query": "query"}
    return [names[each["method"]] for each in reversed(alipay.control("exchanges")) if each["method"] in names]


def by_hand(alipay: Cashier, number: str, amount: str, out_request_no: str) -> Any:
    """Somebody refunds at Alipay, behind the shop's back."""
    return alipay.sdk.api_alipay_trade_refund(
        refund_amount=amount, out_trade_no=f"{number}01", out_request_no=out_request_no
    )


def note(number: str, out_request_no: str) -> None:
    """The shop hears of a refund of the order's trade."""
    with unit_of_work() as session:
        attempt = session.scalars(select(Payment).where(Payment.out_trade_no == f"{number}01")).one()
        refunds.note_from_gateway(session, attempt, out_request_no, clock.now())


def in_seconds(alipay: Cashier, seconds: float) -> datetime:
    """So much later."""
    alipay.move_clock(seconds)
    return clock.now()
