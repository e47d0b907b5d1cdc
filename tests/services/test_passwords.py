"""Which hashes are made and which passwords are too easy."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters
from flask import Flask

from shop.services import passwords

STRONG = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


def test_hashes_are_argon2id_with_19_mib_or_more() -> None:
    parameters = extract_parameters(STRONG.hash("x"))
    nobodys = extract_parameters(passwords.NOBODYS_HASH)
    assert nobodys == parameters, "an unknown name must take as long to answer as a known one"
    assert nobodys.type.name == "ID"
    assert nobodys.memory_cost >= 19 * 1024


def test_nobody_can_log_in_without_an_account() -> None:
    assert not passwords.matches("anything", None)


def test_a_broken_hash_is_no_password_and_no_crash(app: Flask) -> None:
    assert not passwords.matches("anything", "not a hash")
    assert not passwords.matches("anything", "")


def test_a_password_must_be_exact(app: Flask) -> None:
    stored = passwords.make_hash("Gomu Gomu no Mi ")
    assert passwords.matches("Gomu Gomu no Mi ", stored)
    assert not passwords.matches("gomu gomu no mi ", stored)
    assert not passwords.matches("Gomu Gomu no Mi", stored)


@pytest.mark.parametrize("easy", ["password", "12345678", "woaini1314", "5201314520", "1QAZ2wsx", "Luffy"])
def test_what_guessers_try_first_is_easy(easy: str) -> None:
    assert passwords.is_easy(easy, "luffy", "luffy@example.com")


def test_a_passphrase_is_not_easy() -> None:
    assert not passwords.is_easy("a long enough passphrase", "luffy")


def test_the_list_of_common_passwords_holds_3000_or_more() -> None:
    assert len(passwords._common()) >= 3000
