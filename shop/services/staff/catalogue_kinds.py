"""The kinds of things that make up the catalogue, as staff edit them: columns, what they belong to, their order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Any

from sqlalchemy.orm import Session

from shop.errors import NotFound
from shop.models import (
    Course,
    CourseCategory,
    CourseChapter,
    CourseDetail,
    CourseOutline,
    CourseSection,
    CourseSubCategory,
    DegreeCourse,
    Homework,
    OftenAskedQuestion,
    PricePolicy,
    Product,
    Scholarship,
    Teacher,
)
from shop.wording import mark as _

Values = Mapping[str, Any]  # by column; related rows by their ids

LONGEST_KEPT = 500  # characters of a text in the audit log; of a longer one its beginning, length and digest

DETAIL = (
    *("hours", "course_slogan", "video_brief_link", "why_study", "what_to_study_brief", "career_improvement"),
    "prerequisite",
)
_COURSE = ("name", "brief", "sub_category_id", "level", "period", "pub_date", "teachers", *DETAIL)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing."""

    key: str  # in the address
    title: str  # in Chinese, a text of the catalogue
    model: Any
    columns: tuple[str, ...]  # what its form holds
    called: str  # the column that people know it by
    parent: str = ""  # the column of what it belongs to; "" for none
    owner: Any = None  # the model of that
    unique: tuple[str, ...] = ()  # columns in which no two of one parent agree
    order: str = ""  # the column by which those of one parent stand; "" where they have another order

    def name_of(self, row: Any) -> str:
        value = getattr(row, self.called)
        return str(value.label if hasattr(value, "label") else value)


KINDS: Mapping[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind("courses", _("专题课"), Course, (*_COURSE, "course_type", "order", "recommended"), "name"),
        Kind(
            "degrees",
            _("学位课"),
            DegreeCourse,
            (
                *("name", "brief", "period", "total_scholarship", "mentor_compensation_bonus", "prerequisite"),
                "teachers",
            ),
            "name",
        ),
        Kind("modules", _("模块"), Course, _COURSE, "name", "degree_course_id", DegreeCourse, order="order"),
        Kind(
            "chapters",
            _("章节"),
            CourseChapter,
            ("chapter", "name", "summary", "pub_date"),
            "name",
            "course_id",
            Course,
            ("chapter",),
            "chapter",
        ),
        Kind(
            "lessons",
            _("课时"),
            CourseSection,
            ("name", "section_type", "section_link", "video_time", "content", "free_trail", "pub_date"),
            "name",
            "chapter_id",
            CourseChapter,
            ("name", "section_link"),
            "order",
        ),
        Kind(
            "homework",
            _("作业"),
            Homework,
            (
                *("title", "homework_type", "requirement", "threshold", "recommend_period", "scholarship_value"),
                *("note", "enabled"),
            ),
            "title",
            "chapter_id",
            CourseChapter,
            ("title",),
            "order",
        ),
        Kind(
            "questions",
            _("常见问题"),
            OftenAskedQuestion,
            ("question", "answer"),
            "question",
            "product_id",
            Product,
            ("question",),
        ),
        Kind(
            "plans",
            _("价格方案"),
            PricePolicy,
            ("valid_period", "price_fen"),
            "valid_period",
            "product_id",
            Product,
            ("valid_period",),
        ),
        Kind(
            "scholarships",
            _("毕业奖学金"),
            Scholarship,
            ("time_percent", "value"),
            "time_percent",
            "degree_course_id",
            DegreeCourse,
            ("time_percent",),
        ),
        Kind(
            "outlines",
            _("大纲"),
            CourseOutline,
            ("title", "content"),
            "title",
            "course_id",
            Course,
            ("title",),
            "order",
        ),
        Kind("categories", _("课程大类"), CourseCategory, ("name",), "name", unique=("name",), order="order"),
        Kind(
            "sub-categories",
            _("课程子类"),
            CourseSubCategory,
            ("name",),
            "name",
            "category_id",
            CourseCategory,
            ("name",),
        ),
        Kind(
            "teachers",
            _("讲师"),
            Teacher,
            ("name", "role", "title", "signature", "brief"),
            "name",
            unique=("name",),
        ),
    )
}


def kind_of(product: Product) -> Kind:
    """How a product is edited: as a course, a module or a degree."""
    if isinstance(product, Course):
        return KINDS["modules" if product.is_module else "courses"]
    return KINDS["degrees"]


def product_of(session: Session, kind: Kind, row: Any) -> Product | None:
    """The product that a thing is a part of, or is; none for categories and teachers."""
    if isinstance(row, Product):
        return row
    if kind.parent == "chapter_id":
        return session.get_one(CourseChapter, row.chapter_id).course
    if kind.owner in (Course, DegreeCourse, Product):
        return session.get_one(Product, getattr(row, kind.parent))
    return None


def product_of_parent(session: Session, kind: Kind, parent_id: int | None) -> Product | None:
    """The product that a new thing would be a part of. Raises NotFound for a parent that cannot have one."""
    if kind.owner is None:
        if parent_id is not None:
            raise NotFound
        return None
    parent = session.get(kind.owner, parent_id) if parent_id is not None else None
    if parent is None:
        raise NotFound
    product = parent.course if isinstance(parent, CourseChapter) else parent
    return product if isinstance(product, Product) else None


# ---------------------------------------------------------------- values


def read(kind: Kind, row: Any) -> dict[str, Any]:
    """The values of a row, as its form has them."""
    return {column: _read(row, column) for column in kind.columns}


def _read(row: Any, column: str) -> Any:
    if column in ("teachers", "recommended"):
        return sorted(other.id for other in getattr(row, column))
    if isinstance(row, Course) and column in DETAIL:
        return getattr(row.detail or CourseDetail(**_NO_DETAIL), column)
    return getattr(row, column)


_NO_DETAIL: dict[str, Any] = {column: 0 if column == "hours" else "" for column in DETAIL}


def write(session: Session, row: Any, values: Values) -> None:
    """Give a row its values; the ids of related rows must exist."""
    for column, value in values.items():
        if column == "teachers":
            row.teachers = _rows(session, Teacher, value)
        elif column == "recommended":
            row.recommended = _rows(session, Course, value)
        elif isinstance(row, Course) and column in DETAIL:
            if row.detail is None:
                row.detail = CourseDetail(**_NO_DETAIL)
            setattr(row.detail, column, value)
        else:
            setattr(row, column, value)


def _rows(session: Session, model: Any, ids: list[int]) -> list[Any]:
    rows = [session.get(model, row_id) for row_id in sorted(set(ids))]
    if None in rows:
        raise NotFound
    return rows


def mark_of(values: Values) -> str:
    """A short word for the values that a page showed: another one means that they have changed since."""
    text = json.dumps(values, default=_plain, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def kept(values: Values) -> dict[str, Any]:
    """The same for the audit log: as JSON has it, long texts shortened."""
    return {column: _kept(value) for column, value in values.items()}


def _kept(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_KEPT:
        digest = hashlib.sha256(value.encode()).hexdigest()[:12]
        return f"{value[:LONGEST_KEPT]}… ({len(value)} characters, sha256 {digest})"
    return value if value is None or isinstance(value, (str, bool, list)) else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return int(value) if isinstance(value, (int, IntEnum)) else str(value)
