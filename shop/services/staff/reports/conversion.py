"""From the cart to the payment: how many people took each step, per day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, select

from shop.enums import VisitStep
from shop.extensions import db
from shop.models import Order, VisitCount
from shop.rules.periods import Period, permille
from shop.services.staff.reports.instants import counted_by_day
from shop.services.staff.reports.revenue import PAID
from shop.services.staff.reports.sheet import Column, Figure, Meaning, Phrase, Plot, Row, Shape, Sheet, Table, Unit
from shop.wording import mark as _

STEPS = (_("加入购物车"), _("进入结算"), _("下单"), _("付款"))
DAY_COLUMNS = (
    Column(_("日期"), Unit.DAY),
    *(Column(step, Unit.PEOPLE) for step in STEPS),
    Column(_("付款 / 加购"), Unit.PERMILLE),
)
STEP_COLUMNS = (
    Column(_("步骤")),
    Column(_("每天人数之和"), Unit.PEOPLE),
    Column(_("占上一步"), Unit.PERMILLE),
    Column(_("占第一步"), Unit.PERMILLE),
)
MEANINGS = (
    Meaning(_("加入购物车"), _("当天把课程放进购物车或直接购买的不同的人；没有登录的访客按浏览器算。")),
    Meaning(_("进入结算"), _("当天生成过结算单的不同的人。")),
    Meaning(_("下单"), _("当天下过订单的不同的人。")),
    Meaning(_("付款"), _("当天付过款的不同的人，不论哪天下的单。")),
    Meaning(
        _("每天人数之和"),
        _(
            "各天人数相加；同一个人在不同的两天算两次。前两步只数人数，误差约百分之一，不留下是谁；没有数到的日子是「–」。"
        ),
    ),
)

ByDay = dict[date, int]


def make(period: Period) -> Sheet:
    """In three statements; the period before is read along with this one."""
    both = Period(period.before.first, period.last)
    visits = visits_of((VisitStep.CART, VisitStep.SETTLEMENT), both)
    steps: Sequence[ByDay] = (
        visits[VisitStep.CART],
        visits[VisitStep.SETTLEMENT],
        _people(Order.date, both),
        _people(Order.pay_time, both, Order.status.in_(PAID)),
    )
    now, before = ([_sum(counts, part) for counts in steps] for part in (period, period.before))
    days = [_day(day, steps) for day in period]
    total = *now, permille(now[-1], now[0])
    funnel = [
        Row((Phrase(title), count, permille(count, now[place - 1]) if place else None, permille(count, now[0])))
        for place, (title, count) in enumerate(zip(STEPS, now, strict=True))
    ]
    rates = [permille(part[-1], part[0]) for part in (now, before)]
    figures = (
        Figure(_("付款 / 加购"), Unit.PERMILLE, *rates),
        *(Figure(title, Unit.PEOPLE, *counts) for title, *counts in zip(STEPS, now, before, strict=True)),
    )
    return Sheet(
        figures,
        (
            Table("steps", _("每一步"), STEP_COLUMNS, funnel, plot=Plot(Shape.BARS, (1,))),
            Table("days", _("每天"), DAY_COLUMNS, days, total, Plot(Shape.DAYS, (1, 4))),
        ),
        MEANINGS,
    )


def visits_of(steps: Iterable[VisitStep], period: Period) -> dict[VisitStep, ByDay]:
    """How many people took these steps, by step and day; a day that was not counted is not there."""
    wanted = list(steps)
    found: dict[VisitStep, ByDay] = {step: {} for step in wanted}
    rows = db.session.execute(
        select(VisitCount.step, VisitCount.day, VisitCount.people).where(
            VisitCount.day.between(period.first, period.last), VisitCount.step.in_(wanted)
        )
    )
    for step, day, people in rows:
        found[step][day] = people
    return found


def _people(when: Any, period: Period, *where: Any) -> ByDay:
    return counted_by_day(select(func.count(Order.account_id.distinct())).where(*where), when, period)


def _sum(counts: ByDay, period: Period) -> int:
    return sum(people for day, people in counts.items() if day in period)


def _day(day: date, steps: Sequence[ByDay]) -> Row:
    counts = [counts.get(day) for counts in steps]
    return Row((day, *counts, permille(counts[-1] or 0, counts[0] or 0)))
