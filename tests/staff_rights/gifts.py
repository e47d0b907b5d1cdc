"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = """
GET  /staff/gifts                                        login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/gifts.csv                                    login 403 403 403 403 403  ok  403 ok  ok  403
POST /staff/gifts/beli                                   login 403 403 403 403 403  403 403 ok  403 403
POST /staff/gifts/coupons                                login 403 403 403 403 403  403 403 403 ok  403
GET  /staff/gifts/<gift_id>#beli                         login 403 403 403 403 403  404 403 ok  404 403
GET  /staff/gifts/<gift_id>#coupon                       login 403 403 403 403 403  ok  403 404 ok  403
POST /staff/gifts/<gift_id>/giving#beli                  login 403 403 403 403 403  404 403 ok  404 403
POST /staff/gifts/<gift_id>/giving#coupon                login 403 403 403 403 403  ok  403 404 403 403
POST /staff/gifts/<gift_id>/refusal#beli                 login 403 403 403 403 403  404 403 ok  404 403
POST /staff/gifts/<gift_id>/refusal#coupon               login 403 403 403 403 403  ok  403 404 403 403
POST /staff/gifts/<gift_id>/withdrawal#beli              login 403 403 403 403 403  404 403 ok  404 403
POST /staff/gifts/<gift_id>/withdrawal#coupon            login 403 403 403 403 403  403 403 404 ok  403
"""

CHANGING = {
    "POST /staff/gifts/beli",
    "POST /staff/gifts/coupons",
    *(f"POST /staff/gifts/<gift_id>/{step}#{kind}" for step in ("giving", "refusal") for kind in ("beli", "coupon")),
}


def stage(world: World) -> None:
    """For each decision a proposal of each kind, by somebody who is none of the people of the world."""
    from shop.enums import StaffRole
    from shop.services.audit_log import Actor
    from shop.services.staff import gifts
    from tests.builders import a_clerk, a_coupon

    clerk = a_clerk(StaffRole.FINANCE, StaffRole.SERVICE)
    actor = Actor(clerk.username, clerk.id)
    receiver = world.names["B"]
    for step in ("giving", "refusal"):
        world.places[f"{step}#beli"] = gifts.propose_beli(receiver, 5, actor=actor, reason="so")
        world.places[f"{step}#coupon"] = gifts.propose_coupon(receiver, a_coupon().id, actor=actor, reason="so")
    world.places["coupon to give"] = a_coupon(is_public=False).id


def places(world: World) -> dict[str, Any]:
    return {
        **{
            f"/staff/gifts/<gift_id>/{step}#{kind} gift_id": world.places[f"{step}#{kind}"]
            for step in ("giving", "refusal")
            for kind in ("beli", "coupon")
        },
        **{
            f"/staff/gifts/<gift_id>/withdrawal#{kind} gift_id": world.places[f"refusal#{kind}"]
            for kind in ("beli", "coupon")
        },
        **{f"/staff/gifts/<gift_id>#{kind} gift_id": world.places[f"giving#{kind}"] for kind in ("beli", "coupon")},
    }


def fields(world: World) -> dict[str, dict[str, Any]]:
    because = {"reason": "so"}
    return {
        "/staff/gifts/beli": {"username": world.names["B"], "beli": "5", **because},
        "/staff/gifts/coupons": {"username": world.names["B"], "coupon": world.places["coupon to give"], **because},
        **{f"/staff/gifts/<gift_id>/{step}": because for step in ("giving", "refusal", "withdrawal")},
    }
