"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = """
GET  /staff/reports                                      login 403 403 403 403 403  ok  ok  ok  403 403
GET  /staff/reports/revenue                              login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/reports/revenue.csv                          login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/reports/orders                               login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/reports/orders.csv                           login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/reports/conversion                           login 403 403 403 403 403  ok  403 ok  403 403
GET  /staff/reports/conversion.csv                       login 403 403 403 403 403  ok  403 ok  403 403
GET  /staff/reports/coupons                              login 403 403 403 403 403  ok  403 ok  403 403
GET  /staff/reports/coupons.csv                          login 403 403 403 403 403  ok  403 ok  403 403
GET  /staff/reports/courses                              login 403 403 403 403 403  ok  403 ok  403 403
GET  /staff/reports/courses.csv                          login 403 403 403 403 403  ok  403 ok  403 403
GET  /staff/reports/students                             login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/reports/students.csv                         login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/reports/homework                             login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/reports/homework.csv                         login 403 403 403 403 403  403 ok  403 403 403
GET  /staff/reports/mentors                              login 403 403 403 403 403  403 ok  ok  403 403
GET  /staff/reports/mentors.csv                          login 403 403 403 403 403  403 ok  ok  403 403
"""

CHANGING: set[str] = set()


def stage(world: World) -> None:
    """What the others have left in the books is enough to report on."""


def places(world: World) -> dict[str, Any]:
    return {}


def fields(world: World) -> dict[str, dict[str, Any]]:
    return {}
