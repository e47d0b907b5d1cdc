"""The catalogue as a file that ``catalogue import`` reads (docs/catalogue-format.md): what it says, it says again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from shop.enums import Choice, CourseType
from shop.extensions import db
from shop.models import (
    Course,
    CourseCategory,
    CourseChapter,
    CourseDetail,
    CourseSubCategory,
    DegreeCourse,
    Product,
    Teacher,
)
from shop.money import to_yuan
from shop.services.catalogue_format import DRAFT


class _Dumper(yaml.SafeDumper):
    """Plain data: no aliases, which the import does not read; texts of several lines as they are written."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def export(product_ids: Iterable[int] | None = None) -> str:
    """These products, or all of them, with the categories and teachers that they name; modules in their degree."""
    session = db.session()
    courses, degrees = _courses(session, product_ids), _degrees(session, product_ids)
    modules = [module for degree in degrees for module in degree.modules]
    found = {
        "categories": _categories(session, [*courses, *modules], everything=product_ids is None),
        "teachers": _teachers(session, [*courses, *modules, *degrees], everything=product_ids is None),
        "courses": [_course(course) for course in courses],
        "degrees": [_degree(degree) for degree in degrees],
    }
    return yaml.dump(
        {kind: records for kind, records in found.items() if records},
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        width=120,
    )


# ---------------------------------------------------------------- reading


def _parts(of: type[Product]) -> list[Any]:
    return [selectinload(getattr(of, part)) for part in ("policies", "teachers", "questions")]


def _course_parts(of: Any) -> list[Any]:
    return [
        *(selectinload(getattr(of, part)) for part in ("policies", "teachers", "questions", "recommended")),
        selectinload(of.sub_category).selectinload(CourseSubCategory.category),
        selectinload(of.detail).selectinload(CourseDetail.outlines),
        selectinload(of.chapters).selectinload(CourseChapter.sections),
        selectinload(of.chapters).selectinload(CourseChapter.homework),
    ]


def _courses(session: Session, product_ids: Iterable[int] | None) -> list[Course]:
    query = select(Course).where(Course.course_type != CourseType.MODULE).options(*_course_parts(Course))
    if product_ids is not None:
        query = query.where(Course.id.in_(product_ids))
    return list(session.scalars(query.order_by(Course.id)))


def _degrees(session: Session, product_ids: Iterable[int] | None) -> list[DegreeCourse]:
    modules = selectinload(DegreeCourse.modules).options(*_course_parts(Course))
    query = select(DegreeCourse).options(*_parts(DegreeCourse), selectinload(DegreeCourse.scholarships), modules)
    if product_ids is not None:
        ids = list(product_ids)
        owners = select(Course.degree_course_id).where(Course.id.in_(ids), Course.degree_course_id.is_not(None))
        query = query.where(DegreeCourse.id.in_(ids) | DegreeCourse.id.in_(owners))
    return list(session.scalars(query.order_by(DegreeCourse.id)))


def _categories(session: Session, courses: Iterable[Course], *, everything: bool) -> list[dict[str, Any]]:
    subs = {course.sub_category.id: course.sub_category for course in courses}
    query = select(CourseSubCategory).options(selectinload(CourseSubCategory.category)).order_by(CourseSubCategory.id)
    found = session.scalars(query) if everything else [subs[sub_id] for sub_id in sorted(subs)]
    names: dict[CourseCategory, list[str]] = {}
    if everything:
        names = {row: [] for row in session.scalars(select(CourseCategory).order_by(CourseCategory.id))}
    for sub in found:
        names.setdefault(sub.category, []).append(sub.name)
    return [
        _said({"name": category.name, "order": category.order, "sub_categories": subs_of})
        for category, subs_of in names.items()
    ]


def _teachers(session: Session, products: Iterable[Product], *, everything: bool) -> list[dict[str, Any]]:
    named = {teacher.id: teacher for product in products for teacher in product.teachers}
    rows = (
        session.scalars(select(Teacher).order_by(Teacher.id)) if everything else [named[key] for key in sorted(named)]
    )
    return [_columns(row, "name", "role", "title", "signature", "brief") for row in rows]


# ---------------------------------------------------------------- writing


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    """As the format writes them, without what is empty; words for choices."""
    return {key: _plain(value) for key, value in values.items() if value not in (None, "", [])}


def _plain(value: Any) -> Any:
    if isinstance(value, Choice):
        return value.name.lower()
    return value.strip() if isinstance(value, str) else value


def _columns(row: Any, *columns: str, **renamed: str) -> dict[str, Any]:
    """Columns by key: ``_columns(row, "name", type="section_type")``."""
    return _said({key: getattr(row, column) for key, column in ({c: c for c in columns} | renamed).items()})


def _status(product: Product) -> str:
    return DRAFT if product.published_time is None else product.status.name.lower()


def _common(product: Product) -> dict[str, Any]:
    return _said(
        {
            "teachers": [teacher.name for teacher in product.teachers],
            "plans": [
                {"valid_period": int(plan.valid_period), "price": to_yuan(plan.price_fen)}
                for plan in product.policies
                if not (isinstance(product, Course) and product.is_module)
            ],
            "questions": [_columns(row, "question", "answer") for row in product.questions],
        }
    )


def _course(course: Course, *, is_module: bool = False) -> dict[str, Any]:
    detail = course.detail
    head = {
        "name": course.name,
        "category": course.sub_category.category.name,
        "sub_category": course.sub_category.name,
        "status": _status(course),
    }
    alone = {} if is_module else {"type": course.course_type.name.lower(), "order": course.order}
    long = _columns(
        detail,
        *("hours", "video_brief_link", "why_study", "career_improvement", "prerequisite"),
        slogan="course_slogan",
        what_to_study="what_to_study_brief",
    ) if detail else {}  # fmt: skip
    parts = {
        "recommend": [] if is_module else sorted(other.name for other in course.recommended),
        "outline": [_columns(row, "title", "content") for row in detail.outlines] if detail else [],
        "chapters": [_chapter(chapter, is_module=is_module) for chapter in course.chapters],
    }
    return {
        **head,
        **alone,
        **_columns(course, "level", "brief", "pub_date", "period"),
        **long,
        **_common(course),
        **_said(parts),
    }


def _chapter(chapter: CourseChapter, *, is_module: bool) -> dict[str, Any]:
    sections = [
        _columns(
            section,
            *("name", "content", "video_time", "pub_date"),
            type="section_type",
            link="section_link",
            free_trial="free_trail",
        )
        for section in chapter.sections
    ]
    homework = [
        _columns(
            task,
            *("title", "requirement", "threshold", "recommend_period", "scholarship_value", "note", "enabled"),
            type="homework_type",
        )
        for task in chapter.homework
        if is_module
    ]
    return {
        **_columns(chapter, "chapter", "name", "summary", "pub_date"),
        "sections": sections,
        **({"homework": homework} if homework else {}),
    }


def _degree(degree: DegreeCourse) -> dict[str, Any]:
    return {
        "name": degree.name,
        "status": _status(degree),
        **_columns(degree, "brief", "prerequisite", "total_scholarship", "mentor_compensation_bonus", "period"),
        **_common(degree),
        **_said({"scholarships": [_columns(tier, "time_percent", "value") for tier in degree.scholarships]}),
        **_said({"modules": [_course(module, is_module=True) for module in degree.modules]}),
    }
