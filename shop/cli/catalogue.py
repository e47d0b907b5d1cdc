"""``flask catalogue import FILE``: courses, degrees, teachers and coupons out of YAML (docs/catalogue-format.md)."""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup
from flask_babel import force_locale

from shop import clock
from shop.services.catalogue_import import import_catalogue
from shop.services.yaml_records import FormatError

commands = AppGroup("catalogue", help="Courses, degrees, teachers and coupons.")


@commands.command("import")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@force_locale("en")
def import_file(file: Path) -> None:
    """Import a YAML FILE, or all *.yaml files of a folder: everything or, with any fault, nothing."""
    today = clock.local_date(clock.now())
    try:
        tally = import_catalogue(file, today=today, media_origins=current_app.extensions["settings"].media_origins)
    except FileNotFoundError as error:
        raise click.ClickException(str(error)) from None
    except FormatError as error:
        raise refusal(error) from None
    for line in tally.lines:
        click.echo(line)


def refusal(error: FormatError) -> click.ClickException:
    """Every fault on a line of its own, then how many there are."""
    count = "1 fault" if len(error.lines) == 1 else f"{len(error.lines)} faults"
    return click.ClickException("\n".join(["", *error.lines, f"{count}; nothing was imported."]))
