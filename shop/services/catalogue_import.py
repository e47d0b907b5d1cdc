"""Bring the catalogue that files describe into the shop: all of it or, with any fault, nothing.

Things are known by their natural names, so a second import of the same files changes nothing and every id stays;
what the files do not mention is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.enums import CourseType, ModuleStatus
from shop.extensions import unit_of_work
from shop.gateways import page_cache
from shop.models import (
    Coupon,
    CouponCode,
    Course,
    CourseCategory,
    CourseChapter,
    CourseDetail,
    CourseOutline,
    CourseSection,
    CourseSubCategory,
    DegreeCourse,
    EnrolledDegreeCourse,
    Homework,
    OftenAskedQuestion,
    PricePolicy,
    Product,
    Scholarship,
    StudyRecord,
    Teacher,
)
from shop.services.catalogue_check import Shelf, check, find_shelf
from shop.services.catalogue_format import Catalogue, read_catalogue
from shop.services.yaml_records import Faults, FormatError, Place, Record

Row = TypeVar("Row")


class Outcome(IntEnum):
    UNCHANGED = 0
    UPDATED = 1
    CREATED = 2


@dataclass(slots=True)
class Tally:
    """What became of every row, by kind; a row that is touched twice counts once, by the stronger outcome."""

    outcomes: dict[str, dict[Any, Outcome]] = field(default_factory=dict)

    def note(self, kind: str, row: object, outcome: Outcome) -> None:
        rows = self.outcomes.setdefault(kind, {})
        rows[row] = max(outcome, rows.get(row, Outcome.UNCHANGED))

    def count(self, kind: str, outcome: Outcome) -> int:
        return list(self.outcomes.get(kind, {}).values()).count(outcome)

    def total(self, outcome: Outcome) -> int:
        return sum(self.count(kind, outcome) for kind in self.outcomes)

    @property
    def lines(self) -> list[str]:
        """One line per kind: ``courses: 24 created, 0 updated, 3 unchanged``."""
        order = sorted(Outcome, reverse=True)
        return [
            f"{kind}: " + ", ".join(f"{self.count(kind, outcome)} {outcome.name.lower()}" for outcome in order)
            for kind in self.outcomes
        ]


def import_catalogue(path: Path, *, today: date, media_origins: Collection[str] = ()) -> Tally:
    """Write what a file, or a folder of files, describes, in one transaction; returns what became of every row.

    media_origins are the foreign hosts that videos may come from, such as "https://media.example.com".
    Raises FormatError with every fault, before anything is written, and FileNotFoundError without a file.
    """
    faults = Faults()
    catalogue = read_catalogue(path, today, faults)
    with unit_of_work() as session, session.no_autoflush:
        shelf = find_shelf(session, catalogue)
        check(catalogue, shelf, media_origins, faults)
        if faults.found:
            raise FormatError(faults)
        tally = _Writer(session, shelf).write(catalogue)
    page_cache.forget_all()
    return tally


class _Writer:
    """Writes checked records; what it creates it puts on the shelf, where later records find it."""

    def __init__(self, session: Session, shelf: Shelf) -> None:
        self.session = session
        self.shelf = shelf
        self.tally = Tally()

    def write(self, catalogue: Catalogue) -> Tally:
        for record in catalogue.categories:
            self._category(record)
        for record in catalogue.teachers:
            values = record.picked("name", "role", "title", "signature", "brief")
            row = self.shelf.teachers.get(record["name"])
            self.shelf.teachers[record["name"]] = self._put("teachers", Teacher, row, values)
        self.session.flush()  # people are listed in the order of their ids
        for record in catalogue.courses:
            self._course(record, {})
        for record in catalogue.degrees:
            self._degree(record)
        self.session.flush()
        for record in catalogue.courses:  # only now: a course may recommend one that comes later
            self._recommendations(record)
        for record in catalogue.coupons:
            self._coupon(record)
        self.session.flush()
        return self.tally

    def _put(
        self, kind: str, model: type[Row], row: Row | None, values: Mapping[str, Any], siblings: list[Row] | None = None
    ) -> Row:
        """The row with these values, made when there is none yet; siblings is its parent's list, which it joins."""
        if row is None:
            row = model(**values)
            if siblings is None:
                self.session.add(row)
            else:
                siblings.append(row)
            self.tally.note(kind, row, Outcome.CREATED)
            return row
        self.tally.note(kind, row, Outcome.UPDATED if _assign(row, values) else Outcome.UNCHANGED)
        return row

    def _category(self, record: Record) -> None:
        name = record["name"]
        category = self._put(
            "categories", CourseCategory, self.shelf.categories.get(name), record.picked("name", "order")
        )
        self.shelf.categories[name] = category
        for sub_name, _ in record.get("sub_categories", []):
            row = self.shelf.sub_categories.get((name, sub_name))
            values = {"category": category, "name": sub_name}
            row = self._put("sub-categories", CourseSubCategory, row, values)
            self.shelf.sub_categories[name, sub_name] = row

    # ------------------------------------------------------------ products

    def _course(self, record: Record, module_values: dict[str, Any]) -> Course:
        """A course; of a degree's module the caller gives type, degree and place in the order."""
        columns = record.picked("name", "brief", "status", "level", "pub_date", "period", "order", course_type="type")
        sub_category = self.shelf.sub_categories[record["category"], record["sub_category"]]
        values = columns | {"sub_category": sub_category} | self._teachers(record) | module_values
        course = self._put("courses", Course, self.shelf.courses.get(record["name"]), values)
        self.shelf.courses[record["name"]] = course
        self._detail(course, record)
        self._product_parts(course, record)
        for chapter in record.records("chapters"):
            self._chapter(course, chapter)
        return course

    def _teachers(self, record: Record) -> dict[str, Any]:
        if "teachers" not in record:
            return {}
        people = [self.shelf.teachers[name] for name, _ in record["teachers"]]
        return {"teachers": sorted(people, key=lambda teacher: teacher.id)}

    def _detail(self, course: Course, record: Record) -> None:
        columns = record.picked(
            "hours", "video_brief_link", "why_study", "career_improvement", "prerequisite",
            course_slogan="slogan", what_to_study_brief="what_to_study",
        )  # fmt: skip
        if course.detail is None:
            course.detail = CourseDetail(**columns)
        elif _assign(course.detail, columns):
            self.tally.note("courses", course, Outcome.UPDATED)
        outlines = course.detail.outlines
        for order, outline in enumerate(record.records("outline"), 1):
            values = outline.picked("title", "content") | {"order": order}
            self._put("outlines", CourseOutline, _named(outlines, "title", outline), values, outlines)

    def _product_parts(self, product: Product, record: Record) -> None:
        for plan in record.records("plans"):
            row = _named(product.policies, "valid_period", plan)
            self._put("plans", PricePolicy, row, plan.picked("valid_period", price_fen="price"), product.policies)
        for question in record.records("questions"):
            known = _named(product.questions, "question", question)
            values = question.picked("question", "answer")
            self._put("questions", OftenAskedQuestion, known, values, product.questions)

    def _chapter(self, course: Course, record: Record) -> None:
        columns = record.picked("chapter", "name", "summary", "pub_date")
        chapter = _named(course.chapters, "chapter", record)
        chapter = self._put("chapters", CourseChapter, chapter, columns, course.chapters)
        self._release_moved_links(chapter, record)
        for order, section in enumerate(record.records("sections"), 1):
            values = section.picked("name", "content", "video_time", "pub_date", free_trail="free_trial")
            # Whole, so that a lesson that turns from a video into a text loses its link.
            values |= {"order": order, "section_type": section["type"], "section_link": section.get("link")}
            row = _named(chapter.sections, "name", section)
            self._put("lessons", CourseSection, row, values, chapter.sections)
        for order, homework in enumerate(record.records("homework"), 1):
            values = homework.picked(
                "title", "requirement", "threshold", "recommend_period", "scholarship_value", "note", "enabled",
                homework_type="type",
            ) | {"order": order}  # fmt: skip
            known = _named(chapter.homework, "title", homework)
            self._put("homework", Homework, known, values, chapter.homework)

    def _release_moved_links(self, chapter: CourseChapter, record: Record) -> None:
        """Two lessons may swap their videos, which a unique key would refuse halfway."""
        links = {section["name"]: section.get("link") for section in record.records("sections")}
        moved = [s for s in chapter.sections if s.section_link and s.section_link != links.get(s.name, s.section_link)]
        if len(moved) > 1:
            for section in moved:
                section.section_link = None
            self.session.flush()

    def _degree(self, record: Record) -> None:
        columns = record.picked(
            "name", "brief", "status", "prerequisite", "total_scholarship", "mentor_compensation_bonus", "period"
        )
        row = self.shelf.degrees.get(record["name"])
        degree = self._put("degrees", DegreeCourse, row, columns | self._teachers(record))
        self.shelf.degrees[record["name"]] = degree
        self._product_parts(degree, record)
        for tier in record.records("scholarships"):
            tier_row = _named(degree.scholarships, "time_percent", tier)
            values = tier.picked("time_percent", "value")
            self._put("scholarships", Scholarship, tier_row, values, degree.scholarships)
        self.session.flush()
        modules = list(record.records("modules"))
        if any(module["name"] not in self.shelf.courses for module in modules):
            self._hold_sales(degree)
        for order, module in enumerate(modules, 1):
            self._module(degree, module, order)

    def _hold_sales(self, degree: DegreeCourse) -> None:
        """Until the end nobody is enrolled in the degree, so that no student misses a module that comes now."""
        column = DegreeCourse.__table__.c.id
        self.session.execute(select(column).where(column == degree.id).with_for_update())

    def _module(self, degree: DegreeCourse, record: Record, order: int) -> None:
        is_new = record["name"] not in self.shelf.courses
        values = {"course_type": CourseType.MODULE, "degree_course_id": degree.id, "order": order}
        module = self._course(record, values)
        if is_new:
            self._open_to_students(degree, module)

    def _open_to_students(self, degree: DegreeCourse, module: Course) -> None:
        """A module added after a sale comes to every living enrolment, still locked (design 12)."""
        living = select(EnrolledDegreeCourse.id).where(
            EnrolledDegreeCourse.degree_course_id == degree.id, EnrolledDegreeCourse.closed_time.is_(None)
        )
        for enrolment_id in self.session.scalars(living):
            record = StudyRecord(
                enrolled_degree_course_id=enrolment_id, course_module=module, status=ModuleStatus.LOCKED
            )
            self._add("study records", record)

    def _add(self, kind: str, row: object) -> None:
        self.session.add(row)
        self.tally.note(kind, row, Outcome.CREATED)

    def _recommendations(self, record: Record) -> None:
        if "recommend" not in record:
            return
        course = self.shelf.courses[record["name"]]
        wanted = [self.shelf.courses[name] for name, _ in record["recommend"]]
        if set(course.recommended) != set(wanted):
            course.recommended = wanted
            self.tally.note("courses", course, Outcome.UPDATED)

    # ------------------------------------------------------------ coupons

    def _coupon(self, record: Record) -> None:
        values = _coupon_values(record) | {"product": self._bound_to(record)}
        coupon = self._put("coupons", Coupon, self.shelf.coupons.get(record["name"]), values)
        self.session.flush()
        for code, _ in _codes(record):
            if code not in self.shelf.codes:
                self._add("coupon codes", CouponCode(code=code, coupon_id=coupon.id))
            else:
                self.tally.note("coupon codes", self.shelf.codes[code], Outcome.UNCHANGED)

    def _bound_to(self, record: Record) -> Product | None:
        if "course" in record:
            return self.shelf.courses[record["course"]]
        return self.shelf.degrees[record["degree"]] if "degree" in record else None


def _assign(row: object, values: Mapping[str, Any]) -> bool:
    """Give the row these values; whether any of them is new."""
    changed = {column: value for column, value in values.items() if getattr(row, column) != value}
    for column, value in changed.items():
        setattr(row, column, value)
    return bool(changed)


def _named(rows: list[Row], column: str, record: Record) -> Row | None:
    """The row that the record speaks of, by its natural key among its siblings."""
    return next((row for row in rows if getattr(row, column) == record[column]), None)


def _codes(record: Record) -> Iterator[tuple[str, Place]]:
    yield from record.get("codes", [])


def _coupon_values(record: Record) -> dict[str, Any]:
    """A coupon is described whole: a term that the file leaves out is a term that it does not have."""
    return record.picked("name", "brief", "enabled", is_public="public") | {
        "coupon_type": record["type"],
        "money_equivalent_fen": record.get("amount", 0),
        "off_percent": record.get("pay_percent"),
        "minimum_consume_fen": record.get("minimum", 0),
        "quantity": record["quantity"],
        "open_date": record["open_date"],
        "close_date": record["close_date"],
        "valid_begin_date": record.get("valid_begin_date"),
        "valid_end_date": record.get("valid_end_date"),
        "coupon_valid_days": record.get("valid_days"),
    }
