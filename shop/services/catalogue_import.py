"""Bring the catalogue that files describe into the shop: all of it or, with any fault, nothing.

Things are known by their natural names, so a second import of the same files changes nothing and every id stays;
what the files do not mention is left alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from shop.clock import now
from shop.enums import CourseType, ProductStatus
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
    Homework,
    OftenAskedQuestion,
    PricePolicy,
    Product,
    Scholarship,
    Teacher,
)
from shop.services import additions
from shop.services.catalogue_check import Shelf, check, find_shelf
from shop.services.catalogue_format import DRAFT, Catalogue, read_catalogue
from shop.services.locks import lock_catalogue
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
    paths: dict[Any, tuple[str, ...]] = field(default_factory=dict)  # what each row is called, inside of what
    changes: dict[Any, dict[str, tuple[Any, Any]]] = field(default_factory=dict)  # of each row: column → (old, new)

    def note(self, kind: str, row: object, outcome: Outcome, changes: Mapping[str, tuple[Any, Any]] = {}) -> None:
        rows = self.outcomes.setdefault(kind, {})
        rows[row] = max(outcome, rows.get(row, Outcome.UNCHANGED))
        self.changes.setdefault(row, {}).update(changes)

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
    with unit_of_work() as session:
        tally = write_catalogue(session, catalogue, media_origins, faults)
    page_cache.forget_all()
    return tally


def write_catalogue(session: Session, catalogue: Catalogue, media_origins: Collection[str], faults: Faults) -> Tally:
    """The same in the caller's transaction, which tells the page cache. Raises FormatError."""
    with session.no_autoflush:
        lock_catalogue(session)
        shelf = find_shelf(session, catalogue)
        check(catalogue, shelf, media_origins, faults)
        if faults.found:
            raise FormatError(faults)
        return _Writer(session, shelf).write(catalogue)


class _Writer:
    """Writes checked records; what it creates it puts on the shelf, where later records find it."""

    def __init__(self, session: Session, shelf: Shelf) -> None:
        self.session = session
        self.shelf = shelf
        self.tally = Tally()
        self.inside: tuple[str, ...] = ()  # the names of what the present record stands in
        self.homework: list[Homework] = []  # that is new, or counts again

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
            self.tally.note(kind, row, Outcome.CREATED, {column: (None, value) for column, value in values.items()})
        else:
            self._update(kind, row, row, values)
        self.tally.paths[row] = (*self.inside, called(row))
        return row

    def _update(self, kind: str, row: object, part: object, values: Mapping[str, Any]) -> None:
        """Give a row, or a part of it that has a table of its own, these values."""
        changes = _assign(part, values)
        self.tally.note(kind, row, Outcome.UPDATED if changes else Outcome.UNCHANGED, changes)

    @contextmanager
    def _within(self, row: object) -> Iterator[None]:
        outside, self.inside = self.inside, self.tally.paths[row]
        yield
        self.inside = outside

    def _category(self, record: Record) -> None:
        name = record["name"]
        category = self._put(
            "categories", CourseCategory, self.shelf.categories.get(name), record.picked("name", "order")
        )
        self.shelf.categories[name] = category
        for sub_name, _ in record.get("sub_categories", []):
            row = self.shelf.sub_categories.get((name, sub_name))
            values = {"category": category, "name": sub_name}
            with self._within(category):
                row = self._put("sub-categories", CourseSubCategory, row, values)
            self.shelf.sub_categories[name, sub_name] = row

    # ------------------------------------------------------------ products

    def _course(self, record: Record, module_values: dict[str, Any]) -> Course:
        """A course; of a degree's module the caller gives type, degree and place in the order."""
        columns = record.picked("name", "brief", "level", "pub_date", "period", "order", course_type="type")
        sub_category = self.shelf.sub_categories[record["category"], record["sub_category"]]
        row = self.shelf.courses.get(record["name"])
        values = columns | {"sub_category": sub_category} | self._teachers(record) | module_values
        course = self._put("courses", Course, row, values | _shown(row, record))
        self.shelf.courses[record["name"]] = course
        with self._within(course):
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
        else:
            self._update("courses", course, course.detail, columns)
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
        with self._within(chapter):
            self._chapter_parts(chapter, record)

    def _chapter_parts(self, chapter: CourseChapter, record: Record) -> None:
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
            did_count = known is not None and known.enabled
            task = self._put("homework", Homework, known, values, chapter.homework)
            if not did_count:
                self.homework.append(task)

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
            "name", "brief", "prerequisite", "total_scholarship", "mentor_compensation_bonus", "period"
        )
        row = self.shelf.degrees.get(record["name"])
        degree = self._put("degrees", DegreeCourse, row, columns | self._teachers(record) | _shown(row, record))
        self.shelf.degrees[record["name"]] = degree
        with self._within(degree):
            self._product_parts(degree, record)
            for tier in record.records("scholarships"):
                tier_row = _named(degree.scholarships, "time_percent", tier)
                values = tier.picked("time_percent", "value")
                self._put("scholarships", Scholarship, tier_row, values, degree.scholarships)
            self.session.flush()
            modules = list(record.records("modules"))
            if any(not _is_published(self.shelf.courses.get(module["name"])) for module in modules):
                additions.hold_sales(self.session, degree.id)
            for order, module in enumerate(modules, 1):
                self._module(degree, module, order)

    def _module(self, degree: DegreeCourse, record: Record, order: int) -> None:
        was_published = _is_published(self.shelf.courses.get(record["name"]))
        values = {"course_type": CourseType.MODULE, "degree_course_id": degree.id, "order": order}
        module = self._course(record, values)
        self.session.flush()
        if module.published_time is not None and not was_published:
            for row in additions.open_module_to_students(self.session, module):
                self._added("study records", row, (*self.inside, module.name))
        for homework in self.homework:
            for planned in additions.plan_homework(self.session, homework):
                self._added("course schedules", planned, (*self.inside, module.name, homework.title))
        self.homework.clear()

    def _added(self, kind: str, row: object, path: tuple[str, ...]) -> None:
        self.tally.note(kind, row, Outcome.CREATED)
        self.tally.paths[row] = path

    def _recommendations(self, record: Record) -> None:
        if "recommend" not in record:
            return
        course = self.shelf.courses[record["name"]]
        wanted = [self.shelf.courses[name] for name, _ in record["recommend"]]
        if set(course.recommended) != set(wanted):
            change = {"recommended": (list(course.recommended), wanted)}
            course.recommended = wanted
            self.tally.note("courses", course, Outcome.UPDATED, change)

    # ------------------------------------------------------------ coupons

    def _coupon(self, record: Record) -> None:
        values = _coupon_values(record) | {"product": self._bound_to(record)}
        coupon = self._put("coupons", Coupon, self.shelf.coupons.get(record["name"]), values)
        self.session.flush()
        for code, _ in _codes(record):
            if code not in self.shelf.codes:
                row = CouponCode(code=code, coupon_id=coupon.id)
                self.session.add(row)
                self._added("coupon codes", row, (coupon.name, code))
            else:
                self.tally.note("coupon codes", self.shelf.codes[code], Outcome.UNCHANGED)
                self.tally.paths[self.shelf.codes[code]] = (coupon.name, code)

    def _bound_to(self, record: Record) -> Product | None:
        if "course" in record:
            return self.shelf.courses[record["course"]]
        return self.shelf.degrees[record["degree"]] if "degree" in record else None


def _assign(row: object, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Give the row these values; by column what was there and what is there now, where that differs."""
    was = {column: getattr(row, column) for column in values}
    changes = {column: (was[column], value) for column, value in values.items() if was[column] != value}
    for column, (old, value) in changes.items():
        changes[column] = (list(old) if isinstance(old, list) else old, value)
        setattr(row, column, value)
    return changes


def called(row: Any) -> str:
    """What people call a row: by its natural key."""
    if isinstance(row, CourseChapter):
        return str(row.chapter)
    columns = ("name", "title", "question", "valid_period", "time_percent")
    return str(next(getattr(row, column) for column in columns if hasattr(row, column)))


def _is_published(row: Product | None) -> bool:
    return row is not None and row.published_time is not None


def _shown(row: Product | None, record: Record) -> dict[str, Any]:
    """The status that the file gives. A draft that it puts before people is published by that."""
    if "status" not in record:
        return {}
    if record["status"] == DRAFT:
        return {"status": ProductStatus.OFF_SALE} | ({"published_time": None} if row is None else {})
    is_first = row is not None and row.published_time is None and record["status"] is not ProductStatus.OFF_SALE
    return {"status": record["status"]} | ({"published_time": now()} if is_first else {})


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
