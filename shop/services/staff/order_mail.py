"""What the buyer was told about an order, and telling it again to somebody who has not seen it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select

from shop.errors import NotFound, StaffOnly
from shop.extensions import db, unit_of_work
from shop.models import Notification, Order
from shop.rules.staff_rights import Task
from shop.services import audit_log, clerks, messages
from shop.services.audit_log import Actor

MOST = 50  # on the page of an order, the newest


def of_order(order_number: str, owner_id: int) -> Sequence[Notification]:
    """The messages about this order, the newest first."""
    return db.session.scalars(
        select(Notification).where(*_about(order_number, owner_id)).order_by(Notification.id.desc()).limit(MOST)
    ).all()


def send_again(order_number: str, message_id: int, *, actor: Actor) -> None:
    """Tell the buyer the same once more, in the shop and by letter. Raises NotFound, StaffOnly."""
    with unit_of_work() as session:
        if not clerks.may(session, actor, Task.ORDER_NOTE):
            raise StaffOnly
        order = session.scalars(select(Order).where(Order.order_number == order_number)).one_or_none()
        if order is None:
            raise NotFound
        told = session.scalars(
            select(Notification).where(Notification.id == message_id, *_about(order_number, order.account_id))
        ).one_or_none()
        if told is None:
            raise NotFound
        messages.tell(session, order.account_id, told.msg_type, told.content, told.facts, link=told.link)
        audit_log.record(session, actor, "order message", order, after={"message": told.id})


def _about(order_number: str, owner_id: int) -> tuple[ColumnElement[bool], ...]:
    """They lead to the order's page, and only they do."""
    return Notification.account_id == owner_id, Notification.link == f"/orders/{order_number}"
