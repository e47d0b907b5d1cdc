"""Mentors by name, as colleagues know them."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from shop.extensions import db
from shop.models import Account


def names_of(account_ids: Iterable[int | None]) -> dict[int, str]:
    """The name and the user name, which tells two of one name apart; one statement."""
    ids = [account_id for account_id in account_ids if account_id is not None]
    rows = db.session.execute(select(Account.id, Account.name, Account.username).where(Account.id.in_(ids)))
    return {id_: f"{name} · {username}" if name else username for id_, name, username in rows}
