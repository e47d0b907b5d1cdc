"""A link by mail that sets a password: random, half an hour, once, and known to the letter alone."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

import pytest
from flask import Flask

from shop import clock
from shop.extensions import db, unit_of_work
from shop.models import Account, Mail, PasswordReset
from shop.services import accounts, password_reset
from shop.services.password_reset import LinkGone
from tests.builders import a_student
from tests.person import PASSWORD
from tests.services.test_messages import letters, told
from tests.statements import counted

NEW = "a new long passphrase"


def tokens() -> list[str]:
    """Those of all letters, in Chinese and in English alike."""
    found = [re.findall(r"/password/reset/(\S+)", letter.body) for letter in letters()]
    assert all(len(links) == 2 and links[0] == links[1] for links in found if links)
    return [links[0] for links in found if links]


def asked(account: Account) -> str:
    password_reset.ask(account.email or "")
    return tokens()[-1]


def test_the_link_sets_the_password_and_ends_all_sessions(app: Flask) -> None:
    student = a_student(email="luffy@example.com")
    before = accounts.authenticate(student.username, PASSWORD)
    assert before
    token = asked(student)
    assert accounts.authenticate(student.username, PASSWORD)  # asking changes nothing
    assert password_reset.owner_of(token).username == student.username
    password_reset.choose(token, NEW)
    assert accounts.authenticate(student.username, PASSWORD) is None
    assert accounts.authenticate(student.username, NEW)
    assert accounts.person(before.id, before.session_epoch) is None
    assert "密码刚刚通过一次性链接设好" in told(student.id)[0].content
    assert "luffy@example.com" in letters()[-1].address


def test_the_letter_names_the_account_in_two_languages(app: Flask) -> None:
    student = a_student(username="路飞")
    asked(student)
    (letter,) = letters()
    assert "账户 路飞 申请重设密码" in letter.body and "for the account 路飞" in letter.body
    assert letter.subject == "路飞学城 · 重设密码 / Luffy City · Reset your password"


def test_an_address_is_found_however_it_is_written(app: Flask) -> None:
    student = a_student(email="luffy@example.com")
    password_reset.ask("Luffy@Example.COM")
    assert password_reset.owner_of(tokens()[0]).account_id == student.id


def test_a_link_is_good_once(app: Flask) -> None:
    student = a_student()
    token = asked(student)
    password_reset.choose(token, NEW)
    for again in (lambda: password_reset.owner_of(token), lambda: password_reset.choose(token, "yet another one")):
        with pytest.raises(LinkGone):
            again()
    assert accounts.authenticate(student.username, NEW)


def test_a_link_is_good_for_half_an_hour(app: Flask, instance: Path) -> None:
    token = asked(a_student())
    (instance / "clock_offset").write_text(str(29 * 60 + 50))
    password_reset.owner_of(token)
    (instance / "clock_offset").write_text(str(30 * 60 + 1))
    with pytest.raises(LinkGone):
        password_reset.choose(token, NEW)


def test_a_newer_letter_makes_the_earlier_link_worthless(app: Flask) -> None:
    student, other = a_student(), a_student()
    first, of_other, second = asked(student), asked(other), asked(student)
    with pytest.raises(LinkGone):
        password_reset.choose(first, NEW)
    password_reset.choose(second, NEW)
    password_reset.choose(of_other, NEW)


@pytest.mark.parametrize("place", [0, 20, 42])
def test_a_link_with_one_sign_changed_is_none(app: Flask, place: int) -> None:
    token = asked(a_student())
    changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    with pytest.raises(LinkGone):
        password_reset.choose(changed, NEW)
    password_reset.choose(token, NEW)


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 44, "\0" * 43, "é" * 43, "%s" * 20])
def test_anything_else_is_no_link(app: Flask, token: str) -> None:
    with pytest.raises(LinkGone):
        password_reset.owner_of(token)


def test_tokens_are_random_and_not_kept(app: Flask) -> None:
    student = a_student()
    for _number in range(5):
        asked(student)
    all_tokens = tokens()
    assert len(set(all_tokens)) == 5 and all(len(token) == 43 for token in all_tokens)  # 256 bits
    kept = [row.token_digest for row in db.session.query(PasswordReset)]
    assert len(kept) == 1 and len(kept[0]) == 64 and all_tokens[-1] not in kept


def test_two_clicks_at_once_set_one_password(app: Flask) -> None:
    student = a_student()
    username, token = student.username, asked(student)
    db.session.remove()
    ended: list[object] = []
    ready = threading.Barrier(4)

    def click(number: int) -> None:
        with app.app_context():
            ready.wait()
            try:
                password_reset.choose(token, f"{NEW} {number}")
                ended.append(number)
            except LinkGone as error:
                ended.append(error)

    threads = [threading.Thread(target=click, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [number for number in ended if isinstance(number, int)]
    assert len(ended) == 4
    assert accounts.authenticate(username, f"{NEW} {winner}")


def test_a_disabled_account_gets_no_letter_and_its_link_ends(app: Flask) -> None:
    student = a_student()
    token = asked(student)
    with unit_of_work() as session:
        session.get_one(Account, student.id).is_active = False
    with pytest.raises(LinkGone):
        password_reset.choose(token, NEW)
    password_reset.ask(student.email or "")
    assert len(tokens()) == 1


def test_an_unknown_address_costs_the_same_statements_and_leaves_nothing(app: Flask) -> None:
    student = a_student()
    email = student.email or ""
    sent = []
    for address in (email, "nobody@example.com"):
        with counted() as statements:
            password_reset.ask(address)
        sent.append(list(statements))
    assert sent[0] == sent[1]
    assert db.session.query(Mail).count() == db.session.query(PasswordReset).count() == 1


def test_an_unknown_address_takes_about_as_long(app: Flask) -> None:
    """Generously, as machines are busy: the same statements, and one commit of three rows more."""
    student_id = a_student(email="luffy@example.com").id

    def seconds(address: str) -> float:
        start = time.perf_counter()
        password_reset.ask(address)
        return time.perf_counter() - start

    times = [(seconds("luffy@example.com"), seconds("nobody@example.com")) for _round in range(25)]
    known, unknown = (median(column) for column in zip(*times, strict=True))
    assert abs(known - unknown) < 0.02, (student_id, known, unknown)
    assert clock.now() - letters()[0].created_time < timedelta(minutes=1)
