"""Staff people as actors: who decides, by their account, and what their roles let them do."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from shop.enums import StaffRole
from shop.errors import NotFound
from shop.extensions import db
from shop.models import Account, StaffMember
from shop.rules import staff_rights
from shop.rules.staff_rights import Task
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


def roles_of(session: Session, account_id: int | None) -> frozenset[StaffRole]:
    """The roles of an active staff account; none for everybody else. One statement."""
    roles = select(StaffMember.role).join(Account, Account.id == StaffMember.account_id)
    return frozenset(session.scalars(roles.where(Account.id == account_id, IS_CLERK)))


def may(session: Session, actor: Actor, task: Task) -> bool:
    """Whether the actor is a person who may do this now; asked in the transaction that does it (safety.md F66)."""
    return actor.account_id is not None and staff_rights.may(roles_of(session, actor.account_id), task)
