"""``flask mentors``: the forms that wait for a mentor, how much each mentor has to do, and who gets whom."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shop import clock
from shop.errors import NotFound, NotYourTurn
from shop.services import accounts, assignment
from shop.services.assignment import MentorLoad, WaitingForm
from shop.services.audit_log import Actor

ACTOR = Actor("command line")
WHY_NOT = {
    "ended": "its study has ended, or a refund of it is under way.",
    "form": "its registration form is not filed yet.",
    "self": "nobody is their own mentor.",
    "same": "has this mentor already.",
    "changed": "somebody else has assigned it meanwhile; look again.",
    "frozen": "an appeal or a complaint about its mentor waits. Decide that first: a change moves the fee away.",
}

commands = AppGroup("mentors", help="Mentors: forms waiting, loads, assigning.")


@commands.command("waiting")
def waiting() -> None:
    """Filed forms without a mentor, oldest first, with the mentor whom the student wished for."""
    found = assignment.waiting()
    for form in found:
        click.echo(_form(form))
    click.echo(f"{len(found)} forms wait.")


def _form(form: WaitingForm) -> str:
    parts = [
        str(form.enrolment_id),
        f"{clock.local(form.filed_time):%Y-%m-%d %H:%M}",
        f"{form.username} ({form.name})" if form.name else form.username,
        form.degree,
        f"wishes for {form.wished_mentor}" if form.wished_mentor else "no wish",
        "refund under way" if form.is_suspended else "",
    ]
    return "  ".join(part for part in parts if part)


@commands.command("list")
def list_mentors() -> None:
    """Every mentor with students and with what waits for them, the least loaded first."""
    found = assignment.mentors()
    for mentor in found:
        click.echo(_mentor(mentor))
    click.echo(f"{len(found)} mentors.")


def _mentor(mentor: MentorLoad) -> str:
    name = f"{mentor.username} ({mentor.name})" if mentor.name else mentor.username
    return f"{name}  {mentor.students} students  {mentor.homework} to grade  {mentor.questions} to answer"


@commands.command("assign")
@click.argument("enrolment_id", type=click.IntRange(1, 2**31 - 1), metavar="ENROLMENT")
@click.argument("username", metavar="MENTOR")
@click.option("--reason", default="", help="Why; a change of mentor needs it. At most 255 characters.")
def assign(enrolment_id: int, username: str, reason: str) -> None:
    """Give ENROLMENT the mentor of this user name, or another one than it has."""
    name = accounts.normal_username(username)
    try:
        mentor_id = assignment.mentor_named(name)
    except NotFound as error:
        raise click.ClickException(f"There is no mentor named {name}.") from error
    try:
        before = assignment.mentor_of(enrolment_id)
        enrolment = assignment.assign(enrolment_id, mentor_id, actor=ACTOR, reason=reason, instead_of=before)
    except NotFound as error:
        raise click.ClickException(f"There is no enrolment {enrolment_id}.") from error
    except NotYourTurn as error:
        raise click.ClickException(f"Enrolment {enrolment_id}: {WHY_NOT[str(error.facts['why'])]}") from error
    except ValueError as error:
        raise click.ClickException(f"{error}.") from error
    click.echo(f"Enrolment {enrolment_id}: {name} is the mentor, with {enrolment.mentor_fee_balance} beli of fee.")
