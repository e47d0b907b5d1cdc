"""Who buys in the benchmark: accounts with 贝里 and two coupons, logged in, with three plans in the cart."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask
from flask_wtf.csrf import generate_csrf
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from bench.load import Browser
from shop import clock
from shop.enums import CouponKind, CourseType, ProductStatus, TransactionType, ValidPeriod
from shop.extensions import db, unit_of_work
from shop.gateways import cart_store
from shop.gateways.cart_store import StoredLine
from shop.models import Account, Coupon, CouponRecord, Course, PricePolicy, TransactionRecord
from shop.services import cart, passwords
from shop.web.sessions import USER, Record, RedisSessions, new_sid

LINES = 3
BELI = 50
PASSWORD = "a long enough passphrase"


@dataclass(frozen=True)
class Shelf:
    """What everybody buys: product ids with one plan each, and two coupons that all have."""

    plans: tuple[tuple[int, int], ...]  # product, policy
    coupons: tuple[int, int]  # bound to the first product; for the whole shop

    @property
    def products(self) -> tuple[int, ...]:
        return tuple(product for product, _ in self.plans)


@dataclass
class Buyer:
    account_id: int
    username: str
    browser: Browser
    csrf_token: str = ""


def a_shelf(app: Flask) -> Shelf:
    """Three courses of the demo, and coupons for them."""
    with app.app_context(), unit_of_work() as session:
        rows = session.execute(
            select(Course.id, PricePolicy.id)
            .join(PricePolicy, PricePolicy.product_id == Course.id)
            .where(
                Course.status == ProductStatus.ON_SALE,
                Course.course_type == CourseType.PAID,
                PricePolicy.valid_period == ValidPeriod.YEAR,
                PricePolicy.price_fen > 10_000,
            )
            .order_by(Course.id)
            .limit(LINES)
        ).all()
        plans = tuple((product_id, policy_id) for product_id, policy_id in rows)
        bound = _coupon(session, "课程立减", CouponKind.FLAT, plans[0][0])
        site = _coupon(session, "全站满减", CouponKind.THRESHOLD, None)
        return Shelf(plans, (bound, site))


def _coupon(session: Session, name: str, kind: CouponKind, product_id: int | None) -> int:
    today = clock.local_date(clock.now())
    coupon = Coupon(
        name=f"测量用的{name}",
        coupon_type=kind,
        money_equivalent_fen=2_000,
        minimum_consume_fen=10_000 if kind is CouponKind.THRESHOLD else 0,
        product_id=product_id,
        quantity=10_000_000,
        open_date=today,
        close_date=today + timedelta(days=30),
        valid_begin_date=today,
        valid_end_date=today + timedelta(days=30),
        is_public=False,  # the catalogue looks as it does in the demo
    )
    session.add(coupon)
    session.flush()
    return coupon.id


def buyers(app: Flask, port: int, shelf: Shelf, count: int) -> list[Buyer]:
    """New accounts with both coupons and 贝里, not logged in. Written in bulk, as the rules of the shop would."""
    prefix = "b" + secrets.token_hex(5)
    stored = passwords.make_hash(PASSWORD)
    with app.app_context(), unit_of_work() as session:
        names = [f"{prefix}_{number}" for number in range(count)]
        ids = session.scalars(
            insert(Account).returning(Account.id, sort_by_parameter_order=True),
            [
                {"username": name, "email": f"{name}@example.com", "password": stored, "uid": name, "balance": BELI}
                for name in names
            ],
        ).all()
        _give(session, shelf, ids)
    return [Buyer(account_id, name, Browser(port)) for account_id, name in zip(ids, names, strict=True)]


def _give(session: Session, shelf: Shelf, ids: Sequence[int]) -> None:
    now = clock.now()
    session.execute(
        insert(TransactionRecord),
        [
            {
                "account_id": account_id,
                "transaction_type": TransactionType.INCOME,
                "amount": BELI,
                "balance_after": BELI,
                "transaction_number": secrets.token_hex(16),
            }
            for account_id in ids
        ],
    )
    session.execute(
        insert(CouponRecord),
        [
            {
                "coupon_id": coupon_id,
                "number": secrets.token_hex(16),
                "account_id": account_id,
                "valid_from": now - timedelta(hours=1),
                "valid_until": now + timedelta(days=20),
            }
            for account_id in ids
            for coupon_id in shelf.coupons
        ],
    )
    for coupon_id in shelf.coupons:
        session.get_one(Coupon, coupon_id).claimed += len(ids)


def log_in(app: Flask, people: Sequence[Buyer], more: Mapping[str, object] | None = None) -> None:
    """Give each a session as a log-in leaves it, without the work of hashing; ``more`` is what else it holds."""
    sessions = app.session_interface
    assert isinstance(sessions, RedisSessions)
    name = sessions.get_cookie_name(app)
    for buyer in people:
        sid = new_sid()
        sessions._store.save(sid, Record({USER: f"{buyer.account_id}.0", **(more or {})}))
        buyer.browser.cookies = {name: sessions._signer.sign(sid).decode()}
        with app.test_request_context(headers={"Cookie": f"{name}={buyer.browser.cookies[name]}"}):
            buyer.csrf_token = generate_csrf()


def fill_carts(app: Flask, people: Sequence[Buyer], shelf: Shelf) -> None:
    """The shelf's plans in each cart."""
    with app.app_context():
        for product_id, policy_id in shelf.plans:
            offer, plan = cart._offer_of(product_id, policy_id)
            line = StoredLine(policy_id, plan.price_fen, offer.name, int(clock.now().timestamp()))
            for buyer in people:
                cart_store.put(f"a{buyer.account_id}", product_id, line, limit=cart.LIMIT)
        db.session.remove()
