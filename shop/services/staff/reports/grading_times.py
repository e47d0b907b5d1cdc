"""How long homework waits for its mark: of everybody, and mentor by mentor."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import case, func, select

from shop import clock
from shop.extensions import db, settings
from shop.models import EnrolledDegreeCourse, HomeworkRecord, HomeworkSubmission
from shop.rules.periods import Period, percentile, permille
from shop.services.staff.reports.instants import epoch_seconds, minutes_between, within
from shop.services.staff.reports.people import names_of
from shop.services.staff.reports.sheet import Column, Figure, Meaning, Phrase, Plot, Row, Shape, Sheet, Table, Unit
from shop.wording import mark as _

WAIT_COLUMNS = (
    Column(_("等待时间")),
    Column(_("已批改的作业"), Unit.COUNT),
    Column(_("占已批改"), Unit.PERMILLE),
)
MENTOR_COLUMNS = (
    Column(_("导师")),
    Column(_("提交的作业"), Unit.COUNT),
    Column(_("已批改"), Unit.COUNT),
    Column(_("等待批改"), Unit.COUNT),
    Column(_("中位数"), Unit.MINUTES),
    Column(_("九成不超过"), Unit.MINUTES),
    Column(_("超过时限"), Unit.COUNT),
    Column(_("占提交"), Unit.PERMILLE),
)
MEANINGS = (
    Meaning(_("提交的作业"), _("在这段时间里交的作业，每次重交各算一次；导师是批改的人，还没批改的算现在的导师。")),
    Meaning(_("等待时间"), _("从提交到批改经过的时间，不扣休学，也不扣换导师的时间；所以与罚款的时限不完全相同。")),
    Meaning(_("中位数"), _("已批改的作业里，至少一半等待的时间不超过它。「九成不超过」同理。")),
    Meaning(_("超过时限"), _("等待超过批改时限（设置里的 GRADING_HOURS）的作业，还在等的也算。")),
)
NOBODY = Phrase(_("还没有导师"))
UP_TO, MORE = _("%(hours)s 小时以内"), _("超过 %(hours)s 小时")


@dataclass(slots=True)
class Waits:
    """Hand-ins: how many waited how many minutes for their mark, how many still wait, how many too long."""

    minutes: Counter[int] = field(default_factory=Counter)
    waiting: int = 0
    late: int = 0

    @property
    def graded(self) -> int:
        return self.minutes.total()

    @property
    def handed_in(self) -> int:
        return self.graded + self.waiting


def make(period: Period) -> Sheet:
    """In three statements."""
    by_mentor = _read(period)
    now, before = _all(by_mentor.values()), _all(_read(period.before).values())
    names = names_of(by_mentor)
    worst_first = sorted(by_mentor.items(), key=lambda item: (-item[1].late, -item[1].handed_in, item[0] or 0))
    mentors = [Row((names.get(mentor_id or 0, NOBODY), *_cells(waits))) for mentor_id, waits in worst_first]
    figures = (
        Figure(_("提交的作业"), Unit.COUNT, now.handed_in, before.handed_in),
        Figure(_("中位数"), Unit.MINUTES, *(percentile(waits.minutes, 50) for waits in (now, before))),
        Figure(_("九成不超过"), Unit.MINUTES, *(percentile(waits.minutes, 90) for waits in (now, before))),
        Figure(_("超过时限"), Unit.COUNT, now.late, before.late),
    )
    return Sheet(
        figures,
        (
            Table("waits", _("等了多久"), WAIT_COLUMNS, _lengths(now), plot=Plot(Shape.BARS, (1,))),
            Table("mentors", _("按导师"), MENTOR_COLUMNS, mentors, _cells(now), Plot(Shape.BARS, (6,))),
        ),
        MEANINGS,
    )


def _read(period: Period) -> dict[int | None, Waits]:
    """By mentor; each length of time with how often it came, so that a busy year is still few rows."""
    row = HomeworkSubmission
    until = func.coalesce(row.checked_time, clock.now())
    is_late = epoch_seconds(until) - epoch_seconds(row.submitted_time) > settings().grading_hours * 3600
    minutes = case((row.checked_time.is_not(None), minutes_between(row.submitted_time, row.checked_time)))
    mentor = func.coalesce(row.grader_id, EnrolledDegreeCourse.mentor_id)
    rows = db.session.execute(
        select(mentor, minutes, func.count(), func.sum(case((is_late, 1), else_=0)))
        .join(HomeworkRecord, HomeworkRecord.id == row.homework_record_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == HomeworkRecord.student_id)
        .where(within(row.submitted_time, period))
        .group_by(mentor, minutes)
    )
    found: dict[int | None, Waits] = defaultdict(Waits)
    for mentor_id, waited, count, late in rows:
        waits = found[mentor_id]
        waits.late += int(late)
        if waited is None:
            waits.waiting += count
        else:
            waits.minutes[int(waited)] += count
    return found


def _all(parts: Iterable[Waits]) -> Waits:
    total = Waits()
    for part in parts:
        total.minutes.update(part.minutes)
        total.waiting += part.waiting
        total.late += part.late
    return total


def _cells(waits: Waits) -> tuple[int | None, ...]:
    quantiles = (percentile(waits.minutes, percent) for percent in (50, 90))
    late = waits.late, permille(waits.late, waits.handed_in)
    return waits.handed_in, waits.graded, waits.waiting, *quantiles, *late


def _lengths(waits: Waits) -> list[Row]:
    """How many waited how long, in steps of the time that is allowed."""
    limit = timedelta(hours=settings().grading_hours) // timedelta(minutes=1)
    steps = [limit // 4, limit // 2, limit, limit * 2]
    counts = [sum(n for waited, n in waits.minutes.items() if waited <= upper) for upper in steps] + [waits.graded]
    between = [count - less for count, less in zip(counts, [0, *counts], strict=False)]
    names = [
        *(Phrase(UP_TO, {"hours": f"{upper / 60:g}"}) for upper in steps),
        Phrase(MORE, {"hours": f"{steps[-1] / 60:g}"}),
    ]
    return [Row((name, count, permille(count, waits.graded))) for name, count in zip(names, between, strict=True)]
