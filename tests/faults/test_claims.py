"""F69, F70: crowds that claim coupons, in processes of their own; every call passes its checks before any writes."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from shop import clock
from shop.extensions import db, unit_of_work
from shop.models import Account, Coupon, CouponCode, CouponRecord
from shop.services import coupons
from tests.builders import a_coupon
from tests.faults.crowd import Crowd
from tests.purchases import saved

CROWD = 100


def claim(account_id: int, coupon_id: int) -> None:
    coupons.claim(account_id, coupon_id, clock.now())


def claim_by_code(account_id: int, code: str) -> None:
    coupons.claim_by_code(account_id, code, clock.now())


def people(count: int) -> list[int]:
    """Ids of so many accounts, made at once."""
    accounts = [Account(username=f"person{i}", uid=f"uid{i}", password="-") for i in range(count)]
    with unit_of_work() as session:
        session.add_all(accounts)
        session.flush()
        return [account.id for account in accounts]


def counts(coupon_id: int) -> tuple[int, int]:
    """(claims counted, records there are)"""
    db.session.rollback()
    claimed = db.session.scalars(select(Coupon.claimed).where(Coupon.id == coupon_id)).one()
    records = select(func.count()).select_from(CouponRecord).where(CouponRecord.coupon_id == coupon_id)
    return claimed, db.session.scalars(records).one()


@pytest.mark.parametrize("table", ["coupon", "coupon_record"])
def test_f69_of_100_people_exactly_one_gets_the_last_coupon(app: Flask, crowd: Crowd, table: str) -> None:
    coupon_id = a_coupon(quantity=5, claimed=4).id
    calls = [(account_id, coupon_id) for account_id in people(CROWD)]
    db.session.remove()
    assert crowd.outcomes(table, claim, calls) == {"done": 1, "ClaimRefused": CROWD - 1}
    assert counts(coupon_id) == (5, 1)


@pytest.mark.parametrize("table", ["coupon", "coupon_record"])
def test_f70_of_100_claims_by_one_person_exactly_one_counts(app: Flask, crowd: Crowd, table: str) -> None:
    (account_id,), coupon_id = people(1), a_coupon(quantity=1_000).id
    db.session.remove()
    assert crowd.outcomes(table, claim, [(account_id, coupon_id)] * CROWD) == {"done": 1, "ClaimRefused": CROWD - 1}
    assert counts(coupon_id) == (1, 1)


@pytest.mark.parametrize("table", ["coupon", "coupon_code"])
def test_of_100_people_with_one_code_exactly_one_gets_its_coupon(app: Flask, crowd: Crowd, table: str) -> None:
    coupon_id = a_coupon(is_public=False, quantity=1_000).id
    saved(CouponCode(code="ONLYONCE", coupon_id=coupon_id))
    calls = [(account_id, "ONLYONCE") for account_id in people(CROWD)]
    db.session.remove()
    assert crowd.outcomes(table, claim_by_code, calls) == {"done": 1, "CodeRefused": CROWD - 1}
    assert counts(coupon_id) == (1, 1)
