"""What every form does alike: it tells at the top what is wrong, and marks what may be left empty."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from shop.enums import StaffRole
from tests.builders import a_clerk, a_draft, a_student
from tests.person import Person

TERMS = {"name": "开学", "type": "0", "quantity": "10", "is_public": "1", "valid_days": "3", "product": ""}


@pytest.fixture
def clerk(app: Flask) -> Person:
    return Person(app).sign_in(a_clerk(StaffRole.OPERATIONS, StaffRole.FINANCE).username)


def summary(answer: TestResponse) -> list[str]:
    """The controls that the summary of errors leads to."""
    found = re.search(
        r'<div class="[^"]*" id="wrong" role="alert" tabindex="-1" autofocus>(.*?)</div>', answer.text, re.S
    )
    return re.findall(r'href="#([\w-]+)"', found[1]) if found else []


def optional(answer: TestResponse) -> set[str]:
    """The controls that say they may be left empty."""
    return set(re.findall(r'<label for="([\w-]+)">[^<]*<span class="field__optional">（选填）', answer.text))


# ---------------------------------------------------------------- what is wrong


def test_a_refused_form_tells_all_faults_at_the_top_and_leads_to_them(person: Person) -> None:
    answer = person.post("/register", {"username": "x", "email": "none", "password": "short"})
    assert answer.status_code == 422
    assert summary(answer) == ["username", "email", "password"]
    assert "<title>错误：注册" in answer.text
    assert "有 3 项需要修改" in answer.text
    for name in ("username", "email", "password"):
        assert re.search(
            rf'<input[^>]*aria-describedby="[^"]*\b{name}-error"[^>]*aria-invalid="true"|<input[^>]*aria-invalid="true"[^>]*\b{name}-error',
            answer.text,
        )
        assert f'id="{name}-error"' in answer.text
    assert answer.text.index('id="wrong"') < answer.text.index("<form", answer.text.index("<h1"))


def test_a_page_without_faults_has_no_summary(person: Person) -> None:
    page = person.get("/register")
    assert summary(page) == []
    assert "<title>注册" in page.text


def test_the_summary_of_a_staff_form_leads_to_controls_of_the_page(clerk: Person) -> None:
    answer = clerk.post("/staff/coupons", {**TERMS, "quantity": "0", "open_date": "", "close_date": "", "amount": "5"})
    assert answer.status_code == 422
    assert summary(answer) == ["quantity", "open_date", "close_date"]
    for control in summary(answer):
        assert re.search(rf'<(?:input|textarea|select)[^>]* id="{control}"', answer.text), control


def test_only_the_action_that_was_sent_says_what_is_wrong_with_its_reason(app: Flask) -> None:
    """Several actions of a page share one form of a reason."""
    admin = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username)
    path = f"/staff/accounts/{a_student().id}"
    answer = admin.post(f"{path}/disabling", {"reason": ""})
    assert answer.status_code == 422
    assert summary(answer) == [f"reason{path.replace('/', '-')}-disabling"]
    assert answer.text.count("field--bad") == 1
    assert answer.text.count('<details class="act" open>') == 1


def test_a_group_of_boxes_is_found_from_the_summary(app: Flask) -> None:
    admin = Person(app).sign_in(a_clerk(StaffRole.ADMIN).username)
    answer = admin.post("/staff/accounts", {"username": "robin", "kind": "0", "reason": "新同事"})
    assert answer.status_code == 422
    assert summary(answer) == ["roles-0"]
    assert 'id="roles-0"' in answer.text


# ---------------------------------------------------------------- what may be left empty


def test_what_may_be_left_empty_says_so_and_nothing_else(clerk: Person) -> None:
    page = clerk.get("/staff/coupons/new")
    assert optional(page) == {"brief"}, "a choice has a value, and which amount is needed depends on the kind"
    assert optional(clerk.get(f"/staff/coupons/{a_draft().id}/publication")) == set()


def test_a_filter_marks_nothing_for_all_of_it_is_optional(clerk: Person) -> None:
    assert optional(clerk.get("/staff/orders")) == set()
    assert optional(clerk.get("/staff/reports/revenue")) == set()
