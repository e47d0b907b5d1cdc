"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = """
GET  /staff/orders                                       login 403 403 403 403 403  403 403 ok  ok  403
GET  /staff/orders.csv                                   login 403 403 403 403 403  403 403 ok  ok  403
GET  /staff/orders/<order_number>                        login 403 403 403 403 403  403 403 ok  ok  403
POST /staff/orders/<order_number>/notes                  login 403 403 403 403 403  403 403 ok  ok  403
POST /staff/orders/<order_number>/notes/<note_id>/done   login 403 403 403 403 403  403 403 ok  ok  403
POST /staff/orders/<order_number>/messages/<message_id>/sending    login 403 403 403 403 403  403 403 ok  ok  403
POST /staff/orders/<order_number>/inquiry                login 403 403 403 403 403  403 403 ok  403 403
POST /staff/orders/<order_number>/delivery               login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/orders/<order_number>/refunds                login 403 403 403 403 403  403 403 ok  ok  403
POST /staff/orders/<order_number>/refunds                login 403 403 403 403 403  403 403 ok  ok  403
"""

CHANGING = {
    "POST /staff/orders/<order_number>/notes",
    "POST /staff/orders/<order_number>/notes/<note_id>/done",
    "POST /staff/orders/<order_number>/messages/<message_id>/sending",
    "POST /staff/orders/<order_number>/refunds",
}


def stage(world: World) -> None:
    """An order with a line that can go back, and two notes that wait: one for finance, one for customer service."""
    from shop import clock
    from shop.enums import MessageType
    from shop.extensions import db
    from shop.models import Account, Notification, OrderNote
    from tests.builders import a_course
    from tests.purchases import enrolled, saved

    account = db.session.get_one(Account, world.ids["B"])
    line = enrolled(account, a_course()).order_detail
    world.texts["order of staff"], world.places["line of staff"] = line.order.order_number, line.id
    today = clock.local_date(clock.now())
    note = {"order_id": line.order_id, "author_id": world.ids["CS"], "follow_up_date": today}
    told = Notification(
        account_id=account.id,
        msg_type=MessageType.ORDER,
        content="订单 %(order)s 超时未支付，已经取消，占用的优惠券和贝里已退回。",
        facts={"order": line.order.order_number},
        link=f"/orders/{line.order.order_number}",
    )
    world.places["told"] = saved(told).id
    world.places["note"] = saved(OrderNote(text="call back", **note)).id


def places(world: World) -> dict[str, Any]:
    return {
        **{
            f"/staff/orders/<order_number>{rest} order_number": world.texts["order of staff"]
            for rest in ("/notes", "/notes/<note_id>/done", "/messages/<message_id>/sending", "/refunds")
        },
        "/staff/orders/<order_number>/messages/<message_id>/sending message_id": world.places["told"],
        "note_id": world.places["note"],
    }


def fields(world: World) -> dict[str, dict[str, Any]]:
    return {
        "/staff/orders/<order_number>/notes": {"text": "so"},
        "/staff/orders/<order_number>/delivery": {"reason": "so"},
        "/staff/orders/<order_number>/refunds": {"detail": world.places["line of staff"], "reason": "so"},
    }
