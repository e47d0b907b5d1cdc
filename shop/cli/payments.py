"""``flask payments reconcile DATE``: Alipay's bill of a day against the shop's books."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime

import click
from flask.cli import AppGroup

from shop.models import ReconciliationDifference
from shop.money import to_yuan
from shop.services import reconciliation
from shop.wording import say

commands = AppGroup("payments", help="Payments and Alipay's bills.")


@commands.command("reconcile")
@click.argument("day", metavar="DATE", type=click.DateTime(["%Y-%m-%d"]))
def reconcile(day: datetime) -> None:
    """Compare Alipay's bill of DATE (YYYY-MM-DD, a day in Beijing that is over) with the shop, and heal what is safe.

    Fails with 1 when something is left to people, with 2 when there is no bill to compare with.
    """
    try:
        done = reconciliation.reconcile(day.date())
    except reconciliation.NotOver:
        raise click.BadParameter("that day is not over in Beijing: bills are made for past days.") from None
    except reconciliation.NoBill as error:
        click.echo(f"Error: {error}. Nothing was changed.", err=True)
        sys.exit(2)
    for difference in done.differences:
        click.echo(_line(difference))
    click.echo(f"Bill: {_totals(done.summary['bill'])}. Shop: {_totals(done.summary['shop'])}.")
    healed, left = done.summary["healed"], done.summary["open"]
    closed = len(done.differences) - healed - left
    click.echo(f"{done.bill_date}: {healed} healed, {closed} closed, {left} left to people.")
    if left:
        sys.exit(1)


def _line(difference: ReconciliationDifference) -> str:
    state = "HEALED" if difference.is_healed else "CLOSED" if difference.resolved_time else "LEFT"
    numbers = (difference.out_trade_no, difference.trade_no, difference.out_request_no)
    amounts = f"bill {_yuan(difference.bill_fen)}, shop {_yuan(difference.shop_fen)}"
    note = difference.resolution or difference.note
    texts = (say(difference.kind.chinese, "en"), amounts, *filter(None, numbers), say(note, "en") if note else "")
    return f"{state:8}{difference.kind.name:16}" + "; ".join(filter(None, texts))


def _yuan(fen: int | None) -> str:
    return "none" if fen is None else to_yuan(fen)


def _totals(totals: Mapping[str, int]) -> str:
    return (
        f"{totals['payments']} payments {to_yuan(totals['paid_fen'])},"
        f" {totals['refunds']} refunds {to_yuan(totals['refunded_fen'])}"
    )
