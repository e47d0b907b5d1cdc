"""``flask withdrawals``: what mentors want paid, and the two staff people whom each payment needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup

from shop import clock
from shop.enums import WithdrawalState
from shop.errors import NotFound, NotYourTurn
from shop.money import to_yuan
from shop.services import accounts, clerks, withdrawals
from shop.services.audit_log import Actor
from shop.services.withdrawals import Case, NumberTaken

ACTOR = Actor("command line")
WHY_NOT = {
    "staff": "this account has no right to it: it takes somebody of finance.",
    "own": "nobody decides about their own.",
    "same": "you have approved it; somebody else has to pay.",
}

commands = AppGroup("withdrawals", help="Withdrawals of mentors: list, approve, pay, refuse.")
_id = click.argument("withdrawal_id", type=click.IntRange(1, 2**31 - 1), metavar="ID")
_by = click.option("--by", "username", required=True, metavar="USERNAME", help="The staff person who does it.")


@commands.command("list")
@click.option("--all", "is_all", is_flag=True, help="Those that are over, too.")
def list_withdrawals(is_all: bool) -> None:
    """Withdrawals that wait for somebody, oldest first, with their payees. The audit log keeps that they were shown."""
    found = withdrawals.for_staff(ACTOR, is_all=is_all)
    for case in found:
        click.echo(_line(case))
    click.echo(f"{len(found)} withdrawals.")


def _line(case: Case) -> str:
    parts = (
        str(case.id),
        f"{clock.local(case.requested_time):%Y-%m-%d %H:%M}",
        case.state.name.lower(),
        case.username,
        f"{case.amount} beli",
        f"{to_yuan(case.amount_fen)} yuan",
        f"to {case.payee_account} ({case.payee_name})",
        case.payment_number or "",
        " ".join(case.decision.split()),
    )
    return "  ".join(part for part in parts if part)


@commands.command("approve")
@_id
@_by
@click.option("--reason", required=True, help="Why. At most 255 characters.")
def approve(withdrawal_id: int, username: str, reason: str) -> None:
    """Approve the withdrawal ID; somebody else pays it."""
    _done(withdrawals.approve, withdrawal_id, username, reason=reason)
    click.echo(f"Withdrawal {withdrawal_id}: approved.")


@commands.command("pay")
@_id
@_by
@click.option("--number", required=True, help="Alipay's number of the transfer.")
def pay(withdrawal_id: int, username: str, number: str) -> None:
    """Write down that the withdrawal ID was paid at Alipay, by another person than has approved it."""
    _done(withdrawals.pay, withdrawal_id, username, payment_number=number)
    click.echo(f"Withdrawal {withdrawal_id}: paid.")


@commands.command("refuse")
@_id
@_by
@click.option("--reason", required=True, help="Why; the mentor reads it. At most 255 characters.")
def refuse(withdrawal_id: int, username: str, reason: str) -> None:
    """Refuse the withdrawal ID, also after it was approved; its 贝里 go back."""
    _done(withdrawals.refuse, withdrawal_id, username, reason=reason)
    click.echo(f"Withdrawal {withdrawal_id}: refused.")


def _done(step: Callable[..., Any], withdrawal_id: int, username: str, **how: str) -> None:
    try:
        actor = clerks.named(accounts.normal_username(username))
    except NotFound as error:
        raise click.ClickException(f"There is no active staff account named {username}.") from error
    try:
        step(withdrawal_id, actor=actor, **how)
    except NotFound as error:
        raise click.ClickException(f"There is no withdrawal {withdrawal_id}.") from error
    except NotYourTurn as error:
        raise click.ClickException(f"Withdrawal {withdrawal_id}: {_why_not(error)}") from error
    except NumberTaken as error:
        raise click.ClickException(f"Number {how['payment_number']} is noted for another withdrawal.") from error
    except ValueError as error:
        raise click.ClickException(f"{error}.") from error


def _why_not(error: NotYourTurn) -> str:
    why, state = str(error.facts["why"]), error.facts["state"]
    assert isinstance(state, int)
    return WHY_NOT.get(why) or f"it is {WithdrawalState(state).name.lower()}."
