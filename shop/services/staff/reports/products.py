"""Top courses: what was sold and what went back, by product."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sqlalchemy import func, select

from shop.enums import RefundState
from shop.extensions import db
from shop.models import Order, OrderDetail, Product, Refund, RefundDetail
from shop.rules.periods import Period, permille
from shop.services.staff.reports.instants import within
from shop.services.staff.reports.revenue import PAID
from shop.services.staff.reports.sheet import Column, Figure, Meaning, Plot, Row, Shape, Sheet, Table, Unit
from shop.wording import mark as _

COLUMNS = (
    Column(_("课程")),
    Column(_("类型")),
    Column(_("售出"), Unit.COUNT),
    Column(_("收入"), Unit.FEN),
    Column(_("占收入"), Unit.PERMILLE),
    Column(_("退课"), Unit.COUNT),
    Column(_("退款"), Unit.FEN),
    Column(_("净收入"), Unit.FEN),
)
MEANINGS = (
    Meaning(_("售出"), _("当期付款的订单里，这门课程的行数。")),
    Meaning(_("收入"), _("这些行各自分摊到的实付金额；各门课程相加等于当期收入。")),
    Meaning(_("退款"), _("当期退到账的、按课程行退的金额。直接在支付宝侧办的退款不分课程，只在收入报表里。")),
)


def make(period: Period) -> Sheet:
    """In five statements."""
    sold, returned = _sold(period), _returned(period)
    product = Product.__table__.c
    ids = sold.keys() | returned.keys()
    named = {
        id_: (name, kind)
        for id_, name, kind in db.session.execute(
            select(product.id, product.name, product.kind).where(product.id.in_(ids))
        )
    }
    units, fen = (sum(found[place] for found in sold.values()) for place in (0, 1))
    back, back_fen = (sum(found[place] for found in returned.values()) for place in (0, 1))
    rows = [
        Row(
            (
                *named[id_],
                sold[id_][0],
                sold[id_][1],
                permille(sold[id_][1], fen),
                *returned[id_],
                sold[id_][1] - returned[id_][1],
            )
        )
        for id_ in sorted(ids, key=lambda id_: (-sold[id_][1], -sold[id_][0], id_))
    ]
    total = "", units, fen, permille(fen, fen), back, back_fen, fen - back_fen
    sold_before, back_before = _sold(period.before).values(), _returned(period.before).values()
    figures = (
        Figure(_("收入"), Unit.FEN, fen, sum(found[1] for found in sold_before)),
        Figure(_("售出"), Unit.COUNT, units, sum(found[0] for found in sold_before)),
        Figure(_("退课"), Unit.COUNT, back, sum(found[0] for found in back_before)),
    )
    return Sheet(
        figures, (Table("products", _("按收入从高到低"), COLUMNS, rows, total, Plot(Shape.BARS, (3,))),), MEANINGS
    )


def _sold(period: Period) -> dict[int, tuple[int, int]]:
    """Lines and fen, by product."""
    rows = db.session.execute(
        select(OrderDetail.product_id, func.count(), func.sum(OrderDetail.actual_amount_fen))
        .join(Order, Order.id == OrderDetail.order_id)
        .where(within(Order.pay_time, period), Order.status.in_(PAID))
        .group_by(OrderDetail.product_id)
    )
    return _by_product(rows)


def _returned(period: Period) -> dict[int, tuple[int, int]]:
    rows = db.session.execute(
        select(OrderDetail.product_id, func.count(), func.sum(RefundDetail.amount_fen))
        .join(RefundDetail, RefundDetail.order_detail_id == OrderDetail.id)
        .join(Refund, Refund.id == RefundDetail.refund_id)
        .where(within(Refund.done_time, period), Refund.state == RefundState.DONE)
        .group_by(OrderDetail.product_id)
    )
    return _by_product(rows)


def _by_product(rows: Any) -> dict[int, tuple[int, int]]:
    return defaultdict(lambda: (0, 0), {id_: (count, int(fen)) for id_, count, fen in rows})
