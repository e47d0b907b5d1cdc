"""safety.md 4, replayed: every role at every address, against A's objects, with a token of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from shop.enums import Role
from shop.extensions import csrf, db
from tests import staff_rights
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.cashier.parts import Cashier
from tests.person import PASSWORD, Person
from tests.rights import RIGHTS, ROLES, Right, without_converters
from tests.world import REGISTRATION, World, a_world, withdrawal

IN = (200, 302, 303, 409, 422)  # let in; the state of things may still say no
LEAVING = ("/account/logout-everywhere", "/logout")
CHANGES = ("GET", "POST", "PUT", "PATCH", "DELETE")

# Each test visits every address as everybody. Who may do what is decided before any row: one database is enough.
pytestmark = [pytest.mark.timeout(600), pytest.mark.only_on("sqlite")]


@pytest.fixture
def world(app: Flask, alipay: Cashier) -> Iterator[World]:
    yield a_world(app)
    assert_audit_clean()


def places(world: World) -> dict[str, Any]:
    """What stands in an address, by the name of the place; with the address, where it is another one there."""
    of = world.places
    return {
        "product_id": of["course"],
        "/degrees/<product_id> product_id": of["degree under way"],
        "/learning/courses/<product_id>#module product_id": of["module"],
        "/cart/items/<product_id>/policy product_id": of["wanted"],
        "/cart/items/<product_id>/delete product_id": of["wanted"],
        "filename": "shop.css",
        "token": "x" * 43,
        "message_id": of["message"],
        "coupon_id": of["coupon"],
        "/learning/sections/<section_id>#free section_id": of["free section"],
        "/learning/sections/<section_id>#bought section_id": of["bought section"],
        "/learning/sections/<section_id>#module section_id": of["module section"],
        "order_number": world.paid,
        "/orders/<order_number>/payments order_number": world.order,
        "/orders/<order_number>/inquiry order_number": world.order,
        "/orders/<order_number>/cancellation order_number": world.order,
        "/orders/<order_number>/refunds/<out_request_no>/withdrawal order_number": world.refunding,
        "out_request_no": world.refund,
        "enrolment_id": of["under way"],
        "/degrees/enrolments/<enrolment_id>/registration enrolment_id": of["unfiled"],
        "/degrees/enrolments/<enrolment_id>/registration/draft enrolment_id": of["unfiled"],
        "/learning/degrees/<enrolment_id>/modules/<course_id> enrolment_id": of["filed"],
        "course_id": of["first module of filed"],
        "homework_id": of["homework 3"],
        "question_id": of["question"],
        "/learning/degrees/<enrolment_id>/questions/<question_id>/closing question_id": of["answered"],
        "/uploads/<upload_id>#homework upload_id": of["upload of homework"],
        "/uploads/<upload_id>#follow-up upload_id": of["upload of follow-up"],
        "submission_id": of["submission"],
        "score_record_id": of["fine"],
        **{name: value for area in staff_rights.AREAS for name, value in area.places(world).items()},
    }


def fields(world: World) -> dict[str, dict[str, Any]]:
    """What is sent to an address: what its form would send, about A's things, so that who gets in changes something."""
    of = world.places
    wanted = {"product": of["wanted"], "policy": of["plan"]}
    coupons = {f"coupon-{of['wanted']}": of["coupon record"], "site_coupon": of["coupon record"], "balance": 1}
    said = {"content": "a text that is long enough to be taken"}
    return {
        "/register": {"username": "someone", "email": "someone@example.com", "password": "x"},
        "/login": {"username": "nami", "password": "not the password"},
        "/language": {"language": "en", "next": "/"},
        "/password/reset": {"email": "nobody@example.com"},
        "/account/password": {"current": "not the password", "new": PASSWORD + "!", "again": PASSWORD + "!"},
        "/account/data/exports/<token>": {"password": PASSWORD},
        "/account/data/deletion": {"password": "not the password"},
        "/messages/reading": {"newest": of["message"]},
        "/cart/items": wanted,
        "/cart/items/<product_id>/policy": {"policy": of["plan"]},
        "/cart/selection": {"choice": "none"},
        "/coupons/codes": {"code": world.code},
        "/settlement": wanted,
        "/settlement/choices": coupons,
        "/checkout": {"token": "x" * 32, "balance": "0", "money": "100.00"},
        "/orders/<order_number>/refunds": {"detail": of["paid line"], "reason": "so"},
        "/degrees/enrolments/<enrolment_id>/registration": REGISTRATION,
        "/degrees/enrolments/<enrolment_id>/registration/draft": {**REGISTRATION, "current_company": "somewhere else"},
        "/learning/degrees/<enrolment_id>/leave": {"reason": "so"},
        "/learning/degrees/<enrolment_id>/homework/<homework_id>": said,
        "/learning/degrees/<enrolment_id>/questions": {"title": "so", **said},
        "/learning/degrees/<enrolment_id>/questions/<question_id>/answers": said,
        "/learning/degrees/<enrolment_id>/complaints": said,
        "/mentor/students/<enrolment_id>/follow-ups": {"tool": "1", "record": "so"},
        "/mentor/homework/<submission_id>": {"score": "90", "comment": "so", "step": "grade"},
        "/mentor/questions/<question_id>/answers": said,
        "/mentor/earnings/<score_record_id>/appeals": said,
        "/mentor/withdrawals": withdrawal(),
        **{rule: sent for area in staff_rights.AREAS for rule, sent in area.fields(world).items()},
    }


def path_of(world: World, right: Right) -> str:
    """The address with A's ids in it."""
    known, address = places(world), right.rule + (f"#{right.kind}" if right.kind else "")
    return re.sub(r"<(\w+)>", lambda place: str(known.get(f"{address} {place[1]}", known.get(place[1]))), right.rule)


def visit(world: World, role: str, right: Right) -> TestResponse:
    """The role at this address, with what its form would send."""
    person = world.people[role]
    if right.rule in LEAVING and role != "visitor":
        person = Person(world.app).sign_in(world.names[role])  # on another device
    return send(world, person, right)


def send(world: World, person: Person, right: Right) -> TestResponse:
    path = path_of(world, right)
    if right.method == "GET":
        return person.get(path, buffered=True)
    return person.post(path, fields(world).get(right.rule, {}), buffered=True)


def refusal(right: Right, role: str, answer: TestResponse) -> str:
    """What is wrong with an answer; empty when it is the one that the table says."""
    expected, code = right.answer(role), answer.status_code
    to_log_in = code == 303 and urlsplit(answer.location).path == "/login"
    is_right = {
        "ok": code in IN and not to_log_in,
        "own": code in IN and not to_log_in,
        "login": to_log_in,
        "403": code == 403,
        "404": code == 404,
        "token": code in (404, 410),
        "signed": code == 400 and answer.text == "fail",
    }[expected]
    return (
        "" if is_right else f"{right} as {role}: {expected} expected, {code} came {answer.headers.get('Location', '')}"
    )


def is_in(right: Right, role: str) -> bool:
    return right.answer(role) in ("ok", "own")


def fingerprint(account_id: int | None = None) -> str:
    """Everything in the database; of one account what says that it is the account's."""
    digest = hashlib.sha256()
    db.session.rollback()
    with db.engine.connect() as connection:
        for table in db.metadata.sorted_tables:
            rows = sa.select(table)
            if account_id is not None:
                owner = table.c.id if table.name == "account" else table.c.get("account_id")
                if owner is None:
                    continue
                rows = rows.where(owner == account_id)
            digest.update(f"{table.name} {sorted(map(repr, connection.execute(rows)))}".encode())
    return digest.hexdigest()


# ---------------------------------------------------------------- the table


def test_every_address_of_the_shop_has_its_line_and_every_line_its_address(app: Flask) -> None:
    """Deny by default: who adds an address says here who may use it."""
    addresses = {
        (method, without_converters(rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method in CHANGES
    }
    assert addresses == {(right.method, right.rule) for right in RIGHTS}
    assert len({str(right) for right in RIGHTS}) == len(RIGHTS)


def test_the_signature_is_the_only_thing_that_replaces_a_token(app: Flask) -> None:
    exempt = {f"{view.__module__}.{view.__name__}" for view in app.view_functions.values() if _is_exempt(view)}
    signed = {app.url_map.bind("").match(right.rule, method="POST")[0] for right in RIGHTS if "signed" in right.answers}
    assert exempt == {f"shop.blueprints.{endpoint}" for endpoint in signed}


def _is_exempt(view: Any) -> bool:
    return f"{view.__module__}.{view.__name__}" in csrf._exempt_views


# ---------------------------------------------------------------- replayed


def test_looking_shows_what_the_table_says_and_changes_nothing(world: World) -> None:
    before, wrong = fingerprint(), []
    for right in RIGHTS:
        if right.method != "GET":
            continue
        wrong += [said for role in ROLES if (said := refusal(right, role, visit(world, role, right)))]
        assert fingerprint() == before, f"{right} changed something"
    assert wrong == []


def test_who_may_not_change_something_is_refused_and_changes_nothing(world: World) -> None:
    """Every post of every role that the table keeps out, with a token of its own and fields that would be taken."""
    before, wrong = fingerprint(), []
    for right in RIGHTS:
        if right.method == "GET":
            continue
        others = [role for role in ROLES if not is_in(right, role)]
        wrong += [said for role in others if (said := refusal(right, role, visit(world, role, right)))]
        assert fingerprint() == before, f"{right} changed something"
    assert wrong == []


def test_who_changes_their_own_things_changes_nothing_of_somebody_else(world: World) -> None:
    """A's ids are sent along; whatever comes of it concerns the sender alone."""
    theirs, wrong = fingerprint(world.ids["A"]), []
    for right in sorted(RIGHTS, key=lambda right: right.rule in LEAVING):
        if right.method == "GET":
            continue
        others = [role for role in ROLES if is_in(right, role) and role != "A" and right.answer(role) == "own"]
        wrong += [said for role in others if (said := refusal(right, role, visit(world, role, right)))]
        assert fingerprint(world.ids["A"]) == theirs, f"{right} changed something of A"
    assert wrong == []


def test_who_may_gets_in(world: World) -> None:
    """The positive control: what is refused above is refused to the role, not to everybody."""
    wrong, changed = [], set()
    for right in sorted(RIGHTS, key=lambda right: right.rule in LEAVING):
        if right.method == "GET":
            continue
        for role in ROLES:
            if right.answer(role) == "ok":
                before = fingerprint()
                wrong.append(refusal(right, role, visit(world, role, right)))
                changed |= {str(right)} if fingerprint() != before else set()
    assert [said for said in wrong if said] == []
    assert CHANGING <= changed, f"these were let in, and did nothing: {CHANGING - changed}"


# posts by whose success the refusals above are measured: each changes something of A when the right one sends it
CHANGING = {
    f"POST {rule}"
    for rule in (
        "/messages/<message_id>/reading",
        "/orders/<order_number>/cancellation",
        "/orders/<order_number>/refunds",
        "/orders/<order_number>/refunds/<out_request_no>/withdrawal",
        "/degrees/enrolments/<enrolment_id>/registration",
        "/degrees/enrolments/<enrolment_id>/registration/salary/delete",
        "/learning/degrees/<enrolment_id>/modules/<course_id>",
        "/learning/degrees/<enrolment_id>/leave",
        "/learning/degrees/<enrolment_id>/leave/return",
        "/learning/degrees/<enrolment_id>/questions",
        "/learning/degrees/<enrolment_id>/questions/<question_id>/answers",
        "/learning/degrees/<enrolment_id>/questions/<question_id>/closing",
        "/mentor/students/<enrolment_id>/follow-ups",
        "/mentor/homework/<submission_id>",
        "/mentor/questions/<question_id>/answers",
        "/mentor/earnings/<score_record_id>/appeals",
    )
} | {post for area in staff_rights.AREAS for post in area.CHANGING}


def test_no_post_is_taken_without_a_token(world: World) -> None:
    before = fingerprint()
    for right in RIGHTS:
        if right.method == "POST" and "signed" not in right.answers:
            for role in ("A", "M+"):
                person = world.people[role]
                kept, person._token = person._token, "not-a-token"
                assert send(world, person, right).status_code == 400, f"{right} as {role}"
                person._token = kept
    assert fingerprint() == before


def test_a_missing_object_and_somebody_elses_are_refused_alike(world: World) -> None:
    """Nobody learns from a refusal what exists."""
    degree = world.places["under way"]
    pages = {
        f"/orders/{world.paid}": "/orders/20260101AAAAAAAAAAAA",
        f"/learning/degrees/{degree}": "/learning/degrees/2147483647",
        f"/degrees/enrolments/{degree}/registration": "/degrees/enrolments/2147483647/registration",
        f"/uploads/{world.places['upload of homework']}": "/uploads/2147483647",
    }
    for there, missing in pages.items():
        answers = [_without_tokens(world.people["B"].get(path)) for path in (there, missing)]
        assert answers[0].replace(there, "") == answers[1].replace(missing, ""), there


def _without_tokens(answer: TestResponse) -> str:
    return re.sub(r'(value|nonce|content)="[^"]*"', "", answer.text)


def test_a_mentor_who_becomes_staff_leaves_the_mentors_desk(app: Flask) -> None:
    """The role says 导师 still; staff earn and decide nothing for themselves."""
    both = a_student(role=Role.MENTOR, is_staff=True)
    assert Person(app).sign_in(both.username).get("/mentor").status_code == 403
