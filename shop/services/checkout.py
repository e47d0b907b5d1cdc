"""立即支付: a settlement becomes an order, in one transaction in which the database decides (design 7)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import OrderStatus, PaymentMethod, PaymentType
from shop.errors import AmountDiffers, NegativeMoney, NotEnoughBeli, SettlementGone
from shop.extensions import db, settings, unit_of_work
from shop.gateways.settlement_store import Settlement
from shop.models import Order, OrderDetail
from shop.money import to_yuan
from shop.rules import pricing
from shop.services import attempts, payment, reservation, sale
from shop.services.attempts import Asked
from shop.services.locks import lock_account
from shop.services.sale import Offer

NUMBER_SIGNS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no look-alikes: people read numbers out on the phone

_order = Order.__table__.c
_OF_TOKEN = select(_order.order_number, _order.status).where(
    _order.settlement_token == bindparam("token"), _order.account_id == bindparam("account_id")
)


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that exists now; ``is_due`` when Alipay must still be paid, ``is_new`` when this call made it."""

    order_number: str
    is_due: bool
    is_new: bool = False
    asked: Asked | None = None  # for a new order with something due


def already_placed(account_id: int, token: str) -> Placed:
    """The order that this token became earlier. Raises SettlementGone when there is none."""
    placed = _by_token(db.session(), account_id, token)
    if placed is None:
        raise SettlementGone
    return placed


def place_order(account_id: int, settlement: Settlement, *, money_fen: int, beli: int, method: PaymentMethod) -> Placed:
    """The order for this settlement, or the one that its token already became.

    ``money_fen`` is what the page showed, ``beli`` the 贝里 to use; ``settlement`` names lines and coupons. Everything
    else is read anew. Raises one ShopError of design 7 and then has written nothing.
    """
    if money_fen < 0:
        raise NegativeMoney
    now = clock.now()
    with unit_of_work() as session:
        balance = lock_account(session, account_id)
        if placed := _by_token(session, account_id, settlement.token):
            return placed
        lines = _lines(session, account_id, settlement)
        quote = reservation.quote(session, account_id, settlement, lines, beli=beli, now=now)
        if balance < beli:
            raise NotEnoughBeli(wanted=beli, balance=balance)
        if quote.due_fen != money_fen:
            raise AmountDiffers(shown=to_yuan(money_fen), due=to_yuan(quote.due_fen))
        order = _write(session, account_id, settlement, lines, quote, now)
        if quote.due_fen == 0:
            payment.settle(session, order, now=now)
            return Placed(order.order_number, is_due=False, is_new=True)
        asked = attempts.open_attempt(session, order, method=method, now=now)
        return Placed(order.order_number, is_due=True, is_new=True, asked=asked)


def _by_token(session: Session, account_id: int, token: str) -> Placed | None:
    row = session.execute(_OF_TOKEN, {"token": token, "account_id": account_id}).first()
    return Placed(row.order_number, row.status is OrderStatus.PENDING) if row else None


def _lines(session: Session, account_id: int, settlement: Settlement) -> list[Offer]:
    lines = sale.read(session, settlement.picks)
    for _, refusal in sale.refusals(session, account_id, lines):
        raise refusal
    return lines


def _write(
    session: Session,
    account_id: int,
    settlement: Settlement,
    lines: Sequence[Offer],
    quote: pricing.Quote,
    now: datetime,
) -> Order:
    saves_nothing = quote.site_discount_fen == 0  # a site coupon that was chosen all the same
    order = Order(
        order_number=new_number(now),
        account_id=account_id,
        status=OrderStatus.PENDING,
        payment_type=_payment_type(quote),
        list_amount_fen=quote.list_fen,
        course_discount_fen=quote.course_discount_fen,
        site_discount_fen=quote.site_discount_fen,
        beli=quote.beli,
        beli_fen=quote.beli_fen,
        actual_amount_fen=quote.due_fen,
        settlement_token=settlement.token,
        date=now,
        expires_at=now + timedelta(minutes=settings().order_ttl_minutes),
        details=[
            _detail(account_id, settlement, line, priced, is_site_served=priced.site_share_fen > 0 or saves_nothing)
            for line, priced in zip(lines, quote.lines, strict=True)
        ],
    )
    session.add(order)
    session.flush()
    reservation.take(session, order, settlement, now)
    return order


def _detail(
    account_id: int, settlement: Settlement, line: Offer, priced: pricing.PricedLine, *, is_site_served: bool
) -> OrderDetail:
    assert line.period is not None  # refused before
    return OrderDetail(
        product_id=line.product_id,
        policy_id=line.policy_id,
        pending_account_id=account_id,
        coupon_record_id=settlement.line_coupons.get(line.product_id),
        site_coupon_record_id=settlement.site_coupon if is_site_served else None,
        original_price_fen=priced.list_fen,
        price_fen=priced.price_fen,
        site_discount_fen=priced.site_share_fen,
        beli=priced.beli_share,
        beli_fen=priced.beli_share_fen,
        actual_amount_fen=priced.due_fen,
        valid_period_display=line.period.chinese,
        valid_period=int(line.period),
    )


def _payment_type(quote: pricing.Quote) -> PaymentType:
    """支付宝 if any money is due, else 贝里, else 优惠码 (A23)."""
    if quote.due_fen:
        return PaymentType.ALIPAY
    return PaymentType.BELI if quote.beli else PaymentType.COUPON


def new_number(now: datetime) -> str:
    """An order number: the Shanghai day and 60 random bits, letters and digits only (B49)."""
    return f"{clock.local(now):%Y%m%d}" + "".join(secrets.choice(NUMBER_SIGNS) for _ in range(12))
