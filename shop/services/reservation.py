"""What an order takes when it is placed and holds until it ends: coupons and 贝里.

Priced anew from the database whenever it is taken; taken whole or not at all; given back once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, case, select, update
from sqlalchemy.orm import Session

from shop.enums import CouponStatus, TransactionType
from shop.errors import CourseCouponNotUsable, SiteCouponNotUsable
from shop.extensions import settings
from shop.gateways.settlement_store import Settlement
from shop.models import Coupon, CouponRecord, Order
from shop.rules import pricing
from shop.services import sale, wallet
from shop.services.sale import Offer

_UNSYNCED = {"synchronize_session": False}


def quote(
    session: Session, account_id: int, settlement: Settlement, lines: Sequence[Offer], *, beli: int, now: datetime
) -> pricing.Quote:
    """What the lines cost now with the coupons that the settlement names and this many 贝里.

    Raises the refusals 1004, 1006, 1011 and 1012 of design 7.
    """
    choice = _choice(settlement)
    chosen = choice.record_ids
    wallet_coupons = sale.wallet(session, account_id, now=now, record_ids=chosen) if chosen else []
    usable = {c.coupon.record_id: c.coupon for c in wallet_coupons if c.is_usable(now)}
    _check_coupons(session, account_id, choice, usable)
    rate = settings().beli_per_yuan
    return pricing.price([line.line for line in lines], usable, choice, beli=beli, beli_per_yuan=rate)


def _choice(settlement: Settlement) -> pricing.Choice:
    return pricing.Choice(settlement.line_coupons, settlement.site_coupon)


def _check_coupons(
    session: Session, account_id: int, choice: pricing.Choice, usable: dict[int, pricing.Coupon]
) -> None:
    for record_id in choice.line_coupons.values():
        if record_id not in usable:
            raise CourseCouponNotUsable(coupon=_coupon_name(session, account_id, record_id))
    if choice.site_coupon is not None and choice.site_coupon not in usable:
        raise SiteCouponNotUsable(coupon=_coupon_name(session, account_id, choice.site_coupon))


def _coupon_name(session: Session, account_id: int, record_id: int) -> str:
    """The name of one's own coupon, whatever has become of it; its number when it is somebody else's or gone."""
    mine = (CouponRecord.id == record_id, CouponRecord.account_id == account_id)
    return session.scalar(select(Coupon.name).join(CouponRecord.coupon).where(*mine)) or str(record_id)


def take(session: Session, order: Order, settlement: Settlement, now: datetime) -> None:
    """Take the settlement's coupons and the order's 贝里 for the order.

    Raises CourseCouponNotUsable or NotEnoughBeli; the caller then undoes what it has written.
    """
    _take_coupons(session, order, settlement, now)
    if order.beli:
        wallet.move_beli(session, order.account_id, TransactionType.EXPENSE, order.beli, order_id=order.id)


def _take_coupons(session: Session, order: Order, settlement: Settlement, now: datetime) -> None:
    """Every chosen coupon, or none: whoever changes the row first has it (B48)."""
    wanted = _choice(settlement).record_ids
    if not wanted:
        return
    taken = session.execute(
        update(CouponRecord)
        .where(
            CouponRecord.id.in_(wanted),
            CouponRecord.account_id == order.account_id,
            CouponRecord.status == CouponStatus.UNUSED,
            CouponRecord.valid_from <= now,
            CouponRecord.valid_until >= now,
        )
        .values(status=CouponStatus.USED, used_time=now, order_id=order.id),
        execution_options=_UNSYNCED,
    )
    if taken.rowcount != len(wanted):  # type: ignore[attr-defined]
        raise CourseCouponNotUsable(coupon=wanted[0])


def give_back(session: Session, order: Order, now: datetime) -> None:
    """Everything that an unpaid order held, as it ends (L6, P3)."""
    return_coupons(session, CouponRecord.order_id == order.id, now=now)
    if order.beli:
        wallet.move_beli(session, order.account_id, TransactionType.REFUND, order.beli, order_id=order.id)


def return_coupons(session: Session, which: ColumnElement[bool], *, now: datetime) -> None:
    """These held coupons are their owners' again: unused, or expired if their time ended meanwhile."""
    session.execute(
        update(CouponRecord)
        .where(which)
        .values(
            status=case((CouponRecord.valid_until < now, int(CouponStatus.EXPIRED)), else_=int(CouponStatus.UNUSED)),
            used_time=None,
            order_id=None,
        ),
        execution_options=_UNSYNCED,
    )
