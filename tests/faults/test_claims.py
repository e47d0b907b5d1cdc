"""F69, F70: crowds that claim coupons, in processes of their own; every call passes its checks before any writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import Executable, func, insert, select, update

from shop import clock
from shop.extensions import db, unit_of_work
from shop.models import Account, Coupon, CouponCode, CouponRecord
from shop.services import coupons
from tests.builders import a_coupon
from tests.faults.barrier import beside_the_shop
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


# ---------------------------------------------------------------- codes, while a claim waits for the coupon's row


@contextmanager
def somebody_else_has(coupon_id: int, *then: Executable) -> Iterator[None]:
    """Another transaction holds the coupon's row, does something about its codes, and commits after the block."""
    with beside_the_shop() as connection:
        if connection.dialect.name == "sqlite":
            connection.rollback()
            connection = connection.execution_options(sqlite_begin="IMMEDIATE")
        connection.execute(select(Coupon.id).where(Coupon.id == coupon_id).with_for_update())
        for statement in then:
            connection.execute(statement)
        yield
        connection.commit()


def test_a_code_made_while_claims_wait_for_the_row_keeps_its_coupon(app: Flask, crowd: Crowd) -> None:
    coupon_id = a_coupon(quantity=2, claimed=1).id
    made = insert(CouponCode).values(code="PROMISED", coupon_id=coupon_id, created_time=clock.now())
    calls = [(account_id, coupon_id) for account_id in people(4)]
    db.session.remove()
    outcomes = crowd.outcomes_behind(somebody_else_has(coupon_id, made), claim, calls, waiting=4)
    assert outcomes == {"ClaimRefused": 4}
    assert counts(coupon_id) == (1, 0)


def test_a_code_used_while_claims_wait_for_the_row_is_no_promise_any_more(app: Flask, crowd: Crowd) -> None:
    coupon_id, now = a_coupon(quantity=2).id, clock.now()
    code = saved(CouponCode(code="USEDUP", coupon_id=coupon_id)).id
    user, *others = people(5)
    values = {"id": 900, "number": "n", "get_time": now, "valid_from": now, "valid_until": now, "status": 0}
    used = (
        insert(CouponRecord).values(coupon_id=coupon_id, account_id=user, **values),
        update(CouponCode).where(CouponCode.id == code).values(record_id=900),
        update(Coupon).where(Coupon.id == coupon_id).values(claimed=1),
    )
    calls = [(account_id, coupon_id) for account_id in others]
    db.session.remove()
    outcomes = crowd.outcomes_behind(somebody_else_has(coupon_id, *used), claim, calls, waiting=4)
    assert outcomes == {"done": 1, "ClaimRefused": 3}
    assert counts(coupon_id) == (2, 2)
