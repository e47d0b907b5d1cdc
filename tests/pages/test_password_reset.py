"""Forgotten passwords as a person meets them: the same answer for everybody, and a token that goes nowhere else."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.extensions import db
from shop.models import Account, Mail, PasswordReset
from shop.services import accounts
from tests.builders import a_student
from tests.pages.conftest import AnotherShop
from tests.pages.test_english import english, translate_data
from tests.person import PASSWORD, Person
from tests.services.test_password_reset import NEW, tokens

FROM_ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


def ask(person: Person, email: str, **options: object) -> str:
    """The page that answers."""
    return person.follow(person.post("/password/reset", {"email": email}, **options)).text


def link(person: Person, student: Account) -> str:
    ask(person, student.email or "")
    return f"/password/reset/{tokens()[-1]}"


def test_from_the_log_in_page_to_a_new_password(app: Flask, person: Person) -> None:
    student = a_student(email="luffy@example.com", username="luffy")
    elsewhere = Person(app).sign_in("luffy")
    assert 'href="/password/reset"' in person.get("/login").text
    person.get("/password/reset")
    assert "如果这个邮箱属于一个账户" in ask(person, " Luffy@example.com ")
    page = person.get(f"/password/reset/{tokens()[0]}")
    assert page.status_code == 200 and "luffy" in page.text
    answer = person.post(f"/password/reset/{tokens()[0]}", {"new": NEW, "again": NEW})
    assert answer.location == "/login"
    page = person.follow(answer)
    assert "密码已设好" in page.text and "退出登录" not in page.text  # nobody is logged in by it
    person.sign_in("luffy", NEW)
    assert elsewhere.get("/account").status_code == 303  # logged out
    db.session.rollback()
    assert db.session.get_one(Account, student.id).session_epoch == 1


def test_staff_can_reset_their_password_too(person: Person) -> None:
    accounts.create_staff("nami", "nami@example.com", PASSWORD, [])
    ask(person, "nami@example.com")
    person.post(f"/password/reset/{tokens()[0]}", {"new": NEW, "again": NEW})
    db.session.rollback()
    assert accounts.authenticate("nami", NEW)


def test_known_and_unknown_addresses_get_the_same_answer(app: Flask) -> None:
    student = a_student()
    answers = []
    for email in (student.email, "nobody@example.com"):
        person = Person(app)
        person.get("/password/reset")
        answer = person.post("/password/reset", {"email": email})
        page = person.follow(answer).text
        answers.append((answer.status_code, answer.location, page.replace(person._token, "")))
    db.session.rollback()
    assert answers[0] == answers[1]
    assert db.session.query(Mail).count() == 1


@pytest.mark.parametrize(
    "email", ["", "luffy", "a@b", "a@example.com\r\nBcc: b@example.com", "a\0@b.example", "x" * 300]
)
def test_what_is_no_address_is_refused_with_the_form(person: Person, email: str) -> None:
    person.get("/password/reset")
    answer = person.post("/password/reset", {"email": email})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert db.session.query(Mail).count() == 0


@pytest.mark.parametrize(
    ("new", "again", "complaint"),
    [
        ("short", "short", "长度应为 8 到 128"),
        ("password123", "password123", "太常见"),
        ("luffy@example.com", "luffy@example.com", "太常见"),
        (NEW, "another one", "不一样"),
        ("", "", "请填写"),
    ],
)
def test_the_rules_for_passwords_hold_and_the_link_stays_good(
    person: Person, new: str, again: str, complaint: str
) -> None:
    path = link(person, a_student(email="luffy@example.com"))
    answer = person.post(path, {"new": new, "again": again})
    assert answer.status_code == 422 and complaint in answer.text
    assert person.post(path, {"new": NEW, "again": NEW}).status_code == 303


def test_a_used_link_is_gone_and_offers_a_new_letter(person: Person) -> None:
    path = link(person, a_student())
    person.post(path, {"new": NEW, "again": NEW})
    for answer in (person.get(path), person.post(path, {"new": NEW, "again": NEW})):
        assert answer.status_code == 410
        assert "链接已经失效" in answer.text and 'action="/password/reset"' in answer.text


@pytest.mark.parametrize("token", ["A" * 43, "%00" * 43, "é" * 43, "-" * 43])
def test_a_link_that_never_was_is_gone(person: Person, token: str) -> None:
    assert person.get(f"/password/reset/{token}").status_code in (404, 410)


def test_looking_at_a_link_does_not_use_it(person: Person) -> None:
    path = link(person, a_student())
    for _round in range(3):
        assert person.get(path).status_code == person.client.head(path).status_code == 200
    assert db.session.query(PasswordReset).one().used_time is None


def test_the_token_leaks_nowhere(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    """Not by the Referer, not into a cache, not into the log; and the page asks no other host for anything."""
    path = link(person, a_student())
    answers = [
        person.get(path),
        person.post(path, {"new": "x", "again": "x"}),
        person.post(path, {"new": NEW, "again": NEW}),
        person.get(path),
    ]
    for answer in answers:
        assert answer.headers["Referrer-Policy"] == "strict-origin"
        assert answer.headers["Cache-Control"] == "no-store"
    token = path.rpartition("/")[2]
    assert token not in capsys.readouterr().err
    assert token not in answers[2].headers["Location"]
    assert "http://" not in answers[0].text.replace("http://www.w3.org", "") and "https://" not in answers[0].text


def test_the_form_works_over_https_where_the_origin_alone_is_sent(another_shop: AnotherShop) -> None:
    shop = another_shop(
        env="production", public_url="https://shop.example", mail_url="smtp://localhost?from=shop@shop.example"
    )
    student, base = a_student(), "https://shop.example"
    person = Person(shop)
    own = {"Referer": "https://shop.example/"}
    person.get("/password/reset", base_url=base)
    person.post("/password/reset", {"email": student.email}, base_url=base, headers=own)
    path = f"/password/reset/{tokens()[0]}"
    person.get(path, base_url=base)
    assert person.post(path, {"new": NEW, "again": NEW}, base_url=base).status_code == 400
    assert person.post(path, {"new": NEW, "again": NEW}, base_url=base, headers=own).status_code == 303


# ---------------------------------------------------------------- limits


def test_letters_to_one_account_end_and_its_owner_still_gets_in(app: Flask, person: Person) -> None:
    """Somebody asks again and again, from many places: the answers stay the same, and the last letter stays good."""
    student = a_student()
    for number in range(12):
        mischief = Person(app)
        mischief.get("/password/reset")
        page = ask(mischief, student.email or "", environ_base={"REMOTE_ADDR": f"192.0.2.{number}"})
        assert "如果这个邮箱属于一个账户" in page
    assert len(tokens()) == 5
    assert person.get(f"/password/reset/{tokens()[-1]}").status_code == 200
    person.post(f"/password/reset/{tokens()[-1]}", {"new": NEW, "again": NEW})
    db.session.rollback()
    assert accounts.authenticate(student.username, NEW)


def test_one_address_that_asks_for_many_is_slowed_and_others_are_not(app: Flask, person: Person) -> None:
    person.get("/password/reset")
    answers = [
        person.post("/password/reset", {"email": f"{number}@example.com"}, environ_base=FROM_ELSEWHERE)
        for number in range(31)
    ]
    assert [answer.status_code for answer in answers] == [303] * 30 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert person.post("/password/reset", {"email": "x@example.com"}).status_code == 303


def test_wrong_guesses_before_do_not_keep_the_owner_out_afterwards(person: Person) -> None:
    student = a_student()
    person.get("/login")
    for _guess in range(6):
        answer = person.post("/login", {"username": student.username, "password": "forgotten"})
    assert answer.status_code == 429
    person.post(link(person, student), {"new": NEW, "again": NEW})
    person.sign_in(student.username, NEW)


# ---------------------------------------------------------------- with and without mail


def test_without_mail_there_is_no_reset(another_shop: AnotherShop) -> None:
    person = Person(another_shop(env="production"))
    assert "/password/reset" not in person.get("/login").text
    assert person.get("/password/reset").status_code == 404
    assert person.post("/password/reset", {"email": "a@example.com"}).status_code == 404


def test_the_demo_shows_its_letters_to_this_machine_only(app: Flask, person: Person) -> None:
    assert "还没有信" in person.get("/outbox").text
    student = a_student()
    assert 'href="/outbox"' in ask(person, student.email or "")
    page = person.get("/outbox")
    assert student.email in page.text and f'/password/reset/{tokens()[0]}">' in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert person.get("/outbox", environ_base=FROM_ELSEWHERE).status_code == 404


def test_a_letter_is_text_on_the_outbox_page(app: Flask, person: Person) -> None:
    student = a_student(username="<b>luffy</b>")
    ask(person, student.email or "")
    page = person.get("/outbox").text
    assert "<b>luffy" not in page and "&lt;b&gt;luffy&lt;/b&gt;" in page


@pytest.mark.parametrize("changes", [{"env": "production"}, {"mail_url": "smtp://localhost?from=a@shop.example"}])
def test_a_shop_that_sends_or_that_is_no_demo_has_no_outbox_page(
    another_shop: AnotherShop, changes: dict[str, str]
) -> None:
    person = Person(another_shop(**changes))
    assert person.get("/outbox").status_code == 404


def test_the_pages_are_english_for_english_readers(person: Person) -> None:
    student = a_student()
    person.post("/language", {"language": "en"})
    english(person.get("/password/reset"))
    english(person.post("/password/reset", {"email": "x"}), 422)
    path = link(person, student)
    english(person.get("/password/reset?sent=1"))
    english(person.get(path))
    english(person.post(path, {"new": "short", "again": "x"}), 422)
    english(person.follow(person.post(path, {"new": NEW, "again": NEW})))
    english(person.get(path), 410)
    translate_data()
    english(person.get("/outbox"))
    english(person.sign_in(student.username, NEW).get("/messages"))
