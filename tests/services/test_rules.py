"""积分规则: versions, and the command that makes them."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.enums import Rule, ScoreType
from shop.extensions import db
from shop.models import AuditLog, ScoreRule
from shop.rules.rewards import FIRST_SCORES
from shop.services import rule_book


def run(app: Flask, *words: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["rules", *words])
    return result.exit_code, result.output


def test_every_rule_with_an_effect_is_listed_once(app: Flask) -> None:
    code, output = run(app, "list")
    assert code == 0
    assert len(output.splitlines()) == len(FIRST_SCORES)
    assert "LATE_GRADING    PENALTY       50  v1" in output
    assert run(app, "list")[1] == output
    assert db.session.query(ScoreRule).count() == len(FIRST_SCORES)


def test_a_change_is_a_new_version_with_its_reason(app: Flask) -> None:
    run(app, "list")
    assert run(app, "set", "late_grading", "penalty", "70", "--reason", "更严一些")[0] == 0
    assert run(app, "set", "late_grading", "penalty", "60", "--reason", "太严了")[0] == 0
    assert "LATE_GRADING    PENALTY       60  v3" in run(app, "list")[1]
    db.session.rollback()
    versions = db.session.query(ScoreRule).filter_by(rule=Rule.LATE_GRADING).order_by(ScoreRule.version)
    assert [(row.version, row.score, row.memo) for row in versions] == [
        (1, 50, None),
        (2, 70, "更严一些"),
        (3, 60, "太严了"),
    ]
    row = db.session.query(AuditLog).order_by(AuditLog.id.desc()).first()
    assert (row.before, row.after, row.reason) == (
        {"version": 2, "score": 70},
        {"version": 3, "score": 60},
        "太严了",
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("set", "LATE_GRADING", "PENALTY", "50", "--reason", "x"), 1),  # worth that already
        (("set", "COMPLAINT", "REWARD", "5", "--reason", "x"), 1),  # has no effect
        (("set", "LATE_GRADING", "PENALTY", "5", "--reason", "  "), 2),
        (("set", "LATE_GRADING", "PENALTY", "5", "--reason", "x" * 256), 2),
        (("set", "LATE_GRADING", "PENALTY", "-1", "--reason", "x"), 2),
        (("set", "LATE_GRADING", "PENALTY", "5"), 2),
        (("set", "NOTHING", "PENALTY", "5", "--reason", "x"), 2),
    ],
    ids=str,
)
def test_what_cannot_be_changed_is_refused_and_changes_nothing(app: Flask, words: tuple[str, ...], code: int) -> None:
    run(app, "list")
    assert run(app, *words)[0] == code
    db.session.rollback()
    assert {row.version for row in db.session.query(ScoreRule)} == {1}
    assert db.session.query(AuditLog).count() == 0


def test_asking_what_a_rule_is_worth_writes_nothing(app: Flask) -> None:
    assert rule_book.worth(db.session(), Rule.COMPLAINT, ScoreType.PENALTY) == 200
    db.session.rollback()
    assert db.session.query(ScoreRule).count() == 0
