"""What became of the orders of a period."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select

from shop.enums import OrderStatus
from shop.extensions import db
from shop.models import Order
from shop.rules.periods import Period, permille
from shop.services.staff.reports.instants import within
from shop.services.staff.reports.sheet import Column, Figure, Meaning, Plot, Row, Shape, Sheet, Table, Unit
from shop.wording import mark as _

COLUMNS = (
    Column(_("状态")),
    Column(_("订单"), Unit.COUNT),
    Column(_("占全部"), Unit.PERMILLE),
    Column(_("应付金额"), Unit.FEN),
)
MEANINGS = (
    Meaning(_("订单"), _("在这段时间里下的订单，按现在的状态分。昨天下单、今天付款的订单算在昨天。")),
    Meaning(_("应付金额"), _("这些订单减去优惠和贝里以后的金额，不论是否付了款。")),
)

ByState = Mapping[OrderStatus, tuple[int, int]]  # how many, and fen


def make(period: Period) -> Sheet:
    """In two statements."""
    now, before = _counted(period), _counted(period.before)
    orders, fen = (sum(counted[place] for counted in now.values()) for place in (0, 1))
    rows = [Row((state, n, permille(n, orders), state_fen)) for state in OrderStatus for n, state_fen in [now[state]]]
    total = orders, permille(orders, orders), fen
    table = Table("states", _("按状态"), COLUMNS, rows, total, Plot(Shape.BARS, (1,)))
    figures = (
        Figure(_("订单"), Unit.COUNT, orders, sum(n for n, _fen in before.values())),
        Figure(OrderStatus.PAID.chinese, Unit.COUNT, now[OrderStatus.PAID][0], before[OrderStatus.PAID][0]),
        Figure(
            OrderStatus.TIMED_OUT.chinese, Unit.COUNT, now[OrderStatus.TIMED_OUT][0], before[OrderStatus.TIMED_OUT][0]
        ),
    )
    return Sheet(figures, (table,), MEANINGS)


def _counted(period: Period) -> ByState:
    rows = db.session.execute(
        select(Order.status, func.count(), func.sum(Order.actual_amount_fen))
        .where(within(Order.date, period))
        .group_by(Order.status)
    )
    return dict.fromkeys(OrderStatus, (0, 0)) | {state: (count, int(fen)) for state, count, fen in rows}
