"""``flask refunds``: the decisions about refunds, and what the job runner does each minute, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from flask.cli import AppGroup

from shop import clock
from shop.enums import RefundState
from shop.errors import AnotherPerson, NotFound, NotRefundable, NotYourTurn, OwnCase, StaffOnly
from shop.models import Refund
from shop.money import to_yuan
from shop.services import clerks, refund_decisions, refunds
from shop.services.audit_log import Actor
from shop.services.refund_sending import Outcome

ACTOR = "command line"
SAYS = {
    Outcome.DONE: "the money is back.",
    Outcome.FAILED: "Alipay refused it; see `flask refunds list`.",
    Outcome.LATER: "on its way; `flask refunds send` asks again.",
    Outcome.SKIPPED: "not sent now: another call about this payment was made a moment ago, or it is not due.",
}

commands = AppGroup("refunds", help="Refunds: what waits, decisions, sending.")
_by = click.option("--by", default=None, help="User name of the staff member who decides; above the limit, required.")
_reason = click.option("--reason", required=True, help="Why; the student reads it. At most 255 characters.")


@commands.command("list")
@click.option("--all", "is_all", is_flag=True, help="Those that are over, too.")
def list_refunds(is_all: bool) -> None:
    """Refunds that wait for somebody or are on their way, oldest first."""
    found = refunds.listed(is_all=is_all)
    for refund in found:
        click.echo(_line(refund))
    click.echo(f"{len(found)} refunds.")


def _line(refund: Refund) -> str:
    asked = clock.local(refund.requested_time)
    parts = [
        refund.out_request_no,
        f"{asked:%Y-%m-%d %H:%M}",
        refund.state.name.lower(),
        refund.cause.name.lower(),
        _sum(refund),
        refund.reason,
        refund.error,
    ]
    return "  ".join(part for part in parts if part)


def _sum(refund: Refund) -> str:
    return f"{to_yuan(refund.amount_fen)} yuan  {refund.beli} beli"


@commands.command("approve")
@click.argument("number")
@_by
@_reason
def approve(number: str, by: str | None, reason: str) -> None:
    """Approve the refund NUMBER and send it to Alipay. A large one takes two persons."""
    refund = _decided(refund_decisions.approve, number, actor=_actor(by), reason=reason)
    if refund.state is RefundState.REQUESTED:
        click.echo(f"{number}: approved by one person; another one has to, too.")
        return
    if refund.state is RefundState.DONE:
        click.echo(f"{number}: approved and done; there was no cash to send.")
        return
    click.echo(f"{number}: approved; {SAYS[refunds.send(number)]}")


@commands.command("grant")
@click.argument("order_number")
@click.argument("product_id", type=click.IntRange(1, 2**31 - 1))
@_by
@_reason
def grant(order_number: str, product_id: int, by: str | None, reason: str) -> None:
    """Give the line PRODUCT_ID of ORDER_NUMBER back without a request of its owner.

    For a degree that has begun, and for what is past the days in which students may ask.
    """
    try:
        refund = refund_decisions.grant(order_number, product_id, actor=_actor(by), reason=reason)
    except NotFound as error:
        raise click.ClickException(f"There is no product {product_id} in an order {order_number}.") from error
    except (NotRefundable, OwnCase, AnotherPerson, StaffOnly, ValueError) as error:
        raise click.ClickException(_words(error)) from error
    number = refund.out_request_no
    if refund.state is RefundState.REQUESTED:
        click.echo(f"{number}: proposed, {_sum(refund)}; finance has to approve it, above the limit another person.")
        return
    if refund.state is RefundState.DONE:
        click.echo(f"{number}: granted and done; there was no cash to send.")
        return
    click.echo(f"{number}: granted, {_sum(refund)}; {SAYS[refunds.send(number)]}")


@commands.command("refuse")
@click.argument("number")
@_by
@_reason
def refuse(number: str, by: str | None, reason: str) -> None:
    """Refuse the refund NUMBER; access is back at once."""
    _decided(refund_decisions.refuse, number, actor=_actor(by), reason=reason)
    click.echo(f"{number}: refused.")


@commands.command("retry")
@click.argument("number")
def retry(number: str) -> None:
    """Send the failed refund NUMBER again, under its own number."""
    _decided(refund_decisions.retry, number, actor=_actor(None))
    click.echo(f"{number}: {SAYS[refunds.send(number)]}")


@commands.command("send")
def send() -> None:
    """Call or ask Alipay for every refund whose time has come."""
    counts = refunds.send_due()
    click.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + ".")


def _actor(username: str | None) -> Actor:
    if username is None:
        return Actor(ACTOR)
    try:
        return clerks.named(username)
    except NotFound as error:
        raise click.ClickException(f"There is no active staff account named {username}.") from error


def _decided(decide: Callable[..., Any], number: str, **how: Any) -> Any:
    try:
        return decide(number, **how)
    except NotFound as error:
        raise click.ClickException(f"There is no such refund: {number}.") from error
    except (OwnCase, AnotherPerson, StaffOnly) as error:
        raise click.ClickException(_words(error)) from error
    except NotYourTurn as error:
        state = error.facts.get("state")
        now = f" It is {RefundState(state).name.lower()}." if isinstance(state, int) else ""
        raise click.ClickException(f"{number} does not allow this now.{now}") from error
    except (NotRefundable, ValueError) as error:
        raise click.ClickException(_words(error)) from error


WORDS: dict[type[Exception], str] = {
    OwnCase: "Nobody decides about their own order.",
    AnotherPerson: "This takes another person: name one with --by who has neither proposed nor approved it.",
    StaffOnly: "This person has no right to decide about refunds.",
}


def _words(error: Exception) -> str:
    if isinstance(error, NotRefundable):
        return error.message
    return WORDS.get(type(error)) or f"{error}."
