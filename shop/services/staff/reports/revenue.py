"""Revenue and refunds per day, beside the day's reconciliation with Alipay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import date

from sqlalchemy import ColumnElement, and_, case, func, select

from shop.enums import Choice, OrderStatus, PaymentState, RefundCause, RefundState
from shop.extensions import db
from shop.models import Order, Payment, Reconciliation, ReconciliationDifference, Refund
from shop.rules.periods import Period
from shop.services.staff.reports.instants import day_number, day_of, within
from shop.services.staff.reports.sheet import Column, Figure, Meaning, Plot, Row, Shape, Sheet, Table, Unit
from shop.wording import mark as _

PAID = (OrderStatus.PAID, OrderStatus.REFUND_REQUESTED, OrderStatus.REFUNDED)
OF_REVENUE = (RefundCause.STUDENT, RefundCause.STAFF, RefundCause.GATEWAY)  # the other causes return what never was

COLUMNS = (
    Column(_("日期"), Unit.DAY),
    Column(_("付款订单"), Unit.COUNT),
    Column(_("收入"), Unit.FEN),
    Column(_("贝里抵扣"), Unit.BELI),
    Column(_("退款笔数"), Unit.COUNT),
    Column(_("退款"), Unit.FEN),
    Column(_("净收入"), Unit.FEN),
    Column(_("退回多收"), Unit.FEN),
    Column(_("对账")),
)
MEANINGS = (
    Meaning(_("收入"), _("收入 = 当天付款订单的实付金额，按付款时间算，后来退款的订单也算在内。贝里和优惠不是收入。")),
    Meaning(_("退款"), _("退款 = 当天退到账的、属于已付款订单的金额，不论订单是哪天付款的。退还的贝里不在其中。")),
    Meaning(_("净收入"), _("净收入 = 收入 − 退款。退款多于收入的日子为负数。")),
    Meaning(_("退回多收"), _("迟到、重复或金额不符的付款从未记作收入，退回时也不算退款。")),
    Meaning(_("对账"), _("当天的支付宝账单是否已与账目逐笔比较。点日期看差异和负责人。")),
)


class Compared(Choice):
    """How far a day is reconciled."""

    NOT_YET = 0, _("未对账")
    EVEN = 1, _("已对账")
    OPEN = 2, _("有差异待处理")


@dataclass(slots=True)
class Sums:
    """What was counted on one day, or on all of them."""

    orders: int = 0
    paid_fen: int = 0
    beli: int = 0
    refunds: int = 0
    refunded_fen: int = 0
    returned_fen: int = 0

    @property
    def net_fen(self) -> int:
        return self.paid_fen - self.refunded_fen


def make(period: Period) -> Sheet:
    """In three statements; the period before is read along with this one."""
    both = Period(period.before.first, period.last)
    by_day = _paid(both)
    _add_refunds(by_day, both)
    compared = _compared(period)
    rows = [_row(day, by_day.get(day, Sums()), compared.get(day)) for day in period]
    now, before = (_total(by_day, part) for part in (period, period.before))
    table = Table("days", _("每天"), COLUMNS, rows, (*_cells(now), ""), Plot(Shape.DAYS, (2,), (5,)))
    return Sheet(_figures(now, before), (table,), MEANINGS)


def _paid(period: Period) -> dict[date, Sums]:
    day = day_number(Order.pay_time).label("day")
    rows = db.session.execute(
        select(day, func.count(), func.sum(Order.actual_amount_fen), func.sum(Order.beli))
        .where(within(Order.pay_time, period), Order.status.in_(PAID))
        .group_by(day)
    )
    return {day_of(number): Sums(orders, int(fen), int(beli)) for number, orders, fen, beli in rows}


def is_of_revenue() -> ColumnElement[bool]:
    """Whether a refund, outer joined to its payment, gives back what the order was paid with."""
    # 贝里 alone go back without a payment
    return and_(Refund.cause.in_(OF_REVENUE), func.coalesce(Payment.state, PaymentState.PAID) == PaymentState.PAID)


def _add_refunds(by_day: dict[date, Sums], period: Period) -> None:
    day = day_number(Refund.done_time).label("day")
    was_revenue = is_of_revenue()
    rows = db.session.execute(
        select(
            day,
            func.sum(case((was_revenue, 1), else_=0)),
            func.sum(case((was_revenue, Refund.amount_fen), else_=0)),
            func.sum(case((was_revenue, 0), else_=Refund.amount_fen)),
        )
        .outerjoin(Payment, Payment.id == Refund.payment_id)
        .where(within(Refund.done_time, period), Refund.state == RefundState.DONE)
        .group_by(day)
    )
    for number, *sums in rows:
        found = by_day.setdefault(day_of(number), Sums())
        found.refunds, found.refunded_fen, found.returned_fen = map(int, sums)


def _compared(period: Period) -> dict[date, Compared]:
    is_open = and_(ReconciliationDifference.is_healed.is_(False), ReconciliationDifference.resolved_time.is_(None))
    rows = db.session.execute(
        select(Reconciliation.bill_date, func.count(ReconciliationDifference.id))
        .outerjoin(
            ReconciliationDifference, and_(Reconciliation.id == ReconciliationDifference.reconciliation_id, is_open)
        )
        .where(Reconciliation.bill_date.between(period.first, period.last))
        .group_by(Reconciliation.id)
    )
    return {day: Compared.OPEN if count else Compared.EVEN for day, count in rows}


def _row(day: date, sums: Sums, compared: Compared | None) -> Row:
    href = f"/staff/reconciliation/{day:%Y-%m-%d}" if compared is not None else ""
    return Row((day, *_cells(sums), Compared.NOT_YET if compared is None else compared), href)


def _cells(sums: Sums) -> Iterable[int]:
    return sums.orders, sums.paid_fen, sums.beli, sums.refunds, sums.refunded_fen, sums.net_fen, sums.returned_fen


def _total(by_day: Mapping[date, Sums], period: Period) -> Sums:
    found = [astuple(by_day[day]) for day in period if day in by_day]
    return Sums(*map(sum, zip(*found, strict=True)))


def _figures(now: Sums, before: Sums) -> tuple[Figure, ...]:
    return (
        Figure(_("收入"), Unit.FEN, now.paid_fen, before.paid_fen),
        Figure(_("退款"), Unit.FEN, now.refunded_fen, before.refunded_fen),
        Figure(_("净收入"), Unit.FEN, now.net_fen, before.net_fen),
        Figure(_("付款订单"), Unit.COUNT, now.orders, before.orders),
    )
