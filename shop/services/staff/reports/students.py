"""Who learns: people per day, and how the studies of degrees stand."""

from __future__ import annotations

from sqlalchemy import func, select

from shop.enums import StudyStatus, VisitStep
from shop.extensions import db
from shop.models import EnrolledDegreeCourse, HomeworkRecord, HomeworkSubmission
from shop.rules.periods import Period, permille
from shop.rules.study_states import UNDER_WAY
from shop.services.staff.reports.conversion import visits_of
from shop.services.staff.reports.instants import counted_by_day
from shop.services.staff.reports.sheet import Column, Figure, Meaning, Plot, Row, Shape, Sheet, Table, Unit
from shop.wording import mark as _

DAY_COLUMNS = (
    Column(_("日期"), Unit.DAY),
    Column(_("学习"), Unit.PEOPLE),
    Column(_("交作业"), Unit.PEOPLE),
)
STUDY_COLUMNS = (
    Column(_("学习状态")),
    Column(_("学位课学员"), Unit.COUNT),
    Column(_("占全部"), Unit.PERMILLE),
)
MEANINGS = (
    Meaning(_("学习"), _("当天打开过自己的课程或课时的不同的人。只数人数，误差约百分之一；没有数到的日子是「–」。")),
    Meaning(_("交作业"), _("当天交过作业的不同的人，重交也算。")),
    Meaning(_("学习状态"), _("没有退课的学位课报名现在的状态，与所选的日期无关；一个人报两门算两次。")),
)


def make(period: Period) -> Sheet:
    """In three statements; the period before is read along with this one."""
    both = Period(period.before.first, period.last)
    visits = visits_of((VisitStep.LEARNING,), both)[VisitStep.LEARNING]
    handed_in = counted_by_day(
        select(func.count(EnrolledDegreeCourse.account_id.distinct()))
        .select_from(HomeworkSubmission)
        .join(HomeworkRecord, HomeworkRecord.id == HomeworkSubmission.homework_record_id)
        .join(EnrolledDegreeCourse, EnrolledDegreeCourse.id == HomeworkRecord.student_id),
        HomeworkSubmission.submitted_time,
        both,
    )
    sums = [
        [sum(n for day, n in counts.items() if day in part) for part in (period, period.before)]
        for counts in (visits, handed_in)
    ]
    days = [Row((day, visits.get(day), handed_in[day])) for day in period]
    studies, count, under_way = _studies()
    figures = (
        Figure(_("学习，每天人数之和"), Unit.PEOPLE, *sums[0]),
        Figure(_("交作业，每天人数之和"), Unit.PEOPLE, *sums[1]),
        Figure(_("正在进行的学位课学习"), Unit.COUNT, under_way),
    )
    total = sums[0][0], sums[1][0]
    all_studies = count, permille(count, count)
    return Sheet(
        figures,
        (
            Table("days", _("每天"), DAY_COLUMNS, days, total, Plot(Shape.DAYS, (1, 2))),
            Table("studies", _("学位课学习状态"), STUDY_COLUMNS, studies, all_studies, Plot(Shape.BARS, (1,))),
        ),
        MEANINGS,
    )


def _studies() -> tuple[list[Row], int, int]:
    """A row for each status, how many there are in all, and how many are under way."""
    row = EnrolledDegreeCourse
    query = select(row.study_status, func.count()).where(row.closed_time.is_(None)).group_by(row.study_status)
    counts = dict.fromkeys(StudyStatus, 0) | dict(db.session.execute(query).all())
    total = sum(counts.values())
    rows = [Row((status, counts[status], permille(counts[status], total))) for status in StudyStatus]
    return rows, total, sum(counts[status] for status in UNDER_WAY)
