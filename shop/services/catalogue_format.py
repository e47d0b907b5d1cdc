"""What a catalogue file may say (docs/catalogue-format.md), and every rule that the files alone can break.

What only the database knows, such as a teacher of an earlier import, is checked in ``catalogue_check``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

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
from shop.rules import campaigns
from shop.rules.campaigns import Fault
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
STATUSES = {**words_of(ProductStatus), DRAFT: DRAFT}
COURSE_TYPES = {"paid": CourseType.PAID, "vip": CourseType.VIP}
LINK = {
    "pattern": r"(?:/(?!/)|https://)[!-~]+",
    "what": lazy_gettext("本站以 / 开头的地址，或者 https:// 开头的地址"),
}
VIDEO_TIME = {"pattern": r"[0-9]{1,3}:[0-5][0-9]", "what": lazy_gettext("带引号的分和秒（例如 '12:30'）")}
CODE = {"pattern": r"[0-9A-Z]{6,32}", "what": lazy_gettext("大写字母和数字，6 到 32 位")}


def _valid_period(value: Value) -> ValidPeriod:
    days: int = whole(0, 9999)(value)
    if days == 210:
        raise Wrong(_("不能是 210：12个月的有效期是 360 天"))
    try:
        return ValidPeriod(days)
    except ValueError:
        refused = _("必须是以下天数之一（%(periods)s），写的是 %(days)s", periods=PERIODS, days=days)
        raise Wrong(refused) from None


def _pay_percent(value: Value) -> int:
    try:
        percent: int = whole(1, 99)(value)
    except Wrong as wrong:
        raise Wrong(_("%(wrong)s（这是实付的百分比，79 就是 7.9 折）", wrong=wrong)) from None
    return percent


NAMES = texts(128)

SECTION: Keys = {
    "name": Key(text(128), required=True),
    "type": Key(one_of(words_of(SectionType)), required=True),
    "content": Key(paragraphs(LONGEST_LESSON)),
    "link": Key(text(255, **LINK)),
    "video_time": Key(text(32, **VIDEO_TIME)),
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
    "homework": Key(never(lazy_gettext("只有学位课的模块才有作业"))),
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
    "status": Key(one_of(STATUSES)),
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
    "plans": Key(never(lazy_gettext("这里不能有，模块从不单独出售，只卖它的学位课"))),
    "chapters": Key(records(MODULE_CHAPTER, unique=("chapter",))),
}
SCHOLARSHIP: Keys = {
    "time_percent": Key(whole(1, 1000), required=True),
    "value": Key(whole(0, MOST_BELI), required=True),
}
DEGREE: Keys = {
    "name": Key(text(128), required=True),
    "status": Key(one_of(STATUSES)),
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
    "codes": Key(texts(32, **CODE)),
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
                faults.add(place, _("优惠码 %(code)r 在 %(place)s 已经用过了", code=code, place=owners[code]))


def _check_section(section: Record, faults: Faults) -> None:
    kind = section.get("type")
    if kind is SectionType.VIDEO and "link" not in section.places:
        faults.add(section.place, _("缺少 link：视频课时需要视频的地址"))
    if kind in (SectionType.DOCUMENT, SectionType.EXERCISE):
        if "content" not in section.places:
            sentence = _("缺少 content：%(kind)s 类型的课时要有正文", kind=kind.name.lower())
            faults.add(section.place, sentence)
        for key in ("link", "video_time"):
            if key in section.places:
                faults.add(section.place_of(key), _("只有视频课时才有 %(key)s", key=key))


def _check_degree_plans(degree: Record, faults: Faults) -> None:
    """Design 12: the length of a degree is fixed, two prices for the same thing would mislead."""
    plans = degree.records("plans")
    for plan in plans[1:]:
        faults.add(plan.place, _("学位课只能有一个价格方案"))
    if "plans" in degree and not plans:
        faults.add(degree.place_of("plans"), _("学位课要有一个 %(days)s 天的价格方案", days=DEGREE_PERIOD))
    for plan in plans[:1]:
        if plan.get("valid_period", DEGREE_PERIOD) != DEGREE_PERIOD:
            sentence = _("学位课只按 %(days)s 天（24个月）出售", days=DEGREE_PERIOD)
            faults.add(plan.place_of("valid_period"), sentence)


# ---------------------------------------------------------------- coupons (B40)


COUPON_FAULTS = {
    Fault.MISSING: lazy_gettext("缺少 %(key)s：%(kind)s 类型的优惠券需要它"),
    Fault.MEANINGLESS: lazy_gettext("%(key)s 对 %(kind)s 类型的优惠券没有意义"),
    Fault.ZERO: lazy_gettext("%(key)s 必须大于 0"),
    Fault.CLAIM_WINDOW: lazy_gettext("close_date %(close_date)s 早于 open_date %(open_date)s"),
    Fault.ONE_DATE: lazy_gettext("valid_begin_date 和 valid_end_date 要么都写，要么都不写"),
    Fault.NO_USE_WINDOW: lazy_gettext("没有说能用多久：请写 valid_begin_date 和 valid_end_date，或者写 valid_days"),
    Fault.USE_WINDOW: lazy_gettext("valid_end_date %(valid_end_date)s 早于 valid_begin_date %(valid_begin_date)s"),
    Fault.CLAIM_AFTER_USE: lazy_gettext(
        "close_date %(close_date)s 晚于最后可用的一天 valid_end_date %(valid_end_date)s"
    ),
    Fault.DAYS_TOO_SHORT: lazy_gettext(
        "%(open_date)s 领到的人，valid_days 的 %(valid_days)s 天在 valid_begin_date %(valid_begin_date)s 之前就用完了"
    ),
}
COUPON_TERMS = (*campaigns.VALUES, "open_date", "close_date", "valid_begin_date", "valid_end_date", "valid_days")


def _check_coupon(coupon: Record, faults: Faults) -> None:
    values = {key: coupon[key] for key in COUPON_TERMS if key in coupon}
    kind: CouponKind | None = coupon.get("type")
    for key, fault in campaigns.faults(campaigns.Draft(kind, values, coupon.places.keys())):
        place = coupon.place_of(key) if key in coupon.places else coupon.place
        word = kind.name.lower() if kind is not None else ""
        faults.add(place, str(COUPON_FAULTS[fault]) % {"key": key, "kind": word, **values})
    if "course" in coupon.places and "degree" in coupon.places:
        faults.add(coupon.place_of("degree"), _("优惠券只能绑定一门课程或者一门学位课，不能两样都绑定"))
    codes, quantity = coupon.get("codes", []), coupon.get("quantity")
    if quantity is not None and len(codes) > quantity:
        sentence = ngettext(
            "有 %(codes)s 个优惠码，但优惠券只有 %(num)s 张（quantity）",
            "有 %(codes)s 个优惠码，但优惠券只有 %(num)s 张（quantity）",
            quantity,
            codes=len(codes),
        )
        faults.add(coupon.place_of("codes"), sentence)
