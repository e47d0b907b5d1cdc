"""What a person has to learn from, until when, by which order; and who may open a lesson (design 9)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, literal, select, union_all
from sqlalchemy.orm import joinedload, selectinload

from shop.enums import EnrolmentStatus, ModuleStatus, SectionType, StudyStatus
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    Course,
    CourseChapter,
    CourseSection,
    DegreeRegistrationForm,
    EnrolledCourse,
    EnrolledDegreeCourse,
    Order,
    OrderDetail,
    Product,
    Refund,
    RefundDetail,
    StudyRecord,
)
from shop.rules.access import Access, Period, access_of
from shop.rules.refund_states import OF_LINES, UNDER_WAY

CONTINUE_WITH = 3  # on the home page


class NoAccess(Exception):
    """The person may not open this course or lesson today; the page tells where it can be bought."""

    def __init__(self, course: Course) -> None:
        super().__init__(course.id)
        self.name = course.name
        self.product_id = course.degree_course_id or course.id
        self.is_degree = course.degree_course_id is not None


@dataclass(frozen=True, slots=True)
class Continuing:
    """Something that is open to an account today: a course, or a degree by its enrolment."""

    id: int  # of the course, or of the enrolment
    product_id: int
    name: str
    is_degree: bool
    until_date: date | None


@dataclass(frozen=True, slots=True)
class OwnCourse:
    id: int
    name: str
    access: Access


@dataclass(frozen=True, slots=True)
class OwnDegree:
    id: int  # of the enrolment
    product_id: int
    name: str
    status: StudyStatus
    is_registered: bool
    modules: int
    modules_done: int
    until_date: date | None  # none until the first module opens
    order_number: str
    is_suspended: bool


@dataclass(frozen=True, slots=True)
class LearningView:
    courses: tuple[OwnCourse, ...]
    degrees: tuple[OwnDegree, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    id: int
    name: str
    kind: SectionType
    length: str
    is_free: bool
    is_open: bool  # to whoever asked


@dataclass(frozen=True, slots=True)
class Chapter:
    number: int
    name: str
    lessons: tuple[Lesson, ...]


@dataclass(frozen=True, slots=True)
class CourseLearning:
    """A course that an account has, or had: ``access.is_open`` tells. A module has an enrolment instead."""

    id: int
    name: str
    brief: str
    access: Access | None
    enrolment_id: int | None
    chapters: tuple[Chapter, ...]


@dataclass(frozen=True, slots=True)
class LessonView:
    id: int
    name: str
    kind: SectionType
    content: str  # Markdown, not yet made safe
    video_link: str  # as staff wrote it, not yet judged
    course_id: int
    course_name: str
    chapter_name: str
    degree_id: int | None  # of the degree that the course is a module of
    owned: bool  # opened by right, not only as a free trial
    chapters: tuple[Chapter, ...]
    before: Lesson | None
    after: Lesson | None


# ---------------------------------------------------------------- who may open what


def may_read(account_id: int | None, section: CourseSection, today: date) -> bool:
    """Whether a lesson is open to an account (None: a visitor) today. Free-trial lessons are open to all."""
    return section.free_trail or (account_id is not None and may_open(account_id, section.chapter.course, today))


def may_open(account_id: int, course: Course, today: date) -> bool:
    """Whether an account may open all lessons of a course or of a degree's module today, in one statement.

    A course needs a living purchase whose days include today; a module needs a living enrolment in its degree with the
    registration filed, the module opened and the degree's days including today; a leave closes it. Whoever is a
    student's mentor reads all modules of that degree (safety.md 4).
    """
    right = _module_right if course.is_module else _course_right
    return bool(db.session.scalar(select(right(account_id, course.id, today))))


def _course_right(account_id: int, course_id: int, today: date) -> ColumnElement[bool]:
    return exists().where(
        EnrolledCourse.account_id == account_id,
        EnrolledCourse.course_id == course_id,
        *_open_today(EnrolledCourse, today),
        EnrolledCourse.status == EnrolmentStatus.OPEN,
    )


def _module_right(account_id: int, course_id: int, today: date) -> ColumnElement[bool]:
    own = exists().where(
        EnrolledDegreeCourse.account_id == account_id,
        *_open_today(EnrolledDegreeCourse, today),
        EnrolledDegreeCourse.study_status != StudyStatus.ON_LEAVE,
        DegreeRegistrationForm.enrolled_degree_id == EnrolledDegreeCourse.id,
        StudyRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id,
        StudyRecord.course_module_id == course_id,
        StudyRecord.status != ModuleStatus.LOCKED,
    )
    a_students = exists().where(
        EnrolledDegreeCourse.mentor_id == account_id,
        EnrolledDegreeCourse.closed_time.is_(None),
        StudyRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id,
        StudyRecord.course_module_id == course_id,
    )
    return own | a_students


def _open_today(enrolled: type[EnrolledCourse | EnrolledDegreeCourse], today: Any) -> tuple[ColumnElement[bool], ...]:
    """Not closed or suspended by a refund, and today is within its days; the last day counts."""
    days = enrolled.valid_begin_date <= today, enrolled.valid_end_date >= today
    return enrolled.closed_time.is_(None), ~is_suspended(enrolled), *days


def is_suspended(enrolled: type[EnrolledCourse | EnrolledDegreeCourse]) -> ColumnElement[bool]:
    """Whether the line that opened this is asked back, and nobody has said no yet (design 8)."""
    return exists().where(
        RefundDetail.order_detail_id == enrolled.order_detail_id,
        Refund.id == RefundDetail.refund_id,
        Refund.cause.in_(OF_LINES),
        Refund.state.in_(UNDER_WAY),
    )


# ---------------------------------------------------------------- 我的学习


def _open_statement() -> Select[Any]:
    courses = (
        select(
            EnrolledCourse.course_id.label("id"),
            EnrolledCourse.course_id.label("product_id"),
            literal(0).label("is_degree"),
            func.max(EnrolledCourse.valid_end_date).label("until_date"),
            func.max(EnrolledCourse.order_detail_id).label("bought"),
        )
        .where(
            EnrolledCourse.account_id == bindparam("account_id"),
            EnrolledCourse.status == EnrolmentStatus.OPEN,
            *_open_today(EnrolledCourse, bindparam("today")),
        )
        .group_by(EnrolledCourse.course_id)
    )
    degrees = select(
        EnrolledDegreeCourse.id,
        EnrolledDegreeCourse.degree_course_id,
        literal(1),
        EnrolledDegreeCourse.valid_end_date,
        EnrolledDegreeCourse.order_detail_id,
    ).where(
        EnrolledDegreeCourse.account_id == bindparam("account_id"),
        EnrolledDegreeCourse.closed_time.is_(None),
        ~is_suspended(EnrolledDegreeCourse),
        EnrolledDegreeCourse.valid_end_date.is_(None) | (EnrolledDegreeCourse.valid_end_date >= bindparam("today")),
    )
    owned = union_all(courses, degrees).subquery()
    product = Product.__table__
    return (
        select(owned.c.id, owned.c.product_id, product.c.name, owned.c.is_degree, owned.c.until_date)
        .join(product, product.c.id == owned.c.product_id)
        .order_by(owned.c.bought.desc())
        .limit(CONTINUE_WITH)
    )


_OPEN = _open_statement()  # built once: that takes longer than running it


def continue_with(account_id: int, today: date) -> tuple[Continuing, ...]:
    """What was bought last among what is open, in one statement; a degree that waits for its form counts as open."""
    rows = db.session.execute(_OPEN, {"account_id": account_id, "today": today})
    return tuple(
        Continuing(owned_id, product_id, name, bool(is_degree), until_date)
        for owned_id, product_id, name, is_degree, until_date in rows
    )


_PERIODS = (
    select(
        EnrolledCourse.valid_begin_date,
        EnrolledCourse.valid_end_date,
        Order.order_number,
        is_suspended(EnrolledCourse),
    )
    .join(OrderDetail, OrderDetail.id == EnrolledCourse.order_detail_id)
    .join(Order, Order.id == OrderDetail.order_id)
    .where(
        EnrolledCourse.account_id == bindparam("account_id"),
        EnrolledCourse.course_id == bindparam("course_id"),
        EnrolledCourse.closed_time.is_(None),
    )
)


def access_to(account_id: int, course_id: int, today: date) -> Access | None:
    """What an account's living purchases of a course give today, in one statement; None without any."""
    rows = db.session.execute(_PERIODS, {"account_id": account_id, "course_id": course_id})
    return access_of((Period(*row) for row in rows), today)


def enrolment_in(account_id: int, degree_id: int) -> int | None:
    """The id of an account's living enrolment in a degree, in one statement."""
    return db.session.scalar(
        select(EnrolledDegreeCourse.id).where(
            EnrolledDegreeCourse.account_id == account_id,
            EnrolledDegreeCourse.degree_course_id == degree_id,
            EnrolledDegreeCourse.closed_time.is_(None),
        )
    )


def first_lesson(course_id: int) -> int | None:
    """The id of a course's first lesson, where a buyer begins; None for a course without any."""
    return db.session.scalar(
        select(CourseSection.id)
        .join(CourseChapter, CourseChapter.id == CourseSection.chapter_id)
        .where(CourseChapter.course_id == course_id)
        .order_by(CourseChapter.chapter, CourseSection.order, CourseSection.id)
        .limit(1)
    )


def index(account_id: int, today: date) -> LearningView:
    """Everything an account has bought and not returned, open first, in two statements."""
    courses = sorted(_own_courses(account_id, today), key=_open_first)
    return LearningView(tuple(courses), _own_degrees(account_id))


def _open_first(course: OwnCourse) -> tuple[bool, bool, int]:
    is_over = not course.access.is_open and course.access.begin_date is None
    return is_over, not course.access.is_open, -course.access.until_date.toordinal()


def _own_courses(account_id: int, today: date) -> list[OwnCourse]:
    product = Product.__table__
    rows = db.session.execute(
        select(
            product.c.id,
            product.c.name,
            EnrolledCourse.valid_begin_date,
            EnrolledCourse.valid_end_date,
            Order.order_number,
            is_suspended(EnrolledCourse),
        )
        .join(EnrolledCourse, EnrolledCourse.course_id == product.c.id)
        .join(OrderDetail, OrderDetail.id == EnrolledCourse.order_detail_id)
        .join(Order, Order.id == OrderDetail.order_id)
        .where(EnrolledCourse.account_id == account_id, EnrolledCourse.closed_time.is_(None))
    )
    periods: dict[tuple[int, str], list[Period]] = {}
    for course_id, name, *period in rows:
        periods.setdefault((course_id, name), []).append(Period(*period))
    return [
        OwnCourse(course_id, name, access)
        for (course_id, name), bought in periods.items()
        if (access := access_of(bought, today))
    ]


def _own_degrees(account_id: int) -> tuple[OwnDegree, ...]:
    product = Product.__table__
    of_enrolment = StudyRecord.enrolled_degree_course_id == EnrolledDegreeCourse.id
    modules = select(func.count()).where(of_enrolment).scalar_subquery()
    done = select(func.count()).where(of_enrolment, StudyRecord.status == ModuleStatus.DONE).scalar_subquery()
    registered = exists().where(DegreeRegistrationForm.enrolled_degree_id == EnrolledDegreeCourse.id)
    rows = db.session.execute(
        select(
            EnrolledDegreeCourse.id,
            EnrolledDegreeCourse.degree_course_id,
            product.c.name,
            EnrolledDegreeCourse.study_status,
            registered,
            modules,
            done,
            EnrolledDegreeCourse.valid_end_date,
            Order.order_number,
            is_suspended(EnrolledDegreeCourse),
        )
        .join(product, product.c.id == EnrolledDegreeCourse.degree_course_id)
        .join(OrderDetail, OrderDetail.id == EnrolledDegreeCourse.order_detail_id)
        .join(Order, Order.id == OrderDetail.order_id)
        .where(EnrolledDegreeCourse.account_id == account_id, EnrolledDegreeCourse.closed_time.is_(None))
        .order_by(EnrolledDegreeCourse.id.desc())
    )
    return tuple(OwnDegree(*row) for row in rows)


# ---------------------------------------------------------------- one course, one lesson


def course(account_id: int, product_id: int, today: date) -> CourseLearning:
    """A course or an opened module with its lessons.

    Shown to everyone who bought it, its lessons closed once the days are over. Raises NotFound, and NoAccess for those
    who never bought it or may not open the module yet.
    """
    found = db.session.scalars(
        select(Course)
        .where(Course.id == product_id, Course.published_time.is_not(None))
        .options(selectinload(Course.chapters).selectinload(CourseChapter.sections))
    ).one_or_none()
    if found is None:
        raise NotFound
    enrolment_id = enrolment_in(account_id, found.degree_course_id) if found.degree_course_id else None
    access = None if found.is_module else access_to(account_id, found.id, today)
    is_open = may_open(account_id, found, today)
    if not is_open and access is None:
        raise NoAccess(found)
    return CourseLearning(
        id=found.id,
        name=found.name,
        brief=found.brief,
        access=access,
        enrolment_id=enrolment_id,
        chapters=outline(found.chapters, is_open),
    )


def lesson(account_id: int | None, section_id: int, today: date) -> LessonView:
    """A lesson with its place in the course, in at most three statements. Raises NotFound and NoAccess."""
    section = db.session.scalars(
        select(CourseSection)
        .where(CourseSection.id == section_id)
        .options(
            joinedload(CourseSection.chapter)
            .joinedload(CourseChapter.course)
            .selectinload(Course.chapters)
            .joinedload(CourseChapter.sections)
        )
    ).one_or_none()
    if section is None or section.chapter.course.published_time is None:
        raise NotFound
    found = section.chapter.course
    owned = account_id is not None and may_open(account_id, found, today)
    if not (owned or may_read(None, section, today)):
        raise NoAccess(found)
    chapters = outline(found.chapters, owned)
    before, after = _neighbours(chapters, section.id)
    return LessonView(
        id=section.id,
        name=section.name,
        kind=section.section_type,
        content=section.content,
        video_link=section.section_link or "",
        course_id=found.id,
        course_name=found.name,
        chapter_name=section.chapter.name,
        degree_id=found.degree_course_id,
        owned=owned,
        chapters=chapters,
        before=before,
        after=after,
    )


def outline(chapters: Iterable[CourseChapter], is_open: bool) -> tuple[Chapter, ...]:
    """Chapters with their lessons, which are open by right or as free trials only."""
    return tuple(
        Chapter(chapter.chapter, chapter.name, tuple(_lesson(section, is_open) for section in chapter.sections))
        for chapter in chapters
    )


def _lesson(section: CourseSection, is_open: bool) -> Lesson:
    return Lesson(
        id=section.id,
        name=section.name,
        kind=section.section_type,
        length=section.video_time or "",
        is_free=section.free_trail,
        is_open=is_open or section.free_trail,
    )


def _neighbours(chapters: tuple[Chapter, ...], section_id: int) -> tuple[Lesson | None, Lesson | None]:
    """The lessons before and after one among those that the reader may open."""
    lessons = [lesson for chapter in chapters for lesson in chapter.lessons if lesson.is_open]
    at = next(i for i, lesson in enumerate(lessons) if lesson.id == section_id)
    return (lessons[at - 1] if at else None), (lessons[at + 1] if at + 1 < len(lessons) else None)
