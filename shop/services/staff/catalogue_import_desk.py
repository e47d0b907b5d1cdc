"""A file for the catalogue, first looked at, then applied: exactly what was shown, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext
from sqlalchemy import null
from sqlalchemy.orm import Session

from shop import clock
from shop.errors import ShopError
from shop.extensions import redis, unit_of_work
from shop.gateways import import_store
from shop.gateways.import_store import KeptFile
from shop.models import Coupon, CourseSchedule, StudyRecord
from shop.services import audit_log
from shop.services.audit_log import Actor
from shop.services.catalogue_format import Catalogue, read_one_text
from shop.services.catalogue_import import Outcome, Tally, called, write_catalogue
from shop.services.staff.catalogue_edit import change
from shop.services.staff.catalogue_kinds import kept
from shop.services.yaml_records import Faults, FormatError

LARGEST = 4 * 1024 * 1024  # bytes
MOST_SHOWN = 500  # differences on a page; all of them count
CONSEQUENCES = (StudyRecord, CourseSchedule)  # rows that follow from others and need no audit row


class FileGone(ShopError):
    text = lazy_gettext("这个文件已经过期，或者您后来又上传了别的文件。请重新上传。")


class OtherOutcome(ShopError):
    """The database has changed since the file was looked at."""

    text = lazy_gettext("您检查这个文件以后，课程数据有了变化，什么都没有导入。下面是现在的差别，请核对后再确认。")

    def __init__(self, rehearsal: Rehearsal) -> None:
        super().__init__()
        self.rehearsal = rehearsal


@dataclass(frozen=True, slots=True)
class Difference:
    """What would become of one row: its kind, its name inside of what, and what changes of it."""

    kind: str
    path: tuple[str, ...]
    outcome: Outcome
    changes: Sequence[tuple[str, Any, Any]] = ()  # column, old, new, as values without rows behind them


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a file would do. With faults it does nothing; without a difference there is nothing to apply."""

    name: str
    token: str = ""
    differences: Sequence[Difference] = ()
    counts: Sequence[tuple[str, int, int, int]] = ()  # kind; created, updated, unchanged
    faults: Sequence[str] = field(default_factory=list)

    @property
    def shown(self) -> Sequence[Difference]:
        return self.differences[:MOST_SHOWN]

    @property
    def drafts(self) -> int:
        """Campaigns: what is published already is not changed by a file."""
        return sum(difference.kind == "coupons" for difference in self.differences)


def rehearse(name: str, content: bytes, *, account_id: int, media_origins: Collection[str]) -> Rehearsal:
    """Look at a file without writing anything; what can be applied is kept for half an hour."""
    today = clock.local_date(clock.now())
    try:
        with unit_of_work() as session:
            tally = _written(session, name, content, today, media_origins)
            differences, counts = _differences(tally), _counts(tally)
            session.rollback()
    except FormatError as error:
        return Rehearsal(name, faults=error.lines)
    if not differences:
        return Rehearsal(name, counts=counts)
    file = KeptFile(name, content.decode("utf-8"), today, _digest(differences))
    return Rehearsal(name, import_store.keep(redis(), account_id, file), differences, counts)


def apply(token: str, *, actor: Actor, media_origins: Collection[str]) -> Rehearsal:
    """Write what was shown; what was written. Raises FileGone, OtherOutcome, StaffOnly, FormatError."""
    assert actor.account_id is not None
    file = import_store.find(redis(), actor.account_id, token)
    if file is None:
        raise FileGone
    content = file.content.encode()
    try:
        with change(actor) as session:
            tally = _written(session, file.name, content, file.today, media_origins)
            differences, counts = _differences(tally), _counts(tally)
            if _digest(differences) != file.digest:
                raise _Other
            _record(session, tally, actor, file.name)
    except (_Other, FormatError) as error:
        again = rehearse(file.name, content, account_id=actor.account_id, media_origins=media_origins)
        raise OtherOutcome(again) from error
    import_store.forget(redis(), actor.account_id)
    return Rehearsal(file.name, differences=differences, counts=counts)


class _Other(Exception):
    pass


def _written(session: Session, name: str, content: bytes, today: date, media_origins: Collection[str]) -> Tally:
    faults = Faults()
    catalogue = read_one_text(name, content, today, faults)
    tally = write_catalogue(session, catalogue, media_origins, faults)
    _hold_campaigns(session, catalogue, tally, faults)
    return tally


def _hold_campaigns(session: Session, catalogue: Catalogue, tally: Tally, faults: Faults) -> None:
    """New campaigns become drafts: what gives money away is published and changed on its own page, with a reason.

    Raises FormatError for a file that would do so.
    """
    rows = {row.name: row for row in tally.outcomes.get("coupons", {})}
    codes = tally.outcomes.get("coupon codes", {}).items()
    new_codes = {row.code for row, outcome in codes if outcome is Outcome.CREATED}
    for record in catalogue.coupons:
        row = rows[record["name"]]
        outcome = tally.outcomes["coupons"][row]
        if outcome is Outcome.UPDATED:
            page = f"/staff/coupons/{row.id}"
            faults.add(record.place, _("%(name)r 已经发布：请在它的页面上修改，%(page)s", name=row.name, page=page))
        if any(code in new_codes for code, _place in record.get("codes", [])):
            faults.add(record.place_of("codes"), _made_on_its_page(row, outcome))
        if outcome is Outcome.CREATED:
            row.enabled, row.published_time = False, null()  # None would take the column's default, now
            tally.note("coupons", row, outcome, {"enabled": (None, False)})
    if faults.found:
        raise FormatError(faults)
    session.flush()


def _made_on_its_page(row: Coupon, outcome: Outcome) -> str:
    if outcome is Outcome.CREATED:
        return str(_("%(name)r 的优惠码要等活动进行时在它的页面上生成", name=row.name))
    page = f"/staff/coupons/{row.id}/codes"
    return str(_("%(name)r 的优惠码要在活动进行时在它的页面上生成：%(page)s", name=row.name, page=page))


# ---------------------------------------------------------------- told


def _differences(tally: Tally) -> list[Difference]:
    return [
        Difference(kind, tally.paths[row], outcome, _changes(tally.changes.get(row, {})))
        for kind, rows in tally.outcomes.items()
        for row, outcome in rows.items()
        if outcome is not Outcome.UNCHANGED
    ]


def _changes(changes: dict[str, tuple[Any, Any]]) -> list[tuple[str, Any, Any]]:
    """Without what is another one each time: the moment of publishing, and the id of a degree that is new as well."""
    return [
        (column, _bare(old), _bare(new))
        for column, (old, new) in changes.items()
        if column != "degree_course_id" and not isinstance(new, datetime)
    ]


def _bare(value: Any) -> Any:
    """A value that outlives its transaction: of a row its name."""
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return called(value) if hasattr(value, "__table__") else value


def _counts(tally: Tally) -> list[tuple[str, int, int, int]]:
    outcomes = (Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED)
    return [(kind, *(tally.count(kind, outcome) for outcome in outcomes)) for kind in tally.outcomes]  # type: ignore[misc]


def _digest(differences: Sequence[Difference]) -> str:
    """Of everything that is shown, and of the whole values."""
    return hashlib.sha256(repr(differences).encode()).hexdigest()


def _record(session: Session, tally: Tally, actor: Actor, name: str) -> None:
    for rows in tally.outcomes.values():
        for row, outcome in rows.items():
            if outcome is Outcome.UNCHANGED or isinstance(row, CONSEQUENCES):
                continue
            changes = _changes(tally.changes.get(row, {}))
            before = kept({column: old for column, old, _new in changes}) if outcome is Outcome.UPDATED else None
            after = kept({column: new for column, _old, new in changes})
            audit_log.record(
                session, actor, f"{row.__tablename__} import", row, before=before, after=after, reason=name[:64]
            )
