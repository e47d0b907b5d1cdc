"""For every test that moves money, coupons or access: afterwards everything that must always hold still does."""

from __future__ import annotations

from sqlalchemy.orm import Session

from shop.extensions import db
from shop.services import audit


def assert_audit_clean() -> None:
    """Fail with the rows that break an invariant. Reads what is committed, and leaves the test's own session alone."""
    with Session(db.engine) as session:
        findings = audit.run(session)
    assert not findings, "\n".join(f"{finding.name}: {finding.rows} ({finding.says})" for finding in findings)
