"""Reports as pages and files."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.enums import StaffRole
from shop.services.staff.reports.shelf import REPORTS
from tests.builders import a_clerk
from tests.person import Person


@pytest.mark.parametrize("name", [report.name for report in REPORTS])
def test_smoke(app: Flask, name: str) -> None:
    clerk = Person(app).sign_in(a_clerk(*StaffRole).username)
    answer = clerk.get(f"/staff/reports/{name}?preset=7")
    assert answer.status_code == 200
    assert clerk.get(f"/staff/reports/{name}.csv", buffered=True).status_code == 200
