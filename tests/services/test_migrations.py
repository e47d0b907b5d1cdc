"""The schema goes up, down and up again on either database, and the models ask for nothing beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import check, downgrade, upgrade
from sqlalchemy.engine import make_url

from shop import create_app
from shop.config import Settings
from shop.extensions import db
from tests.audit import assert_audit_clean


@pytest.fixture
def empty(settings: Settings, tmp_path: Path) -> Iterator[Flask]:
    """A shop on a database without any table."""
    url = make_url(settings.database_url)
    if url.drivername.startswith("sqlite"):
        yield _shop(settings, f"sqlite:///{tmp_path / 'empty.sqlite3'}")
        return
    name = f"{url.database}_empty"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    yield _shop(settings, url.set(database=name).render_as_string(hide_password=False))
    with engine.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


def _shop(settings: Settings, url: str) -> Flask:
    return create_app(replace(settings, database_url=url))


def tables() -> set[str]:
    return set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}


def test_up_down_and_up_again_leaves_the_schema_of_the_models(empty: Flask) -> None:
    with empty.app_context():
        upgrade()
        assert tables() == set(db.metadata.tables)
        check()
        downgrade(revision="base")
        assert tables() == set()
        upgrade()
        check()
        db.engine.dispose()


def test_every_constraint_has_a_name_of_our_own(empty: Flask) -> None:
    unnamed = [
        f"{table.name}: {constraint}"
        for table in db.metadata.tables.values()
        for constraint in table.constraints
        if not constraint.name
    ]
    assert unnamed == []


# ---------------------------------------------------------------- a shop that has sold before


PLACED, PAID = datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)
FIRST, LAST = date(2026, 11, 1), date(2026, 12, 1)
COURSE, OTHER = 1, 2


def product(number: int) -> dict[str, list[dict[str, Any]]]:
    names = {"name": f"课程{number}", "brief": "", "kind": 0, "status": 0}
    course = {"id": number, "sub_category_id": 1, "course_type": 0, "level": 0, "period": 7, "order": 0}
    return {"product": [{"id": number, **names}], "course": [course]}


def coupon(number: int, product_id: int | None, status: int, order_id: int | None) -> dict[str, list[dict[str, Any]]]:
    """One coupon of 10.00 in the student's hands."""
    worth = {"coupon_type": 0, "money_equivalent_fen": 1_000, "minimum_consume_fen": 0, "product_id": product_id}
    claim = {"quantity": 1, "claimed": 1, "open_date": FIRST, "close_date": LAST, "date": PLACED}
    use = {"valid_begin_date": FIRST, "valid_end_date": LAST, "is_public": True, "enabled": True}
    window = {"get_time": PLACED, "valid_from": PLACED, "valid_until": datetime(2027, 1, 1, tzinfo=UTC)}
    held = {"status": status, "order_id": order_id, "used_time": PLACED if order_id else None}
    return {
        "coupon": [{"id": number, "name": f"券{number}", **worth, **claim, **use}],
        "coupon_record": [
            {"id": number, "coupon_id": number, "number": f"N{number}", "account_id": 1, **window, **held}
        ],
    }


def order(number: int, status: int, due_fen: int, **values: Any) -> dict[str, Any]:
    amounts = {"list_amount_fen": due_fen, "course_discount_fen": 0, "site_discount_fen": 0, "beli": 0, "beli_fen": 0}
    times = {"date": PLACED, "expires_at": PLACED, "pay_time": None, "cancel_time": None}
    names = {"order_number": f"O{number}", "settlement_token": f"T{number}", "account_id": 1, "payment_type": 1}
    row = {"id": number, "status": status, "actual_amount_fen": due_fen, "payment_number": None}
    return {**row, **amounts, **times, **names, **values}


def line(number: int, order_id: int, product_id: int, list_fen: int, **values: Any) -> dict[str, Any]:
    shares = {"site_discount_fen": 0, "beli": 0, "beli_fen": 0, "actual_amount_fen": list_fen}
    period = {"valid_period": 30, "valid_period_display": "1个月", "pending_account_id": None}
    row = {"id": number, "order_id": order_id, "product_id": product_id, "original_price_fen": list_fen}
    return {**row, "price_fen": list_fen, **shares, **period, **values}


def attempt(number: int, state: int, due_fen: int) -> dict[str, Any]:
    paid = {"trade_no": f"9{number}", "paid_time": PAID} if state == 1 else {"trade_no": None, "paid_time": None}
    row = {"id": number, "order_id": number, "out_trade_no": f"O{number}01", "method": 0, "amount_fen": due_fen}
    return {**row, "biz_content": {"a": 1}, "state": state, "created_time": PLACED, "expires_at": PAID, **paid}


ROLE = {"role": 0, "balance": 0, "session_epoch": 0, "is_active": True, "is_staff": False, "gender": 0}
TEXTS = dict.fromkeys(("name", "degree", "head_img", "signature", "brief"), "")
ACCOUNT = {"id": 1, "username": "luffy", "password": "x", "uid": "u", "date_joined": PLACED, **ROLE, **TEXTS}
ACCESS = {"account_id": 1, "enrolled_date": PAID, "valid_begin_date": FIRST, "valid_end_date": LAST, "status": 0}
BEFORE: list[dict[str, list[dict[str, Any]]]] = [
    {"account": [ACCOUNT]},
    {"course_category": [{"id": 1, "name": "编程", "order": 0}]},
    {"course_sub_category": [{"id": 1, "name": "Python", "category_id": 1}]},
    product(COURSE),
    product(OTHER),
    {
        "orders": [
            # paid, with a coupon of its first line and a site coupon that the other line had nothing of
            order(
                1,
                0,
                3_000,
                list_amount_fen=5_000,
                course_discount_fen=1_000,
                site_discount_fen=1_000,
                pay_time=PAID,
                payment_number="91",
            ),
            order(2, 1, 5_000),  # unpaid, with a site coupon that saves nothing and was chosen all the same
            order(3, 4, 4_000, list_amount_fen=5_000, course_discount_fen=1_000, cancel_time=PAID),  # let its coupon go
        ]
    },
    coupon(1, COURSE, 1, 1),
    coupon(2, None, 1, 1),
    coupon(3, None, 1, 2),
    coupon(4, COURSE, 0, None),
    {
        "order_detail": [
            line(1, 1, COURSE, 5_000, price_fen=4_000, site_discount_fen=1_000, actual_amount_fen=3_000),
            line(2, 1, OTHER, 0),
            line(3, 2, COURSE, 5_000, pending_account_id=1),
            line(4, 3, COURSE, 5_000, price_fen=4_000, actual_amount_fen=4_000),
        ],
        "payment": [attempt(1, 1, 3_000), attempt(2, 0, 5_000), attempt(3, 2, 4_000)],
        "enrolled_course": [
            {"id": 1, "course_id": COURSE, "order_detail_id": 1, **ACCESS},
            {"id": 2, "course_id": OTHER, "order_detail_id": 2, **ACCESS},
        ],
        "notification": [{"id": 1, "account_id": 1, "msg_type": 1, "content": "您好", "link": "", "date": PAID}],
    },
]


def rows_now() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that is there."""
    metadata = sa.MetaData()
    with db.engine.connect() as connection:
        metadata.reflect(connection)
        return {
            table.name: [
                dict(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
            ]
            for table in metadata.sorted_tables
            if table.name != "alembic_version"
        }


def sell_at_0001() -> None:
    metadata = sa.MetaData()
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection = connection.execution_options(sqlite_begin="IMMEDIATE")
        metadata.reflect(connection)
        for group in BEFORE:
            for name, rows in group.items():
                connection.execute(metadata.tables[name].insert(), rows)
        connection.commit()


def test_0002_keeps_the_rows_of_a_shop_that_has_sold_and_finds_the_coupons_of_its_lines(empty: Flask) -> None:
    with empty.app_context():
        upgrade(revision="0001")
        sell_at_0001()
        before = rows_now()
        upgrade()
        after = rows_now()
        for name, rows in before.items():
            kept = [{column: row[column] for column in rows[0]} for row in after[name]] if rows else []
            assert kept == rows, name
        named = [(row["coupon_record_id"], row["site_coupon_record_id"]) for row in after["order_detail"]]
        assert named == [(1, 2), (None, None), (None, 3), (None, None)]
        asked = [row["next_ask_time"] for row in after["payment"]]
        assert asked == [None, after["payment"][1]["created_time"], None]
        assert after["notification"][0]["facts"] == {}
        assert_audit_clean()

        downgrade(revision="0001")
        assert rows_now() == before
        upgrade()
        assert rows_now() == after
        check()
        db.session.remove()
        db.engine.dispose()
