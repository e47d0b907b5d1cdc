"""The schema goes up, down and up again on either database, and the models ask for nothing beyond it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
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


def assert_kept(before: dict[str, list[dict[str, Any]]], after: dict[str, list[dict[str, Any]]], *but: str) -> None:
    """Every row that was there still is, with the values it had in the columns it had, tables in ``but`` aside."""
    for name, rows in before.items():
        if name not in but:
            kept = [{column: row[column] for column in rows[0]} for row in after[name]] if rows else []
            assert kept == rows, name


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


def promises() -> dict[str, list[str]]:
    """What the database itself holds of each table: checks, unique and foreign keys, indexes, as it words them."""
    inspector = sa.inspect(db.engine)

    def says(table: str) -> Iterator[str]:
        for check_ in inspector.get_check_constraints(table):
            yield f"check {check_['name']}: {_words(check_['sqltext'])}"
        for unique in inspector.get_unique_constraints(table):
            yield f"unique {unique['name']}: {unique['column_names']}"
        for key in inspector.get_foreign_keys(table):
            places = key["constrained_columns"], key["referred_table"], key["referred_columns"], key["options"]
            yield f"key {key['name']}: {places}"
        for index in inspector.get_indexes(table):
            where = index.get("dialect_options", {}).get(f"{db.engine.dialect.name}_where", "")
            yield f"index {index['name']}: {index['column_names']} {bool(index['unique'])} {_words(str(where))}"

    return {table: sorted(says(table)) for table in inspector.get_table_names() if table != "alembic_version"}


def _words(condition: str) -> str:
    """A condition without the quotes and blanks in which two ways of writing it down may differ."""
    return " ".join(condition.replace('"', "").split())


def test_a_migrated_database_promises_what_the_models_promise(empty: Flask) -> None:
    """``check`` compares tables and columns, but knows nothing of checks nor of the conditions of indexes."""
    with empty.app_context():
        upgrade()
        migrated = promises()
        downgrade(revision="base")
        db.create_all()
        modelled = promises()
        assert migrated.keys() == modelled.keys()
        for table, said in modelled.items():
            assert migrated[table] == said, table
        assert sum("check " in said for table in modelled.values() for said in table) > 60
        db.drop_all()
        db.engine.dispose()


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
    """Every row of every table that is there, without the columns that tell when it was upgraded."""
    metadata = sa.MetaData()
    with db.engine.connect() as connection:
        metadata.reflect(connection)
        return {
            table.name: [
                # the hour of the upgrade itself, which is another one after every upgrade
                {name: value for name, value in row.items() if (table.name, name) != ("product", "published_time")}
                for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
            ]
            for table in metadata.sorted_tables
            if table.name != "alembic_version"
        }


def sell_at_0001() -> None:
    insert(BEFORE)


def insert(groups: list[dict[str, list[dict[str, Any]]]]) -> None:
    """Into the tables as they are now; a group only refers to those before it."""
    metadata = sa.MetaData()
    with writing() as connection:
        metadata.reflect(connection)
        for group in groups:
            for name, rows in group.items():
                named = {column for row in rows for column in row}
                connection.execute(metadata.tables[name].insert(), [dict.fromkeys(named) | row for row in rows])


@contextmanager
def writing() -> Iterator[sa.Connection]:
    with db.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection = connection.execution_options(sqlite_begin="IMMEDIATE")
        yield connection
        connection.commit()


def test_0002_keeps_the_rows_of_a_shop_that_has_sold_and_finds_the_coupons_of_its_lines(empty: Flask) -> None:
    with empty.app_context():
        upgrade(revision="0001")
        sell_at_0001()
        before = rows_now()
        upgrade()
        after = rows_now()
        assert_kept(before, after)
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


# ---------------------------------------------------------------- a shop whose students are under way


DEGREE, MODULE, LOCKED = 11, 12, 13
STUDENT, MENTOR = 1, 2
OPENED = date(2026, 11, 2)
OF_NOTHING = {"out_request_no": "R1", "cause": 0, "amount_fen": 0, "beli": 0, "tries": 0} | dict.fromkeys(
    ("reason", "decision", "error"), ""
)
FORM = {
    **dict.fromkeys(("why_take_this_course", "why_choose_us", "your_expectation"), "想学"),
    "current_company": "草帽海贼团",
    "current_position": "船长",
    "stu_specified_mentor": "沈舟",
    "memo": None,
}
NO_MONEY = {"actual_amount_fen": 0, "list_amount_fen": 0}


def a_module(number: int, order: int) -> dict[str, list[dict[str, Any]]]:
    rows = product(number)
    rows["course"][0] |= {"course_type": 2, "degree_course_id": DEGREE, "order": order}
    return rows


def homework(number: int, chapter_id: int, order: int, days: int, *, enabled: bool = True) -> dict[str, Any]:
    row = {"id": number, "chapter_id": chapter_id, "title": f"作业{number}", "order": order, "homework_type": 0}
    worth = {"requirement": "", "threshold": "", "recommend_period": days, "scholarship_value": 100}
    return {**row, **worth, "note": None, "enabled": enabled}


def enrolment(number: int, detail: int, **values: Any) -> dict[str, Any]:
    dates = {"enrolled_date": PAID, "valid_begin_date": None, "valid_end_date": None, "closed_time": None}
    names = {"account_id": STUDENT, "degree_course_id": DEGREE, "order_detail_id": detail}
    return {"id": number, **names, **dates, "study_status": 4, "mentor_id": None, "mentor_fee_balance": 0, **values}


def a_question(number: int, **about: int | None) -> dict[str, Any]:
    row = {"id": number, "account_id": STUDENT, "title": "问", "content": "为什么？", "status": 0, "date": PAID}
    return {**row, "degree_course_id": None, "course_section_id": None, **about}


UNDER_WAY: list[dict[str, list[dict[str, Any]]]] = [
    {"account": [ACCOUNT, {**ACCOUNT, "id": MENTOR, "username": "zoro", "uid": "u2", "role": 1}]},
    {"course_category": [{"id": 1, "name": "编程", "order": 0}]},
    {"course_sub_category": [{"id": 1, "name": "Python", "category_id": 1}]},
    {
        "product": [{"id": DEGREE, "name": "学位", "brief": "", "kind": 1, "status": 0}],
        "degree_course": [
            {"id": DEGREE, "total_scholarship": 0, "mentor_compensation_bonus": 0, "period": 100, "prerequisite": ""}
        ],
    },
    a_module(MODULE, 1),
    a_module(LOCKED, 2),
    {
        # the second chapter was written first
        "course_chapter": [
            {"id": 1, "course_id": MODULE, "chapter": 2, "name": "二", "summary": ""},
            {"id": 2, "course_id": MODULE, "chapter": 1, "name": "一", "summary": ""},
            {"id": 3, "course_id": LOCKED, "chapter": 1, "name": "一", "summary": ""},
        ],
        "homework": [
            homework(1, 1, 1, 7),
            homework(2, 2, 2, 5),
            homework(3, 2, 1, 3),
            homework(4, 2, 3, 100, enabled=False),
            homework(5, 3, 1, 7),
        ],
        "course_section": [
            {"id": 1, "chapter_id": 2, "name": "课", "order": 1, "section_type": 0, "free_trail": False, "content": ""}
        ],
        "orders": [
            order(1, 3, 0, pay_time=PAID, payment_type=2, **NO_MONEY),  # refunded
            order(2, 0, 0, pay_time=PAID, payment_type=2, **NO_MONEY),
        ],
        "order_detail": [line(1, 1, DEGREE, 0), line(2, 2, DEGREE, 0)],
        "refund": [
            {"id": 1, "order_id": 1, "state": 3, "requested_time": PAID, "done_time": PAID, **OF_NOTHING},
        ],
        "refund_detail": [{"id": 1, "refund_id": 1, "order_detail_id": 1, "amount_fen": 0, "beli": 0}],
        "enrolled_degree_course": [
            enrolment(1, 1, closed_time=PAID),  # bought before, and given back
            enrolment(
                2, 2, study_status=0, valid_begin_date=OPENED, valid_end_date=date(2028, 11, 2), mentor_id=MENTOR
            ),
        ],
        "study_record": [
            {"id": 1, "enrolled_degree_course_id": 1, "course_module_id": MODULE, "status": 1},
            {"id": 2, "enrolled_degree_course_id": 1, "course_module_id": LOCKED, "status": 1},
            {"id": 3, "enrolled_degree_course_id": 2, "course_module_id": MODULE, "status": 2, "open_date": OPENED},
            {"id": 4, "enrolled_degree_course_id": 2, "course_module_id": LOCKED, "status": 1},
        ],
        "degree_registration_form": [
            {
                "id": 1,
                "enrolled_degree_id": 2,
                "current_salary": 73_519,
                "work_experience": 2,
                "study_plan": 1,
                "open_module": True,
                "filed_time": PAID,
                **FORM,
            }
        ],
        "question": [
            a_question(1, degree_course_id=DEGREE),
            a_question(2, course_section_id=1),
        ],
    },
    {"score_rule": [{"id": 1, "rule": 0, "score_type": 1, "score": 20, "memo": "迟交"}]},
]


def test_0003_keeps_a_degree_under_way_plans_its_open_module_and_forgets_its_salary(empty: Flask) -> None:
    with empty.app_context():
        upgrade(revision="0002")
        insert(UNDER_WAY)
        before = rows_now()
        upgrade()
        after = rows_now()
        assert_kept(before, after, "degree_registration_form", "course_schedule")

        # by chapter and order: 3 days, then 5, then 7; the disabled one and the locked module have no date
        assert [
            (row["study_record_id"], row["homework_id"], row["recommend_date"]) for row in after["course_schedule"]
        ] == [
            (3, 3, OPENED + timedelta(days=3)),
            (3, 2, OPENED + timedelta(days=8)),
            (3, 1, OPENED + timedelta(days=15)),
        ]
        [form] = after["degree_registration_form"]
        assert form["current_salary"] is None
        assert (form["salary_consent_time"], form["filings"], form["reopened_time"]) == (None, 1, None)
        assert {name: form[name] for name in before["degree_registration_form"][0]} == {
            **before["degree_registration_form"][0],
            "current_salary": None,
        }
        assert [row["enrolled_degree_course_id"] for row in after["question"]] == [2, None]
        assert [(row["version"], row["score"]) for row in after["score_rule"]] == [(1, 20)]
        assert [(row["reward_balance"], row["ended_time"]) for row in after["enrolled_degree_course"]] == [
            (0, None)
        ] * 2
        assert [(row["enrolled_degree_course_id"], row["mentor_id"]) for row in after["mentor_assignment"]] == [
            (2, MENTOR)
        ]
        assert_audit_clean()
        check()

        downgrade(revision="0002")
        forgotten = {"degree_registration_form": [{**before["degree_registration_form"][0], "current_salary": None}]}
        planned = {"course_schedule": after["course_schedule"]}
        assert rows_now() == before | forgotten | planned
        upgrade()
        again = rows_now()
        assert again["course_schedule"] == after["course_schedule"], "what is planned is not planned twice"
        assert_kept(before, again, "degree_registration_form", "course_schedule")
        assert_audit_clean()
        check()
        db.session.remove()
        db.engine.dispose()


EARNED = [  # rule 2 (a mark) for the student, rule 6 (the fee) and a penalty of it for the mentor
    (1, STUDENT, 90, 90, False),
    (2, MENTOR, 1500, 1500, False),
    (3, MENTOR, -50, 1450, True),
]


def test_what_was_earned_stays_booked_when_a_shop_goes_back_to_0002_and_comes_again(empty: Flask) -> None:
    """A deployment that is taken back and repeated must not fail on the rows that the new one has written."""
    records = [
        {
            "id": number,
            "score_rule_id": number,
            "purse": int(account == MENTOR),
            "account_id": account,
            "enrolled_degree_course_id": 2,
            "event": f"e{number}",
            "facts": {"a": 1},
            "score": score,
            "balance": balance,
            "applied": applied,
            "applied_date": PAID if applied else None,
            "received_score": 0,
            "date": PAID,
        }
        for number, account, score, balance, applied in EARNED
    ]
    kinds = [(2, 0), (6, 2), (1, 1)]
    rules = [
        {"id": number, "rule": rule, "score_type": kind, "version": 1, "score": 0, "date": PAID}
        for number, (rule, kind) in enumerate(kinds, 1)
    ]
    rules.append({**rules[2], "id": 4, "version": 2, "score": 50})
    records[2]["score_rule_id"] = 4
    request = {
        "account_id": MENTOR,
        "amount": 3,
        "amount_fen": 300,
        "requested_time": PAID,
        "payee_account": "a@b",
        "payee_name": "沈舟",
    }
    paid = {
        "handler_id": 3,
        "payer_id": 4,
        "decided_time": PAID,
        "paid_time": PAID,
        "payment_number": "1",
        "decision": "",
    }
    open_ = dict.fromkeys(paid) | {"decision": ""}
    staff = [{**ACCOUNT, "id": number, "username": f"s{number}", "uid": f"s{number}"} for number in (3, 4)]
    with empty.app_context():
        upgrade(revision="0002")
        insert(UNDER_WAY[:-1])
        upgrade()
        insert(
            [
                {"account": staff},
                {"score_rule": rules},
                {"score_record": records},
                {
                    "withdrawal": [
                        {"id": 1, "state": 1, **request, **paid},
                        {"id": 2, "state": 0, **request, **open_},
                        {"id": 3, "state": 3, **request, **open_, "handler_id": 3, "decided_time": PAID},
                    ]
                },
            ]
        )
        with writing() as connection:
            purses = "mentor_fee_balance = 1450, reward_balance = 90"
            connection.execute(sa.text(f"UPDATE enrolled_degree_course SET {purses} WHERE id = 2"))  # noqa: S608
        downgrade(revision="0002")
        kept = rows_now()
        assert [(row["id"], row["score_rule_id"]) for row in kept["score_record"]] == [(1, 1), (2, 2), (3, 3)]
        upgrade()
        again = rows_now()
        assert [(row["purse"], row["score"], row["balance"]) for row in again["score_record"]] == [
            (0, 90, 90),
            (1, 1500, 1500),
            (1, -50, 1450),
        ]
        assert len({row["event"] for row in again["score_record"]}) == 3
        assert [(row["mentor_fee_balance"], row["reward_balance"]) for row in again["enrolled_degree_course"]] == [
            (0, 0),
            (1450, 90),
        ]
        assert [(row["state"], row["amount_fen"], row["paid_time"] is None) for row in again["withdrawal"]] == [
            (1, 300, False),
            (0, 300, True),
            (0, 300, True),
        ]
        check()
        db.session.remove()
        db.engine.dispose()


def test_transfers_and_withdrawn_gifts_do_not_stop_a_shop_from_going_back_to_0004(empty: Flask) -> None:
    """A transfer stays a refund that is done; a gift that was taken back was not given."""
    refund = {"reason": "", "requested_time": PAID, "decision": "", "error": "", "beli": 0, "tries": 1, "cause": 1}
    done = {"payment_id": 3, "amount_fen": 4_000, "state": 3, "done_time": PAID, "transfer_number": "B1"}
    gift = {"kind": 0, "beli": 5, "account_id": 1, "reason": "so", "proposer_id": 3, "proposed_time": PAID}
    withdrawn = {"id": 1, "state": 3, "decision": "wrong", "decided_time": PAID, **gift}
    staff = [{**ACCOUNT, "id": number, "username": f"s{number}", "uid": f"s{number}"} for number in (3, 4)]
    with empty.app_context():
        upgrade(revision="0001")
        sell_at_0001()
        upgrade()
        insert(
            [
                {"account": staff},
                {
                    "refund": [
                        {"id": 1, "order_id": 3, "out_request_no": "RLATE", "transfer_by_id": 3, **refund, **done}
                    ]
                },
                {"gift": [withdrawn, {"id": 2, "state": 0, "decision": "", **gift}]},
            ]
        )
        before = rows_now()
        downgrade(revision="0004")
        kept = rows_now()
        assert [row["state"] for row in kept["gift"]] == [2, 0]
        assert [(row["state"], "transfer_number" in row) for row in kept["refund"]] == [(3, False)]
        upgrade()
        assert_kept(kept, rows_now())
        assert set(rows_now()["refund"][0]) == set(before["refund"][0])
        check()
        db.session.remove()
        db.engine.dispose()
