"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = """
GET  /staff/                                             login 403 403 403 403 403  ok  ok  ok  ok  ok
POST /staff/search                                       login 403 403 403 403 403  ok  ok  ok  ok  ok
GET  /staff/audit-log                                    login 403 403 403 403 403  403 403 ok  403 ok
GET  /staff/audit-log.csv                                login 403 403 403 403 403  403 403 ok  403 ok
GET  /staff/system                                       login 403 403 403 403 403  403 403 ok  403 ok
POST /staff/system/audits                                login 403 403 403 403 403  403 403 ok  403 ok
POST /staff/system/jobs/<name>/runs                      login 403 403 403 403 403  403 403 403 403 ok
POST /staff/system/letters/<letter_id>/sending           login 403 403 403 403 403  403 403 403 403 ok
POST /staff/system/letters/<letter_id>/delete            login 403 403 403 403 403  403 403 403 403 ok
"""

CHANGING = {
    "POST /staff/system/audits",
    "POST /staff/system/jobs/<name>/runs",
    "POST /staff/system/letters/<letter_id>/sending",
    "POST /staff/system/letters/<letter_id>/delete",
}


def stage(world: World) -> None:
    """Two letters that could not be sent."""
    from shop.enums import MailState
    from shop.models import Mail
    from tests.purchases import saved

    for name in ("letter to send", "letter to drop"):
        letter = Mail(address="x@example.com", subject="s", body="b", message_id=name, state=MailState.FAILED)
        world.places[name] = saved(letter).id


def places(world: World) -> dict[str, Any]:
    return {
        "name": "sweep_uploads",
        "letter_id": world.places["letter to send"],
        "/staff/system/letters/<letter_id>/delete letter_id": world.places["letter to drop"],
    }


def fields(world: World) -> dict[str, dict[str, Any]]:
    return {
        "/staff/search": {"q": "nami"},
        **{f"/staff/system/letters/<letter_id>/{step}": {"reason": "so"} for step in ("sending", "delete")},
    }
