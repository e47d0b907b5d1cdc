"""What mentors were given, lost and received, month by month and one by one; in 贝里."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select

from shop import clock
from shop.enums import Purse, Rule, ScoreType
from shop.extensions import db
from shop.models import ScoreRecord, ScoreRule
from shop.rules.periods import Period
from shop.services.staff.reports.instants import within
from shop.services.staff.reports.people import names_of
from shop.services.staff.reports.sheet import Column, Figure, Meaning, Plot, Row, Shape, Sheet, Table, Unit
from shop.wording import mark as _

AMOUNTS = (
    Column(_("分得的费用"), Unit.BELI),
    Column(_("扣罚"), Unit.BELI),
    Column(_("失效"), Unit.BELI),
    Column(_("已到账"), Unit.BELI),
)
MEANINGS = (
    Meaning(_("分得的费用"), _("分配学员时得到的导师费用；换导师时转入的减去转出的，全部导师相加互相抵消。")),
    Meaning(_("扣罚"), _("按规则扣的，减去申诉成立后退回的。")),
    Meaning(_("失效"), _("学员没有毕业就结束学习，剩下的费用不再发放。")),
    Meaning(_("已到账"), _("学员毕业、费用成熟后转入导师贝里余额的。提现另见提现管理。")),
    Meaning(_("等待成熟"), _("从开始到现在：分得的费用 − 扣罚 − 失效 − 已到账，就是各笔学习里还剩的导师费用。")),
)


@dataclass(slots=True)
class Sums:
    fee: int = 0
    fines: int = 0
    lapsed: int = 0
    received: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(*map(sum, zip(astuple(self), astuple(other), strict=True)))


ByMonth = dict[tuple[int, int], Sums]  # by the place of the month in the period, and by mentor


def make(period: Period) -> Sheet:
    """In five statements."""
    months = period.months()
    found = _read(months)
    now, before = _all(found.values()), _all(_read([period.before]).values())
    of_month, of_mentor = (
        {
            key: _all(sums for keys, sums in found.items() if keys[place] == key)
            for key in {keys[place] for keys in found}
        }
        for place in (0, 1)
    )
    names = names_of(of_mentor)
    month_rows = [Row((f"{part.first:%Y-%m}", *astuple(of_month.get(n, Sums())))) for n, part in enumerate(months)]
    best_first = sorted(of_mentor.items(), key=lambda item: (-item[1].received, -item[1].fee, item[0]))
    mentor_rows = [Row((names[mentor_id], *astuple(sums))) for mentor_id, sums in best_first]
    figures = tuple(
        Figure(column.title, column.unit, *values)
        for column, *values in zip(AMOUNTS, astuple(now), astuple(before), strict=True)
    )
    drawn = Plot(Shape.DAYS, (1, 4), (2,))
    return Sheet(
        figures,
        (
            Table("months", _("每月"), (Column(_("月份")), *AMOUNTS), month_rows, astuple(now), drawn),
            Table(
                "mentors", _("按导师"), (Column(_("导师")), *AMOUNTS), mentor_rows, astuple(now), Plot(Shape.BARS, (4,))
            ),
        ),
        MEANINGS,
    )


def _read(months: list[Period]) -> ByMonth:
    """In two statements: what was booked, and what has matured."""
    found: ByMonth = defaultdict(Sums)
    whole = Period(months[0].first, months[-1].last)
    is_fine, is_lapse = (
        and_(ScoreRule.score_type == ScoreType.PENALTY, rule)
        for rule in (ScoreRule.rule != Rule.MENTOR, ScoreRule.rule == Rule.MENTOR)
    )
    booked = (
        select(
            _month(ScoreRecord.date, months),
            ScoreRecord.account_id,
            func.sum(case((ScoreRule.score_type != ScoreType.PENALTY, ScoreRecord.score), else_=0)),
            func.sum(case((is_fine, -ScoreRecord.score), else_=0)),
            func.sum(case((is_lapse, -ScoreRecord.score), else_=0)),
        )
        .join(ScoreRule, ScoreRule.id == ScoreRecord.score_rule_id)
        .where(ScoreRecord.purse == Purse.FEE, within(ScoreRecord.date, whole))
        .group_by("month", ScoreRecord.account_id)
    )
    for month, account_id, *sums in db.session.execute(booked):
        found[month, account_id] = Sums(*map(int, sums))
    matured = (
        select(_month(ScoreRecord.applied_date, months), ScoreRecord.account_id, func.sum(ScoreRecord.received_score))
        .where(ScoreRecord.purse == Purse.FEE, ScoreRecord.received_score > 0, within(ScoreRecord.applied_date, whole))
        .group_by("month", ScoreRecord.account_id)
    )
    for month, account_id, received in db.session.execute(matured):
        found[month, account_id].received = int(received)
    return found


def _month(instant: Any, months: list[Period]) -> ColumnElement[int]:
    """The place of an instant's month: by where each begins in Shanghai, so that no database has to know the zone."""
    ends = [(instant < clock.start_of_day(part.first), place) for place, part in enumerate(months[1:])]
    return (case(*ends, else_=len(months) - 1) if ends else literal(0)).label("month")


def _all(parts: Iterable[Sums]) -> Sums:
    return sum(parts, Sums())
