"""What anybody may see of the catalogue, read in few statements whose cost does not depend on who asks.

Every view is a frozen value with what a page shows, so that it can be rendered once and kept (``shop.web.fragments``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import joinedload, selectinload

from shop.enums import CourseType, Level, ProductStatus, TeacherRole
from shop.errors import NotFound
from shop.extensions import db
from shop.models import (
    Course,
    CourseCategory,
    CourseChapter,
    CourseDetail,
    CourseSubCategory,
    DegreeCourse,
    PricePolicy,
    Product,
    Teacher,
    course_recommendation,
)
from shop.services import offers
from shop.services.catalogue_views import (
    Category,
    CategoryShelf,
    Chapter,
    CourseCard,
    CourseView,
    CoverData,
    DegreeCard,
    DegreeView,
    Filters,
    HomeView,
    Lesson,
    ListView,
    Module,
    Person,
    Plan,
    Text,
    Tier,
)

COURSES_PER_CATEGORY = 4  # on the home page
COURSES_PER_PAGE = 24
COUPONS_SHOWN = 6


# ---------------------------------------------------------------- the pages


def home(today: date) -> HomeView:
    """Degrees, the first courses of every category, and coupons to claim today, in five statements."""
    rank = func.row_number().over(
        partition_by=CourseSubCategory.category_id, order_by=(Product.status, Course.order, Course.id)
    )
    ranked = _listed(rank.label("rank")).subquery()
    rows = db.session.execute(
        select(ranked).where(ranked.c.rank <= COURSES_PER_CATEGORY).order_by(ranked.c.category_order, ranked.c.rank)
    ).all()
    shelves: dict[Category, list[CourseCard]] = {}
    for card in _course_cards(rows):
        shelves.setdefault(card.category, []).append(card)
    return HomeView(
        degrees=_degree_cards(),
        shelves=tuple(CategoryShelf(category, tuple(cards)) for category, cards in shelves.items()),
        offers=offers.claimable(today, COUPONS_SHOWN),
    )


def courses(filters: Filters) -> ListView:
    """One page of the courses that fit, in three statements (a search: four, as it looks for degrees too).

    Raises NotFound for an unknown category and for a page beyond the last one.
    """
    categories = tuple(
        Category(*row)
        for row in db.session.execute(
            select(CourseCategory.id, CourseCategory.name).order_by(CourseCategory.order, CourseCategory.id)
        )
    )
    category = next((known for known in categories if known.id == filters.category), None)
    if filters.category is not None and category is None:
        raise NotFound
    # The order opens with the column that tells on sale from coming soon.
    rows = db.session.execute(
        _listed(func.count().over().label("total"))
        .where(*_asked_for(filters))
        .order_by(Product.status, CourseCategory.order, CourseCategory.id, Course.order, Course.id)
        .limit(COURSES_PER_PAGE)
        .offset((filters.page - 1) * COURSES_PER_PAGE)
    ).all()
    if not rows and filters.page > 1:
        raise NotFound
    total = rows[0].total if rows else 0
    is_plain_search = bool(filters.q) and filters.page == 1 and filters.level is None and category is None
    return ListView(
        categories=categories,
        category=category,
        courses=_course_cards(rows),
        degrees=_degree_cards(_mentions(filters.q)) if is_plain_search else (),
        total=total,
        pages=math.ceil(total / COURSES_PER_PAGE),
    )


def course(product_id: int, today: date, *, with_drafts: bool = False) -> CourseView | int:
    """A course's page, or the id of the degree that a module belongs to. Raises NotFound, also for a draft."""
    found = db.session.scalars(
        select(Course)
        .where(Course.id == product_id, *_shown(with_drafts))
        .options(
            joinedload(Course.detail).selectinload(CourseDetail.outlines),
            joinedload(Course.sub_category).joinedload(CourseSubCategory.category),
            selectinload(Course.policies),
            selectinload(Course.teachers),
            selectinload(Course.questions),
            selectinload(Course.chapters).selectinload(CourseChapter.sections),
        )
    ).one_or_none()
    if found is None:
        raise NotFound
    if found.degree_course_id is not None:
        return found.degree_course_id
    detail = found.detail or CourseDetail(
        hours=0, course_slogan="", why_study="", what_to_study_brief="", career_improvement="", prerequisite=""
    )
    plans = _plans(found)
    return CourseView(
        **_common(found, plans, today),
        category=Category(found.sub_category.category.id, found.sub_category.category.name),
        level=found.level,
        is_vip=found.course_type is CourseType.VIP,
        days=found.period,
        hours=detail.hours,
        slogan=detail.course_slogan,
        why_study=detail.why_study,
        what_to_study=detail.what_to_study_brief,
        career=detail.career_improvement,
        prerequisite=detail.prerequisite,
        outline=tuple(Text(part.title, part.content) for part in detail.outlines),
        chapters=_chapters(found),
        recommended=_recommended(found.id),
    )


def degree(product_id: int, today: date, *, with_drafts: bool = False) -> DegreeView:
    """A degree's page; with_drafts, as it would be with its drafts of modules. Raises NotFound, also for a draft."""
    found = db.session.scalars(
        select(DegreeCourse)
        .where(DegreeCourse.id == product_id, *_shown(with_drafts))
        .options(
            selectinload(DegreeCourse.policies),
            selectinload(DegreeCourse.teachers),
            selectinload(DegreeCourse.questions),
            selectinload(DegreeCourse.scholarships),
            selectinload(DegreeCourse.modules).selectinload(Course.chapters).selectinload(CourseChapter.sections),
            selectinload(DegreeCourse.modules).selectinload(Course.chapters).selectinload(CourseChapter.homework),
        )
    ).one_or_none()
    if found is None:
        raise NotFound
    tiers = tuple(
        Tier(tier.time_percent, found.period * tier.time_percent // 100, tier.value) for tier in found.scholarships
    )
    return DegreeView(
        **_common(found, _plans(found), today),
        days=found.period,
        months=_months(found.period),
        scholarship=found.total_scholarship,
        prerequisite=found.prerequisite,
        modules=tuple(_module(module) for module in found.modules if _is_listed(module, with_drafts)),
        tiers=tiers,
    )


def _shown(with_drafts: bool) -> list[ColumnElement[bool]]:
    """Whether a product may be looked at: a draft was never shown to anybody but staff."""
    return [] if with_drafts else [Product.published_time.is_not(None)]


def _is_listed(module: Course, with_drafts: bool) -> bool:
    is_draft = module.published_time is None
    return with_drafts if is_draft else module.status is not ProductStatus.OFF_SALE


def cover(product_id: int) -> CoverData:
    """What the cover of a course, a module or a degree is drawn from, in one statement. Raises NotFound."""
    course = Course.__table__
    row = db.session.execute(
        select(Product.kind, Product.name, Product.published_time, CourseSubCategory.category_id, course.c.level)
        .outerjoin(course, course.c.id == Product.id)
        .outerjoin(CourseSubCategory, CourseSubCategory.id == course.c.sub_category_id)
        .where(Product.id == product_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    level = Level.ADVANCED if row.level is None else row.level
    return CoverData(row.kind, row.name, row.category_id or 0, level, is_draft=row.published_time is None)


# ---------------------------------------------------------------- cards


def _listed(*more: ColumnElement[int]) -> Select:
    """Courses that are shown in lists: no modules, nothing off sale; coming ones are shown but cannot be bought."""
    return (
        select(
            Course.id.label("id"),
            Course.name.label("name"),
            Course.brief.label("brief"),
            Course.level.label("level"),
            Course.status.label("status"),
            CourseCategory.id.label("category_id"),
            CourseCategory.name.label("category_name"),
            CourseCategory.order.label("category_order"),
            *more,
        )
        .join(CourseSubCategory, CourseSubCategory.id == Course.sub_category_id)
        .join(CourseCategory, CourseCategory.id == CourseSubCategory.category_id)
        .where(Course.course_type != CourseType.MODULE, Course.status != ProductStatus.OFF_SALE)
    )


def _asked_for(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.category is not None:
        conditions.append(CourseCategory.id == filters.category)
    if filters.level is not None:
        conditions.append(Course.level == filters.level)
    if filters.q:
        conditions.append(_mentions(filters.q))
    return conditions


def _mentions(q: str) -> ColumnElement[bool]:
    """Whether name, brief or a teacher's name holds the words as they stand; % and _ are ordinary characters."""
    return or_(
        Product.name.icontains(q, autoescape=True),
        Product.brief.icontains(q, autoescape=True),
        Product.teachers.any(Teacher.name.icontains(q, autoescape=True)),
    )


def _course_cards(rows: Sequence) -> tuple[CourseCard, ...]:
    """Cards of the rows of ``_listed``, with their lowest prices in one more statement."""
    lowest = _lowest_prices([row.id for row in rows])
    return tuple(
        CourseCard(
            id=row.id,
            name=row.name,
            brief=row.brief,
            level=row.level,
            category=Category(row.category_id, row.category_name),
            status=row.status,
            from_fen=lowest.get(row.id),
        )
        for row in rows
    )


def _recommended(course_id: int) -> tuple[CourseCard, ...]:
    rows = db.session.execute(
        _listed()
        .join(course_recommendation, course_recommendation.c.recommended_id == Course.id)
        .where(course_recommendation.c.course_id == course_id)
        .order_by(Course.order, Course.id)
    ).all()
    return _course_cards(rows) if rows else ()


def _degree_cards(condition: ColumnElement[bool] | None = None) -> tuple[DegreeCard, ...]:
    module, named = Course.__table__, Product.__table__.alias()
    modules = (
        select(func.count())
        .select_from(module.join(named, named.c.id == module.c.id))
        .where(module.c.degree_course_id == DegreeCourse.id, named.c.status != ProductStatus.OFF_SALE)
        .scalar_subquery()
    )
    price = select(func.min(PricePolicy.price_fen)).where(PricePolicy.product_id == DegreeCourse.id).scalar_subquery()
    query = (
        select(
            DegreeCourse.id,
            DegreeCourse.name,
            DegreeCourse.brief,
            DegreeCourse.period,
            DegreeCourse.total_scholarship,
            modules,
            price,
        )
        .where(DegreeCourse.status == ProductStatus.ON_SALE)
        .order_by(DegreeCourse.id)
    )
    if condition is not None:
        query = query.where(condition)
    return tuple(
        DegreeCard(product_id, name, brief, _months(days), count, scholarship, from_fen)
        for product_id, name, brief, days, scholarship, count, from_fen in db.session.execute(query)
    )


def _lowest_prices(product_ids: list[int]) -> Mapping[int, int]:
    if not product_ids:
        return {}
    query = (
        select(PricePolicy.product_id, func.min(PricePolicy.price_fen))
        .where(PricePolicy.product_id.in_(product_ids))
        .group_by(PricePolicy.product_id)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}


# ---------------------------------------------------------------- parts of a product's page


def _common(product: Product, plans: tuple[Plan, ...], today: date) -> dict:
    prices = {plan.label: plan.price_fen for plan in plans if plan.price_fen > 0}
    has_offers = product.status is ProductStatus.ON_SALE and prices
    return {
        "id": product.id,
        "name": product.name,
        "brief": product.brief,
        "status": product.status,
        "plans": plans,
        "people": tuple(
            Person(teacher.name, teacher.title, teacher.signature, teacher.brief, teacher.role is TeacherRole.MENTOR)
            for teacher in product.teachers
        ),
        "questions": tuple(Text(asked.question, asked.answer) for asked in product.questions),
        "offers": offers.for_product(product.id, prices, today) if has_offers else (),
    }


def _plans(product: Product) -> tuple[Plan, ...]:
    return tuple(
        Plan(policy.id, policy.valid_period.label, int(policy.valid_period), policy.price_fen)
        for policy in product.policies
    )


def _chapters(course: Course) -> tuple[Chapter, ...]:
    return tuple(
        Chapter(
            chapter.chapter,
            chapter.name,
            chapter.summary,
            tuple(
                Lesson(section.id, section.name, section.section_type, section.video_time or "", section.free_trail)
                for section in chapter.sections
            ),
        )
        for chapter in course.chapters
    )


def _module(course: Course) -> Module:
    homework = [task for chapter in course.chapters for task in chapter.homework if task.enabled]
    return Module(
        id=course.id,
        name=course.name,
        brief=course.brief,
        days=course.period,
        homework=len(homework),
        scholarship=sum(task.scholarship_value for task in homework),
        chapters=_chapters(course),
    )


def _months(days: int) -> int:
    return math.ceil(days / 30)
