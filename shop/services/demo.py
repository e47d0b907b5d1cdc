"""The demo: its catalogue and coupons by the ordinary import, and people to try the shop with (``demo/``).

Everything is safe to run twice: what is there stays as it is, and what an interrupted run left out is added.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop import clock
from shop.enums import Role, StaffRole, TransactionType
from shop.extensions import db, unit_of_work
from shop.models import Account, Coupon, CouponRecord, MentorGroup, StaffMember
from shop.services import coupons, demo_studies
from shop.services.catalogue_import import Outcome, Tally, import_catalogue
from shop.services.passwords import make_hash
from shop.services.wallet import move_beli
from shop.services.yaml_records import (
    Faults,
    FormatError,
    Key,
    Keys,
    Record,
    day,
    demand_unique,
    one_of,
    paragraphs,
    read_files,
    records,
    several_of,
    text,
    texts,
    whole,
    words_of,
)

FOLDER = Path(__file__).resolve().parents[2] / "demo"
NOON = timedelta(hours=12)

GIFT: Keys = {
    "amount": Key(whole(1, 1_000_000), required=True),
    "memo": Key(text(128), required=True),
    "day": Key(day, required=True),
}
CLAIM: Keys = {"coupon": Key(text(64), required=True), "day": Key(day, required=True)}
ACCOUNT: Keys = {
    "username": Key(text(64), required=True),
    "password": Key(text(128), required=True),
    "name": Key(text(32), required=True),
    "email": Key(text(254), required=True),
    "role": Key(one_of(words_of(Role))),
    "staff": Key(several_of(words_of(StaffRole))),
    "signature": Key(text(255)),
    "brief": Key(paragraphs(1024)),
    "joined": Key(day),
    "shows": Key(text(60), required=True),
    "beli": Key(records(GIFT)),
    "coupons": Key(records(CLAIM, unique=("coupon",))),
    "studies": Key(records(demo_studies.STUDY, unique=("degree",))),
}
GROUP: Keys = {
    "name": Key(text(64), required=True),
    "brief": Key(paragraphs(1024)),
    "mentors": Key(texts(64), required=True),
}
PEOPLE: Keys = {
    "accounts": Key(records(ACCOUNT, unique=("username", "email")), required=True),
    "mentor_groups": Key(records(GROUP, unique=("name",))),
}


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody to log in as; shows says in a few Chinese words what for."""

    username: str
    password: str
    shows: str


def logins() -> list[Login]:
    """Everybody of the demo, in the order of the file. Raises FormatError."""
    people = _read_people(clock.local_date(clock.now()))
    return [Login(record["username"], record["password"], record["shows"]) for record in people.records("accounts")]


def load(now: datetime) -> Tally:
    """Bring the demo into the shop; returns what became of every row. Raises FormatError before anything is written."""
    today = clock.local_date(now)
    people = _read_people(today)
    tally = import_catalogue(FOLDER / "catalogue", today=today)
    with unit_of_work() as session:
        for record in people.records("accounts"):
            _account(session, record, now, tally)
        for record in people.records("mentor_groups"):
            _mentor_group(session, record, tally)
    for record in people.records("accounts"):
        _claims(record, now, tally)
    for record in people.records("accounts"):
        for study in record.records("studies"):
            demo_studies.study(record["username"], study, now, tally)
    return tally


def _read_people(today: date) -> Record:
    faults = Faults()
    found = read_files([FOLDER / "accounts.yaml"], PEOPLE, today, faults)
    for people in found:
        demand_unique(people.records("accounts"), "username", faults)
    if faults.found:
        raise FormatError(faults)
    return found[0]


def _account(session: Session, record: Record, now: datetime, tally: Tally) -> None:
    """A person who is there keeps password and 贝里 as they are now."""
    account = session.scalar(select(Account).where(Account.username == record["username"]))
    if account is not None:
        tally.note("accounts", account, Outcome.UNCHANGED)
        return
    account = Account(
        **record.picked("username", "name", "email", "role", "signature", "brief"),
        is_staff="staff" in record,
        password=make_hash(record["password"]),
        uid=secrets.token_hex(16),
        date_joined=_noon(record["joined"], now) if "joined" in record else now,
    )
    session.add(account)
    session.flush()
    session.add_all(StaffMember(account_id=account.id, role=role) for role in record.get("staff", ()))
    tally.note("accounts", account, Outcome.CREATED)
    for gift in record.records("beli"):
        move = move_beli(session, account.id, TransactionType.INCOME, gift["amount"], memo=gift["memo"])
        move.date = _noon(gift["day"], now)
        tally.note("贝里 records", move, Outcome.CREATED)


def _noon(day: date, now: datetime) -> datetime:
    """Noon of a day, but never after now."""
    return min(clock.start_of_day(day) + NOON, now)


def _mentor_group(session: Session, record: Record, tally: Tally) -> None:
    group = session.scalar(select(MentorGroup).where(MentorGroup.name == record["name"]))
    if group is not None:
        tally.note("mentor groups", group, Outcome.UNCHANGED)
        return
    names = [name for name, _ in record["mentors"]]
    mentors = session.scalars(select(Account).where(Account.username.in_(names), Account.role == Role.MENTOR)).all()
    group = MentorGroup(**record.picked("name", "brief"), mentors=list(mentors))
    session.add(group)
    tally.note("mentor groups", group, Outcome.CREATED)


def _claims(record: Record, now: datetime, tally: Tally) -> None:
    for claim in record.records("coupons"):
        account_id, coupon_id, has_it = _claim_of(record["username"], claim["coupon"])
        if not has_it:
            coupons.grant(account_id, coupon_id, _noon(claim["day"], now))
        outcome = Outcome.UNCHANGED if has_it else Outcome.CREATED
        tally.note("coupons claimed", (account_id, coupon_id), outcome)


def _claim_of(username: str, coupon: str) -> tuple[int, int, bool]:
    """The ids of a person and a coupon, and whether the one has the other."""
    account_id = db.session.scalars(select(Account.id).where(Account.username == username)).one()
    coupon_id = db.session.scalars(select(Coupon.id).where(Coupon.name == coupon)).one()
    owned = select(CouponRecord.id).where(CouponRecord.account_id == account_id, CouponRecord.coupon_id == coupon_id)
    return account_id, coupon_id, db.session.scalar(owned) is not None
