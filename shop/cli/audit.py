"""``flask audit``: everything that must always hold, checked on the whole database (docs/operations.md)."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from shop import clock
from shop.services import audit


@click.command("audit")
@with_appcontext
def commands() -> None:
    """Check what must always hold: one line per rule, with the rows that break it. Fails when one is broken."""
    failed = total = 0
    with audit.reading() as session:
        for check, finding in audit.steps(session):
            total += 1
            if finding is None:
                click.echo(f"OK      {check.name}")
            else:
                failed += 1
                click.echo(f"FAILED  {check.name}: {finding.rows} ({check.says})")
        for notice in audit.notices(session, clock.now()):
            click.echo(f"NOTICE  {notice.name}: {notice.rows} ({notice.says})")
    if failed:
        raise click.ClickException(f"{failed} of {total} checks failed.")
    click.echo(f"All {total} checks hold.")
