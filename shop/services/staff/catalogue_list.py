"""The catalogue as staff look through it: filtered, page by page, or all of it for a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import aliased

from shop.enums import Choice, CourseType, ProductKind, ProductStatus
from shop.extensions import db
from shop.models import (
    Course,
    CourseCategory,
    CourseChapter,
    CourseSection,
    CourseSubCategory,
    PricePolicy,
    Product,
    Teacher,
)
from shop.services import keyset
from shop.services.keyset import Cursor, Window
from shop.wording import mark as _


class Sort(Choice):
    """What of the catalogue a list is about."""

    COURSE = 0, _("专题课")
    DEGREE = 1, _("学位课")
    MODULE = 2, _("学位课程模块")


class Showing(Choice):
    """Whether people can see it, and buy it."""

    ON_SALE = 0, _("上架")
    OFF_SALE = 1, _("已下架")
    COMING = 2, _("预告")
    DRAFT = 3, _("草稿")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; None and "" mean no matter."""

    sort: Sort | None = None
    showing: Showing | None = None
    category_id: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One product in the list."""

    id: int
    name: str
    sort: Sort
    showing: Showing
    category: str
    degree: str  # of a module
    from_fen: int | None
    plans: int
    lessons: int
    published_time: datetime | None


_product, _course = Product.__table__.c, Course.__table__.c
_degree = aliased(Product.__table__)
_prices = select(func.min(PricePolicy.price_fen)).where(PricePolicy.product_id == _product.id).scalar_subquery()
_plans = select(func.count()).where(PricePolicy.product_id == _product.id).scalar_subquery()
_lessons = (
    select(func.count())
    .select_from(CourseSection)
    .join(CourseChapter, CourseChapter.id == CourseSection.chapter_id)
    .where(CourseChapter.course_id == _product.id)
    .scalar_subquery()
)
_LISTED = (
    select(
        *(_product.id, _product.name, _product.kind, _product.status, _product.published_time, _course.course_type),
        CourseCategory.name.label("category"),
        _degree.c.name.label("degree"),
        *(_prices.label("from_fen"), _plans.label("plans"), _lessons.label("lessons")),
    )
    .select_from(Product.__table__)
    .outerjoin(Course.__table__, _course.id == _product.id)
    .outerjoin(_degree, _degree.c.id == _course.degree_course_id)
    .outerjoin(CourseSubCategory, CourseSubCategory.id == _course.sub_category_id)
    .outerjoin(CourseCategory, CourseCategory.id == CourseSubCategory.category_id)
)


def showing_of(status: ProductStatus, published_time: datetime | None) -> Showing:
    return Showing.DRAFT if published_time is None else Showing(status)


def listed(wanted: Wanted, cursor: Cursor, size: int = keyset.SIZE) -> Window[Line]:
    """One page, the latest first, in one statement. Raises NotFound for a cursor that cannot be one."""
    found = keyset.page(
        db.session(),
        _query(wanted),
        _product.id,
        _product.id,
        place_of=lambda row: (row.id, row.id),
        cursor=cursor,
        size=size,
    )
    return Window([_line(row) for row in found.rows], found.before, found.after)


def everything(wanted: Wanted) -> Iterator[Line]:
    """The whole list, read batch by batch as it is asked for."""
    return keyset.every(lambda cursor: listed(wanted, cursor, keyset.BATCH))


def _query(wanted: Wanted) -> Select[*tuple[Any, ...]]:
    return _LISTED.where(*_where(wanted))


def _where(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.sort is Sort.DEGREE:
        yield _product.kind == ProductKind.DEGREE
    elif wanted.sort is not None:
        is_module = _course.course_type == CourseType.MODULE
        yield and_(_product.kind == ProductKind.COURSE, is_module if wanted.sort is Sort.MODULE else ~is_module)
    if wanted.showing is Showing.DRAFT:
        yield _product.published_time.is_(None)
    elif wanted.showing is not None:
        yield and_(_product.published_time.is_not(None), _product.status == ProductStatus(wanted.showing))
    if wanted.category_id:
        yield CourseCategory.id == wanted.category_id
    if wanted.text:
        yield or_(*(column.icontains(wanted.text, autoescape=True) for column in (_product.name, _degree.c.name)))


def _line(row: Any) -> Line:
    is_module = row.course_type is CourseType.MODULE
    return Line(
        id=row.id,
        name=row.name,
        sort=Sort.DEGREE if row.kind is ProductKind.DEGREE else Sort.MODULE if is_module else Sort.COURSE,
        showing=showing_of(row.status, row.published_time),
        category=row.category or "",
        degree=row.degree or "",
        from_fen=row.from_fen,
        plans=row.plans,
        lessons=row.lessons,
        published_time=row.published_time,
    )


# ---------------------------------------------------------------- what forms let choose from


def categories() -> list[tuple[int, str]]:
    rows = db.session.execute(
        select(CourseCategory.id, CourseCategory.name).order_by(CourseCategory.order, CourseCategory.id)
    )
    return [(row_id, name) for row_id, name in rows]


def sub_categories() -> list[tuple[int, str]]:
    rows = db.session.execute(
        select(CourseSubCategory.id, CourseCategory.name, CourseSubCategory.name)
        .join(CourseCategory, CourseCategory.id == CourseSubCategory.category_id)
        .order_by(CourseCategory.order, CourseCategory.id, CourseSubCategory.id)
    )
    return [(row_id, f"{category} / {name}") for row_id, category, name in rows]


def teachers() -> list[tuple[int, str]]:
    rows = db.session.execute(select(Teacher.id, Teacher.name).order_by(Teacher.id))
    return [(row_id, name) for row_id, name in rows]


def courses_alone() -> list[tuple[int, str]]:
    """Courses that one can recommend: no modules, no drafts."""
    rows = db.session.execute(
        select(_product.id, _product.name)
        .join(Course.__table__, _course.id == _product.id)
        .where(_course.course_type != CourseType.MODULE, _product.published_time.is_not(None))
        .order_by(_product.name)
    )
    return [(row_id, name) for row_id, name in rows]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category with its sub-categories, each with how many courses stand in it."""

    id: int
    name: str
    subs: Sequence[tuple[int, str, int]]


def shelves() -> list[Shelf]:
    """All categories in their order, in two statements."""
    counts = select(func.count()).where(_course.sub_category_id == CourseSubCategory.id).scalar_subquery()
    subs: dict[int, list[tuple[int, str, int]]] = {}
    for category_id, *sub in db.session.execute(
        select(CourseSubCategory.category_id, CourseSubCategory.id, CourseSubCategory.name, counts).order_by(
            CourseSubCategory.id
        )
    ):
        subs.setdefault(category_id, []).append((sub[0], sub[1], sub[2]))
    return [Shelf(row_id, name, subs.get(row_id, ())) for row_id, name in categories()]


def all_teachers() -> Sequence[Teacher]:
    return db.session.scalars(select(Teacher).order_by(Teacher.id)).all()
