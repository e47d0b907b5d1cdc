"""What was done is told in words: every action that the shop's code can log has them, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from shop.models import AuditLog
from shop.services.staff import catalogue_words
from shop.web.audit_changes import FIELDS, changes
from shop.web.audit_words import SUBJECTS, VERBS

ACTION = re.compile(r'"({}) ([a-z]+(?: [a-z]+)?)"'.format("|".join(SUBJECTS)))
SERVICES = Path(__file__).parents[2] / "shop" / "services"
OF_LOG_LINES = {"ended", "filed", "asked", "done", "failed", "deleted", "records", "schedules"}  # not of the audit log


def test_every_action_is_told_in_words() -> None:
    found = {match[2] for file in SERVICES.rglob("*.py") for match in ACTION.finditer(file.read_text())}
    assert len(found) > 20
    assert found - OF_LOG_LINES <= VERBS.keys()


def logged(table: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    row = AuditLog(subject_table=table, before=before, after=after)
    return [(change.name, change.before, change.after) for change in changes(row)]


@pytest.mark.parametrize(
    ("table", "before", "after", "shown"),
    [
        ("refund", {"state": 0}, {"state": 1}, [("状态", "待审核", "已同意")]),
        ("refund", {"state": 99}, {"state": True}, [("状态", "99", "是")]),
        ("price_policy", {"price_fen": 49_800}, {"price_fen": 50_000}, [("价格（元）", "498.00", "500.00")]),
        ("coupon", None, {"kind": "FLAT", "face_fen": 5}, [("种类", "", "立减券"), ("减多少（元）", "", "0.05")]),
        ("coupon", {"price_fen": "x"}, {"brief": None}, [("简介", "", "（空）"), ("价格（元）", "x", "")]),
        ("account", {"roles": []}, {"roles": ["FINANCE", "GONE"]}, [("角色", "（空）", "财务、GONE")]),
        ("orders", None, {"of an older version": {"a": [1]}}, [("of an older version", "", '{"a": [1]}')]),
        ("orders", None, None, []),
    ],
)
def test_what_changed_is_told_in_words_as_far_as_there_are_any(
    app: Flask,
    table: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    shown: list[tuple[str, str, str]],
) -> None:
    with app.test_request_context():
        assert logged(table, before, after) == shown


def test_every_field_that_is_logged_outright_has_a_name() -> None:
    outright = re.compile(r'(?:before|after)=\{("[^}]*)\}')
    found = {
        name
        for file in SERVICES.rglob("*.py")
        for match in outright.finditer(file.read_text())
        for name in re.findall(r'"([a-z_]+)":', match[1])
    }
    assert len(found) > 10
    assert found <= FIELDS.keys() | catalogue_words.COLUMNS.keys()
