"""``flask nightly``: the 02:00 job by hand, with the nights that were missed (docs/operations.md)."""

from __future__ import annotations

from datetime import date, datetime

import click
from flask.cli import with_appcontext

from shop.services import nightly
from shop.services.nightly import Done


@click.command("nightly")
@click.option("--as-of", "day", type=click.DateTime(["%Y-%m-%d"]), help="The last night to work off; else the latest.")
@with_appcontext
def commands(day: datetime | None) -> None:
    """Work off every night up to now that is not finished: expiries, then the audit."""
    through: date = day.date() if day else nightly.latest_night()
    try:
        steps = nightly.run(through, _tell)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--as-of") from error
    except nightly.Elsewhere as error:
        raise click.ClickException("Another process is at work on it. Try again in half an hour.") from error
    click.echo(f"{steps} steps done." if steps else f"Every night up to {through} was finished before.")


def _tell(done: Done) -> None:
    counts = ", ".join(f"{number} {name}" for name, number in done.counts.items())
    click.echo(f"{done.night}  {done.step}: {counts or 'nothing to do'}")
