"""What a catalogue file may say (docs/catalogue-format.md), and every rule that the files alone can break.

What only the database knows, such as a teacher of an earlier import, is checked in ``catalogue_check``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from shop.enums import (
    CouponKind,
    CourseType,
    HomeworkType,
    Level,
    ProductStatus,
    SectionType,
    TeacherRole,
    ValidPeriod,
)
from shop.services.yaml_records import (
    Faults,
    Key,
    Keys,
    Record,
    Value,
    Wrong,
    day,
    demand_unique,
    files_of,
    flag,
    never,
    one_of,
    paragraphs,
    read_files,
    read_text,
    records,
    text,
    texts,
    whole,
    words_of,
    yuan,
)

HIGHEST_PRICE_FEN = 100_000_00  # a full cart of 200 such lines still fits a 32-bit column of fen
MOST_BELI = 1_000_000
LONGEST_TEXT = 20_000
LONGEST_LESSON = 100_000
DEGREE_PERIOD = ValidPeriod.TWO_YEARS
PERIODS = ", ".join(str(int(period)) for period in ValidPeriod)
DRAFT = "draft"  # as a status: never shown yet
COURSE_TYPES = {"paid": CourseType.PAID, "vip": CourseType.VIP}
LINK = {"pattern": r"(?:/(?!/)|https://)[!-~]+", "what": "an address of our own that begins with / or an https:// one"}


def _valid_period(value: Value) -> ValidPeriod:
    days: int = whole(0, 9999)(value)
    if days == 210:
        raise Wrong("must not be 210: a period of 12个月 is 360 days")
    try:
        return ValidPeriod(days)
    except ValueError:
        raise Wrong(f"must be one of {PERIODS} days, not {days}") from None


def _status(value: Value) -> ProductStatus | str:
    if value.scalar("one word") == DRAFT:
        return DRAFT
    try:
        return ProductStatus(one_of(words_of(ProductStatus))(value))
    except Wrong as wrong:
        raise Wrong(str(wrong).replace("coming,", f"coming, {DRAFT},")) from None


def _pay_percent(value: Value) -> int:
    try:
        percent: int = whole(1, 99)(value)
    except Wrong as wrong:
        raise Wrong(f"{wrong}: the percent still paid, 79 for 7.9折") from None
    return percent


NAMES = texts(128)

SECTION: Keys = {
    "name": Key(text(128), required=True),
    "type": Key(one_of(words_of(SectionType)), required=True),
    "content": Key(paragraphs(LONGEST_LESSON)),
    "link": Key(text(255, **LINK)),
    "video_time": Key(text(32, pattern=r"[0-9]{1,3}:[0-5][0-9]", what="minutes and seconds in quotes such as '12:30'")),
    "pub_date": Key(day),
    "free_trial": Key(flag),
}
HOMEWORK: Keys = {
    "title": Key(text(128), required=True),
    "type": Key(one_of(words_of(HomeworkType))),
    "requirement": Key(paragraphs(LONGEST_TEXT), required=True),
    "threshold": Key(paragraphs(LONGEST_TEXT)),
    "recommend_period": Key(whole(1, 365)),
    "scholarship_value": Key(whole(0, MOST_BELI)),
    "note": Key(paragraphs(LONGEST_TEXT)),
    "enabled": Key(flag),
}
CHAPTER: Keys = {
    "chapter": Key(whole(1, 999), required=True),
    "name": Key(text(128), required=True),
    "summary": Key(paragraphs(LONGEST_TEXT)),
    "pub_date": Key(day),
    "sections": Key(records(SECTION, unique=("name", "link")), required=True),
    "homework": Key(never("belongs to the modules of degrees only")),
}
MODULE_CHAPTER: Keys = {**CHAPTER, "homework": Key(records(HOMEWORK, unique=("title",)))}
PLAN: Keys = {
    "valid_period": Key(_valid_period, required=True),
    "price": Key(yuan(HIGHEST_PRICE_FEN), required=True),
}
PLANS = records(PLAN, unique=("valid_period",))
QUESTION: Keys = {"question": Key(text(255), required=True), "answer": Key(paragraphs(1024), required=True)}
QUESTIONS = records(QUESTION, unique=("question",))
OUTLINE: Keys = {"title": Key(text(128), required=True), "content": Key(paragraphs(LONGEST_TEXT))}
DETAIL: Keys = {
    "hours": Key(whole(0, 9999)),
    "slogan": Key(text(125)),
    "video_brief_link": Key(text(255, **LINK)),
    "why_study": Key(paragraphs(LONGEST_TEXT)),
    "what_to_study": Key(paragraphs(LONGEST_TEXT)),
    "career_improvement": Key(paragraphs(LONGEST_TEXT)),
    "prerequisite": Key(paragraphs(1024)),
    "outline": Key(records(OUTLINE, unique=("title",))),
}
COURSE: Keys = {
    "name": Key(text(128), required=True),
    "category": Key(text(64), required=True),
    "sub_category": Key(text(64), required=True),
    "type": Key(one_of(COURSE_TYPES)),
    "level": Key(one_of(words_of(Level))),
    "status": Key(_status),
    "brief": Key(paragraphs(2048), required=True),
    "pub_date": Key(day),
    "period": Key(whole(1, 3650)),
    "order": Key(whole(0, 99999)),
    "teachers": Key(NAMES),
    "recommend": Key(NAMES),
    **DETAIL,
    "plans": Key(PLANS),
    "questions": Key(QUESTIONS),
    "chapters": Key(records(CHAPTER, unique=("chapter",))),
}
MODULE: Keys = {key: rule for key, rule in COURSE.items() if key not in ("type", "order", "recommend")} | {
    "plans": Key(never("have no place here: a module is never sold alone, only its degree is")),
    "chapters": Key(records(MODULE_CHAPTER, unique=("chapter",))),
}
SCHOLARSHIP: Keys = {
    "time_percent": Key(whole(1, 1000), required=True),
    "value": Key(whole(0, MOST_BELI), required=True),
}
DEGREE: Keys = {
    "name": Key(text(128), required=True),
    "status": Key(_status),
    "brief": Key(paragraphs(2048), required=True),
    "prerequisite": Key(paragraphs(1024)),
    "total_scholarship": Key(whole(0, MOST_BELI)),
    "mentor_compensation_bonus": Key(whole(0, MOST_BELI)),
    "period": Key(whole(1, 3650)),
    "teachers": Key(NAMES),
    "plans": Key(PLANS),
    "scholarships": Key(records(SCHOLARSHIP, unique=("time_percent",))),
    "questions": Key(QUESTIONS),
    "modules": Key(records(MODULE, unique=("name",))),
}
COUPON: Keys = {
    "name": Key(text(64), required=True),
    "brief": Key(paragraphs(LONGEST_TEXT)),
    "type": Key(one_of(words_of(CouponKind)), required=True),
    "amount": Key(yuan(HIGHEST_PRICE_FEN)),
    "pay_percent": Key(_pay_percent),
    "minimum": Key(yuan(HIGHEST_PRICE_FEN)),
    "course": Key(text(128)),
    "degree": Key(text(128)),
    "quantity": Key(whole(1, 10_000_000), required=True),
    "open_date": Key(day, required=True),
    "close_date": Key(day, required=True),
    "valid_begin_date": Key(day),
    "valid_end_date": Key(day),
    "valid_days": Key(whole(1, 3650)),
    "public": Key(flag),
    "enabled": Key(flag),
    "codes": Key(texts(32, pattern=r"[0-9A-Z]{6,32}", what="6 to 32 capital letters and digits")),
}
CATEGORY: Keys = {
    "name": Key(text(64), required=True),
    "order": Key(whole(0, 99999)),
    "sub_categories": Key(texts(64)),
}
TEACHER: Keys = {
    "name": Key(text(32), required=True),
    "role": Key(one_of(words_of(TeacherRole))),
    "title": Key(text(64), required=True),
    "signature": Key(text(255)),
    "brief": Key(paragraphs(1024)),
}
CATALOGUE: Keys = {
    "categories": Key(records(CATEGORY)),
    "teachers": Key(records(TEACHER)),
    "courses": Key(records(COURSE)),
    "degrees": Key(records(DEGREE)),
    "coupons": Key(records(COUPON)),
}


@dataclass(slots=True)
class Catalogue:
    """All that the files say, one list per kind of thing."""

    categories: list[Record] = field(default_factory=list)
    teachers: list[Record] = field(default_factory=list)
    courses: list[Record] = field(default_factory=list)
    degrees: list[Record] = field(default_factory=list)
    coupons: list[Record] = field(default_factory=list)

    @property
    def modules(self) -> list[tuple[Record, Record]]:
        """Every (degree, module)."""
        return [(degree, module) for degree in self.degrees for module in degree.records("modules")]

    @property
    def all_courses(self) -> list[Record]:
        """Courses and modules: their names must differ."""
        return self.courses + [module for _, module in self.modules]

    def sections(self) -> Iterator[Record]:
        for course in self.all_courses:
            for chapter in course.records("chapters"):
                yield from chapter.records("sections")


def read_catalogue(path: Path, today: date, faults: Faults) -> Catalogue:
    """What a file, or the YAML files of a folder together, say. Raises FileNotFoundError without a file.

    Relative days such as ``today+30`` count from today. Faults are added, never raised.
    """
    return _checked(read_files(files_of(path), CATALOGUE, today, faults), faults)


def read_one_text(name: str, content: bytes, today: date, faults: Faults) -> Catalogue:
    """What a text that somebody sent says, as ``read_catalogue`` does for a file; faults call it by its name."""
    record = read_text(name, lambda: content, CATALOGUE, today, faults)
    return _checked([] if record is None else [record], faults)


def _checked(found: list[Record], faults: Faults) -> Catalogue:
    catalogue = Catalogue()
    for record in found:
        for kind in CATALOGUE:
            getattr(catalogue, kind).extend(record.records(kind))
    _check_names(catalogue, faults)
    for section in catalogue.sections():
        _check_section(section, faults)
    for degree in catalogue.degrees:
        _check_degree_plans(degree, faults)
    for coupon in catalogue.coupons:
        _check_coupon(coupon, faults)
    return catalogue


def _check_names(catalogue: Catalogue, faults: Faults) -> None:
    named = (catalogue.categories, catalogue.teachers, catalogue.all_courses, catalogue.degrees, catalogue.coupons)
    for found in named:
        demand_unique(found, "name", faults)
    owners: dict[str, str] = {}
    for coupon in catalogue.coupons:
        for code, place in coupon.get("codes", []):
            if owners.setdefault(code, str(place)) != str(place):
                faults.add(place, f"code {code!r} is already used at {owners[code]}")


def _check_section(section: Record, faults: Faults) -> None:
    kind = section.get("type")
    if kind is SectionType.VIDEO and "link" not in section.places:
        faults.add(section.place, "link is missing: a video lesson needs the address of its video")
    if kind in (SectionType.DOCUMENT, SectionType.EXERCISE):
        if "content" not in section.places:
            faults.add(section.place, f"content is missing: a lesson of type {kind.name.lower()} is its text")
        for key in ("link", "video_time"):
            if key in section.places:
                faults.add(section.place_of(key), f"{key} is for video lessons only")


def _check_degree_plans(degree: Record, faults: Faults) -> None:
    """Design 12: the length of a degree is fixed, two prices for the same thing would mislead."""
    plans = degree.records("plans")
    for plan in plans[1:]:
        faults.add(plan.place, "a degree has one plan only")
    if "plans" in degree and not plans:
        faults.add(degree.place_of("plans"), f"a degree has one plan, of {DEGREE_PERIOD} days")
    for plan in plans[:1]:
        if plan.get("valid_period", DEGREE_PERIOD) != DEGREE_PERIOD:
            faults.add(plan.place_of("valid_period"), f"a degree is sold for {DEGREE_PERIOD} days (24个月) only")


# ---------------------------------------------------------------- coupons (B40)


def _check_coupon(coupon: Record, faults: Faults) -> None:
    _check_coupon_value(coupon, faults)
    _check_claim_window(coupon, faults)
    _check_use_window(coupon, faults)
    if "course" in coupon.places and "degree" in coupon.places:
        faults.add(coupon.place_of("degree"), "a coupon is bound to one course or one degree, not to both")
    codes, quantity = coupon.get("codes", []), coupon.get("quantity")
    if quantity is not None and len(codes) > quantity:
        faults.add(coupon.place_of("codes"), f"there are {len(codes)} codes, but only {quantity} coupons (quantity)")


def _check_coupon_value(coupon: Record, faults: Faults) -> None:
    needed = {
        CouponKind.FLAT: ("amount",),
        CouponKind.THRESHOLD: ("amount", "minimum"),
        CouponKind.PERCENT: ("pay_percent",),
    }
    if (kind := coupon.get("type")) is None:
        return
    word = kind.name.lower()
    for key in ("amount", "minimum", "pay_percent"):
        is_needed, is_there = key in needed[kind], key in coupon.places
        if is_needed and not is_there:
            faults.add(coupon.place, f"{key} is missing: a {word} coupon needs it")
        elif is_there and not is_needed:
            faults.add(coupon.place_of(key), f"{key} has no meaning for a {word} coupon")
        elif coupon.get(key) == 0:
            faults.add(coupon.place_of(key), f"{key} must be more than 0")


def _check_claim_window(coupon: Record, faults: Faults) -> None:
    opens, closes = coupon.get("open_date"), coupon.get("close_date")
    if opens and closes and closes < opens:
        faults.add(coupon.place_of("close_date"), f"close_date {closes} is before open_date {opens}")


def _check_use_window(coupon: Record, faults: Faults) -> None:
    written = {key for key in ("valid_begin_date", "valid_end_date") if key in coupon.places}
    if len(written) == 1:
        (key,) = written
        faults.add(coupon.place_of(key), "valid_begin_date and valid_end_date are given together or not at all")
    if not written and "valid_days" not in coupon.places:
        sentence = "it is not said how long it can be used: give valid_begin_date and valid_end_date, or valid_days"
        faults.add(coupon.place, sentence)
    begins, ends = coupon.get("valid_begin_date"), coupon.get("valid_end_date")
    if begins and ends and ends < begins:
        faults.add(coupon.place_of("valid_end_date"), f"valid_end_date {ends} is before valid_begin_date {begins}")
    closes, opens, days = coupon.get("close_date"), coupon.get("open_date"), coupon.get("valid_days")
    if closes and ends and closes > ends:
        faults.add(
            coupon.place_of("close_date"), f"close_date {closes} is after valid_end_date {ends}, the last day of use"
        )
    if begins and opens and days and opens + timedelta(days=days) < begins:
        sentence = f"valid_days {days} end before valid_begin_date {begins} for whoever claims it on {opens}"
        faults.add(coupon.place_of("valid_days"), sentence)
