"""Accounts as a person meets them: register, log in and out, change the password, choose a language."""

from __future__ import annotations

import re

import pytest
import redis
from flask import Flask
from werkzeug.test import TestResponse

from shop.extensions import db
from shop.models import Account
from shop.services import accounts, passwords
from shop.web import throttle
from tests.person import PASSWORD, Person

NEW = {"username": "zoro", "email": "zoro@example.com", "password": PASSWORD}


@pytest.fixture
def member(app: Flask) -> accounts.Person:
    return accounts.register("luffy", "luffy@example.com", PASSWORD)


def log_in(person: Person, password: str, username: str = "luffy", address: str = "192.0.2.1") -> TestResponse:
    fields = {"username": username, "password": password}
    return person.post("/login", fields, environ_base={"REMOTE_ADDR": address})


# ---------------------------------------------------------------- register


def test_whoever_registers_is_logged_in_and_goes_where_they_wanted(person: Person) -> None:
    page = person.get("/register?next=/account/beli")
    assert 'value="/account/beli"' in page.text
    answer = person.post("/register", {**NEW, "next": "/account"})
    assert "zoro" in person.follow(answer).text


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("username", "z", "用户名由"),
        ("username", "z" * 33, "用户名由"),
        ("username", "zo ro", "用户名由"),
        ("username", "<b>zoro</b>", "用户名由"),
        ("username", "zo\0ro", "不能使用的字符"),
        ("username", "", "请填写"),
        ("email", "zoro", "有效的邮箱"),
        ("email", "zoro@", "有效的邮箱"),
        ("email", "z" * 250 + "@example.com", "邮箱"),
        ("password", "short", "长度应为 8 到 128"),
        ("password", "x" * 129, "长度应为 8 到 128"),
        ("password", "password123", "太常见"),
        ("password", "zoro@example.com", "太常见"),
    ],
)
def test_a_form_says_what_is_wrong_and_makes_no_account(person: Person, field: str, value: str, complaint: str) -> None:
    person.get("/register")
    answer = person.post("/register", {**NEW, field: value})
    assert answer.status_code == 422
    assert complaint in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert db.session.query(Account).count() == 0


def test_a_field_sent_twice_is_refused(person: Person) -> None:
    person.get("/register")
    answer = person.post("/register", {**NEW, "username": ["zoro", "luffy"]})
    assert answer.status_code == 422
    assert "只能填一次" in answer.text


@pytest.mark.parametrize("length", [8, 64, 128])
def test_long_passwords_and_any_characters_are_welcome(person: Person, length: int) -> None:
    password = ("海賊王 π✓" * 30)[:length]
    person.get("/register")
    assert person.post("/register", {**NEW, "password": password}).status_code == 303
    assert accounts.authenticate("zoro", password)


def test_a_taken_name_is_named_and_a_taken_e_mail_is_not(app: Flask, member: accounts.Person) -> None:
    person = Person(app)
    person.get("/register")
    answer = person.post("/register", {**NEW, "username": "luffy"})
    assert answer.status_code == 422
    assert "已经有人用了" in answer.text

    def landing(email: str, name: str) -> str:
        stranger = Person(app)
        stranger.get("/register")
        answer = stranger.post(
            "/register", {"username": name, "email": email, "password": PASSWORD, "next": "/account"}
        )
        return re.sub(r'value="[^"]*"', "", stranger.follow(answer).text.replace(name, "NAME"))

    assert landing("luffy@example.com", "usopp") == landing("free@example.com", "sanji")


def test_no_page_shows_the_password_again(person: Person) -> None:
    person.get("/register")
    answer = person.post("/register", {**NEW, "email": "nonsense"})
    assert PASSWORD not in answer.text


def test_extra_fields_change_nothing(person: Person) -> None:
    person.get("/register")
    person.post("/register", {**NEW, "balance": "999999", "is_staff": "1", "role": "3", "id": "7"})
    account = db.session.query(Account).one()
    assert (account.balance, account.is_staff, int(account.role)) == (0, False, 0)


# ---------------------------------------------------------------- log in


def test_wrong_password_and_unknown_name_look_the_same(app: Flask, member: accounts.Person) -> None:
    known, unknown = log_in(Person(app), "wrong"), log_in(Person(app), "wrong", "nobody")
    assert known.status_code == unknown.status_code == 422
    assert "用户名或密码不对" in known.text

    def bare(answer: TestResponse) -> str:
        return re.sub(r'value="[^"]*"', "", answer.text)

    assert bare(known) == bare(unknown)


def test_log_in_leads_to_the_page_that_was_asked_for(app: Flask, member: accounts.Person) -> None:
    person = Person(app)
    answer = person.get("/account/coupons?state=1")
    assert answer.status_code == 303
    page = person.follow(answer)
    fields = page.text.split('action="/login"')[1]
    field = re.search(r'name="next"[^>]*value="([^"]*)"', fields)
    assert field
    answer = person.post("/login", {"username": "luffy", "password": PASSWORD, "next": field[1]})
    assert answer.location == "/account/coupons?state=1"


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "////evil.example",
        "///evil.example",
        "/\t/evil.example",
        " //evil.example",
        "\0//evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https://evil.example/account",
        "javascript:alert(1)",
        "/\\evil.example",
        "\\\\evil.example",
        "/\n/evil.example",
        "/\r\n/evil.example",
        "/%09/evil.example",
        "/\u2028/evil.example",
        "/account\r\nSet-Cookie: x=y",
        "//[::1",
        "/no/such/page",
        "/logout",
        "/static/shop.css",
        "account",
        "/" + "a" * 5000,
        "",
    ],
)
def test_next_never_leaves_the_shop(app: Flask, member: accounts.Person, target: str) -> None:
    person = Person(app)
    answer = person.post("/login", {"username": "luffy", "password": PASSWORD, "next": target})
    assert answer.status_code == 303
    assert answer.location == "/"
    assert person.get("/login", query_string={"next": target}).location == "/"
    person.get("/account")
    assert person.post("/language", {"language": "en", "next": target}).location == "/"


@pytest.mark.parametrize(
    ("sent_from", "leads_to"),
    [
        ("http://localhost/register?next=/cart", "/register?next=/cart"),
        ("http://localhost/coupons/codes", "/register"),  # an address that only takes forms
        ("http://evil.example/phish", "/register"),
        ("http://[::1", "/register"),
        ("", "/register"),
    ],
)
def test_a_change_of_language_on_a_refused_form_leads_back_to_that_form(
    person: Person, sent_from: str, leads_to: str
) -> None:
    """Home was far away: nobody knew where the form had been."""
    answer = person.post("/register", {"username": "x"}, headers={"Referer": sent_from} if sent_from else {})
    assert answer.status_code == 422
    switch = answer.text.split('action="/language"')[1].split("</form>")[0]
    assert f'name="next" value="{leads_to}"' in switch
    assert person.post("/language", {"language": "en", "next": leads_to}).location == leads_to


def test_a_change_of_language_where_no_page_is_leads_home(person: Person) -> None:
    answer = person.post("/no/such/page", {})
    assert answer.status_code == 404
    assert 'name="next" value="/"' in answer.text.split('action="/language"')[1].split("</form>")[0]


def test_control_characters_in_next_are_dropped(app: Flask, member: accounts.Person) -> None:
    person = Person(app)
    target = "/acc\tount?x=1\r\nSet-Cookie: a=b"
    answer = person.post("/login", {"username": "luffy", "password": PASSWORD, "next": target})
    assert (answer.status_code, answer.location) == (303, "/account?x=1Set-Cookie:a=b")


def test_the_anonymous_post_of_a_protected_form_leads_to_the_log_in(app: Flask) -> None:
    person = Person(app)
    person.get("/login")
    answer = person.post("/account/logout-everywhere", headers={"Referer": "http://localhost/cart?x=1"})
    assert answer.status_code == 303
    assert answer.location == "/login?next=/cart"


def test_f64_a_form_left_open_after_a_log_out_leads_to_the_log_in(app: Flask, member: accounts.Person) -> None:
    person = Person(app).sign_in("luffy")
    token_of_tab_1 = person._token
    person.post("/logout")
    form = {
        "csrf_token": token_of_tab_1,
        "current": PASSWORD,
        "new": "another passphrase",
        "again": "another passphrase",
    }
    answer = person.client.post("/account/password", data=form)
    assert answer.status_code == 303
    assert answer.location == "/login"
    assert "已经退出登录" in person.get("/login").text
    assert accounts.authenticate("luffy", PASSWORD)


def test_f64_a_form_left_open_after_a_password_change_elsewhere_leads_to_the_log_in(
    app: Flask, member: accounts.Person
) -> None:
    here, elsewhere = Person(app).sign_in("luffy"), Person(app).sign_in("luffy")
    change = {"current": PASSWORD, "new": "another passphrase", "again": "another passphrase"}
    assert elsewhere.post("/account/password", change).status_code == 303
    answer = here.post("/account/logout-everywhere")
    assert answer.status_code == 303
    assert answer.location.startswith("/login")
    assert elsewhere.get("/account").status_code == 200


def test_without_a_token_or_with_anothers_nothing_happens(app: Flask, member: accounts.Person) -> None:
    person, other = Person(app).sign_in("luffy"), Person(app)
    other.get("/login")
    for token in ("", "x", other._token):
        answer = person.client.post("/logout", data={"csrf_token": token})
        assert answer.status_code == 400
        assert person.get("/account").status_code == 200


def test_a_second_log_out_is_no_error(app: Flask, member: accounts.Person) -> None:
    person = Person(app).sign_in("luffy")
    assert person.post("/logout").status_code == 303
    person.get("/login")
    assert person.post("/logout").status_code == 303


def test_only_staff_reach_nothing_more_by_default(app: Flask, member: accounts.Person) -> None:
    page = Person(app).sign_in("luffy").get("/account")
    assert "学员" in page.text
    assert "/staff" not in page.text


# ---------------------------------------------------------------- guessing (F75)


def test_f75_five_wrong_guesses_from_one_address_and_then_a_wait(app: Flask, member: accounts.Person) -> None:
    guesser = Person(app)
    assert [log_in(guesser, "wrong").status_code for _ in range(7)] == [422] * 5 + [429] * 2
    answer = log_in(guesser, PASSWORD)  # not even the right one tells more now
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert answer.headers["Retry-After"] in answer.text


def test_f75_the_victim_still_logs_in_from_elsewhere(app: Flask, member: accounts.Person) -> None:
    guesser = Person(app)
    for _ in range(20):
        log_in(guesser, "wrong")
    assert log_in(Person(app), PASSWORD, address="198.51.100.7").status_code == 303


def test_f75_guesses_from_many_addresses_do_not_lock_out_the_owners_own(app: Flask, member: accounts.Person) -> None:
    home = "198.51.100.7"
    assert log_in(Person(app), PASSWORD, address=home).status_code == 303
    guesses = [log_in(Person(app), "wrong", address=f"192.0.2.{number}").status_code for number in range(25)]
    assert guesses == [422] * 20 + [429] * 5
    assert log_in(Person(app), PASSWORD, address=home).status_code == 303


def test_f75_one_address_that_tries_many_accounts_is_slowed(
    app: Flask, member: accounts.Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "NOBODYS_HASH", passwords.make_hash("cheap"))
    guesses = [log_in(Person(app), "wrong", f"nobody{number}").status_code for number in range(55)]
    assert guesses == [422] * 50 + [429] * 5
    assert log_in(Person(app), PASSWORD, address="198.51.100.7").status_code == 303


def test_f75_success_forgets_the_failures(app: Flask, member: accounts.Person) -> None:
    for _ in range(3):
        for _ in range(4):
            assert log_in(Person(app), "wrong").status_code == 422
        assert log_in(Person(app), PASSWORD).status_code == 303


def test_f75_registration_is_limited_per_address(app: Flask) -> None:
    def register(number: int, address: str) -> int:
        fields = {"username": f"crew{number}", "email": f"{number}@example.com", "password": PASSWORD}
        return Person(app).post("/register", fields, environ_base={"REMOTE_ADDR": address}).status_code

    assert [register(number, "192.0.2.1") for number in range(32)] == [303] * 30 + [429] * 2
    assert register(99, "192.0.2.2") == 303


def test_f75_guessing_the_current_password_is_limited(app: Flask, member: accounts.Person) -> None:
    person = Person(app).sign_in("luffy")
    change = {"current": "wrong", "new": "another passphrase", "again": "another passphrase"}
    assert [person.post("/account/password", change).status_code for _ in range(6)] == [422] * 5 + [429]


def test_redis_shows_neither_names_nor_addresses(
    app: Flask, member: accounts.Person, redis_client: redis.Redis
) -> None:
    log_in(Person(app), "wrong")
    log_in(Person(app), PASSWORD)
    log_in(Person(app), "wrong")
    everything = " ".join(redis_client.scan_iter())
    assert "luffy" not in everything
    assert "192.0.2" not in everything


def test_every_limit_is_finite() -> None:
    assert all(limit.amount > 0 and limit.get_expiry() > 0 for limit in throttle.LIMITS.values())


# ---------------------------------------------------------------- password and language


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"current": "wrong"}, "当前密码不对"),
        ({"new": "short", "again": "short"}, "长度应为 8 到 128"),
        ({"new": "woaini1314", "again": "woaini1314"}, "太常见"),
        ({"again": "something else"}, "不一样"),
    ],
)
def test_a_password_change_that_does_not_fit_changes_nothing(
    app: Flask, member: accounts.Person, change: dict[str, str], complaint: str
) -> None:
    person = Person(app).sign_in("luffy")
    good = {"current": PASSWORD, "new": "another passphrase", "again": "another passphrase"}
    answer = person.post("/account/password", good | change)
    assert answer.status_code == 422
    assert complaint in answer.text
    assert accounts.authenticate("luffy", PASSWORD)


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        (None, "zh-CN"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
        ("en-US,en;q=0.9", "en"),
        ("fr-FR,en;q=0.5,zh;q=0.3", "en"),
        ("fr", "en"),
        ("*", "zh-CN"),
        (";;;", "zh-CN"),
    ],
)
def test_the_language_is_the_browsers(person: Person, accepted: str | None, language: str) -> None:
    headers = {"Accept-Language": accepted} if accepted else {}
    assert f'<html lang="{language}">' in person.get("/login", headers=headers).text


def test_the_language_that_a_person_chose_wins_and_stays(person: Person) -> None:
    person.get("/login")
    answer = person.post("/language", {"language": "en", "next": "/register"})
    assert answer.location == "/register"
    assert '<html lang="en">' in person.get("/login", headers={"Accept-Language": "zh"}).text
    person.post("/language", {"language": "tlh"})
    assert '<html lang="en">' in person.get("/login", headers={"Accept-Language": "zh"}).text
