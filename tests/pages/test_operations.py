"""What machines ask, what is logged, and the error pages when something the shop needs is gone."""

from __future__ import annotations

import json
import sqlite3

import pytest
import redis
from flask import Flask, abort
from sqlalchemy.exc import OperationalError

from shop.config import Settings
from shop.errors import NotEnoughBeli, TooManyTries
from shop.services import accounts
from shop.web import metrics
from tests.pages.conftest import AnotherShop
from tests.person import PASSWORD, Person

TOKEN = {"Authorization": "Bearer token-of-the-tests"}


@pytest.fixture
def without_database(settings: Settings, another_shop: AnotherShop) -> Flask:
    if settings.database_url.startswith("sqlite"):
        gone = "sqlite:////nowhere/shop.sqlite3"
    else:
        gone = "postgresql+psycopg://nobody@127.0.0.1:1/nowhere"
    return another_shop(database_url=gone)


@pytest.fixture
def failing(another_shop: AnotherShop) -> Person:
    """A shop with addresses that fail in every way there is."""
    broken = another_shop()

    def fail_with(status: int) -> None:
        abort(status)

    def fail_by(name: str) -> None:
        raise {
            "bug": KeyError("luffy@example.com"),
            "locked": OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked")),
            "redis": redis.ConnectionError("gone"),
            "refusal": NotEnoughBeli(wanted=5, balance=3),
            "throttled": TooManyTries(seconds=42),
        }[name]

    broken.add_url_rule("/fail/<int:status>", view_func=fail_with)
    broken.add_url_rule("/fail/<name>", view_func=fail_by)
    return Person(broken)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]


# ---------------------------------------------------------------- health, readiness, metrics


def test_health_and_readiness_touch_no_session(person: Person, redis_client: redis.Redis) -> None:
    for path in ("/healthz", "/readyz"):
        answer = person.get(path)
        assert (answer.status_code, answer.text) == (200, "ok")
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"
    assert redis_client.dbsize() == 0


def test_f11_readiness_names_redis(another_shop: AnotherShop) -> None:
    dead = another_shop(redis_url="unix:///nowhere/redis.sock")
    answer = dead.test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "redis down")
    assert dead.test_client().get("/healthz").status_code == 200


def test_f20_readiness_names_the_database(without_database: Flask) -> None:
    answer = without_database.test_client().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "database down")


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "token-of-the-tests", "Bearer é"])
def test_metrics_do_not_exist_without_the_token(person: Person, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization is not None else {}
    assert person.get("/metrics", headers=headers).status_code == 404


def test_metrics_do_not_exist_when_no_token_is_set(another_shop: AnotherShop) -> None:
    shop = another_shop(metrics_token="")
    for value in ("Bearer ", "Bearer"):
        assert shop.test_client().get("/metrics", headers={"Authorization": value}).status_code == 404


def test_metrics_count_by_rule_outcome_and_refusal(person: Person, failing: Person) -> None:
    person.get("/register?email=luffy@example.com")
    person.get("/no/such/page/17")
    failing.get("/fail/refusal")
    metrics.order_placed()
    metrics.payment("paid")
    text = person.get("/metrics", headers=TOKEN).text
    assert 'shop_requests_total{method="GET",rule="/register",status="2xx"}' in text
    assert 'rule="none",status="4xx"' in text
    assert 'shop_refusals_total{code="1002"}' in text
    assert 'shop_payments_total{outcome="paid"}' in text
    assert "shop_orders_placed_total" in text
    assert "shop_request_seconds_bucket" in text
    assert "luffy" not in text
    assert "/17" not in text


# ---------------------------------------------------------------- logs


def test_a_request_is_one_line_with_its_id(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    Person(app).get("/register?next=/cart&secret=73519", headers={"X-Request-ID": "abcdef-123456"})
    (line,) = [entry for entry in lines(capsys) if entry["event"] == "request"]
    assert (line["method"], line["rule"], line["status"]) == ("GET", "/register", 200)
    assert line["request_id"] == "abcdef-123456"
    assert isinstance(line["ms"], float)
    assert "73519" not in json.dumps(line)


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space 12345", 'quote"12345678', "日本語日本語日本語"])
def test_a_strange_request_id_is_replaced(person: Person, given: str) -> None:
    headers = {"X-Request-ID": given.encode().decode("latin-1")}
    assert len(person.get("/healthz", headers=headers).headers["X-Request-ID"]) == 32


def test_health_checks_are_not_logged(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        app.test_client().get(path, headers=TOKEN)
    assert lines(capsys) == []


def test_logs_hold_nothing_personal_and_no_secret(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    person = Person(app)
    person.get("/register")
    form = {"username": "kanarienvogel", "email": "kanari@example.com", "password": "Kanari 73519 π"}
    person.follow(person.post("/register", {**form, "next": "/account"}))
    person.post("/logout")
    person.get("/login")
    person.post(
        "/login", {"username": "kanarienvogel", "password": "wrong 73519"}, environ_base={"REMOTE_ADDR": "192.0.2.9"}
    )
    cookie = person.client.get_cookie("session")
    assert cookie
    text = json.dumps(lines(capsys), ensure_ascii=False)
    assert "registered" in text
    assert "log-in failed" in text
    for secret in ("kanari", "73519", "192.0.2.9", cookie.value, cookie.value.partition(".")[0], person._token):
        assert secret.lower() not in text.lower()


def test_a_line_break_in_a_value_makes_no_second_line(failing: Person, capsys: pytest.CaptureFixture[str]) -> None:
    failing.get("/fail/x%0a%7B%22event%22:%22forged%22%7D")
    assert all(entry["event"] != "forged" for entry in lines(capsys))


# ---------------------------------------------------------------- error pages


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 422, 429, 500, 503])
def test_every_error_has_a_page_of_ours(failing: Person, status: int) -> None:
    answer = failing.get(f"/fail/{status}")
    assert answer.status_code == status
    assert f'data-status="{status}"' in answer.text
    assert "<h1>" in answer.text
    assert ("Retry-After" in answer.headers) == (status in (429, 503))


def test_a_refusal_shows_its_number_and_its_words(failing: Person) -> None:
    answer = failing.get("/fail/refusal")
    assert answer.status_code == 409
    assert 'data-code="1002"' in answer.text
    assert "需要 5 贝里" in answer.text


def test_too_many_tries_say_how_long(failing: Person) -> None:
    answer = failing.get("/fail/throttled")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "42"


def test_a_bug_is_a_logged_500_without_a_trace_on_the_page(failing: Person, capsys: pytest.CaptureFixture[str]) -> None:
    answer = failing.get("/fail/bug")
    assert answer.status_code == 500
    assert "KeyError" not in answer.text
    assert "Traceback" not in answer.text
    (line,) = [entry for entry in lines(capsys) if entry["event"] == "unexpected error"]
    assert "KeyError" in str(line["exception"])


@pytest.mark.parametrize("name", ["locked", "redis"])
def test_what_passes_again_is_a_503(failing: Person, name: str) -> None:
    answer = failing.get(f"/fail/{name}")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def test_an_error_page_that_cannot_be_rendered_is_still_an_answer(
    failing: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.web.errors.render_template", lambda *_a, **_k: 1 / 0)
    answer = failing.get("/fail/404")
    assert answer.status_code == 404
    assert "Request failed" in answer.text


def test_f20_without_the_database_a_503_page_and_error_pages_for_members_too(
    app: Flask, without_database: Flask
) -> None:
    accounts.register("luffy", "luffy@example.com", PASSWORD)
    cookie = Person(app).sign_in("luffy").client.get_cookie("session")
    assert cookie
    person = Person(without_database)
    person.client.set_cookie("session", cookie.value)
    answer = person.get("/account")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "luffy" not in answer.text
    assert person.get("/nothing").status_code == 404
    form = {"username": "luffy", "password": PASSWORD}
    assert Person(without_database).post("/login", form).status_code == 503
