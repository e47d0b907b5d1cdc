"""What a product lacks, by its rows: the facts that ``shop.rules.publishing`` judges."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from shop.enums import CourseType, ProductStatus, SectionType, ValidPeriod
from shop.errors import NotFound, ShopError
from shop.models import Course, CourseChapter, CourseDetail, DegreeCourse, Product
from shop.rules import publishing
from shop.rules.publishing import Chapter, Facts, Lesson, Remark


class Incomplete(ShopError):
    """Publishing or keeping on sale something that lacks a part."""

    def __init__(self, gaps: list[Remark]) -> None:
        super().__init__()
        self.gaps = gaps

    @property
    def message(self) -> str:
        return " ".join(gap.text for gap in self.gaps)


def loaded(session: Session, product_id: int) -> Product:
    """A product with all its parts, in a fixed number of statements. Raises NotFound."""
    kind = session.scalar(select(Product.kind).where(Product.id == product_id))
    if kind is None:
        raise NotFound
    chapters = [
        selectinload(Course.chapters).selectinload(CourseChapter.sections),
        selectinload(Course.chapters).selectinload(CourseChapter.homework),
    ]
    detail = selectinload(Course.detail).selectinload(CourseDetail.outlines)
    common = [selectinload(Product.policies), selectinload(Product.teachers), selectinload(Product.questions)]
    degree = [
        selectinload(DegreeCourse.scholarships),
        selectinload(DegreeCourse.modules).options(*chapters),
    ]
    course = [*chapters, detail, selectinload(Course.sub_category), selectinload(Course.degree_course)]
    model: Any = DegreeCourse if kind == DegreeCourse.__mapper_args__["polymorphic_identity"] else Course
    options = [*common, *(degree if model is DegreeCourse else course)]
    found: Product = session.scalars(
        select(model).where(model.id == product_id).options(*options).execution_options(populate_existing=True)
    ).one()
    return found


def facts_of(product: Product) -> Facts:
    """What matters for its completeness; of a published degree the modules that are shown, of a draft all of them."""
    if isinstance(product, DegreeCourse):
        return Facts(
            name=product.name,
            is_degree=True,
            is_module=False,
            is_sold=True,
            plans=_plans(product),
            chapters=(),
            homework=(),
            has_teachers=bool(product.teachers),
            modules=tuple(facts_of(module) for module in product.modules if _counts(product, module)),
            tiers=tuple(tier.value for tier in product.scholarships),
            total_scholarship=product.total_scholarship,
        )
    assert isinstance(product, Course)
    degree = product.degree_course
    return Facts(
        name=product.name,
        is_degree=False,
        is_module=product.is_module,
        is_sold=product.course_type is CourseType.PAID,
        plans=() if product.is_module else _plans(product),
        chapters=tuple(_chapter(chapter) for chapter in product.chapters),
        homework=tuple(
            task.scholarship_value for chapter in product.chapters for task in chapter.homework if task.enabled
        ),
        has_teachers=product.is_module or bool(product.teachers),
        draft_degree=degree.name if degree is not None and degree.published_time is None else "",
    )


def _plans(product: Product) -> tuple[tuple[ValidPeriod, int], ...]:
    return tuple((plan.valid_period, plan.price_fen) for plan in product.policies)


def _counts(degree: DegreeCourse, module: Course) -> bool:
    if module.published_time is None:
        return degree.published_time is None
    return module.status is not ProductStatus.OFF_SALE


def _chapter(chapter: CourseChapter) -> Chapter:
    return Chapter(
        chapter.name,
        tuple(
            Lesson(
                section.name,
                needs_link=section.section_type is SectionType.VIDEO,
                has_link=bool(section.section_link),
                has_text=bool(section.content),
            )
            for section in chapter.sections
        ),
    )


def gaps_before_publishing(facts: Facts) -> list[Remark]:
    return publishing.module_gaps(facts) if facts.is_module else publishing.gaps(facts)


def mark_of_state(product: Product, facts: Facts) -> str:
    """A short word for what a page showed before it asked to publish or to sell."""
    shown = (product.id, product.brief, int(product.status), product.published_time, facts)
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:24]


def gaps_on_show(session: Session, product_id: int | None) -> list[Remark]:
    """What a product that is sold now lacks, and the degree that is sold with it as a module."""
    if product_id is None:
        return []
    product = loaded(session, product_id)
    found = publishing.gaps(facts_of(product)) if _is_sold(product) else []
    degree = product.degree_course if isinstance(product, Course) else None
    if degree is not None and _is_sold(degree):
        found += publishing.gaps(facts_of(loaded(session, degree.id)))
    return found


def _is_sold(product: Product) -> bool:
    return product.published_time is not None and product.status is ProductStatus.ON_SALE
