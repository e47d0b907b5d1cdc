"""``flask demo load``: the demo's catalogue, coupons and people; ``flask demo logins`` shows who can log in."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup
from flask_babel import force_locale

from shop import clock
from shop.cli.catalogue import refusal
from shop.services import demo
from shop.services.yaml_records import FormatError

commands = AppGroup("demo", help="Data to try the shop with; never in production.")


@commands.command("load")
@force_locale("en")
def load() -> None:
    """Load the demo data. A second run changes nothing."""
    if current_app.extensions["settings"].is_production:
        raise click.ClickException("The demo's passwords are known to everybody: it is not loaded into production.")
    try:
        tally = demo.load(clock.now())
    except FormatError as error:
        raise refusal(error) from None
    for line in tally.lines:
        click.echo(line)


@commands.command("logins")
def logins() -> None:
    """Show the people of the demo and their passwords."""
    for line in login_lines():
        click.echo(line)


def login_lines() -> list[str]:
    """One line per person: user name, password, what to see with it."""
    return [f"{login.username:<10} {login.password:<16} {login.shows}" for login in demo.logins()]
