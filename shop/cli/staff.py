"""``flask staff``: the first administrator of a new shop, and the way back in for one who lost the second factor."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shop.enums import StaffRole
from shop.errors import NotFound
from shop.services import accounts, clerks, passwords, second_factor
from shop.services.audit_log import Actor

commands = AppGroup("staff", help="Staff accounts.")


@commands.command("create")
@click.argument("username")
@click.option("--email", default=None, help="Address of the new account.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.name.lower() for role in StaffRole]),
    default=["admin"],
    show_default=True,
    help="What the account may do; may be given several times.",
)
@click.password_option(help="Asked for when left out, so that it stays out of the shell's history.")
def create(username: str, email: str | None, roles: tuple[str, ...], password: str) -> None:
    """Create the staff account USERNAME. It sets up its second factor when it logs in first."""
    name = accounts.normal_username(username)
    if not accounts.USERNAME.fullmatch(name):
        raise click.ClickException("A user name has 2 to 32 letters, digits, underscores or Chinese characters.")
    if not passwords.SHORTEST <= len(password) <= passwords.LONGEST:
        raise click.ClickException(f"A password has {passwords.SHORTEST} to {passwords.LONGEST} characters.")
    if passwords.is_easy(password, name):
        raise click.ClickException("This password is too common.")
    try:
        person = accounts.create_staff(
            name, email.lower() if email else None, password, [StaffRole[role.upper()] for role in roles]
        )
    except accounts.UsernameTaken as error:
        raise click.ClickException(f"There is an account named {name} already.") from error
    click.echo(f"Created staff account {person.username} ({', '.join(roles)}) with id {person.id}.")


@commands.command("forget-second-factor")
@click.argument("username")
@click.option("--reason", required=True, help="Why; kept in the audit log. At most 255 characters.")
def forget_second_factor(username: str, reason: str) -> None:
    """Let USERNAME set up a new second factor at the next log-in: phone and recovery codes are lost."""
    try:
        second_factor.drop(clerks.named(username).account_id or 0, actor=Actor("command line"), reason=reason)
    except NotFound as error:
        raise click.ClickException(f"There is no active staff account named {username}.") from error
    except ValueError as error:
        raise click.ClickException(f"{error}.") from error
    click.echo(f"{username} sets up a new second factor at the next log-in.")
