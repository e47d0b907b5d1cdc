"""Somebody in a browser, without the browser: visits pages, fills in the forms they were served, follows redirects."""

from __future__ import annotations

import contextvars
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from shop.extensions import unit_of_work
from shop.models import Account, SecondFactor

PASSWORD = "a long enough passphrase"


class Client(FlaskClient):
    """Answers each request in a context of its own, as a server does.

    With the test's application context around it, Flask would share one ``g``, and with it the logged-in person and
    the CSRF token, between all requests of a test.
    """

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return contextvars.Context().run(super().open, *args, **kwargs)


class Person:
    """One browser with its cookies. ``get`` and ``post`` stay on the shop; a POST carries the page's token."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()
        self._token = ""

    def get(self, path: str, **options: Any) -> TestResponse:
        answer = self.client.get(path, **options)
        self._remember(answer)
        return answer

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Post a form with the CSRF token of the last page seen (of the log-in page when none was seen)."""
        if not self._token:
            self.get("/login")
        answer = self.client.post(path, data={"csrf_token": self._token, **(data or {})}, **options)
        self._remember(answer)
        return answer

    def follow(self, answer: TestResponse) -> TestResponse:
        """The page that a 303 leads to."""
        assert answer.status_code == 303, f"{answer.status_code} is no 303: {answer.text[:300]}"
        return self.get(answer.location)

    def follow_return(self, url: str) -> TestResponse:
        """Where the buyer ends up who comes back from Alipay."""
        parts = urlsplit(url)
        answer = self.get(f"{parts.path}?{parts.query}")
        return self.get(answer.location) if answer.status_code in (302, 303) else answer

    def sign_in(self, username: str, password: str = PASSWORD) -> Person:
        self.get("/login")
        answer = self.post("/login", {"username": username, "password": password})
        assert answer.status_code == 303, answer.text
        if "/second-factor" in answer.location:
            self._show_second_factor(answer.location, username)
        self.get("/account")
        return self

    def _show_second_factor(self, page: str, username: str) -> None:
        """As somebody with the app does, a while after the last code was used."""
        with unit_of_work() as session:
            mine = select(Account.id).where(Account.username == username)
            session.execute(update(SecondFactor).where(SecondFactor.account_id.in_(mine)).values(last_step=0))
        code = self.get(page).text.split('data-demo-code="')[1][:6]
        answer = self.post(page, {"code": code})
        assert answer.status_code in (200, 303), answer.text

    def form(self, answer: TestResponse, form_id: str) -> dict[str, str]:
        """The fields of a form on a page, as they would be sent untouched."""
        reader = _FormReader(form_id)
        reader.feed(answer.text)
        assert reader.found, f"no form #{form_id} on the page"
        return reader.fields

    def _remember(self, answer: TestResponse) -> None:
        if answer.mimetype != "text/html" or 'name="csrf_token"' not in answer.text:
            return
        self._token = answer.text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]


class _FormReader(HTMLParser):
    """Collects what one form would send: its inputs, its selects' chosen options, its text areas."""

    def __init__(self, form_id: str) -> None:
        super().__init__()
        self.form_id = form_id
        self.fields: dict[str, str] = {}
        self.found = False
        self._inside = False
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = values.get("id") == self.form_id
            self.found = self.found or self._inside
        belongs = values.get("form") == self.form_id or (self._inside and "form" not in values)
        name = values.get("name", "")
        if tag == "input" and belongs and name:
            if values.get("type") in ("radio", "checkbox") and "checked" not in values:
                return
            self.fields[name] = values.get("value", "")
        elif tag == "select" and belongs:
            self._select = name
        elif tag == "option" and self._select and ("selected" in values or self._select not in self.fields):
            self.fields[self._select] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        if tag == "select":
            self._select = ""
