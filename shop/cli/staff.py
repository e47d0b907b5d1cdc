"""``flask staff create``: the first administrator of a new shop."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shop.services import accounts, passwords

commands = AppGroup("staff", help="Staff accounts.")


@commands.command("create")
@click.argument("username")
@click.option("--email", default=None, help="Address of the new account.")
@click.password_option(help="Asked for when left out, so that it stays out of the shell's history.")
def create(username: str, email: str | None, password: str) -> None:
    """Create the administrator USERNAME."""
    name = accounts.normal_username(username)
    if not accounts.USERNAME.fullmatch(name):
        raise click.ClickException("A user name has 2 to 32 letters, digits, underscores or Chinese characters.")
    if not passwords.SHORTEST <= len(password) <= passwords.LONGEST:
        raise click.ClickException(f"A password has {passwords.SHORTEST} to {passwords.LONGEST} characters.")
    if passwords.is_easy(password, name):
        raise click.ClickException("This password is too common.")
    try:
        person = accounts.create_staff(name, email.lower() if email else None, password)
    except accounts.UsernameTaken as error:
        raise click.ClickException(f"There is an account named {name} already.") from error
    click.echo(f"Created administrator {person.username} with id {person.id}.")
