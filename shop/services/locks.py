"""Who waits for whom: every use case that touches an account's money, coupons or access locks the account first.

One order of locks everywhere (account, then order) means that two use cases can wait but never deadlock. SQLite has no
row locks: there the whole write transaction is the lock (``shop.extensions.unit_of_work``).
"""

from __future__ import annotations

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from shop.models import Account, Order

_account = Account.__table__.c
# NO KEY UPDATE: whoever holds an enrolment may write a message to an account whose payer waits for that enrolment.
_LOCKED = select(_account.balance).where(_account.id == bindparam("id")).with_for_update(key_share=True)


CATALOGUE = 20_050  # the number of PostgreSQL's lock that whoever changes the catalogue takes first


def lock_catalogue(session: Session) -> None:
    """Nobody else changes courses, degrees, plans or teachers before this transaction ends; taken before other locks.

    Changes are few, and what one of them is judged by (names, order, what is complete) lies in many rows.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(CATALOGUE)))


def lock_account(session: Session, account_id: int) -> int:
    """The account's balance in 贝里; nobody else changes it before this transaction ends. Raises NoResultFound."""
    return session.scalars(_LOCKED, {"id": account_id}).one()


def lock_order(session: Session, order_id: int, account_id: int | None = None) -> Order:
    """The order as it is now, locked behind its account (looked up unless it is given). Raises NoResultFound."""
    if account_id is None:
        account_id = session.scalars(select(Order.account_id).where(Order.id == order_id)).one()
    lock_account(session, account_id)
    return session.scalars(
        select(Order).where(Order.id == order_id).with_for_update().execution_options(populate_existing=True)
    ).one()
