"""``flask payments``: money that waits for a person, and Alipay's bill of a day against the shop's books."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime

import click
from flask.cli import AppGroup

from shop import clock
from shop.errors import AnotherPerson, NotFound, NotYourTurn
from shop.models import ReconciliationDifference
from shop.money import to_yuan
from shop.services import payment, reconciliation, troubles
from shop.services.audit_log import Actor
from shop.services.payment import Answer
from shop.services.troubles import Case
from shop.wording import say

ACTOR = Actor("command line")
SAYS = {
    Answer.PAID: "paid, and booked.",
    Answer.UNPAID: "Alipay waits for the buyer.",
    Answer.NOT_EXIST: "nobody has begun to pay.",
    Answer.CLOSED: "closed without a payment, or refunded in full at Alipay.",
    Answer.MISFIT: "paid, but not what was asked for; see `flask payments list --trouble`.",
    Answer.UNKNOWN: "Alipay gave no answer that can be believed; ask again later.",
}

commands = AppGroup("payments", help="Payments, money without a home, Alipay's bills.")


@commands.command("list")
@click.option("--trouble", is_flag=True, required=True, expose_value=False, help="What waits for a person.")
def list_trouble() -> None:
    """Money that goes back, refunds that failed, and money that fits no order, oldest first."""
    found = troubles.cases()
    for case in found:
        click.echo(_case(case))
    click.echo(f"{len(found)} cases.")


def _case(case: Case) -> str:
    since = f"{clock.local(case.since):%Y-%m-%d %H:%M}"
    order = f"order {case.order_number}" if case.order_number else "no order"
    parts = (case.number, since, say(case.says, "en"), f"{to_yuan(case.amount_fen)} yuan", order, case.detail)
    return "  ".join(part for part in parts if part)


@commands.command("settle")
@click.argument("number", metavar="OUT_TRADE_NO")
@click.option("--reason", help="Also close what is open about it, because of this.")
def settle(number: str, reason: str | None) -> None:
    """Ask Alipay about an attempt now and book what it says; with a reason, close what people have settled."""
    answer = payment.ask(number)
    click.echo(f"{number}: {SAYS[answer]}")
    if reason:
        _close(number, reason)
    if answer is Answer.UNKNOWN and not reason:
        sys.exit(1)


def _close(number: str, reason: str) -> None:
    cases = troubles.open_of(number)
    try:
        for case in cases:
            troubles.close(case, actor=ACTOR, reason=reason)
    except NotYourTurn:
        raise click.ClickException(f"money that came for {number} is on its way back; wait for it.") from None
    click.echo(f"{len(cases)} cases closed.")


@commands.command("refund")
@click.argument("number", metavar="OUT_TRADE_NO")
@click.option("--reason", required=True, help="Why; kept with the refund.")
def refund(number: str, reason: str) -> None:
    """Send back odd money that came for an attempt: a wrong amount, or a second trade.

    Late and double money goes back by itself, a failed refund by `flask refunds retry`.
    """
    try:
        made = troubles.send_back(troubles.odd_money_of(number), actor=ACTOR, reason=reason)
    except NotFound:
        raise click.ClickException(f"no odd money came for {number}.") from None
    except AnotherPerson:
        raise click.ClickException("too much for a command: two of finance send it back at /staff/money.") from None
    except NotYourTurn:
        raise click.ClickException(f"the money that came for {number} is on its way back already.") from None
    click.echo(
        f"{made.out_request_no}: {to_yuan(made.amount_fen)} yuan; the job runner or `flask refunds send` sends it."
    )


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
