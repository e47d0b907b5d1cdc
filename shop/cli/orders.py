"""``flask orders expire``: what the job runner does each minute, by hand."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shop.services import orders

commands = AppGroup("orders", help="Orders.")


@commands.command("expire")
def expire() -> None:
    """End unpaid orders whose time is over; asks Alipay about each first."""
    counts = orders.expire_due()
    click.echo("{ended} ended, {left} left because Alipay gave no answer or they were paid.".format(**counts))
