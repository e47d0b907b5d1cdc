"""Enrolments of degrees as the registry looks through them. Names are masked, and nothing sensitive is in the list."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, func, literal, select
from sqlalchemy.orm import aliased

from shop import clock
from shop.enums import Choice, ModuleStatus, StudyStatus
from shop.extensions import Instant, db
from shop.models import (
    Account,
    CourseChapter,
    DegreeRegistrationForm,
    EnrolledDegreeCourse,
    Homework,
    MentorAssignment,
    Product,
    StudyRecord,
)
from shop.rules.masking import masked_name
from shop.rules.study_states import LIVING
from shop.services import keyset
from shop.services.keyset import Cursor, Window
from shop.services.learning import is_suspended
from shop.services.mentoring import present_module, to_answer_of, to_grade_of
from shop.services.staff import overdue
from shop.wording import mark as _

MOST_LATE = 5_000  # enrolments that a list of what is overdue names; databases take so many values at once


class State(Choice):
    """StudyStatus, and what a refund has ended."""

    STUDYING = 0, _("在学中")
    ON_LEAVE = 1, _("休学中")
    GRADUATED = 2, _("已毕业")
    OVERTIME = 3, _("超时结业")
    NOT_STARTED = 4, _("未开始")
    REFUNDED = 5, _("已退费")


class FormState(Choice):
    MISSING = 0, _("未填写")
    FILED = 1, _("已提交")
    REOPENED = 2, _("待学员修改")


class Snag(Choice):
    """What keeps a study from going on, or somebody waiting."""

    NO_MENTOR = 0, _("待分配导师")
    LATE_GRADING = 1, _("作业批改超时")
    LATE_ANSWER = 2, _("提问回复超时")
    NO_HOMEWORK = 3, _("在学模块没有作业，等人工通过")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; None and "" mean no matter. User names count by how they begin."""

    degree_id: int | None = None
    mentor_id: int | None = None
    state: State | None = None
    form: FormState | None = None
    snag: Snag | None = None
    username: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One enrolment."""

    id: int
    username: str
    name: str  # masked
    degree: str
    status: StudyStatus
    is_refunded: bool
    is_suspended: bool
    mentor: str  # user name; "" without one
    form: FormState
    filed_time: datetime | None
    wished_mentor: str
    enrolled_date: datetime
    until_date: date | None
    module: str  # that is being studied; "" without one
    to_grade: int
    to_answer: int


# ---------------------------------------------------------------- the list


def listed(wanted: Wanted, cursor: Cursor, size: int = keyset.SIZE) -> Window[Line]:
    """One page, the newest first; of what waits for somebody, the oldest. Raises NotFound for what is no cursor."""
    found = keyset.page(
        db.session(),
        select(*_columns())
        .where(*_where(wanted))
        .select_from(EnrolledDegreeCourse)
        .join(*_STUDENT)
        .join(*_DEGREE)
        .outerjoin(*_MENTOR)
        .outerjoin(*_FORM),
        EnrolledDegreeCourse.id,  # type: ignore[arg-type]
        EnrolledDegreeCourse.id,  # type: ignore[arg-type]
        place_of=lambda row: (row.id, row.id),
        cursor=cursor,
        size=size,
        is_descending=wanted.snag is None,
    )
    return Window([_line(row) for row in found.rows], found.before, found.after)


def everything(wanted: Wanted) -> Iterator[Line]:
    """The whole list, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(wanted, cursor, keyset.BATCH))


def degrees() -> Sequence[tuple[int, str]]:
    """Degrees that somebody has bought, to choose from."""
    bought = select(EnrolledDegreeCourse.degree_course_id).distinct()
    product = Product.__table__.c
    rows = db.session.execute(select(product.id, product.name).where(product.id.in_(bought)).order_by(product.name))
    return [(id_, name) for id_, name in rows]


def mentors() -> Sequence[tuple[int, str]]:
    """Whoever has ever been a mentor here, to choose from."""
    had = select(MentorAssignment.mentor_id).distinct()
    rows = db.session.execute(
        select(Account.id, Account.username).where(Account.id.in_(had)).order_by(Account.username)
    )
    return [(id_, username) for id_, username in rows]


# ---------------------------------------------------------------- rows

_student, _mentor, _product = aliased(Account), aliased(Account), Product.__table__
_STUDENT = (_student, _student.id == EnrolledDegreeCourse.account_id)
_DEGREE = (_product, _product.c.id == EnrolledDegreeCourse.degree_course_id)
_MENTOR = (_mentor, _mentor.id == EnrolledDegreeCourse.mentor_id)
_FORM = (DegreeRegistrationForm, DegreeRegistrationForm.enrolled_degree_id == EnrolledDegreeCourse.id)


def _columns() -> Sequence[Any]:
    row, form = EnrolledDegreeCourse, DegreeRegistrationForm
    return (
        *(row.id, _student.username, _student.name, _product.c.name.label("degree"), row.study_status),
        *(row.closed_time, row.enrolled_date, row.valid_end_date, _mentor.username.label("mentor")),
        *(form.filed_time, form.reopened_time, form.stu_specified_mentor),
        is_suspended(row).label("is_suspended"),
        present_module().label("module"),
        to_grade_of().label("to_grade"),
        to_answer_of().label("to_answer"),
    )


def _where(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    row, form = EnrolledDegreeCourse, DegreeRegistrationForm
    if wanted.degree_id is not None:
        yield row.degree_course_id == wanted.degree_id
    if wanted.mentor_id is not None:
        yield row.mentor_id == wanted.mentor_id
    if wanted.state is State.REFUNDED:
        yield row.closed_time.is_not(None)
    elif wanted.state is not None:
        yield row.closed_time.is_(None)
        yield row.study_status == StudyStatus(int(wanted.state))
    if wanted.form is FormState.MISSING:
        yield form.id.is_(None)
    elif wanted.form is not None:
        yield form.id.is_not(None)
        yield form.reopened_time.is_(None) if wanted.form is FormState.FILED else form.reopened_time.is_not(None)
    if wanted.username:
        yield _student.username.startswith(wanted.username, autoescape=True)
    if wanted.snag is not None:
        yield from _snagged(wanted.snag)


def _snagged(snag: Snag) -> Iterator[ColumnElement[bool]]:
    if snag is Snag.NO_MENTOR:
        yield from waits_for_mentor()
    elif snag is Snag.NO_HOMEWORK:
        yield from waits_for_staff()
    else:
        yield EnrolledDegreeCourse.id.in_(sorted(late(snag))[:MOST_LATE])


def late(snag: Snag) -> Mapping[int, datetime]:
    """Enrolments in which a mentor is late, with since when."""
    find = overdue.gradings if snag is Snag.LATE_GRADING else overdue.answers
    return overdue.by_enrolment(find(db.session(), clock.now()))


def waits_for_mentor() -> Collection[ColumnElement[bool]]:
    """A form (which is joined) is filed and nobody is assigned; while a refund is under way nobody can be."""
    row, filed = EnrolledDegreeCourse, DegreeRegistrationForm.id.is_not(None)
    return row.mentor_id.is_(None), row.closed_time.is_(None), row.study_status.in_(LIVING), ~is_suspended(row), filed


def waits_for_staff() -> Collection[ColumnElement[bool]]:
    """A module without homework is being studied: no mark will ever end it."""
    row = EnrolledDegreeCourse
    counts = exists().where(
        CourseChapter.course_id == StudyRecord.course_module_id,
        Homework.chapter_id == CourseChapter.id,
        Homework.enabled,
    )
    stuck = exists().where(
        StudyRecord.enrolled_degree_course_id == row.id, StudyRecord.status == ModuleStatus.STUDYING, ~counts
    )
    return row.closed_time.is_(None), row.study_status == StudyStatus.STUDYING, ~is_suspended(row), stuck


def _line(row: Row[*tuple[Any, ...]]) -> Line:
    return Line(
        id=row.id,
        username=row.username,
        name=masked_name(row.name),
        degree=row.degree,
        status=row.study_status,
        is_refunded=row.closed_time is not None,
        is_suspended=row.is_suspended,
        mentor=row.mentor or "",
        form=form_state(row.filed_time, row.reopened_time),
        filed_time=row.filed_time,
        wished_mentor=row.stu_specified_mentor or "",
        enrolled_date=row.enrolled_date,
        until_date=row.valid_end_date,
        module=row.module or "",
        to_grade=row.to_grade,
        to_answer=row.to_answer,
    )


def form_state(filed_time: datetime | None, reopened_time: datetime | None) -> FormState:
    if filed_time is None:
        return FormState.MISSING
    return FormState.FILED if reopened_time is None else FormState.REOPENED


# ---------------------------------------------------------------- the desk


def without_mentor() -> Select[*tuple[Any, ...]]:
    """How many forms wait for a mentor, and since when."""
    filed = func.min(DegreeRegistrationForm.filed_time)
    return select(func.count(), filed).select_from(EnrolledDegreeCourse).join(*_FORM).where(*waits_for_mentor())


def without_homework() -> Select[*tuple[Any, ...]]:
    """How many enrolments are stuck in a module without homework; since when is a day."""
    opened = (
        select(func.max(StudyRecord.open_date))
        .where(
            StudyRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id,
            StudyRecord.status == ModuleStatus.STUDYING,
        )
        .scalar_subquery()
    )
    return select(func.count(), func.min(opened)).select_from(EnrolledDegreeCourse).where(*waits_for_staff())


def overdue_by(snag: Snag) -> Select[*tuple[Any, ...]]:
    """How many enrolments wait for a mentor who is late, and since when."""
    since = late(snag)
    oldest = min(since.values(), default=None)
    return select(literal(len(since)), literal(oldest, Instant))
