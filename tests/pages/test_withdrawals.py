"""提现 on the pages: the own password, an amount that is there, a payee that nobody else sees."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from shop.enums import TransactionType, WithdrawalState
from shop.extensions import db, unit_of_work
from shop.models import Account, Withdrawal
from shop.services import wallet, withdrawals
from shop.web import once
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.degrees import a_mentor
from tests.faults.purchase import balance_of, count, fingerprint
from tests.pages.conftest import AnotherShop
from tests.pages.test_orders import words
from tests.person import PASSWORD, Person
from tests.services.test_withdrawals import a_clerk, asked

PATH = "/mentor/withdrawals"
FORM = {"amount": "300", "payee_account": "alice@example.com", "payee_name": "沈一舟", "password": PASSWORD}


@pytest.fixture
def mentor(app: Flask) -> Account:
    return a_mentor(beli=1000)


@pytest.fixture
def owner(person: Person, mentor: Account) -> Person:
    return person.sign_in(mentor.username)


def rows_of(page: str) -> list[str]:
    return [words(row) for row in re.findall(r"<tr data-withdrawal=.*?</tr>", page, re.DOTALL)]


def test_asking_takes_the_beli_and_masks_the_payee(owner: Person, mentor: Account) -> None:
    page = owner.get(PATH)
    assert "可以提现 1000 贝里 全部提现合 1000.00 元" in words(page.text)
    assert page.text.count("button--primary") == 1
    answer = owner.post(PATH, {**owner.form(page, "withdrawal"), **FORM})
    assert answer.location == PATH
    page = owner.follow(answer)
    assert "提现申请已提交：300 贝里，合 300.00 元。" in page.text
    assert "可以提现 700 贝里" in words(page.text)
    [row] = rows_of(page.text)
    assert re.search(r"al\*\*\*@example\.com 待审核 等待审核 300 300\.00 元$", row)
    for canary in ("alice", "沈一舟", PASSWORD):
        assert canary not in page.text
    assert balance_of(mentor.id) == 700
    assert_audit_clean()


def test_what_an_amount_comes_to_is_told_before_it_is_asked_for(owner: Person) -> None:
    assert 'id="worth" aria-live="polite"></p>' in owner.get(PATH).text
    page = owner.get(f"{PATH}?amount=120")
    assert "合 120.00 元" in words(page.text)
    assert owner.form(page, "withdrawal")["amount"] == "120"
    for odd in ("x", "-1", "0", "１", "%00", "9" * 30, "", "1&amount=2"):
        answer = owner.get(f"{PATH}?amount={odd}")
        assert answer.status_code == 200
        assert 'id="worth" aria-live="polite"></p>' in answer.text
        assert 'role="alert"' not in answer.text
    assert count(Withdrawal) == 0


def test_another_rate_makes_other_yuan(mentor: Account, another_shop: AnotherShop) -> None:
    shop = another_shop(beli_per_yuan=10)
    person = Person(shop).sign_in(mentor.username)
    assert "全部提现合 100.00 元" in words(person.get(PATH).text)
    assert person.post(PATH, FORM).status_code == 303
    assert "300 30.00 元" in rows_of(person.get(PATH).text)[0]
    assert count(Withdrawal, Withdrawal.amount_fen == 3_000) == 1
    assert_audit_clean()


def test_every_state_says_what_comes_next(owner: Person, mentor: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawals, "MOST_A_DAY", 9)
    anna, bert = a_clerk(), a_clerk()
    paid, approved, refused = asked(mentor, 10), asked(mentor, 20), asked(mentor, 30)
    asked(mentor, 40, "13800131234")
    for number in (paid, approved):
        withdrawals.approve(number, actor=anna, reason="内部备注：核对过")
    withdrawals.pay(paid, actor=bert, payment_number="T20261124")
    withdrawals.refuse(refused, actor=anna, reason="账号与姓名不符")
    page = owner.get(PATH).text
    waiting, no, yes, done = rows_of(page)
    assert "138****1234 待审核 等待审核" in waiting
    assert "已驳回 贝里已退回 账号与姓名不符" in no
    assert "待打款 审核已通过，等待打款" in yes
    assert "已打款" in done and "T20261124" in done
    for canary in ("内部备注", anna.name, bert.name, "13800131234"):
        assert canary not in page
    assert_audit_clean()


# ---------------------------------------------------------------- what is refused


HOSTILE: dict[str, list[Any]] = {
    "amount": [
        "",
        " ",
        "0",
        "-1",
        "1.5",
        "１",
        "1e3",
        "+1",
        "1_0",
        "1001",
        "10000001",
        "9" * 30,
        "a\x00",
        None,
        ["1", "1"],
    ],
    "payee_account": [
        *("", "  ", "alice", "alice@", "@example.com", "a b@example.com", "alice@example.com\x00", "a@b@c.com"),
        *(
            "12800131234",
            "1380013123",
            "138001312345",
            "１３８００１３１２３４",
            "+8613800131234",
            "爱丽丝@example.com",
        ),
        *(
            "x" * 95 + "@e.com",
            "alice@example.com\nBcc: x@example.com",
            "\u202ealice@example.com",
            None,
            ["a@e.com"] * 2,
        ),
    ],
    "payee_name": [
        "",
        "   ",
        "x" * 65,
        "沈\x00",
        "沈\x1b[2J",
        "沈\u202e舟",
        "沈\u200b舟",
        "沈\x9b2J",
        None,
        ["沈", "沈"],
    ],
    "password": ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "x" * 2000, "\x00", None, [PASSWORD, PASSWORD]],
    "token": ["x", "0" * 31, "0" * 33, "Z" * 32, "\x00", ["0" * 32] * 2],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in HOSTILE.items() for value in values],
    ids=lambda value: repr(value)[:24],
)
def test_a_field_out_of_bounds_is_told_and_writes_nothing(owner: Person, field: str, value: Any) -> None:
    before = fingerprint()
    form = {name: text for name, text in {**FORM, field: value}.items() if text is not None}
    answer = owner.post(PATH, form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert PASSWORD not in answer.text
    assert fingerprint() == before


@pytest.mark.parametrize(
    "values",
    [
        {"amount": "1"},
        {"amount": "1000"},
        {"payee_account": "13800131234"},
        {"payee_account": "  alice@example.com  "},
        {"payee_name": "x" * 64},
        {"payee_name": "Alice O'Neill-沈"},
        {"token": ""},
    ],
    ids=repr,
)
def test_values_at_the_bounds_are_taken(owner: Person, values: dict[str, str]) -> None:
    assert owner.post(PATH, {**FORM, **values}).status_code == 303
    db.session.rollback()
    row = db.session.query(Withdrawal).one()
    assert row.payee_account in ("13800131234", "alice@example.com")
    assert_audit_clean()


def test_more_than_there_is_is_told_with_both_figures(owner: Person) -> None:
    answer = owner.post(PATH, {**FORM, "amount": "1001"})
    assert "需要 1001 贝里，账户里有 1000 贝里" in answer.text
    assert 'id="worth" aria-live="polite"></p>' in answer.text
    assert owner.form(answer, "withdrawal")["amount"] == "1001"


def test_without_beli_there_is_no_form(app: Flask) -> None:
    page = Person(app).sign_in(a_mentor().username).get(PATH).text
    assert "现在没有可以提现的贝里" in page
    assert 'id="withdrawal"' not in page


def test_a_fourth_request_of_the_day_waits_for_tomorrow(owner: Person, mentor: Account) -> None:
    page = owner.get(PATH)
    for _ in range(3):
        asked(mentor, 10)
    answer = owner.post(PATH, {**owner.form(page, "withdrawal"), **FORM})
    assert answer.status_code == 422
    assert "每天最多申请 3 次" in answer.text
    assert 'id="withdrawal"' not in owner.get(PATH).text
    assert balance_of(mentor.id) == 970


def test_f56_a_form_sent_twice_asks_once(owner: Person, mentor: Account) -> None:
    form = {**owner.form(owner.get(PATH), "withdrawal"), **FORM}
    assert owner.post(PATH, form).location == PATH
    again = owner.post(PATH, form)
    assert "没有重复提交" in owner.follow(again).text
    assert (count(Withdrawal), balance_of(mentor.id)) == (1, 700)
    assert owner.post(PATH, {**FORM, "token": owner.form(owner.get(PATH), "withdrawal")["token"]}).status_code == 303
    assert count(Withdrawal) == 2


def test_f56_also_when_the_first_has_left_too_little_for_a_second(owner: Person, mentor: Account) -> None:
    form = {**owner.form(owner.get(PATH), "withdrawal"), **FORM, "amount": "1000"}
    assert owner.post(PATH, form).status_code == 303
    assert "没有重复提交" in owner.follow(owner.post(PATH, form)).text
    assert (count(Withdrawal), balance_of(mentor.id)) == (1, 0)


def test_beli_that_are_spent_in_between_are_not_taken_twice(
    owner: Person, mentor: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spend(*_: object) -> bool:
        with unit_of_work() as session:
            wallet.move_beli(session, mentor_id, TransactionType.EXPENSE, 900)
        return True

    mentor_id = mentor.id
    monkeypatch.setattr(once, "claim", spend)
    answer = owner.post(PATH, FORM)
    assert answer.status_code == 422
    assert "需要 300 贝里，账户里有 100 贝里" in answer.text
    assert (count(Withdrawal), balance_of(mentor_id)) == (0, 100)
    assert_audit_clean()


def test_a_refused_form_may_be_sent_again(owner: Person, mentor: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    form = {**owner.form(owner.get(PATH), "withdrawal"), **FORM}
    assert owner.post(PATH, {**form, "amount": "1001"}).status_code == 422
    with monkeypatch.context() as patch:
        patch.setattr(withdrawals, "MOST_A_DAY", 0)
        assert "每天最多申请 0 次" in owner.post(PATH, form).text
    assert owner.post(PATH, form).status_code == 303
    assert count(Withdrawal) == 1


def test_guessing_the_password_is_slowed_like_a_log_in(owner: Person, mentor: Account, app: Flask) -> None:
    for _ in range(5):
        assert owner.post(PATH, {**FORM, "password": "a wrong guess"}).status_code == 422
    answer = owner.post(PATH, FORM)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    guesser = Person(app)
    assert guesser.post("/login", {"username": mentor.username, "password": PASSWORD}).status_code == 429
    assert count(Withdrawal) == 0


def test_a_right_password_forgets_the_wrong_ones(owner: Person, mentor: Account) -> None:
    for _ in range(2):
        for _ in range(4):
            assert owner.post(PATH, {**FORM, "amount": "10", "password": "a wrong guess"}).status_code == 422
        assert owner.post(PATH, {**FORM, "amount": "10"}).status_code == 303
    assert balance_of(mentor.id) == 980


# ---------------------------------------------------------------- whose it is


def test_a13_only_mentors_and_only_ones_own(app: Flask, owner: Person, mentor: Account) -> None:
    asked(mentor)
    for values in ({}, {"role": 2}, {"role": 3, "is_staff": True}):
        other = Person(app).sign_in(a_student(beli=500, **values).username)
        assert other.get(PATH).status_code == 403
        assert other.post(PATH, FORM).status_code == 403
    colleague = Person(app).sign_in(a_mentor(beli=500).username)
    assert rows_of(colleague.get(PATH).text) == []
    visitor = Person(app)
    assert visitor.get(PATH).location.startswith("/login")
    assert visitor.post(PATH, FORM).status_code == 303
    assert owner.client.post(PATH, data=FORM).status_code == 400  # without its token
    assert count(Withdrawal) == 1


@pytest.mark.parametrize("page", ["0", "2", "-1", "x", "１", "%00", "9" * 30])
def test_a_page_that_is_none_is_not_found(owner: Person, mentor: Account, page: str) -> None:
    asked(mentor)
    assert owner.get(f"{PATH}?page={page}").status_code == 404


def test_an_account_that_is_disabled_meanwhile_gets_nothing(owner: Person, mentor: Account) -> None:
    page = owner.form(owner.get(PATH), "withdrawal")
    row = db.session.get_one(Account, mentor.id)
    row.is_active = False
    db.session.commit()
    assert owner.post(PATH, {**page, **FORM}).location.startswith("/login")
    assert db.session.query(Withdrawal).filter_by(state=WithdrawalState.WAITING).count() == 0
