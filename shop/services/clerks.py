"""Staff people as actors: who decides, by their account."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from shop.errors import NotFound
from shop.extensions import db
from shop.models import Account
from shop.services.audit_log import Actor

IS_CLERK: ColumnElement[bool] = Account.is_staff & Account.is_active


def named(username: str) -> Actor:
    """The active staff account of this name. Raises NotFound."""
    found = db.session.execute(
        select(Account.username, Account.id).where(Account.username == username, IS_CLERK)
    ).one_or_none()
    if found is None:
        raise NotFound
    return Actor(*found)


def is_one(session: Session, actor: Actor) -> bool:
    """Whether the actor is a person who works here now: not a job, nor somebody who has left (safety.md F66)."""
    mine = exists().where(Account.id == actor.account_id, IS_CLERK)
    return actor.account_id is not None and bool(session.scalar(select(mine)))
