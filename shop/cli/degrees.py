"""``flask degrees``: how a student's road stands, and what staff do to it: modules by hand, leave and return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup

from shop import clock
from shop.enums import ModuleStatus, StudyStatus
from shop.errors import NotFound, NotYourTurn
from shop.models import StudyRecord
from shop.services import leave, modules, road
from shop.services.audit_log import Actor

ACTOR = Actor("command line")
WHY_NOT = {
    "form": "its registration form is not filed yet.",
    "leave": "its student is on leave.",
    "ended": "its study has ended.",
    "open": "this module is open already.",
    "locked": "this module is not being studied.",
    "homework": "some homework of this module is not passed yet.",
    "state": "its study does not allow this now.",
    "over": "its last day has passed.",
    "days": "no days of leave are left.",
    "refund": "a refund of it is under way.",
}

commands = AppGroup("degrees", help="Degrees under way: the road, modules by hand, leave and return.")
_reason = click.option("--reason", required=True, help="Why, for the audit log. 1 to 255 characters.")
_enrolment = click.argument("enrolment_id", type=click.IntRange(1, 2**31 - 1), metavar="ENROLMENT")
_module = click.argument("module_id", type=click.IntRange(1, 2**31 - 1), metavar="MODULE")


@commands.command("show")
@_enrolment
def show(enrolment_id: int) -> None:
    """Where ENROLMENT stands: its state, its days, and its modules with their ids."""
    found = _decided(road.of_student, enrolment_id, clock.local_date(clock.now()))
    days = f"{found.begin_date} to {found.until_date}" if found.begin_date else "not begun"
    click.echo(f"{enrolment_id}  {found.name}  {found.status.name.lower()}  {days}  {_leave(found)}")
    for stage in found.stages:
        passed = f"{stage.passed} of {len(stage.tasks)} homework passed" if stage.tasks else "no homework"
        click.echo(f"  {stage.id}  {stage.status.name.lower()}  {stage.name}  {passed}")


def _leave(found: road.Road) -> str:
    if found.leave is None:
        return f"{found.leave_days} days of leave taken"
    return f"on leave since {found.leave.begin_date}, until {found.leave.return_date} at the latest"


@commands.command("open")
@_enrolment
@_module
@_reason
def open_module(enrolment_id: int, module_id: int, reason: str) -> None:
    """Open MODULE of ENROLMENT though the ones before it are not passed; those without homework are ended by it."""
    record = _decided(modules.open_by_staff, enrolment_id, module_id, actor=ACTOR, reason=reason)
    click.echo(f"Enrolment {enrolment_id}: module {module_id} is open since {record.open_date}.")


@commands.command("pass")
@_enrolment
@_module
@_reason
def pass_module(enrolment_id: int, module_id: int, reason: str) -> None:
    """End MODULE of ENROLMENT, which has nothing left to hand in, and go on to the next one or to graduation."""
    record: StudyRecord = _decided(modules.pass_by_staff, enrolment_id, module_id, actor=ACTOR, reason=reason)
    found = road.of_student(enrolment_id, clock.local_date(clock.now()))
    open_now = [stage.name for stage in found.stages if stage.status is ModuleStatus.STUDYING]
    then = "graduated" if found.status is StudyStatus.GRADUATED else f"open now: {', '.join(open_now) or 'nothing'}"
    click.echo(f"Enrolment {enrolment_id}: module {module_id} is done since {record.end_date}; {then}.")


@commands.command("leave")
@_enrolment
@_reason
def begin_leave(enrolment_id: int, reason: str) -> None:
    """Begin a leave of ENROLMENT now, for a student who cannot."""
    _decided(leave.begin_by_staff, enrolment_id, actor=ACTOR, reason=reason)
    click.echo(f"Enrolment {enrolment_id}: on leave.")


@commands.command("return")
@_enrolment
@_reason
def end_leave(enrolment_id: int, reason: str) -> None:
    """End the leave of ENROLMENT now; its days move what is due."""
    days = _decided(leave.end_by_staff, enrolment_id, actor=ACTOR, reason=reason)
    click.echo(f"Enrolment {enrolment_id}: back after {days} days.")


def _decided(decide: Callable[..., Any], enrolment_id: int, *arguments: Any, **how: Any) -> Any:
    try:
        return decide(enrolment_id, *arguments, **how)
    except NotFound as error:
        raise click.ClickException(f"There is no enrolment {enrolment_id}, or no such module in it.") from error
    except NotYourTurn as error:
        raise click.ClickException(
            f"Enrolment {enrolment_id}: {WHY_NOT[str(error.facts.get('why', 'refund'))]}"
        ) from error
    except ValueError as error:
        raise click.ClickException(f"{error}.") from error
