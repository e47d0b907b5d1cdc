"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = """
GET  /staff/people/<account_id>                          login 403 403 403 403 403  403 ok  ok  ok  ok
POST /staff/people/<account_id>/contact                  login 403 403 403 403 403  403 ok  403 403 403
"""

CHANGING = {"POST /staff/people/<account_id>/contact"}


def stage(world: World) -> None:
    """A is who they look at."""


def places(world: World) -> dict[str, Any]:
    return {f"/staff/people/<account_id>{rest} account_id": world.ids["A"] for rest in ("", "/contact")}


def fields(world: World) -> dict[str, dict[str, Any]]:
    return {"/staff/people/<account_id>/contact": {"reason": "so"}}
