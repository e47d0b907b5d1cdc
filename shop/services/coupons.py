"""Claiming coupons: the database decides how many and to whom, under any number of parallel claims (A09-A11)."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, case, func, not_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import CouponKind, CouponStatus, Month, OrderStatus, ProductKind
from shop.errors import ClaimRefused, CodeRefused, NotFound
from shop.extensions import db, unit_of_work
from shop.models import Account, Coupon, CouponCode, CouponRecord, Order, Product
from shop.rules import pricing
from shop.rules.coupons import claim_window_open, use_window
from shop.services import batches

MOST_SHOWN = 100  # coupons on one page of the centre or of a wallet
_CODE = re.compile(r"[0-9A-Z]{1,32}", re.ASCII)


class ClaimState(Enum):
    """What a visitor of the 领券中心 can do with a coupon."""

    CLAIMABLE = "claimable"
    LATER = "later"
    CLAIMED = "claimed"
    NONE_LEFT = "none_left"


class WalletState(Enum):
    """The three drawers of a wallet."""

    USABLE = "usable"
    USED = "used"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a coupon is worth and where it applies; amounts in fen, pay_percent is what is still paid."""

    coupon_id: int
    name: str
    kind: CouponKind
    face_fen: int
    pay_percent: int | None
    minimum_fen: int
    product_id: int | None  # None: the whole shop
    product_name: str | None
    product_kind: ProductKind | None
    brief: str = ""  # what staff tell about it

    @property
    def terms(self) -> pricing.CouponTerms:
        """What it does, as the rules see it."""
        percent = 100 if self.pay_percent is None else self.pay_percent
        return pricing.CouponTerms(self.kind, self.face_fen, percent, self.minimum_fen)

    @property
    def href(self) -> str:
        """Where it can be used: its product's page, or the list of courses."""
        if self.product_id is None:
            return "/courses"
        return f"/{'degrees' if self.product_kind is ProductKind.DEGREE else 'courses'}/{self.product_id}"

    @property
    def fold(self) -> str:
        """The 折 of a 折扣券: 79 percent paid is 7.9 折, 80 is 8 折."""
        return f"{(self.pay_percent or 100) / 10:g}"

    @property
    def off_percent(self) -> int:
        """The same as English readers say it: 21 % off."""
        return 100 - (self.pay_percent or 100)


@dataclass(frozen=True, slots=True)
class CentreCoupon:
    """A coupon in the 领券中心: instants bound the claim and, where fixed, the use."""

    ticket: Ticket
    state: ClaimState
    left: int
    opens: datetime
    closes: datetime
    use_from: datetime | None
    use_until: datetime | None
    valid_days: int | None


@dataclass(frozen=True, slots=True)
class OwnCoupon:
    """A coupon in somebody's wallet."""

    ticket: Ticket
    state: WalletState
    valid_from: datetime
    valid_until: datetime
    is_open: bool  # the use window has begun
    order_number: str | None  # the order that holds or used it
    held_until: datetime | None  # by an unpaid order, which lets it go then at the latest
    is_stopped: bool  # withdrawn by the shop
    missing_fen: int  # what the cart lacks of its minimum, list prices counted; 0 also where nothing of it is there
    saves_fen: int  # on what is in the cart

    @property
    def is_ready(self) -> bool:
        return self.is_open and not (self.held_until or self.is_stopped or self.missing_fen)


# ---------------------------------------------------------------- claiming


def claim(account_id: int, coupon_id: int, now: datetime) -> str:
    """Give the account a public coupon and return the coupon's name.

    Raises NotFound for one that is not public, and ClaimRefused with the reason: not yet, over, none left, had already.
    """
    today = clock.local_date(now)
    in_window = and_(Coupon.is_public, Coupon.open_date <= today, today <= Coupon.close_date)
    try:
        with unit_of_work() as session:
            coupon = _count_one_left(session, coupon_id, in_window)
            if coupon is None:
                raise _why_refused(session, account_id, coupon_id, today)
            _give(session, coupon, account_id, now)
            return coupon.name
    except IntegrityError:
        _refuse_a_second(account_id, coupon_id)
        raise


def claim_by_code(account_id: int, code: str, now: datetime) -> str:
    """Turn a code into a coupon and return the coupon's name.

    Unknown, foreign, used-up and closed codes raise the same CodeRefused. A good code for a coupon that the account has
    already raises ClaimRefused and stays good.
    """
    wanted = normal_code(code)
    coupon_id = 0
    today = clock.local_date(now)
    in_window = and_(Coupon.open_date <= today, today <= Coupon.close_date)
    try:
        with unit_of_work() as session:
            found = session.scalar(select(CouponCode).where(_open_code(account_id), CouponCode.code == wanted))
            if found is None:
                raise CodeRefused
            coupon_id = found.coupon_id
            coupon = _count_one(session, coupon_id, in_window)
            if coupon is None:
                raise CodeRefused
            record = _give(session, coupon, account_id, now)
            spend = update(CouponCode).where(_open_code(account_id), CouponCode.id == found.id)
            if session.scalar(spend.values(record_id=record.id).returning(CouponCode.id)) is None:
                raise CodeRefused
            return coupon.name
    except IntegrityError:
        _refuse_a_second(account_id, coupon_id)
        raise


def grant(account_id: int, coupon_id: int, now: datetime) -> str:
    """Give the account a coupon by hand and return the coupon's name: public or not, whatever its claim window.

    It counts against the quantity. Raises NotFound and ClaimRefused.
    """
    try:
        with unit_of_work() as session:
            return hand_out(session, account_id, coupon_id, now).coupon.name
    except IntegrityError:
        _refuse_a_second(account_id, coupon_id)
        raise


def hand_out(session: Session, account_id: int, coupon_id: int, now: datetime) -> CouponRecord:
    """The same in the caller's transaction: the record.

    Raises NotFound and ClaimRefused; IntegrityError when the account gets one at the same moment.
    """
    coupon = _count_one_left(session, coupon_id)
    if coupon is None or _has(session, account_id, coupon_id):
        raise _why_not_granted(session, account_id, coupon_id)
    return _give(session, coupon, account_id, now)


def grant_by_name(username: str, coupon_id: int, now: datetime) -> bool:
    """Grant to the account of this name; False when it has the coupon already.

    Raises LookupError for an unknown name, and what ``grant`` raises.
    """
    account_id = db.session.scalar(select(Account.id).where(Account.username == username))
    if account_id is None:
        raise LookupError(f"there is no account {username}")
    if _has(db.session(), account_id, coupon_id):
        return False
    grant(account_id, coupon_id, now)
    return True


def normal_code(code: str) -> str:
    """A code as it is stored: capitals and digits, without the dashes and spaces that make it readable.

    Raises CodeRefused for what cannot be a code.
    """
    bare = re.sub(r"[\s\-‐-―_]", "", unicodedata.normalize("NFKC", code)).upper()
    if not _CODE.fullmatch(bare):
        raise CodeRefused
    return bare


def _open_code(account_id: int) -> ColumnElement[bool]:
    """Codes that this account may still use up."""
    for_me = or_(CouponCode.account_id.is_(None), CouponCode.account_id == account_id)
    return and_(CouponCode.record_id.is_(None), for_me)


def _count_one(session: Session, coupon_id: int, *also: ColumnElement[bool]) -> Coupon | None:
    """The coupon with one more claim counted, or None: the row itself decides, so that no claim is one too many."""
    return session.scalar(
        update(Coupon)
        .where(Coupon.id == coupon_id, Coupon.enabled, Coupon.claimed < Coupon.quantity, *also)
        .values(claimed=Coupon.claimed + 1)
        .returning(Coupon)
    )


def _count_one_left(session: Session, coupon_id: int, *also: ColumnElement[bool]) -> Coupon | None:
    """The same for whoever brings no code: each code in somebody's hands is a coupon that was promised.

    The row is locked by a statement of its own: one that had to wait for it would see it as it is by then, but count
    the codes as of when it began (PostgreSQL's READ COMMITTED).
    """
    session.execute(select(Coupon.id).where(Coupon.id == coupon_id).with_for_update(key_share=True))
    return _count_one(session, coupon_id, Coupon.claimed + open_codes() < Coupon.quantity, *also)


def open_codes() -> ScalarSelect[int]:
    """How many codes of the coupon of the statement around it nobody has used yet."""
    unused = (CouponCode.coupon_id == Coupon.id, CouponCode.record_id.is_(None))
    return select(func.count()).select_from(CouponCode).where(*unused).correlate(Coupon).scalar_subquery()


def _give(session: Session, coupon: Coupon, account_id: int, now: datetime) -> CouponRecord:
    """The record of a coupon counted just now, its use window fixed for good.

    Raises IntegrityError when the account has one already, ClaimRefused when it could not be used on any day.
    """
    valid_from, valid_until = use_window(
        now,
        begins=clock.start_of_day(coupon.valid_begin_date) if coupon.valid_begin_date else None,
        ends=clock.end_of_day(coupon.valid_end_date) if coupon.valid_end_date else None,
        valid_days=coupon.coupon_valid_days,
    )
    if valid_until < max(valid_from, now):
        raise ClaimRefused(coupon=coupon.name, reason=_("可用的日期已经过去。"))
    record = CouponRecord(
        coupon_id=coupon.id,
        account_id=account_id,
        number=secrets.token_hex(16),  # 128 random bits: cannot be guessed from another one
        get_time=now,
        valid_from=valid_from,
        valid_until=valid_until,
    )
    session.add(record)
    session.flush()
    return record


def _why_refused(session: Session, account_id: int, coupon_id: int, today: date) -> ClaimRefused | NotFound:
    coupon = session.get(Coupon, coupon_id)
    if coupon is None or not coupon.is_public or not coupon.enabled:
        return NotFound()
    if _has(session, account_id, coupon_id):
        return ClaimRefused(coupon=coupon.name, reason=_("您已经领过一张。"))
    if claim_window_open(coupon.open_date, coupon.close_date, today):
        return ClaimRefused(coupon=coupon.name, reason=_("已经被领完。"))
    if today > coupon.close_date:
        return ClaimRefused(coupon=coupon.name, reason=_("领取已经结束。"))
    opens = coupon.open_date
    return ClaimRefused(
        coupon=coupon.name, reason=_("%(month)s%(day)s日开始领取。", month=Month(opens.month).label, day=opens.day)
    )


def _why_not_granted(session: Session, account_id: int, coupon_id: int) -> ClaimRefused | NotFound:
    coupon = session.get(Coupon, coupon_id)
    if coupon is None:
        return NotFound()
    if _has(session, account_id, coupon_id):
        return ClaimRefused(coupon=coupon.name, reason=_("这个账户已经有一张。"))
    return ClaimRefused(coupon=coupon.name, reason=_("已经被领完。") if coupon.enabled else _("已经停用。"))


def _refuse_a_second(account_id: int, coupon_id: int) -> None:
    """Say in words what the unique key (one per account and coupon) has just said; nothing stayed counted."""
    session = db.session()
    if _has(session, account_id, coupon_id):
        coupon = session.get_one(Coupon, coupon_id)
        raise ClaimRefused(coupon=coupon.name, reason=_("您已经领过一张。")) from None


def _has(session: Session, account_id: int, coupon_id: int) -> bool:
    mine = and_(CouponRecord.account_id == account_id, CouponRecord.coupon_id == coupon_id)
    return session.scalar(select(CouponRecord.id).where(mine)) is not None


# ---------------------------------------------------------------- the end of unused ones


def expire_due(now: datetime) -> dict[str, int]:
    """Mark unused coupons as 已过期 whose time is over, so many a run; no price counts them from then on anyway."""
    is_over = and_(CouponRecord.status == CouponStatus.UNUSED, CouponRecord.valid_until < now)
    expired = batches.change_due(CouponRecord, is_over, CouponRecord.valid_until, status=CouponStatus.EXPIRED)
    return {"expired": expired}


# ---------------------------------------------------------------- looking


def centre(account_id: int | None, now: datetime) -> tuple[CentreCoupon, ...]:
    """The public coupons that can be claimed now or later: claimable ones first, then by the day they close.

    One statement; it looks up one record per coupon, the reader's own, however many others there are.
    """
    today = clock.local_date(now)
    own = and_(CouponRecord.coupon_id == Coupon.id, CouponRecord.account_id == account_id)
    rows = db.session.execute(
        _tickets(CouponRecord.id, Coupon.quantity - Coupon.claimed - open_codes())
        .outerjoin(CouponRecord, own)
        .where(Coupon.is_public, Coupon.enabled, Coupon.close_date >= today)
        .order_by(Coupon.close_date, Coupon.id)
        .limit(MOST_SHOWN)
    )
    found = [
        _in_centre(coupon, _ticket(coupon, name, kind), record_id, max(0, left), today)
        for coupon, name, kind, record_id, left in rows
    ]
    order = list(ClaimState)
    return tuple(sorted(found, key=lambda coupon: order.index(coupon.state)))


def wallet(
    account_id: int, state: WalletState, now: datetime, in_cart: Mapping[int, int] | None = None
) -> tuple[OwnCoupon, ...]:
    """One drawer of the account's wallet, in one statement.

    ``in_cart`` has the list price in fen of what is ticked in the cart, by product. Usable ones come best first: what
    saves most on that, then what ends first; then those that wait for something. What is over comes newest first.
    """
    drawers = _drawers(now)
    orders = {
        WalletState.USABLE: CouponRecord.valid_until,
        WalletState.USED: CouponRecord.used_time.desc(),
        WalletState.EXPIRED: CouponRecord.valid_until.desc(),
    }
    rows = db.session.execute(
        _tickets(CouponRecord, Order.order_number, Order.status, Order.expires_at)
        .join(CouponRecord, CouponRecord.coupon_id == Coupon.id)
        .outerjoin(Order, Order.id == CouponRecord.order_id)
        .where(CouponRecord.account_id == account_id, drawers[state])
        .order_by(orders[state], CouponRecord.id)
        .limit(MOST_SHOWN)
    )
    found = [_own(row, state, now, in_cart or {}) for row in rows]
    return tuple(sorted(found, key=_best_first) if state is WalletState.USABLE else found)


def count_wallet(account_id: int, now: datetime) -> dict[WalletState, int]:
    """How many coupons each drawer has, in one statement."""
    drawers = _drawers(now)
    row = db.session.execute(
        select(*(func.count(case((where, 1))) for where in drawers.values()))
        .select_from(CouponRecord)
        .outerjoin(Order, Order.id == CouponRecord.order_id)
        .where(CouponRecord.account_id == account_id)
    ).one()
    return dict(zip(drawers, row, strict=True))


def _drawers(now: datetime) -> dict[WalletState, ColumnElement[bool]]:
    """What is where. A coupon that an unpaid order holds is not used yet: it comes back, or is used, with the order."""
    unused, used = CouponRecord.status == CouponStatus.UNUSED, CouponRecord.status == CouponStatus.USED
    is_held = and_(used, Order.status == OrderStatus.PENDING)
    return {
        WalletState.USABLE: or_(is_held, and_(unused, CouponRecord.valid_until >= now)),
        WalletState.USED: and_(used, not_(is_held)),
        WalletState.EXPIRED: or_(
            CouponRecord.status == CouponStatus.EXPIRED, and_(unused, CouponRecord.valid_until < now)
        ),
    }


def _own(row: Any, state: WalletState, now: datetime, in_cart: Mapping[int, int]) -> OwnCoupon:
    coupon, name, kind, record, order_number, order_status, expires_at = row
    amount_fen = sum(in_cart.values()) if coupon.product_id is None else in_cart.get(coupon.product_id, 0)
    missing_fen = max(0, coupon.minimum_consume_fen - amount_fen) if amount_fen else 0
    ticket = _ticket(coupon, name, kind)
    return OwnCoupon(
        ticket=ticket,
        state=state,
        valid_from=record.valid_from,
        valid_until=record.valid_until,
        is_open=record.valid_from <= now,
        order_number=order_number,
        held_until=expires_at if order_status is OrderStatus.PENDING else None,
        is_stopped=not coupon.enabled,
        missing_fen=missing_fen,
        saves_fen=0 if missing_fen else amount_fen - pricing.after_terms(amount_fen, ticket.terms),
    )


def _best_first(own: OwnCoupon) -> tuple[int, int, datetime]:
    if own.is_ready:
        return 0, -own.saves_fen, own.valid_until
    waits_for = 4 if own.is_stopped else 3 if own.held_until else 2 if not own.is_open else 1
    return waits_for, own.missing_fen, own.valid_until


def _tickets(*also: Any) -> Select[Any]:
    """Coupons with the name and the kind of the product they are bound to."""
    product = Product.__table__
    return (
        select(Coupon, product.c.name, product.c.kind, *also)
        .select_from(Coupon)
        .outerjoin(product, product.c.id == Coupon.product_id)
    )


def _ticket(coupon: Coupon, product_name: str | None, product_kind: ProductKind | None) -> Ticket:
    return Ticket(
        coupon_id=coupon.id,
        name=coupon.name,
        kind=coupon.coupon_type,
        face_fen=coupon.money_equivalent_fen,
        pay_percent=coupon.off_percent,
        minimum_fen=coupon.minimum_consume_fen,
        product_id=coupon.product_id,
        product_name=product_name,
        product_kind=product_kind,
        brief=coupon.brief or "",
    )


def _in_centre(coupon: Coupon, ticket: Ticket, record_id: int | None, left: int, today: date) -> CentreCoupon:
    return CentreCoupon(
        ticket=ticket,
        state=_claim_state(coupon, record_id, left, today),
        left=left,
        opens=clock.start_of_day(coupon.open_date),
        closes=clock.end_of_day(coupon.close_date),
        use_from=clock.start_of_day(coupon.valid_begin_date) if coupon.valid_begin_date else None,
        use_until=clock.end_of_day(coupon.valid_end_date) if coupon.valid_end_date else None,
        valid_days=coupon.coupon_valid_days,
    )


def _claim_state(coupon: Coupon, record_id: int | None, left: int, today: date) -> ClaimState:
    if record_id is not None:
        return ClaimState.CLAIMED
    if coupon.open_date > today:
        return ClaimState.LATER
    return ClaimState.CLAIMABLE if left else ClaimState.NONE_LEFT
