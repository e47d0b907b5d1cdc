"""``flask registrations``: the registration forms of degrees, as staff handle them."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shop.cli import mentors
from shop.errors import NotFound, NotYourTurn
from shop.services import registration
from shop.services.audit_log import Actor

ACTOR = Actor("command line")

commands = AppGroup("registrations", help="Registration forms of degrees.")
commands.add_command(mentors.waiting)  # who reads forms looks for them here, who assigns mentors there


@commands.command("reopen")
@click.argument("enrolment", type=click.IntRange(1, 2**31 - 1))
@click.option("--reason", required=True, help="What to correct; the student reads it.")
def reopen(enrolment: int, reason: str) -> None:
    """Let the student of ENROLMENT correct the form and file it again."""
    try:
        registration.reopen(enrolment, actor=ACTOR, reason=reason)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--reason") from error
    except NotFound:
        raise click.ClickException(f"no form is filed for enrolment {enrolment}.") from None
    except NotYourTurn:
        raise click.ClickException("it is open already, the study has ended, or a refund is under way.") from None
    click.echo(f"The form of enrolment {enrolment} is open again; the student has been told.")
