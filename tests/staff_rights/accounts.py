"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = """
GET  /staff/accounts                                     login 403 403 403 403 403  403 403 403 403 ok
GET  /staff/accounts.csv                                 login 403 403 403 403 403  403 403 403 403 ok
POST /staff/accounts                                     login 403 403 403 403 403  403 403 403 403 ok
GET  /staff/accounts/new                                 login 403 403 403 403 403  403 403 403 403 ok
GET  /staff/accounts/<account_id>                        login 403 403 403 403 403  403 403 403 403 ok
POST /staff/accounts/<account_id>/roles                  login 403 403 403 403 403  403 403 403 403 ok
POST /staff/accounts/<account_id>/disabling              login 403 403 403 403 403  403 403 403 403 ok
POST /staff/accounts/<account_id>/enabling               login 403 403 403 403 403  403 403 403 403 ok
POST /staff/accounts/<account_id>/sessions/ending        login 403 403 403 403 403  403 403 403 403 ok
POST /staff/accounts/<account_id>/second-factor/delete   login 403 403 403 403 403  403 403 403 403 ok
POST /staff/accounts/<account_id>/password-link          login 403 403 403 403 403  403 403 403 403 ok
POST /staff/accounts/<account_id>/exports                login 403 403 403 403 403  403 403 403 403 ok
POST /staff/accounts/<account_id>/deletion               login 403 403 403 403 403  403 403 403 403 ok
"""

CHANGING = {
    f"POST /staff/accounts{rest}"
    for rest in (
        "",
        "/<account_id>/roles",
        "/<account_id>/disabling",
        "/<account_id>/enabling",
        "/<account_id>/sessions/ending",
        "/<account_id>/second-factor/delete",
        "/<account_id>/password-link",
        "/<account_id>/exports",
        "/<account_id>/deletion",
    )
}


def stage(world: World) -> None:
    """Somebody of the staff whom the others have nothing to do with."""
    from tests.builders import a_clerk, a_student

    world.places["colleague"] = a_clerk().id
    world.places["another colleague"] = a_clerk().id
    world.places["somebody who leaves"] = a_student().id


def places(world: World) -> dict[str, Any]:
    """One colleague is disabled first and enabled then; the other one keeps the second factor until it is dropped."""
    account = "/staff/accounts/<account_id>"
    return {
        "account_id": world.places["colleague"],
        f"{account}/second-factor/delete account_id": world.places["another colleague"],
        f"{account}/password-link account_id": world.places["another colleague"],
        f"{account}/exports account_id": world.places["another colleague"],
        f"{account}/deletion account_id": world.places["somebody who leaves"],
    }


def fields(world: World) -> dict[str, dict[str, Any]]:
    account, because = "/staff/accounts/<account_id>", {"reason": "so"}
    return {
        "/staff/accounts": {"username": "newcomer", "kind": "0", "roles": "0", **because},
        f"{account}/roles": {"roles": "3", **because},
        f"{account}/disabling": because,
        f"{account}/enabling": because,
        f"{account}/sessions/ending": because,
        f"{account}/second-factor/delete": because,
        **{f"{account}/{step}": because for step in ("password-link", "exports", "deletion")},
    }
