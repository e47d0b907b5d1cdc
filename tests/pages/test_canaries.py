"""safety.md 7.4: words that occur nowhere else are typed in by A and by A's mentor, and then looked for everywhere.

Every answer to every role, the log, Redis, messages, letters, the audit log, files and addresses: they may stand in
the cells named here and nowhere else, and in some of them they must, or the search would prove nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask, Response, request, request_finished
from flask_login import current_user
from redis.connection import AbstractConnection as Connection

from shop.extensions import db
from shop.services import nightly, registration
from shop.web.logs import StderrHandler
from tests.audit import assert_audit_clean
from tests.builders import a_student
from tests.cashier.parts import Cashier
from tests.degrees import STAFF as SOMEBODY
from tests.degrees import a_degree_with_homework
from tests.pages.test_rights import LEAVING, path_of, visit
from tests.person import Person
from tests.purchases import enrolled_in_degree
from tests.rights import RIGHTS, ROLES, STAFF, without_converters
from tests.world import (
    APPEAL,
    ASKED_BACK,
    COMPANY,
    COMPLAINT,
    EMAIL,
    FILE,
    FOLLOW_UP,
    HOMEWORK,
    LEAVE,
    NOTE,
    PAYEE,
    PHONE,
    POSITION,
    QUESTION,
    REGISTRATION,
    SALARY,
    World,
    a_world,
    stands_in,
)

MOST_PAGES = 900  # of one role

# What a page shows does not depend on the database, and everybody visits everything here.
pytestmark = [pytest.mark.timeout(600), pytest.mark.only_on("sqlite")]
FORM = "/degrees/enrolments/<enrolment_id>/registration"
DEGREE = "/learning/degrees/<enrolment_id>"
REFUND = "/staff/refunds/<out_request_no>"
CONTACT = "/staff/people/<account_id>/contact"
STUDY = "/staff/studies/<enrolment_id>"
READING, PERSON = f"{STUDY}/form/reading", f"{STUDY}/person"
# the page of an enrolment, and what answers with it when a form is refused
STUDY_PAGES = {
    *(STUDY, READING, PERSON, f"{STUDY}/form/reopening", f"{STUDY}/leave", f"{STUDY}/leave/return"),
    *(f"{STUDY}/modules/<module_id>/{step}" for step in ("opening", "passing")),
}
HAND_IN = f"{STUDY}/hand-ins/<submission_id>"
COMPLAINT_PAGE, APPEAL_PAGE = "/staff/complaints/<complaint_id>", "/staff/appeals/<appeal_id>"
OUTBOX = "/outbox"  # the demo's letters, for eyes at this machine only; not there in production
# where a word may stand: role and address. "must" tells where it has to, so that a search that finds nothing fails.
MAY: dict[str, set[tuple[str, str]]] = {
    SALARY: {("A", FORM), ("REG", READING)},
    COMPANY: {("A", FORM), ("REG", READING)},
    POSITION: {("A", FORM), ("REG", READING)},
    PHONE: {("REG", PERSON), ("REG", CONTACT)},
    EMAIL: {("REG", CONTACT), *((role, OUTBOX) for role in ROLES)},
    PAYEE: {("M+", "/mentor/withdrawals"), ("FIN", "/staff/withdrawals/<withdrawal_id>/payee")},
    HOMEWORK: {
        ("A", f"{DEGREE}/homework/<homework_id>"),
        ("M+", "/mentor/homework/<submission_id>"),
        ("A", "/uploads/<upload_id>"),
        ("M+", "/uploads/<upload_id>"),
        ("REG", HAND_IN),
        ("REG", f"{HAND_IN}/mark"),
        ("REG", f"{HAND_IN}/files/<upload_id>"),
    },
    FILE.decode(): {
        ("A", "/uploads/<upload_id>"),
        ("M+", "/uploads/<upload_id>"),
        ("REG", f"{HAND_IN}/files/<upload_id>"),
    },
    QUESTION: {
        ("A", f"{DEGREE}/questions"),
        ("M+", "/mentor/questions"),
        ("A", "/messages"),
        ("M+", "/messages"),
        *((role, OUTBOX) for role in ROLES),
    },
    COMPLAINT: {
        ("A", f"{DEGREE}/complaints"),
        *((role, COMPLAINT_PAGE) for role in ("REG", "CS")),
        *(("REG", f"{COMPLAINT_PAGE}/{step}") for step in ("upholding", "dismissal")),
    },
    FOLLOW_UP: {("M+", "/mentor/students/<enrolment_id>"), *(("REG", page) for page in STUDY_PAGES)},
    NOTE.decode(): {("M+", "/uploads/<upload_id>")},
    APPEAL: {
        ("M+", "/mentor/earnings/<score_record_id>/appeals"),
        ("M+", "/mentor/earnings"),
        ("REG", APPEAL_PAGE),
        *(("REG", f"{APPEAL_PAGE}/{step}") for step in ("upholding", "dismissal")),
    },
    LEAVE: {("A", f"{DEGREE}/leave"), *(("REG", page) for page in STUDY_PAGES)},
    # who decides about a refund, or answers the student who asks about it, reads why
    ASKED_BACK: {
        ("A", "/orders/<order_number>"),
        *((role, place) for role in ("FIN", "CS") for place in ("/staff/refunds", "/staff/refunds.csv", REFUND)),
        *(("FIN", f"{REFUND}/{step}") for step in ("approval", "refusal", "retry", "sending", "withdrawal")),
        *(("FIN", f"{REFUND}/transfer{step}") for step in ("", "/confirmation", "/deletion")),
        ("CS", f"{REFUND}/withdrawal"),
    },
}
MUST = {
    SALARY: {("A", FORM)},  # its owner has taken it back before the registry reads the form
    COMPANY: {("A", FORM), ("REG", READING)},
    POSITION: {("A", FORM), ("REG", READING)},
    PHONE: {("REG", PERSON), ("REG", CONTACT)},
    EMAIL: {("A", OUTBOX), ("REG", CONTACT)},
    HOMEWORK: {("A", f"{DEGREE}/homework/<homework_id>"), ("M+", "/mentor/homework/<submission_id>")},
    FILE.decode(): {(role, "/uploads/<upload_id>") for role in ("A", "M+")} | {("REG", f"{HAND_IN}/files/<upload_id>")},
    QUESTION: {("A", f"{DEGREE}/questions"), ("M+", "/mentor/questions")},
    COMPLAINT: {("A", f"{DEGREE}/complaints"), ("REG", COMPLAINT_PAGE), ("CS", COMPLAINT_PAGE)},
    FOLLOW_UP: {("M+", "/mentor/students/<enrolment_id>"), ("REG", STUDY)},
    NOTE.decode(): {("M+", "/uploads/<upload_id>")},
    APPEAL: {("M+", "/mentor/earnings/<score_record_id>/appeals"), ("REG", APPEAL_PAGE)},
    ASKED_BACK: {("A", "/orders/<order_number>"), ("FIN", REFUND)},
    PAYEE: {("FIN", "/staff/withdrawals/<withdrawal_id>/payee")},
}
MASKED_PHONE = "139****5678"
EXPERIENCE = "超过10年"  # what A chose; other students see it among the choices of their own form
# what people are told or what staff read later: nothing sensitive may be stored there
TOLD = ("notification", "mail", "audit_log", "job_run", "nightly_run", "audit_run")
SENSITIVE = (SALARY, COMPANY, POSITION, PHONE, PAYEE, COMPLAINT, FOLLOW_UP, APPEAL)


@dataclass
class Seen:
    """Everything that left the shop while it was watched."""

    answers: list[tuple[int | None, str, str]] = field(default_factory=list)  # account, address, what was said
    addresses: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # of the log
    to_redis: list[bytes] = field(default_factory=list)  # keys and values, whatever becomes of them

    def cells(self, word: str, world: World) -> set[tuple[str, str]]:
        roles = {account_id: role for role, account_id in world.ids.items()} | {None: "visitor"}
        return {(roles[account_id], rule) for account_id, rule, said in self.answers if stands_in(word, said)}


@contextmanager
def watched(app: Flask) -> Iterator[Seen]:
    """Answers with their headers, addresses as they were asked for, the log, and all that is sent to Redis."""
    seen = Seen()

    def note(_app: Flask, response: Response, **_extra: Any) -> None:
        response.direct_passthrough = False
        said = response.get_data(as_text=True) if response.status_code != 304 else ""
        rule = without_converters(request.url_rule.rule) if request.url_rule else ""
        seen.answers.append((current_user.id, rule, f"{said}\n{response.headers}"))
        seen.addresses.append(request.url)

    send = Connection.send_packed_command

    def listen(connection: Connection, command: Any, *args: Any, **kwargs: Any) -> Any:
        seen.to_redis.append(command if isinstance(command, bytes) else b"".join(command))
        return send(connection, command, *args, **kwargs)

    root, written = logging.getLogger(), _Lines(seen.lines)
    root.addHandler(written)
    with pytest.MonkeyPatch.context() as patch, request_finished.connected_to(note, app):
        patch.setattr(Connection, "send_packed_command", listen)
        yield seen
    root.removeHandler(written)


class _Lines(logging.Handler):
    """The lines of the log as they go to stderr."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines
        [shop] = [handler for handler in logging.getLogger().handlers if isinstance(handler, StderrHandler)]
        self.setFormatter(shop.formatter)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


# ---------------------------------------------------------------- everywhere somebody can go


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        link = values.get("href") or values.get("hx-get") or values.get("src")
        if link and tag != "link":
            self.found.append(link)


def crawl(person: Person, starts: list[str]) -> int:
    """Visit these pages and all that their links lead to inside the shop; how many that were."""
    waiting, known = list(starts), set(starts)
    for visited, path in enumerate(waiting, 1):
        assert visited <= MOST_PAGES, f"this never ends: {waiting[-20:]}"
        answer = person.get(path, buffered=True)
        found = _links(answer.text) if answer.mimetype == "text/html" else []
        if answer.status_code in (302, 303):
            found.append(answer.location)
        for link in found:
            parts = urlsplit(urljoin(path, link))
            there = parts.path + (f"?{parts.query}" if parts.query else "")
            if parts.netloc in ("", "localhost") and parts.scheme in ("", "http") and _shape(there) not in known:
                known.add(_shape(there))
                waiting.append(there)
    return len(waiting)


def _links(html: str) -> list[str]:
    reader = _Links()
    reader.feed(html)
    return reader.found


def _shape(path: str) -> str:
    """One page of the log-in is enough, whatever it leads back to; and one of each report, whatever its days."""
    return re.sub(r"^/(login|register|staff/reports/[^?]+)\?.*", r"/\1?", path)


def starts(world: World) -> list[str]:
    """Every address that a GET can open, with A's ids; where there are two kinds of objects, both."""
    found = [path_of(world, right) for right in RIGHTS if right.method == "GET"]
    of = world.places
    return [
        *found,
        *(f"/degrees/enrolments/{of[kind]}/registration" for kind in ("under way", "filed")),
        *(f"/learning/degrees/{of['under way']}/homework/{of[f'homework {number}']}" for number in (1, 2)),
        *(f"/mentor/homework/{of[kind]}" for kind in ("graded", "submission")),
        f"/orders/{world.refunding}",
    ]


# ---------------------------------------------------------------- the search


@pytest.fixture
def world_seen(app: Flask, alipay: Cashier) -> Iterator[tuple[World, Seen]]:
    with watched(app) as seen:
        world = a_world(app)
        _go_on(world)
        for role in ROLES:
            assert crawl(world.people[role], starts(world)) > 50
        _post_everything(world)
        yield world, seen
    assert_audit_clean()


def _go_on(world: World) -> None:
    """What happens besides: a leave, the nights, and staff who look at the form, which is written down."""
    degree = f"/learning/degrees/{world.places['under way']}/leave"
    assert world.people["A"].post(degree, {"reason": LEAVE}).status_code == 303
    nightly.run(nightly.latest_night())
    assert registration.read_whole(world.places["under way"], actor=SOMEBODY, reason="导师分配").current_salary == int(
        SALARY
    )


def _post_everything(world: World) -> None:
    """Refused or not: what a form is answered with is an answer, too. Nobody is logged out by it."""
    for role in STAFF:  # what they do here needs a fresh log-in, and the pages before may have taken long
        world.people[role].sign_in(world.names[role])
    for right in RIGHTS:
        if right.method == "POST" and right.rule not in LEAVING:
            for role in ROLES:
                visit(world, role, right)


def test_what_is_personal_stands_where_it_may_and_nowhere_else(world_seen: tuple[World, Seen]) -> None:
    world, seen = world_seen
    stray = {word: cells - MAY[word] for word in MAY if (cells := seen.cells(word, world)) - MAY[word]}
    assert stray == {}
    missed = {word: MUST[word] - cells for word in MUST if MUST[word] - (cells := seen.cells(word, world))}
    assert missed == {}, "the search does not see what is there"

    experience = seen.cells(EXPERIENCE, world)
    assert {cell for cell in experience if cell[0] not in ("A", "B")} <= {("REG", READING)}
    assert ("M+", "/mentor/students/<enrolment_id>") in seen.cells(MASKED_PHONE, world)
    assert {role for role, _rule in seen.cells(MASKED_PHONE, world)} == {"M+", "REG", "CS"}

    in_addresses = {word for word in MAY if any(stands_in(word, address) for address in seen.addresses)}
    assert in_addresses == set()
    in_log = {word for word in MAY for line in seen.lines if stands_in(word, line)}
    assert in_log == set()
    assert len(seen.lines) > 500, "the log was not listened to"
    in_redis = {word for word in SENSITIVE for sent in seen.to_redis if stands_in(word, sent.decode(errors="replace"))}
    assert in_redis == set()
    assert any(b"_user_id" in sent for sent in seen.to_redis), "nobody listened to what Redis is told"
    assert _told() == {}


def _told() -> dict[str, set[str]]:
    """The sensitive words in what people were told, by table."""
    found: dict[str, set[str]] = {}
    with db.engine.connect() as connection:
        for name in TOLD:
            table = db.metadata.tables[name]
            rows = [str(tuple(row)) for row in connection.execute(sa.select(table))]
            if words := {word for word in SENSITIVE for row in rows if word in row}:
                found[name] = words
    return found


COMMANDS = {
    "mentors waiting": set(),
    "mentors list": set(),
    "registrations waiting": set(),
    "degrees show {enrolment}": set(),
    "complaints list --all": {COMPLAINT},
    "appeals list --all": {APPEAL},
    "withdrawals list --all": {PAYEE},
    "refunds list --all": {ASKED_BACK},
    "rules list": set(),
    "audit": set(),
}


def test_a_command_says_of_people_what_its_decision_needs_and_no_more(app: Flask, alipay: Cashier) -> None:
    world = a_world(app)
    words = {word for word in MAY if word != EMAIL}
    for command, allowed in COMMANDS.items():
        line = command.format(enrolment=world.places["under way"]).split()
        result = app.test_cli_runner().invoke(args=line)
        assert result.exit_code == 0, result.output
        assert {word for word in words if word in result.output} == allowed, command
    assert_audit_clean()


# ---------------------------------------------------------------- when the database itself refuses

DRAFTS = "degree_registration_draft"
REFUSING = {
    "postgresql": (
        f"ALTER TABLE {DRAFTS} ADD CONSTRAINT canary CHECK (answers::text NOT LIKE '%{SALARY}%')",
        f"ALTER TABLE {DRAFTS} DROP CONSTRAINT canary",
    ),
    "sqlite": (
        f"CREATE TRIGGER canary BEFORE INSERT ON {DRAFTS} WHEN new.answers LIKE '%{SALARY}%' "
        "BEGIN SELECT RAISE(ABORT, 'canary'); END",
        "DROP TRIGGER canary",
    ),
}


@pytest.fixture
def refusing(app: Flask) -> Iterator[None]:
    """A database that finds something wrong with the row of a draft, as PostgreSQL then tells with the whole row."""
    begin, end = REFUSING[db.engine.dialect.name]

    def do(statement: str) -> None:
        with db.engine.begin() as connection:
            connection.execute(sa.text(statement))

    do(begin)
    yield
    db.session.remove()
    do(end)


def test_a_statement_that_fails_puts_nothing_of_its_row_into_the_log(app: Flask, refusing: None) -> None:
    student = a_student()
    enrolment = enrolled_in_degree(student, a_degree_with_homework())
    person = Person(app).sign_in(student.username)
    with watched(app) as seen:
        answer = person.post(f"/degrees/enrolments/{enrolment.id}/registration/draft", REGISTRATION)
    assert answer.status_code >= 500
    failure = [line for line in seen.lines if "canary" in line]
    assert failure, "the failure itself is logged"
    assert [line for line in seen.lines if SALARY in line or COMPANY in line] == []
    assert SALARY not in answer.text
