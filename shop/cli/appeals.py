"""``flask appeals``: what mentors appeal against, and the decisions of staff."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shop import clock
from shop.errors import NotFound, NotYourTurn, StaffOnly
from shop.services import accounts, appeals, clerks
from shop.services.appeals import Case
from shop.services.audit_log import Actor

ACTOR = Actor("command line")
WHY_NOT = {"decided": "is decided already.", "own": "is your own; somebody else has to decide it."}

commands = AppGroup("appeals", help="Appeals of mentors against penalties.")


@commands.command("list")
@click.option("--all", "is_all", is_flag=True, help="Those that are decided, too.")
def list_appeals(is_all: bool) -> None:
    """Appeals that wait for a decision, oldest first."""
    found = appeals.listed(is_all=is_all)
    for case in found:
        click.echo(_line(case))
    click.echo(f"{len(found)} appeals.")


def _line(case: Case) -> str:
    parts = (
        str(case.id),
        f"{clock.local(case.date):%Y-%m-%d %H:%M}",
        case.state.name.lower(),
        case.mentor,
        f"enrolment {case.enrolment_id}",
        f"{case.rule.name.lower()} {case.score} beli of {clock.local(case.record_time):%Y-%m-%d}",
        " ".join(case.content.split()),  # one line each
    )
    return "  ".join(parts)


@commands.command("decide")
@click.argument("appeal_id", type=click.IntRange(1, 2**31 - 1), metavar="ID")
@click.option("--upheld", "decision", flag_value="upheld", help="The mentor is right: the penalty is reversed.")
@click.option("--dismissed", "decision", flag_value="dismissed", help="The penalty stays.")
@click.option("--reason", required=True, help="Why; the mentor reads it. At most 255 characters.")
@click.option("--by", "username", default=None, metavar="USERNAME", help="The staff person who decides.")
def decide(appeal_id: int, decision: str | None, reason: str, username: str | None) -> None:
    """Decide the appeal ID."""
    if decision is None:  # a pair of flags with "required" would take silence for the second one
        raise click.UsageError("Say --upheld or --dismissed.")
    try:
        actor = clerks.named(accounts.normal_username(username)) if username is not None else ACTOR
    except NotFound as error:
        raise click.ClickException(f"There is no active staff account named {username}.") from error
    try:
        appeals.decide(appeal_id, upheld=decision == "upheld", actor=actor, reason=reason)
    except NotFound as error:
        raise click.ClickException(f"There is no appeal {appeal_id}.") from error
    except NotYourTurn as error:
        raise click.ClickException(f"Appeal {appeal_id} {WHY_NOT[str(error.facts['why'])]}") from error
    except StaffOnly as error:
        raise click.ClickException(f"{username} has no right to decide about appeals.") from error
    except ValueError as error:
        raise click.ClickException(f"{error}.") from error
    click.echo(f"Appeal {appeal_id}: {decision}.")
