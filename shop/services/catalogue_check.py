"""What stands in the shop already, and what a catalogue may not say because of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from shop.models import (
    Coupon,
    CouponCode,
    Course,
    CourseCategory,
    CourseChapter,
    CourseDetail,
    CourseSubCategory,
    DegreeCourse,
    Product,
    Teacher,
)
from shop.services.catalogue_format import DEGREE_PERIOD, DRAFT, Catalogue
from shop.services.yaml_records import Faults, Place, Record

UNKNOWN = {
    "teacher": lazy_gettext("没有讲师 %(name)r，这些文件和商城里都没有"),
    "course": lazy_gettext("没有课程 %(name)r，这些文件和商城里都没有"),
    "degree": lazy_gettext("没有学位课 %(name)r，这些文件和商城里都没有"),
}


@dataclass(slots=True)
class Shelf:
    """The rows that the files speak of, by their natural names; the import adds what it creates."""

    categories: dict[str, CourseCategory]
    sub_categories: dict[tuple[str, str], CourseSubCategory]  # by (category, name)
    teachers: dict[str, Teacher]
    courses: dict[str, Course]
    degrees: dict[str, DegreeCourse]
    coupons: dict[str, Coupon]
    coupon_names: Counter[str]  # a name that several coupons have points at none of them
    codes: dict[str, CouponCode]


def find_shelf(session: Session, catalogue: Catalogue) -> Shelf:
    """Every row that the catalogue may change or point at, in a fixed number of statements."""
    sub_categories = session.scalars(select(CourseSubCategory).options(selectinload(CourseSubCategory.category)))
    coupons = session.scalars(select(Coupon).where(Coupon.name.in_(_names(catalogue.coupons)))).all()
    codes = {code for coupon in catalogue.coupons for code, _ in coupon.get("codes", [])}
    used_codes = CouponCode.code.in_(codes) | CouponCode.coupon_id.in_([coupon.id for coupon in coupons])
    return Shelf(
        categories={row.name: row for row in session.scalars(select(CourseCategory))},
        sub_categories={(row.category.name, row.name): row for row in sub_categories},
        teachers={row.name: row for row in session.scalars(select(Teacher))},
        courses={row.name: row for row in _courses(session, catalogue)},
        degrees={row.name: row for row in _degrees(session, catalogue)},
        coupons={row.name: row for row in coupons},
        coupon_names=Counter(row.name for row in coupons),
        codes={row.code: row for row in session.scalars(select(CouponCode).where(used_codes))},
    )


def _names(records: Iterable[Record]) -> set[str]:
    return {record["name"] for record in records if "name" in record}


def _product_parts(of: type[Product]) -> list[Any]:
    return [selectinload(getattr(of, part)) for part in ("policies", "teachers", "questions")]


def _courses(session: Session, catalogue: Catalogue) -> Iterable[Course]:
    names = _names(catalogue.all_courses)
    names |= {name for course in catalogue.courses for name, _ in course.get("recommend", [])}
    names |= {coupon["course"] for coupon in catalogue.coupons if "course" in coupon}
    chapters = selectinload(Course.chapters)
    parts = [
        *_product_parts(Course),
        selectinload(Course.recommended),
        selectinload(Course.detail).selectinload(CourseDetail.outlines),
        chapters.selectinload(CourseChapter.sections),
        chapters.selectinload(CourseChapter.homework),
    ]
    return session.scalars(select(Course).where(Course.name.in_(names)).options(*parts))


def _degrees(session: Session, catalogue: Catalogue) -> Iterable[DegreeCourse]:
    names = _names(catalogue.degrees) | {coupon["degree"] for coupon in catalogue.coupons if "degree" in coupon}
    parts = [*_product_parts(DegreeCourse), selectinload(DegreeCourse.scholarships)]
    return session.scalars(select(DegreeCourse).where(DegreeCourse.name.in_(names)).options(*parts))


def check(catalogue: Catalogue, shelf: Shelf, media_origins: Collection[str], faults: Faults) -> None:
    """Adds a fault for everything that does not fit what stands in the shop or elsewhere in the files."""
    _check_references(catalogue, shelf, faults)
    for degree, module in catalogue.modules:
        _check_module(degree, module, shelf, faults)
    for course in catalogue.courses:
        if (row := _row(shelf.courses, course)) is not None and row.is_module:
            sentence = _("%(name)r 在商城里是学位课的模块，不能变成课程", name=row.name)
            faults.add(course.place, sentence)
    for course in catalogue.all_courses:
        _check_draft(course, _row(shelf.courses, course), faults)
    for degree in catalogue.degrees:
        _check_draft(degree, _row(shelf.degrees, degree), faults)
        _check_plan(degree, _row(shelf.degrees, degree), faults)
    for course in catalogue.all_courses:
        _check_links(course, _row(shelf.courses, course), media_origins, faults)
    for coupon in catalogue.coupons:
        _check_coupon(coupon, shelf, faults)


def _row(rows: dict[str, Any], record: Record) -> Any:
    return rows.get(record.get("name", ""))


def _check_references(catalogue: Catalogue, shelf: Shelf, faults: Faults) -> None:
    teachers = _names(catalogue.teachers) | shelf.teachers.keys()
    sold_alone = _names(catalogue.courses) | {name for name, row in shelf.courses.items() if not row.is_module}
    degrees = _names(catalogue.degrees) | shelf.degrees.keys()
    sub_categories = shelf.sub_categories.keys() | {
        (category["name"], name)
        for category in catalogue.categories
        if "name" in category
        for name, _ in category.get("sub_categories", [])
    }
    for product in catalogue.all_courses + catalogue.degrees:
        _demand_known(product.get("teachers", []), teachers, "teacher", faults)
    for course in catalogue.all_courses:
        _check_category(course, sub_categories, faults)
        _demand_known(course.get("recommend", []), sold_alone, "course", faults)
    for coupon in catalogue.coupons:
        for kind, names in (("course", sold_alone), ("degree", degrees)):
            if kind in coupon:
                _demand_known([(coupon[kind], coupon.place_of(kind))], names, kind, faults)


def _demand_known(wanted: list[tuple[str, Place]], known: Collection[str], kind: str, faults: Faults) -> None:
    for name, place in wanted:
        if name not in known:
            faults.add(place, str(UNKNOWN[kind]) % {"name": name})


def _check_category(course: Record, known: Collection[tuple[str, str]], faults: Faults) -> None:
    category, name = course.get("category"), course.get("sub_category")
    if category and not any(category == parent for parent, _ in known):
        sentence = _("没有带子类的课程大类 %(category)r", category=category)
        faults.add(course.place_of("category"), sentence)
    elif category and name and (category, name) not in known:
        sentence = _("课程大类 %(category)r 没有子类 %(name)r", category=category, name=name)
        faults.add(course.place_of("sub_category"), sentence)


def _check_module(degree: Record, module: Record, shelf: Shelf, faults: Faults) -> None:
    row, owner = _row(shelf.courses, module), _row(shelf.degrees, degree)
    if row is None:
        return
    if not row.is_module:
        faults.add(module.place, _("%(name)r 在商城里是单独出售的课程，不能变成模块", name=row.name))
    elif owner is None or row.degree_course_id != owner.id:
        faults.add(module.place, _("%(name)r 在商城里是另一门学位课的模块", name=row.name))


def _check_draft(product: Record, row: Product | None, faults: Faults) -> None:
    if row is not None and row.published_time is not None and product.get("status") == DRAFT:
        faults.add(product.place_of("status"), _("%(name)r 已经发布过，不能再变成草稿", name=row.name))


def _check_plan(degree: Record, row: DegreeCourse | None, faults: Faults) -> None:
    if row is None:
        if "plans" not in degree.places:
            sentence = _("缺少 plans：新的学位课要有一个 %(days)s 天的价格方案", days=DEGREE_PERIOD)
            faults.add(degree.place, sentence)
    elif degree.records("plans") and any(plan.valid_period != DEGREE_PERIOD for plan in row.policies):
        faults.add(degree.place_of("plans"), _("%(name)r 在商城里已经有另一种有效期的价格方案", name=row.name))


def _check_links(course: Record, row: Course | None, media_origins: Collection[str], faults: Faults) -> None:
    _demand_own_host(course, "video_brief_link", media_origins, faults)
    rows = {chapter.chapter: chapter for chapter in row.chapters} if row else {}
    for chapter in course.records("chapters"):
        standing = rows.get(chapter.get("chapter", 0))
        here = _names(chapter.records("sections"))
        others = {s.section_link: s.name for s in standing.sections if s.name not in here} if standing else {}
        for section in chapter.records("sections"):
            _demand_own_host(section, "link", media_origins, faults)
            if (other := others.get(section.get("link"))) is not None and "link" in section:
                faults.add(section.place_of("link"), _("这一章的课时 %(name)r 在商城里已经用了这个 link", name=other))


def _demand_own_host(record: Record, key: str, media_origins: Collection[str], faults: Faults) -> None:
    link = record.get(key, "/")
    parts = urlsplit(link)
    if not link.startswith("/") and f"{parts.scheme}://{parts.netloc}" not in media_origins:
        faults.add(record.place_of(key), _("%(key)s 指向的主机不在 MEDIA_ORIGINS 里", key=key))


def _check_coupon(coupon: Record, shelf: Shelf, faults: Faults) -> None:
    name = coupon.get("name", "")
    row = shelf.coupons.get(name)
    if shelf.coupon_names[name] > 1:
        faults.add(coupon.place_of("name"), _("商城里有好几种优惠券都叫 %(name)r", name=name))
    elif row is not None and row.published_time is None:
        faults.add(coupon.place_of("name"), _("%(name)r 在商城里是草稿：请先在那里发布或者删除", name=name))
    elif row is not None:
        _check_promise(coupon, row, shelf, faults)
    codes = {code for code, _place in coupon.get("codes", [])}
    for code, place in coupon.get("codes", []):
        if (used := shelf.codes.get(code)) is not None and (row is None or used.coupon_id != row.id):
            faults.add(place, _("优惠码 %(code)r 在商城里属于另一种优惠券", code=code))
    standing = {code for code, used in shelf.codes.items() if row is not None and used.coupon_id == row.id}
    total = len(codes | standing)
    if standing and total > coupon.get("quantity", total):
        sentence = _("加上商城里的，一共有 %(total)s 个优惠码，超过了 quantity", total=total)
        faults.add(coupon.place_of("quantity"), sentence)


def _check_promise(coupon: Record, row: Coupon, shelf: Shelf, faults: Faults) -> None:
    """What people hold keeps its worth: terms are fixed from the first claim on."""
    if row.claimed > coupon.get("quantity", row.claimed):
        sentence = _("quantity 少于已经领取的 %(claimed)s 张", claimed=row.claimed)
        faults.add(coupon.place_of("quantity"), sentence)
    if not row.claimed:
        return
    terms = (
        ("type", row.coupon_type, coupon.get("type")),
        ("amount", row.money_equivalent_fen, coupon.get("amount", 0)),
        ("pay_percent", row.off_percent, coupon.get("pay_percent")),
        ("minimum", row.minimum_consume_fen, coupon.get("minimum", 0)),
        ("course", row.product_id, _product_id(coupon, shelf)),
    )
    for key, was, now in terms:
        if was != now:
            faults.add(coupon.place_of(key), _fixed(key, row))


def _fixed(key: str, row: Coupon) -> str:
    return ngettext(
        "%(key)s 不能再改：%(name)r 已经领取了 %(num)s 张",
        "%(key)s 不能再改：%(name)r 已经领取了 %(num)s 张",
        row.claimed,
        key=key,
        name=row.name,
    )


def _product_id(coupon: Record, shelf: Shelf) -> int | None:
    """What the coupon is bound to; -1 for a product that these files are about to create."""
    products: list[tuple[str, Mapping[str, Product]]] = [("course", shelf.courses), ("degree", shelf.degrees)]
    for kind, rows in products:
        if kind in coupon:
            row = rows.get(coupon[kind])
            return row.id if row is not None else -1
    return None
