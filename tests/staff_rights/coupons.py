"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = """
GET  /staff/coupons                                      login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/coupons.csv                                  login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/coupons/new                                  login 403 403 403 403 403  ok  403 403 403 403
POST /staff/coupons                                      login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/coupons/<coupon_id>                          login 403 403 403 403 403  ok  403 ok  ok  403
POST /staff/coupons/<coupon_id>                          login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/coupons/<coupon_id>/edit                     login 403 403 403 403 403  ok  403 403 403 403
POST /staff/coupons/<coupon_id>/delete                   login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/coupons/<coupon_id>/publication              login 403 403 403 403 403  ok  403 403 403 403
POST /staff/coupons/<coupon_id>/publication              login 403 403 403 403 403  ok  403 403 403 403
POST /staff/coupons/<coupon_id>/stopping                 login 403 403 403 403 403  ok  403 403 403 403
POST /staff/coupons/<coupon_id>/resuming                 login 403 403 403 403 403  ok  403 403 403 403
POST /staff/coupons/<coupon_id>/extension                login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/coupons/<coupon_id>/codes                    login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/coupons/<coupon_id>/codes.csv                login 403 403 403 403 403  ok  403 403 403 403
POST /staff/coupons/<coupon_id>/codes                    login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/coupons/<coupon_id>/gifts                    login 403 403 403 403 403  ok  403 403 403 403
POST /staff/coupons/<coupon_id>/gifts/check              login 403 403 403 403 403  ok  403 403 403 403
POST /staff/coupons/<coupon_id>/gifts                    login 403 403 403 403 403  ok  403 403 403 403
GET  /staff/coupons/<coupon_id>/records                  login 403 403 403 403 403  ok  403 ok  ok  403
GET  /staff/coupons/<coupon_id>/records.csv              login 403 403 403 403 403  ok  403 ok  ok  403
"""

ADDRESS = "/staff/coupons/<coupon_id>"
CHANGING = {
    "POST /staff/coupons",
    f"POST {ADDRESS}",
    *(
        f"POST {ADDRESS}/{step}"
        for step in ("delete", "publication", "stopping", "resuming", "extension", "codes", "gifts")
    ),
}


def stage(world: World) -> None:
    """Drafts to edit, to delete and to publish; campaigns that run to stop and to hand out, and one that is stopped."""
    from tests.builders import a_coupon, a_draft

    places = world.places
    places |= {f"draft to {step}": a_draft().id for step in ("edit", "delete", "publish")}
    places |= {f"campaign to {step}": a_coupon(is_public=False).id for step in ("stop", "hand out")}
    places["campaign to resume"] = a_coupon(enabled=False).id


def places(world: World) -> dict[str, Any]:
    of = world.places
    by_step = {
        "": of["draft to edit"],
        "/edit": of["draft to edit"],
        "/delete": of["draft to delete"],
        "/publication": of["draft to publish"],
        "/stopping": of["campaign to stop"],
        "/resuming": of["campaign to resume"],
        **{
            f"/{step}": of["campaign to hand out"]
            for step in ("extension", "codes", "codes.csv", "gifts", "gifts/check", "records", "records.csv")
        },
    }
    return {f"{ADDRESS}{step} coupon_id": coupon_id for step, coupon_id in by_step.items()}


def fields(world: World) -> dict[str, dict[str, Any]]:
    from datetime import timedelta

    from shop.extensions import db
    from shop.models import Coupon
    from shop.services.staff import campaigns
    from tests.builders import today_in_shanghai

    draft = db.session.get(Coupon, world.places["draft to publish"])
    last_day = today_in_shanghai() + timedelta(days=30)  # of ``tests.builders.a_coupon``
    because = {"reason": "so"}
    terms = {
        "type": "0",
        "amount": "7.00",
        "product": "",
        "quantity": "10",
        "open_date": "2026-11-01",
        "close_date": "2099-11-30",
        "valid_days": "3",
        "is_public": "1",
    }
    return {
        "/staff/coupons": {**terms, "name": "一个新的活动"},
        ADDRESS: {**terms, "name": "一个改过的活动"},
        f"{ADDRESS}/publication": {**because, "seal": campaigns.terms_of(draft).seal if draft else "x"},
        f"{ADDRESS}/stopping": because,
        f"{ADDRESS}/resuming": because,
        f"{ADDRESS}/extension": {**because, "quantity": "2000", "close_date": last_day.isoformat()},
        f"{ADDRESS}/codes": {**because, "count": "3"},
        f"{ADDRESS}/gifts/check": {"names": world.names["A"]},
        f"{ADDRESS}/gifts": {**because, "names": world.names["A"]},
    }
