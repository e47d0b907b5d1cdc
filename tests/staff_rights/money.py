"""Who may do what at the addresses of this area; read and replayed as ``tests/rights.py`` says."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.world import World

#                                visitor A B M+ M- lecturer OPS REG FIN CS ADM
TABLE = """
GET  /staff/refunds                                      login 403 403 403 403 403  403 403 ok  ok  403
GET  /staff/refunds.csv                                  login 403 403 403 403 403  403 403 ok  ok  403
GET  /staff/refunds/<out_request_no>                     login 403 403 403 403 403  403 403 ok  ok  403
POST /staff/refunds/<out_request_no>/approval            login 403 403 403 403 403  403 403 ok  403 403
POST /staff/refunds/<out_request_no>/refusal             login 403 403 403 403 403  403 403 ok  403 403
POST /staff/refunds/<out_request_no>/withdrawal          login 403 403 403 403 403  403 403 ok  ok  403
POST /staff/refunds/<out_request_no>/retry               login 403 403 403 403 403  403 403 ok  403 403
POST /staff/refunds/<out_request_no>/sending             login 403 403 403 403 403  403 403 ok  403 403
POST /staff/refunds/<out_request_no>/transfer            login 403 403 403 403 403  403 403 ok  403 403
POST /staff/refunds/<out_request_no>/transfer/confirmation login 403 403 403 403 403  403 403 ok  403 403
POST /staff/refunds/<out_request_no>/transfer/deletion   login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/money                                        login 403 403 403 403 403  403 403 ok  ok  403
GET  /staff/money.csv                                    login 403 403 403 403 403  403 403 ok  ok  403
POST /staff/money/<trouble_id>/owner                     login 403 403 403 403 403  403 403 ok  403 403
POST /staff/money/<trouble_id>/inquiry                   login 403 403 403 403 403  403 403 ok  403 403
POST /staff/money/<trouble_id>/refund                    login 403 403 403 403 403  403 403 ok  403 403
POST /staff/money/<trouble_id>/closing                   login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/reconciliation                               login 403 403 403 403 403  403 403 ok  ok  403
GET  /staff/reconciliation/<day>                         login 403 403 403 403 403  403 403 ok  ok  403
POST /staff/reconciliation/<day>/runs                    login 403 403 403 403 403  403 403 ok  403 403
POST /staff/reconciliation/differences/<difference_id>/owner       login 403 403 403 403 403  403 403 ok  403 403
POST /staff/reconciliation/differences/<difference_id>/resolution  login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/withdrawals                                  login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/withdrawals.csv                              login 403 403 403 403 403  403 403 ok  403 403
GET  /staff/withdrawals/<withdrawal_id>                  login 403 403 403 403 403  403 403 ok  403 403
POST /staff/withdrawals/<withdrawal_id>/payee            login 403 403 403 403 403  403 403 ok  403 403
POST /staff/withdrawals/<withdrawal_id>/approval         login 403 403 403 403 403  403 403 ok  403 403
POST /staff/withdrawals/<withdrawal_id>/refusal          login 403 403 403 403 403  403 403 ok  403 403
POST /staff/withdrawals/<withdrawal_id>/payment          login 403 403 403 403 403  403 403 ok  403 403
"""

CHANGING = {
    f"POST /staff/{rest}"
    for rest in (
        "refunds/<out_request_no>/approval",
        "refunds/<out_request_no>/refusal",
        "money/<trouble_id>/owner",
        "money/<trouble_id>/closing",
        "reconciliation/differences/<difference_id>/owner",
        "reconciliation/differences/<difference_id>/resolution",
        "withdrawals/<withdrawal_id>/payee",
        "withdrawals/<withdrawal_id>/approval",
        "withdrawals/<withdrawal_id>/refusal",
    )
}

DAY = date(2026, 11, 1)


def stage(world: World) -> None:
    """Two requests for a refund, a trade that nobody knows, and a bill with a line too many."""
    from shop import clock
    from shop.enums import DifferenceKind, TroubleKind
    from shop.extensions import db
    from shop.models import Account, Reconciliation, ReconciliationDifference, Trouble, Withdrawal
    from shop.services import refunds
    from tests.builders import a_course
    from tests.purchases import enrolled, saved

    account = db.session.get_one(Account, world.ids["B"])
    for name in ("to approve", "to refuse"):
        line = enrolled(account, a_course()).order_detail
        world.texts[name] = refunds.ask(account.id, line.order.order_number, [line.id], "so").out_request_no
    number = {"out_trade_no": "20261101X", "trade_no": "2026110122001"}
    world.places["trouble"] = saved(
        Trouble(kind=TroubleKind.UNKNOWN_TRADE, amount_fen=100, found_by="bill", found_time=clock.now(), **number)
    ).id
    sums = {"payments": 1, "paid_fen": 100, "refunds": 0, "refunded_fen": 0}
    summary = {"bill": sums, "shop": sums, "healed": 0, "open": 1}
    found = ReconciliationDifference(kind=DifferenceKind.UNKNOWN_TRADE, bill_fen=100, **number)
    day = saved(Reconciliation(bill_date=DAY, summary=summary, differences=[found]))
    world.places["difference"] = day.differences[0].id
    world.places["withdrawal"] = db.session.query(Withdrawal.id).order_by(Withdrawal.id).limit(1).scalar()


def places(world: World) -> dict[str, Any]:
    return {
        "/staff/refunds/<out_request_no>/approval out_request_no": world.texts["to approve"],
        "/staff/refunds/<out_request_no>/refusal out_request_no": world.texts["to refuse"],
        "trouble_id": world.places["trouble"],
        "day": f"{DAY:%Y-%m-%d}",
        "/staff/reconciliation/<day>/runs day": "2026-11-02",  # a comparison closes what it does not find again
        "difference_id": world.places["difference"],
        "withdrawal_id": world.places["withdrawal"],
    }


def fields(world: World) -> dict[str, dict[str, Any]]:
    because = {"reason": "so"}
    return {
        **{
            f"/staff/refunds/<out_request_no>/{step}": because
            for step in ("approval", "refusal", "withdrawal", "retry")
        },
        "/staff/refunds/<out_request_no>/transfer": {"transfer_number": "B1", **because},
        **{f"/staff/refunds/<out_request_no>/transfer/{step}": because for step in ("confirmation", "deletion")},
        **{f"/staff/money/<trouble_id>/{step}": because for step in ("refund", "closing")},
        "/staff/reconciliation/differences/<difference_id>/resolution": because,
        **{f"/staff/withdrawals/<withdrawal_id>/{step}": because for step in ("payee", "approval", "refusal")},
        "/staff/withdrawals/<withdrawal_id>/payment": {"payment_number": "T1"},
    }
