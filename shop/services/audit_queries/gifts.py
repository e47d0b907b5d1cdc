"""What staff give by hand (safety.md 4): once, what was said, and by two persons."""

from __future__ import annotations

from sqlalchemy import and_, case, func, or_, select

from shop.enums import GiftKind, GiftState, TransactionType
from shop.models import CouponRecord, Gift, TransactionRecord
from shop.services.audit_queries.check import Broken, Checks, or_zero, unless_true

check = checks = Checks()


@check(Gift, "gives its 贝里 to its person by one record when it is given, and by none before")
def gift_gives_its_beli_once() -> Broken:
    record = TransactionRecord
    moved = (
        select(record.gift_id, func.count().label("records"), func.max(record.id).label("id"))
        .where(record.gift_id.is_not(None))
        .group_by(record.gift_id)
        .subquery()
    )
    is_due = and_(Gift.kind == GiftKind.BELI, Gift.state == GiftState.GIVEN)
    is_it = and_(
        record.amount == Gift.beli,
        record.transaction_type == TransactionType.INCOME,
        record.account_id == Gift.account_id,
    )
    return (
        select(Gift.id)
        .outerjoin(moved, moved.c.gift_id == Gift.id)
        .outerjoin(record, record.id == moved.c.id)
        .where(or_(or_zero(moved.c.records) != case((is_due, 1), else_=0), and_(is_due, unless_true(is_it))))
    )


@check(Gift, "has put its coupon into its person's hands when it is given")
def given_coupon_is_there() -> Broken:
    record = CouponRecord
    of_gift = and_(record.coupon_id == Gift.coupon_id, record.account_id == Gift.account_id)
    return (
        select(Gift.id)
        .outerjoin(record, of_gift)
        .where(Gift.kind == GiftKind.COUPON, Gift.state == GiftState.GIVEN, record.id.is_(None))
    )


@check(Gift, "is proposed by one person and decided by another or withdrawn, and by nobody for themselves")
def gift_has_two_persons() -> Broken:
    row = Gift
    is_own = or_(row.proposer_id == row.account_id, row.handler_id == row.account_id)
    is_decided = row.state.in_((GiftState.GIVEN, GiftState.REFUSED))
    is_alone = or_(row.handler_id.is_(None), row.handler_id == row.proposer_id)
    is_withdrawn_by_another = and_(row.state == GiftState.WITHDRAWN, row.handler_id.is_not(None))
    return select(row.id).where(or_(is_own, and_(is_decided, is_alone), is_withdrawn_by_another))
