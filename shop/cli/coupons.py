"""``flask coupons grant COUPON_ID USERNAME...``: give a coupon to people by hand."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from shop import clock
from shop.errors import ClaimRefused, NotFound
from shop.services import coupons

commands = AppGroup("coupons", help="Coupons for people.")


@commands.command("grant")
@click.argument("coupon_id", type=click.IntRange(1, 2**31 - 1))
@click.argument("usernames", nargs=-1, required=True)
def grant(coupon_id: int, usernames: tuple[str, ...]) -> None:
    """Give coupon COUPON_ID to each USERNAME; who has it already keeps the one they have."""
    faults = [line for username in usernames if (line := _grant_one(coupon_id, username))]
    if faults:
        raise click.ClickException("\n".join(["", *faults]))


def _grant_one(coupon_id: int, username: str) -> str | None:
    """Say what happened to one person, or return what went wrong."""
    try:
        is_new = coupons.grant_by_name(username, coupon_id, clock.now())
    except LookupError:
        return f"{username}: there is no such account."
    except NotFound:
        return f"{username}: there is no coupon {coupon_id}."
    except ClaimRefused as refusal:
        return f"{username}: {refusal.message}"
    click.echo(f"{username}: {'got it.' if is_new else 'has it already.'}")
    return None
