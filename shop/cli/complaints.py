"""``flask complaints``: what students complain about, and the decisions of staff."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shop import clock
from shop.errors import NotFound, NotYourTurn
from shop.services import complaints
from shop.services.audit_log import Actor
from shop.services.complaints import Case

ACTOR = Actor("command line")

commands = AppGroup("complaints", help="Complaints of students about mentors.")


@commands.command("list")
@click.option("--all", "is_all", is_flag=True, help="Those that are decided, too.")
def list_complaints(is_all: bool) -> None:
    """Complaints that wait for a decision, oldest first."""
    found = complaints.listed(is_all=is_all)
    for case in found:
        click.echo(_line(case))
    click.echo(f"{len(found)} complaints.")


def _line(case: Case) -> str:
    parts = (
        str(case.id),
        f"{clock.local(case.date):%Y-%m-%d %H:%M}",
        case.state.name.lower(),
        f"{case.student} about {case.mentor}",
        f"enrolment {case.enrolment_id} ({case.degree})",
        " ".join(case.content.split()),  # one line each
    )
    return "  ".join(parts)


@commands.command("decide")
@click.argument("complaint_id", type=click.IntRange(1, 2**31 - 1), metavar="ID")
@click.option("--upheld", is_flag=True, help="The student is right: the mentor is fined.")
@click.option("--dismissed", is_flag=True, help="The mentor is not fined.")
@click.option("--reason", required=True, help="Why; the student reads it. At most 255 characters.")
def decide(complaint_id: int, upheld: bool, dismissed: bool, reason: str) -> None:
    """Decide the complaint ID: --upheld or --dismissed."""
    if upheld == dismissed:  # a pair of flags with "required" would take silence for the second one
        raise click.UsageError("Say either --upheld or --dismissed.")
    try:
        complaints.decide(complaint_id, upheld=upheld, actor=ACTOR, reason=reason)
    except NotFound as error:
        raise click.ClickException(f"There is no complaint {complaint_id}.") from error
    except NotYourTurn as error:
        raise click.ClickException(f"Complaint {complaint_id} is decided already.") from error
    except ValueError as error:
        raise click.ClickException(f"{error}.") from error
    click.echo(f"Complaint {complaint_id}: {'upheld' if upheld else 'dismissed'}.")
