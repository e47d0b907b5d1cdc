"""How the shop itself fares: jobs, nights, the last audit, and letters that did not go out, to be sent once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from shop import clock
from shop.enums import MailState
from shop.errors import NotFound, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import AuditRun, JobRun, Mail, NightlyRun
from shop.rules.staff_rights import Task
from shop.services import audit, audit_log, clerks, job_runs
from shop.services.audit_log import Actor
from shop.services.job_list import JOBS
from shop.services.withdrawals import masked

NIGHTS = 14
LETTERS = 200
STUCK = (MailState.FAILED, MailState.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that waits for a person; its address is masked, its text not shown."""

    id: int
    address: str
    state: MailState
    tries: int
    created_time: datetime
    error: str


def jobs() -> Sequence[JobRun]:
    """Those that failed last first."""
    return db.session.scalars(select(JobRun).order_by((JobRun.error == ""), JobRun.name)).all()


def nights() -> Sequence[NightlyRun]:
    return db.session.scalars(select(NightlyRun).order_by(NightlyRun.night.desc()).limit(NIGHTS)).all()


def last_audit() -> AuditRun | None:
    return db.session.scalars(select(AuditRun).order_by(AuditRun.id.desc()).limit(1)).first()


def letters() -> list[Letter]:
    """What could not be sent, or may have been sent, the oldest first."""
    rows = db.session.scalars(select(Mail).where(Mail.state.in_(STUCK)).order_by(Mail.id).limit(LETTERS))
    return [
        Letter(row.id, masked(row.address), row.state, row.tries, row.created_time, row.error.partition(" ")[0][:40])
        for row in rows
    ]


def run_job(name: str, *, actor: Actor) -> bool:
    """Run a job once, now; whether it was good. Raises NotFound for a name that is none, StaffOnly."""
    if name not in JOBS:
        raise NotFound
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.SYSTEM):
            raise StaffOnly
        audit_log.record(session, actor, "job_run by hand", JobRun(name=name), after={"name": name})
    return job_runs.run(name, JOBS[name])


def audit_now(*, actor: Actor) -> int:
    """Ask the whole database once more whether everything holds; how many findings there are. Raises StaffOnly."""
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.AUDIT_FINDINGS):
            raise StaffOnly
    audit.store()
    with unit_of_work() as session:
        row = session.scalars(select(AuditRun).order_by(AuditRun.id.desc()).limit(1)).one()
        audit_log.record(session, actor, "audit_run by hand", row, after={"findings": len(row.findings)})
        return len(row.findings)


def send_again(letter_id: int, *, actor: Actor, reason: str) -> None:
    """Let the job try once more from the beginning.

    Raises NotFound for one that does not wait; StaffOnly, ValueError without a reason.
    """
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.SYSTEM):
            raise StaffOnly
        row = session.get(Mail, letter_id, with_for_update=True)
        if row is None or row.state not in STUCK:
            raise NotFound
        before = row.state
        row.state, row.tries, row.next_try_time, row.error = MailState.WAITING, 0, clock.now(), ""
        audit_log.record(
            session, actor, "mail send again", row, before={"state": int(before)}, after={"state": 0}, reason=reason
        )


def give_up(letter_id: int, *, actor: Actor, reason: str) -> None:
    """Nobody needs it any more: it is removed. Raises NotFound for one that does not wait; StaffOnly, ValueError."""
    reason = audit_log.checked_reason(reason)
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.SYSTEM):
            raise StaffOnly
        row = session.get(Mail, letter_id, with_for_update=True)
        if row is None or row.state not in STUCK:
            raise NotFound
        audit_log.record(session, actor, "mail give up", row, before={"state": int(row.state)}, reason=reason)
        session.delete(row)
