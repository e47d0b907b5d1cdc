"""Who waits for whom: every use case that touches an account's money, coupons or access locks the account first.

One order of locks everywhere (account, then order) means that two use cases can wait but never deadlock. SQLite has no
row locks: there the whole write transaction is the lock (``shop.extensions.unit_of_work``).
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.models import Account, Order


def lock_account(session: Session, account_id: int) -> int:
    """The account's balance in 贝里; nobody else changes it before this transaction ends. Raises NoResultFound."""
    return session.scalars(select(Account.balance).where(Account.id == account_id).with_for_update()).one()


def lock_order(session: Session, order_id: int) -> Order:
    """The order as it is now, locked behind its account. Raises NoResultFound."""
    lock_account(session, session.scalars(select(Order.account_id).where(Order.id == order_id)).one())
    return session.scalars(
        select(Order).where(Order.id == order_id).with_for_update().execution_options(populate_existing=True)
    ).one()
