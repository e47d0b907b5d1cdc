"""结算中心: what a purchase costs and why, with the shop's own choice of coupons or the student's (design 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select

from shop import clock
from shop.enums import ProductKind, ValidPeriod, VisitStep, WhyNot
from shop.errors import NothingToSettle, SettlementGone, ShopError
from shop.extensions import db, redis, settings
from shop.gateways import cart_store, settlement_store
from shop.gateways.settlement_store import Pick, Settlement
from shop.models import Account
from shop.rules import coupons as coupon_rules
from shop.rules import pricing
from shop.rules.coupons import Reason
from shop.services import sale, visits
from shop.services.sale import Offer, WalletCoupon

ALL_BELI = 2**31 - 1  # "use all I can": the page cuts any wish to what account and amount allow

_account = Account.__table__.c
_BALANCE = select(_account.balance).where(_account.id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class CouponOption:
    """A coupon that this place could take, and what the choice would do."""

    record_id: int
    name: str
    terms: pricing.CouponTerms
    is_chosen: bool
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class SettlementLine:
    product_id: int
    name: str
    is_degree: bool
    period: ValidPeriod | None
    list_fen: int
    price_fen: int
    options: tuple[CouponOption, ...]
    problem: ShopError | None  # why it cannot be bought now


@dataclass(frozen=True, slots=True)
class Unused:
    """A coupon of the wallet that is not used, with its reason in numbers."""

    record_id: int
    name: str
    terms: pricing.CouponTerms
    reason: Reason


@dataclass(frozen=True, slots=True)
class Cheaper:
    """The cheapest choice, where the student's own one costs more than it."""

    less_fen: int  # what it costs less, before 贝里
    below_minimum: tuple[Unused, ...]  # coupons of it whose minimum the student's choice does not reach


@dataclass(frozen=True, slots=True)
class SettlementView:
    token: str
    expires_at: datetime
    lines: tuple[SettlementLine, ...]
    site_options: tuple[CouponOption, ...]
    unused: tuple[Unused, ...]
    cheaper: Cheaper | None
    quote: pricing.Quote
    balance: int  # 贝里 in the account
    is_choice_stale: bool  # a coupon of the stored choice no longer holds and is left out here

    @property
    def usable_beli(self) -> int:
        """The most 贝里 that can be used here: what the account has and what the amount takes."""
        return min(self.balance, self.quote.most_beli)

    @property
    def is_payable(self) -> bool:
        return not self.is_choice_stale and not any(line.problem for line in self.lines)


def create(account_id: int, owner: str, product_ids: Sequence[int]) -> Settlement:
    """Settle these products of the owner's cart, with the cheapest coupons chosen, in place of any earlier settlement.

    Raises NothingToSettle (1009), or the first reason why one of them cannot be bought.
    """
    in_cart = cart_store.read(owner)
    picks = tuple(Pick(product, in_cart[product].policy_id) for product in product_ids if product in in_cart)
    if not picks:
        raise NothingToSettle
    session = db.session()
    lines = sale.read(session, picks)
    for _, refusal in sale.refusals(session, account_id, lines):
        raise refusal
    now = clock.now()
    usable = [c.coupon for c in sale.wallet(session, account_id, now=now) if c.is_usable(now)]
    choice = pricing.choose([line.line for line in lines], usable)
    settlement = Settlement(picks, choice.line_coupons, choice.site_coupon)
    settlement_store.save(redis(), account_id, settlement)
    visits.note(VisitStep.SETTLEMENT, owner)
    return settlement


def change(
    account_id: int, *, line_coupons: Mapping[int, int], site_coupon: int | None, beli: int, is_cheapest: bool = False
) -> None:
    """Take the student's own choice, or the cheapest coupons again; 贝里 beyond what can be used are cut to that.

    A coupon that the wallet does not have, or that does not fit its place, is left out: the page then says what is
    chosen, and the checkout decides. Raises SettlementGone.
    """
    current = load(account_id)
    session = db.session()
    now = clock.now()
    lines = [offer.line for offer in sale.read(session, current.picks)]
    usable = {c.coupon.record_id: c.coupon for c in sale.wallet(session, account_id, now=now) if c.is_usable(now)}
    if is_cheapest:
        choice = pricing.choose(lines, usable.values())
    else:
        choice = _fitting(pricing.Choice(line_coupons, site_coupon), lines, usable)
    settlement_store.save(redis(), account_id, current.changed(choice.line_coupons, choice.site_coupon, beli))


def refresh(account_id: int) -> None:
    """Keep of the stored choice what still holds, as a new version that can be paid. Raises SettlementGone."""
    current = load(account_id)
    change(account_id, line_coupons=current.line_coupons, site_coupon=current.site_coupon, beli=current.beli)


def current(account_id: int, token: str) -> Settlement | None:
    """The settlement that a page showed, if it is still the account's."""
    stored = settlement_store.load(redis(), account_id)
    return stored if stored and stored.token == token else None


def clear(account_id: int, placed: Settlement) -> None:
    """Forget a settlement that has become an order, unless a newer one has taken its place. Raises RedisError."""
    settlement_store.clear(redis(), account_id, placed.token)


def load(account_id: int) -> Settlement:
    """The account's settlement. Raises SettlementGone (1008)."""
    settlement = settlement_store.load(redis(), account_id)
    if settlement is None:
        raise SettlementGone
    return settlement


def view(account_id: int) -> SettlementView:
    """The settlement priced anew from the database. Raises SettlementGone."""
    settlement = load(account_id)
    session = db.session()
    now = clock.now()
    balance = session.scalars(_BALANCE, {"id": account_id}).one()
    lines = sale.read(session, settlement.picks)
    problems: dict[int, ShopError] = {}
    for product_id, refusal in sale.refusals(session, account_id, lines):
        problems.setdefault(product_id, refusal)
    wallet = sale.wallet(session, account_id, now=now)
    usable = {c.coupon.record_id: c.coupon for c in wallet if c.is_usable(now)}
    choice, is_stale = _still_legal(settlement, [line.line for line in lines], usable)
    quote = _quote(lines, usable, choice, settlement.beli, balance)
    unused = _unused(lines, wallet, choice, now)
    return SettlementView(
        token=settlement.token,
        expires_at=settlement.expires_at,
        lines=_lines(lines, quote, usable, choice, problems),
        site_options=_options(usable, None, choice) if quote.subtotal_fen else (),
        unused=unused,
        cheaper=_cheaper([line.line for line in lines], usable, quote, unused),
        quote=quote,
        balance=balance,
        is_choice_stale=is_stale,
    )


def _still_legal(
    settlement: Settlement, lines: Sequence[pricing.Line], usable: Mapping[int, pricing.Coupon]
) -> tuple[pricing.Choice, bool]:
    """The stored choice as far as it holds today, and whether something had to be left out."""
    stored = pricing.Choice(settlement.line_coupons, settlement.site_coupon)
    fitting = _fitting(stored, lines, usable)
    return fitting, fitting != stored


def _fitting(
    choice: pricing.Choice, lines: Sequence[pricing.Line], usable: Mapping[int, pricing.Coupon]
) -> pricing.Choice:
    """The part of a choice that is legal: right product, right place, something to pay there (A21), minimum reached."""
    bound = {}
    prices = {line.product_id: line.list_fen for line in lines}
    for product_id, record_id in choice.line_coupons.items():
        coupon = usable.get(record_id)
        if coupon is None or coupon.product_id != product_id or not prices.get(product_id):
            continue
        if pricing.reaches_minimum(prices[product_id], coupon.terms):
            bound[product_id] = record_id
            prices[product_id] = pricing.after_coupon(prices[product_id], coupon)
    site = usable.get(choice.site_coupon) if choice.site_coupon is not None else None
    sum_fen = sum(prices.values())
    fits = site and site.product_id is None and sum_fen and pricing.reaches_minimum(sum_fen, site.terms)
    return pricing.Choice(bound, site.record_id if site and fits else None)


def _quote(
    lines: Sequence[Offer], usable: Mapping[int, pricing.Coupon], choice: pricing.Choice, beli: int, balance: int
) -> pricing.Quote:
    """The quote with as many of the wished 贝里 as can be used."""
    rate = settings().beli_per_yuan
    rule_lines = [line.line for line in lines]
    bare = pricing.price(rule_lines, usable, choice, beli=0, beli_per_yuan=rate)
    beli = min(beli, balance, bare.most_beli)
    return pricing.price(rule_lines, usable, choice, beli=beli, beli_per_yuan=rate) if beli else bare


def _lines(
    lines: Sequence[Offer],
    quote: pricing.Quote,
    usable: Mapping[int, pricing.Coupon],
    choice: pricing.Choice,
    problems: Mapping[int, ShopError],
) -> tuple[SettlementLine, ...]:
    return tuple(
        SettlementLine(
            product_id=line.product_id,
            name=line.name,
            is_degree=line.kind is ProductKind.DEGREE,
            period=line.period,
            list_fen=priced.list_fen,
            price_fen=priced.price_fen,
            options=_options(usable, line.product_id, choice) if priced.list_fen else (),
            problem=problems.get(line.product_id),
        )
        for line, priced in zip(lines, quote.lines, strict=True)
    )


def _options(
    usable: Mapping[int, pricing.Coupon], product_id: int | None, choice: pricing.Choice
) -> tuple[CouponOption, ...]:
    return tuple(
        CouponOption(
            record_id=record_id,
            name=coupon.name,
            terms=coupon.terms,
            is_chosen=record_id in choice.record_ids,
            valid_until=coupon.valid_until,
        )
        for record_id, coupon in sorted(usable.items())
        if coupon.product_id == product_id
    )


def _unused(
    lines: Sequence[Offer], wallet: Sequence[WalletCoupon], choice: pricing.Choice, now: datetime
) -> tuple[Unused, ...]:
    coupons = {c.coupon.record_id: c.coupon for c in wallet}
    held = {c.coupon.record_id: c.held_by for c in wallet if c.held_by}
    reasons = coupon_rules.why_not(
        [line.line for line in lines], coupons.values(), choice, now=now, local_date=clock.local_date, held=held
    )
    return tuple(
        Unused(record_id, coupons[record_id].name, coupons[record_id].terms, reason)
        for record_id, reason in reasons.items()
    )


def _cheaper(
    lines: Sequence[pricing.Line],
    usable: Mapping[int, pricing.Coupon],
    quote: pricing.Quote,
    unused: Sequence[Unused],
) -> Cheaper | None:
    """What the cheapest choice would spare, and which of its coupons the present one is too small for."""
    best = pricing.choose(lines, usable.values())
    lowest_fen = pricing.price(lines, usable, best, beli=0, beli_per_yuan=1).after_coupons_fen
    if lowest_fen >= quote.after_coupons_fen:
        return None
    small = (c for c in unused if c.record_id in best.record_ids and c.reason.kind is WhyNot.BELOW_MINIMUM)
    return Cheaper(quote.after_coupons_fen - lowest_fen, tuple(small))
