"""What was done is told in words: every action that the shop's code can log has them, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

from shop.web.audit_words import SUBJECTS, VERBS

ACTION = re.compile(r'"({}) ([a-z]+(?: [a-z]+)?)"'.format("|".join(SUBJECTS)))
SERVICES = Path(__file__).parents[2] / "shop" / "services"
OF_LOG_LINES = {"ended", "filed", "asked", "done", "failed", "deleted", "records", "schedules"}  # not of the audit log


def test_every_action_is_told_in_words() -> None:
    found = {match[2] for file in SERVICES.rglob("*.py") for match in ACTION.finditer(file.read_text())}
    assert len(found) > 20
    assert found - OF_LOG_LINES <= VERBS.keys()
