"""Accounts as the database keeps them."""

from __future__ import annotations

import threading

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import func, select

from shop.enums import Role
from shop.extensions import db, unit_of_work
from shop.models import Account
from shop.services import accounts, passwords

PASSWORD = "a long enough passphrase"


def stored(username: str) -> Account:
    db.session.rollback()
    return db.session.scalars(select(Account).where(Account.username == username)).one()


def test_a_new_account_is_an_active_student_without_beli(app: Flask) -> None:
    person = accounts.register("路飞", "luffy@example.com", PASSWORD)
    account = stored("路飞")
    assert person == accounts.person(account.id, 0)
    assert (account.role, account.is_active, account.is_staff, account.balance) == (Role.STUDENT, True, False, 0)
    assert account.email == "luffy@example.com"
    assert PASSWORD not in account.password


def test_a_taken_user_name_is_refused_by_name(app: Flask) -> None:
    accounts.register("luffy", "luffy@example.com", PASSWORD)
    with pytest.raises(accounts.UsernameTaken):
        accounts.register("luffy", "other@example.com", PASSWORD)


def test_a_known_e_mail_is_not_revealed_and_not_taken_over(app: Flask) -> None:
    accounts.register("luffy", "luffy@example.com", PASSWORD)
    accounts.register("zoro", "luffy@example.com", PASSWORD)
    assert stored("luffy").email == "luffy@example.com"
    assert stored("zoro").email is None


def test_two_at_once_with_one_name_make_one_account(app: Flask) -> None:
    made: list[object] = []
    both_ready = threading.Barrier(6)

    def register(number: int) -> None:
        with app.app_context():
            both_ready.wait()
            try:
                made.append(accounts.register("luffy", f"{number % 2}@example.com", PASSWORD))
            except accounts.UsernameTaken as error:
                made.append(error)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(result, accounts.Person) for result in made) == 1
    assert len(made) == 6
    assert db.session.scalar(select(func.count()).select_from(Account)) == 1


def test_name_and_password_lead_to_the_person(app: Flask) -> None:
    person = accounts.register("luffy", "luffy@example.com", PASSWORD)
    assert accounts.authenticate("luffy", PASSWORD) == person
    assert accounts.authenticate("ｌｕｆｆｙ", PASSWORD) == person


@pytest.mark.parametrize(
    ("username", "password"),
    [("luffy", "wrong"), ("nobody", PASSWORD), ("luffy", ""), ("", ""), ("luf\0fy", PASSWORD), ("x" * 5000, "y")],
)
def test_nothing_else_does(app: Flask, username: str, password: str) -> None:
    accounts.register("luffy", "luffy@example.com", PASSWORD)
    assert accounts.authenticate(username, password) is None


def test_an_unknown_name_costs_a_verification_too(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            verified.append(str(hash))
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "hasher", Counting(time_cost=1, memory_cost=8, parallelism=1))
    accounts.authenticate("nobody", PASSWORD)
    accounts.authenticate("no\0body", PASSWORD)
    assert verified == [passwords.NOBODYS_HASH] * 2


def test_an_outdated_hash_is_replaced_at_log_in(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts.register("luffy", "luffy@example.com", PASSWORD)
    before = stored("luffy").password
    monkeypatch.setattr(passwords, "hasher", PasswordHasher(time_cost=1, memory_cost=16, parallelism=1))
    assert accounts.authenticate("luffy", PASSWORD)
    after = stored("luffy").password
    assert "m=8" in before
    assert "m=16" in after
    assert accounts.authenticate("luffy", PASSWORD)


def test_a_disabled_account_is_nobody(app: Flask) -> None:
    person = accounts.register("luffy", "luffy@example.com", PASSWORD)
    with unit_of_work() as session:
        session.get_one(Account, person.id).is_active = False
    assert accounts.authenticate("luffy", PASSWORD) is None
    assert accounts.person(person.id, person.session_epoch) is None


def test_a_new_password_ends_the_sessions_of_the_old_one(app: Flask) -> None:
    before = accounts.register("luffy", "luffy@example.com", PASSWORD)
    after = accounts.change_password(before.id, PASSWORD, "another passphrase")
    assert accounts.person(before.id, before.session_epoch) is None
    assert accounts.person(after.id, after.session_epoch) == after
    assert accounts.authenticate("luffy", PASSWORD) is None
    assert accounts.authenticate("luffy", "another passphrase") == after


def test_without_the_current_password_nothing_changes(app: Flask) -> None:
    person = accounts.register("luffy", "luffy@example.com", PASSWORD)
    with pytest.raises(accounts.WrongPassword):
        accounts.change_password(person.id, "wrong", "another passphrase")
    assert accounts.authenticate("luffy", PASSWORD) == person


def test_staff_create_makes_an_administrator(app: Flask) -> None:
    runner = app.test_cli_runner()
    result = runner.invoke(args=["staff", "create", "nami", "--password", PASSWORD])
    assert result.exit_code == 0, result.output
    account = stored("nami")
    assert (account.role, account.is_staff) == (Role.ADMIN, True)
    again = runner.invoke(args=["staff", "create", "nami", "--password", PASSWORD])
    assert again.exit_code == 1
    assert "already" in again.output


@pytest.mark.parametrize(("name", "password"), [("nami", "short"), ("nami", "password"), ("n a m i", PASSWORD)])
def test_staff_create_refuses_what_a_form_would_refuse(app: Flask, name: str, password: str) -> None:
    result = app.test_cli_runner().invoke(args=["staff", "create", name, "--password", password])
    assert result.exit_code == 1
    assert db.session.scalar(select(func.count()).select_from(Account)) == 0
